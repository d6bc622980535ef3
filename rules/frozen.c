/*
 * Freezing: a table's content moves behind it, and what is left refuses changes.
 *
 * In place, so whoever holds the table sees it frozen, and reading stays an ordinary index (one
 * more table deep). The metatable is out of a script's reach.
 */
#include "rules/library.h"

static int refuse_change(lua_State *lua)
{
	return luaL_error(
		lua,
		"this table can't be changed (field %s): nothing lasts from one event to the "
		"next but a projection's state",
		dal_library_tostring(lua, 2));
}

static int length(lua_State *lua)
{
	dal_frozen_raw(lua, 1);
	lua_pushinteger(lua, (lua_Integer)lua_rawlen(lua, -1));
	return 1;
}

bool dal_frozen_is(lua_State *lua, int index)
{
	if (lua_type(lua, index) != LUA_TTABLE || !lua_getmetatable(lua, index)) {
		return false;
	}
	lua_pop(lua, 1);
	return true;
}

void dal_frozen_raw(lua_State *lua, int index)
{
	index = lua_absindex(lua, index);
	if (lua_type(lua, index) == LUA_TTABLE && lua_getmetatable(lua, index)) {
		lua_pushliteral(lua, "__index");
		lua_rawget(lua, -2);
		lua_remove(lua, -2);
		return;
	}
	lua_pushvalue(lua, index);
}

void dal_frozen_make(lua_State *lua, int index)
{
	if (dal_frozen_is(lua, index)) {
		return;
	}
	luaL_checkstack(lua, 8, NULL);
	index = lua_absindex(lua, index);
	lua_newtable(lua);
	int content = lua_gettop(lua);
	lua_pushnil(lua);
	while (lua_next(lua, index)) {
		lua_pushvalue(lua, -2);
		lua_pushvalue(lua, -2);
		lua_rawset(lua, content);
		lua_pop(lua, 1);
		lua_pushvalue(lua, -1);
		lua_pushnil(lua);
		lua_rawset(lua, index); /* clearing a field is allowed during a walk */
	}
	lua_createtable(lua, 0, 3);
	lua_insert(lua, content);
	lua_setfield(lua, content, "__index");
	lua_pushcfunction(lua, refuse_change);
	lua_setfield(lua, content, "__newindex");
	lua_pushcfunction(lua, length);
	lua_setfield(lua, content, "__len");
	lua_setmetatable(lua, index);
}
