/* json: encode and decode; time: parse, format, diff. Pure functions of their arguments. */
#include "engine/base/clock.h"
#include "rules/canonical.h"
#include "rules/library.h"
#include "rules/userdata.h"

static int encode(lua_State *lua)
{
	luaL_checkany(lua, 1);
	struct dal_buffer *out = &dal_sandbox_of(lua)->scratch;
	dal_buffer_clear(out);
	dal_canonical_write(lua, 1, "value", DAL_LIBRARY_STRING_BYTES, out);
	lua_pushlstring(lua, out->data, out->size);
	return 1;
}

static int decode(lua_State *lua)
{
	struct dal_sandbox *sandbox = dal_sandbox_of(lua);
	struct dal_slice text;
	struct dal_json_error error;
	text.data = luaL_checklstring(lua, 1, &text.size);
	luaL_argcheck(lua, text.size <= DAL_LIBRARY_STRING_BYTES, 1, "too large");
	dal_sandbox_charge(lua, text.size / 16);
	if (sandbox->json == NULL) {
		sandbox->json = dal_json_new();
	}
	if (dal_json_parse(sandbox->json, text, 0, &error) != 0) {
		return luaL_error(lua, "json.decode: %s at byte %d", error.reason,
				  (int)error.position + 1);
	}
	dal_canonical_push(lua, sandbox->json, DAL_JSON_ROOT);
	return 1;
}

/* RFC 3339 text to microseconds since 1970 (an integer), or nil. */
static int parse(lua_State *lua)
{
	struct dal_slice text;
	int64_t time_us;
	text.data = luaL_checklstring(lua, 1, &text.size);
	if (text.size < DAL_CLOCK_TEXT_BYTES * 2 && dal_clock_parse(text, &time_us)) {
		lua_pushinteger(lua, time_us);
	} else {
		lua_pushnil(lua);
	}
	return 1;
}

static int64_t time_argument(lua_State *lua, int argument)
{
	if (lua_type(lua, argument) == LUA_TNUMBER) {
		return luaL_checkinteger(lua, argument);
	}
	struct dal_slice text;
	int64_t time_us = 0;
	text.data = luaL_checklstring(lua, argument, &text.size);
	luaL_argcheck(lua, text.size < DAL_CLOCK_TEXT_BYTES * 2 && dal_clock_parse(text, &time_us),
		      argument, "not a time as in RFC 3339");
	return time_us;
}

static int format(lua_State *lua)
{
	/* Years 0000 to 9999, which is all that RFC 3339 can write. */
	const int64_t first_us = -62167219200000000, last_us = 253402300799999999;
	char text[DAL_CLOCK_TEXT_BYTES];
	lua_Integer time_us = luaL_checkinteger(lua, 1);
	luaL_argcheck(lua, time_us >= first_us && time_us <= last_us, 1, "out of range");
	dal_clock_format(time_us, text);
	lua_pushstring(lua, text);
	return 1;
}

/* Seconds from the second time to the first. */
static int diff(lua_State *lua)
{
	double later_us = (double)time_argument(lua, 1), earlier_us = (double)time_argument(lua, 2);
	lua_pushnumber(lua, (later_us - earlier_us) / 1e6);
	return 1;
}

void dal_library_json(lua_State *lua)
{
	static const luaL_Reg functions[] = {{"encode", encode}, {"decode", decode}, {NULL, NULL}};
	dal_library_add(lua, "json", functions);
}

void dal_library_time(lua_State *lua)
{
	static const luaL_Reg functions[] = {
		{"parse", parse}, {"format", format}, {"diff", diff}, {NULL, NULL}};
	dal_library_add(lua, "time", functions);
}
