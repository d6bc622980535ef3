/*
 * A Lua machine that runs what a rule set declares: guards, emits, inputs, keys, folds.
 *
 * A machine belongs to one thread. It loads the set's sources again (deterministic, some
 * microseconds a file), so a machine is cheap enough to make one for a second opinion. Every call
 * is bounded (promises.md: live and total memory, instructions, CPU time). What a memory or time
 * limit says can depend on what ran before: such a call gives DAL_VM_LIMIT, and the caller runs it
 * again in a fresh machine, whose verdict counts (there DAL_VM_LIMIT is an error).
 *
 * The current event is a read-only view on its tape; it is set once and valid for all calls until
 * the next `dal_vm_event`. Lua keeps no reference to it beyond that: a kept view raises an error.
 *
 * Entries are projection values as live Lua values, so that a hot key is not decoded for each
 * event. A fold changes its entry in place: after an error or DAL_VM_LIMIT the entry is undefined;
 * the caller frees it and makes it again from what is stored and the events since.
 */
#ifndef DAL_RULES_VM_H
#define DAL_RULES_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/event/event.h"
#include "rules/rules.h"

struct dal_coverage_lines;
struct dal_vm;
struct dal_vm_entry;

enum {
	DAL_VM_NO =
		1, /* the guard says no; a key or emit gives nothing; a fold deleted the entry */
	DAL_VM_ERROR = 2, /* dal_vm_failure says what */
	DAL_VM_LIMIT = 3, /* a memory or time limit: ask a fresh machine */
};

/* What a view callback may say beside 0; both raise in the script. */
enum {
	DAL_VM_VIEW_PARKED = 1,  /* the entry is parked */
	DAL_VM_VIEW_REFUSED = 2, /* this declaration may not read it (on Kafka: another lane's) */
};

struct dal_vm_options {
	struct dal_rules *rules; /* the machine takes a reference */
	/*
	 * view(): the entry of a projection as it was before this event. 0 with *entry (NULL: there
	 * is none); DAL_VM_VIEW_PARKED or DAL_VM_VIEW_REFUSED, `message` says why; negative: fatal.
	 * The entry stays the caller's and is read-only for Lua; it must not change during the
	 * call.
	 */
	int (*view)(void *own, uint32_t projection, struct dal_slice key,
		    const struct dal_vm_entry **entry, struct dal_buffer *message);
	void *own;
	bool unlimited_time;              /* no CPU-time line (tests of determinism, replay) */
	struct dal_coverage_lines *lines; /* rule tests: told of every line that runs; or NULL */
};

/* Negative, or 0. The set was loaded before, so nothing in it can be wrong. */
int dal_vm_new(const struct dal_vm_options *options, struct dal_vm **vm);
void dal_vm_free(struct dal_vm *vm); /* entries are freed before */

/* Sets the current event; it and its tape must stay until the next call. */
void dal_vm_event(struct dal_vm *vm, const struct dal_event *event);

struct dal_vm_failure {
	struct dal_slice message; /* with file:line; valid until the next call */
	struct dal_slice trace;
};

struct dal_vm_failure dal_vm_failure(const struct dal_vm *vm);

/* The guard of a rule. 0: let through (also if it has none). */
int dal_vm_when(struct dal_vm *vm, uint32_t rule);
/* The same, for people: appends what it returned, in words: `nil`, `false`, `7`, `a table`. */
int dal_vm_when_explained(struct dal_vm *vm, uint32_t rule, struct dal_buffer *returned);

struct dal_vm_emitted {
	struct dal_slice type, subject, partitionkey, source, topic; /* empty: not set */
	struct dal_slice data;                  /* canonical JSON, or empty: none */
	const struct dal_attribute *extensions; /* names and values checked */
	size_t extension_count;
};

/* What a rule emits. 0 with a list valid until the next call; DAL_VM_NO: nothing. Reserved types
 * and attributes, wrong names, too much: DAL_VM_ERROR. */
int dal_vm_emit(struct dal_vm *vm, uint32_t rule, const struct dal_vm_emitted **list,
		size_t *count);

/* A Lua function of another folder's declaration (`input`) on the event; its result as JSON,
 * appended. `function` is the declaration value's number. */
int dal_vm_call(struct dal_vm *vm, int64_t function, struct dal_buffer *json);

/* The keys of a projection for the event. 0 with slices valid until the next call; DAL_VM_NO: skip.
 */
int dal_vm_keys(struct dal_vm *vm, uint32_t projection, const struct dal_slice **keys,
		size_t *count);

/* An entry that is not there yet: its first fold gets a copy of `init`. */
struct dal_vm_entry *dal_vm_entry_new(struct dal_vm *vm, uint32_t projection);
/* From stored canonical JSON; negative if it is broken. */
int dal_vm_entry_decode(struct dal_vm *vm, uint32_t projection, struct dal_slice json,
			struct dal_vm_entry **entry);
void dal_vm_entry_free(struct dal_vm_entry *entry);
/* Is there a value (false: new, or deleted by its last fold)? */
bool dal_vm_entry_exists(const struct dal_vm_entry *entry);
/* Its canonical JSON, appended; sorted keys. Only if it exists. */
void dal_vm_entry_encode(const struct dal_vm_entry *entry, struct dal_buffer *json);

/* Folds the event into the entry. 0: it has a value; DAL_VM_NO: deleted; DAL_VM_ERROR (also for a
 * value that is not canonical), DAL_VM_LIMIT. */
int dal_vm_fold(struct dal_vm *vm, uint32_t projection, struct dal_vm_entry *entry);

#endif
