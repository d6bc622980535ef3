/* The keys of a projection for an event: by path, or what its function gives. */
#include <stdio.h>

#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "rules/library.h"
#include "rules/userdata.h"
#include "rules/vm_own.h"

static void add_key(struct dal_vm *vm, size_t start)
{
	struct dal_slice key = {(const char *)start, vm->key_text.size - start};
	DAL_GROW(vm->keys, vm->key_count, vm->key_capacity);
	vm->keys[vm->key_count++] = key;
}

/* Until the text is complete, slices hold offsets. A key that is given twice counts once. */
static void place_keys(struct dal_vm *vm)
{
	size_t count = 0;
	dal_buffer_cstr(&vm->key_text); /* also an empty key has a place */
	for (size_t i = 0; i < vm->key_count; i++) {
		struct dal_slice key = {vm->key_text.data + (size_t)vm->keys[i].data,
					vm->keys[i].size};
		bool twice = false;
		for (size_t k = 0; k < count && !twice; k++) {
			twice = dal_slice_equal(vm->keys[k], key);
		}
		if (!twice) {
			vm->keys[count++] = key;
		}
	}
	vm->key_count = count;
}

/* The value at `index` as the text of a key (events.md), appended. Null and nil give none. */
static void take_key(lua_State *lua, struct dal_vm *vm, int index)
{
	size_t start = vm->key_text.size, size = 0;
	lua_Integer integer = 0;
	const char *text = NULL;
	switch (lua_type(lua, index)) {
	case LUA_TNIL:
	case LUA_TLIGHTUSERDATA:
		return;
	case LUA_TBOOLEAN:
		dal_buffer_text(&vm->key_text, lua_toboolean(lua, index) ? "true" : "false");
		break;
	case LUA_TNUMBER:
		if (lua_isinteger(lua, index)) {
			integer = lua_tointeger(lua, index);
		} else if (!lua_numbertointeger(lua_tonumber(lua, index), &integer) ||
			   (lua_Number)integer != lua_tonumber(lua, index)) {
			luaL_error(lua, "key: a number with a fraction can't be a key");
		}
		dal_buffer_printf(&vm->key_text, "%lld", (long long)integer);
		break;
	case LUA_TSTRING:
		text = lua_tolstring(lua, index, &size);
		if (size > DAL_LIMIT_KEY_BYTES) {
			luaL_error(lua, "key: too long: %d bytes at the most", DAL_LIMIT_KEY_BYTES);
		}
		dal_buffer_append(&vm->key_text, text, size);
		break;
	default:
		luaL_error(lua, "key: a %s can't be a key: give a string, or a list of strings",
			   luaL_typename(lua, index));
	}
	if (vm->key_count == DAL_LIMIT_KEYS) {
		luaL_error(lua, "key: too many keys: %d at the most", DAL_LIMIT_KEYS);
	}
	add_key(vm, start);
}

/* Gets the function and the event. */
static int key_body(lua_State *lua)
{
	struct dal_vm *vm = dal_sandbox_of(lua)->vm;
	lua_call(lua, 1, 1);
	enum dal_tag tag = dal_userdata_tag(lua, 1);
	if (lua_type(lua, 1) != LUA_TTABLE && tag != DAL_TAG_NODE) {
		take_key(lua, vm, 1);
		return 0;
	}
	lua_Integer count = luaL_len(lua, 1);
	for (lua_Integer i = 1; i <= count; i++) {
		lua_geti(lua, 1, i);
		take_key(lua, vm, lua_gettop(lua));
		lua_pop(lua, 1);
	}
	return 0;
}

static int path_key(struct dal_vm *vm, const struct dal_path *path)
{
	const struct dal_json *json = vm->sandbox.event->json;
	uint32_t node = dal_path_find(path, json, DAL_JSON_ROOT);
	switch (dal_key_text(json, node, &vm->key_text)) {
	case 0:
		add_key(vm, 0);
		return 0;
	case DAL_KEY_ABSENT:
		return 0;
	default: {
		struct dal_slice text = dal_path_text(path);
		dal_buffer_clear(&vm->sandbox.message);
		dal_buffer_clear(&vm->sandbox.trace);
		dal_buffer_printf(
			&vm->sandbox.message,
			"key: the value at %.*s is no key: a string of up to %d bytes, a whole "
			"number or a boolean is one",
			(int)text.size, text.data, DAL_LIMIT_KEY_BYTES);
		return DAL_VM_ERROR;
	}
	}
}

int dal_vm_keys(struct dal_vm *vm, uint32_t projection, const struct dal_slice **keys,
		size_t *count)
{
	DAL_ASSERT(projection < vm->rules->projection_count);
	const struct dal_projection_own *own = &vm->rules->projections[projection];
	int r;
	vm->key_count = 0;
	dal_buffer_clear(&vm->key_text);
	if (own->key == 0) {
		r = path_key(vm, own->projection.key);
	} else {
		r = dal_vm_run(vm, DAL_PHASE_KEY, key_body, own->key, 0);
		if (r == 0) {
			lua_pop(vm->sandbox.lua, 1);
		}
	}
	if (r != 0) {
		return r;
	}
	place_keys(vm);
	*keys = vm->keys;
	*count = vm->key_count;
	return *count > 0 ? 0 : DAL_VM_NO;
}
