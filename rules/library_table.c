/* table: concat, insert, move is left out, pack, remove, sort (stable), unpack. */
#include "rules/library.h"
#include "rules/userdata.h"

/* A value that can be read by index: a table, or a view. Its length. */
static lua_Integer list_argument(lua_State *lua, int argument)
{
	if (dal_userdata_tag(lua, argument) == 0) {
		luaL_checktype(lua, argument, LUA_TTABLE);
	}
	return luaL_len(lua, argument);
}

/* A table that may be changed. Its length. */
static lua_Integer own_list(lua_State *lua, int argument)
{
	if (dal_userdata_tag(lua, argument) != 0) {
		return luaL_argerror(lua, argument, "a view can't be changed: copy it first");
	}
	luaL_checktype(lua, argument, LUA_TTABLE);
	if (dal_frozen_is(lua, argument)) {
		return luaL_argerror(lua, argument, "this table can't be changed: copy it first");
	}
	return (lua_Integer)lua_rawlen(lua, argument);
}

static int concat(lua_State *lua)
{
	size_t separator_size;
	lua_Integer length = list_argument(lua, 1);
	const char *separator = luaL_optlstring(lua, 2, "", &separator_size);
	lua_Integer from = luaL_optinteger(lua, 3, 1), to = luaL_optinteger(lua, 4, length);
	luaL_Buffer out;
	luaL_buffinit(lua, &out);
	for (lua_Integer i = from; i <= to; i++) {
		size_t size;
		lua_geti(lua, 1, i);
		if (!lua_isstring(lua, -1)) {
			return luaL_error(lua,
					  "invalid value (a %s) at index %I in table for 'concat'",
					  luaL_typename(lua, -1), (LUAI_UACINT)i);
		}
		lua_tolstring(lua, -1, &size);
		luaL_addvalue(&out);
		if (i == to) {
			break; /* also where i + 1 would overflow */
		}
		luaL_addlstring(&out, separator, separator_size);
		dal_sandbox_charge(lua, 1 + (size + separator_size) / 32);
		if (luaL_bufflen(&out) > DAL_LIBRARY_STRING_BYTES) {
			return luaL_error(lua, "resulting string too large");
		}
	}
	luaL_pushresult(&out);
	return 1;
}

static int insert(lua_State *lua)
{
	lua_Integer end = own_list(lua, 1) + 1;
	if (lua_gettop(lua) == 2) {
		lua_rawseti(lua, 1, end);
		return 0;
	}
	if (lua_gettop(lua) != 3) {
		return luaL_error(lua, "wrong number of arguments to 'insert'");
	}
	lua_Integer position = luaL_checkinteger(lua, 2);
	luaL_argcheck(lua, position >= 1 && position <= end, 2, "position out of bounds");
	dal_sandbox_charge(lua, (size_t)(end - position) / 2);
	for (lua_Integer i = end; i > position; i--) {
		lua_rawgeti(lua, 1, i - 1);
		lua_rawseti(lua, 1, i);
	}
	lua_rawseti(lua, 1, position);
	return 0;
}

static int take_out(lua_State *lua)
{
	lua_Integer size = own_list(lua, 1), position = luaL_optinteger(lua, 2, size);
	if (lua_gettop(lua) > 1) {
		luaL_argcheck(lua, position >= 1 && position <= size + 1, 2,
			      "position out of bounds");
	}
	lua_rawgeti(lua, 1, position);
	dal_sandbox_charge(lua, size > position ? (size_t)(size - position) / 2 : 0);
	for (; position < size; position++) {
		lua_rawgeti(lua, 1, position + 1);
		lua_rawseti(lua, 1, position);
	}
	lua_pushnil(lua);
	lua_rawseti(lua, 1, position);
	return 1;
}

static int pack(lua_State *lua)
{
	int count = lua_gettop(lua);
	lua_createtable(lua, count, 1);
	lua_insert(lua, 1);
	for (int i = count; i >= 1; i--) {
		lua_rawseti(lua, 1, i);
	}
	lua_pushinteger(lua, count);
	lua_setfield(lua, 1, "n");
	return 1;
}

static int unpack(lua_State *lua)
{
	lua_Integer length = list_argument(lua, 1);
	lua_Integer from = luaL_optinteger(lua, 2, 1), to = luaL_optinteger(lua, 3, length);
	if (from > to) {
		return 0;
	}
	lua_Unsigned count = (lua_Unsigned)to - (lua_Unsigned)from;
	if (count >= DAL_LIBRARY_UNPACK || !lua_checkstack(lua, (int)count + 1)) {
		return luaL_error(lua, "too many results to unpack (%d at the most)",
				  DAL_LIBRARY_UNPACK);
	}
	for (lua_Unsigned i = 0; i <= count; i++) {
		lua_geti(lua, 1, from + (lua_Integer)i);
	}
	return (int)count + 1;
}

/* Is the value at index a before the one at b (both absolute)? Argument 2 is the comparator or nil.
 */
static bool before(lua_State *lua, int a, int b)
{
	if (lua_isnil(lua, 2)) {
		dal_sandbox_charge(lua, 1);
		return lua_compare(lua, a, b, LUA_OPLT);
	}
	lua_pushvalue(lua, 2);
	lua_pushvalue(lua, a);
	lua_pushvalue(lua, b);
	lua_call(lua, 2, 1);
	bool result = lua_toboolean(lua, -1);
	lua_pop(lua, 1);
	return result;
}

/* Merges [from, middle) and [middle, to) of the table at 1 into the one at 3. */
static void merge(lua_State *lua, lua_Integer from, lua_Integer middle, lua_Integer to)
{
	lua_Integer left = from, right = middle;
	for (lua_Integer at = from; at < to; at++) {
		bool take_right = left == middle;
		if (left < middle && right < to) {
			lua_rawgeti(lua, 1, left);
			lua_rawgeti(lua, 1, right);
			int top = lua_gettop(lua);
			take_right = before(lua, top,
					    top - 1); /* equal: the left one, so it is stable */
			lua_pop(lua, 2);
		}
		lua_rawgeti(lua, 1, take_right ? right++ : left++);
		lua_rawseti(lua, 3, at);
	}
}

/* A merge sort from the bottom: stable, n log n whatever the comparator answers. */
static int sort(lua_State *lua)
{
	lua_Integer size = own_list(lua, 1);
	if (!lua_isnoneornil(lua, 2)) {
		luaL_checktype(lua, 2, LUA_TFUNCTION);
	}
	lua_settop(lua, 2);
	lua_createtable(lua, 0, 0);
	for (lua_Integer width = 1; width < size; width *= 2) {
		for (lua_Integer from = 1; from <= size; from += 2 * width) {
			lua_Integer middle = from + width <= size ? from + width : size + 1;
			lua_Integer to = middle + width <= size ? middle + width : size + 1;
			merge(lua, from, middle, to);
		}
		dal_sandbox_charge(lua, (size_t)size / 2);
		for (lua_Integer i = 1; i <= size; i++) {
			lua_rawgeti(lua, 3, i);
			lua_rawseti(lua, 1, i);
		}
	}
	return 0;
}

void dal_library_table(lua_State *lua)
{
	static const luaL_Reg functions[] = {{"concat", concat}, {"insert", insert},
					     {"pack", pack},     {"remove", take_out},
					     {"sort", sort},     {"unpack", unpack},
					     {NULL, NULL}};
	dal_library_add(lua, "table", functions);
}
