/* string: byte, char, find, format, gmatch, gsub, len, lower, match, rep, reverse, sub, upper. */
#include <string.h>

#include "rules/library.h"

static const char *text_argument(lua_State *lua, int argument, size_t *size)
{
	const char *text = luaL_checklstring(lua, argument, size);
	dal_sandbox_charge(lua, *size / 32);
	return text;
}

/* A position from the end is negative; the start is at least 1. */
static size_t start_position(lua_Integer position, size_t size)
{
	if (position > 0) {
		return (size_t)position;
	}
	if (position == 0 || position < -(lua_Integer)size) {
		return 1;
	}
	return size + (size_t)position + 1;
}

static size_t end_position(lua_Integer position, size_t size)
{
	if (position > (lua_Integer)size) {
		return size;
	}
	if (position >= 0) {
		return (size_t)position;
	}
	return position < -(lua_Integer)size ? 0 : size + (size_t)position + 1;
}

static int sub(lua_State *lua)
{
	size_t size;
	const char *text = luaL_checklstring(lua, 1, &size);
	size_t start = start_position(luaL_checkinteger(lua, 2), size);
	size_t end = end_position(luaL_optinteger(lua, 3, -1), size);
	if (start > end) {
		lua_pushliteral(lua, "");
		return 1;
	}
	dal_sandbox_charge(lua, (end - start) / 32);
	lua_pushlstring(lua, text + start - 1, end - start + 1);
	return 1;
}

static int length(lua_State *lua)
{
	size_t size;
	luaL_checklstring(lua, 1, &size);
	lua_pushinteger(lua, (lua_Integer)size);
	return 1;
}

static char to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static char to_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

static int map(lua_State *lua, char (*change)(char))
{
	size_t size;
	const char *text = text_argument(lua, 1, &size);
	luaL_Buffer out;
	char *to = luaL_buffinitsize(lua, &out, size);
	for (size_t i = 0; i < size; i++) {
		to[i] = change(text[i]);
	}
	luaL_pushresultsize(&out, size);
	return 1;
}

static int lower(lua_State *lua)
{
	return map(lua, to_lower);
}

static int upper(lua_State *lua)
{
	return map(lua, to_upper);
}

static int reverse(lua_State *lua)
{
	size_t size;
	const char *text = text_argument(lua, 1, &size);
	luaL_Buffer out;
	char *to = luaL_buffinitsize(lua, &out, size);
	for (size_t i = 0; i < size; i++) {
		to[i] = text[size - 1 - i];
	}
	luaL_pushresultsize(&out, size);
	return 1;
}

static int repeat(lua_State *lua)
{
	size_t size, separator_size;
	const char *text = luaL_checklstring(lua, 1, &size);
	lua_Integer count = luaL_checkinteger(lua, 2);
	const char *separator = luaL_optlstring(lua, 3, "", &separator_size);
	if (count <= 0 || size + separator_size == 0) {
		lua_pushliteral(lua, "");
		return 1;
	}
	if (size + separator_size > DAL_LIBRARY_STRING_BYTES / (size_t)count) {
		return luaL_error(lua, "resulting string too large");
	}
	dal_sandbox_charge(lua, (size_t)count / 8 + (size_t)count * (size + separator_size) / 32);
	size_t all = (size_t)count * size + ((size_t)count - 1) * separator_size;
	luaL_Buffer out;
	char *to = luaL_buffinitsize(lua, &out, all);
	for (lua_Integer i = 0; i < count; i++) {
		memcpy(to, text, size);
		to += size;
		if (i + 1 < count) {
			memcpy(to, separator, separator_size);
			to += separator_size;
		}
	}
	luaL_pushresultsize(&out, all);
	return 1;
}

static int byte(lua_State *lua)
{
	size_t size;
	const char *text = luaL_checklstring(lua, 1, &size);
	lua_Integer first = luaL_optinteger(lua, 2, 1);
	size_t start = start_position(first, size);
	size_t end = end_position(luaL_optinteger(lua, 3, (lua_Integer)start), size);
	if (start > end) {
		return 0;
	}
	size_t count = end - start + 1;
	luaL_argcheck(lua, count <= DAL_LIBRARY_UNPACK, 3, "too many values");
	luaL_checkstack(lua, (int)count, "too many values");
	for (size_t i = 0; i < count; i++) {
		lua_pushinteger(lua, (unsigned char)text[start - 1 + i]);
	}
	return (int)count;
}

static int character(lua_State *lua)
{
	int count = lua_gettop(lua);
	luaL_Buffer out;
	char *to = luaL_buffinitsize(lua, &out, (size_t)count);
	for (int i = 1; i <= count; i++) {
		lua_Integer code = luaL_checkinteger(lua, i);
		luaL_argcheck(lua, code >= 0 && code <= 255, i, "value out of range");
		to[i - 1] = (char)code;
	}
	luaL_pushresultsize(&out, (size_t)count);
	return 1;
}

void dal_library_string(lua_State *lua)
{
	static const luaL_Reg functions[] = {{"byte", byte},
					     {"char", character},
					     {"find", dal_library_find},
					     {"format", dal_library_format},
					     {"gmatch", dal_library_gmatch},
					     {"gsub", dal_library_gsub},
					     {"len", length},
					     {"lower", lower},
					     {"match", dal_library_match},
					     {"rep", repeat},
					     {"reverse", reverse},
					     {"sub", sub},
					     {"upper", upper},
					     {NULL, NULL}};
	dal_library_add(lua, "string", functions);
}
