/*
 * pairs, next and ipairs: every table has one order, so that no fold can depend on another.
 *
 * Lua's own order differs from process to process (its hash seed is random).
 */
#include <stdlib.h>

#include "rules/library.h"
#include "rules/userdata.h"

/* A key on the stack or in a table, made comparable. `text` lives as long as the Lua string. */
struct key {
	enum { KEY_INTEGER, KEY_NUMBER, KEY_STRING, KEY_BOOLEAN } kind;
	uint32_t place;
	lua_Integer integer;
	lua_Number number;
	struct dal_slice text;
};

static int compare(const void *first, const void *second)
{
	const struct key *a = first, *b = second;
	if (a->kind != b->kind) {
		return a->kind < b->kind ? -1 : 1;
	}
	switch (a->kind) {
	case KEY_INTEGER:
	case KEY_BOOLEAN:
		return a->integer < b->integer ? -1 : a->integer > b->integer;
	case KEY_NUMBER:
		return a->number < b->number ? -1 : a->number > b->number;
	default:
		return dal_slice_compare(a->text, b->text);
	}
}

static struct key read_key(lua_State *lua, int index)
{
	struct key key = {0};
	switch (lua_type(lua, index)) {
	case LUA_TNUMBER:
		if (lua_isinteger(lua, index)) {
			key.kind = KEY_INTEGER;
			key.integer = lua_tointeger(lua, index);
		} else {
			key.kind = KEY_NUMBER;
			key.number = lua_tonumber(lua, index);
		}
		break;
	case LUA_TSTRING:
		key.kind = KEY_STRING;
		key.text.data = lua_tolstring(lua, index, &key.text.size);
		break;
	case LUA_TBOOLEAN:
		key.kind = KEY_BOOLEAN;
		key.integer = lua_toboolean(lua, index);
		break;
	default:
		luaL_error(lua, "a table with a %s as key has no order: use strings or numbers",
			   luaL_typename(lua, index));
	}
	return key;
}

static void *scratch(lua_State *lua, size_t size)
{
	int *memory = lua_newuserdatauv(lua, size, 0);
	*memory = DAL_TAG_MEMORY;
	return memory;
}

/* Pushes the table of keys as they come. */
static size_t collect(lua_State *lua, int index)
{
	lua_Integer count = 0;
	lua_createtable(lua, (int)lua_rawlen(lua, index) < 64 ? (int)lua_rawlen(lua, index) : 64,
			0);
	int keys = lua_gettop(lua);
	lua_pushnil(lua);
	while (lua_next(lua, index)) {
		lua_pop(lua, 1);
		lua_pushvalue(lua, -1);
		lua_rawseti(lua, keys, ++count);
	}
	return (size_t)count;
}

/* What it takes to sort so many. */
static void charge_order(lua_State *lua, size_t count)
{
	size_t steps = 1;
	for (size_t n = count; n > 1; n /= 2) {
		steps++;
	}
	dal_sandbox_charge(lua, count * steps / 4);
}

struct dal_keys *dal_keys_sorted(lua_State *lua, int index)
{
	luaL_checkstack(lua, 8, NULL);
	index = lua_absindex(lua, index);
	size_t count = collect(lua, index);
	int table = lua_gettop(lua);
	charge_order(lua, count);
	struct dal_keys *keys = scratch(lua, sizeof(*keys) + count * sizeof(keys->order[0]));
	keys->count = count;
	keys->position = 0;
	int *memory = scratch(lua, sizeof(struct key) * (count + 1));
	struct key *sorted = (struct key *)memory + 1; /* the tag has the first one's place */
	bool ordered = true;
	for (size_t i = 0; i < count; i++) {
		lua_rawgeti(lua, table, (lua_Integer)i + 1);
		sorted[i] = read_key(lua, -1);
		sorted[i].place = (uint32_t)i + 1;
		ordered = ordered && (i == 0 || compare(&sorted[i - 1], &sorted[i]) < 0);
		lua_pop(lua, 1);
	}
	if (!ordered) {
		qsort(sorted, count, sizeof(*sorted), compare);
	}
	for (size_t i = 0; i < count; i++) {
		keys->order[i] = sorted[i].place;
	}
	lua_pop(lua, 1);
	return keys;
}

/* Takes the name on top, which stays there, into its place. */
static void insert_name(lua_State *lua, struct dal_names *names)
{
	struct dal_slice text;
	size_t at = names->count++;
	text.data = lua_tolstring(lua, -1, &text.size);
	for (; at > 0 && dal_slice_compare(names->items[at - 1].text, text) > 0; at--) {
		names->items[at] = names->items[at - 1];
	}
	names->items[at].text = text;
	names->items[at].place = lua_gettop(lua);
}

bool dal_names_sorted(lua_State *lua, int index, struct dal_names *names)
{
	luaL_checkstack(lua, DAL_NAMES + 8, NULL);
	index = lua_absindex(lua, index);
	int top = lua_gettop(lua);
	names->count = 0;
	lua_pushnil(lua);
	while (lua_next(lua, index)) {
		lua_pop(lua, 1);
		if (names->count == DAL_NAMES || lua_type(lua, -1) != LUA_TSTRING) {
			lua_settop(lua, top);
			return false;
		}
		insert_name(lua, names);
		lua_pushvalue(lua, -1); /* what lua_next takes */
	}
	charge_order(lua, names->count);
	return true;
}

/* Upvalues: the table, its keys, their order, whether values are wrapped as an entry's. */
static int step(lua_State *lua)
{
	struct dal_keys *keys = lua_touserdata(lua, lua_upvalueindex(3));
	while (keys->position < keys->count) {
		lua_rawgeti(lua, lua_upvalueindex(2), keys->order[keys->position++]);
		lua_pushvalue(lua, -1);
		if (lua_rawget(lua, lua_upvalueindex(1)) != LUA_TNIL) {
			if (lua_toboolean(lua, lua_upvalueindex(4))) {
				dal_entry_view_wrap(lua);
			}
			return 2;
		}
		lua_pop(lua, 2); /* it was removed meanwhile */
	}
	return 0;
}

static int pairs(lua_State *lua)
{
	enum dal_tag tag = dal_userdata_tag(lua, 1);
	if (tag == DAL_TAG_EVENT || tag == DAL_TAG_NODE) {
		dal_event_view_pairs(lua, 1);
		return 1;
	}
	if (tag == DAL_TAG_ENTRY) {
		dal_entry_view_table(lua, 1);
	} else {
		luaL_checktype(lua, 1, LUA_TTABLE);
		dal_frozen_raw(lua, 1);
	}
	dal_keys_sorted(lua, -1);
	lua_pushboolean(lua, tag == DAL_TAG_ENTRY);
	lua_pushcclosure(lua, step, 4);
	return 1;
}

/* Leaves the least key that is greater than `after` (or the least at all) on the stack. */
static bool find_next(lua_State *lua, int table, const struct key *after)
{
	bool found = false;
	size_t seen = 0;
	struct key best = {0};
	lua_pushnil(lua); /* the best so far */
	int result = lua_gettop(lua);
	lua_pushnil(lua);
	while (lua_next(lua, table)) {
		lua_pop(lua, 1);
		struct key key = read_key(lua, -1);
		bool later = after == NULL || compare(&key, after) > 0;
		if (later && (!found || compare(&key, &best) < 0)) {
			best = key;
			found = true;
			lua_copy(lua, -1, result);
		}
		seen++;
	}
	dal_sandbox_charge(lua, seen / 4);
	return found;
}

static int next(lua_State *lua)
{
	lua_settop(lua, 2);
	if (dal_userdata_tag(lua, 1) != 0) {
		return luaL_error(lua, "next works on tables; use pairs");
	}
	luaL_checktype(lua, 1, LUA_TTABLE);
	dal_frozen_raw(lua, 1);
	lua_replace(lua, 1);
	struct key after = {0};
	bool from_start = lua_isnil(lua, 2);
	if (!from_start) {
		after = read_key(lua, 2);
	}
	if (!from_start && after.kind == KEY_INTEGER && after.integer < LUA_MAXINTEGER) {
		lua_pushinteger(lua, after.integer + 1);
		if (lua_rawgeti(lua, 1, after.integer + 1) != LUA_TNIL) {
			return 2;
		}
		lua_pop(lua, 2);
	}
	if (!find_next(lua, 1, from_start ? NULL : &after)) {
		lua_pushnil(lua);
		return 1;
	}
	lua_pushvalue(lua, -1);
	lua_rawget(lua, 1);
	return 2;
}

static int ipairs_step(lua_State *lua)
{
	lua_Integer i = luaL_checkinteger(lua, 2) + 1;
	lua_pushinteger(lua, i);
	return lua_geti(lua, 1, i) == LUA_TNIL ? 1 : 2;
}

static int ipairs(lua_State *lua)
{
	enum dal_tag tag = dal_userdata_tag(lua, 1);
	if (tag == DAL_TAG_NODE) {
		uint32_t node;
		const struct dal_json *json = dal_event_view_node(lua, 1, &node);
		if (dal_json_kind(json, node) == DAL_JSON_ARRAY) {
			dal_event_view_pairs(lua, 1); /* finding each by its index would be slow */
			return 1;
		}
	} else if (tag == 0) {
		luaL_checktype(lua, 1, LUA_TTABLE);
	}
	lua_pushcfunction(lua, ipairs_step);
	lua_pushvalue(lua, 1);
	lua_pushinteger(lua, 0);
	return 3;
}

void dal_library_pairs(lua_State *lua)
{
	static const luaL_Reg functions[] = {
		{"pairs", pairs}, {"next", next}, {"ipairs", ipairs}, {NULL, NULL}};
	dal_library_add(lua, NULL, functions);
	lua_pushcfunction(lua, ipairs_step);
	dal_library_name_set(lua, -1, "ipairs step");
	lua_pop(lua, 1);
}
