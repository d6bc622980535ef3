/*
 * A lane of several topics, with gaps between its offsets: positions, offsets without events,
 * projections built over several marks, rows whose causes share an offset, completions that come
 * before their rows, what retention took.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "tests/unit/stream/lanes.h"

static const char *const three[] = {"events", "clicks", "system"};

static void fill(struct fixture *f, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char data[32];
		(void)snprintf(data, sizeof(data), "{\"key\":\"k%u\"}", i % 7);
		lanes_append(f, three[i / 2 % 3], f->number, "add", data);
		lanes_append(f, three[i % 3], 1 - f->number, "add", data); /* of the other lane */
	}
}

/* --- positions --- */

static void a_topic_has_its_own_mark(void **own)
{
	struct fixture *f = *own;
	struct dal_state_position stored = {0};

	f->number = 1;
	lanes_append(f, "events", 1, "add", "{\"key\":\"k\"}");
	lanes_append(f, "clicks", 1, "add", "{\"key\":\"k\"}");
	lanes_append(f, "clicks", 1, "add", "{\"key\":\"k\"}");
	lanes_append(f, "clicks", 0, "add", "{\"key\":\"k\"}");
	lanes_fold(f, LANES_TOTALS("1"));
	lanes_expect_view(f, "totals", "k", "{\"last\":\"clicks/1\",\"n\":3}");
	assert_int_equal(dal_state_position_get(f->state, 1, &stored), 0);
	assert_int_equal(stored.next.count, 3);
	assert_int_equal(dal_position_next(&stored.next, dal_slice_text("events"), 1), 1);
	assert_int_equal(dal_position_next(&stored.next, dal_slice_text("clicks"), 1), 3);
	assert_int_equal(dal_position_next(&stored.next, dal_slice_text("system"), 1), 0);
	dal_state_position_deinit(&stored);
}

static void it_goes_on_from_there(void **own)
{
	struct fixture *f = *own;

	a_topic_has_its_own_mark(own);
	fixture_close(f);
	lanes_append(f, "system", 1, "add", "{\"key\":\"k\"}");
	lanes_append(f, "events", 1, "add", "{\"key\":\"k\"}");
	lanes_fold(f, LANES_TOTALS("1"));
	assert_int_equal(dal_lane_events(f->lane), 2);
	lanes_expect_view(f, "totals", "k", "{\"last\":\"events/1\",\"n\":5}");
}

static void batches_and_restarts_give_the_same_bytes(void **own)
{
	static const char rules[] = LANES_TOTALS("1") LANES_CALL;
	struct fixture *f = *own;
	char one[65], other[65];

	fill(f, 100);
	lanes_fold(f, rules);
	fixture_digest(f, one);
	fixture_forget(f);
	f->batch_events = 1;
	f->cache_entries = 0;
	lanes_fold(f, rules);
	fixture_digest(f, other);
	assert_string_equal(one, other);
	fixture_forget(f);
	f->batch_events = 9;
	assert_int_equal(fixture_open(f, rules), 0);
	for (int i = 0; i < 5; i++) {
		struct dal_log_batch batch = {0};
		struct dal_log_reader *reader;
		assert_int_equal(dal_log_follow(f->log, 0, dal_lane_position(f->lane), &reader), 0);
		assert_int_equal(dal_log_read(reader, 9, 1 << 20, &batch), 0);
		assert_int_equal(dal_lane_process(f->lane, &batch), 0);
		dal_log_batch_release(&batch);
		dal_log_reader_free(reader);
		assert_true(dal_lane_rebuilding(f->lane));
		fixture_close(f);
		assert_int_equal(fixture_open(f, rules), 0);
		assert_true(dal_lane_rebuilding(f->lane)); /* though it was broken off */
	}
	assert_int_equal(fixture_run(f), 0);
	assert_false(dal_lane_rebuilding(f->lane));
	fixture_digest(f, other);
	assert_string_equal(one, other);
}

/* The last offset of a partition may be no event: the lane has it behind itself all the same. */
static void offsets_without_events_are_passed(void **own)
{
	struct fixture *f = *own;
	struct dal_log_batch batch = {0};
	struct dal_log_reader *reader;
	struct dal_position end = {0};

	lanes_append(f, "events", 0, "add", "{\"key\":\"k\"}");
	lanes_append(f, "events", 0, "add", "{\"key\":\"k\"}"); /* and a gap */
	assert_int_equal(fixture_open(f, LANES_TOTALS("1")), 0);
	dal_log_end(f->log, 0, &end);
	assert_int_equal(dal_position_next(&end, dal_slice_text("events"), 0), 3);
	assert_int_equal(dal_log_follow(f->log, 0, dal_lane_position(f->lane), &reader), 0);
	assert_int_equal(dal_log_read(reader, 2, 1 << 20, &batch), 0);
	assert_int_equal(dal_lane_process(f->lane, &batch), 0);
	assert_false(dal_position_reached(dal_lane_position(f->lane), &end));
	assert_int_equal(dal_log_read(reader, 2, 1 << 20, &batch), DAL_LOG_END);
	dal_lane_pass(f->lane, &batch.position);
	assert_false(dal_position_reached(dal_lane_position(f->lane), &end)); /* not committed */
	assert_int_equal(dal_lane_commit(f->lane), 0);
	assert_true(dal_position_reached(dal_lane_position(f->lane), &end));
	dal_log_batch_release(&batch);
	dal_log_reader_free(reader);
	fixture_close(f);
	assert_int_equal(fixture_open(f, LANES_TOTALS("1")), 0);
	assert_true(dal_position_reached(dal_lane_position(f->lane), &end));
	dal_position_deinit(&end);
}

/* --- projections that come later --- */

struct progress {
	unsigned calls, stop_after;
	uint64_t first, last, end;
};

static bool on_progress(void *own, const char *projection, uint64_t done, uint64_t end)
{
	struct progress *progress = own;

	assert_string_equal(projection, "totals");
	progress->first = progress->calls == 0 ? done : progress->first;
	assert_true(done > progress->last || progress->calls == 0);
	progress->last = done;
	progress->end = end;
	return ++progress->calls < progress->stop_after;
}

static int build(struct fixture *f, struct progress *progress)
{
	struct dal_lane_options options;

	fixture_load(f, LANES_TOTALS("2"));
	options = fixture_lane_options(f);
	assert_int_equal(dal_lane_new(&options, &f->lane, &f->errors), 0);
	return dal_lane_build(f->lane, on_progress, progress);
}

/* Over all marks of the lane, broken off in the middle of them. */
static void a_build_that_is_broken_off_goes_on(void **own)
{
	struct fixture *f = *own;
	struct progress stopped = {.stop_after = 1}, on = {.stop_after = 1000};
	char through[65], later[65];

	fill(f, 40000);
	lanes_fold(f, LANES_TOTALS("1"));
	fixture_digest(f, through);
	fixture_close(f);
	assert_int_equal(build(f, &stopped), -ECANCELED);
	assert_true(stopped.last > 0 && stopped.last < stopped.end);
	fixture_close(f);
	assert_int_equal(build(f, &on), 0);
	assert_true(on.first > stopped.last);
	assert_int_equal(on.last, on.end);
	assert_int_equal(on.end, stopped.end);
	fixture_digest(f, later);
	assert_string_equal(through, later);
	lanes_expect_at_end(f);
}

/* What the lane has not folded yet is not folded by the build either, in no topic. */
static void a_build_ends_where_the_lane_stands(void **own)
{
	struct fixture *f = *own;
	uint64_t last = 0;
	char *expected;

	fill(f, 20);
	lanes_fold(f, LANES_TOTALS("1"));
	fixture_close(f);
	for (int i = 0; i < 3; i++) {
		last = lanes_append(f, three[i], 0, "add", "{\"key\":\"new\"}");
	}
	expected = dal_asprintf("{\"last\":\"system/%u\",\"n\":3}", (unsigned)last);
	assert_int_equal(fixture_open(f, LANES_TOTALS("2")), 0);
	lanes_expect_view(f, "totals", "new", NULL);
	assert_int_equal(fixture_run(f), 0);
	lanes_expect_view(f, "totals", "new", expected);
	free(expected);
}

/* --- a topic that the app gives up --- */

static const struct lanes_log_options without_clicks = {
	.lanes = LANES, .gap = LANES_GAP, .clock_us = LANES_CLOCK_US};

/* The state still knows where it stood in it: what is built now is not waiting for it. */
static void a_topic_that_is_gone_keeps_no_build(void **own)
{
	static const char *const topics[] = {"clicks", NULL};
	struct lanes_log_options with_clicks = without_clicks;
	struct fixture *f = *own;

	with_clicks.topics = topics;
	lanes_append(f, "clicks", 0, "add", "{\"key\":\"k\"}");
	lanes_append(f, "events", 0, "add", "{\"key\":\"k\"}");
	lanes_fold(f, LANES_TOTALS("1"));
	fixture_close(f);
	lanes_reopen_log(f, &without_clicks);
	lanes_append(f, "events", 0, "add", "{\"key\":\"k\"}");
	assert_int_equal(fixture_open(f, LANES_TOTALS("2")), 0);
	assert_int_equal(fixture_run(f), 0);
	lanes_expect_view(f, "totals", "k", "{\"last\":\"events/0\",\"n\":1}");
	fixture_close(f);
	lanes_reopen_log(f, &with_clicks); /* it comes back, and is gone on with */
	lanes_append(f, "events", 0, "add", "{\"key\":\"k\"}");
	lanes_append(f, "clicks", 0, "add", "{\"key\":\"k\"}");
	lanes_append(f, "clicks", 0, "add", "{\"key\":\"k\"}");
	lanes_fold(f, LANES_TOTALS("2"));
	lanes_expect_view(f, "totals", "k", "{\"last\":\"clicks/1\",\"n\":2}");
}

/* Nothing at all is left to be read. */
static void nor_one_that_was_all_there_was(void **own)
{
	struct fixture *f = *own;

	lanes_append(f, "clicks", 0, "add", "{\"key\":\"k\"}");
	lanes_fold(f, LANES_TOTALS("1"));
	fixture_close(f);
	lanes_reopen_log(f, &without_clicks);
	assert_int_equal(fixture_open(f, LANES_TOTALS("2")), 0);
	lanes_expect_view(f, "totals", "k", NULL);
	assert_int_equal(fixture_run(f), 0);
}

/* --- rows --- */

static void expect_order(struct fixture *f, size_t at_once)
{
	static const char *const from[] = {"clicks/0", "events/0", "system/0", "events/1",
					   "clicks/1"};
	struct lanes_rows rows;

	f->batch_events = at_once;
	lanes_fold(f, LANES_EMIT);
	lanes_rows_read(f, &rows);
	assert_int_equal(rows.count, 5);
	for (size_t i = 0; i < rows.count; i++) {
		char *part = dal_asprintf("\"from\":\"%s\"", from[i]);
		assert_non_null(strstr(rows.list[i].payload, part));
		assert_string_equal(rows.list[i].topic, "events");
		for (size_t k = 0; k < i; k++) {
			assert_string_not_equal(rows.list[i].id, rows.list[k].id);
		}
		free(part);
	}
	lanes_rows_free(&rows);
	fixture_forget(f);
}

/* Causes of one offset in three topics are three causes, and their rows leave as they came. */
static void rows_leave_in_the_order_of_their_causes(void **own)
{
	struct fixture *f = *own;

	lanes_append(f, "clicks", 0, "add", "{}");
	lanes_append(f, "events", 0, "add", "{}");
	lanes_append(f, "system", 0, "add", "{}");
	lanes_append(f, "events", 0, "add", "{}");
	lanes_append(f, "clicks", 0, "add", "{}");
	expect_order(f, 1000);
	expect_order(f, 1);
	expect_order(f, 2);
}

enum when { AT_ONCE, ONE_BY_ONE, WITH_A_RESTART };

static void open_at_the_end(struct fixture *f, enum when when)
{
	struct dal_log_batch batch = {0};
	struct dal_log_reader *reader;

	f->batch_events = when == AT_ONCE ? 1000 : 1;
	assert_int_equal(fixture_open(f, LANES_CALL LANES_ANSWERS), 0);
	if (when == WITH_A_RESTART) {
		assert_int_equal(dal_log_follow(f->log, 0, dal_lane_position(f->lane), &reader), 0);
		assert_int_equal(dal_log_read(reader, 2, 1 << 20, &batch), 0);
		assert_int_equal(dal_lane_process(f->lane, &batch), 0);
		dal_log_batch_release(&batch);
		dal_log_reader_free(reader);
		fixture_close(f);
		assert_int_equal(fixture_open(f, LANES_CALL LANES_ANSWERS), 0);
	}
	assert_int_equal(fixture_run(f), 0);
	lanes_expect_at_end(f);
}

static enum dal_row_status status_of(struct fixture *f, const char *row)
{
	struct dal_slice function;
	struct dal_buffer memory = {0};
	enum dal_row_status status;
	uint64_t sequence;

	assert_int_equal(dal_outbox_status(f->state, f->number, dal_slice_text(row), &status,
					   &function, &sequence, &memory),
			 0);
	dal_buffer_deinit(&memory);
	return status;
}

/* Between topics there is no order: completions are met first, rows of one offset in two topics
 * behind them. */
static void born_settled(struct fixture *f, enum when when)
{
	char *clicks = lanes_row(f, "clicks", 0), *events = lanes_row(f, "events", 0);

	open_at_the_end(f, when);
	assert_int_equal(status_of(f, clicks), DAL_ROW_SETTLED);
	assert_int_equal(status_of(f, events), DAL_ROW_DEAD);
	assert_int_equal(fixture_rows(f, DAL_ROW_OPEN), 1); /* of events/1 */
	assert_int_equal(dal_lane_undelivered(f->lane), 1);
	assert_int_equal(dal_lane_dead(f->lane), 1);
	lanes_expect_view(f, "answers", "check", "{\"n\":1}"); /* the second has no effect */
	fixture_forget(f);
	free(clicks);
	free(events);
}

static void rows_are_born_settled(void **own)
{
	struct fixture *f = *own;
	char *clicks = lanes_row(f, "clicks", 0), *events = lanes_row(f, "events", 0);

	lanes_complete(f, clicks, false);
	lanes_complete(f, events, true);
	lanes_complete(f, clicks, false);
	lanes_append(f, "clicks", 0, "call", "{}");
	lanes_append(f, "events", 0, "call", "{}");
	lanes_append(f, "events", 0, "call", "{}");
	born_settled(f, AT_ONCE);
	born_settled(f, ONE_BY_ONE);
	born_settled(f, WITH_A_RESTART);
	free(clicks);
	free(events);
}

/* --- what a rule may not read --- */

static bool may_read(const void *own, const struct dal_event *event, uint32_t rule,
		     uint32_t projection, struct dal_slice key, struct dal_buffer *why)
{
	const struct fixture *f = own;

	assert_string_equal(dal_rules_rule(f->rules, rule)->name, "g");
	assert_string_equal(dal_rules_projection(f->rules, projection)->name, "totals");
	if (dal_slice_is(event->place.topic, "clicks") || !dal_slice_is(key, "k")) {
		dal_buffer_printf(why, "key %.*s lies elsewhere", (int)key.size, key.data);
		return false;
	}
	return true;
}

/* view() raises there, whether or not there is an entry, and the rule has no other effect. */
static void a_view_elsewhere_fails_the_rule(void **own)
{
	static const char rules[] = LANES_TOTALS(
		"1") "rule 'g' { on = { type = 'add' }, when = function(e)"
		     " local t = view('totals', e.data.key) return t ~= nil end,"
		     " call = 'check' }\n";
	struct fixture *f = *own;
	struct dal_view_rights rights = {may_read, f};
	struct lanes_rows rows;

	f->rights = &rights;
	lanes_append(f, "events", 0, "add", "{\"key\":\"k\"}");
	lanes_append(f, "events", 0, "add", "{\"key\":\"k\"}"); /* this one is called */
	lanes_append(f, "clicks", 0, "add", "{\"key\":\"k\"}");
	lanes_append(f, "events", 0, "add", "{\"key\":\"other\"}");
	lanes_fold(f, rules);
	lanes_expect_view(f, "totals", "k", "{\"last\":\"clicks/0\",\"n\":3}");
	lanes_rows_read(f, &rows);
	assert_int_equal(rows.count, 2);
	assert_int_equal(fixture_rows(f, DAL_ROW_OPEN), 3); /* these, and one call */
	assert_non_null(strstr(rows.list[0].payload, "\"type\":\"dalamb.rule.failed\""));
	assert_non_null(strstr(rows.list[0].payload, "\"dalambcause\":\"clicks/0/0\""));
	assert_non_null(strstr(rows.list[0].payload, "key k lies elsewhere"));
	assert_non_null(strstr(rows.list[0].payload, "\"effect\":\"skipped\""));
	assert_non_null(strstr(rows.list[1].payload, "\"dalambcause\":\"events/0/3\""));
	assert_non_null(strstr(rows.list[1].payload, "key other lies elsewhere"));
	lanes_rows_free(&rows);
}

/* --- what retention took --- */

static void what_is_gone_halts_the_lane(void **own)
{
	struct fixture *f = *own;
	const struct dal_lane_halt *halt;

	fill(f, 12);
	lanes_fold(f, LANES_TOTALS("1"));
	lanes_append(f, "clicks", 0, "add", "{\"key\":\"lost\"}");
	lanes_append(f, "events", 0, "add", "{\"key\":\"there\"}");
	lanes_log_forget(f->log, "clicks", 0,
			 1 + dal_position_next(dal_lane_position(f->lane), dal_slice_text("clicks"),
					       0));
	for (int i = 0; i < 2; i++) { /* so it does behind a restart */
		assert_int_equal(fixture_run(f), DAL_LANE_HALTED);
		halt = dal_lane_halt(f->lane);
		assert_non_null(halt);
		assert_string_equal(halt->declaration, "");
		assert_string_equal(halt->message, "what stood there is gone");
		assert_true(dal_slice_is(halt->place.topic, "clicks"));
		assert_int_equal(halt->place.offset,
				 dal_position_next(dal_lane_position(f->lane),
						   dal_slice_text("clicks"), 0));
		assert_true(halt->since_us > 0);
		lanes_expect_view(f, "totals", "there", NULL);
		fixture_close(f);
		assert_int_equal(fixture_open(f, LANES_TOTALS("1")), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, lanes_setup, fixture_teardown)
		CASE(a_topic_has_its_own_mark),
		CASE(it_goes_on_from_there),
		CASE(batches_and_restarts_give_the_same_bytes),
		CASE(offsets_without_events_are_passed),
		CASE(a_build_that_is_broken_off_goes_on),
		CASE(a_build_ends_where_the_lane_stands),
		CASE(a_topic_that_is_gone_keeps_no_build),
		CASE(nor_one_that_was_all_there_was),
		CASE(rows_leave_in_the_order_of_their_causes),
		CASE(rows_are_born_settled),
		CASE(a_view_elsewhere_fails_the_rule),
		CASE(what_is_gone_halts_the_lane),
	};

	return cmocka_run_group_tests_name("stream lanes", tests, NULL, NULL);
}
