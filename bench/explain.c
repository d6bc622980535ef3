/*
 * What an explanation of all rules costs: patterns alone, the whole JSON answer, and a machine for
 * guards, in CPU time. RULES rules of an app of orders, on one event; prints one JSON object.
 *
 *	build/bench/bench_explain [RULES] [FIELDS]   10000 rules, an event with 20 more fields
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/api/explanation.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"

enum { TIMES = 21 };

static void put_rule(struct dal_buffer *out, long i, long fields)
{
	static const char *const types[] = {"placed",   "shipped", "cancelled", "paid",
					    "returned", "Placed",  "plced",     "packed"};
	static const char *const countries[] = {"FR", "DE", "IT", "ES", "fr"};

	dal_buffer_printf(out,
			  "rule \"r%ld\" { on = { type = \"order.%s\", data = { total = "
			  "numeric(\">=\", %ld), country = { \"%s\", \"%s\" },\n"
			  "  sku = prefix \"A-%ld\", %s%ld = %ld, items = { sku = \"S%ld\", n = "
			  "%ld } } },\n",
			  i, types[i % 8], i % 5000, countries[i % 5], countries[(i + 2) % 5],
			  i % 90, i % 3 ? "field" : "Field", i % (fields > 0 ? fields : 1), i,
			  i % 10, i % 4);
	dal_buffer_printf(out,
			  "  when = function(event) return event.data.total > %ld end,\n"
			  "  emit = function(event) return { type = \"x\" } end }\n",
			  i % 2000);
}

static struct dal_rules *load(long count, long fields)
{
	struct dal_buffer *texts = dal_calloc((size_t)count / 500 + 1, sizeof(*texts));
	struct dal_rules_source *sources = dal_calloc((size_t)count / 500 + 1, sizeof(*sources));
	struct dal_errors errors = {0};
	struct dal_rules *rules = NULL;
	size_t files = 0;

	for (long i = 0; i < count; i++) {
		put_rule(&texts[i / 500], i, fields);
	}
	for (; files < ((size_t)count + 499) / 500; files++) {
		sources[files] = (struct dal_rules_source){dal_asprintf("rules/%zu.lua", files),
							   dal_buffer_slice(&texts[files]),
							   DAL_RULES_RULES};
	}
	if (dal_rules_load(&(struct dal_rules_options){.sources = sources, .count = files}, &rules,
			   &errors, NULL) != 0) {
		fprintf(stderr, "%s:%d: %s\n", errors.items[0].file, errors.items[0].line,
			errors.items[0].text);
		exit(1);
	}
	return rules; /* what it was made of stays: the process ends soon */
}

static void event_make(struct dal_event *event, struct dal_json *json, long fields)
{
	struct dal_buffer text = {0};

	dal_buffer_text(&text,
			"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/shop\",\"type\":"
			"\"order.placed\",\"subject\":\"o-1\",\"data\":{\"customer\":\"c1\","
			"\"total\":2499,\"country\":\"FR\",\"sku\":\"A-77\",\"items\":[{\"sku\":"
			"\"S1\",\"n\":2},{\"sku\":\"S2\",\"n\":1}]");
	for (long i = 0; i < fields; i++) {
		dal_buffer_printf(&text, ",\"field%ld\":%ld", i, i);
	}
	dal_buffer_text(&text, "}}");
	DAL_ASSERT(dal_json_parse(json, dal_buffer_slice(&text), 0, NULL) == 0);
	dal_event_view(event, json);
	event->place.topic = dal_slice_text(DAL_TOPIC_EVENTS);
	dal_buffer_deinit(&text);
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

static double median_ms(int64_t *times_us)
{
	qsort(times_us, TIMES, sizeof(*times_us), compare);
	return (double)times_us[TIMES / 2] / 1000;
}

/* How long it takes to find out who came nearest. */
static double rank_ms(const struct dal_rules *rules, const struct dal_event *event)
{
	size_t count = dal_rules_rule_count(rules);
	uint32_t *order = dal_calloc(count + 1, sizeof(*order));
	int64_t times_us[TIMES];

	for (int i = 0; i < TIMES; i++) {
		int64_t since = dal_clock_thread_cpu_us();
		struct dal_reasons *reasons = dal_reasons_new(rules, event);
		dal_reasons_rank(reasons, 0, count, order);
		dal_reasons_free(reasons);
		times_us[i] = dal_clock_thread_cpu_us() - since;
	}
	free(order);
	return median_ms(times_us);
}

static double answer_ms(struct dal_rules *rules, const struct dal_event *event,
			struct dal_guards *guards, size_t limit, size_t *bytes)
{
	int64_t times_us[TIMES];

	for (int i = 0; i < TIMES; i++) {
		struct dal_buffer out = {0};
		int64_t since = dal_clock_thread_cpu_us();
		struct dal_explanation *explanation = dal_explanation_new(
			&(struct dal_explanation_options){.rules = rules,
							  .event = event,
							  .limit = limit,
							  .guards = guards,
							  .note = "empty"});
		while (dal_explanation_put(explanation, &out)) {
		}
		dal_explanation_free(explanation);
		times_us[i] = dal_clock_thread_cpu_us() - since;
		*bytes = out.size;
		dal_buffer_deinit(&out);
	}
	return median_ms(times_us);
}

static double machine_ms(struct dal_rules *rules)
{
	int64_t since = dal_clock_thread_cpu_us();
	struct dal_vm *vm;

	DAL_ASSERT(dal_vm_new(&(struct dal_vm_options){.rules = rules}, &vm) == 0);
	dal_vm_free(vm);
	return (double)(dal_clock_thread_cpu_us() - since) / 1000;
}

int main(int argc, char **argv)
{
	long count = argc > 1 ? strtol(argv[1], NULL, 10) : 10000;
	long fields = argc > 2 ? strtol(argv[2], NULL, 10) : 20;
	struct dal_rules *rules = load(count, fields);
	struct dal_guards *guards = dal_guards_new();
	struct dal_json *json = dal_json_new();
	struct dal_event event;
	double machine, rank, top, all;
	size_t bytes;

	event_make(&event, json, fields);
	machine = machine_ms(rules);
	rank = rank_ms(rules, &event);
	top = answer_ms(rules, &event, guards, 20, &bytes);
	all = answer_ms(rules, &event, guards, SIZE_MAX, &bytes);
	printf("{\"bench\":\"explain\",\"rules\":%ld,\"fields\":%ld,\"rank_ms\":%.1f,\"top_20_ms\":"
	       "%.1f,\"all_ms\":%.1f,\"all_bytes\":%zu,\"machine_ms\":%.1f}\n",
	       count, fields, rank, top, all, bytes, machine);
	dal_guards_free(guards);
	dal_json_free(json);
	dal_rules_unref(rules);
	return 0;
}
