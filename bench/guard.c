/*
 * Lua on the hot path, one core: guards a second on two fields, folds a second of the customer
 * totals, emits a second. Prints one JSON object a line.
 *
 *	bench_guard [COUNT [guard|fold|emit]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/error.h"
#include "rules/rules.h"
#include "rules/vm.h"

static const char rules_text[] =
	"rule \"guard\" {\n"
	"  on = { type = \"order.placed\" },\n"
	"  when = function(event) return event.data.total > 1000 and event.data.country == "
	"\"FR\" end,\n"
	"  emit = function(event) return { type = \"order.flagged\", subject = event.subject, "
	"data = { total = event.data.total } } end,\n"
	"}\n"
	"projection \"customer-totals\" {\n"
	"  on = { type = \"order.placed\" },\n"
	"  key = \"data.customer\",\n"
	"  init = { orders = 0, total = 0, average = 0 },\n"
	"  fold = function(state, event)\n"
	"    local sign = event.type == \"order.placed\" and 1 or -1\n"
	"    state.orders = state.orders + sign\n"
	"    state.total = state.total + sign * event.data.total\n"
	"    state.average = state.orders > 0 and state.total / state.orders or 0\n"
	"    return state\n"
	"  end,\n"
	"}\n";

static const char event_text[] =
	"{\"specversion\":\"1.0\",\"id\":\"7d5c1d6e-8f9b-4f4e-9a57-0f2ac1ef6a01\","
	"\"source\":\"/shop/web\","
	"\"type\":\"order.placed\",\"subject\":\"o-10001\",\"time\":\"2026-11-24T10:13:26.123Z\","
	"\"data\":{\"customer\":\"c-4711\",\"total\":1200,\"country\":\"FR\",\"sku\":\"A-77\","
	"\"items\":[{\"sku\":\"A-77\",\"n\":2},{\"sku\":\"B-1\",\"n\":1}],\"note\":\"please ring "
	"twice\"}}";

enum work { GUARD, FOLD, EMIT, WORKS };
static const char *const names[WORKS] = {"guard", "fold", "emit"};

static int one(enum work work, struct dal_vm *vm, struct dal_vm_entry *entry)
{
	const struct dal_vm_emitted *emitted;
	size_t count;
	switch (work) {
	case GUARD:
		return dal_vm_when(vm, 0);
	case FOLD:
		return dal_vm_fold(vm, 0, entry);
	default:
		return dal_vm_emit(vm, 0, &emitted, &count);
	}
}

static void measure(enum work work, struct dal_vm *vm, const struct dal_event *event,
		    struct dal_vm_entry *entry, long count)
{
	int64_t start_us = dal_clock_thread_cpu_us();
	for (long i = 0; i < count; i++) {
		dal_vm_event(vm, event); /* a new event each time: no view is used twice */
		int r = one(work, vm, entry);
		DAL_ASSERT(r == 0);
	}
	double seconds = (double)(dal_clock_thread_cpu_us() - start_us) / 1e6;
	printf("{\"bench\":\"lua\",\"work\":\"%s\",\"count\":%ld,\"per_second\":%.0f}\n",
	       names[work], count, (double)count / seconds);
}

int main(int argc, char **argv)
{
	long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1000000;
	struct dal_rules_source source = {
		"rules/bench.lua", {rules_text, sizeof(rules_text) - 1}, DAL_RULES_RULES};
	struct dal_rules *rules;
	struct dal_errors errors = {0};
	struct dal_vm *vm;
	struct dal_event event;
	struct dal_json *json = dal_json_new();
	int r = dal_rules_load(&(struct dal_rules_options){.sources = &source, .count = 1}, &rules,
			       &errors, NULL);
	DAL_ASSERT(r == 0);
	r = dal_vm_new(&(struct dal_vm_options){.rules = rules}, &vm);
	DAL_ASSERT(r == 0);
	r = dal_json_parse(json, dal_slice_text(event_text), 0, NULL);
	DAL_ASSERT(r == 0);
	dal_event_view(&event, json);
	struct dal_vm_entry *entry = dal_vm_entry_new(vm, 0);
	for (int work = 0; work < WORKS; work++) {
		if (argc > 2 && strcmp(argv[2], names[work]) != 0) {
			continue;
		}
		measure((enum work)work, vm, &event, entry, count);
	}
	dal_vm_entry_free(entry);
	dal_vm_free(vm);
	dal_rules_unref(rules);
	dal_json_free(json);
	return 0;
}
