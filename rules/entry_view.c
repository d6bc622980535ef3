/* An entry as view() gives it: a read-only proxy on the live table, not a copy. */
#include "rules/library.h"
#include "rules/userdata.h"

static const char entry_key;

struct entry_view {
	enum dal_tag tag;
	uint64_t call; /* the call that it was made in */
};

void dal_entry_view_wrap(lua_State *lua)
{
	if (lua_type(lua, -1) != LUA_TTABLE) {
		return;
	}
	struct entry_view *view = lua_newuserdatauv(lua, sizeof(*view), 1);
	*view = (struct entry_view){DAL_TAG_ENTRY, dal_sandbox_of(lua)->calls};
	dal_userdata_meta(lua, &entry_key);
	lua_insert(lua, -2);
	lua_setiuservalue(lua, -2, 1);
}

void dal_entry_view_table(lua_State *lua, int index)
{
	const struct entry_view *view = lua_touserdata(lua, index);
	if (view->call != dal_sandbox_of(lua)->calls) {
		luaL_error(lua, "this entry was read for another event: call view again");
	}
	lua_getiuservalue(lua, index, 1);
}

static int entry_index(lua_State *lua)
{
	dal_entry_view_table(lua, 1);
	lua_pushvalue(lua, 2);
	lua_rawget(lua, -2);
	dal_entry_view_wrap(lua);
	return 1;
}

static int entry_length(lua_State *lua)
{
	dal_entry_view_table(lua, 1);
	lua_pushinteger(lua, (lua_Integer)lua_rawlen(lua, -1));
	return 1;
}

static int entry_equal(lua_State *lua)
{
	bool both = dal_userdata_tag(lua, 1) == DAL_TAG_ENTRY &&
		    dal_userdata_tag(lua, 2) == DAL_TAG_ENTRY;
	if (both) {
		dal_entry_view_table(lua, 1);
		dal_entry_view_table(lua, 2);
		both = lua_rawequal(lua, -1, -2);
	}
	lua_pushboolean(lua, both);
	return 1;
}

static int refuse_change(lua_State *lua)
{
	return luaL_error(lua,
			  "what view gives can't be changed (field %s): only a fold changes it",
			  dal_library_tostring(lua, 2));
}

void dal_entry_view_open(lua_State *lua)
{
	static const luaL_Reg functions[] = {{"__index", entry_index},
					     {"__newindex", refuse_change},
					     {"__len", entry_length},
					     {"__eq", entry_equal},
					     {NULL, NULL}};
	dal_userdata_register(lua, &entry_key, functions);
}
