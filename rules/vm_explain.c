/* A guard asked for people: it also says what it returned. */
#include "engine/base/error.h"
#include "engine/event/json_write.h"
#include "engine/event/utf8.h"
#include "rules/library.h"
#include "rules/userdata.h"
#include "rules/vm_own.h"

enum { TEXT_BYTES = 200 };

static void append_string(lua_State *lua, struct dal_buffer *out)
{
	struct dal_slice text;
	size_t size;

	text.data = lua_tolstring(lua, -1, &text.size);
	size = text.size;
	if (!dal_utf8_valid(text)) {
		dal_buffer_text(out, "a string that is not UTF-8");
		return;
	}
	if (size > TEXT_BYTES) {
		for (size = TEXT_BYTES; ((unsigned char)text.data[size] & 0xC0) == 0x80; size--) {
		}
	}
	dal_json_append_string(out, dal_slice(text.data, size));
	dal_buffer_text(out, size < text.size ? "..." : "");
}

static void append_value(lua_State *lua, struct dal_buffer *out)
{
	switch (lua_type(lua, -1)) {
	case LUA_TSTRING:
		append_string(lua, out);
		break;
	case LUA_TTABLE:
		dal_buffer_text(out, "a table");
		break;
	case LUA_TFUNCTION:
		dal_buffer_text(out, "a function");
		break;
	case LUA_TUSERDATA:
		dal_buffer_text(out, dal_userdata_tag(lua, -1) == DAL_TAG_ENTRY
					     ? "an entry of a view"
					     : "a part of the event");
		break;
	default: /* nil, null, a boolean, a number */
		dal_buffer_text(out, dal_is_null(lua, -1) ? "null" : dal_library_tostring(lua, -1));
	}
}

static int when_body(lua_State *lua)
{
	bool passed;

	lua_call(lua, 1, 1);
	passed = lua_toboolean(lua, -1);
	append_value(lua, dal_sandbox_of(lua)->vm->json);
	lua_pushboolean(lua, passed);
	return 1;
}

int dal_vm_when_explained(struct dal_vm *vm, uint32_t rule, struct dal_buffer *returned)
{
	size_t size = returned->size;
	int64_t function;
	int r;

	DAL_ASSERT(rule < vm->rules->rule_count);
	function = vm->rules->rules[rule].when;
	if (function == 0) {
		return 0;
	}
	vm->json = returned;
	r = dal_vm_run(vm, DAL_PHASE_WHEN, when_body, function, 0);
	if (r == 0) {
		r = lua_toboolean(vm->sandbox.lua, -1) ? 0 : DAL_VM_NO;
		lua_pop(vm->sandbox.lua, 1);
	} else {
		returned->size = size;
	}
	return r;
}
