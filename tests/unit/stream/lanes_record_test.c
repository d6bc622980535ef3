/*
 * Records that others wrote to the topics of a lane: what is no event is reported once and passed,
 * or halts; what a foreign topic says of dalamb is void.
 */
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

#define RULES LANES_TOTALS("1") LANES_CALL LANES_EMIT LANES_ANSWERS

static const char *const topics[] = {"clicks", NULL};

/* clicks are keyed by data.key. */
static void log_keyed(struct fixture *f, bool halt)
{
	lanes_reopen_log(f, &(struct lanes_log_options){.lanes = LANES,
							.topics = topics,
							.gap = LANES_GAP,
							.clock_us = LANES_CLOCK_US,
							.keyed = "clicks",
							.halt_on_wrong_key = halt});
}

static uint64_t write_keyed(struct fixture *f, const char *key, const char *type, const char *data)
{
	char *event = lanes_event(type, data, "");
	uint64_t offset = lanes_log_write_keyed(f->log, "clicks", f->number, key, event);

	free(event);
	return offset;
}

/* --- refused, and passed --- */

/* What a report must hold. */
static void expect_report(const struct lanes_rows *rows, size_t index, const char *place,
			  const char *reason, size_t size)
{
	const char *payload = rows->list[index].payload;
	char *id = dal_asprintf("lanes-test/%s/log/failed/0", place);
	char *cause = dal_asprintf("\"dalambcause\":\"%s\"", place);
	char *position = dal_asprintf("{\"position\":\"%s\",", place);
	char *size_text = dal_asprintf("\"size\":%zu}", size);
	const char *parts[] = {"\"type\":\"dalamb.record.refused\"",
			       "\"source\":\"/dalamb/test\"",
			       "\"dalambhops\":1",
			       reason,
			       cause,
			       position,
			       size_text};

	assert_string_equal(rows->list[index].id, id);
	assert_string_equal(rows->list[index].topic, "system");
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!strstr(payload, parts[i])) {
			fail_msg("%s is not in %s", parts[i], payload);
		}
	}
	free(id);
	free(cause);
	free(position);
	free(size_text);
}

static const struct refused {
	const char *topic, *key, *text, *refused, *reason;
} refused[] = {
	{"clicks", NULL, "{\"type\":\"add\",", NULL, "its JSON is broken at byte "},
	{"events", NULL, "not json", NULL, "its JSON is broken at byte "},
	{"clicks", NULL, "", NULL, "its JSON is broken at byte "},
	{"clicks", NULL, "[1]", NULL, "\"reason\":\""},
	{"clicks", NULL, "{\"specversion\":\"1.0\",\"source\":\"/t\",\"type\":\"add\"}", NULL,
	 "id"},
	{"clicks", NULL,
	 "{\"specversion\":\"0.3\",\"id\":\"1\",\"source\":\"/t\",\"type\":\"add\"}", NULL,
	 "specversion"},
	{"clicks", "a",
	 "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/t\",\"type\":\"add\","
	 "\"data\":{\"key\":\"k\"}}",
	 NULL, "its key is not its data.key"},
	{"clicks", NULL,
	 "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/t\",\"type\":\"add\","
	 "\"data\":{\"key\":\"k\"}}",
	 NULL, "its key is not its data.key"},
	{"clicks", NULL,
	 "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/t\","
	 "\"type\":\"dalamb.function.succeeded\",\"data\":{\"name\":\"check\"}}",
	 NULL, "its type is dalamb's"},
	{"events", NULL,
	 "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/t\","
	 "\"type\":\"dalamb.dead.dropped\"}",
	 NULL, "its type is dalamb's"},
	{"events", NULL, "\xFF\xFE of 5 MiB", "5 MiB \x80 \" are too many",
	 "5 MiB \xEF\xBF\xBD \\\" are too many"},
	{"system", NULL, "{}", NULL, "\"reason\":\""},
};

enum { REFUSED = sizeof(refused) / sizeof(refused[0]) };

static void refused_write(struct fixture *f, char places[REFUSED][32])
{
	for (size_t i = 0; i < REFUSED; i++) {
		const struct refused *r = &refused[i];
		uint64_t offset =
			r->key ? lanes_log_write_keyed(f->log, r->topic, 0, r->key, r->text)
			       : lanes_log_write(f->log, r->topic, 0, r->text, r->refused);
		(void)snprintf(places[i], 32, "%s/0/%u", r->topic, (unsigned)offset);
		write_keyed(f, "k", "add", "{\"key\":\"k\"}");
	}
}

static void each_is_reported_once(struct fixture *f, size_t at_once)
{
	char places[REFUSED][32], total[64];
	struct lanes_rows rows;
	size_t reports = 0;

	log_keyed(f, false);
	refused_write(f, places);
	f->batch_events = at_once;
	lanes_fold(f, RULES);
	assert_int_equal(dal_lane_refused(f->lane), REFUSED);
	assert_int_equal(dal_lane_events(f->lane), 2 * REFUSED);
	lanes_rows_read(f, &rows);
	assert_int_equal(rows.count, 2 * REFUSED); /* a report, and an emit of what is right */
	for (size_t i = 0; i < rows.count; i++) {
		if (strcmp(rows.list[i].topic, "system") == 0) {
			expect_report(&rows, i, places[reports], refused[reports].reason,
				      strlen(refused[reports].text));
			reports++;
		}
	}
	assert_int_equal(reports, REFUSED);
	lanes_rows_free(&rows);
	(void)snprintf(total, sizeof(total), "\"n\":%d}", REFUSED);
	char *view = fixture_view(f, "totals", "k");
	assert_non_null(strstr(view, total));
	free(view);
	lanes_expect_view(f, "answers", "check", NULL);
	fixture_close(f);
	lanes_fold(f, LANES_TOTALS("2") LANES_CALL LANES_EMIT); /* built: nothing is told again */
	lanes_rows_read(f, &rows);
	assert_int_equal(rows.count, 2 * REFUSED);
	lanes_rows_free(&rows);
	assert_int_equal(dal_lane_refused(f->lane), 0); /* since it was opened */
	fixture_forget(f);
}

static void each_refused_record_is_reported_once(void **own)
{
	each_is_reported_once(*own, 1000);
	each_is_reported_once(*own, 1);
	each_is_reported_once(*own, 3);
}

/* A replay makes no rows, and has no harm from them. */
static void a_replay_reports_nothing(void **own)
{
	struct fixture *f = *own;

	f->no_outbox = true;
	lanes_log_write(f->log, "clicks", 0, "{", NULL);
	lanes_write(f, "clicks", 0, "add", "{\"key\":\"k\"}", "");
	lanes_fold(f, RULES);
	assert_int_equal(dal_lane_refused(f->lane), 1);
	assert_int_equal(fixture_rows(f, DAL_ROW_OPEN), 0);
}

/* --- refused, and halts --- */

static void wrong_key_halts(struct fixture *f, size_t at_once)
{
	struct lanes_rows rows;
	uint64_t wrong;

	log_keyed(f, true);
	f->batch_events = at_once;
	write_keyed(f, "k", "add", "{\"key\":\"k\"}");
	lanes_log_write(f->log, "events", 0, "{", NULL);
	wrong = write_keyed(f, "a", "add", "{\"key\":\"k\"}");
	write_keyed(f, "k", "add", "{\"key\":\"k\"}");
	assert_int_equal(fixture_open(f, RULES), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fixture_run(f), DAL_LANE_HALTED);
		assert_non_null(dal_lane_halt(f->lane));
		assert_string_equal(dal_lane_halt(f->lane)->message, "its key is not its data.key");
		assert_string_equal(dal_lane_halt(f->lane)->declaration, "");
		assert_int_equal(dal_lane_halt(f->lane)->place.offset, wrong);
		assert_true(dal_slice_is(dal_lane_halt(f->lane)->place.topic, "clicks"));
		assert_int_equal(dal_lane_refused(f->lane), i == 0);
		assert_int_equal(dal_lane_events(f->lane), i == 0 ? 2 : 0);
		assert_int_equal(dal_position_next(dal_lane_position(f->lane),
						   dal_slice_text("clicks"), 0),
				 wrong);
		lanes_expect_view(f, "totals", "k", "{\"last\":\"clicks/0\",\"n\":1}");
		lanes_rows_read(f, &rows);
		assert_int_equal(rows.count, 2); /* an emit, the report of what came before */
		lanes_rows_free(&rows);
		fixture_close(f);
		assert_int_equal(fixture_open(f, RULES), 0); /* and halts again */
	}
	fixture_forget(f);
}

static void a_wrong_key_halts_its_lane(void **own)
{
	wrong_key_halts(*own, 1000);
	wrong_key_halts(*own, 1);
	wrong_key_halts(*own, 2);
}

/* Of an event that halts the time does not count: it has not been folded in. */
static void what_halts_does_not_move_time(void **own)
{
	static const char rules[] =
		"projection 't' { version = 1, on = { type = 'add' }, key = 'data.key',"
		" on_error = 'halt', init = { n = 0 }, fold = function(s, e)"
		" if e.data.bad then error('no') end s.n = s.n + 1 return s end }\n";
	struct fixture *f = *own;
	int64_t before_us;

	lanes_write(f, "events", 0, "add", "{\"key\":\"k\"}", "");
	assert_int_equal(fixture_open(f, rules), 0);
	assert_int_equal(fixture_run(f), 0);
	before_us = dal_lane_appended_us(f->lane);
	assert_true(before_us >= LANES_CLOCK_US);
	lanes_write(f, "events", 0, "add", "{\"key\":\"k\",\"bad\":true}", "");
	assert_int_equal(fixture_run(f), DAL_LANE_HALTED);
	assert_string_equal(dal_lane_halt(f->lane)->declaration, "t");
	assert_int_equal(dal_lane_appended_us(f->lane), before_us);
}

/* Others' producers may say any time. */
static void a_foreign_topic_does_not_move_time(void **own)
{
	struct fixture *f = *own;
	int64_t before_us;

	lanes_write(f, "events", 0, "add", "{\"key\":\"k\"}", "");
	lanes_fold(f, RULES);
	before_us = dal_lane_appended_us(f->lane);
	assert_true(before_us >= LANES_CLOCK_US);
	lanes_write(f, "clicks", 0, "add", "{\"key\":\"k\"}", "");
	assert_int_equal(fixture_run(f), 0);
	lanes_expect_view(f, "totals", "k", "{\"last\":\"clicks/0\",\"n\":2}");
	assert_int_equal(dal_lane_appended_us(f->lane), before_us);
}

/* --- what foreign topics say of dalamb --- */

#define SEVENTEEN ",\"dalambhops\":17,\"dalambcause\":\"events/0/99\""

static void hops_of_others_are_void(void **own)
{
	struct fixture *f = *own;
	struct lanes_rows rows;

	lanes_write(f, "clicks", 0, "add", "{\"key\":\"foreign\"}", SEVENTEEN);
	lanes_write(f, "events", 0, "add", "{\"key\":\"own\"}", SEVENTEEN);
	lanes_write(f, "events", 0, "add", "{\"key\":\"last\"}", ",\"dalambhops\":16");
	lanes_fold(f, RULES);
	lanes_expect_view(f, "totals", "foreign", "{\"last\":\"clicks/0\",\"n\":1}");
	lanes_expect_view(f, "totals", "own", NULL); /* past 16 hops nothing is matched */
	lanes_expect_view(f, "totals", "last", "{\"last\":\"events/1\",\"n\":1}");
	lanes_rows_read(f, &rows);
	assert_int_equal(rows.count, 2);
	assert_int_equal(rows.list[0].hops, 1);
	assert_non_null(strstr(rows.list[0].payload, "\"dalambhops\":1,"));
	assert_non_null(strstr(rows.list[0].payload, "\"dalambcause\":\"clicks/0/0\""));
	assert_non_null(strstr(rows.list[1].payload, "dalamb.rule.failed")); /* cut */
	lanes_rows_free(&rows);
}

/* A completion counts from the app's own `system` alone. */
static void completions_of_others_settle_nothing(void **own)
{
	struct fixture *f = *own;
	char *row = lanes_row(f, "events", 0), *data;

	data = dal_asprintf("{\"row\":\"%s\",\"name\":\"check\"}", row);
	lanes_append(f, "events", 0, "call", "{}");
	lanes_write(f, "clicks", 0, "dalamb.function.succeeded", data, "");
	lanes_write(f, "events", 0, "dalamb.function.failed", data, "");
	lanes_fold(f, RULES);
	assert_int_equal(dal_lane_refused(f->lane), 2);
	assert_int_equal(dal_lane_dead(f->lane), 0);
	assert_int_equal(dal_lane_undelivered(f->lane), 3); /* the call, two reports */
	lanes_expect_view(f, "answers", "check", NULL);
	lanes_write(f, "system", 0, "dalamb.function.succeeded", data, "");
	assert_int_equal(fixture_run(f), 0);
	assert_int_equal(dal_lane_undelivered(f->lane), 2);
	lanes_expect_view(f, "answers", "check", "{\"n\":1}");
	free(row);
	free(data);
}

/* A failure of a row that can't be: its cause is no event, lies in another lane, or nowhere. The
 * id is remembered; what else the batch holds is not lost. */
static void failures_of_rows_that_cannot_be(void **own)
{
	static const char *const causes[] = {"clicks/0/0", "events/1/0", "events/7/0",
					     "nowhere/0/0", "clicks/0/50"};
	struct fixture *f = *own;

	lanes_log_write(f->log, "clicks", 0, "{", NULL);
	lanes_append(f, "events", 1, "call", "{}"); /* of the other lane */
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		char *row = dal_asprintf("lanes-test/%s/r/check/0", causes[i]);
		lanes_append(f, "events", 0, "other", "{}");
		lanes_complete(f, row, true);
		free(row);
	}
	lanes_append(f, "events", 0, "add", "{\"key\":\"k\"}");
	lanes_fold(f, RULES);
	lanes_expect_view(f, "totals", "k", "{\"last\":\"events/7\",\"n\":1}");
	assert_int_equal(dal_lane_dead(f->lane), 0);
	assert_int_equal(dal_lane_undelivered(f->lane), 2); /* a report, an emit */
}

/* --- duplicate keys: the last counts --- */

#define SUMS                                                                                       \
	"projection 'sums' { version = 1, on = { type = 'sum' }, key = 'data.key',"                \
	" on_error = 'skip', init = { sum = 0 }, fold = function(s, e)"                            \
	" s.sum = s.sum + e.data.n if e.data.bad then error('bad') end return s end }\n"

static void expect_sum(struct fixture *f, size_t at_once)
{
	f->batch_events = at_once;
	lanes_fold(f, SUMS);
	lanes_expect_view(f, "sums", "k", "{\"sum\":12}");
	fixture_forget(f);
}

/* Also where a fold that failed is undone, and the events before it are folded once more. */
static void the_last_of_duplicates_counts(void **own)
{
	struct fixture *f = *own;

	lanes_write(f, "clicks", 0, "sum", "{\"key\":\"k\",\"n\":1,\"n\":5}", "");
	lanes_write(f, "events", 0, "sum", "{\"key\":\"k\",\"n\":3,\"n\":6}", "");
	lanes_write(f, "clicks", 0, "sum", "{\"key\":\"k\",\"n\":100,\"bad\":true}", "");
	lanes_write(f, "events", 0, "sum", "{\"key\":\"k\",\"n\":1}", "");
	expect_sum(f, 1);
	expect_sum(f, 1000);
	expect_sum(f, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, lanes_setup, fixture_teardown)
		CASE(each_refused_record_is_reported_once), CASE(a_replay_reports_nothing),
		CASE(a_wrong_key_halts_its_lane),           CASE(what_halts_does_not_move_time),
		CASE(a_foreign_topic_does_not_move_time),   CASE(hops_of_others_are_void),
		CASE(completions_of_others_settle_nothing), CASE(failures_of_rows_that_cannot_be),
		CASE(the_last_of_duplicates_counts),
	};

	return cmocka_run_group_tests_name("stream lanes record", tests, NULL, NULL);
}
