#include "rules/vm.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "rules/canonical.h"
#include "rules/library.h"
#include "rules/loader.h"
#include "rules/userdata.h"
#include "rules/vm_own.h"

int dal_vm_new(const struct dal_vm_options *options, struct dal_vm **out)
{
	struct dal_vm *vm = dal_calloc(1, sizeof(*vm));
	vm->options = *options;
	vm->rules = dal_rules_ref(options->rules);
	vm->limits = dal_sandbox_call_limits;
	if (options->unlimited_time) {
		vm->limits.cpu_us = 0;
	}
	vm->short_limits = vm->limits;
	vm->short_limits.short_run = true;
	vm->templates = dal_calloc(vm->rules->projection_count + 1, sizeof(*vm->templates));
	dal_sandbox_init(&vm->sandbox);
	vm->sandbox.lines = options->lines;
	struct dal_loader loader = {.sandbox = &vm->sandbox, .set = vm->rules};
	int r = dal_loader_run(&loader);
	if (r != 0) {
		dal_vm_free(vm);
		return -ENOMEM; /* the machine is overloaded: the same files were loaded before */
	}
	vm->sandbox.vm = vm;
	*out = vm;
	return 0;
}

void dal_vm_free(struct dal_vm *vm)
{
	if (vm == NULL) {
		return;
	}
	dal_sandbox_deinit(&vm->sandbox);
	dal_rules_unref(vm->rules);
	dal_buffer_deinit(&vm->key_text);
	dal_buffer_deinit(&vm->emitted.text);
	free(vm->emitted.items);
	free(vm->emitted.extensions);
	free(vm->keys);
	free(vm->templates);
	free(vm);
}

void dal_vm_event(struct dal_vm *vm, const struct dal_event *event)
{
	dal_event_view_set(&vm->sandbox, event);
}

struct dal_vm_failure dal_vm_failure(const struct dal_vm *vm)
{
	return (struct dal_vm_failure){dal_buffer_slice(&vm->sandbox.message),
				       dal_buffer_slice(&vm->sandbox.trace)};
}

/* Pushes the declared function and the event. */
static void push_call(struct dal_vm *vm, int64_t function)
{
	DAL_ASSERT(vm->sandbox.event != NULL);
	lua_rawgeti(vm->sandbox.lua, DAL_SLOT_FUNCTIONS, function);
	lua_pushvalue(vm->sandbox.lua, DAL_SLOT_EVENT);
}

static int outcome(struct dal_vm *vm, int r)
{
	if (r == 0) {
		return 0;
	}
	if (vm->fatal < 0) {
		return vm->fatal;
	}
	return r == DAL_SANDBOX_LIMIT ? DAL_VM_LIMIT : DAL_VM_ERROR;
}

static int call(struct dal_vm *vm, enum dal_phase phase, int64_t function, int arguments)
{
	bool is_short = vm->rules->functions[function - 1].is_short;
	vm->fatal = 0;
	vm->sandbox.phase = phase;
	return outcome(vm,
		       dal_sandbox_call(&vm->sandbox, is_short ? &vm->short_limits : &vm->limits,
					arguments, 1));
}

int dal_vm_run(struct dal_vm *vm, enum dal_phase phase, lua_CFunction body, int64_t function,
	       int more)
{
	lua_State *lua = vm->sandbox.lua;
	int first = lua_gettop(lua) - more + 1;
	lua_pushcfunction(lua, body);
	push_call(vm, function);
	if (more > 0) {
		lua_rotate(lua, first, 3);
	}
	return call(vm, phase, function, 2 + more);
}

int dal_vm_when(struct dal_vm *vm, uint32_t rule)
{
	lua_State *lua = vm->sandbox.lua;
	DAL_ASSERT(rule < vm->rules->rule_count);
	int64_t function = vm->rules->rules[rule].when;
	if (function == 0) {
		return 0;
	}
	push_call(vm, function);
	int r = call(vm, DAL_PHASE_WHEN, function, 1);
	if (r == 0) {
		r = lua_toboolean(lua, -1) ? 0 : DAL_VM_NO;
		lua_pop(lua, 1);
	}
	return r;
}

static int input_body(lua_State *lua)
{
	lua_call(lua, 1, 1);
	if (lua_isnil(lua, -1)) {
		lua_pop(lua, 1);
		dal_push_null(lua);
	}
	dal_canonical_write(lua, -1, "input", DAL_LIMIT_RESULT_BYTES,
			    dal_sandbox_of(lua)->vm->json);
	return 0;
}

int dal_vm_call(struct dal_vm *vm, int64_t function, struct dal_buffer *json)
{
	size_t size = json->size;
	DAL_ASSERT(function >= 1 && (size_t)function <= vm->rules->function_count);
	vm->json = json;
	int r = dal_vm_run(vm, DAL_PHASE_INPUT, input_body, function, 0);
	if (r == 0) {
		lua_pop(vm->sandbox.lua, 1);
	} else {
		json->size = size;
	}
	return r;
}

/* The engine's own code runs inside a call here: it is not the script's to pay for. */
static int ask(struct dal_vm *vm, uint32_t projection, struct dal_slice key,
	       const struct dal_vm_entry **entry, struct dal_buffer *message)
{
	struct dal_sandbox *sandbox = &vm->sandbox;
	const struct dal_sandbox_limits *limits = sandbox->limits;
	size_t live = sandbox->live, live_limit = sandbox->live_limit;
	size_t total = sandbox->total, total_limit = sandbox->total_limit;
	sandbox->limits = NULL;
	sandbox->live_limit = sandbox->total_limit = SIZE_MAX;
	int r = vm->options.view(vm->options.own, projection, key, entry, message);
	sandbox->limits = limits;
	sandbox->live_limit = live_limit == SIZE_MAX ? SIZE_MAX : live_limit - live + sandbox->live;
	sandbox->total = total;
	sandbox->total_limit = total_limit;
	return r;
}

static struct dal_slice view_key(lua_State *lua)
{
	struct dal_slice key = {0};
	lua_Integer integer = 0;
	switch (lua_type(lua, 2)) {
	case LUA_TNUMBER: /* as `key` makes it: whole floats are integers */
		if (!lua_isinteger(lua, 2)) {
			luaL_argcheck(lua,
				      lua_numbertointeger(lua_tonumber(lua, 2), &integer) &&
					      (lua_Number)integer == lua_tonumber(lua, 2),
				      2, "a key is a string, a whole number or a boolean");
			lua_pushinteger(lua, integer);
			lua_replace(lua, 2);
		}
		break;
	case LUA_TBOOLEAN:
		lua_pushstring(lua, lua_toboolean(lua, 2) ? "true" : "false");
		lua_replace(lua, 2);
		break;
	case LUA_TSTRING:
		break;
	default:
		luaL_argerror(lua, 2, "a key is a string, a whole number or a boolean");
	}
	key.data = lua_tolstring(lua, 2, &key.size);
	return key;
}

static int fail_view(lua_State *lua, struct dal_vm *vm, int r, const char *name)
{
	struct dal_buffer *message = &vm->sandbox.scratch;
	if (r < 0) {
		vm->fatal = r;
		return luaL_error(lua, "view: the entry can't be read");
	}
	return luaL_error(lua, "view: %s %s: %s", name,
			  r == DAL_VM_VIEW_REFUSED ? "can't be read here" : "is parked",
			  dal_buffer_cstr(message));
}

/* view(projection, key): offered to all files as a global. */
int dal_vm_view(lua_State *lua)
{
	struct dal_sandbox *sandbox = dal_sandbox_of(lua);
	static const char *const refused[] = {[DAL_PHASE_LOAD] = "a file that is loaded",
					      [DAL_PHASE_KEY] = "key",
					      [DAL_PHASE_FOLD] = "fold"};
	size_t place = sandbox->phase;
	if (place < sizeof(refused) / sizeof(refused[0]) && refused[place] != NULL) {
		return luaL_error(lua, "%s can't call view: it works in when, emit and input",
				  refused[place]);
	}
	struct dal_vm *vm = sandbox->vm;
	struct dal_slice name;
	lua_settop(lua, 2);
	name.data = luaL_checklstring(lua, 1, &name.size);
	long projection = dal_rules_projection_index(vm->rules, name);
	if (projection < 0) {
		return luaL_error(lua, "view: %s is no projection of this app", name.data);
	}
	if (lua_isnil(lua, 2) || dal_is_null(lua, 2)) {
		return 0; /* no key, no entry */
	}
	const struct dal_vm_entry *entry = NULL;
	dal_buffer_clear(&sandbox->scratch);
	dal_sandbox_charge(lua, 20);
	int r = vm->options.view != NULL
			? ask(vm, (uint32_t)projection, view_key(lua), &entry, &sandbox->scratch)
			: 0;
	if (r != 0) {
		return fail_view(lua, vm, r, name.data);
	}
	if (entry == NULL || !dal_vm_entry_exists(entry)) {
		return 0;
	}
	dal_vm_entry_push(entry);
	dal_entry_view_wrap(lua);
	return 1;
}
