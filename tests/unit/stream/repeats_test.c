/* The reader's deduplication, by hand: what is a repeat, whatever the batches and restarts. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "engine/stream/repeats.h"
#include "tests/unit/state/fixture.h"

enum { LANE = 3, WINDOW_US = 1000 };

struct run {
	void *folder;
	struct dal_state *state;
	struct dal_repeats *repeats;
};

static void run_open(struct run *run, void *folder)
{
	*run = (struct run){
		.folder = folder,
		.state = fixture_state(folder),
		.repeats = dal_repeats_new(WINDOW_US, 0),
	};
	assert_int_equal(dal_repeats_read(run->repeats, run->state, LANE), 0);
}

static void run_close(struct run *run)
{
	dal_repeats_free(run->repeats);
	dal_state_close(run->state);
}

static void run_reopen(struct run *run)
{
	run_close(run);
	run_open(run, run->folder);
}

static void commit(struct run *run, int64_t time_us)
{
	struct dal_store_batch *batch = dal_store_batch_new();

	dal_repeats_commit(run->repeats, batch, LANE, time_us);
	fixture_write(run->state, batch);
	dal_store_batch_free(batch);
}

/* Is this one a repeat? */
static bool seen(struct run *run, unsigned number, int64_t appended_us)
{
	char key[DAL_REPEAT_KEY_BYTES] = {0};

	memcpy(key + DAL_REPEAT_KEY_BYTES - sizeof(number), &number, sizeof(number));
	return dal_repeats_seen(run->repeats, dal_slice(key, sizeof(key)), appended_us);
}

/* The same in a batch of its own. */
static bool seen_alone(struct run *run, unsigned number, int64_t appended_us)
{
	bool yes = seen(run, number, appended_us);

	commit(run, appended_us);
	return yes;
}

/* --- the window --- */

static void expect_window(struct run *run, bool (*is_seen)(struct run *, unsigned, int64_t))
{
	assert_false(is_seen(run, 1, 5000));
	assert_true(is_seen(run, 1, 5000));
	assert_true(is_seen(run, 1, 5000 + WINDOW_US));
	assert_false(is_seen(run, 2, 5000 + WINDOW_US)); /* another key */
	/* Out of the window of the first, whatever repeats there were: a first again. */
	assert_false(is_seen(run, 1, 6001));
	assert_true(is_seen(run, 1, 6001));
	assert_true(is_seen(run, 2, 6001));
	assert_true(is_seen(run, 1, 6001 + WINDOW_US));
	assert_false(is_seen(run, 1, 7002));
	assert_false(is_seen(run, 1, 1000000));
	assert_true(is_seen(run, 1, 1000001));
}

static void the_window_in_one_batch(void **own)
{
	struct run run;

	run_open(&run, *own);
	expect_window(&run, seen);
	run_close(&run);
}

static void the_window_in_a_batch_an_event(void **own)
{
	struct run run;

	run_open(&run, *own);
	expect_window(&run, seen_alone);
	run_close(&run);
}

static bool seen_after_reopen(struct run *run, unsigned number, int64_t appended_us)
{
	run_reopen(run);
	return seen_alone(run, number, appended_us);
}

static void the_window_with_a_restart_an_event(void **own)
{
	struct run run;

	run_open(&run, *own);
	expect_window(&run, seen_after_reopen);
	run_close(&run);
}

/* Topics of a lane may overtake: one appended before the first, but read after it, is a repeat. */
static void one_from_before_is_a_repeat(void **own)
{
	struct run run;

	run_open(&run, *own);
	assert_false(seen(&run, 1, 5000));
	assert_true(seen(&run, 1, 4990));
	commit(&run, 5000);
	assert_true(seen(&run, 1, 4990));
	run_close(&run);
}

static void keys_are_told_apart_by_each_byte(void **own)
{
	char key[DAL_REPEAT_KEY_BYTES] = {0};
	struct run run;

	run_open(&run, *own);
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < sizeof(key); i++) {
			key[i] = 1;
			assert_int_equal(dal_repeats_seen(run.repeats, dal_slice(key, sizeof(key)),
							  5000),
					 pass);
			key[i] = 0;
		}
		commit(&run, 5000);
	}
	run_close(&run);
}

/* --- staged, committed, discarded --- */

static void what_is_discarded_was_not_seen(void **own)
{
	struct run run;

	run_open(&run, *own);
	assert_false(seen(&run, 1, 5000));
	commit(&run, 5000);
	assert_false(seen(&run, 2, 5001));
	assert_true(seen(&run, 2, 5001));
	dal_repeats_discard(run.repeats);
	assert_true(seen(&run, 1, 5001)); /* committed */
	assert_false(seen(&run, 2, 5001));
	dal_repeats_discard(run.repeats);
	run_reopen(&run);
	assert_true(seen(&run, 1, 5001));
	assert_false(seen(&run, 2, 5001));
	run_close(&run);
}

/* A first again that is discarded leaves the first before it. */
static void a_discarded_first_again_leaves_the_old_one(void **own)
{
	struct run run;

	run_open(&run, *own);
	assert_false(seen_alone(&run, 1, 5000));
	assert_false(seen(&run, 1, 7000));
	assert_true(seen(&run, 1, 7500));
	dal_repeats_discard(run.repeats);
	assert_true(seen(&run, 1, 6000));
	assert_false(seen(&run, 1, 7500));
	run_close(&run);
}

static void what_is_committed_is_read_back(void **own)
{
	struct run run;

	run_open(&run, *own);
	for (unsigned i = 0; i < 100; i++) {
		assert_false(seen(&run, i, 5000 + (int64_t)i));
		if (i % 30 == 29) {
			commit(&run, 5000 + (int64_t)i);
		}
	}
	run_reopen(&run); /* 90 of them */
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(seen(&run, i, 5100), i < 90);
	}
	for (unsigned i = 0; i < 90; i++) { /* by the times of the firsts */
		assert_int_equal(seen(&run, i, 6050), i >= 50);
	}
	run_close(&run);
}

static void a_first_again_is_read_back(void **own)
{
	struct run run;

	run_open(&run, *own);
	assert_false(seen(&run, 1, 5000));
	assert_false(seen(&run, 1, 6500)); /* in the same batch */
	commit(&run, 6500);
	run_reopen(&run);
	assert_true(seen(&run, 1, 7500));
	assert_false(seen_alone(&run, 1, 8000));
	run_reopen(&run);
	assert_true(seen(&run, 1, 9000));
	run_close(&run);
}

/* A batch that spans most of a window, and a key that is a first again soon behind it. */
static void a_first_again_close_behind_its_batch(void **own)
{
	struct run run;

	run_open(&run, *own);
	assert_false(seen(&run, 1, 5000));
	assert_false(seen(&run, 2, 5900));
	commit(&run, 5900);
	assert_false(seen_alone(&run, 1, 6001));
	assert_true(seen(&run, 1, 6002));
	run_reopen(&run);
	assert_true(seen(&run, 1, 7001));
	run_close(&run);
}

/* Batches may end at the same time, and begin with the same key. */
static void batches_that_end_at_once_stand_apart(void **own)
{
	struct run run;

	run_open(&run, *own);
	assert_false(seen(&run, 9, 5000));
	assert_false(seen(&run, 2, 7000));
	commit(&run, 7000);
	assert_false(seen(&run, 9, 6500));
	commit(&run, 7000);
	run_reopen(&run);
	assert_true(seen(&run, 2, 7001));
	assert_true(seen(&run, 9, 7001));
	run_close(&run);
}

/* They are read back by their first keys then, not in the order in which they were written. */
static void the_newest_first_counts(void **own)
{
	struct run run;

	run_open(&run, *own);
	assert_false(seen(&run, 9, 5000));
	assert_false(seen(&run, 2, 7000));
	commit(&run, 7000);
	assert_false(seen(&run, 1, 6500));
	assert_false(seen(&run, 9, 6600));
	commit(&run, 7000);
	run_reopen(&run);
	assert_true(seen(&run, 9, 7001));
	run_close(&run);
}

static void lanes_stand_apart(void **own)
{
	struct dal_repeats *other = dal_repeats_new(WINDOW_US, 0);
	struct run run;

	run_open(&run, *own);
	assert_false(seen_alone(&run, 1, 5000));
	assert_int_equal(dal_repeats_read(other, run.state, LANE + 1), 0);
	dal_repeats_free(run.repeats);
	run.repeats = other;
	assert_false(seen(&run, 1, 5000));
	run_close(&run);
}

/* --- what the state holds --- */

static void count(int64_t time_us, struct dal_slice records, void *own)
{
	(void)time_us;
	*(size_t *)own += records.size / DAL_REPEAT_RECORD_BYTES;
}

static size_t stored(struct run *run)
{
	size_t records = 0;

	assert_int_equal(dal_repeat_scan(run->state, LANE, count, &records), 0);
	return records;
}

static void repeats_write_nothing(void **own)
{
	struct run run;

	run_open(&run, *own);
	commit(&run, 5000);
	assert_int_equal(stored(&run), 0);
	assert_false(seen_alone(&run, 1, 5000));
	assert_true(seen_alone(&run, 1, 5001));
	assert_int_equal(stored(&run), 1);
	run_close(&run);
}

/* Kept for the window, and not much longer. */
static void the_state_does_not_grow(void **own)
{
	struct run run;

	run_open(&run, *own);
	for (unsigned i = 0; i < 2000; i++) {
		assert_false(seen_alone(&run, i, 5000 + 10 * (int64_t)i));
		if (i == 1000) {
			run_reopen(&run);
		}
		if (i > 200) {
			assert_in_range(stored(&run), WINDOW_US / 10, 3 * WINDOW_US / 10);
		}
	}
	assert_true(seen(&run, 1900, 5000 + 19990));
	run_close(&run);
}

static void the_oldest_go_early_past_the_limit(void **own)
{
	struct dal_repeats *bounded = dal_repeats_new(WINDOW_US, 8);
	struct run run;

	run_open(&run, *own);
	dal_repeats_free(run.repeats);
	run.repeats = bounded;
	assert_int_equal(dal_repeats_read(bounded, run.state, LANE), 0);
	for (unsigned i = 0; i < 20; i++) {
		assert_false(seen_alone(&run, i, 5000));
	}
	assert_true(seen_alone(&run, 19, 5000));
	assert_false(seen_alone(&run, 0, 5000));
	run_close(&run);
}

static void a_broken_state_is_told(void **own)
{
	static const struct dal_slice key = DAL_SLICE_LITERAL(
		"\0\3R\0\0\0\0\0\0\1\0kkkkkkkkkkkkkkkktttttttt");
	struct dal_repeats *repeats = dal_repeats_new(0, 0);
	struct dal_state *state = fixture_state(*own);

	fixture_put(state, key, dal_slice_text("short"));
	assert_int_equal(dal_repeats_read(repeats, state, LANE), -EBADMSG);
	dal_repeats_free(repeats);
	dal_repeats_free(NULL);
	dal_state_close(state);
}

/* --- batches of any size tell the same --- */

enum { EVENTS = 1000, KEYS = 20 };

struct appended {
	unsigned key;
	int64_t time_us;
};

/*
 * The same each time. Mostly close, now and then a pause of most of a window or of several.
 * `overtaking_us`: so late an event may be, as when a lane reads several topics.
 */
static void events_fill(struct appended *events, unsigned overtaking_us)
{
	uint64_t random = 42;
	int64_t time_us = 5000;

	for (size_t i = 0; i < EVENTS; i++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		unsigned pause = (unsigned)(random >> 33) % 100;
		time_us += pause < 97 ? pause / 4 : pause < 99 ? 700 : 2500;
		events[i] = (struct appended){
			.key = (unsigned)(random >> 40) % KEYS,
			.time_us = time_us - (int64_t)((random >> 20) % (overtaking_us + 1)),
		};
	}
}

/* One letter an event: 'f' for a first, 'r' for a repeat. */
static char *verdicts(void *folder, const struct appended *events, size_t batch_events,
		      bool reopening)
{
	char *text = dal_calloc(EVENTS + 1, 1);
	int64_t last_us = 0; /* as the lane counts it */
	struct run run;

	run_open(&run, folder);
	for (size_t i = 0; i < EVENTS; i++) {
		text[i] = seen(&run, events[i].key, events[i].time_us) ? 'r' : 'f';
		last_us = events[i].time_us > last_us ? events[i].time_us : last_us;
		if ((i + 1) % batch_events == 0) {
			commit(&run, last_us);
			if (reopening && (i + 1) % (10 * batch_events) == 0) {
				run_reopen(&run);
			}
		}
	}
	run_close(&run);
	return text;
}

/* What the window means, without batches. */
static char *verdicts_plain(const struct appended *events)
{
	char *text = dal_calloc(EVENTS + 1, 1);
	int64_t first_us[KEYS] = {0};

	for (size_t i = 0; i < EVENTS; i++) {
		int64_t *first = &first_us[events[i].key];
		bool repeat = *first > 0 && events[i].time_us - *first <= WINDOW_US;
		text[i] = repeat ? 'r' : 'f';
		*first = repeat ? *first : events[i].time_us;
	}
	return text;
}

static void expect_same(const struct appended *events, const char *expected, size_t batch_events,
			bool reopening)
{
	void *folder;
	char *got;

	assert_int_equal(fixture_setup(&folder), 0);
	got = verdicts(folder, events, batch_events, reopening);
	assert_int_equal(fixture_teardown(&folder), 0);
	for (size_t i = 0; i < EVENTS; i++) {
		if (got[i] != expected[i]) {
			fail_msg("batches of %zu: event %zu is '%c', not '%c'", batch_events, i,
				 got[i], expected[i]);
		}
	}
	free(got);
}

static void expect_all_same(unsigned overtaking_us)
{
	static const size_t sizes[] = {1, 2, 7, 60, 500, EVENTS};
	struct appended *events = dal_calloc(EVENTS, sizeof(*events));
	char *expected;

	events_fill(events, overtaking_us);
	expected = verdicts_plain(events);
	assert_non_null(strchr(expected, 'r'));
	assert_non_null(strchr(expected + EVENTS / 2, 'f'));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		expect_same(events, expected, sizes[i], false);
		expect_same(events, expected, sizes[i], true);
	}
	free(expected);
	free(events);
}

static void batches_of_any_size_tell_the_same(void **own)
{
	(void)own;
	expect_all_same(0);
}

static void so_they_do_when_topics_overtake(void **own)
{
	(void)own;
	expect_all_same(WINDOW_US / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		CASE(the_window_in_one_batch),
		CASE(the_window_in_a_batch_an_event),
		CASE(the_window_with_a_restart_an_event),
		CASE(one_from_before_is_a_repeat),
		CASE(keys_are_told_apart_by_each_byte),
		CASE(what_is_discarded_was_not_seen),
		CASE(a_discarded_first_again_leaves_the_old_one),
		CASE(what_is_committed_is_read_back),
		CASE(a_first_again_is_read_back),
		CASE(a_first_again_close_behind_its_batch),
		CASE(batches_that_end_at_once_stand_apart),
		CASE(the_newest_first_counts),
		CASE(lanes_stand_apart),
		CASE(repeats_write_nothing),
		CASE(the_state_does_not_grow),
		CASE(the_oldest_go_early_past_the_limit),
		CASE(a_broken_state_is_told),
		cmocka_unit_test(batches_of_any_size_tell_the_same),
		cmocka_unit_test(so_they_do_when_topics_overtake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
