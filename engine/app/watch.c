#include "engine/app/watch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "engine/base/logger.h"
#include "engine/base/map.h"
#include "engine/base/memory.h"
#include "engine/base/metrics.h"

struct counts {
	atomic_uint_fast64_t matched, passed, failed;
	struct dal_metric *matched_metric, *failed_metric;
};

struct dal_watch {
	bool print;
	pthread_mutex_t lock;
	struct dal_map *rules; /* counts by name */
};

struct dal_watch_rules {
	struct dal_watch *watch;
	const struct dal_rules *rules;
	struct counts **counts; /* by index; the watch's */
};

static void rule_metrics(struct counts *counts, const char *name)
{
	struct dal_buffer label = {0};

	dal_buffer_text(&label, "rule=\"");
	dal_metric_escape(dal_slice_text(name), &label);
	dal_buffer_text(&label, "\"");
	counts->matched_metric = dal_metric_counter("dalamb_rule_matches_total",
						    "Events that a rule let through.",
						    dal_buffer_cstr(&label));
	counts->failed_metric = dal_metric_counter("dalamb_rule_failures_total",
						   "Errors of a rule's guard, emit or input.",
						   dal_buffer_cstr(&label));
	dal_buffer_deinit(&label);
}

struct dal_watch *dal_watch_new(bool print)
{
	struct dal_watch *watch = dal_calloc(1, sizeof(*watch));

	watch->print = print;
	watch->rules = dal_map_new();
	pthread_mutex_init(&watch->lock, NULL);
	return watch;
}

void dal_watch_free(struct dal_watch *watch)
{
	struct dal_slice name;
	size_t cursor = 0;
	void *counts;

	if (!watch) {
		return;
	}
	while (dal_map_next(watch->rules, &cursor, &name, &counts)) {
		free(counts);
	}
	dal_map_free(watch->rules);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}

static struct counts *counts_find(struct dal_watch *watch, const char *rule, bool make)
{
	struct counts *counts;

	pthread_mutex_lock(&watch->lock);
	counts = dal_map_get(watch->rules, dal_slice_text(rule));
	if (!counts && make) {
		counts = dal_calloc(1, sizeof(*counts));
		rule_metrics(counts, rule);
		dal_map_set(watch->rules, dal_slice_text(rule), counts);
	}
	pthread_mutex_unlock(&watch->lock);
	return counts;
}

struct dal_watch_rules *dal_watch_rules_new(struct dal_watch *watch, const struct dal_rules *rules)
{
	struct dal_watch_rules *out = dal_calloc(1, sizeof(*out));
	size_t count = dal_rules_rule_count(rules);

	out->watch = watch;
	out->rules = rules;
	out->counts = dal_calloc(count + 1, sizeof(struct counts *));
	for (size_t i = 0; i < count; i++) {
		out->counts[i] = counts_find(watch, dal_rules_rule(rules, i)->name, true);
	}
	return out;
}

void dal_watch_rules_free(struct dal_watch_rules *rules)
{
	if (rules) {
		free(rules->counts);
		free(rules);
	}
}

static struct counts *counts_of(const struct dal_watch_rules *rules, const char *rule)
{
	long index = dal_rules_rule_index(rules->rules, dal_slice_text(rule));

	return index < 0 ? NULL : rules->counts[index];
}

/* The workers of all lanes print: a line is one call. */
static void print_line(const struct dal_event *event, const char *what, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void print_line(const struct dal_event *event, const char *what, const char *format, ...)
{
	struct dal_buffer line = {0};
	va_list args;

	dal_buffer_printf(&line, "%-7s ", what);
	dal_place_format(&event->place, &line);
	dal_buffer_text(&line, "    ");
	va_start(args, format);
	dal_buffer_vprintf(&line, format, args);
	va_end(args);
	printf("%s\n", dal_buffer_cstr(&line));
	fflush(stdout);
	dal_buffer_deinit(&line);
}

static void on_match(void *own, const struct dal_event *event, const struct dal_rule *rule,
		     bool passed)
{
	struct dal_watch_rules *rules = own;
	struct counts *counts = counts_of(rules, rule->name);

	atomic_fetch_add_explicit(&counts->matched, 1, memory_order_relaxed);
	if (passed) {
		atomic_fetch_add_explicit(&counts->passed, 1, memory_order_relaxed);
		dal_metric_add(counts->matched_metric, 1);
	}
	if (rules->watch->print) {
		print_line(event, "match", "rule %s%s", rule->name,
			   passed ? "" : ": its guard says no");
	}
}

static void on_call(void *own, const struct dal_event *event, const struct dal_rule *rule,
		    const struct dal_target *target, struct dal_slice payload,
		    struct dal_slice order)
{
	struct dal_watch_rules *rules = own;

	(void)order;
	if (rules->watch->print) {
		print_line(event, "call", "rule %s calls %s with %zu bytes", rule->name,
			   target->name, payload.size);
	}
}

static void on_emit(void *own, const struct dal_event *event, const struct dal_rule *rule,
		    uint32_t index, const struct dal_vm_emitted *emitted)
{
	struct dal_watch_rules *rules = own;

	(void)index;
	if (rules->watch->print) {
		print_line(event, "emit", "rule %s emits %.*s", rule->name, (int)emitted->type.size,
			   emitted->type.data);
	}
}

static void on_fail(void *own, const struct dal_event *event,
		    const struct dal_evaluator_failure *failure)
{
	struct dal_watch_rules *rules = own;
	struct counts *counts = failure->projection ? NULL : counts_of(rules, failure->declaration);

	if (counts) {
		atomic_fetch_add_explicit(&counts->failed, 1, memory_order_relaxed);
		dal_metric_add(counts->failed_metric, 1);
	}
	if (rules->watch->print) {
		print_line(event, "error", "%s %s, %s: %.*s (%s)",
			   failure->projection ? "projection" : "rule", failure->declaration,
			   failure->part, (int)failure->message.size, failure->message.data,
			   failure->effect);
	}
}

const struct dal_evaluator_sink dal_watch_sink = {
	.match = on_match,
	.call = on_call,
	.emit = on_emit,
	.fail = on_fail,
};

void dal_watch_invocation(struct dal_watch *watch, const struct dal_invocation *invocation)
{
	static const char *const words[] = {
		[DAL_INVOKE_SUCCEEDED] = "ok",          [DAL_INVOKE_FAILED] = "failed",
		[DAL_INVOKE_TIMEOUT] = "timed out",     [DAL_INVOKE_CRASHED] = "crashed",
		[DAL_INVOKE_INIT] = "did not start",    [DAL_INVOKE_TOO_LARGE] = "result too large",
		[DAL_INVOKE_GONE] = "no such function", [DAL_INVOKE_UNAVAILABLE] = "can't run here",
		[DAL_INVOKE_CANCELLED] = "cancelled",
	};

	if (!watch->print) {
		return;
	}
	printf("invoke  %.*s  %s in %.1f ms%s%s%.*s\n", (int)invocation->function.size,
	       invocation->function.data, words[invocation->outcome],
	       (double)invocation->duration_us / 1000, invocation->cold ? " (cold)" : "",
	       invocation->error_message.size > 0 ? ": " : "", (int)invocation->error_message.size,
	       invocation->error_message.data);
	fflush(stdout);
}

void dal_watch_counters(struct dal_watch *watch, const char *rule,
			struct dal_rule_counters *counters)
{
	struct counts *counts = counts_find(watch, rule, false);

	*counters = (struct dal_rule_counters){0};
	if (counts) {
		counters->matched = atomic_load_explicit(&counts->matched, memory_order_relaxed);
		counters->passed = atomic_load_explicit(&counts->passed, memory_order_relaxed);
		counters->failed = atomic_load_explicit(&counts->failed, memory_order_relaxed);
	}
}
