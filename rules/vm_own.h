/* The machine as it is inside: shared by vm.c, vm_emit.c, vm_keys.c and entry.c. Private to rules.
 */
#ifndef DAL_RULES_VM_OWN_H
#define DAL_RULES_VM_OWN_H

#include "rules/sandbox.h"
#include "rules/set.h"
#include "rules/vm.h"

struct dal_vm_list {
	struct dal_vm_emitted *items;
	size_t count, capacity;
	struct dal_attribute *extensions; /* of all events, in their order */
	size_t extension_count, extension_capacity;
	struct dal_buffer text;
};

struct dal_vm {
	struct dal_sandbox sandbox;
	struct dal_rules *rules;
	struct dal_vm_options options;
	struct dal_sandbox_limits limits,
		short_limits; /* the latter for functions that are short */
	int *templates;       /* one a projection: a reference to `init`, 0: not made yet */
	int fatal;            /* what a callback said */

	struct dal_slice *keys;
	size_t key_count, key_capacity;
	struct dal_buffer key_text;
	struct dal_vm_list emitted;
	struct dal_buffer *json; /* where dal_vm_call writes */
};

/*
 * Runs `body`, a C function that gets the declared function and the event, with `more` values that
 * are on the stack behind them. 0 with one result on the stack, or an outcome of vm.h.
 */
int dal_vm_run(struct dal_vm *vm, enum dal_phase phase, lua_CFunction body, int64_t function,
	       int more);
/* Pushes the table of live values. */
void dal_vm_values(lua_State *lua);

/* In entry.c: the value of an entry, or nil. */
void dal_vm_entry_push(const struct dal_vm_entry *entry);

#endif
