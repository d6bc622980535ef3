/* A lane switched to other rules at each of its batch boundaries, against a model: which rules make
 * which rows, and what the projections then hold. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "engine/stream/worker.h"
#include "state/generation.h"
#include "tests/unit/stream/fixture.h"

enum { EVENTS = 24, KEYS = 3 };

#define COUNT(name, version, weight)                                                               \
	"projection '" name "' { version = " version ", on = { type = 'add' }, key = 'data.key',"  \
	" init = { n = 0 }, fold = function(s, e) s.n = s.n + " weight " return s end }\n"
#define CALL(name) "rule '" name "' { on = { type = 'add' }, call = 'check' }\n"

#define BEFORE CALL("one") COUNT("same", "1", "1") COUNT("raised", "1", "1") COUNT("gone", "1", "1")
#define AFTER                                                                                      \
	CALL("two") COUNT("same", "1", "1") COUNT("raised", "2", "10") COUNT("fresh", "1", "5")

static void append_all(struct fixture *f)
{
	for (int i = 0; i < EVENTS; i++) {
		char *data = dal_asprintf("{\"key\":\"k%d\",\"i\":%d}", i % KEYS, i);
		assert_int_equal(fixture_append(f, "add", data), i + 1);
		free(data);
	}
}

/* Processes up to the offset `end`, `size` events at a time. */
static void process_until(struct fixture *f, uint64_t end, size_t size)
{
	struct dal_log_batch batch = {0};
	struct dal_log_reader *reader;

	assert_int_equal(dal_log_follow(f->log, f->number, dal_lane_position(f->lane), &reader), 0);
	while (dal_lane_next(f->lane) < end) {
		uint64_t left = end - dal_lane_next(f->lane);
		size_t count = left < size ? (size_t)left : size;
		assert_int_equal(dal_log_read(reader, count, 1 << 20, &batch), 0);
		assert_int_equal(dal_lane_process(f->lane, &batch), 0);
	}
	dal_log_batch_release(&batch);
	dal_log_reader_free(reader);
}

static void beside(struct fixture *f, const char *rules)
{
	struct dal_rules *runs = f->rules;
	struct dal_lane_options options;
	struct dal_lane_halt halt;

	fixture_rules(f, rules);
	options = fixture_lane_options(f);
	assert_int_equal(dal_lane_build_beside(&options, NULL, NULL, &halt), 0);
	dal_rules_unref(f->rules);
	f->rules = runs;
}

static void switch_to(struct fixture *f, const char *rules, const char *generation)
{
	struct dal_rules *before = f->rules;
	struct dal_lane_options options;
	struct dal_lane_next *next;
	size_t anew;

	fixture_rules(f, rules);
	options = fixture_lane_options(f);
	assert_int_equal(dal_lane_next_new(f->lane, &options, &next), 0);
	assert_int_equal(dal_lane_switch(f->lane, next, dal_slice_text(generation), &anew), 0);
	assert_int_equal(anew, 0);
	assert_int_equal(dal_lane_build(f->lane, NULL, NULL), 0);
	dal_rules_unref(before);
}

/* --- the model --- */

struct made {
	int rows[EVENTS + 1];    /* by cause */
	bool second[EVENTS + 1]; /* by the second rules */
	uint64_t numbers[EVENTS + 1];
};

static bool on_row(const struct dal_row *row, void *own)
{
	struct made *made = own;
	uint64_t cause = row->id.cause.offset;

	made->rows[cause]++;
	made->second[cause] = dal_slice_is(row->id.declaration, "two");
	assert_true(made->second[cause] || dal_slice_is(row->id.declaration, "one"));
	made->numbers[cause] = dal_generation_parse(row->generation).number;
	assert_true(dal_slice_is(dal_generation_parse(row->generation).digest, "abc"));
	return true;
}

/* One row an event: of the rules that ran there. */
static void expect_rows(struct fixture *f, uint64_t from)
{
	struct made made = {0};

	assert_true(dal_outbox_scan(f->state, 0, DAL_ROW_OPEN, NULL, 0, on_row, &made) >= 0);
	for (uint64_t offset = 1; offset <= EVENTS; offset++) {
		assert_int_equal(made.rows[offset], 1);
		assert_int_equal(made.second[offset], offset >= from);
		assert_int_equal(made.numbers[offset], offset >= from ? 2 : 1);
	}
}

/* As if the projection had always been there. */
static void expect_counts(struct fixture *f, const char *projection, int weight)
{
	char *want = dal_asprintf("{\"n\":%d}", weight * EVENTS / KEYS);

	for (int k = 0; k < KEYS; k++) {
		char *key = dal_asprintf("k%d", k);
		char *got = fixture_view(f, projection, key);
		assert_non_null(got);
		assert_string_equal(got, want);
		free(got);
		free(key);
	}
	free(want);
}

/* --- a switch at each boundary --- */

struct way {
	size_t batch;
	bool beside; /* new projections are begun beforehand, half-way to the switch */
	size_t cache;
};

static const struct way ways[] = {
	{1, false, 100}, {1, true, 0}, {5, true, 100}, {7, false, 0}, {64, true, 3}};

static void switch_at(struct fixture *f, const struct way *way, uint64_t from)
{
	f->cache_entries = way->cache;
	assert_int_equal(fixture_open(f, BEFORE), 0);
	dal_lane_generation(f->lane, dal_slice_text("1-abc"));
	process_until(f, (from + 1) / 2, way->batch);
	if (way->beside) {
		beside(f, AFTER);
	}
	process_until(f, from, way->batch);
	switch_to(f, AFTER, "2-abc");
	process_until(f, EVENTS + 1, way->batch);
	expect_rows(f, from);
	expect_counts(f, "same", 1);
	expect_counts(f, "raised", 10);
	expect_counts(f, "fresh", 5);
}

static void each_boundary(void **own)
{
	struct fixture *f = *own;

	append_all(f);
	for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
		for (uint64_t from = 1; from <= EVENTS + 1; from++) {
			switch_at(f, &ways[w], from);
			fixture_forget(f);
		}
	}
}

/* What no rules declare goes; what is left is what a rebuild gives, byte for byte. */
static void the_same_as_a_rebuild(void **own)
{
	struct fixture *f = *own;
	char switched[65], rebuilt[65];

	f->no_outbox = true; /* rows are older rules' */
	append_all(f);
	assert_int_equal(fixture_open(f, BEFORE), 0);
	process_until(f, 10, 4);
	beside(f, AFTER);
	switch_to(f, AFTER, "2-abc");
	process_until(f, EVENTS + 1, 4);
	assert_int_equal(dal_lane_rules_drop(f->state, 0, f->rules), 0);
	fixture_digest(f, switched);
	fixture_forget(f);
	assert_int_equal(fixture_open(f, AFTER), 0);
	process_until(f, EVENTS + 1, 9);
	fixture_digest(f, rebuilt);
	assert_string_equal(switched, rebuilt);
}

/* The files were taken back, and the engine was killed: the old versions go on where they were
 * left.
 */
static void taken_back(void **own)
{
	struct fixture *f = *own;

	append_all(f);
	for (uint64_t from = 1; from <= EVENTS + 1; from += 4) {
		assert_int_equal(fixture_open(f, BEFORE), 0);
		process_until(f, from, 3);
		switch_to(f, AFTER, "2-abc");
		process_until(f, from + 3 < EVENTS ? from + 3 : EVENTS + 1, 2);
		fixture_close(f);
		assert_int_equal(fixture_open(f, BEFORE), 0);
		process_until(f, EVENTS + 1, 5);
		expect_counts(f, "same", 1);
		expect_counts(f, "raised", 1);
		expect_counts(f, "gone", 1);
		fixture_forget(f);
	}
}

/* Killed while it was built beside: the next one goes on, also with another fold. */
static void half_built(void **own)
{
	struct fixture *f = *own;

	append_all(f);
	assert_int_equal(fixture_open(f, BEFORE), 0);
	process_until(f, 9, 3);
	beside(f, BEFORE COUNT("fresh", "1", "3"));
	beside(f, AFTER);
	fixture_close(f);
	assert_int_equal(fixture_open(f, AFTER), 0);
	process_until(f, EVENTS + 1, 3);
	expect_counts(f, "fresh", 5);
	expect_counts(f, "raised", 10);
}

/* --- refused, halted --- */

static void changed_without_a_version(void **own)
{
	struct fixture *f = *own;
	struct dal_rules *runs;

	append_all(f);
	assert_int_equal(fixture_open(f, BEFORE), 0);
	process_until(f, EVENTS + 1, 10);
	runs = f->rules;
	fixture_rules(f, CALL("one") COUNT("same", "1", "2"));
	assert_int_equal(dal_lane_rules_check(f->state, 0, f->rules, &f->errors), DAL_LANE_REFUSED);
	assert_int_equal(f->errors.count, 1);
	assert_non_null(strstr(f->errors.items[0].text, "Raise `version` to 2"));
	dal_rules_unref(f->rules);
	f->rules = runs;
	expect_counts(f, "same", 1);
}

#define HALTS                                                                                      \
	"projection 'h' { version = 1, on = { type = 'add' }, key = 'data.key',"                   \
	" on_error = 'halt', init = { n = 0 }, fold = function(s, e)"                              \
	" if e.data.i == 6 then error('six') end s.n = s.n + 1 return s end }\n"

static void a_build_that_halts(void **own)
{
	struct fixture *f = *own;
	struct dal_rules *runs;
	struct dal_lane_options options;
	struct dal_lane_halt halt = {0};

	append_all(f);
	assert_int_equal(fixture_open(f, BEFORE), 0);
	process_until(f, EVENTS + 1, 10);
	runs = f->rules;
	fixture_rules(f, HALTS);
	options = fixture_lane_options(f);
	assert_int_equal(dal_lane_build_beside(&options, NULL, NULL, &halt), DAL_LANE_HALTED);
	assert_int_equal(halt.place.offset, 7);
	assert_string_equal(halt.declaration, "h");
	dal_rules_unref(f->rules);
	f->rules = runs;
	expect_counts(f, "same", 1);
	assert_null(dal_lane_halt(f->lane));
}

static void a_halted_lane_goes_on(void **own)
{
	struct fixture *f = *own;

	append_all(f);
	assert_int_equal(fixture_open(f, HALTS COUNT("same", "1", "1")), 0);
	assert_int_equal(fixture_run(f), DAL_LANE_HALTED);
	assert_int_equal(dal_lane_next(f->lane), 7);
	switch_to(f, COUNT("same", "1", "1"), "2-abc");
	assert_null(dal_lane_halt(f->lane));
	process_until(f, EVENTS + 1, 5);
	expect_counts(f, "same", 1);
}

/* --- the worker's thread --- */

static void hold_switch_release(void **own)
{
	struct fixture *f = *own;
	struct dal_position at = {0};
	struct dal_worker_status status;
	struct dal_lane_options options;
	struct dal_lane_next *next;
	struct dal_worker *worker;
	struct dal_rules *before;

	append_all(f);
	fixture_load(f, BEFORE);
	assert_int_equal(
		dal_worker_new(&(struct dal_worker_options){.lane = fixture_lane_options(f),
							    .generation = "abc"},
			       &worker, &f->errors),
		0);
	assert_int_equal(dal_worker_start(worker), 0);
	assert_int_equal(dal_worker_hold(worker, 20000000, &at), 0);
	before = f->rules;
	fixture_rules(f, AFTER);
	options = fixture_lane_options(f);
	assert_int_equal(dal_worker_next_new(worker, &options, &next), 0);
	dal_worker_status(worker, &status);
	assert_true(dal_position_equal(&status.next, &at)); /* it stands */
	assert_int_equal(status.generation, 1);
	dal_worker_status_deinit(&status);
	assert_int_equal(dal_worker_switch(worker, next, dal_slice_text("2-abc")), 0);
	dal_worker_status(worker, &status);
	assert_true(dal_position_equal(&status.next, &at)); /* still */
	assert_int_equal(status.generation, 2);
	dal_worker_status_deinit(&status);
	dal_worker_release(worker);
	dal_rules_unref(before);

	/* held at the end of the log, let go, and at its end nothing is to be held any more */
	do {
		assert_int_equal(dal_worker_hold(worker, 20000000, &at), 0);
		dal_worker_release(worker);
	} while (at.marks[0].next <= EVENTS);
	dal_worker_stop(worker);
	assert_int_equal(dal_worker_hold(worker, 20000000, &at), -ECANCELED);
	dal_worker_release(worker);
	expect_counts(f, "same", 1);
	expect_counts(f, "raised", 10);
	expect_counts(f, "fresh", 5);
	dal_position_deinit(&at);
	dal_worker_free(worker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		CASE(each_boundary),
		CASE(the_same_as_a_rebuild),
		CASE(taken_back),
		CASE(half_built),
		CASE(changed_without_a_version),
		CASE(a_build_that_halts),
		CASE(a_halted_lane_goes_on),
		CASE(hold_switch_release),
	};

	return cmocka_run_group_tests_name("stream generation", tests, NULL, NULL);
}
