/* The basic functions: error, pcall, assert, type, tostring, tonumber, select. */
#include <ctype.h>

#include "rules/library.h"
#include "rules/userdata.h"

static int raise_error(lua_State *lua)
{
	int level = (int)luaL_optinteger(lua, 2, 1);
	lua_settop(lua, 1);
	if (lua_type(lua, 1) == LUA_TSTRING && level > 0) {
		luaL_where(lua, level);
		lua_insert(lua, 1);
		lua_concat(lua, 2);
	}
	return lua_error(lua);
}

static int protected_call(lua_State *lua)
{
	luaL_checkany(lua, 1);
	dal_sandbox_charge(lua, 20); /* it costs about that */
	lua_pushboolean(lua, true);
	lua_insert(lua, 1);
	int status = lua_pcall(lua, lua_gettop(lua) - 2, LUA_MULTRET, 0);
	dal_sandbox_rethrow(lua, status);
	if (status != LUA_OK) {
		lua_pushboolean(lua, false);
		lua_insert(lua, -2);
		return 2;
	}
	return lua_gettop(lua);
}

static int assert_true(lua_State *lua)
{
	if (lua_toboolean(lua, 1)) {
		return lua_gettop(lua);
	}
	luaL_checkany(lua, 1);
	lua_remove(lua, 1);
	lua_pushliteral(lua, "assertion failed!");
	lua_settop(lua, 1); /* the message, or the default */
	return raise_error(lua);
}

static int type_of(lua_State *lua)
{
	luaL_checkany(lua, 1);
	switch (dal_userdata_tag(lua, 1)) {
	case DAL_TAG_EVENT:
	case DAL_TAG_NODE:
	case DAL_TAG_ENTRY:
		lua_pushliteral(lua, "table"); /* it is read like one */
		return 1;
	default:
		lua_pushstring(lua, dal_is_null(lua, 1) ? "null" : luaL_typename(lua, 1));
		return 1;
	}
}

static int to_string(lua_State *lua)
{
	luaL_checkany(lua, 1);
	dal_library_tostring(lua, 1);
	return 1;
}

static int digit_of(char c)
{
	return isdigit((unsigned char)c)   ? c - '0'
	       : isalpha((unsigned char)c) ? toupper((unsigned char)c) - 'A' + 10
					   : 99;
}

/* Text to an integer of that base, spaces around it allowed; wraps around as Lua does. */
static bool parse_base(struct dal_slice text, int base, lua_Integer *out)
{
	text = dal_slice_trim(text);
	bool negative = text.size > 0 && text.data[0] == '-';
	size_t i = negative ? 1 : 0;
	lua_Unsigned value = 0;
	if (i == text.size) {
		return false;
	}
	for (; i < text.size; i++) {
		int digit = digit_of(text.data[i]);
		if (digit >= base) {
			return false;
		}
		value = value * (lua_Unsigned)base + (lua_Unsigned)digit;
	}
	*out = (lua_Integer)(negative ? 0u - value : value);
	return true;
}

static int to_number(lua_State *lua)
{
	luaL_checkany(lua, 1);
	size_t size;
	if (!lua_isnoneornil(lua, 2)) {
		lua_Integer base = luaL_checkinteger(lua, 2), value;
		luaL_checktype(lua, 1, LUA_TSTRING);
		const char *text = lua_tolstring(lua, 1, &size);
		luaL_argcheck(lua, 2 <= base && base <= 36, 2, "base out of range");
		dal_sandbox_charge(lua, size / 8);
		if (parse_base(dal_slice(text, size), (int)base, &value)) {
			lua_pushinteger(lua, value);
			return 1;
		}
	} else if (lua_type(lua, 1) == LUA_TNUMBER) {
		lua_settop(lua, 1);
		return 1;
	} else if (lua_type(lua, 1) == LUA_TSTRING) {
		const char *text = lua_tolstring(lua, 1, &size);
		dal_sandbox_charge(lua, size / 8);
		if (lua_stringtonumber(lua, text) == size + 1) {
			return 1;
		}
	}
	lua_pushnil(lua);
	return 1;
}

static int select_from(lua_State *lua)
{
	int count = lua_gettop(lua);
	if (lua_type(lua, 1) == LUA_TSTRING &&
	    dal_slice_is(dal_slice_text(lua_tostring(lua, 1)), "#")) {
		lua_pushinteger(lua, count - 1);
		return 1;
	}
	lua_Integer i = luaL_checkinteger(lua, 1);
	if (i < 0) {
		i = count + i;
	} else if (i > count) {
		i = count;
	}
	luaL_argcheck(lua, 1 <= i, 1, "index out of range");
	return count - (int)i;
}

void dal_library_base(lua_State *lua)
{
	static const luaL_Reg functions[] = {{"error", raise_error},  {"pcall", protected_call},
					     {"assert", assert_true}, {"type", type_of},
					     {"tostring", to_string}, {"tonumber", to_number},
					     {"select", select_from}, {NULL, NULL}};
	dal_library_add(lua, NULL, functions);
}
