/*
 * Which projections a function may read with view(), and what types it may give to what it emits:
 * told from its code and all that it reaches.
 *
 * Functions and tables are nodes of one graph, each read once for all who reach it. A node knows
 * the projections that it reads by a literal name, those whose names it holds as text, and whether
 * it uses view in a way that doesn't tell a name. A declared function reads what is found on a walk
 * from it.
 */
#include <stdlib.h>

#include "engine/base/memory.h"
#include "rules/chunk.h"
#include "rules/library.h"
#include "rules/loader.h"

struct node {
	uint32_t *edges; /* to other nodes */
	size_t edge_count, edge_capacity;
	uint32_t *read; /* projections */
	size_t read_count, read_capacity;
	uint32_t *held; /* likewise */
	size_t held_count, held_capacity;
	bool untold;
	/* Where emits are asked for: numbers of texts. */
	uint32_t *types; /* literally set as a field `type` */
	size_t type_count, type_capacity;
	uint32_t *texts; /* all in its code */
	size_t text_count, text_capacity;
	bool type_untold; /* one is made as it runs */
	bool branches;
	int64_t visited; /* by the walk of this function */
};

/* Owned by the loader, as Lua may leave the making of it by an error. */
struct dal_reading {
	struct dal_loader *loader;
	lua_State *lua;
	int seen;  /* a table: value -> its number, from 1 */
	int queue; /* a table: number -> value */
	struct node *nodes;
	size_t count, capacity;
	size_t at;                    /* the node that is being made */
	struct dal_chunk chunk;       /* its code */
	int table;                    /* whose fields it uses: that of its globals, or an upvalue */
	bool view;                    /* it uses the library's view by its name */
	struct dal_map *text_numbers; /* from 1 */
	char **texts;
	size_t text_count, text_capacity;
	uint32_t *stack; /* of a walk */
	size_t depth, stack_capacity;
};

void dal_reading_free(struct dal_reading *reading)
{
	if (reading == NULL) {
		return;
	}
	for (size_t i = 0; i < reading->count; i++) {
		free(reading->nodes[i].edges);
		free(reading->nodes[i].read);
		free(reading->nodes[i].held);
		free(reading->nodes[i].types);
		free(reading->nodes[i].texts);
	}
	for (size_t i = 0; i < reading->text_count; i++) {
		free(reading->texts[i]);
	}
	free(reading->texts);
	dal_map_free(reading->text_numbers);
	dal_chunk_deinit(&reading->chunk);
	free(reading->nodes);
	free(reading->stack);
	free(reading);
}

/* --- the graph --- */

/* The number of the function or table on top; pops it. */
static uint32_t number(struct dal_reading *r)
{
	lua_State *lua = r->lua;
	lua_pushvalue(lua, -1);
	if (lua_rawget(lua, r->seen) == LUA_TNIL) {
		lua_pop(lua, 1);
		DAL_GROW(r->nodes, r->count, r->capacity);
		r->nodes[r->count++] = (struct node){0};
		lua_pushvalue(lua, -1);
		lua_rawseti(lua, r->queue, (lua_Integer)r->count);
		lua_pushvalue(lua, -1);
		lua_pushinteger(lua, (lua_Integer)r->count);
		lua_rawset(lua, r->seen);
		lua_pushinteger(lua, (lua_Integer)r->count);
	}
	lua_Integer found = lua_tointeger(lua, -1);
	lua_pop(lua, 2);
	return (uint32_t)found - 1;
}

static uint32_t text_number(struct dal_reading *r, struct dal_slice text)
{
	void *known = dal_map_get(r->text_numbers, text);
	if (known == NULL) {
		DAL_GROW(r->texts, r->text_count, r->text_capacity);
		r->texts[r->text_count++] = dal_slice_dup(text);
		known = (void *)(uintptr_t)r->text_count;
		dal_map_set(r->text_numbers, text, known);
	}
	return (uint32_t)(uintptr_t)known - 1;
}

/* A field `type` is set; a text without data: to what can't be told. */
static void set_type(void *own, struct dal_slice text)
{
	struct dal_reading *r = own;
	struct node *node = &r->nodes[r->at];
	if (text.data == NULL) {
		node->type_untold = true;
		return;
	}
	DAL_GROW(node->types, node->type_count, node->type_capacity);
	node->types[node->type_count++] = text_number(r, text);
}

static void hold(void *own, struct dal_slice text)
{
	struct dal_reading *r = own;
	if (r->loader->analyse) {
		struct node *of = &r->nodes[r->at];
		DAL_GROW(of->texts, of->text_count, of->text_capacity);
		of->texts[of->text_count++] = text_number(r, text);
	}
	struct node *node = &r->nodes[r->at];
	long projection = dal_rules_projection_index(r->loader->set, text);
	if (projection >= 0) {
		DAL_GROW(node->held, node->held_count, node->held_capacity);
		node->held[node->held_count++] = (uint32_t)projection;
	}
}

static bool is_library(lua_State *lua, int index, bool *view)
{
	dal_library_name(lua, index);
	const char *name = lua_tostring(lua, -1);
	*view = name != NULL && strcmp(name, "view") == 0;
	lua_pop(lua, 1);
	return name != NULL;
}

/* The node reaches the value on top, which is popped. */
static void reach(struct dal_reading *r)
{
	lua_State *lua = r->lua;
	int type = lua_type(lua, -1);
	bool view = false;
	if (type == LUA_TSTRING) {
		struct dal_slice text;
		text.data = lua_tolstring(lua, -1, &text.size);
		hold(r, text);
	} else if ((type == LUA_TTABLE || type == LUA_TFUNCTION) && !is_library(lua, -1, &view) &&
		   !lua_iscfunction(lua, -1)) {
		uint32_t to = number(r);
		struct node *node = &r->nodes[r->at];
		DAL_GROW(node->edges, node->edge_count, node->edge_capacity);
		node->edges[node->edge_count++] = to;
		return;
	}
	r->nodes[r->at].untold = r->nodes[r->at].untold || view; /* kept, to be called anyhow */
	lua_pop(lua, 1);
}

static void push_field(struct dal_reading *r, struct dal_slice name)
{
	lua_pushlstring(r->lua, name.data, name.size);
	lua_rawget(r->lua, r->table);
}

static void reach_field(void *own, struct dal_slice name)
{
	push_field(own, name);
	reach(own);
}

static void reach_global(void *own, struct dal_slice name, int line, bool write)
{
	struct dal_reading *r = own;
	bool view = false;
	(void)line;
	(void)write;
	push_field(r, name);
	if (is_library(r->lua, -1, &view)) {
		r->view = r->view || view;
		lua_pop(r->lua, 1);
	} else {
		reach(r);
	}
}

static void read_view(void *own, struct dal_slice name, int line)
{
	struct dal_reading *r = own;
	struct node *node = &r->nodes[r->at];
	(void)line;
	if (name.data == NULL) {
		node->untold = true;
		return;
	}
	long projection = dal_rules_projection_index(r->loader->set, name);
	if (projection >= 0) {
		DAL_GROW(node->read, node->read_count, node->read_capacity);
		node->read[node->read_count++] = (uint32_t)projection;
	}
}

/* What the function, whose environment is on top, uses of it. */
static void reach_globals(struct dal_reading *r)
{
	r->view = false;
	dal_chunk_globals(&r->chunk.root, reach_global, r);
	if (r->view) {
		dal_chunk_uses(&r->chunk.root, "view", read_view, r);
	}
}

/* The upvalue on top, which is popped. Of a library that it has required, only what it uses. */
static void reach_upvalue(struct dal_reading *r, const char *name, size_t index)
{
	lua_State *lua = r->lua;
	bool whole = lua_type(lua, -1) != LUA_TTABLE;
	dal_frozen_raw(lua, -1);
	r->table = lua_gettop(lua);
	if (strcmp(name, "_ENV") == 0) {
		reach_globals(r);
	} else {
		whole = whole || !dal_chunk_fields(&r->chunk.root, index, reach_field, r);
	}
	lua_pop(lua, 1);
	if (whole) {
		reach(r);
	} else {
		lua_pop(lua, 1);
	}
}

static void make_function(struct dal_reading *r, int index)
{
	const char *name;
	dal_chunk_read(&r->chunk, r->lua, index);
	dal_chunk_strings(&r->chunk.root, hold, r);
	if (r->loader->analyse) {
		dal_chunk_sets(&r->chunk.root, "type", set_type, r);
		r->nodes[r->at].branches = dal_chunk_branches(&r->chunk.root);
	}
	for (int i = 1; (name = lua_getupvalue(r->lua, index, i)) != NULL; i++) {
		reach_upvalue(r, name, (size_t)i - 1);
	}
	dal_chunk_deinit(&r->chunk);
	r->chunk = (struct dal_chunk){0};
}

/* The value on top, under the key below it: of a table that may be emitted. */
static void take_type(struct dal_reading *r)
{
	lua_State *lua = r->lua;
	struct dal_slice text;
	if (r->loader->analyse && lua_type(lua, -2) == LUA_TSTRING &&
	    lua_type(lua, -1) == LUA_TSTRING && strcmp(lua_tostring(lua, -2), "type") == 0) {
		text.data = lua_tolstring(lua, -1, &text.size);
		set_type(r, text);
	}
}

static void make_table(struct dal_reading *r, int index)
{
	lua_State *lua = r->lua;
	dal_frozen_raw(lua, index);
	int raw = lua_gettop(lua);
	lua_pushnil(lua);
	while (lua_next(lua, raw)) {
		take_type(r);
		reach(r);
		lua_pushvalue(lua, -1);
		reach(r);
	}
}

static void make_node(struct dal_reading *r)
{
	lua_State *lua = r->lua;
	lua_rawgeti(lua, r->queue, (lua_Integer)r->at + 1);
	int index = lua_gettop(lua);
	luaL_checkstack(lua, 16, NULL);
	dal_sandbox_charge(lua, 20);
	if (lua_type(lua, index) == LUA_TTABLE) {
		make_table(r, index);
	} else {
		make_function(r, index);
	}
	lua_settop(lua, index - 1);
}

/* --- a walk --- */

static void push(struct dal_reading *r, uint32_t number, int64_t function)
{
	if (r->nodes[number].visited != function) {
		r->nodes[number].visited = function;
		DAL_GROW(r->stack, r->depth, r->stack_capacity);
		r->stack[r->depth++] = number;
	}
}

static int ascending(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	return a < b ? -1 : a > b;
}

static void reads_add(struct dal_reads *reads, const uint32_t *more, size_t count)
{
	if (count > 0) {
		reads->projections = dal_reallocarray(reads->projections, reads->count + count,
						      sizeof(*reads->projections));
		memcpy(reads->projections + reads->count, more, count * sizeof(*more));
		reads->count += count;
	}
}

/* In order, each once. */
static void reads_finish(struct dal_reads *reads)
{
	size_t kept = 0;
	if (reads->count > 0) {
		qsort(reads->projections, reads->count, sizeof(*reads->projections), ascending);
	}
	for (size_t i = 0; i < reads->count; i++) {
		if (kept == 0 || reads->projections[kept - 1] != reads->projections[i]) {
			reads->projections[kept++] = reads->projections[i];
		}
	}
	reads->count = kept;
}

/* All that is reached from `start`; afterwards it is what `stack` has below `depth`. */
static void walk(struct dal_reading *r, uint32_t start, int64_t function)
{
	r->depth = 0;
	push(r, start, function);
	for (size_t i = 0; i < r->depth; i++) {
		const struct node *node = &r->nodes[r->stack[i]];
		for (size_t e = 0; e < node->edge_count; e++) {
			push(r, node->edges[e], function);
		}
	}
	dal_sandbox_charge(r->lua, r->depth / 4);
}

static int by_text(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* A copy of each text, once; in order. */
static void emits_finish(struct dal_reading *r, struct dal_emits *emits, struct dal_reads *texts)
{
	reads_finish(texts);
	emits->types = dal_calloc(texts->count + 1, sizeof(*emits->types));
	for (size_t i = 0; i < texts->count; i++) {
		emits->types[emits->count++] = dal_strdup(r->texts[texts->projections[i]]);
	}
	qsort((void *)emits->types, emits->count, sizeof(*emits->types), by_text);
	free(texts->projections);
}

/* Of the last walk. */
static void function_emits(struct dal_reading *r, uint32_t start, int64_t function)
{
	struct dal_emits *emits = &r->loader->set->functions[function - 1].emits;
	struct dal_reads numbers = {0};
	emits->branches = r->nodes[start].branches;
	for (size_t i = 0; i < r->depth; i++) {
		const struct node *node = &r->nodes[r->stack[i]];
		emits->any = emits->any || node->type_untold;
		reads_add(&numbers, node->types, node->type_count);
	}
	for (size_t i = 0; emits->any && i < r->depth; i++) {
		const struct node *node = &r->nodes[r->stack[i]];
		reads_add(&numbers, node->texts, node->text_count);
	}
	emits_finish(r, emits, &numbers);
}

static void function_reads(struct dal_reading *r, uint32_t start, int64_t function)
{
	struct dal_reads *reads = &r->loader->set->functions[function - 1].reads;
	walk(r, start, function);
	for (size_t i = 0; i < r->depth; i++) {
		const struct node *node = &r->nodes[r->stack[i]];
		reads->any = reads->any || node->untold;
		reads_add(reads, node->read, node->read_count);
	}
	for (size_t i = 0; reads->any && i < r->depth; i++) {
		const struct node *node = &r->nodes[r->stack[i]];
		reads_add(reads, node->held, node->held_count);
	}
	reads_finish(reads);
	if (r->loader->analyse) {
		function_emits(r, start, function);
	}
}

/* --- all functions --- */

static void rule_reads(struct dal_rules *set, struct dal_rule_own *rule)
{
	const int64_t functions[] = {rule->when, rule->emit};
	for (size_t i = 0; i < 2; i++) {
		if (functions[i] != 0) {
			const struct dal_reads *reads = &set->functions[functions[i] - 1].reads;
			rule->reads.any = rule->reads.any || reads->any;
			reads_add(&rule->reads, reads->projections, reads->count);
		}
	}
	reads_finish(&rule->reads);
}

void dal_reads_find(struct dal_loader *loader)
{
	lua_State *lua = loader->sandbox->lua;
	struct dal_rules *set = loader->set;
	if (!loader->views && !loader->analyse) {
		return;
	}
	luaL_checkstack(lua, 32, NULL);
	struct dal_reading *r = loader->reading = dal_calloc(1, sizeof(*r));
	r->loader = loader;
	r->text_numbers = dal_map_new();
	r->lua = lua;
	lua_rawgetp(lua, LUA_REGISTRYINDEX, &dal_functions_key);
	int functions = lua_gettop(lua);
	lua_newtable(lua);
	r->seen = lua_gettop(lua);
	lua_newtable(lua);
	r->queue = lua_gettop(lua);
	for (int64_t f = 1; f <= loader->function_count; f++) {
		lua_rawgeti(lua, functions, f);
		if (lua_iscfunction(lua, -1)) { /* `when = tostring` */
			lua_pop(lua, 1);
			continue;
		}
		uint32_t start = number(r);
		for (; r->at < r->count; r->at++) {
			make_node(r);
		}
		function_reads(r, start, f);
	}
	for (size_t i = 0; i < set->rule_count; i++) {
		rule_reads(set, &set->rules[i]);
	}
	lua_settop(lua, functions - 1);
}
