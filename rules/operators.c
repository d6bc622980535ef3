/* Pattern operators in Lua, and a pattern turned into the JSON form that pattern.h compiles. */
#include <stdlib.h>

#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/event/json_write.h"
#include "rules/library.h"
#include "rules/loader.h"
#include "rules/userdata.h"

/* An operator's call; its argument, or a table of them, is the user value 1. */
struct operator
{
	enum dal_tag tag;
	int kind; /* into `operators` */
	int line;
};

enum argument { ARGUMENT_ANY, ARGUMENT_LIST };

static const struct {
	const char *name; /* in Lua */
	const char *json;
	enum argument argument;
} operators[] = {
	{"prefix", "prefix", ARGUMENT_ANY},
	{"suffix", "suffix", ARGUMENT_ANY},
	{"ignore_case", "equals-ignore-case", ARGUMENT_ANY},
	{"wildcard", "wildcard", ARGUMENT_ANY},
	{"exists", "exists", ARGUMENT_ANY},
	{"anything_but", "anything-but", ARGUMENT_LIST},
	{"numeric", "numeric", ARGUMENT_LIST},
	{"any_of", "$or", ARGUMENT_ANY},
	{"eventbridge", "", ARGUMENT_ANY},
	{"matches", "regexp", ARGUMENT_ANY},
	{"cidr", "cidr", ARGUMENT_ANY},
	{"before", "before", ARGUMENT_ANY},
	{"after", "after", ARGUMENT_ANY},
	{"all_of", "all-of", ARGUMENT_LIST},
};

enum { OPERATOR_ANY_OF = 7, OPERATOR_EVENTBRIDGE = 8, OPERATOR_ALL_OF = 13 };

static int make_operator(lua_State *lua)
{
	int kind = (int)lua_tointeger(lua, lua_upvalueindex(1));
	struct dal_loader *loader = dal_sandbox_of(lua)->loader;
	if (loader == NULL) {
		return luaL_error(lua, "%s is for patterns: use it in `on`", operators[kind].name);
	}
	int line = dal_loader_line(lua), count = lua_gettop(lua);
	if (operators[kind].argument == ARGUMENT_LIST && !(count == 1 && lua_istable(lua, 1))) {
		lua_createtable(lua, count, 0);
		lua_insert(lua, 1);
		for (int i = count; i >= 1; i--) {
			lua_rawseti(lua, 1, i);
		}
		count = 1;
	}
	if (count != 1) {
		dal_loader_report(loader, line, "%s takes one argument, not %d",
				  operators[kind].name, count);
	}
	lua_settop(lua, 1);
	struct operator* operator= lua_newuserdatauv(lua, sizeof(*operator), 1);
	*operator=(struct operator){DAL_TAG_OPERATOR, kind, line};
	lua_insert(lua, 1);
	lua_setiuservalue(lua, 1, 1);
	return 1;
}

void dal_operators_open(lua_State *lua)
{
	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
		lua_pushinteger(lua, (lua_Integer)i);
		lua_pushcclosure(lua, make_operator, 1);
		dal_library_name_set(lua, -1, operators[i].name);
		lua_setfield(lua, -2, operators[i].name);
	}
}

/* Where in the JSON an operator begins, to find the line of what the pattern compiler refuses. */
struct place {
	size_t offset;
	int line;
};

struct writing {
	struct dal_loader *loader;
	lua_State *lua;
	const char *what;
	int line; /* of what is being written */
	struct dal_buffer json, path;
	struct place *places;
	size_t place_count, place_capacity;
	int depth;
	bool failed;
};

static void write_field(struct writing *w, int index);
static void write_object(struct writing *w, int table, bool top);
static void write_plain(struct writing *w, int index);

static void refuse(struct writing *w, const char *problem)
{
	w->failed = true;
	const char *path = dal_buffer_cstr(&w->path);
	dal_loader_report(w->loader, w->line, "%s: on%s%s: %s", w->what, path[0] ? "." : "", path,
			  problem);
}

static const struct operator* operator_at(lua_State *lua, int index)
{
	return dal_userdata_tag(lua, index) == DAL_TAG_OPERATOR ? lua_touserdata(lua, index) : NULL;
}

static bool is_any_of(lua_State *lua, int index)
{
	const struct operator* operator= operator_at(lua, index);
	return operator!= NULL && operator->kind == OPERATOR_ANY_OF;
}

/* A table is a list if it has numbered values that are no any_of. */
static bool is_list(lua_State *lua, int table)
{
	lua_rawgeti(lua, table, 1);
	bool list = !lua_isnil(lua, -1) && !is_any_of(lua, -1);
	lua_pop(lua, 1);
	return list;
}

static bool enter(struct writing *w)
{
	luaL_checkstack(w->lua, 16, "nested too deep");
	if (++w->depth > DAL_LIMIT_PATTERN_DEPTH + 2) {
		refuse(w, "nested too deep, or contains itself");
		return false;
	}
	return true;
}

static void write_list(struct writing *w, int table, void (*write)(struct writing *, int))
{
	lua_Integer size = (lua_Integer)lua_rawlen(w->lua, table);
	size_t keys = 0;
	lua_pushnil(w->lua);
	while (lua_next(w->lua, table)) {
		lua_pop(w->lua, 1);
		keys++;
	}
	if (keys != (size_t)size) {
		refuse(w, "a list of values that has names or holes in it too");
		return;
	}
	if (size > DAL_LIMIT_PATTERN_VALUES) {
		refuse(w, "a list that is too long");
		return;
	}
	dal_buffer_byte(&w->json, '[');
	for (lua_Integer i = 1; i <= size && !w->failed; i++) {
		if (i > 1) {
			dal_buffer_byte(&w->json, ',');
		}
		lua_rawgeti(w->lua, table, i);
		write(w, lua_gettop(w->lua));
		lua_pop(w->lua, 1);
	}
	dal_buffer_byte(&w->json, ']');
}

/* Sub-patterns of any_of: objects. */
static void write_alternative(struct writing *w, int index)
{
	if (lua_type(w->lua, index) == LUA_TTABLE && !is_list(w->lua, index)) {
		write_object(w, index, false);
	} else {
		refuse(w, "any_of takes a list of patterns, each a table of fields: any_of { { a = "
			  "1 }, { b = 2 } }");
	}
}

/* anything_but(prefix "x") is {"anything-but": {"prefix": "x"}}, without a list around it. */
static void push_argument(lua_State *lua, int index, int kind)
{
	lua_getiuservalue(lua, index, 1);
	if (kind != OPERATOR_ALL_OF && lua_type(lua, -1) == LUA_TTABLE &&
	    lua_rawlen(lua, -1) == 1) {
		lua_rawgeti(lua, -1, 1);
		if (operator_at(lua, -1) != NULL) {
			lua_remove(lua, -2);
		} else {
			lua_pop(lua, 1);
		}
	}
}

/* {"prefix": argument}; the argument may be an operator again. */
static void write_operator(struct writing *w, int index)
{
	const struct operator* operator= operator_at(w->lua, index);
	int outer = w->line;
	w->line = operator->line;
	if (operator->kind == OPERATOR_EVENTBRIDGE) {
		refuse(w, "eventbridge [[...]] is a whole pattern: write on = eventbridge [[...]]");
	} else if (enter(w)) {
		DAL_GROW(w->places, w->place_count, w->place_capacity);
		w->places[w->place_count++] = (struct place){w->json.size, operator->line };
		dal_buffer_byte(&w->json, '{');
		dal_json_append_string(&w->json, dal_slice_text(operators[operator->kind].json));
		dal_buffer_byte(&w->json, ':');
		push_argument(w->lua, index, operator->kind);
		write_plain(w, lua_gettop(w->lua));
		lua_pop(w->lua, 1);
		dal_buffer_byte(&w->json, '}');
		w->depth--;
	}
	w->line = outer;
}

static void write_number(struct writing *w, int index)
{
	if (lua_isinteger(w->lua, index)) {
		dal_json_append_integer(&w->json, lua_tointeger(w->lua, index));
	} else if (lua_tonumber(w->lua, index) - lua_tonumber(w->lua, index) == 0) {
		dal_json_append_double(&w->json, lua_tonumber(w->lua, index));
	} else {
		refuse(w, "a number that is not finite");
	}
}

/* A table without values in it, where a value is wanted. */
static void refuse_table(struct writing *w, int table)
{
	lua_pushnil(w->lua);
	if (lua_next(w->lua, table)) {
		lua_pop(w->lua, 2);
		refuse(w, "a table of fields among values: name the fields where the list is, "
			  "field = { name = ... }; of an array all its elements are tried");
	} else {
		refuse(w, "an empty list matches nothing: leave the field out, or use "
			  "exists(false)");
	}
}

/* One value as it stands: no list around it. */
static void write_plain(struct writing *w, int index)
{
	struct dal_slice text;
	index = lua_absindex(w->lua, index);
	switch (lua_type(w->lua, index)) {
	case LUA_TSTRING:
		text.data = lua_tolstring(w->lua, index, &text.size);
		dal_json_append_string(&w->json, text);
		return;
	case LUA_TNUMBER:
		write_number(w, index);
		return;
	case LUA_TBOOLEAN:
		dal_buffer_text(&w->json, lua_toboolean(w->lua, index) ? "true" : "false");
		return;
	case LUA_TLIGHTUSERDATA:
		dal_buffer_text(&w->json, "null");
		return;
	case LUA_TUSERDATA:
		if (operator_at(w->lua, index) != NULL) {
			write_operator(w, index);
		} else {
			w->failed = true; /* a secret, or an unknown global: that was reported */
		}
		return;
	case LUA_TTABLE:
		if (lua_rawlen(w->lua, index) > 0) {
			write_list(w, index, write_plain);
			return;
		}
		refuse_table(w, index);
		return;
	case LUA_TNIL:
		refuse(w, "nil, where a value was expected");
		return;
	default:
		refuse(w, "a function can't be part of a pattern: use `when` for what patterns "
			  "can't say");
	}
}

/* What stands behind a field's name: an object, or a list of alternatives. */
static void write_field(struct writing *w, int index)
{
	if (is_any_of(w->lua, index)) {
		lua_createtable(w->lua, 1, 0);
		lua_pushvalue(w->lua, index);
		lua_rawseti(w->lua, -2, 1);
		write_object(w, lua_gettop(w->lua), false);
		lua_pop(w->lua, 1);
	} else if (lua_type(w->lua, index) != LUA_TTABLE) {
		dal_buffer_byte(&w->json, '[');
		write_plain(w, index);
		dal_buffer_byte(&w->json, ']');
	} else if (is_list(w->lua, index)) {
		write_list(w, index, write_plain);
	} else {
		write_object(w, index, false);
	}
}

static void write_any_of(struct writing *w, int index)
{
	const struct operator* operator= lua_touserdata(w->lua, index);
	DAL_GROW(w->places, w->place_count, w->place_capacity);
	w->places[w->place_count++] = (struct place){w->json.size, operator->line };
	dal_buffer_text(&w->json, "\"$or\":");
	lua_getiuservalue(w->lua, index, 1);
	if (lua_type(w->lua, -1) == LUA_TTABLE) {
		write_list(w, lua_gettop(w->lua), write_alternative);
	} else {
		refuse(w, "any_of takes a list of patterns");
	}
	lua_pop(w->lua, 1);
}

/* One member; the key is at `key`, the value above it. */
static void write_member(struct writing *w, int key, bool top)
{
	lua_State *lua = w->lua;
	struct dal_slice name;
	if (lua_type(lua, key) != LUA_TSTRING) {
		if (is_any_of(lua, key + 1)) {
			write_any_of(w, key + 1);
		} else {
			refuse(w, "a value without a field name: write name = value");
		}
		return;
	}
	name.data = lua_tolstring(lua, key, &name.size);
	size_t path_size = w->path.size;
	int line = w->line;
	if (path_size > 0) {
		dal_buffer_byte(&w->path, '.');
	}
	dal_buffer_append(&w->path, name.data, name.size < 128 ? name.size : 128);
	w->line = dal_loader_field_line(w->loader, line, name.data);
	DAL_GROW(w->places, w->place_count, w->place_capacity);
	w->places[w->place_count++] = (struct place){w->json.size, w->line};
	dal_json_append_string(&w->json, name);
	dal_buffer_byte(&w->json, ':');
	write_field(w, key + 1);
	w->line = line;
	w->path.size = path_size;
	(void)top;
}

static void write_object(struct writing *w, int table, bool top)
{
	lua_State *lua = w->lua;
	if (!enter(w)) {
		return;
	}
	if (!top) {
		lua_pushnil(lua);
		if (!lua_next(lua, table)) {
			refuse(w, "an empty table matches nothing: leave the field out, or use "
				  "exists(false)");
			return;
		}
		lua_pop(lua, 2);
	}
	dal_keys_sorted(lua, table);
	const struct dal_keys *keys = lua_touserdata(lua, -1);
	int key_table = lua_gettop(lua) - 1;
	bool comma = false;
	dal_buffer_byte(&w->json, '{');
	for (size_t i = 0; i < keys->count && !w->failed; i++) {
		lua_rawgeti(lua, key_table, keys->order[i]);
		int key = lua_gettop(lua);
		bool topic = top && lua_type(lua, key) == LUA_TSTRING &&
			     dal_slice_is(dal_slice_text(lua_tostring(lua, key)), "topic");
		if (!topic) {
			if (comma) {
				dal_buffer_byte(&w->json, ',');
			}
			comma = true;
			lua_pushvalue(lua, key);
			lua_rawget(lua, table);
			write_member(w, key, top);
		}
		lua_settop(lua, key - 1);
	}
	dal_buffer_byte(&w->json, '}');
	lua_settop(lua, key_table - 1);
	w->depth--;
}

static void add_topic(struct writing *w, const char ***topics, size_t *count)
{
	struct dal_slice name = {0};
	if (lua_type(w->lua, -1) == LUA_TSTRING) {
		name.data = lua_tolstring(w->lua, -1, &name.size);
	}
	if (!dal_name_valid(name)) {
		refuse(w, "topic is the name of a topic, or a list of names");
		return;
	}
	*topics = dal_reallocarray((void *)*topics, *count + 2, sizeof(**topics));
	(*topics)[(*count)++] = dal_slice_dup(name);
	(*topics)[*count] = NULL;
}

/* `topic` is no attribute of an event but its place, so it is taken out of the pattern. */
static const char *const *take_topics(struct writing *w, int table)
{
	const char **topics = dal_calloc(1, sizeof(*topics));
	size_t count = 0;
	lua_pushliteral(w->lua, "topic");
	if (lua_rawget(w->lua, table) == LUA_TTABLE) {
		lua_Integer size = (lua_Integer)lua_rawlen(w->lua, -1);
		if (size == 0) {
			refuse(w, "topic is the name of a topic, or a list of names");
		}
		for (lua_Integer i = 1; i <= size && !w->failed; i++) {
			lua_rawgeti(w->lua, -1, i);
			add_topic(w, &topics, &count);
			lua_pop(w->lua, 1);
		}
	} else if (!lua_isnil(w->lua, -1)) {
		add_topic(w, &topics, &count);
	}
	lua_pop(w->lua, 1);
	return topics;
}

/* The line of what stands at a column of the JSON. */
static int line_at(const struct writing *w, int column)
{
	int line = w->line;
	for (size_t i = 0; i < w->place_count && w->places[i].offset < (size_t)column; i++) {
		line = w->places[i].line;
	}
	return line;
}

static struct dal_pattern *compile(struct writing *w)
{
	struct dal_pattern *pattern = NULL;
	struct dal_error error = {0};
	if (dal_pattern_parse(dal_buffer_slice(&w->json), DAL_PATTERN_LITERAL_DOTS, &pattern,
			      &error) != 0) {
		dal_loader_report(w->loader, line_at(w, error.column), "%s: on: %s", w->what,
				  error.text);
		pattern = NULL;
	}
	return pattern;
}

/* Where a text begins in the file, at `line` or behind; false: it is written with escapes. */
static bool find_text(const struct writing *w, struct dal_slice text, int line, size_t *position)
{
	struct dal_slice source = dal_loader_source(w->loader)->text;
	const char *at = source.data, *end = at + source.size;
	for (; line > 1 && at < end; at++) {
		line -= *at == '\n';
	}
	at = memmem(at, (size_t)(end - at), text.data, text.size);
	*position = at ? (size_t)(at - source.data) : 0;
	return at != NULL;
}

static void report_json(struct writing *w, struct dal_slice text, const struct dal_error *error)
{
	int line = w->line, column = 0;
	size_t position;
	if (find_text(w, text, w->line, &position)) {
		dal_json_place(dal_loader_source(w->loader)->text, position, &line, &column);
	}
	line += error->line > 0 ? error->line - 1 : 0;
	column = error->line > 1 || column == 0 ? error->column : column + error->column - 1;
	dal_loader_report(w->loader, line, "%s: on: column %d: %s", w->what, column, error->text);
}

/* eventbridge [[ {...} ]] */
static struct dal_pattern *compile_json(struct writing *w, struct dal_slice text)
{
	struct dal_pattern *pattern = NULL;
	struct dal_error error = {0};
	if (dal_pattern_parse(text, DAL_PATTERN_EVENTBRIDGE, &pattern, &error) != 0) {
		report_json(w, text, &error);
		pattern = NULL;
	}
	return pattern;
}

static int write_guarded(lua_State *lua)
{
	struct writing *w = lua_touserdata(lua, 1);
	write_object(w, 2, true);
	return 0;
}

/* Keys without an order, or no memory, raise: the buffers are ours to free all the same. */
static bool write_pattern(struct writing *w, int index)
{
	lua_pushcfunction(w->lua, write_guarded);
	lua_pushlightuserdata(w->lua, w);
	lua_pushvalue(w->lua, index);
	int status = lua_pcall(w->lua, 2, 0, 0);
	if (status != LUA_OK) {
		dal_sandbox_describe(w->lua, -1);
		refuse(w, lua_tostring(w->lua, -1));
		lua_pop(w->lua, 2);
	}
	return !w->failed;
}

struct dal_pattern *dal_operators_pattern(struct dal_loader *loader, const char *what, int line,
					  int index, const char *const **topics)
{
	lua_State *lua = loader->sandbox->lua;
	struct writing w = {.loader = loader, .lua = lua, .what = what, .line = line};
	struct dal_pattern *pattern = NULL;
	const struct operator* operator= operator_at(lua, index);
	*topics = NULL;
	if (operator!= NULL && operator->kind == OPERATOR_EVENTBRIDGE) {
		struct dal_slice text = {0};
		w.line = operator->line;
		lua_getiuservalue(lua, index, 1);
		if (lua_type(lua, -1) == LUA_TSTRING) {
			text.data = lua_tolstring(lua, -1, &text.size);
			pattern = compile_json(&w, text);
		} else {
			refuse(&w,
			       "eventbridge takes a pattern as JSON text: eventbridge [[ {...} ]]");
		}
		lua_pop(lua, 1);
	} else if (lua_type(lua, index) == LUA_TTABLE) {
		*topics = take_topics(&w, index);
		if (!w.failed && write_pattern(&w, index)) {
			pattern = compile(&w);
		}
	} else {
		refuse(&w, "a pattern is a table of fields, such as { type = \"order.placed\" }");
	}
	if (*topics == NULL) {
		*topics = dal_calloc(1, sizeof(**topics));
	}
	dal_buffer_deinit(&w.json);
	dal_buffer_deinit(&w.path);
	free(w.places);
	return pattern;
}
