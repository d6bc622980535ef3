/* What a rule emits: checked, and laid out as attributes and canonical data. */
#include <stdio.h>

#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "rules/canonical.h"
#include "rules/library.h"
#include "rules/userdata.h"
#include "rules/vm_own.h"

/* Until all text is there, slices hold offsets into it. */
static struct dal_slice add_text(struct dal_vm_list *list, struct dal_slice text)
{
	struct dal_slice out = {(const char *)list->text.size, text.size};
	dal_buffer_slice_append(&list->text, text);
	return out;
}

static void place(const struct dal_vm_list *list, struct dal_slice *slice)
{
	slice->data = slice->size > 0 ? list->text.data + (size_t)slice->data : NULL;
}

static void place_all(struct dal_vm_list *list)
{
	size_t extension = 0;
	for (size_t i = 0; i < list->count; i++) {
		struct dal_vm_emitted *event = &list->items[i];
		place(list, &event->type);
		place(list, &event->subject);
		place(list, &event->partitionkey);
		place(list, &event->source);
		place(list, &event->topic);
		place(list, &event->data);
		event->extensions = event->extension_count > 0 ? &list->extensions[extension]
							       : NULL;
		extension += event->extension_count;
	}
	for (size_t i = 0; i < list->extension_count; i++) {
		place(list, &list->extensions[i].name);
		place(list, &list->extensions[i].value);
	}
}

/* The text of the attribute at `index`. */
static struct dal_slice text_of(lua_State *lua, int index, const char *name)
{
	struct dal_slice text;
	if (lua_type(lua, index) != LUA_TSTRING) {
		luaL_error(lua, "emit: %s is a %s, expected a string", name,
			   luaL_typename(lua, index));
	}
	text.data = lua_tolstring(lua, index, &text.size);
	if (text.size == 0) {
		luaL_error(lua, "emit: %s is empty: leave it out", name);
	}
	if (text.size > DAL_LIMIT_KEY_BYTES * 4) {
		luaL_error(lua, "emit: %s is too long: %d bytes at the most", name,
			   DAL_LIMIT_KEY_BYTES * 4);
	}
	dal_canonical_check_text(lua, text, name);
	return text;
}

static bool is_attribute_name(struct dal_slice name)
{
	for (size_t i = 0; i < name.size; i++) {
		char c = name.data[i];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) {
			return false;
		}
	}
	return name.size > 0 && name.size <= DAL_LIMIT_NAME_BYTES;
}

static void check_extension(lua_State *lua, struct dal_slice name)
{
	static const char *const derived[] = {"id", "time", "specversion", "datacontenttype",
					      "database64"};
	for (size_t i = 0; i < sizeof(derived) / sizeof(derived[0]); i++) {
		if (dal_slice_is(name, derived[i])) {
			luaL_error(lua,
				   "emit: %s can't be set: it follows from the event and the rule",
				   name.data);
		}
	}
	if (!is_attribute_name(name)) {
		luaL_error(
			lua,
			"emit: %s is no name of an attribute: a-z and 0-9 only (the payload goes "
			"into data)",
			name.data);
	}
	if (dal_slice_starts(name, "dalamb")) {
		luaL_error(lua,
			   "emit: %s can't be set: attributes that begin with dalamb are its own",
			   name.data);
	}
}

static void add_extension(lua_State *lua, struct dal_vm_list *list, struct dal_slice name,
			  int value)
{
	char number[24];
	struct dal_slice text;
	bool raw = true;
	check_extension(lua, name);
	if (lua_type(lua, value) == LUA_TBOOLEAN) {
		text = dal_slice_text(lua_toboolean(lua, value) ? "true" : "false");
	} else if (lua_isinteger(lua, value)) {
		lua_Integer integer = lua_tointeger(lua, value);
		if (integer < INT32_MIN || integer > INT32_MAX) {
			luaL_error(
				lua,
				"emit: %s is an integer of more than 32 bits: give it as a string",
				name.data);
		}
		snprintf(number, sizeof(number), "%lld", (long long)integer);
		text = dal_slice_text(number);
	} else {
		text = text_of(lua, value, name.data);
		raw = false;
	}
	DAL_GROW(list->extensions, list->extension_count, list->extension_capacity);
	struct dal_attribute *extension = &list->extensions[list->extension_count++];
	extension->name = add_text(list, name);
	extension->value = add_text(list, text);
	extension->raw = raw;
	list->items[list->count - 1].extension_count++;
}

static void set_topic(lua_State *lua, struct dal_vm_list *list, int value)
{
	struct dal_slice topic = text_of(lua, value, "topic");
	if (!dal_name_valid(topic)) {
		luaL_error(lua, "emit: topic \"%s\" is no name of a topic", topic.data);
	}
	if (dal_slice_is(topic, DAL_TOPIC_SYSTEM)) {
		luaL_error(lua, "emit: the topic system is dalamb's own");
	}
	list->items[list->count - 1].topic = add_text(list, topic);
}

static void set_type(lua_State *lua, struct dal_vm_list *list, int value)
{
	struct dal_slice type = text_of(lua, value, "type");
	if (dal_slice_starts(type, "dalamb.")) {
		luaL_error(lua, "emit: type %s: types that begin with dalamb. are its own",
			   type.data);
	}
	list->items[list->count - 1].type = add_text(list, type);
}

static void set_data(lua_State *lua, struct dal_vm_list *list, int value)
{
	size_t start = list->text.size;
	dal_canonical_write(lua, value, "emit: data", DAL_LIMIT_EVENT_BYTES, &list->text);
	list->items[list->count - 1].data = (struct dal_slice){(const char *)start,
							       list->text.size - start};
}

/* One field of the event that is described; its name and value are the two on top. */
static void take_named(lua_State *lua, struct dal_vm_list *list)
{
	struct dal_slice name;
	int value = lua_gettop(lua);
	struct dal_vm_emitted *event = &list->items[list->count - 1];
	if (lua_type(lua, value - 1) != LUA_TSTRING) {
		luaL_error(lua, "emit: a value without a field name");
	}
	name.data = lua_tolstring(lua, value - 1, &name.size);
	if (dal_is_null(lua, value) && !dal_slice_is(name, "data")) {
		return; /* null is unset, as in CloudEvents */
	}
	if (dal_slice_is(name, "type")) {
		set_type(lua, list, value);
	} else if (dal_slice_is(name, "subject")) {
		event->subject = add_text(list, text_of(lua, value, "subject"));
	} else if (dal_slice_is(name, "partitionkey")) {
		event->partitionkey = add_text(list, text_of(lua, value, "partitionkey"));
	} else if (dal_slice_is(name, "source")) {
		event->source = add_text(list, text_of(lua, value, "source"));
	} else if (dal_slice_is(name, "topic")) {
		set_topic(lua, list, value);
	} else if (dal_slice_is(name, "data")) {
		set_data(lua, list, value);
	} else {
		add_extension(lua, list, name, value);
	}
}

/* The field whose name is on top. */
static void take_field(lua_State *lua, struct dal_vm_list *list, int raw)
{
	int name = lua_gettop(lua);
	lua_pushvalue(lua, name);
	lua_rawget(lua, raw);
	take_named(lua, list);
	lua_settop(lua, name - 1);
}

static void take_fields(lua_State *lua, struct dal_vm_list *list, int raw)
{
	struct dal_names names;
	if (dal_names_sorted(lua, raw, &names)) {
		for (size_t i = 0; i < names.count; i++) {
			lua_pushvalue(lua, names.items[i].place);
			take_field(lua, list, raw);
		}
		return;
	}
	const struct dal_keys *keys = dal_keys_sorted(lua, raw);
	int key_table = lua_gettop(lua) - 1;
	for (size_t i = 0; i < keys->count; i++) {
		lua_rawgeti(lua, key_table, keys->order[i]);
		take_field(lua, list, raw);
	}
}

/* The table at `table` describes one event. */
static void take_event(lua_State *lua, struct dal_vm_list *list, int table)
{
	if (list->count == DAL_LIMIT_EMITS) {
		luaL_error(lua, "emit: too many events: %d at the most", DAL_LIMIT_EMITS);
	}
	if (lua_type(lua, table) != LUA_TTABLE) {
		luaL_error(lua,
			   "emit: an event is a table such as { type = \"order.flagged\", data = "
			   "... }, not a %s",
			   luaL_typename(lua, table));
	}
	DAL_GROW(list->items, list->count, list->capacity);
	list->items[list->count++] = (struct dal_vm_emitted){0};
	dal_frozen_raw(lua, table);
	int raw = lua_gettop(lua);
	take_fields(lua, list, raw);
	if (list->items[list->count - 1].type.size == 0) {
		luaL_error(lua, "emit: type is missing");
	}
	if (list->text.size > DAL_LIMIT_EMIT_BYTES) {
		luaL_error(lua, "emit: too much: %d bytes at the most", (int)DAL_LIMIT_EMIT_BYTES);
	}
	lua_settop(lua, raw - 1);
}

/* Gets the function and the event. */
static int emit_body(lua_State *lua)
{
	struct dal_vm_list *list = &dal_sandbox_of(lua)->vm->emitted;
	lua_call(lua, 1, 1);
	if (lua_isnil(lua, 1) || (lua_isboolean(lua, 1) && !lua_toboolean(lua, 1))) {
		return 0;
	}
	if (lua_type(lua, 1) == LUA_TTABLE) {
		dal_frozen_raw(lua, 1);
		lua_Integer count = (lua_Integer)lua_rawlen(lua, -1);
		for (lua_Integer i = 1; i <= count; i++) {
			lua_rawgeti(lua, 2, i);
			take_event(lua, list, 3);
			lua_settop(lua, 2);
		}
		lua_pushnil(lua);
		if (count > 0 || lua_next(lua, 2) == 0) {
			return 0; /* a list, or nothing in it */
		}
		lua_settop(lua, 1);
	}
	take_event(lua, list, 1);
	return 0;
}

int dal_vm_emit(struct dal_vm *vm, uint32_t rule, const struct dal_vm_emitted **out, size_t *count)
{
	DAL_ASSERT(rule < vm->rules->rule_count);
	struct dal_vm_list *list = &vm->emitted;
	list->count = 0;
	list->extension_count = 0;
	dal_buffer_clear(&list->text);
	if (vm->rules->rules[rule].emit == 0) {
		return DAL_VM_NO;
	}
	int r = dal_vm_run(vm, DAL_PHASE_EMIT, emit_body, vm->rules->rules[rule].emit, 0);
	if (r != 0) {
		return r;
	}
	lua_pop(vm->sandbox.lua, 1);
	place_all(list);
	*out = list->items;
	*count = list->count;
	return *count > 0 ? 0 : DAL_VM_NO;
}
