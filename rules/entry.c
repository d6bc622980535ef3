/* Live entries: values of projections that stay in Lua between events, and their fold. */
#include <errno.h>
#include <stdlib.h>

#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "rules/canonical.h"
#include "rules/library.h"
#include "rules/vm_own.h"

static const char values_key;

struct dal_vm_entry {
	struct dal_vm *vm;
	int reference; /* into the table of values; LUA_NOREF: there is none */
	uint32_t projection;
};

/* Entries are also made while a script waits in view(), so the stack's slots can't be used here. */
void dal_vm_values(lua_State *lua)
{
	if (lua_rawgetp(lua, LUA_REGISTRYINDEX, &values_key) == LUA_TNIL) {
		lua_pop(lua, 1);
		lua_newtable(lua);
		lua_pushvalue(lua, -1);
		lua_rawsetp(lua, LUA_REGISTRYINDEX, &values_key);
	}
}

/* The value on top becomes the one behind *reference; it is popped. */
static void keep(lua_State *lua, int *reference)
{
	dal_vm_values(lua);
	lua_insert(lua, -2);
	if (*reference > 0) {
		lua_rawseti(lua, -2, *reference);
	} else {
		*reference = luaL_ref(lua, -2);
	}
	lua_pop(lua, 1);
}

static void drop(struct dal_vm_entry *entry)
{
	if (entry->reference > 0) {
		lua_State *lua = entry->vm->sandbox.lua;
		dal_vm_values(lua);
		luaL_unref(lua, -1, entry->reference);
		lua_pop(lua, 1);
	}
	entry->reference = LUA_NOREF;
}

static struct dal_vm_entry *entry_new(struct dal_vm *vm, uint32_t projection)
{
	DAL_ASSERT(projection < vm->rules->projection_count);
	struct dal_vm_entry *entry = dal_malloc(sizeof(*entry));
	*entry = (struct dal_vm_entry){vm, LUA_NOREF, projection};
	return entry;
}

struct dal_vm_entry *dal_vm_entry_new(struct dal_vm *vm, uint32_t projection)
{
	return entry_new(vm, projection);
}

/* Pushes JSON as a Lua value; false if it is broken. */
static bool push_json(struct dal_vm *vm, struct dal_slice json)
{
	struct dal_sandbox *sandbox = &vm->sandbox;
	if (sandbox->json == NULL) {
		sandbox->json = dal_json_new();
	}
	if (dal_json_parse(sandbox->json, json, DAL_JSON_TRUSTED, NULL) != 0) {
		return false;
	}
	dal_canonical_push(sandbox->lua, sandbox->json, DAL_JSON_ROOT);
	return true;
}

int dal_vm_entry_decode(struct dal_vm *vm, uint32_t projection, struct dal_slice json,
			struct dal_vm_entry **out)
{
	if (!push_json(vm, json)) {
		return -EBADMSG;
	}
	struct dal_vm_entry *entry = entry_new(vm, projection);
	keep(vm->sandbox.lua, &entry->reference);
	*out = entry;
	return 0;
}

void dal_vm_entry_free(struct dal_vm_entry *entry)
{
	if (entry != NULL) {
		drop(entry);
		free(entry);
	}
}

bool dal_vm_entry_exists(const struct dal_vm_entry *entry)
{
	return entry->reference > 0;
}

void dal_vm_entry_push(const struct dal_vm_entry *entry)
{
	lua_State *lua = entry->vm->sandbox.lua;
	if (entry->reference <= 0) {
		lua_pushnil(lua);
		return;
	}
	dal_vm_values(lua);
	lua_rawgeti(lua, -1, entry->reference);
	lua_remove(lua, -2);
}

void dal_vm_entry_encode(const struct dal_vm_entry *entry, struct dal_buffer *json)
{
	lua_State *lua = entry->vm->sandbox.lua;
	DAL_ASSERT(dal_vm_entry_exists(entry));
	dal_vm_entry_push(entry);
	dal_canonical_write(lua, -1, "state", SIZE_MAX, json);
	lua_pop(lua, 1);
}

/* Pushes a copy of the projection's init, or nil. */
static void push_init(struct dal_vm *vm, uint32_t projection)
{
	lua_State *lua = vm->sandbox.lua;
	struct dal_slice init = vm->rules->projections[projection].projection.init;
	if (init.size == 0) {
		lua_pushnil(lua);
		return;
	}
	int *template = &vm->templates[projection];
	if (*template == 0) {
		bool ok = push_json(vm, init);
		DAL_ASSERT(ok);
		keep(lua, template);
	}
	dal_vm_values(lua);
	lua_rawgeti(lua, -1, *template);
	dal_canonical_copy(lua, -1);
	lua_replace(lua, -3);
	lua_pop(lua, 1);
}

/* Gets the fold, the event and the state. */
static int fold_body(lua_State *lua)
{
	lua_insert(lua, 2); /* fold, state, event */
	lua_call(lua, 2, 1);
	if (!lua_isnil(lua, -1)) {
		dal_canonical_keep(lua, "state");
	}
	return 1;
}

int dal_vm_fold(struct dal_vm *vm, uint32_t projection, struct dal_vm_entry *entry)
{
	lua_State *lua = vm->sandbox.lua;
	DAL_ASSERT(entry->vm == vm && entry->projection == projection);
	if (entry->reference > 0) {
		dal_vm_entry_push(entry);
	} else {
		/* Deleted and new are the same: what was deleted begins again. */
		push_init(vm, projection);
	}
	int r = dal_vm_run(vm, DAL_PHASE_FOLD, fold_body, vm->rules->projections[projection].fold,
			   1);
	if (r != 0) {
		return r;
	}
	if (lua_isnil(lua, -1)) {
		lua_pop(lua, 1);
		drop(entry);
		return DAL_VM_NO;
	}
	keep(lua, &entry->reference);
	return 0;
}
