#include "engine/app/watch.h"

#include <stdatomic.h>
#include <stdio.h>

#include "engine/base/logger.h"
#include "engine/base/memory.h"
#include "engine/base/metrics.h"

struct counts {
	atomic_uint_fast64_t matched, passed, failed;
	struct dal_metric *matched_metric, *failed_metric;
};

struct dal_watch {
	const struct dal_app *app;
	bool print;
	struct counts *rules; /* by index */
	size_t count;
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

struct dal_watch *dal_watch_new(const struct dal_app *app, bool print)
{
	struct dal_watch *watch = dal_calloc(1, sizeof(*watch));

	watch->app = app;
	watch->print = print;
	watch->count = dal_rules_rule_count(app->rules);
	watch->rules = dal_calloc(watch->count + 1, sizeof(*watch->rules));
	for (size_t i = 0; i < watch->count; i++) {
		rule_metrics(&watch->rules[i], dal_rules_rule(app->rules, i)->name);
	}
	return watch;
}

void dal_watch_free(struct dal_watch *watch)
{
	if (watch) {
		free(watch->rules);
		free(watch);
	}
}

static struct counts *counts_of(struct dal_watch *watch, const char *rule)
{
	long index = dal_rules_rule_index(watch->app->rules, dal_slice_text(rule));

	return index < 0 ? NULL : &watch->rules[index];
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
	struct dal_watch *watch = own;
	struct counts *counts = counts_of(watch, rule->name);

	atomic_fetch_add_explicit(&counts->matched, 1, memory_order_relaxed);
	if (passed) {
		atomic_fetch_add_explicit(&counts->passed, 1, memory_order_relaxed);
		dal_metric_add(counts->matched_metric, 1);
	}
	if (watch->print) {
		print_line(event, "match", "rule %s%s", rule->name,
			   passed ? "" : ": its guard says no");
	}
}

static void on_call(void *own, const struct dal_event *event, const struct dal_rule *rule,
		    const struct dal_target *target, struct dal_slice payload,
		    struct dal_slice order)
{
	struct dal_watch *watch = own;

	(void)order;
	if (watch->print) {
		print_line(event, "call", "rule %s calls %s with %zu bytes", rule->name,
			   target->name, payload.size);
	}
}

static void on_emit(void *own, const struct dal_event *event, const struct dal_rule *rule,
		    uint32_t index, const struct dal_vm_emitted *emitted)
{
	struct dal_watch *watch = own;

	(void)index;
	if (watch->print) {
		print_line(event, "emit", "rule %s emits %.*s", rule->name, (int)emitted->type.size,
			   emitted->type.data);
	}
}

static void on_fail(void *own, const struct dal_event *event,
		    const struct dal_evaluator_failure *failure)
{
	struct dal_watch *watch = own;
	struct counts *counts = failure->projection ? NULL : counts_of(watch, failure->declaration);

	if (counts) {
		atomic_fetch_add_explicit(&counts->failed, 1, memory_order_relaxed);
		dal_metric_add(counts->failed_metric, 1);
	}
	if (watch->print) {
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

void dal_watch_counters(struct dal_watch *watch, size_t rule, struct dal_rule_counters *counters)
{
	struct counts *counts = &watch->rules[rule];

	*counters = (struct dal_rule_counters){
		.matched = atomic_load_explicit(&counts->matched, memory_order_relaxed),
		.passed = atomic_load_explicit(&counts->passed, memory_order_relaxed),
		.failed = atomic_load_explicit(&counts->failed, memory_order_relaxed),
	};
}
