/*
 * What declared functions reach: other functions through upvalues and globals, and tables.
 *
 * All of it is frozen once the files are loaded, so that nothing lasts from one event to the next.
 * What can't be frozen, a variable that a function assigns, is refused. The digest of a function is
 * over the same graph.
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/memory.h"
#include "rules/chunk.h"
#include "rules/library.h"
#include "rules/loader.h"
#include "rules/userdata.h"

struct reach {
	struct dal_loader *loader;
	lua_State *lua;
	int seen;  /* a table: value -> its number */
	int queue; /* a table: number -> value */
	lua_Integer count;
	struct dal_function_own *from;
	bool declared; /* the next function is `from` itself */
};

/* The value on top: popped; queued if it is new and may hold or reach anything. */
static void queue(struct reach *reach)
{
	lua_State *lua = reach->lua;
	int type = lua_type(lua, -1);
	if (type != LUA_TTABLE && type != LUA_TFUNCTION && type != LUA_TUSERDATA) {
		lua_pop(lua, 1);
		return;
	}
	lua_pushvalue(lua, -1);
	if (lua_rawget(lua, reach->seen) != LUA_TNIL) {
		lua_pop(lua, 2);
		return;
	}
	lua_pop(lua, 1);
	dal_library_name(lua, -1);
	bool library = !lua_isnil(lua, -1);
	lua_pop(lua, 1);
	if (library) {
		lua_pop(lua, 1);
		return;
	}
	lua_pushvalue(lua, -1);
	lua_pushinteger(lua, ++reach->count);
	lua_rawset(lua, reach->seen);
	lua_rawseti(lua, reach->queue, reach->count);
}

static void report(struct reach *reach, struct dal_slice source, int line, const char *format,
		   const char *name)
{
	struct dal_loader *loader = reach->loader;
	char text[512];
	if (!loader->checking) {
		return;
	}
	snprintf(text, sizeof(text), format, name);
	const char *file = loader->set->sources[reach->from->source].name;
	if (source.size > 1) {
		char *written = dal_slice_dup(
			dal_slice(source.data + 1, source.size - 1)); /* behind '@' */
		dal_errors_add(loader->errors, written, line, "%s: %s", reach->from->what, text);
		free(written);
	} else {
		dal_errors_add(loader->errors, file, reach->from->line, "%s: %s", reach->from->what,
			       text);
	}
}

static void check_function(struct reach *reach, int index)
{
	struct dal_chunk chunk;
	struct dal_chunk_write write;
	dal_chunk_read(&chunk, reach->lua, index);
	if (dal_chunk_outer_write(&chunk.root, &write)) {
		char *name = dal_slice_dup(write.name);
		report(reach, chunk.root.source, write.line,
		       write.global
			       ? "changes the global '%s': nothing lasts from one event to the "
				 "next but a projection's state"
			       : "changes '%s', a local outside of the function: nothing lasts "
				 "from one event to the next but a projection's state",
		       name);
		free(name);
	}
	if (reach->declared) {
		reach->from->is_short = dal_chunk_is_short(&chunk.root, DAL_SANDBOX_SLICE);
		reach->declared = false;
	}
	dal_chunk_deinit(&chunk);
}

static void visit_function(struct reach *reach, int index)
{
	lua_State *lua = reach->lua;
	if (lua_iscfunction(lua, index)) {
		report(reach, (struct dal_slice){0}, 0,
		       "keeps %s: iterators are made and used within one call", "an iterator");
		return;
	}
	if (reach->loader->checking) {
		check_function(reach, index);
	}
	for (int i = 1; lua_getupvalue(lua, index, i) != NULL; i++) {
		queue(reach);
	}
}

static void visit_table(struct reach *reach, int index)
{
	lua_State *lua = reach->lua;
	dal_frozen_raw(lua, index);
	int raw = lua_gettop(lua);
	lua_pushnil(lua);
	while (lua_next(lua, raw)) {
		queue(reach);
		lua_pushvalue(lua, -1);
		queue(reach);
	}
	dal_frozen_make(lua, index);
	lua_settop(lua, raw - 1);
}

static void visit(struct reach *reach, lua_Integer number)
{
	lua_State *lua = reach->lua;
	lua_rawgeti(lua, reach->queue, number);
	int index = lua_gettop(lua);
	dal_sandbox_charge(lua, 10);
	switch (lua_type(lua, index)) {
	case LUA_TFUNCTION:
		visit_function(reach, index);
		break;
	case LUA_TTABLE:
		visit_table(reach, index);
		break;
	default:
		if (dal_userdata_tag(lua, index) != DAL_TAG_HOLE) {
			report(reach, (struct dal_slice){0}, 0,
			       "uses %s: that is for declarations only",
			       "a pattern operator or secret");
		}
		break;
	}
	lua_settop(lua, index - 1);
}

void dal_reach_freeze(struct dal_loader *loader)
{
	lua_State *lua = loader->sandbox->lua;
	luaL_checkstack(lua, 32, NULL);
	struct reach reach = {.loader = loader, .lua = lua};
	lua_rawgetp(lua, LUA_REGISTRYINDEX, &dal_functions_key);
	int functions = lua_gettop(lua);
	lua_newtable(lua);
	reach.seen = lua_gettop(lua);
	lua_newtable(lua);
	reach.queue = lua_gettop(lua);
	lua_Integer done = 0;
	for (int64_t f = 1; f <= loader->function_count; f++) {
		reach.from = loader->checking ? &loader->set->functions[f - 1] : NULL;
		lua_rawgeti(lua, functions, f);
		reach.declared = true; /* one that was met before is taken as any other */
		queue(&reach);
		while (done < reach.count) {
			visit(&reach, ++done);
		}
	}
	lua_settop(lua, functions - 1);
}

/* The digest. Values that hold others are numbered as they are met, so cycles end. */
struct digesting {
	lua_State *lua;
	struct dal_digester *digester;
	int seen;
	lua_Integer count;
};

static void digest_value(struct digesting *d, int index);

static void add_text(struct digesting *d, const char *text)
{
	dal_digester_add(d->digester, dal_slice_text(text));
}

static void digest_table(struct digesting *d, int index)
{
	lua_State *lua = d->lua;
	dal_frozen_raw(lua, index);
	int raw = lua_gettop(lua);
	dal_keys_sorted(lua, raw);
	const struct dal_keys *keys = lua_touserdata(lua, -1);
	int key_table = lua_gettop(lua) - 1;
	add_text(d, "table");
	for (size_t i = 0; i < keys->count; i++) {
		lua_rawgeti(lua, key_table, keys->order[i]);
		digest_value(d, lua_gettop(lua));
		lua_rawget(lua, raw);
		digest_value(d, lua_gettop(lua));
		lua_pop(lua, 1);
	}
	add_text(d, "end");
	lua_settop(lua, raw - 1);
}

struct global_use {
	struct digesting *digesting;
	int environment;
};

/* A global that the file itself defines counts as what it is; one of the library as its name. */
static void digest_global(void *own, struct dal_slice name, int line, bool write)
{
	struct global_use *use = own;
	lua_State *lua = use->digesting->lua;
	(void)line;
	(void)write;
	dal_frozen_raw(lua, use->environment);
	lua_pushlstring(lua, name.data, name.size);
	lua_rawget(lua, -2);
	dal_digester_add(use->digesting->digester, name);
	digest_value(use->digesting, lua_gettop(lua));
	lua_pop(lua, 2);
}

static void digest_function(struct digesting *d, int index)
{
	lua_State *lua = d->lua;
	struct dal_chunk chunk;
	const char *name;
	if (lua_iscfunction(lua, index)) {
		add_text(d, "native");
		return;
	}
	dal_chunk_read(&chunk, lua, index);
	dal_chunk_digest(&chunk.root, d->digester);
	for (int i = 1; (name = lua_getupvalue(lua, index, i)) != NULL; i++) {
		if (strcmp(name, "_ENV") == 0) {
			struct global_use use = {d, lua_gettop(lua)};
			dal_chunk_globals(&chunk.root, digest_global, &use);
		} else {
			digest_value(d, lua_gettop(lua));
		}
		lua_pop(lua, 1);
	}
	dal_chunk_deinit(&chunk);
}

/* A table or function: by its name, by the number it has, or by what it is. */
static void digest_object(struct digesting *d, int index)
{
	lua_State *lua = d->lua;
	dal_library_name(lua, index);
	const char *name = lua_tostring(lua, -1);
	if (name != NULL) {
		add_text(d, name);
		lua_pop(lua, 1);
		return;
	}
	lua_pushvalue(lua, index);
	if (lua_rawget(lua, d->seen) != LUA_TNIL) {
		lua_Integer number = lua_tointeger(lua, -1);
		dal_digester_add(d->digester, dal_slice(&number, sizeof(number)));
		lua_pop(lua, 2);
		return;
	}
	lua_pop(lua, 2);
	lua_pushvalue(lua, index);
	lua_pushinteger(lua, ++d->count);
	lua_rawset(lua, d->seen);
	if (lua_type(lua, index) == LUA_TTABLE) {
		digest_table(d, index);
	} else {
		digest_function(d, index);
	}
}

static void digest_value(struct digesting *d, int index)
{
	lua_State *lua = d->lua;
	luaL_checkstack(lua, 16, "nested too deep");
	int type = lua_type(lua, index);
	add_text(d, lua_typename(lua, type));
	if (type == LUA_TTABLE || type == LUA_TFUNCTION) {
		digest_object(d, index);
	} else {
		struct dal_slice text;
		dal_library_tostring(lua, index);
		text.data = lua_tolstring(lua, -1, &text.size);
		dal_digester_add(d->digester, text);
		lua_pop(lua, 1);
	}
}

void dal_reach_digest(struct dal_loader *loader, int64_t function, struct dal_digester *digester)
{
	lua_State *lua = loader->sandbox->lua;
	int top = lua_gettop(lua);
	struct digesting d = {.lua = lua, .digester = digester};
	lua_newtable(lua);
	d.seen = lua_gettop(lua);
	lua_rawgetp(lua, LUA_REGISTRYINDEX, &dal_functions_key);
	lua_rawgeti(lua, -1, function);
	digest_value(&d, lua_gettop(lua));
	lua_settop(lua, top);
}
