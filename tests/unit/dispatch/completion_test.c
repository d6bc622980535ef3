/* How a row ended, as an event: it reads back as a CloudEvent with what events.md promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/dispatch/completion.h"
#include "engine/event/event.h"

static const struct dal_row row = {
	.id = {.log = DAL_SLICE_LITERAL("log"),
	       .cause = {DAL_SLICE_LITERAL("events"), 0, 17},
	       .declaration = DAL_SLICE_LITERAL("rule"),
	       .target = DAL_SLICE_LITERAL("f"),
	       .index = 0},
	.function = DAL_SLICE_LITERAL("f"),
	.subject = DAL_SLICE_LITERAL("order-1"),
	.hops = 3,
};

static void text(struct dal_buffer *buffer, const char *value)
{
	dal_buffer_text(buffer, value);
}

/* The event's attribute or, with a dot in front, a member of its data, as raw JSON. */
static void expect(const struct dal_event *event, const char *name, const char *json)
{
	uint32_t node = name[0] == '.'
				? dal_json_find(event->json, event->data, dal_slice_text(name + 1))
				: dal_event_attribute(event, dal_slice_text(name));
	char *found;

	if (!json) {
		assert_int_equal(node, DAL_JSON_NONE);
		return;
	}
	assert_int_not_equal(node, DAL_JSON_NONE);
	found = dal_slice_dup(dal_json_raw(event->json, node));
	assert_string_equal(found, json);
	free(found);
}

static void build(struct dal_json *json, struct dal_buffer *out, const struct dal_row *of,
		  const struct dal_outcome *outcome, const char *reason, struct dal_event *event)
{
	struct dal_error error;

	dal_buffer_clear(out);
	dal_completion_build("shop", of, outcome, reason, 256, out);
	assert_int_equal(dal_json_parse(json, dal_buffer_slice(out), 0, NULL), 0);
	assert_int_equal(dal_event_read(event, json, &error), 0);
	assert_true(event->reserved);
}

static void success_has_result_and_measures(void **own)
{
	struct dal_json *json = dal_json_new();
	struct dal_buffer out = {0};
	struct dal_event event;
	struct dal_outcome outcome = {.outcome = DAL_INVOKE_SUCCEEDED,
				      .version = "abc",
				      .request = "req",
				      .cold = true,
				      .started_us = 1700000000000000,
				      .duration_us = 1500,
				      .memory_mb = -1,
				      .cpu_us = 2500};

	(void)own;
	text(&outcome.result, "{\"risk\": 0.9}");
	build(json, &out, &row, &outcome, NULL, &event);
	expect(&event, "id", "\"log/events/0/17/rule/f/0.done\"");
	expect(&event, "type", "\"dalamb.function.succeeded\"");
	expect(&event, "source", "\"/dalamb/shop\"");
	expect(&event, "subject", "\"order-1\"");
	expect(&event, "dalambcause", "\"events/0/17\"");
	expect(&event, "dalambhops", "3");
	expect(&event, ".row", "\"log/events/0/17/rule/f/0\"");
	expect(&event, ".result", "{\"risk\": 0.9}");
	expect(&event, ".duration_ms", "1.5");
	expect(&event, ".billed_ms", "2");
	expect(&event, ".cpu_ms", "2.5");
	expect(&event, ".peak_mb", NULL);
	expect(&event, ".reason", NULL);
	expect(&event, ".tries", "[]");
	dal_outcome_deinit(&outcome);
	dal_buffer_deinit(&out);
	dal_json_free(json);
}

static void a_result_that_is_no_json(void **own)
{
	struct dal_json *json = dal_json_new();
	struct dal_buffer out = {0};
	struct dal_event event;
	struct dal_outcome outcome = {.memory_mb = -1, .cpu_us = -1};

	(void)own;
	text(&outcome.result, "\xff\x00hi");
	build(json, &out, &row, &outcome, NULL, &event);
	expect(&event, ".result", NULL);
	expect(&event, ".result_base64", "\"/w==\"");
	dal_outcome_deinit(&outcome);
	dal_buffer_deinit(&out);
	dal_json_free(json);
}

static void failure_lists_its_tries(void **own)
{
	struct dal_json *json = dal_json_new();
	struct dal_buffer out = {0}, one = {0}, two = {0};
	struct dal_event event;
	struct dal_row tried = row;
	struct dal_outcome outcome = {.outcome = DAL_INVOKE_TIMEOUT, .memory_mb = -1, .cpu_us = -1};

	(void)own;
	text(&outcome.error_message, "it took \"too\" long");
	dal_tries_add((struct dal_slice){0}, &outcome, &one);
	dal_tries_add(dal_buffer_slice(&one), &outcome, &two);
	tried.tries = dal_buffer_slice(&two);
	tried.revived = 1;
	build(json, &out, &tried, &outcome, "attempts", &event);
	expect(&event, "id", "\"log/events/0/17/rule/f/0.done.2\"");
	expect(&event, "type", "\"dalamb.function.failed\"");
	expect(&event, ".reason", "\"attempts\"");
	expect(&event, ".error",
	       "{\"type\":\"dalamb.Timeout\",\"message\":\"it took \\\"too\\\" long\"}");
	assert_int_equal(
		dal_json_count(json, dal_json_find(json, event.data, dal_slice_text("tries"))), 2);
	dal_outcome_deinit(&outcome);
	dal_buffer_deinit(&out);
	dal_buffer_deinit(&one);
	dal_buffer_deinit(&two);
	dal_json_free(json);
}

static void nest(struct dal_buffer *out, int depth)
{
	for (int i = 0; i < depth; i++) {
		dal_buffer_byte(out, '[');
	}
	for (int i = 0; i < depth; i++) {
		dal_buffer_byte(out, ']');
	}
}

/* A result as deep as may be is deeper inside its completion, which the worker must read all the
 * same. */
static void the_deepest_result_can_be_read(void **own)
{
	struct dal_json *json = dal_json_new();
	struct dal_buffer out = {0}, tries = {0};
	struct dal_event event;

	(void)own;
	for (int depth = 62; depth <= 65; depth++) {
		struct dal_outcome outcome = {
			.outcome = DAL_INVOKE_FAILED, .memory_mb = -1, .cpu_us = -1};
		struct dal_row tried = row;

		nest(&outcome.result, depth);
		nest(&outcome.error_trace, depth);
		dal_buffer_clear(&tries);
		dal_tries_add((struct dal_slice){0}, &outcome, &tries);
		tried.tries = dal_buffer_slice(&tries);
		dal_buffer_clear(&out);
		dal_completion_build("shop", &tried, &outcome, "attempts", 256, &out);
		assert_int_equal(
			dal_json_parse(json, dal_buffer_slice(&out), DAL_JSON_TRUSTED, NULL), 0);
		dal_event_view(&event, json);
		expect(&event, depth <= 64 ? ".result_base64" : ".result", NULL);
		dal_outcome_deinit(&outcome);
	}
	dal_buffer_deinit(&out);
	dal_buffer_deinit(&tries);
	dal_json_free(json);
}

static void a_row_that_was_never_tried(void **own)
{
	struct dal_json *json = dal_json_new();
	struct dal_buffer out = {0};
	struct dal_event event;

	(void)own;
	build(json, &out, &row, NULL, "gone", &event);
	expect(&event, ".reason", "\"gone\"");
	expect(&event, ".started", NULL);
	expect(&event, ".error", NULL);
	dal_buffer_deinit(&out);
	dal_json_free(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(success_has_result_and_measures),
		cmocka_unit_test(a_result_that_is_no_json),
		cmocka_unit_test(failure_lists_its_tries),
		cmocka_unit_test(the_deepest_result_can_be_read),
		cmocka_unit_test(a_row_that_was_never_tried),
	};

	return cmocka_run_group_tests_name("dispatch completion", tests, NULL, NULL);
}
