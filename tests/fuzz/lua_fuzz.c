/*
 * Text as a rule file: it loads or is refused; what loads runs on one event and ends within bounds,
 * and reads no view but those that its code was said to read.
 */
#include <stdint.h>
#include <stdlib.h>

#include "engine/base/error.h"
#include "rules/rules.h"
#include "rules/vm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char event_text[] =
	"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"subject\":\"u\","
	"\"data\":{\"k\":\"a\",\"n\":5,\"f\":1.5,\"z\":null,"
	"\"list\":[1,\"x\",{\"y\":[]}],\"o\":{}}}";

/* Whose functions run. */
struct running {
	struct dal_rules *rules;
	uint32_t rule;
};

static int on_view(void *own, uint32_t projection, struct dal_slice key,
		   const struct dal_vm_entry **entry, struct dal_buffer *message)
{
	const struct running *running = own;
	const struct dal_reads *reads = dal_rules_reads(running->rules, running->rule);
	bool told = reads->any;
	(void)key;
	(void)message;
	for (size_t i = 0; i < reads->count; i++) {
		told = told || reads->projections[i] == projection;
	}
	DAL_ASSERT(told);
	*entry = NULL;
	return 0;
}

static void run_rule(struct dal_vm *vm, uint32_t rule, struct running *running)
{
	const struct dal_vm_emitted *emitted;
	size_t count;
	running->rule = rule;
	dal_vm_when(vm, rule);
	dal_vm_emit(vm, rule, &emitted, &count);
}

static void run_projection(struct dal_vm *vm, uint32_t projection)
{
	const struct dal_slice *keys;
	size_t count;
	struct dal_buffer json = {0}, again = {0};
	struct dal_vm_entry *read;
	dal_vm_keys(vm, projection, &keys, &count);
	struct dal_vm_entry *entry = dal_vm_entry_new(vm, projection);
	if (dal_vm_fold(vm, projection, entry) == 0 && dal_vm_fold(vm, projection, entry) == 0) {
		/* What was folded is canonical: encode, decode, encode is the identity. */
		dal_vm_entry_encode(entry, &json);
		int r = dal_vm_entry_decode(vm, projection, dal_buffer_slice(&json), &read);
		DAL_ASSERT(r == 0);
		dal_vm_entry_encode(read, &again);
		DAL_ASSERT(dal_slice_equal(dal_buffer_slice(&json), dal_buffer_slice(&again)));
		dal_vm_entry_free(read);
	}
	dal_vm_entry_free(entry);
	dal_buffer_deinit(&json);
	dal_buffer_deinit(&again);
}

static void run(struct dal_rules *rules)
{
	struct dal_vm *vm;
	struct dal_event event;
	struct running running = {.rules = rules};
	struct dal_vm_options options = {.rules = rules, .view = on_view, .own = &running};
	struct dal_json *json = dal_json_new();
	int r = dal_json_parse(json, dal_slice_text(event_text), 0, NULL);
	DAL_ASSERT(r == 0);
	dal_event_view(&event, json);
	if (dal_vm_new(&options, &vm) == 0) {
		dal_vm_event(vm, &event);
		for (size_t i = 0; i < dal_rules_rule_count(rules) && i < 3; i++) {
			run_rule(vm, (uint32_t)i, &running);
		}
		for (size_t i = 0; i < dal_rules_projection_count(rules) && i < 3; i++) {
			run_projection(vm, (uint32_t)i);
		}
		dal_vm_free(vm);
	}
	dal_json_free(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dal_rules *rules = NULL;
	struct dal_errors errors = {0};
	struct dal_rules_source source = {"rules/fuzz.lua", dal_slice(data, size), DAL_RULES_RULES};
	struct dal_rules_options options = {.sources = &source, .count = 1};
	if (dal_rules_load(&options, &rules, &errors, NULL) == 0) {
		run(rules);
	}
	dal_rules_unref(rules);
	dal_errors_deinit(&errors);
	return 0;
}
