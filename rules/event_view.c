/* The event as Lua sees it: fields are read from the tape when they are touched. */
#include "engine/base/memory.h"
#include "rules/library.h"
#include "rules/userdata.h"

/* Views on nodes below this are kept for the event, so that event.data costs one allocation. */
#define CACHED_NODES 4096

static const char node_key, data_key, cache_key;

/*
 * The metatable's __index of the event is a table, so that event.data, which most functions begin
 * with, takes no call: the view on it lies there. Its own __index answers all else.
 */
static const char fields_key;

static const struct dal_event *alive(lua_State *lua, const struct dal_event_view *view)
{
	const struct dal_sandbox *sandbox = dal_sandbox_of(lua);
	if (view->generation != sandbox->generation || sandbox->event == NULL) {
		luaL_error(lua, "this event is over: a rule can't keep a part of it");
	}
	return sandbox->event;
}

static struct dal_event_view *push_view(lua_State *lua, enum dal_tag tag, uint32_t node)
{
	struct dal_event_view *view = lua_newuserdatauv(lua, sizeof(*view), 0);
	*view = (struct dal_event_view){tag, node, dal_sandbox_of(lua)->generation};
	return view;
}

static void push_node(lua_State *lua, uint32_t node)
{
	push_view(lua, DAL_TAG_NODE, node);
	dal_userdata_meta(lua, &node_key);
}

static void push_container(lua_State *lua, uint32_t node)
{
	struct dal_sandbox *sandbox = dal_sandbox_of(lua);
	if (node == sandbox->event->data) {
		lua_rawgetp(lua, LUA_REGISTRYINDEX, &data_key);
		return;
	}
	if (node >= CACHED_NODES) {
		push_node(lua, node);
		return;
	}
	lua_rawgetp(lua, LUA_REGISTRYINDEX, &cache_key);
	if (lua_rawgeti(lua, -1, node) == LUA_TUSERDATA) {
		((struct dal_event_view *)lua_touserdata(lua, -1))->generation =
			sandbox->generation;
		lua_remove(lua, -2);
		return;
	}
	lua_pop(lua, 1);
	push_node(lua, node);
	lua_pushvalue(lua, -1);
	lua_rawseti(lua, -3, node);
	lua_remove(lua, -2);
}

static bool is_container(const struct dal_event *event)
{
	return event->data != DAL_JSON_NONE &&
	       dal_json_kind(event->json, event->data) >= DAL_JSON_ARRAY;
}

/* Puts the view on data where scripts find it, or takes it away. */
static void show_data(lua_State *lua, bool shown)
{
	lua_rawgetp(lua, LUA_REGISTRYINDEX, &fields_key);
	lua_pushliteral(lua, "data");
	if (shown) {
		lua_rawgetp(lua, LUA_REGISTRYINDEX, &data_key);
	} else {
		lua_pushnil(lua);
	}
	lua_rawset(lua, -3);
	lua_pop(lua, 1);
}

void dal_event_view_set(struct dal_sandbox *sandbox, const struct dal_event *event)
{
	bool before = sandbox->data->generation == sandbox->generation, now = is_container(event);
	sandbox->event = event;
	sandbox->generation++;
	sandbox->view->generation = sandbox->generation;
	sandbox->data->node = event->data;
	sandbox->data->generation = now ? sandbox->generation : 0;
	if (before != now) {
		show_data(sandbox->lua, now);
	}
}

void dal_event_view_push_node(lua_State *lua, uint32_t node)
{
	const struct dal_json *json = dal_sandbox_of(lua)->event->json;
	if (node == DAL_JSON_NONE) {
		lua_pushnil(lua);
		return;
	}
	if (dal_json_kind(json, node) >= DAL_JSON_ARRAY) {
		push_container(lua, node);
	} else {
		dal_push_scalar(lua, json, node);
	}
}

const struct dal_json *dal_event_view_node(lua_State *lua, int index, uint32_t *node)
{
	const struct dal_event_view *view = lua_touserdata(lua, index);
	*node = view->node;
	return alive(lua, view)->json;
}

static int push_text(lua_State *lua, struct dal_slice text)
{
	if (text.size == 0) {
		lua_pushnil(lua);
	} else {
		lua_pushlstring(lua, text.data, text.size);
	}
	return 1;
}

enum name { OTHER, TYPE, DATA, TIME, ID, SOURCE, SUBJECT, TOPIC, PARTITION, OFFSET, NAMES };

static enum name name_of(struct dal_slice key)
{
	static const struct dal_slice names[NAMES] = {
		[TYPE] = {"type", 4},   [DATA] = {"data", 4},           [TIME] = {"time", 4},
		[ID] = {"id", 2},       [SOURCE] = {"source", 6},       [SUBJECT] = {"subject", 7},
		[TOPIC] = {"topic", 5}, [PARTITION] = {"partition", 9}, [OFFSET] = {"offset", 6},
	};
	for (int name = OTHER + 1; name < NAMES; name++) {
		if (dal_slice_equal(key, names[name])) {
			return (enum name)name;
		}
	}
	return OTHER;
}

/* Its first argument is the table of fields: there is only one event. */
static int event_index(lua_State *lua)
{
	const struct dal_event *event = dal_sandbox_of(lua)->event;
	struct dal_slice key;
	if (event == NULL || lua_type(lua, 2) != LUA_TSTRING) {
		return 0;
	}
	key.data = lua_tolstring(lua, 2, &key.size);
	switch (name_of(key)) {
	case ID:
		return push_text(lua, event->id);
	case SOURCE:
		return push_text(lua, event->source);
	case TYPE:
		return push_text(lua, event->type);
	case SUBJECT:
		return push_text(lua, event->subject);
	case TIME:
		return push_text(lua, event->time);
	case TOPIC:
		return push_text(lua, event->place.topic);
	case DATA:
		dal_event_view_push_node(lua, event->data);
		return 1;
	case PARTITION:
		lua_pushinteger(lua, event->place.partition);
		return 1;
	case OFFSET:
		lua_pushinteger(lua, (lua_Integer)event->place.offset);
		return 1;
	default:
		dal_event_view_push_node(lua, dal_event_attribute(event, key));
		return 1;
	}
}

static int node_index(lua_State *lua)
{
	uint32_t node;
	const struct dal_json *json = dal_event_view_node(lua, 1, &node);
	uint32_t found = DAL_JSON_NONE;
	if (lua_type(lua, 2) == LUA_TSTRING) {
		size_t size;
		const char *key = lua_tolstring(lua, 2, &size);
		dal_sandbox_charge(lua, dal_json_count(json, node) / 16);
		found = dal_json_find(json, node, dal_slice(key, size));
	} else if (lua_isinteger(lua, 2)) {
		lua_Integer i = lua_tointeger(lua, 2);
		if (i >= 1 && i <= dal_json_count(json, node)) {
			dal_sandbox_charge(lua, (size_t)i / 16);
			found = dal_json_at(json, node, (uint32_t)(i - 1));
		}
	}
	dal_event_view_push_node(lua, found);
	return 1;
}

static int node_length(lua_State *lua)
{
	uint32_t node;
	const struct dal_json *json = dal_event_view_node(lua, 1, &node);
	bool array = dal_json_kind(json, node) == DAL_JSON_ARRAY;
	lua_pushinteger(lua, array ? (lua_Integer)dal_json_count(json, node) : 0);
	return 1;
}

static int refuse_change(lua_State *lua)
{
	return luaL_error(lua, "an event can't be changed (field %s)",
			  dal_library_tostring(lua, 2));
}

static int node_equal(lua_State *lua)
{
	const struct dal_event_view *a = lua_touserdata(lua, 1), *b = lua_touserdata(lua, 2);
	lua_pushboolean(lua,
			a->tag == b->tag && a->node == b->node && a->generation == b->generation);
	return 1;
}

/* Upvalues: the view, the next child, how many are left, the last index (arrays). */
static int step(lua_State *lua)
{
	uint32_t node;
	const struct dal_json *json = dal_event_view_node(lua, lua_upvalueindex(1), &node);
	uint32_t child = (uint32_t)lua_tointeger(lua, lua_upvalueindex(2));
	lua_Integer left = lua_tointeger(lua, lua_upvalueindex(3));
	if (left == 0) {
		return 0;
	}
	if (dal_json_kind(json, node) == DAL_JSON_OBJECT) {
		dal_event_view_push_node(lua, child);
		child++; /* from the key to its value */
	} else {
		lua_Integer index = lua_tointeger(lua, lua_upvalueindex(4)) + 1;
		lua_pushinteger(lua, index);
		lua_copy(lua, -1, lua_upvalueindex(4));
	}
	dal_event_view_push_node(lua, child);
	lua_pushinteger(lua, dal_json_next(json, child));
	lua_replace(lua, lua_upvalueindex(2));
	lua_pushinteger(lua, left - 1);
	lua_replace(lua, lua_upvalueindex(3));
	return 2;
}

void dal_event_view_pairs(lua_State *lua, int index)
{
	uint32_t node;
	index = lua_absindex(lua, index);
	const struct dal_json *json = dal_event_view_node(lua, index, &node);
	lua_pushvalue(lua, index);
	lua_pushinteger(lua, node + 1);
	lua_pushinteger(lua, dal_json_count(json, node));
	lua_pushinteger(lua, 0);
	lua_pushcclosure(lua, step, 4);
}

void dal_userdata_register(lua_State *lua, const void *key, const luaL_Reg *functions)
{
	lua_newtable(lua);
	luaL_setfuncs(lua, functions, 0);
	lua_rawsetp(lua, LUA_REGISTRYINDEX, key);
}

void dal_userdata_meta(lua_State *lua, const void *key)
{
	lua_rawgetp(lua, LUA_REGISTRYINDEX, key);
	lua_setmetatable(lua, -2);
}

void dal_event_view_open(lua_State *lua)
{
	static const luaL_Reg node_functions[] = {{"__index", node_index},
						  {"__newindex", refuse_change},
						  {"__len", node_length},
						  {"__eq", node_equal},
						  {NULL, NULL}};
	struct dal_sandbox *sandbox = dal_sandbox_of(lua);
	dal_userdata_register(lua, &node_key, node_functions);
	lua_newtable(lua);
	lua_rawsetp(lua, LUA_REGISTRYINDEX, &cache_key);
	push_node(lua, DAL_JSON_NONE);
	sandbox->data = lua_touserdata(lua, -1);
	sandbox->data->generation = UINT64_MAX; /* not shown */
	lua_rawsetp(lua, LUA_REGISTRYINDEX, &data_key);

	lua_newtable(lua); /* the fields */
	lua_newtable(lua);
	lua_pushcfunction(lua, event_index);
	lua_setfield(lua, -2, "__index");
	lua_setmetatable(lua, -2);
	lua_pushvalue(lua, -1);
	lua_rawsetp(lua, LUA_REGISTRYINDEX, &fields_key);
	sandbox->view = push_view(lua, DAL_TAG_EVENT, DAL_JSON_ROOT);
	lua_newtable(lua);
	lua_rotate(lua, -3, -1); /* view, metatable, fields */
	lua_setfield(lua, -2, "__index");
	lua_pushcfunction(lua, refuse_change);
	lua_setfield(lua, -2, "__newindex");
	lua_setmetatable(lua, -2);
	lua_replace(lua, DAL_SLOT_EVENT);
}
