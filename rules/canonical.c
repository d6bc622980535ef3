/* The check of what is kept, and reading JSON into Lua; writing is canonical_write.c. */
#include "rules/canonical.h"

#include <math.h>
#include <stdlib.h>

#include "engine/base/limits.h"
#include "engine/event/utf8.h"
#include "rules/canonical_walk.h"
#include "rules/library.h"
#include "rules/userdata.h"

void dal_canonical_push(lua_State *lua, const struct dal_json *json, uint32_t node)
{
	luaL_checkstack(lua, 8, "nested too deep");
	uint32_t count = dal_json_count(json, node), child = node + 1;
	switch (dal_json_kind(json, node)) {
	case DAL_JSON_ARRAY:
		dal_sandbox_charge(lua, count);
		lua_createtable(lua, (int)count, 0);
		for (uint32_t i = 1; i <= count; i++, child = dal_json_next(json, child)) {
			dal_canonical_push(lua, json, child);
			lua_rawseti(lua, -2, i);
		}
		break;
	case DAL_JSON_OBJECT:
		dal_sandbox_charge(lua, count);
		lua_createtable(lua, 0, (int)count);
		for (uint32_t i = 0; i < count; i++, child = dal_json_next(json, child)) {
			struct dal_slice key = dal_json_string(json, child++);
			lua_pushlstring(lua, key.data, key.size);
			dal_canonical_push(lua, json, child);
			lua_rawset(lua, -3);
		}
		break;
	default:
		dal_push_scalar(lua, json, node);
		break;
	}
}

void dal_walk_error(const struct dal_walk *walk, const char *problem)
{
	struct dal_buffer *path = &dal_sandbox_of(walk->lua)->scratch;
	dal_buffer_clear(path);
	dal_buffer_text(path, walk->what);
	for (int i = 0; i < walk->depth; i++) {
		const struct dal_step *step = &walk->path[i];
		if (step->key != NULL) {
			dal_buffer_printf(path, ".%.*s", step->size > 64 ? 64 : (int)step->size,
					  step->key);
		} else {
			dal_buffer_printf(path, "[%lld]", (long long)step->index);
		}
	}
	luaL_error(walk->lua, "%s: %s", dal_buffer_cstr(path), problem);
}

void dal_walk_enter(struct dal_walk *walk, int key)
{
	if (walk->depth == DAL_LIMIT_OUTPUT_DEPTH) {
		dal_walk_error(walk,
			       "is nested too deep, or contains itself (32 levels at the most)");
	}
	luaL_checkstack(walk->lua, 16, "nested too deep");
	struct dal_step *step = &walk->path[walk->depth++];
	*step = (struct dal_step){0};
	if (lua_type(walk->lua, key) == LUA_TSTRING) {
		step->key = lua_tolstring(walk->lua, key, &step->size);
	} else {
		step->index = lua_tointeger(walk->lua, key);
	}
}

static size_t slot_of(const struct dal_walk *walk, const void *table)
{
	return (size_t)(((uintptr_t)table >> 4) * 0x9E3779B97F4A7C15u >> 20) & (walk->capacity - 1);
}

static void visited_grow(struct dal_walk *walk)
{
	const void **old = walk->visited;
	size_t old_capacity = walk->capacity;
	walk->capacity *= 4;
	/* In Lua's memory: an error may leave at any point. */
	walk->visited = lua_newuserdatauv(walk->lua, walk->capacity * sizeof(*old), 0);
	memset(walk->visited, 0, walk->capacity * sizeof(*old));
	lua_replace(walk->lua, walk->visited_slot);
	for (size_t i = 0; i < old_capacity; i++) {
		if (old[i] != NULL) {
			size_t slot = slot_of(walk, old[i]);
			while (walk->visited[slot] != NULL) {
				slot = (slot + 1) & (walk->capacity - 1);
			}
			walk->visited[slot] = old[i];
		}
	}
}

void dal_walk_visit(struct dal_walk *walk, int index)
{
	const void *table = lua_topointer(walk->lua, index);
	size_t slot = slot_of(walk, table);
	for (; walk->visited[slot] != NULL; slot = (slot + 1) & (walk->capacity - 1)) {
		if (walk->visited[slot] == table) {
			dal_walk_error(walk, "this table occurs twice: a value is a tree, copy it");
		}
	}
	walk->visited[slot] = table;
	if (++walk->count * 2 > walk->capacity) {
		visited_grow(walk);
	}
}

void dal_walk_init(struct dal_walk *walk, lua_State *lua, const char *what)
{
	*walk = (struct dal_walk){.lua = lua, .what = what, .capacity = DAL_WALK_FIRST};
	memset(walk->first, 0, sizeof(walk->first));
	walk->visited = walk->first;
	lua_pushnil(lua); /* where a larger set of visited tables lives */
	walk->visited_slot = lua_gettop(lua);
}

enum dal_shape dal_walk_shape(const struct dal_walk *walk, int table, size_t *count)
{
	lua_State *lua = walk->lua;
	size_t integers = 0, strings = 0;
	lua_Integer most = 0;
	lua_pushnil(lua);
	while (lua_next(lua, table)) {
		lua_pop(lua, 1);
		if (lua_type(lua, -1) == LUA_TSTRING) {
			strings++;
		} else if (lua_isinteger(lua, -1) && lua_tointeger(lua, -1) >= 1) {
			integers++;
			most = lua_tointeger(lua, -1) > most ? lua_tointeger(lua, -1) : most;
		} else {
			dal_walk_error(walk, "keys are strings, or integers from 1");
		}
	}
	*count = integers + strings;
	dal_sandbox_charge(lua, *count / 2 + 1);
	if (integers > 0 && strings > 0) {
		dal_walk_error(walk, "has both named and numbered fields: use one of them");
	}
	if (integers > 0 && most != (lua_Integer)integers) {
		dal_walk_error(walk, "is a list with holes: use null, or names");
	}
	return integers > 0 ? DAL_SHAPE_ARRAY : DAL_SHAPE_OBJECT;
}

void dal_walk_number(const struct dal_walk *walk, int index)
{
	if (!lua_isinteger(walk->lua, index) && !isfinite(lua_tonumber(walk->lua, index))) {
		dal_walk_error(walk, "is not a finite number");
	}
}

struct dal_slice dal_walk_string(const struct dal_walk *walk, int index, bool key)
{
	struct dal_slice text;
	text.data = lua_tolstring(walk->lua, index, &text.size);
	dal_sandbox_charge(walk->lua, text.size / 32);
	if (!dal_utf8_valid(text)) {
		dal_walk_error(walk, key ? "has a key that is not UTF-8" : "is not UTF-8 text");
	}
	if (key && memchr(text.data, 0, text.size) != NULL) {
		dal_walk_error(walk, "has a key with a NUL in it");
	}
	return text;
}

static void keep_table(struct dal_walk *walk, int table);

/* Pushes what is to be kept instead of the value at `index`, and says so. */
static bool keep_value(struct dal_walk *walk, int index)
{
	lua_State *lua = walk->lua;
	uint32_t node;
	switch (lua_type(lua, index)) {
	case LUA_TBOOLEAN:
	case LUA_TLIGHTUSERDATA:
		walk->bytes += 5;
		return false;
	case LUA_TNUMBER:
		dal_walk_number(walk, index);
		walk->bytes += 25;
		return false;
	case LUA_TSTRING:
		walk->bytes += 3 + 6 * dal_walk_string(walk, index, false).size;
		return false;
	case LUA_TTABLE:
		if (!dal_frozen_is(lua, index)) {
			keep_table(walk, index);
			return false;
		}
		dal_frozen_raw(lua, index);
		dal_canonical_copy(lua, -1);
		break;
	case LUA_TUSERDATA:
		if (dal_userdata_tag(lua, index) == DAL_TAG_ENTRY) {
			dal_entry_view_table(lua, index);
			dal_canonical_copy(lua, -1);
		} else if (dal_userdata_tag(lua, index) == DAL_TAG_NODE ||
			   dal_userdata_tag(lua, index) == DAL_TAG_EVENT) {
			const struct dal_json *json = dal_event_view_node(lua, index, &node);
			dal_canonical_push(lua, json, node);
		} else {
			dal_walk_error(walk,
				       "is a pattern operator or another value that can't be kept");
		}
		break;
	default:
		dal_walk_error(walk, lua_isnil(lua, index) ? "is nil" : "is a function");
	}
	keep_table(walk, lua_gettop(lua)); /* for its depth and size */
	return true;
}

static void keep_table(struct dal_walk *walk, int table)
{
	lua_State *lua = walk->lua;
	size_t count;
	table = lua_absindex(lua, table);
	dal_walk_visit(walk, table);
	dal_walk_shape(walk, table, &count);
	walk->bytes += 2;
	lua_pushnil(lua);
	while (lua_next(lua, table)) {
		int value = lua_gettop(lua), key = value - 1;
		dal_walk_enter(walk, key);
		if (lua_type(lua, key) == LUA_TSTRING) {
			walk->bytes += 4 + 6 * dal_walk_string(walk, key, true).size;
		}
		if (keep_value(walk, value)) {
			lua_pushvalue(lua, key);
			lua_pushvalue(lua, -2);
			lua_rawset(lua, table); /* of an existing field: allowed during the walk */
		}
		walk->depth--;
		lua_settop(lua, key);
	}
}

/* Is it text of ASCII, and without NUL? Other text may be as good: that takes a closer look. */
static bool is_plain(lua_State *lua, int index, size_t *size)
{
	const char *text;
	if (lua_type(lua, index) != LUA_TSTRING) {
		return false;
	}
	text = lua_tolstring(lua, index, size);
	for (size_t i = 0; i < *size; i++) {
		if (text[i] <= 0) {
			return false;
		}
	}
	return true;
}

/* Adds what keep_value would, for a value that needs no closer look. */
static bool is_flat(lua_State *lua, int index, size_t *bytes, size_t *steps)
{
	size_t size = 0;
	switch (lua_type(lua, index)) {
	case LUA_TBOOLEAN:
	case LUA_TLIGHTUSERDATA:
		*bytes += 5;
		return true;
	case LUA_TNUMBER:
		*bytes += 25;
		return lua_isinteger(lua, index) || isfinite(lua_tonumber(lua, index));
	default:
		if (!is_plain(lua, index, &size)) {
			return false;
		}
		*bytes += 3 + 6 * size;
		*steps += size / 32;
		return true;
	}
}

/* Most states are one table of names with numbers and plain text: they are seen through in one pass
 * and charged as keep_table does. False: this is not such a one, and nothing was charged. */
static bool keep_flat(lua_State *lua, int table)
{
	size_t bytes = 2, steps = 1, count = 0;
	if (lua_type(lua, table) != LUA_TTABLE || dal_frozen_is(lua, table)) {
		return false;
	}
	lua_pushnil(lua);
	while (lua_next(lua, table)) {
		size_t size = 0;
		if (!is_plain(lua, -2, &size) || !is_flat(lua, -1, &bytes, &steps)) {
			lua_pop(lua, 2);
			return false;
		}
		bytes += 4 + 6 * size;
		steps += size / 32;
		count++;
		lua_pop(lua, 1);
	}
	if (bytes > DAL_LIMIT_STATE_BYTES) {
		return false;
	}
	dal_sandbox_charge(lua, count / 2 + steps);
	return true;
}

void dal_canonical_keep(lua_State *lua, const char *what)
{
	int index = lua_gettop(lua);
	if (keep_flat(lua, index)) {
		return;
	}
	luaL_checkstack(lua, 32, "nested too deep");
	struct dal_walk walk;
	dal_walk_init(&walk, lua, what);
	if (keep_value(&walk, index)) {
		lua_replace(lua, index);
	}
	/* `bytes` is what it may be at the most; only where that is too much the true size is
	 * asked. */
	if (walk.bytes > DAL_LIMIT_STATE_BYTES) {
		struct dal_buffer *out = &dal_sandbox_of(lua)->scratch;
		dal_buffer_clear(out);
		dal_canonical_write(lua, index, what, DAL_LIMIT_STATE_BYTES, out);
	}
	lua_settop(lua, index);
}

static void copy(lua_State *lua, int index, int depth)
{
	if (lua_type(lua, index) != LUA_TTABLE) {
		lua_pushvalue(lua, index);
		return;
	}
	if (depth > DAL_LIMIT_OUTPUT_DEPTH) {
		luaL_error(lua, "a table that is copied is nested too deep, or contains itself");
	}
	luaL_checkstack(lua, 8, "nested too deep");
	index = lua_absindex(lua, index);
	dal_frozen_raw(lua, index);
	int from = lua_gettop(lua);
	lua_newtable(lua);
	int to = lua_gettop(lua);
	lua_pushnil(lua);
	size_t count = 0;
	while (lua_next(lua, from)) {
		lua_pushvalue(lua, -2);
		copy(lua, -2, depth + 1);
		lua_rawset(lua, to);
		lua_pop(lua, 1);
		count++;
	}
	dal_sandbox_charge(lua, count);
	lua_remove(lua, from);
}

void dal_canonical_copy(lua_State *lua, int index)
{
	copy(lua, index, 1);
}

void dal_canonical_check_text(lua_State *lua, struct dal_slice text, const char *what)
{
	if (!dal_utf8_valid(text)) {
		luaL_error(lua, "%s is not UTF-8 text", what);
	}
}
