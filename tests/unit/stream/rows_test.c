/* Rows on their way through batches, deaths and rebuilds: nothing is lost, nothing is owed twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "tests/unit/stream/fixture.h"

#define CALL "rule 'r' { on = { type = 'add' }, call = 'check' }\n"

#define ANSWERS                                                                                    \
	"projection 'answers' { version = 1, on = { type = 'dalamb.function.succeeded' },"         \
	" key = 'data.name', init = { n = 0 },"                                                    \
	" fold = function(s, e) s.n = s.n + 1 return s end }\n"

static void say(struct fixture *f, const char *what, const char *row)
{
	char *event = dal_asprintf("{\"specversion\":\"1.0\",\"id\":\"s\",\"source\":\"/dalamb/"
				   "test\",\"type\":\"%s\",\"data\":{\"row\":\"%s\"}}",
				   what, row);

	fixture_append_to(f, "system", event);
	free(event);
}

static void checkpoint(struct fixture *f)
{
	struct dal_buffer data = {0};
	char *event;

	assert_int_equal(dal_lane_checkpoint(f->lane, &data), 0);
	event = dal_asprintf("{\"specversion\":\"1.0\",\"id\":\"c\",\"source\":\"/dalamb/test\","
			     "\"type\":\"dalamb.outbox.checkpoint\",\"data\":%s}",
			     dal_buffer_cstr(&data));
	fixture_append_to(f, "system", event);
	free(event);
	dal_buffer_deinit(&data);
}

/* One call, and the id of its row. */
static char *one_row(struct fixture *f)
{
	assert_int_equal(fixture_open(f, CALL), 0);
	fixture_append(f, "add", "{\"n\":1}");
	assert_int_equal(fixture_run(f), 0);
	return fixture_row_id(f, DAL_ROW_OPEN);
}

static bool on_row(const struct dal_row *row, void *own)
{
	struct dal_row *copy = own;

	*copy = *row; /* numbers only are looked at */
	return false;
}

static struct dal_row only_row(struct fixture *f, enum dal_row_status status)
{
	struct dal_row row = {0};

	assert_int_equal(fixture_rows(f, status), 1);
	assert_true(dal_outbox_scan(f->state, 0, status, NULL, 0, on_row, &row) >= 0);
	return row;
}

static void a_delivered_row_dies_and_returns_in_one_batch(void **own)
{
	struct fixture *f = *own;
	char *id = one_row(f);
	struct dal_row row;

	dal_lane_retry(f->lane, dal_slice_text(id), 3, 77, dal_slice_text("[{}]"));
	dal_lane_delivered(f->lane, dal_slice_text(id));
	assert_int_equal(dal_lane_commit(f->lane), 0);
	assert_int_equal(fixture_rows(f, DAL_ROW_DELIVERED), 1);
	fixture_complete(f, id, true);
	say(f, "dalamb.dead.retried", id);
	assert_int_equal(fixture_run(f), 0);
	assert_int_equal(fixture_rows(f, DAL_ROW_DELIVERED), 0);
	assert_int_equal(fixture_rows(f, DAL_ROW_DEAD), 0);
	row = only_row(f, DAL_ROW_OPEN);
	assert_int_equal(row.attempts, 0);
	assert_int_equal(row.due_us, 0);
	assert_int_equal(row.revived, 1);
	assert_int_equal(dal_lane_undelivered(f->lane), 1);
	assert_int_equal(dal_lane_dead(f->lane), 0);
	free(id);
}

static void a_dead_letter_returns_and_dies_in_one_batch(void **own)
{
	struct fixture *f = *own;
	char *id = one_row(f);
	struct dal_row row;

	fixture_complete(f, id, true);
	assert_int_equal(fixture_run(f), 0);
	say(f, "dalamb.dead.retried", id);
	uint64_t last = fixture_complete(f, id, true);
	assert_int_equal(fixture_run(f), 0);
	row = only_row(f, DAL_ROW_DEAD);
	assert_int_equal(row.revived, 1);
	assert_int_equal(row.completed.offset, last);
	assert_int_equal(dal_lane_dead(f->lane), 1);
	say(f, "dalamb.dead.retried", id);
	say(f, "dalamb.dead.retried", id); /* asked for twice, sent once */
	assert_int_equal(fixture_run(f), 0);
	row = only_row(f, DAL_ROW_OPEN);
	assert_int_equal(row.revived, 2);
	fixture_complete(f, id, true);
	say(f, "dalamb.dead.dropped", id);
	assert_int_equal(fixture_run(f), 0);
	assert_int_equal(fixture_rows(f, DAL_ROW_OPEN) + fixture_rows(f, DAL_ROW_DEAD), 0);
	assert_int_equal(dal_lane_undelivered(f->lane) + dal_lane_dead(f->lane), 0);
	free(id);
}

/* Whatever the batches are, and wherever a checkpoint fell, the dead are the same. */
static void dead_letters_before_the_checkpoint(void **own)
{
	struct fixture *f = *own;
	char before[65], after[65];
	char *id = one_row(f);

	fixture_complete(f, id, true);
	assert_int_equal(fixture_run(f), 0);
	checkpoint(f);
	assert_int_equal(fixture_run(f), 0);
	fixture_digest(f, before);
	fixture_forget(f);
	assert_int_equal(fixture_open(f, CALL), 0);
	assert_int_equal(fixture_run(f), 0);
	fixture_digest(f, after);
	assert_string_equal(before, after);
	only_row(f, DAL_ROW_DEAD);
	free(id);
}

static void a_dead_letter_whose_rule_is_gone(void **own)
{
	struct fixture *f = *own;
	char before[65], after[65];
	char *id = one_row(f);

	fixture_complete(f, id, true);
	assert_int_equal(fixture_run(f), 0);
	checkpoint(f);
	assert_int_equal(fixture_run(f), 0);
	fixture_digest(f, before);
	fixture_forget(f);
	assert_int_equal(fixture_open(f, "rule 'other' { on = { type = 'x' }, call = 'check' }"),
			 0);
	assert_int_equal(fixture_run(f), 0);
	fixture_digest(f, after);
	assert_string_equal(before, after);
	say(f, "dalamb.dead.retried", id);
	assert_int_equal(fixture_run(f), 0);
	assert_int_equal(only_row(f, DAL_ROW_OPEN).revived, 1);
	free(id);
}

static void a_failure_of_nothing_harms_nothing(void **own)
{
	struct fixture *f = *own;

	free(one_row(f));
	fixture_complete(f, "elsewhere/events/0/999999/r/check/0", true);
	fixture_complete(f, "no row at all", true);
	fixture_complete(f, "no row at all", false);
	assert_int_equal(fixture_run(f), 0);
	assert_int_equal(fixture_rows(f, DAL_ROW_DEAD), 0);
	assert_int_equal(fixture_rows(f, DAL_ROW_OPEN), 1);
}

static void rows_to_the_log_count_until_they_are_there(void **own)
{
	struct fixture *f = *own;
	const char *rules = CALL "rule 'e' { on = { type = 'add' }, emit = function(event)"
				 " return { type = 'seen' } end }";

	assert_int_equal(fixture_open(f, rules), 0);
	fixture_append(f, "add", "{\"n\":1}");
	assert_int_equal(fixture_run(f), 0);
	assert_int_equal(dal_lane_undelivered(f->lane), 2);
	fixture_close(f);
	assert_int_equal(fixture_open(f, rules), 0);
	assert_int_equal(dal_lane_undelivered(f->lane), 2); /* the same after a restart */
	dal_lane_appended(f->lane, 2);
	assert_int_equal(dal_lane_commit(f->lane), 0);
	assert_int_equal(dal_lane_undelivered(f->lane), 1);
	only_row(f, DAL_ROW_OPEN);
}

/* What was sent again after a time-out is on the log twice, and said twice: in one batch or in two.
 */
static void a_row_to_the_log_counts_once(void **own)
{
	struct fixture *f = *own;
	const char *rules = CALL "rule 'e' { on = { type = 'add' }, emit = function(event)"
				 " return { { type = 'a' }, { type = 'b' } } end }";

	assert_int_equal(fixture_open(f, rules), 0);
	fixture_append(f, "add", "{\"n\":1}");
	assert_int_equal(fixture_run(f), 0);
	assert_int_equal(dal_lane_undelivered(f->lane), 3);
	dal_lane_appended(f->lane, 2);
	dal_lane_appended(f->lane, 2);
	dal_lane_appended(f->lane, 99); /* there is none */
	assert_int_equal(dal_lane_commit(f->lane), 0);
	assert_int_equal(dal_lane_undelivered(f->lane), 2);
	dal_lane_appended(f->lane, 2);
	assert_int_equal(dal_lane_commit(f->lane), 0);
	assert_int_equal(dal_lane_undelivered(f->lane), 2);
	assert_int_equal(fixture_rows(f, DAL_ROW_OPEN), 2);
	dal_lane_appended(f->lane, 3);
	assert_int_equal(dal_lane_commit(f->lane), 0);
	assert_int_equal(dal_lane_undelivered(f->lane), 1);
}

/* A projection that comes later sees what the lane saw: a row's first completion, no other. */
static void a_late_completion_is_ignored_for_ever(void **own)
{
	struct fixture *f = *own;
	char *id = one_row(f), *text;

	fixture_complete(f, id, false);
	fixture_complete(f, id, false);
	assert_int_equal(fixture_run(f), 0);
	fixture_close(f);
	assert_int_equal(fixture_open(f, CALL ANSWERS), 0); /* built from the log's start */
	text = fixture_view(f, "answers", "check");
	assert_string_equal(text, "{\"n\":1}");
	free(text);
	fixture_forget(f);
	assert_int_equal(fixture_open(f, CALL ANSWERS), 0);
	assert_int_equal(fixture_run(f), 0);
	text = fixture_view(f, "answers", "check");
	assert_string_equal(text, "{\"n\":1}");
	free(text);
	free(id);
}

/* A replay counts as the engine did: late completions not, those of what was sent again. */
static void without_an_outbox_late_ones_are_ignored(void **own)
{
	struct fixture *f = *own;
	char *id = one_row(f), *text;

	fixture_complete(f, id, true);
	fixture_complete(f, id, false); /* too late */
	say(f, "dalamb.dead.retried", id);
	fixture_complete(f, id, false);
	fixture_complete(f, id, false); /* too late */
	for (f->batch_events = 1; f->batch_events <= 10; f->batch_events += 9) {
		for (int outbox = 0; outbox <= 1; outbox++) {
			fixture_forget(f);
			f->no_outbox = !outbox;
			assert_int_equal(fixture_open(f, CALL ANSWERS), 0);
			assert_int_equal(fixture_run(f), 0);
			text = fixture_view(f, "answers", "check");
			assert_string_equal(text, "{\"n\":1}");
			free(text);
			assert_int_equal(fixture_rows(f, DAL_ROW_OPEN), 0);
			assert_int_equal(fixture_rows(f, DAL_ROW_DEAD), 0);
		}
	}
	free(id);
}

/* An id is forgotten by append time, whatever the batches are and whether or not it was deleted. */
static void settled_ids_expire(void **own)
{
	struct fixture *f = *own;
	char *text, *id;

	f->target.age_us = 500000;
	assert_int_equal(fixture_open(f, CALL ANSWERS), 0);
	fixture_append(f, "add", "{\"n\":1}");
	assert_int_equal(fixture_run(f), 0);
	id = fixture_row_id(f, DAL_ROW_OPEN);
	fixture_complete(f, id, false);
	fixture_complete(f, id, false); /* ignored */
	(void)usleep(600000);
	fixture_complete(f, id, false); /* nobody knows any more */
	fixture_complete(f, id, false); /* ignored */
	for (f->batch_events = 1; f->batch_events <= 100; f->batch_events *= 10) {
		assert_int_equal(fixture_run(f), 0);
		text = fixture_view(f, "answers", "check");
		assert_string_equal(text, "{\"n\":2}");
		free(text);
		fixture_forget(f);
		assert_int_equal(fixture_open(f, CALL ANSWERS), 0);
	}
	free(id);
}

/* A thousand rows are listed; of the others the checkpoint speaks by its `before`. Also of one that
 * died and was sent again, and so stands behind all. */
static void a_checkpoint_of_many_rows(void **own)
{
	enum { MANY = DAL_LIMIT_CHECKPOINT_OPEN + 50 };
	struct fixture *f = *own;
	char before[65], after[65];
	char *id = one_row(f);

	for (int i = 1; i < MANY; i++) {
		fixture_append(f, "add", "{}");
	}
	assert_int_equal(fixture_run(f), 0);
	fixture_complete(f, id, true);
	say(f, "dalamb.dead.retried", id);
	assert_int_equal(fixture_run(f), 0);
	assert_int_equal(fixture_rows(f, DAL_ROW_OPEN), MANY);
	checkpoint(f);
	assert_int_equal(fixture_run(f), 0);
	fixture_digest(f, before);
	fixture_forget(f);
	assert_int_equal(fixture_open(f, CALL), 0);
	assert_int_equal(fixture_run(f), 0);
	fixture_digest(f, after);
	assert_string_equal(before, after);
	assert_int_equal(fixture_rows(f, DAL_ROW_OPEN), MANY);
	free(id);
}

/* The log's origin is past the events that a build reads: a report would come out of turn, or be
 * taken for one that was appended. */
static void a_build_reports_nothing(void **own)
{
	struct fixture *f = *own;
	char *text;

	assert_int_equal(fixture_open(f, CALL), 0);
	fixture_append(f, "sum", "{\"n\":1}");
	fixture_append(f, "sum", "{}");
	assert_int_equal(fixture_run(f), 0);
	fixture_close(f);
	assert_int_equal(fixture_open(f, "projection 't' { version = 1, on = { type = 'sum' },"
					 " key = 'type', init = { n = 0 }, fold = function(s, e)"
					 " s.n = s.n + e.data.n return s end }"),
			 0);
	assert_int_equal(fixture_rows(f, DAL_ROW_OPEN), 0);
	text = fixture_view(f, "t", "sum");
	assert_string_equal(text, "{\"n\":1}");
	free(text);
	fixture_append(f, "sum", "{\"n\":1}"); /* the key is parked */
	assert_int_equal(fixture_run(f), 0);
	text = fixture_view(f, "t", "sum");
	assert_string_equal(text, "{\"n\":1}");
	free(text);
}

/* A report that was not on the log yet when a checkpoint was written, and then the state was lost.
 */
static void a_listed_report_comes_again(void **own)
{
	struct fixture *f = *own;
	const char *rules = "projection 't' { version = 1, on = { type = 'add' }, key = 'data.key',"
			    " init = {}, fold = function(s, e) error('no') end }";

	assert_int_equal(fixture_open(f, rules), 0);
	fixture_append(f, "add", "{\"key\":\"a\"}");
	assert_int_equal(fixture_run(f), 0);
	dal_lane_appended(f->lane, only_row(f, DAL_ROW_OPEN).sequence); /* the first one is */
	assert_int_equal(dal_lane_commit(f->lane), 0);
	fixture_append(f, "add", "{\"key\":\"b\"}");
	assert_int_equal(fixture_run(f), 0);
	only_row(f, DAL_ROW_OPEN);
	checkpoint(f);
	fixture_forget(f);
	assert_int_equal(fixture_open(f, rules), 0);
	assert_int_equal(fixture_run(f), 0);
	assert_int_equal(only_row(f, DAL_ROW_OPEN).id.cause.offset, 2);
}

/* What a fold did before it failed is seen by nobody, also when the events before it are run once
 * more. */
static void a_halt_leaves_no_half_of_a_fold(void **own)
{
	struct fixture *f = *own;
	struct dal_buffer memory = {0};
	struct dal_row row;
	char *text;

	assert_int_equal(fixture_open(f, "projection 't' { version = 1, on = { type = 'add' },"
					 " key = 'data.key', on_error = 'halt', init = { n = 0 },"
					 " fold = function(s, e) s.n = s.n + e.data.n"
					 " if e.data.bad then error('no') end return s end }\n"
					 "rule 'peek' { on = { type = 'peek' }, emit = function(e)"
					 " return { type = 'seen', data = view('t', 'a') } end }"),
			 0);
	fixture_append(f, "add", "{\"key\":\"a\",\"n\":1}");
	assert_int_equal(fixture_run(f), 0);
	fixture_append(f, "peek", "{}");
	fixture_append(f, "add", "{\"key\":\"a\",\"n\":100,\"bad\":true}");
	assert_int_equal(fixture_run(f), DAL_LANE_HALTED);
	assert_int_equal(dal_lane_next(f->lane), 3);
	row = only_row(f, DAL_ROW_OPEN);
	assert_int_equal(dal_outbox_get(f->state, 0, DAL_ROW_OPEN, (struct dal_slice){0},
					row.sequence, &row, &memory),
			 0);
	text = dal_slice_dup(row.payload);
	assert_non_null(strstr(text, "\"data\":{\"n\":1}"));
	free(text);
	dal_buffer_deinit(&memory);
}

/* The guard takes more memory than is left in a machine that holds large entries: asked again in a
 * fresh one it has its own, so its verdict does not depend on what is cached. */
static void a_full_machine_changes_no_verdict(void **own)
{
	struct fixture *f = *own;
	const char *rules = "projection 'big' { version = 1, on = { type = 'fill' },"
			    " key = 'data.key', init = {}, fold = function(s, e)"
			    " s.text = string.rep('x', 500000) return s end }\n"
			    "rule 'r' { on = { type = 'ask' }, when = function(e)"
			    " local t = {} for i = 1, 6 do t[i] = string.rep('y', 1000000) .. i end"
			    " return #t == 6 end, call = 'check' }";
	char digest[2][65];

	for (int i = 0; i < 2; i++) {
		f->cache_entries = i == 0 ? 1000 : 0;
		f->batch_events = i == 0 ? 1000 : 1;
		assert_int_equal(fixture_open(f, rules), 0);
		for (int k = 0; i == 0 && k < 20; k++) {
			char data[32];
			(void)snprintf(data, sizeof(data), "{\"key\":\"k%d\"}", k);
			fixture_append(f, "fill", data);
			fixture_append(f, "ask", "{}");
		}
		assert_int_equal(fixture_run(f), 0);
		assert_int_equal(fixture_rows(f, DAL_ROW_OPEN), 20);
		fixture_digest(f, digest[i]);
		fixture_forget(f);
	}
	assert_string_equal(digest[0], digest[1]);
}

/* A fold over its memory limit has its second opinion, and is then a failure like any other. */
static void a_fold_over_its_limit_parks(void **own)
{
	struct fixture *f = *own;
	char *text;

	assert_int_equal(fixture_open(f, "projection 't' { version = 1, on = { type = 'add' },"
					 " key = 'data.key', init = { n = 0 },"
					 " fold = function(s, e) s.n = s.n + 1"
					 " if e.data.bad then local t = {} for i = 1, 20 do"
					 " t[i] = string.rep('y', 1000000) .. i end end"
					 " return s end }"),
			 0);
	fixture_append(f, "add", "{\"key\":\"a\"}");
	fixture_append(f, "add", "{\"key\":\"a\"}");
	fixture_append(f, "add", "{\"key\":\"a\",\"bad\":true}");
	fixture_append(f, "add", "{\"key\":\"a\"}");
	fixture_append(f, "add", "{\"key\":\"b\"}");
	assert_int_equal(fixture_run(f), 0);
	text = fixture_view(f, "t", "a");
	assert_string_equal(text, "{\"n\":2}");
	free(text);
	text = fixture_view(f, "t", "b");
	assert_string_equal(text, "{\"n\":1}");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		CASE(a_delivered_row_dies_and_returns_in_one_batch),
		CASE(a_dead_letter_returns_and_dies_in_one_batch),
		CASE(dead_letters_before_the_checkpoint),
		CASE(a_dead_letter_whose_rule_is_gone),
		CASE(a_failure_of_nothing_harms_nothing),
		CASE(rows_to_the_log_count_until_they_are_there),
		CASE(a_row_to_the_log_counts_once),
		CASE(a_late_completion_is_ignored_for_ever),
		CASE(without_an_outbox_late_ones_are_ignored),
		CASE(settled_ids_expire),
		CASE(a_checkpoint_of_many_rows),
		CASE(a_build_reports_nothing),
		CASE(a_listed_report_comes_again),
		CASE(a_halt_leaves_no_half_of_a_fold),
		CASE(a_full_machine_changes_no_verdict),
		CASE(a_fold_over_its_limit_parks),
	};

	return cmocka_run_group_tests_name("stream rows", tests, NULL, NULL);
}
