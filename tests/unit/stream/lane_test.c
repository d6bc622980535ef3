/* A lane folds a log into a state: order, errors, restarts, rebuilds; the same bytes each time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "tests/unit/stream/fixture.h"

#define TOTALS                                                                                     \
	"projection 'totals' { version = 1, on = { type = 'add' }, key = 'data.key',"              \
	" init = { sum = 0, seen = 0 }, fold = function(state, event)"                             \
	" if event.data.bad then error('bad amount') end"                                          \
	" state.sum = state.sum + event.data.n; state.seen = state.seen + 1; return state end }\n"

#define CALLER                                                                                     \
	"rule 'big' { on = { type = 'add', data = { n = numeric('>=', 100) } },"                   \
	" when = function(event) local t = view('totals', event.data.key)"                         \
	" return not t or t.sum < 1000 end, call = 'check' }\n"                                    \
	"rule 'flag' { on = { type = 'dalamb.function.succeeded' },"                               \
	" emit = function(event) return { type = 'flagged', data = event.data.result } end }\n"    \
	"projection 'flags' { version = 1, on = { type = 'dalamb.function.succeeded' },"           \
	" key = 'data.name', init = { n = 0 },"                                                    \
	" fold = function(s, e) s.n = s.n + 1; return s end }\n"

static void expect_view(struct fixture *f, const char *projection, const char *key,
			const char *json)
{
	char *text = fixture_view(f, projection, key);

	if (!json) {
		assert_null(text);
	} else {
		assert_non_null(text);
		assert_string_equal(text, json);
	}
	free(text);
}

static void folds_in_order(void **own)
{
	struct fixture *f = *own;

	assert_int_equal(fixture_open(f, TOTALS), 0);
	fixture_append(f, "add", "{\"key\":\"a\",\"n\":1}");
	fixture_append(f, "add", "{\"key\":\"b\",\"n\":10}");
	fixture_append(f, "other", "{\"key\":\"a\",\"n\":100}");
	fixture_append(f, "add", "{\"key\":\"a\",\"n\":2.5}");
	assert_int_equal(fixture_run(f), 0);
	expect_view(f, "totals", "a", "{\"seen\":2,\"sum\":3.5}");
	expect_view(f, "totals", "b", "{\"seen\":1,\"sum\":10}");
	expect_view(f, "totals", "c", NULL);
	assert_int_equal(dal_lane_next(f->lane), 5);
}

static void restart_goes_on(void **own)
{
	struct fixture *f = *own;

	assert_int_equal(fixture_open(f, TOTALS), 0);
	fixture_append(f, "add", "{\"key\":\"a\",\"n\":1}");
	assert_int_equal(fixture_run(f), 0);
	fixture_close(f);
	fixture_append(f, "add", "{\"key\":\"a\",\"n\":2}");
	assert_int_equal(fixture_open(f, TOTALS), 0);
	assert_int_equal(dal_lane_next(f->lane), 2);
	assert_int_equal(fixture_run(f), 0);
	expect_view(f, "totals", "a", "{\"seen\":2,\"sum\":3}");
}

static void view_is_before_the_event(void **own)
{
	struct fixture *f = *own;

	assert_int_equal(fixture_open(f, TOTALS CALLER), 0);
	fixture_append(f, "add", "{\"key\":\"a\",\"n\":1000}"); /* no entry yet: called */
	fixture_append(f, "add", "{\"key\":\"a\",\"n\":100}");  /* sum is 1000: not called */
	fixture_append(f, "add", "{\"key\":\"b\",\"n\":99}");   /* the pattern says no */
	assert_int_equal(fixture_run(f), 0);
	assert_int_equal(fixture_rows(f, DAL_ROW_OPEN), 1);
	assert_int_equal(dal_lane_undelivered(f->lane), 1);
}

static void a_poisoned_key_parks_alone(void **own)
{
	struct fixture *f = *own;

	assert_int_equal(fixture_open(f, TOTALS), 0);
	fixture_append(f, "add", "{\"key\":\"a\",\"n\":1}");
	fixture_append(f, "add", "{\"key\":\"a\",\"n\":2}");
	fixture_append(f, "add", "{\"key\":\"a\",\"n\":3,\"bad\":true}");
	fixture_append(f, "add", "{\"key\":\"a\",\"n\":4}");
	fixture_append(f, "add", "{\"key\":\"b\",\"n\":5}");
	assert_int_equal(fixture_run(f), 0);
	expect_view(f, "totals", "a", "{\"seen\":2,\"sum\":3}"); /* the last good one */
	expect_view(f, "totals", "b", "{\"seen\":1,\"sum\":5}");
	assert_int_equal(fixture_rows(f, DAL_ROW_OPEN), 1); /* its report to the log */
}

static void halt_stops_at_the_event(void **own)
{
	struct fixture *f = *own;

	assert_int_equal(fixture_open(f, "projection 't' { version = 1, on = { type = 'add' },"
					 " key = 'data.key', on_error = 'halt', init = { n = 0 },"
					 " fold = function(s, e) if e.data.bad then error('no') end"
					 " s.n = s.n + 1 return s end }"),
			 0);
	fixture_append(f, "add", "{\"key\":\"a\"}");
	fixture_append(f, "add", "{\"key\":\"a\"}");
	fixture_append(f, "add", "{\"key\":\"a\",\"bad\":true}");
	fixture_append(f, "add", "{\"key\":\"a\"}");
	assert_int_equal(fixture_run(f), DAL_LANE_HALTED);
	assert_int_equal(dal_lane_next(f->lane), 3);
	expect_view(f, "t", "a", "{\"n\":2}");
	assert_non_null(dal_lane_halt(f->lane));
	assert_int_equal(dal_lane_halt(f->lane)->place.offset, 3);
	assert_string_equal(dal_lane_halt(f->lane)->declaration, "t");
}

static void a_changed_fold_is_refused(void **own)
{
	struct fixture *f = *own;
	const char *changed = "projection 'totals' { version = 1, on = { type = 'add' },"
			      " key = 'data.key', init = { sum = 0 },"
			      " fold = function(s, e) s.sum = s.sum - e.data.n return s end }";
	const char *raised = "projection 'totals' { version = 2, on = { type = 'add' },"
			     " key = 'data.key', init = { sum = 0 },"
			     " fold = function(s, e) s.sum = s.sum - e.data.n return s end }";

	assert_int_equal(fixture_open(f, TOTALS), 0);
	fixture_append(f, "add", "{\"key\":\"a\",\"n\":1}");
	fixture_append(f, "add", "{\"key\":\"a\",\"n\":2}");
	assert_int_equal(fixture_run(f), 0);
	fixture_close(f);
	assert_int_equal(fixture_open(f, changed), DAL_LANE_REFUSED);
	assert_int_equal(f->errors.count, 1);
	assert_non_null(strstr(f->errors.items[0].text, "Raise `version` to 2"));
	fixture_close(f);
	assert_int_equal(fixture_open(f, raised), 0); /* and built from the log's start */
	expect_view(f, "totals", "a", "{\"sum\":-3}");
	fixture_append(f, "add", "{\"key\":\"a\",\"n\":4}");
	assert_int_equal(fixture_run(f), 0);
	expect_view(f, "totals", "a", "{\"sum\":-7}");
	fixture_close(f);
	f->rebuild_changed = true;
	assert_int_equal(fixture_open(f, TOTALS), 0);
	expect_view(f, "totals", "a", "{\"seen\":3,\"sum\":7}");
}

static void a_completion_settles_its_row(void **own)
{
	struct fixture *f = *own;
	char *row;

	assert_int_equal(fixture_open(f, TOTALS CALLER), 0);
	fixture_append(f, "add", "{\"key\":\"a\",\"n\":500}");
	assert_int_equal(fixture_run(f), 0);
	row = fixture_row_id(f, DAL_ROW_OPEN);
	dal_lane_delivered(f->lane, dal_slice_text(row));
	assert_int_equal(dal_lane_commit(f->lane), 0);
	assert_int_equal(fixture_rows(f, DAL_ROW_OPEN), 0);
	assert_int_equal(fixture_rows(f, DAL_ROW_DELIVERED), 1);
	assert_int_equal(dal_lane_undelivered(f->lane), 0);
	fixture_complete(f, row, false);
	fixture_complete(f, row, false); /* kept in the log, and not matched */
	assert_int_equal(fixture_run(f), 0);
	assert_int_equal(fixture_rows(f, DAL_ROW_DELIVERED), 0);
	assert_int_equal(fixture_rows(f, DAL_ROW_OPEN), 1); /* the emit of `flag` */
	expect_view(f, "flags", "check", "{\"n\":1}");
	free(row);
}

static void a_dead_letter_is_sent_again(void **own)
{
	struct fixture *f = *own;
	char *row, *event;

	assert_int_equal(fixture_open(f, TOTALS CALLER), 0);
	fixture_append(f, "add", "{\"key\":\"a\",\"n\":500}");
	assert_int_equal(fixture_run(f), 0);
	row = fixture_row_id(f, DAL_ROW_OPEN);
	dal_lane_retry(f->lane, dal_slice_text(row), 2, 77, dal_slice_text("[{}]"));
	assert_int_equal(dal_lane_commit(f->lane), 0);
	fixture_complete(f, row, true);
	assert_int_equal(fixture_run(f), 0);
	assert_int_equal(fixture_rows(f, DAL_ROW_DEAD), 1);
	assert_int_equal(fixture_rows(f, DAL_ROW_OPEN), 0);
	assert_int_equal(dal_lane_undelivered(f->lane), 0);
	event = dal_asprintf("{\"specversion\":\"1.0\",\"id\":\"r\",\"source\":\"/dalamb/test\","
			     "\"type\":\"dalamb.dead.retried\",\"data\":{\"row\":\"%s\"}}",
			     row);
	fixture_append_to(f, "system", event);
	assert_int_equal(fixture_run(f), 0);
	assert_int_equal(fixture_rows(f, DAL_ROW_DEAD), 0);
	assert_int_equal(fixture_rows(f, DAL_ROW_OPEN), 1);
	fixture_complete(f, row, false);
	assert_int_equal(fixture_run(f), 0);
	expect_view(f, "flags", "check", "{\"n\":1}");
	free(event);
	free(row);
}

/* The same log, in a state that lost everything: the same views, and nothing is owed twice. */
static void a_lost_state_is_rebuilt(void **own)
{
	struct fixture *f = *own;
	struct dal_buffer data = {0};
	char before[65], after[65], *first, *event;

	assert_int_equal(fixture_open(f, TOTALS CALLER), 0);
	fixture_append(f, "add", "{\"key\":\"a\",\"n\":500}");
	assert_int_equal(fixture_run(f), 0);
	first = fixture_row_id(f, DAL_ROW_OPEN);
	fixture_append(f, "add", "{\"key\":\"b\",\"n\":600}");
	fixture_append(f, "add", "{\"key\":\"c\",\"n\":700}");
	fixture_complete(f, first, false);
	assert_int_equal(fixture_run(f), 0);
	assert_int_equal(fixture_rows(f, DAL_ROW_OPEN), 3); /* b, c, and the emit */
	assert_int_equal(dal_lane_checkpoint(f->lane, &data), 0);
	event = dal_asprintf("{\"specversion\":\"1.0\",\"id\":\"c\",\"source\":\"/dalamb/test\","
			     "\"type\":\"dalamb.outbox.checkpoint\",\"data\":%s}",
			     dal_buffer_cstr(&data));
	fixture_append_to(f, "system", event);
	fixture_append(f, "add", "{\"key\":\"d\",\"n\":800}");
	assert_int_equal(fixture_run(f), 0);
	fixture_digest(f, before);
	fixture_forget(f);
	assert_int_equal(fixture_open(f, TOTALS CALLER), 0);
	assert_int_equal(fixture_run(f), 0);
	fixture_digest(f, after);
	assert_string_equal(before, after);
	assert_int_equal(fixture_rows(f, DAL_ROW_OPEN), 4);
	free(event);
	free(first);
	dal_buffer_deinit(&data);
}

/* Rules that came later call nothing for what was before the checkpoint. */
static void new_rules_leave_the_past_alone(void **own)
{
	struct fixture *f = *own;
	struct dal_buffer data = {0};
	char *event;

	assert_int_equal(fixture_open(f, TOTALS), 0);
	fixture_append(f, "add", "{\"key\":\"a\",\"n\":500}");
	assert_int_equal(fixture_run(f), 0);
	assert_int_equal(dal_lane_checkpoint(f->lane, &data), 0);
	event = dal_asprintf("{\"specversion\":\"1.0\",\"id\":\"c\",\"source\":\"/dalamb/test\","
			     "\"type\":\"dalamb.outbox.checkpoint\",\"data\":%s}",
			     dal_buffer_cstr(&data));
	fixture_append_to(f, "system", event);
	fixture_forget(f);
	assert_int_equal(fixture_open(f, TOTALS CALLER), 0);
	assert_int_equal(fixture_run(f), 0);
	assert_int_equal(fixture_rows(f, DAL_ROW_OPEN), 0);
	expect_view(f, "totals", "a", "{\"seen\":1,\"sum\":500}");
	free(event);
	dal_buffer_deinit(&data);
}

/* An emitted event carries dalamb's attributes, and is an event like any other. */
static void an_emitted_event_is_matched(void **own)
{
	struct fixture *f = *own;

	assert_int_equal(fixture_open(f, TOTALS), 0);
	fixture_append_to(f, "events",
			  "{\"specversion\":\"1.0\",\"id\":\"e\",\"source\":\"/dalamb/test/x\","
			  "\"type\":\"add\",\"dalambcause\":\"events/0/1\",\"dalambhops\":2,"
			  "\"data\":{\"key\":\"a\",\"n\":1}}");
	fixture_append_to(
		f, "events",
		"{\"specversion\":\"1.0\",\"id\":\"f\",\"source\":\"/dalamb/test/x\","
		"\"type\":\"add\",\"dalambcause\":\"events/0/1\",\"dalambhops\":17,"
		"\"data\":{\"key\":\"a\",\"n\":1}}"); /* past 16 hops nothing is matched */
	assert_int_equal(fixture_run(f), 0);
	expect_view(f, "totals", "a", "{\"seen\":1,\"sum\":1}");
}

static void fill(struct fixture *f, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char *data = dal_asprintf("{\"key\":\"k%u\",\"n\":%u%s}", i % 17, i % 250,
					  i % 97 == 96 ? ",\"bad\":true" : "");
		fixture_append(f, "add", data);
		free(data);
	}
}

static void batches_and_cache_change_nothing(void **own)
{
	struct fixture *f = *own;
	static const struct {
		size_t cache, batch;
	} ways[] = {{1000, 1000}, {0, 1}, {0, 1000}, {3, 7}, {1000, 1}};
	char first[65], next[65];

	assert_int_equal(fixture_open(f, TOTALS CALLER), 0);
	fill(f, 400);
	for (size_t i = 0; i < 5; i++) {
		fixture_forget(f);
		f->cache_entries = ways[i].cache;
		f->batch_events = ways[i].batch;
		assert_int_equal(fixture_open(f, TOTALS CALLER), 0);
		assert_int_equal(fixture_run(f), 0);
		assert_int_equal(dal_lane_next(f->lane), 401);
		fixture_digest(f, i == 0 ? first : next);
		if (i > 0) {
			assert_string_equal(first, next);
		}
	}
}

static void without_an_outbox_nothing_is_owed(void **own)
{
	struct fixture *f = *own;

	f->no_outbox = true;
	assert_int_equal(fixture_open(f, TOTALS CALLER), 0);
	fill(f, 100);
	assert_int_equal(fixture_run(f), 0);
	assert_int_equal(fixture_rows(f, DAL_ROW_OPEN), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		CASE(folds_in_order),
		CASE(restart_goes_on),
		CASE(view_is_before_the_event),
		CASE(a_poisoned_key_parks_alone),
		CASE(halt_stops_at_the_event),
		CASE(a_changed_fold_is_refused),
		CASE(a_completion_settles_its_row),
		CASE(a_dead_letter_is_sent_again),
		CASE(a_lost_state_is_rebuilt),
		CASE(new_rules_leave_the_past_alone),
		CASE(an_emitted_event_is_matched),
		CASE(batches_and_cache_change_nothing),
		CASE(without_an_outbox_nothing_is_owed),
	};

	return cmocka_run_group_tests_name("stream lane", tests, NULL, NULL);
}
