/*
 * What Lua sees of the engine's own values: views on the event and on entries, `null`, and marks
 * that only the loader reads. Private to rules.
 *
 * Every full userdata of a sandbox is ours and begins with its tag, so one look tells what it is.
 * Scripts can't reach a metatable, so a metamethod's first argument is what it is meant for.
 * `null` is the light userdata NULL.
 */
#ifndef DAL_RULES_USERDATA_H
#define DAL_RULES_USERDATA_H

#include "rules/sandbox.h"

enum dal_tag {
	DAL_TAG_EVENT = 1, /* the event as a whole */
	DAL_TAG_NODE,      /* an object or array inside it */
	DAL_TAG_ENTRY,     /* a read-only proxy on a table of a live entry */
	DAL_TAG_OPERATOR,  /* of a pattern */
	DAL_TAG_SECRET,    /* secret "NAME" */
	DAL_TAG_EXPECT,    /* what a test expects or is given */
	DAL_TAG_HOLE,      /* stands for an unknown global while loading, so that loading goes on */
	DAL_TAG_MEMORY,    /* scratch memory; never seen by a script */
};

/* The tag of a full userdata at `index`, or 0. */
static inline enum dal_tag dal_userdata_tag(lua_State *lua, int index)
{
	if (lua_type(lua, index) != LUA_TUSERDATA) {
		return 0;
	}
	return *(const enum dal_tag *)lua_touserdata(lua, index);
}

static inline bool dal_is_null(lua_State *lua, int index)
{
	return lua_type(lua, index) == LUA_TLIGHTUSERDATA;
}

static inline void dal_push_null(lua_State *lua)
{
	lua_pushlightuserdata(lua, NULL);
}

/* Null, a boolean, a number or a string of the tape; not for containers. Inline: guards touch
 * fields. */
static inline void dal_push_scalar(lua_State *lua, const struct dal_json *json, uint32_t node)
{
	enum dal_json_kind kind = dal_json_kind(json, node);

	if (kind == DAL_JSON_STRING) {
		struct dal_slice text = dal_json_string(json, node);
		lua_pushlstring(lua, text.data, text.size);
	} else if (kind == DAL_JSON_INTEGER) {
		lua_pushinteger(lua, dal_json_integer(json, node));
	} else if (kind == DAL_JSON_FLOAT) {
		lua_pushnumber(lua, dal_json_double(json, node));
	} else if (kind == DAL_JSON_NULL) {
		dal_push_null(lua);
	} else {
		lua_pushboolean(lua, kind == DAL_JSON_TRUE);
	}
}

/*
 * A view is made once and used for event after event: nothing of a script lasts from one to the
 * next, so nobody can tell. One that isn't the current event's has an older generation.
 */
struct dal_event_view {
	enum dal_tag tag;
	uint32_t node;
	uint64_t generation;
};

/* Fills DAL_SLOT_EVENT. */
void dal_event_view_open(lua_State *lua);
/* The current event is another one. */
void dal_event_view_set(struct dal_sandbox *sandbox, const struct dal_event *event);
/* A node of the current event as a Lua value: containers as views. */
void dal_event_view_push_node(lua_State *lua, uint32_t node);
/* The tape and node of a view (EVENT or NODE); raises if it outlived its event. */
const struct dal_json *dal_event_view_node(lua_State *lua, int index, uint32_t *node);
/* Pushes an iterator over it in document order. */
void dal_event_view_pairs(lua_State *lua, int index);

void dal_entry_view_open(lua_State *lua);
/* Wraps the value on top if it is a table. */
void dal_entry_view_wrap(lua_State *lua);
/* Pushes the table behind the proxy; raises if it outlived its call. */
void dal_entry_view_table(lua_State *lua, int index);

/* Sets the registered metatable named by `key` on the userdata on top. */
void dal_userdata_meta(lua_State *lua, const void *key);
/* Makes a metatable with these functions and registers it under `key`. */
void dal_userdata_register(lua_State *lua, const void *key, const luaL_Reg *functions);

#endif
