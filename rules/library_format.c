/* string.format: every conversion that has no address and no locale in it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "rules/library.h"
#include "rules/userdata.h"

#define SPECIFIER 16  /* "%-+ #0" with two digits of width and of precision */
#define CONVERTED 512 /* a double in %f with 99 digits has at most 310 + 100 characters */

/* Reads flags, width and precision behind '%' into `spec`; returns the place of the conversion. */
static const char *read_specifier(lua_State *lua, const char *p, const char *end,
				  char spec[SPECIFIER])
{
	const char *start = p;
	while (p < end && *p != '\0' && strchr("-+ #0", *p) != NULL) {
		p++;
	}
	size_t flags = (size_t)(p - start);
	for (int digits = 0; p < end && *p >= '0' && *p <= '9'; p++) {
		if (++digits > 2) {
			luaL_error(lua, "invalid format (width is two digits at the most)");
		}
	}
	if (p < end && *p == '.') {
		p++;
		for (int digits = 0; p < end && *p >= '0' && *p <= '9'; p++) {
			if (++digits > 2) {
				luaL_error(lua,
					   "invalid format (precision is two digits at the most)");
			}
		}
	}
	if (flags > 5 || p >= end) {
		luaL_error(lua, "invalid format string");
	}
	spec[0] = '%';
	memcpy(spec + 1, start, (size_t)(p - start));
	spec[1 + (p - start)] = '\0';
	return p;
}

static void add_spec(char spec[SPECIFIER], const char *conversion)
{
	size_t at = strlen(spec);
	memcpy(spec + at, conversion, strlen(conversion) + 1);
}

static void put_integer(lua_State *lua, luaL_Buffer *out, int argument, char spec[SPECIFIER],
			char c)
{
	char text[CONVERTED], conversion[] = {'l', 'l', c == 'i' ? 'd' : c, '\0'};
	add_spec(spec, conversion);
	int size = snprintf(text, sizeof(text), spec, (long long)luaL_checkinteger(lua, argument));
	luaL_addlstring(out, text, (size_t)size);
}

static void put_number(lua_State *lua, luaL_Buffer *out, int argument, char spec[SPECIFIER], char c)
{
	char text[CONVERTED], conversion[] = {c, '\0'};
	add_spec(spec, conversion);
	int size = snprintf(text, sizeof(text), spec, (double)luaL_checknumber(lua, argument));
	luaL_addlstring(out, text, (size_t)size);
}

/* Text, padded and cut by bytes. */
static void put_text(lua_State *lua, luaL_Buffer *out, int argument, const char *spec)
{
	luaL_checkany(lua, argument);
	dal_library_tostring(lua, argument);
	size_t size, width = 0;
	const char *text = lua_tolstring(lua, -1, &size);
	bool left = strchr(spec, '-') != NULL;
	const char *p = spec + 1 + strspn(spec + 1, "-+ #0");
	for (; *p >= '0' && *p <= '9'; p++) {
		width = width * 10 + (size_t)(*p - '0');
	}
	if (*p == '.') {
		size_t most = 0;
		for (p++; *p >= '0' && *p <= '9'; p++) {
			most = most * 10 + (size_t)(*p - '0');
		}
		size = size < most ? size : most;
	}
	char padding[100];
	memset(padding, ' ', sizeof(padding));
	lua_pushlstring(lua, text, size);
	lua_remove(lua, -2);
	if (size < width) {
		lua_pushlstring(lua, padding, width - size);
		if (!left) {
			lua_insert(lua, -2);
		}
		lua_concat(lua, 2);
	}
	dal_sandbox_charge(lua, size / 16);
	luaL_addvalue(out);
}

static void convert(lua_State *lua, luaL_Buffer *out, int argument, char spec[SPECIFIER], char c)
{
	switch (c) {
	case 'd':
	case 'i':
	case 'x':
	case 'X':
	case 'o':
		put_integer(lua, out, argument, spec, c);
		break;
	case 'e':
	case 'E':
	case 'f':
	case 'F':
	case 'g':
	case 'G':
	case 'a':
	case 'A':
		put_number(lua, out, argument, spec, c);
		break;
	case 'c':
		luaL_addchar(out, (char)luaL_checkinteger(lua, argument));
		break;
	case 's':
		put_text(lua, out, argument, spec);
		break;
	default:
		luaL_error(lua,
			   "invalid conversion '%%%c' to 'format': d i x X o e f g a c s are there",
			   c);
	}
}

int dal_library_format(lua_State *lua)
{
	size_t size, total = 0;
	const char *p = luaL_checklstring(lua, 1, &size), *end = p + size;
	int argument = 1, top = lua_gettop(lua);
	luaL_Buffer out;
	luaL_buffinit(lua, &out);
	dal_sandbox_charge(lua, size / 16);
	while (p < end) {
		if (*p != '%') {
			luaL_addchar(&out, *p++);
			continue;
		}
		p++;
		if (p < end && *p == '%') {
			luaL_addchar(&out, *p++);
			continue;
		}
		char spec[SPECIFIER];
		p = read_specifier(lua, p, end, spec);
		if (++argument > top) {
			return luaL_argerror(lua, argument, "no value");
		}
		dal_sandbox_charge(lua, 4);
		convert(lua, &out, argument, spec, *p++);
		total = luaL_bufflen(&out);
		if (total > DAL_LIBRARY_STRING_BYTES) {
			return luaL_error(lua, "resulting string too large");
		}
	}
	luaL_pushresult(&out);
	return 1;
}
