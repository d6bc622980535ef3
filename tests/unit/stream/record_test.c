/*
 * Records as only a log that others write to gives them: repeats, what is no event, what nobody has
 * validated. They are those of an embedded log, changed as they are read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "tests/unit/stream/fixture.h"

#define TOTALS(version)                                                                            \
	"projection 'totals' { version = " version ", on = { type = 'add' }, key = 'data.key',"    \
	" init = { n = 0 }, fold = function(s, e) s.n = s.n + 1 return s end }\n"                  \
	"rule 'r' { on = { type = 'add' }, call = 'check' }\n"

#define ANSWERS                                                                                    \
	"projection 'answers' { version = 1, on = { type = 'dalamb.function.succeeded' },"         \
	" key = 'data.name', init = { n = 0 },"                                                    \
	" fold = function(s, e) s.n = s.n + 1 return s end }\n"

static const struct dal_slice key_a = DAL_SLICE_LITERAL("aaaaaaaaaaaaaaaa");
static const struct dal_slice key_b = DAL_SLICE_LITERAL("bbbbbbbbbbbbbbbb");

static void append(struct fixture *f, unsigned count)
{
	while (count-- > 0) {
		fixture_append(f, "add", "{\"key\":\"k\"}");
	}
}

/* --- what changes them; the linker puts this before the real one --- */

static void (*change)(struct dal_log_record *record);

int __real_dal_log_read(struct dal_log_reader *reader, size_t max_events, size_t max_bytes,
			struct dal_log_batch *batch);
int __wrap_dal_log_read(struct dal_log_reader *reader, size_t max_events, size_t max_bytes,
			struct dal_log_batch *batch);

int __wrap_dal_log_read(struct dal_log_reader *reader, size_t max_events, size_t max_bytes,
			struct dal_log_batch *batch)
{
	int r = __real_dal_log_read(reader, max_events, max_bytes, batch);

	for (size_t i = 0; r == 0 && i < batch->count; i++) {
		change(&batch->records[i]);
	}
	return r;
}

static void expect_total(struct fixture *f, const char *json)
{
	char *text = fixture_view(f, "totals", "k");

	assert_non_null(text);
	assert_string_equal(text, json);
	free(text);
}

/* --- repeats --- */

static void repeat_keys(struct dal_log_record *record)
{
	record->dedup = record->place.offset == 3 ? key_b : key_a;
	record->appended_us = 1000000 * (int64_t)record->place.offset;
}

static void repeats_have_no_effect(struct fixture *f, size_t at_once)
{
	change = repeat_keys;
	f->batch_events = at_once;
	append(f, 4); /* a a b a */
	assert_int_equal(fixture_open(f, TOTALS("1")), 0);
	assert_int_equal(fixture_run(f), 0);
	expect_total(f, "{\"n\":2}");
	assert_int_equal(fixture_rows(f, DAL_ROW_OPEN), 2);
	assert_int_equal(dal_lane_next(f->lane), 5);
	assert_int_equal(dal_lane_events(f->lane), 4);
	assert_int_equal(dal_lane_repeated(f->lane), 2);
	assert_int_equal(dal_lane_refused(f->lane), 0);
}

static void repeats_in_one_batch(void **own)
{
	repeats_have_no_effect(*own, 1000);
}

static void repeats_in_a_batch_an_event(void **own)
{
	repeats_have_no_effect(*own, 1);
}

static void repeats_behind_a_restart(void **own)
{
	struct fixture *f = *own;

	change = repeat_keys;
	append(f, 1);
	assert_int_equal(fixture_open(f, TOTALS("1")), 0);
	assert_int_equal(fixture_run(f), 0);
	fixture_close(f);
	append(f, 2);
	assert_int_equal(fixture_open(f, TOTALS("1")), 0);
	assert_int_equal(fixture_run(f), 0);
	expect_total(f, "{\"n\":2}");
	assert_int_equal(dal_lane_repeated(f->lane), 1);
}

/* A projection that is built later can't tell repeats any more: the state remembers them. */
static void repeats_stay_ignored(void **own)
{
	struct fixture *f = *own;

	repeats_have_no_effect(f, 1000);
	fixture_close(f);
	assert_int_equal(fixture_open(f, TOTALS("2")), 0);
	expect_total(f, "{\"n\":2}");
	assert_int_equal(fixture_rows(f, DAL_ROW_OPEN), 2);
}

static void third_is_the_first_again(struct dal_log_record *record)
{
	record->dedup = record->place.offset == 2 ? key_b : key_a;
}

/* The part of a batch before a halt is run again: its events are no repeats of themselves. */
static void a_halt_makes_no_repeats(void **own)
{
	static const char rules[] =
		"projection 'totals' { version = 1, on = { type = 'add' }, key = 'data.key',"
		" on_error = 'halt', init = { n = 0 }, fold = function(s, e)"
		" if e.data.bad then error('no') end s.n = s.n + 1 return s end }\n";
	struct fixture *f = *own;

	change = third_is_the_first_again;
	append(f, 1);
	fixture_append(f, "add", "{\"key\":\"k\",\"bad\":true}");
	append(f, 1);
	assert_int_equal(fixture_open(f, rules), 0);
	assert_int_equal(fixture_run(f), DAL_LANE_HALTED);
	expect_total(f, "{\"n\":1}");
	assert_int_equal(dal_lane_repeated(f->lane), 0);
	fixture_close(f);
	assert_int_equal(fixture_open(f, TOTALS("2")), 0);
	assert_int_equal(dal_lane_next(f->lane), 2);
	assert_int_equal(fixture_run(f), 0);
	expect_total(f, "{\"n\":2}"); /* the one that halted is in, the third is a repeat */
	assert_int_equal(dal_lane_repeated(f->lane), 1);
}

/* --- what is no event --- */

static void refuse_second(struct dal_log_record *record)
{
	if (record->place.offset == 2) {
		record->event = (struct dal_slice){0};
		record->refused = dal_slice_text("it has 5 MiB, the limit is 1 MiB");
		record->size_bytes = 5242880;
	}
}

static void break_second(struct dal_log_record *record)
{
	static const char broken[64 + DAL_JSON_PADDING] = "{\"type\":\"add\",";

	record->untrusted = true;
	if (record->place.offset == 2) {
		record->event = dal_slice(broken, strlen(broken));
	}
}

/* All reports, one after the other. */
static bool on_report(const struct dal_row *row, void *own)
{
	assert_true(dal_slice_is(row->topic, "system"));
	dal_buffer_slice_append(own, row->payload);
	return true;
}

static void expect_report(struct fixture *f, const char *const *parts)
{
	const struct dal_slice of_log = {0};
	struct dal_buffer text = {0};

	assert_true(dal_outbox_scan(f->state, 0, DAL_ROW_OPEN, &of_log, 0, on_report, &text) >= 0);
	for (; *parts; parts++) {
		if (!strstr(dal_buffer_cstr(&text), *parts)) {
			fail_msg("%s is not in %s", *parts, dal_buffer_cstr(&text));
		}
	}
	dal_buffer_deinit(&text);
}

static void second_is_refused(struct fixture *f, const char *const *parts)
{
	append(f, 3);
	assert_int_equal(fixture_open(f, TOTALS("1")), 0);
	assert_int_equal(fixture_run(f), 0);
	expect_total(f, "{\"n\":2}");
	assert_int_equal(fixture_rows(f, DAL_ROW_OPEN), 3); /* two calls, and a report */
	assert_int_equal(dal_lane_refused(f->lane), 1);
	assert_int_equal(dal_lane_events(f->lane), 3);
	assert_int_equal(dal_lane_next(f->lane), 4);
	expect_report(f, parts);
	fixture_close(f);
	assert_int_equal(fixture_open(f, TOTALS("2")), 0); /* passed, and not reported again */
	expect_total(f, "{\"n\":2}");
	assert_int_equal(fixture_rows(f, DAL_ROW_OPEN), 3);
}

static void a_refused_record_is_reported_and_passed(void **own)
{
	static const char *const parts[] = {"\"type\":\"dalamb.record.refused\"",
					    "\"position\":\"events/0/2\"",
					    "\"reason\":\"it has 5 MiB, the limit is 1 MiB\"",
					    "\"size\":5242880", NULL};

	change = refuse_second;
	second_is_refused(*own, parts);
}

static void so_is_broken_json(void **own)
{
	static const char *const parts[] = {"\"type\":\"dalamb.record.refused\"",
					    "\"position\":\"events/0/2\"",
					    "its JSON is broken at byte ", "\"size\":14", NULL};

	change = break_second;
	second_is_refused(*own, parts);
}

/* --- topics that overtake each other --- */

#define HOUR_US 3600000000ll /* how long settled ids are kept */

/* The third is far ahead of the fourth. */
static void overtake(struct dal_log_record *record)
{
	static const int64_t times[] = {0, 10, 11, HOUR_US + 1000, HOUR_US - 100, HOUR_US - 50};

	record->appended_us = 1000000 + times[record->place.offset];
}

static void expect_forgotten(struct fixture *f, size_t at_once)
{
	char *text;

	f->batch_events = at_once;
	assert_int_equal(fixture_open(f, TOTALS("1") ANSWERS), 0);
	assert_int_equal(fixture_run(f), 0);
	text = fixture_view(f, "answers", "check");
	assert_non_null(text);
	assert_string_equal(text, "{\"n\":2}");
	free(text);
	fixture_forget(f);
}

/* A settled id is forgotten by the time that the lane has come to, in batches of any size. */
static void settled_ids_are_forgotten_alike(void **own)
{
	struct fixture *f = *own;
	struct dal_slice log = dal_log_id(f->log);
	char *row = dal_asprintf("%.*s/events/0/1/r/check/0", (int)log.size, log.data);

	change = overtake;
	append(f, 1);
	fixture_complete(f, row, false);
	append(f, 1);
	fixture_complete(f, row, false); /* too late: of a row that nobody remembers */
	fixture_complete(f, row, false); /* this one is too many */
	expect_forgotten(f, 1000);
	expect_forgotten(f, 1);
	expect_forgotten(f, 2);
	free(row);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		CASE(repeats_in_one_batch),     CASE(repeats_in_a_batch_an_event),
		CASE(repeats_behind_a_restart), CASE(repeats_stay_ignored),
		CASE(a_halt_makes_no_repeats),  CASE(a_refused_record_is_reported_and_passed),
		CASE(so_is_broken_json),        CASE(settled_ids_are_forgotten_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
