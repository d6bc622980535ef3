/* Canonical JSON out of Lua values and views. */
#include <stdlib.h>

#include "engine/base/memory.h"
#include "engine/event/json_write.h"
#include "rules/canonical.h"
#include "rules/canonical_walk.h"
#include "rules/library.h"
#include "rules/userdata.h"

static void write_value(struct dal_walk *walk, int index);

static void check_size(const struct dal_walk *walk)
{
	if (walk->out->size - walk->start > walk->limit) {
		luaL_error(walk->lua, "%s: too large (%d bytes at the most)", walk->what,
			   (int)walk->limit);
	}
}

static void write_array(struct dal_walk *walk, int table, size_t count)
{
	lua_State *lua = walk->lua;
	dal_buffer_byte(walk->out, '[');
	for (size_t i = 1; i <= count; i++) {
		if (i > 1) {
			dal_buffer_byte(walk->out, ',');
		}
		lua_pushinteger(lua, (lua_Integer)i);
		dal_walk_enter(walk, lua_gettop(lua));
		lua_rawgeti(lua, table, (lua_Integer)i);
		write_value(walk, lua_gettop(lua));
		walk->depth--;
		lua_pop(lua, 2);
	}
	dal_buffer_byte(walk->out, ']');
}

/* The field whose key is on top; pops it. */
static void write_field(struct dal_walk *walk, int table, bool first)
{
	lua_State *lua = walk->lua;
	int key = lua_gettop(lua);
	if (!first) {
		dal_buffer_byte(walk->out, ',');
	}
	dal_walk_enter(walk, key);
	dal_json_append_string(walk->out, dal_walk_string(walk, key, true));
	dal_buffer_byte(walk->out, ':');
	lua_pushvalue(lua, key);
	lua_rawget(lua, table);
	write_value(walk, key + 1);
	walk->depth--;
	lua_settop(lua, key - 1);
}

static void write_object(struct dal_walk *walk, int table)
{
	lua_State *lua = walk->lua;
	const struct dal_keys *keys = dal_keys_sorted(lua, table);
	int key_table = lua_gettop(lua) - 1;
	dal_buffer_byte(walk->out, '{');
	for (size_t i = 0; i < keys->count; i++) {
		lua_rawgeti(lua, key_table, keys->order[i]);
		write_field(walk, table, i == 0);
	}
	dal_buffer_byte(walk->out, '}');
	lua_pop(lua, 2);
}

/* Charged as dal_walk_shape does, which has nothing to find here. */
static void write_names(struct dal_walk *walk, int table, const struct dal_names *names)
{
	lua_State *lua = walk->lua;
	dal_sandbox_charge(lua, names->count / 2 + 1);
	dal_buffer_byte(walk->out, '{');
	for (size_t i = 0; i < names->count; i++) {
		lua_pushvalue(lua, names->items[i].place);
		write_field(walk, table, i == 0);
	}
	dal_buffer_byte(walk->out, '}');
	lua_pop(lua, (int)names->count);
}

static void write_content(struct dal_walk *walk, int table)
{
	struct dal_names names;
	size_t count;
	if (dal_names_sorted(walk->lua, table, &names)) {
		write_names(walk, table, &names);
	} else if (dal_walk_shape(walk, table, &count) == DAL_SHAPE_ARRAY) {
		write_array(walk, table, count);
	} else {
		write_object(walk, table);
	}
}

struct member {
	struct dal_slice key;
	uint32_t value;
};

static int compare_members(const void *first, const void *second)
{
	const struct member *a = first, *b = second;
	int order = dal_slice_compare(a->key, b->key);
	return order != 0 ? order : (a->value > b->value) - (a->value < b->value);
}

static void write_tape(const struct dal_json *json, uint32_t node, struct dal_buffer *out);

static void write_tape_object(const struct dal_json *json, uint32_t node, struct dal_buffer *out)
{
	uint32_t count = dal_json_count(json, node), child = node + 1;
	struct member *members = dal_calloc(count + 1, sizeof(*members));
	for (uint32_t i = 0; i < count; i++) {
		members[i] = (struct member){dal_json_string(json, child), child + 1};
		child = dal_json_next(json, child + 1);
	}
	qsort(members, count, sizeof(*members), compare_members);
	dal_buffer_byte(out, '{');
	bool comma = false;
	for (uint32_t i = 0; i < count; i++) {
		if (i + 1 < count && dal_slice_equal(members[i].key, members[i + 1].key)) {
			continue; /* of duplicates, the last counts */
		}
		if (comma) {
			dal_buffer_byte(out, ',');
		}
		comma = true;
		dal_json_append_string(out, members[i].key);
		dal_buffer_byte(out, ':');
		write_tape(json, members[i].value, out);
	}
	dal_buffer_byte(out, '}');
	free(members);
}

/* Raises nothing, so its memory may be the heap's. */
static void write_tape(const struct dal_json *json, uint32_t node, struct dal_buffer *out)
{
	uint32_t child = node + 1;
	switch (dal_json_kind(json, node)) {
	case DAL_JSON_NULL:
		dal_buffer_text(out, "null");
		break;
	case DAL_JSON_FALSE:
		dal_buffer_text(out, "false");
		break;
	case DAL_JSON_TRUE:
		dal_buffer_text(out, "true");
		break;
	case DAL_JSON_INTEGER:
		dal_json_append_integer(out, dal_json_integer(json, node));
		break;
	case DAL_JSON_FLOAT:
		dal_json_append_double(out, dal_json_double(json, node));
		break;
	case DAL_JSON_STRING:
		dal_json_append_string(out, dal_json_string(json, node));
		break;
	case DAL_JSON_ARRAY:
		dal_buffer_byte(out, '[');
		for (uint32_t i = 0; i < dal_json_count(json, node); i++) {
			if (i > 0) {
				dal_buffer_byte(out, ',');
			}
			write_tape(json, child, out);
			child = dal_json_next(json, child);
		}
		dal_buffer_byte(out, ']');
		break;
	case DAL_JSON_OBJECT:
		write_tape_object(json, node, out);
		break;
	}
}

static int tape_depth(const struct dal_json *json, uint32_t node)
{
	int deepest = 0, depth = 0;
	uint32_t ends[DAL_LIMIT_JSON_DEPTH + 1];
	for (uint32_t i = node; i < dal_json_next(json, node); i++) {
		while (depth > 0 && i >= ends[depth - 1]) {
			depth--;
		}
		if (dal_json_kind(json, i) >= DAL_JSON_ARRAY && depth < DAL_LIMIT_JSON_DEPTH) {
			ends[depth++] = dal_json_next(json, i);
			deepest = depth > deepest ? depth : deepest;
		}
	}
	return deepest;
}

static void write_view(struct dal_walk *walk, int index)
{
	lua_State *lua = walk->lua;
	uint32_t node;
	enum dal_tag tag = dal_userdata_tag(lua, index);
	if (tag == DAL_TAG_ENTRY) {
		dal_entry_view_table(lua, index);
		write_content(walk, lua_gettop(lua));
		lua_pop(lua, 1);
	} else if (tag == DAL_TAG_NODE || tag == DAL_TAG_EVENT) {
		const struct dal_json *json = dal_event_view_node(lua, index, &node);
		dal_sandbox_charge(lua, (dal_json_next(json, node) - node) / 2);
		if (walk->depth + tape_depth(json, node) > DAL_LIMIT_OUTPUT_DEPTH) {
			dal_walk_error(walk, "is nested too deep (32 levels at the most)");
		}
		write_tape(json, node, walk->out);
	} else {
		dal_walk_error(walk,
			       "is a pattern operator or another value that can't be written");
	}
}

static void write_value(struct dal_walk *walk, int index)
{
	lua_State *lua = walk->lua;
	switch (lua_type(lua, index)) {
	case LUA_TBOOLEAN:
		dal_buffer_text(walk->out, lua_toboolean(lua, index) ? "true" : "false");
		break;
	case LUA_TLIGHTUSERDATA:
		dal_buffer_text(walk->out, "null");
		break;
	case LUA_TNUMBER:
		dal_walk_number(walk, index);
		if (lua_isinteger(lua, index)) {
			dal_json_append_integer(walk->out, lua_tointeger(lua, index));
		} else {
			dal_json_append_double(walk->out, lua_tonumber(lua, index));
		}
		break;
	case LUA_TSTRING:
		dal_json_append_string(walk->out, dal_walk_string(walk, index, false));
		break;
	case LUA_TTABLE:
		if (dal_frozen_is(lua, index)) {
			dal_frozen_raw(lua, index); /* a constant may occur twice */
			write_content(walk, lua_gettop(lua));
			lua_pop(lua, 1);
		} else {
			dal_walk_visit(walk, index);
			write_content(walk, index);
		}
		break;
	case LUA_TUSERDATA:
		write_view(walk, index);
		break;
	default:
		dal_walk_error(walk, lua_isnil(lua, index) ? "is nil" : "is a function");
	}
	check_size(walk);
}

void dal_canonical_write(lua_State *lua, int index, const char *what, size_t limit,
			 struct dal_buffer *out)
{
	index = lua_absindex(lua, index);
	int top = lua_gettop(lua);
	luaL_checkstack(lua, 32, "nested too deep");
	struct dal_walk walk;
	dal_walk_init(&walk, lua, what);
	walk.out = out;
	walk.start = out->size;
	walk.limit = limit;
	lua_pushvalue(lua, index);
	write_value(&walk, lua_gettop(lua));
	lua_settop(lua, top);
}

void dal_canonical_write_node(lua_State *lua, uint32_t node, struct dal_buffer *out)
{
	write_tape(dal_sandbox_of(lua)->event->json, node, out);
}
