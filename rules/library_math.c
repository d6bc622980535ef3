/* math: what is the same on every machine. No random, and none of libm's transcendental functions
 * but those of IEEE 754. */
#include <math.h>

#include "rules/library.h"

static int push_rounded(lua_State *lua, double rounded)
{
	lua_Integer integer;
	if (lua_numbertointeger(rounded, &integer)) {
		lua_pushinteger(lua, integer);
	} else {
		lua_pushnumber(lua, rounded);
	}
	return 1;
}

static int math_floor(lua_State *lua)
{
	if (lua_isinteger(lua, 1)) {
		lua_settop(lua, 1);
		return 1;
	}
	return push_rounded(lua, floor(luaL_checknumber(lua, 1)));
}

static int math_ceil(lua_State *lua)
{
	if (lua_isinteger(lua, 1)) {
		lua_settop(lua, 1);
		return 1;
	}
	return push_rounded(lua, ceil(luaL_checknumber(lua, 1)));
}

static int math_abs(lua_State *lua)
{
	if (lua_isinteger(lua, 1)) {
		lua_Integer value = lua_tointeger(lua, 1);
		lua_pushinteger(lua, value < 0 ? (lua_Integer)(0u - (lua_Unsigned)value) : value);
	} else {
		lua_pushnumber(lua, fabs(luaL_checknumber(lua, 1)));
	}
	return 1;
}

static int math_sqrt(lua_State *lua)
{
	lua_pushnumber(lua, sqrt(luaL_checknumber(lua, 1)));
	return 1;
}

static int math_fmod(lua_State *lua)
{
	if (lua_isinteger(lua, 1) && lua_isinteger(lua, 2)) {
		lua_Integer divisor = lua_tointeger(lua, 2);
		luaL_argcheck(lua, divisor != 0, 2, "zero");
		lua_pushinteger(lua, divisor == -1 ? 0 : lua_tointeger(lua, 1) % divisor);
	} else {
		lua_pushnumber(lua, fmod(luaL_checknumber(lua, 1), luaL_checknumber(lua, 2)));
	}
	return 1;
}

static int math_tointeger(lua_State *lua)
{
	int ok;
	luaL_checkany(lua, 1);
	lua_Integer value = lua_type(lua, 1) == LUA_TNUMBER ? lua_tointegerx(lua, 1, &ok)
							    : (ok = 0);
	if (ok) {
		lua_pushinteger(lua, value);
	} else {
		lua_pushnil(lua);
	}
	return 1;
}

static int math_type(lua_State *lua)
{
	luaL_checkany(lua, 1);
	if (lua_type(lua, 1) != LUA_TNUMBER) {
		lua_pushnil(lua);
	} else {
		lua_pushstring(lua, lua_isinteger(lua, 1) ? "integer" : "float");
	}
	return 1;
}

/* The argument that comes first in the order; `least` or most. */
static int extreme(lua_State *lua, bool least)
{
	int count = lua_gettop(lua), best = 1;
	luaL_checknumber(lua, 1);
	for (int i = 2; i <= count; i++) {
		luaL_checknumber(lua, i);
		if (least ? lua_compare(lua, i, best, LUA_OPLT)
			  : lua_compare(lua, best, i, LUA_OPLT)) {
			best = i;
		}
	}
	lua_pushvalue(lua, best);
	return 1;
}

static int math_min(lua_State *lua)
{
	return extreme(lua, true);
}

static int math_max(lua_State *lua)
{
	return extreme(lua, false);
}

void dal_library_math(lua_State *lua)
{
	static const luaL_Reg functions[] = {{"abs", math_abs},     {"ceil", math_ceil},
					     {"floor", math_floor}, {"fmod", math_fmod},
					     {"max", math_max},     {"min", math_min},
					     {"sqrt", math_sqrt},   {"tointeger", math_tointeger},
					     {"type", math_type},   {NULL, NULL}};
	dal_library_add(lua, "math", functions);
	lua_getfield(lua, -1, "math");
	lua_pushnumber(lua, HUGE_VAL);
	lua_setfield(lua, -2, "huge");
	lua_pushinteger(lua, LUA_MAXINTEGER);
	lua_setfield(lua, -2, "maxinteger");
	lua_pushinteger(lua, LUA_MININTEGER);
	lua_setfield(lua, -2, "mininteger");
	lua_pushnumber(lua, 3.141592653589793);
	lua_setfield(lua, -2, "pi");
	lua_pop(lua, 1);
}
