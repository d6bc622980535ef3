#include "rules/library.h"

#include "engine/base/error.h"
#include "rules/userdata.h"

static const char globals_key, names_key;

void dal_library_globals(lua_State *lua)
{
	lua_rawgetp(lua, LUA_REGISTRYINDEX, &globals_key);
}

void dal_library_name(lua_State *lua, int index)
{
	index = lua_absindex(lua, index);
	lua_rawgetp(lua, LUA_REGISTRYINDEX, &names_key);
	lua_pushvalue(lua, index);
	lua_rawget(lua, -2);
	lua_remove(lua, -2);
}

void dal_library_name_set(lua_State *lua, int index, const char *name)
{
	index = lua_absindex(lua, index);
	lua_rawgetp(lua, LUA_REGISTRYINDEX, &names_key);
	lua_pushvalue(lua, index);
	lua_pushstring(lua, name);
	lua_rawset(lua, -3);
	lua_pop(lua, 1);
}

void dal_library_add(lua_State *lua, const char *name, const luaL_Reg *functions)
{
	int into = lua_gettop(lua);
	if (name != NULL) {
		lua_newtable(lua);
	}
	for (; functions->name != NULL; functions++) {
		lua_pushcfunction(lua, functions->func);
		const char *full = name == NULL
					   ? lua_pushstring(lua, functions->name)
					   : lua_pushfstring(lua, "%s.%s", name, functions->name);
		dal_library_name_set(lua, -2, full);
		lua_pop(lua, 1);
		lua_setfield(lua, -2, functions->name);
	}
	if (name != NULL) {
		dal_library_name_set(lua, -1, name);
		lua_setfield(lua, into, name);
	}
}

static const char *tag_text(enum dal_tag tag)
{
	switch (tag) {
	case DAL_TAG_EVENT:
		return "event";
	case DAL_TAG_NODE:
		return "part of an event";
	case DAL_TAG_ENTRY:
		return "entry";
	case DAL_TAG_OPERATOR:
		return "pattern operator";
	case DAL_TAG_SECRET:
		return "secret";
	default:
		return "value";
	}
}

const char *dal_library_tostring(lua_State *lua, int index)
{
	switch (lua_type(lua, index)) {
	case LUA_TSTRING:
		lua_pushvalue(lua, index);
		break;
	case LUA_TNUMBER:
		lua_pushvalue(lua, index);
		lua_tolstring(lua, -1, NULL); /* converts the copy */
		break;
	case LUA_TBOOLEAN:
		lua_pushstring(lua, lua_toboolean(lua, index) ? "true" : "false");
		break;
	case LUA_TLIGHTUSERDATA:
		lua_pushliteral(lua, "null");
		break;
	case LUA_TUSERDATA:
		lua_pushstring(lua, tag_text(dal_userdata_tag(lua, index)));
		break;
	default:
		lua_pushstring(lua, luaL_typename(lua, index));
		break;
	}
	return lua_tostring(lua, -1);
}

static void share_strings(lua_State *lua)
{
	lua_pushliteral(lua, "");
	lua_createtable(lua, 0, 1);
	lua_getfield(lua, -3, "string");
	dal_frozen_raw(lua, -1);
	lua_setfield(lua, -3, "__index");
	lua_pop(lua, 1);
	lua_setmetatable(lua, -2);
	lua_pop(lua, 1);
}

void dal_library_open(lua_State *lua)
{
	static const char *const libraries[] = {"string", "table", "math", "json", "time"};
	lua_newtable(lua);
	lua_rawsetp(lua, LUA_REGISTRYINDEX, &names_key);
	dal_event_view_open(lua);
	dal_entry_view_open(lua);
	lua_newtable(lua);
	dal_library_base(lua);
	dal_library_pairs(lua);
	dal_library_string(lua);
	dal_library_table(lua);
	dal_library_math(lua);
	dal_library_json(lua);
	dal_library_time(lua);
	static const luaL_Reg views[] = {{"view", dal_vm_view}, {NULL, NULL}};
	dal_library_add(lua, NULL, views);
	dal_push_null(lua);
	lua_setfield(lua, -2, "null");
	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
		lua_getfield(lua, -1, libraries[i]);
		dal_frozen_make(lua, -1);
		lua_pop(lua, 1);
	}
	share_strings(lua);
	lua_rawsetp(lua, LUA_REGISTRYINDEX, &globals_key);
}
