/* The evaluator's first half: a rule's guard, the payloads of its calls, what it emits. */
#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/stream/evaluator_private.h"

/* Reports what a machine says went wrong. 0, or DAL_EVALUATOR_HALT. */
static int rule_failed(struct dal_evaluator *e, const struct dal_rule *rule, const char *part,
		       struct dal_vm_failure failure)
{
	bool halt = rule->on_error == DAL_ON_ERROR_HALT;

	dal_evaluator_fail(e, &(struct dal_evaluator_failure){
				      .declaration = rule->name,
				      .part = part,
				      .message = failure.message,
				      .trace = failure.trace,
				      .effect = halt ? "halted" : "skipped",
				      .line = rule->line,
			      });
	return halt ? DAL_EVALUATOR_HALT : 0;
}

static int guard(struct dal_evaluator *e, uint32_t index, const struct dal_vm **asked)
{
	struct dal_vm *vm = e->vm;
	int r = dal_vm_when(vm, index);

	if (r == DAL_VM_LIMIT && (r = dal_evaluator_second(e, &vm)) == 0) {
		r = dal_vm_when(vm, index);
	}
	*asked = vm;
	return r;
}

static int input_lua(struct dal_evaluator *e, const struct dal_target *target,
		     const struct dal_vm **asked)
{
	struct dal_vm *vm = e->vm;
	size_t start = e->payloads.size;
	int r = dal_vm_call(vm, target->input_function, &e->payloads);

	if (r == DAL_VM_LIMIT && (r = dal_evaluator_second(e, &vm)) == 0) {
		e->payloads.size = start;
		r = dal_vm_call(vm, target->input_function, &e->payloads);
	}
	*asked = vm;
	return r;
}

/* Appends the payload of one call to e->payloads. */
static int payload(struct dal_evaluator *e, const struct dal_target *target,
		   const struct dal_vm **asked)
{
	switch (target->input) {
	case DAL_TARGET_EVENT:
		dal_buffer_slice_append(&e->payloads, e->batch->records[e->index].event);
		return 0;
	case DAL_TARGET_DATA:
		if (e->event.data == DAL_JSON_NONE) {
			dal_buffer_text(&e->payloads, "null");
		} else {
			dal_buffer_slice_append(&e->payloads, dal_json_raw(e->json, e->event.data));
		}
		return 0;
	default:
		return input_lua(e, target, asked);
	}
}

static void call_sink(struct dal_evaluator *e, const struct dal_rule *rule,
		      const struct dal_target *target, struct dal_slice bytes)
{
	struct dal_buffer order = {0};

	if (!e->sink->call) {
		return;
	}
	if (target->order) {
		uint32_t node = dal_path_find(target->order, e->json, DAL_JSON_ROOT);
		if (dal_key_text(e->json, node, &order) != 0) {
			dal_buffer_clear(&order); /* no such value: no order */
		}
	}
	e->sink->call(e->own, &e->event, rule, target, bytes, dal_buffer_slice(&order));
	dal_buffer_deinit(&order);
}

static int emits(struct dal_evaluator *e, uint32_t index, const struct dal_vm_emitted **list,
		 size_t *count, const struct dal_vm **asked)
{
	struct dal_vm *vm = e->vm;
	int r = dal_vm_emit(vm, index, list, count);

	if (r == DAL_VM_LIMIT && (r = dal_evaluator_second(e, &vm)) == 0) {
		r = dal_vm_emit(vm, index, list, count);
	}
	*asked = vm;
	return r;
}

enum { INPUT_FAILED = 2 }; /* reported; beside DAL_EVALUATOR_HALT */

/* All payloads first: a rule that fails half-way has no effect at all. */
static int payloads(struct dal_evaluator *e, const struct dal_rule *rule,
		    const struct dal_target **targets)
{
	const struct dal_vm *asked = e->vm;

	dal_buffer_clear(&e->payloads);
	for (size_t i = 0; targets[i]; i++) {
		int r = payload(e, targets[i], &asked);
		if (r < 0) {
			return r;
		}
		if (r != 0) {
			r = rule_failed(e, rule, "input", dal_vm_failure(asked));
			return r != 0 ? r : INPUT_FAILED;
		}
		e->payload_ends[i] = e->payloads.size;
	}
	return 0;
}

static int rule_effects(struct dal_evaluator *e, uint32_t index, const struct dal_rule *rule)
{
	const struct dal_target **targets = e->rule_targets[index];
	const struct dal_vm_emitted *list = NULL;
	const struct dal_vm *asked = e->vm;
	size_t count = 0, start = 0;
	int r;

	r = payloads(e, rule, targets);
	if (r != 0) {
		return r == INPUT_FAILED ? 0 : r;
	}
	r = rule->has_emit ? emits(e, index, &list, &count, &asked) : 0;
	if (r < 0) {
		return r;
	}
	if (r == DAL_VM_ERROR || r == DAL_VM_LIMIT) {
		return rule_failed(e, rule, "emit", dal_vm_failure(asked));
	}
	for (size_t i = 0; targets[i]; i++) {
		call_sink(e, rule, targets[i],
			  dal_slice(e->payloads.data + start, e->payload_ends[i] - start));
		start = e->payload_ends[i];
	}
	for (size_t i = 0; r == 0 && i < count && e->sink->emit; i++) {
		e->sink->emit(e->own, &e->event, rule, (uint32_t)i, &list[i]);
	}
	return 0;
}

int dal_evaluator_rule(struct dal_evaluator *e, uint32_t index)
{
	const struct dal_rule *rule = dal_rules_rule(e->rules, index);
	const struct dal_vm *asked = e->vm;
	int r;

	e->rule = index;
	if (!dal_evaluator_feeds(e, rule->topics, rule->system)) {
		return 0;
	}
	r = rule->has_when ? guard(e, index, &asked) : 0;
	if (r < 0) {
		return r;
	}
	if (r == DAL_VM_ERROR || r == DAL_VM_LIMIT) {
		return rule_failed(e, rule, "when", dal_vm_failure(asked));
	}
	if (e->sink->match) {
		e->sink->match(e->own, &e->event, rule, r == 0);
	}
	return r == 0 ? rule_effects(e, index, rule) : 0;
}

int dal_evaluator_call_only(struct dal_evaluator *e, const struct dal_rule *rule,
			    const struct dal_target *target)
{
	const struct dal_vm *asked = e->vm;
	int r;

	e->rule = (uint32_t)dal_rules_rule_index(e->rules, dal_slice_text(rule->name));
	dal_buffer_clear(&e->payloads);
	r = payload(e, target, &asked);
	if (r < 0) {
		return r;
	}
	if (r != 0) {
		return rule_failed(e, rule, "input", dal_vm_failure(asked));
	}
	call_sink(e, rule, target, dal_buffer_slice(&e->payloads));
	return 0;
}

int dal_evaluator_emit_only(struct dal_evaluator *e, uint32_t index)
{
	const struct dal_rule *rule = dal_rules_rule(e->rules, index);
	const struct dal_vm_emitted *list = NULL;
	const struct dal_vm *asked = e->vm;
	size_t count = 0;
	int r;

	e->rule = index;
	r = emits(e, index, &list, &count, &asked);
	if (r == DAL_VM_ERROR || r == DAL_VM_LIMIT) {
		return rule_failed(e, rule, "emit", dal_vm_failure(asked));
	}
	for (size_t i = 0; r == 0 && i < count && e->sink->emit; i++) {
		e->sink->emit(e->own, &e->event, rule, (uint32_t)i, &list[i]);
	}
	return r < 0 ? r : 0;
}
