/*
 * A worker whose log gives nothing, or nothing of the past, or says that what comes next is gone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "tests/unit/stream/lanes_run.h"

/* --- a log that gives nothing --- */

/* The offsets at the end hold no events: it has caught up all the same. */
static void gaps_at_the_end_are_no_lag(void **own)
{
	struct run run = {.f = *own};

	fixture_load(run.f, LANES_TOTALS("1"));
	lanes_append(run.f, "clicks", 1, "add", "{\"key\":\"k\"}");
	lanes_append(run.f, "clicks", 1, "add", "{\"key\":\"k\"}");
	run_begin(&run, 1);
	run_wait_at_end(&run, 1);
	assert_int_equal(atomic_load(&run.caught_up), 1);
	assert_int_equal(run_status(run.workers[1]).events, 2);
	run_end(&run, 1);
	run.f->number = 1;
	lanes_expect_view(run.f, "totals", "k", "{\"last\":\"clicks/1\",\"n\":2}");
}

static void a_paused_log_keeps_deadlines(void **own)
{
	struct run run = {.f = *own};
	struct wait first, second, third;
	uint64_t offset;

	fixture_load(run.f, LANES_TOTALS("1"));
	run_begin(&run, 0);
	lanes_log_pause(run.f->log, true);
	offset = lanes_append(run.f, "events", 0, "add", "{\"key\":\"k\"}");
	run_wake(&run);
	wait_begin(&first, run.workers[0], "events", 0, offset, 50000);
	wait_begin(&second, run.workers[0], "events", 0, offset, 120000);
	wait_begin(&third, run.workers[0], "events", 0, offset, LONG_US);
	assert_false(wait_end(&first));
	assert_in_range(first.late_us, 0, LONG_US);
	assert_false(wait_end(&second));
	assert_in_range(second.late_us, 0, LONG_US);
	assert_int_equal(atomic_load(&third.calls), 0);
	lanes_log_pause(run.f->log, false);
	run_wake(&run);
	assert_true(wait_end(&third));
	run_end(&run, 0);
}

/* --- a past event that can't be read --- */

/* The log as a rebuild finds it: a dead letter is known before its cause has been read. */
static void dead_letter_first(struct fixture *f)
{
	char *row = lanes_row(f, "events", 0);

	lanes_append(f, "clicks", 0, "add", "{\"key\":\"k\"}");
	lanes_complete(f, row, true);
	lanes_append(f, "events", 0, "call", "{}");
	lanes_append(f, "clicks", 0, "add", "{\"key\":\"k\"}");
	free(row);
}

/*
 * Its cause is read from the past. No broker answers: the batch waits, and costs but time. Lanes
 * have nothing to read then, so the log goes away between the two by the read that gave the batch.
 */
static atomic_bool away_after_reading;

int __real_dal_log_read(struct dal_log_reader *reader, size_t max_events, size_t max_bytes,
			struct dal_log_batch *batch);
int __wrap_dal_log_read(struct dal_log_reader *reader, size_t max_events, size_t max_bytes,
			struct dal_log_batch *batch);

static struct dal_log *the_log;

int __wrap_dal_log_read(struct dal_log_reader *reader, size_t max_events, size_t max_bytes,
			struct dal_log_batch *batch)
{
	int r = __real_dal_log_read(reader, max_events, max_bytes, batch);

	if (batch->count > 1 && atomic_exchange(&away_after_reading, false)) {
		lanes_log_away(the_log, true);
	}
	return r;
}

static void away_begin(struct run *run)
{
	fixture_load(run->f, LANES_TOTALS("1") LANES_CALL);
	dead_letter_first(run->f);
	lanes_log_write(run->f->log, "clicks", 0, "{", NULL);
	the_log = run->f->log;
	atomic_store(&away_after_reading, true);
	run_begin(run, 0);
	while (atomic_load(&away_after_reading)) {
		(void)usleep(500);
	}
}

static void a_log_that_is_away_costs_but_time(void **own)
{
	struct run run = {.f = *own};
	struct wait late, patient;

	away_begin(&run);
	wait_begin(&late, run.workers[0], "clicks", 0, 0, 30000);
	wait_begin(&patient, run.workers[0], "clicks", 0, 0, LONG_US);
	assert_false(wait_end(&late));
	assert_in_range(late.late_us, 0, LONG_US);
	for (int i = 0; i < 20; i++) { /* tried in vain again and again */
		run_wake(&run);
		(void)usleep(1000);
	}
	assert_int_equal(run_status(run.workers[0]).events, 0);
	assert_int_equal(atomic_load(&patient.calls), 0);
	lanes_log_away(run.f->log, false);
	run_wake(&run);
	assert_true(wait_end(&patient));
	run_wait_at_end(&run, 0);
	assert_int_equal(run_status(run.workers[0]).dead, 1);
	assert_int_equal(run_status(run.workers[0]).events, 5);
	assert_int_equal(run_status(run.workers[0]).refused, 1); /* once, not once a try */
	assert_int_equal(run_status(run.workers[0]).undelivered, 1);
	run_end(&run, 0);
	lanes_expect_view(run.f, "totals", "k", "{\"last\":\"clicks/1\",\"n\":2}");
}

/* It can be stopped meanwhile, and nothing of the batch is done. */
static void it_is_stopped_while_the_log_is_away(void **own)
{
	struct run run = {.f = *own};

	away_begin(&run);
	run_end(&run, 0);
	lanes_expect_view(run.f, "totals", "k", NULL);
	assert_int_equal(fixture_rows(run.f, DAL_ROW_OPEN), 0);
	lanes_log_away(run.f->log, false);
	run_begin(&run, 0);
	run_wait_at_end(&run, 0);
	assert_int_equal(run_status(run.workers[0]).dead, 1);
	run_end(&run, 0);
	lanes_expect_view(run.f, "totals", "k", "{\"last\":\"clicks/1\",\"n\":2}");
}

/* A projection that is built while no broker answers waits, too, and is done when one does. */
static void a_build_waits_for_the_log(void **own)
{
	struct run run = {.f = *own};
	struct wait wait;

	fixture_load(run.f, LANES_TOTALS("1"));
	lanes_append(run.f, "events", 0, "add", "{\"key\":\"k\"}");
	lanes_append(run.f, "clicks", 0, "add", "{\"key\":\"k\"}");
	run_begin(&run, 0);
	run_wait_at_end(&run, 0);
	run_end(&run, 0);
	fixture_close(run.f);
	fixture_load(run.f, LANES_TOTALS("2"));
	lanes_log_away(run.f->log, true);
	run_begin(&run, 0);
	wait_begin(&wait, run.workers[0], "events", 0, 1, 30000);
	assert_false(wait_end(&wait));
	assert_true(dal_worker_building(run.workers[0]));
	lanes_log_away(run.f->log, false);
	run_wait_at_end(&run, 0);
	assert_false(dal_worker_building(run.workers[0]));
	run_end(&run, 0);
	lanes_expect_view(run.f, "totals", "k", "{\"last\":\"clicks/0\",\"n\":2}");
}

/* --- what is gone --- */

static void what_is_gone_is_in_the_status(void **own)
{
	struct run run = {.f = *own};
	struct dal_worker_status status;
	int64_t until = dal_clock_monotonic_us() + LONG_US;
	struct wait wait;

	fixture_load(run.f, LANES_TOTALS("1"));
	lanes_append(run.f, "events", 0, "add", "{\"key\":\"k\"}");
	run_begin(&run, 0);
	run_wait_at_end(&run, 0);
	run_end(&run, 0);
	for (int i = 0; i < 3; i++) {
		lanes_append(run.f, "events", 0, "add", "{\"key\":\"k\"}");
	}
	lanes_log_forget(run.f->log, "events", 0, 3);
	run_begin(&run, 0);
	do {
		(void)usleep(1000);
		status = run_status(run.workers[0]);
		assert_true(dal_clock_monotonic_us() < until);
	} while (!status.halted);
	assert_string_equal(status.halt.message, "what stood there is gone");
	assert_true(dal_slice_is(status.halt.place.topic, "events"));
	assert_int_equal(status.halt.place.offset, 1);
	wait_begin(&wait, run.workers[0], "events", 0, 3, 20000);
	assert_false(wait_end(&wait));
	run_end(&run, 0);
	lanes_expect_view(run.f, "totals", "k", "{\"last\":\"events/0\",\"n\":1}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, lanes_setup, fixture_teardown)
		CASE(gaps_at_the_end_are_no_lag),        CASE(a_paused_log_keeps_deadlines),
		CASE(a_log_that_is_away_costs_but_time), CASE(it_is_stopped_while_the_log_is_away),
		CASE(a_build_waits_for_the_log),         CASE(what_is_gone_is_in_the_status),
	};

	return cmocka_run_group_tests_name("stream lanes worker", tests, NULL, NULL);
}
