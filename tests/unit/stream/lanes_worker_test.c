/*
 * Workers of several lanes on one state and one log: what a log that is paused or away costs, what
 * they fold while producers write and they are restarted, what lands in another lane.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/stream/worker.h"
#include "tests/unit/stream/lanes.h"

#define LONG_US 20000000ll

struct run {
	struct fixture *f;
	struct dal_worker *workers[LANES];
	atomic_int broken, caught_up;
};

/* --- workers --- */

static void on_broken(void *own, int error)
{
	struct run *run = own;

	atomic_store(&run->broken, error);
}

static void on_caught_up(void *own)
{
	struct run *run = own;

	atomic_fetch_add(&run->caught_up, 1);
}

static void worker_begin(struct run *run, uint16_t lane)
{
	struct dal_worker_options options = {
		.lane = fixture_lane_options(run->f),
		.caught_up = on_caught_up,
		.broken = on_broken,
		.own = run,
	};

	options.lane.number = lane;
	assert_int_equal(dal_worker_new(&options, &run->workers[lane], &run->f->errors), 0);
	assert_int_equal(dal_worker_start(run->workers[lane]), 0);
}

static void worker_end(struct run *run, uint16_t lane)
{
	dal_worker_free(run->workers[lane]);
	run->workers[lane] = NULL;
	assert_int_equal(atomic_load(&run->broken), 0);
}

static void wake(struct run *run)
{
	for (uint16_t lane = 0; lane < LANES; lane++) {
		if (run->workers[lane]) {
			dal_worker_wake(run->workers[lane]);
		}
	}
}

/* Until the worker stands where the lane ends. */
static void wait_at_end(struct run *run, uint16_t lane)
{
	int64_t until = dal_clock_monotonic_us() + LONG_US;
	struct dal_worker_status status = {0};
	uint64_t lag;

	do {
		dal_worker_wake(run->workers[lane]);
		(void)usleep(1000);
		dal_worker_status(run->workers[lane], &status);
		lag = dal_position_distance(&status.next, &status.end);
		dal_worker_status_deinit(&status);
		assert_true(dal_clock_monotonic_us() < until);
	} while (lag > 0 || !status.caught_up);
}

static struct dal_worker_status status_of(struct dal_worker *worker)
{
	struct dal_worker_status status;

	dal_worker_status(worker, &status);
	dal_worker_status_deinit(&status);
	return status;
}

/* --- waiting --- */

struct wait {
	struct dal_worker_waiter waiter;
	atomic_int calls;
	bool reached;
	int64_t took_us;
};

static void on_done(struct dal_worker_waiter *waiter, bool reached)
{
	struct wait *wait = waiter->own;

	wait->reached = reached;
	wait->took_us = dal_clock_monotonic_us() - waiter->deadline_us;
	atomic_fetch_add(&wait->calls, 1);
}

static void wait_begin(struct wait *wait, struct dal_worker *worker, const char *topic,
		       uint16_t lane, uint64_t offset, int64_t timeout_us)
{
	*wait = (struct wait){.waiter = {.place = {.topic = dal_slice_text(topic),
						   .partition = lane,
						   .offset = offset},
					 .deadline_us = dal_clock_monotonic_us() + timeout_us,
					 .done = on_done,
					 .own = wait}};
	dal_worker_wait(worker, &wait->waiter);
}

/* Was it reached? */
static bool wait_end(struct wait *wait)
{
	int64_t until = dal_clock_monotonic_us() + LONG_US;

	while (atomic_load(&wait->calls) == 0) {
		assert_true(dal_clock_monotonic_us() < until);
		(void)usleep(500);
	}
	assert_int_equal(atomic_load(&wait->calls), 1);
	return wait->reached;
}

/* --- a log that gives nothing --- */

/* The offsets at the end hold no events: it has caught up all the same. */
static void gaps_at_the_end_are_no_lag(void **own)
{
	struct run run = {.f = *own};

	fixture_load(run.f, LANES_TOTALS("1"));
	lanes_append(run.f, "clicks", 1, "add", "{\"key\":\"k\"}");
	lanes_append(run.f, "clicks", 1, "add", "{\"key\":\"k\"}");
	worker_begin(&run, 1);
	wait_at_end(&run, 1);
	assert_int_equal(atomic_load(&run.caught_up), 1);
	assert_int_equal(status_of(run.workers[1]).events, 2);
	worker_end(&run, 1);
	run.f->number = 1;
	lanes_expect_view(run.f, "totals", "k", "{\"last\":\"clicks/1\",\"n\":2}");
}

static void a_paused_log_keeps_deadlines(void **own)
{
	struct run run = {.f = *own};
	struct wait first, second, third;
	uint64_t offset;

	fixture_load(run.f, LANES_TOTALS("1"));
	worker_begin(&run, 0);
	lanes_log_pause(run.f->log, true);
	offset = lanes_append(run.f, "events", 0, "add", "{\"key\":\"k\"}");
	wake(&run);
	wait_begin(&first, run.workers[0], "events", 0, offset, 50000);
	wait_begin(&second, run.workers[0], "events", 0, offset, 120000);
	wait_begin(&third, run.workers[0], "events", 0, offset, LONG_US);
	assert_false(wait_end(&first));
	assert_in_range(first.took_us, 0, 2000000);
	assert_false(wait_end(&second));
	assert_in_range(second.took_us, 0, 2000000);
	assert_int_equal(atomic_load(&third.calls), 0);
	lanes_log_pause(run.f->log, false);
	wake(&run);
	assert_true(wait_end(&third));
	worker_end(&run, 0);
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
	worker_begin(run, 0);
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
	assert_in_range(late.took_us, 0, 2000000);
	for (int i = 0; i < 20; i++) { /* tried in vain again and again */
		wake(&run);
		(void)usleep(1000);
	}
	assert_int_equal(status_of(run.workers[0]).events, 0);
	assert_int_equal(atomic_load(&patient.calls), 0);
	lanes_log_away(run.f->log, false);
	wake(&run);
	assert_true(wait_end(&patient));
	wait_at_end(&run, 0);
	assert_int_equal(status_of(run.workers[0]).dead, 1);
	assert_int_equal(status_of(run.workers[0]).events, 5);
	assert_int_equal(status_of(run.workers[0]).refused, 1); /* once, not once a try */
	assert_int_equal(status_of(run.workers[0]).undelivered, 1);
	worker_end(&run, 0);
	lanes_expect_view(run.f, "totals", "k", "{\"last\":\"clicks/1\",\"n\":2}");
}

/* It can be stopped meanwhile, and nothing of the batch is done. */
static void it_is_stopped_while_the_log_is_away(void **own)
{
	struct run run = {.f = *own};

	away_begin(&run);
	worker_end(&run, 0);
	lanes_expect_view(run.f, "totals", "k", NULL);
	assert_int_equal(fixture_rows(run.f, DAL_ROW_OPEN), 0);
	lanes_log_away(run.f->log, false);
	worker_begin(&run, 0);
	wait_at_end(&run, 0);
	assert_int_equal(status_of(run.workers[0]).dead, 1);
	worker_end(&run, 0);
	lanes_expect_view(run.f, "totals", "k", "{\"last\":\"clicks/1\",\"n\":2}");
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
	worker_begin(&run, 0);
	wait_at_end(&run, 0);
	worker_end(&run, 0);
	for (int i = 0; i < 3; i++) {
		lanes_append(run.f, "events", 0, "add", "{\"key\":\"k\"}");
	}
	lanes_log_forget(run.f->log, "events", 0, 3);
	worker_begin(&run, 0);
	do {
		(void)usleep(1000);
		status = status_of(run.workers[0]);
		assert_true(dal_clock_monotonic_us() < until);
	} while (!status.halted);
	assert_string_equal(status.halt.message, "what stood there is gone");
	assert_true(dal_slice_is(status.halt.place.topic, "events"));
	assert_int_equal(status.halt.place.offset, 1);
	wait_begin(&wait, run.workers[0], "events", 0, 3, 20000);
	assert_false(wait_end(&wait));
	worker_end(&run, 0);
	lanes_expect_view(run.f, "totals", "k", "{\"last\":\"events/0\",\"n\":1}");
}

/* --- emits that land in another lane --- */

#define PASS_ON                                                                                    \
	"rule 'p' { on = { type = 'first' }, emit = function(e)"                                   \
	" return { type = 'add', partitionkey = e.data.key, data = e.data } end }\n"

/* A key whose events go to this lane. */
static void key_of_lane(struct fixture *f, uint16_t lane, char key[16])
{
	struct dal_log_item item;
	char *event;

	for (int i = 0;; i++) {
		char more[48];
		(void)snprintf(key, 16, "k%d", i);
		(void)snprintf(more, sizeof(more), ",\"partitionkey\":\"%s\"", key);
		event = lanes_event("probe", "{}", more);
		item = (struct dal_log_item){.topic = dal_slice_text("events"),
					     .event = dal_slice_text(event)};
		assert_int_equal(
			dal_log_append_wait(f->log,
					    &(struct dal_log_append){.items = &item, .count = 1}),
			0);
		free(event);
		if (item.place.partition == lane) {
			return;
		}
	}
}

/* Dispatch that was killed between append and note: what it appended it appends again. */
static void rows_append(struct fixture *f, unsigned times)
{
	struct lanes_rows rows;

	lanes_rows_read(f, &rows);
	assert_true(rows.count > 0);
	for (size_t i = 0; i < times * rows.count; i++) {
		size_t row = i % rows.count;
		struct dal_log_item item = {.topic = dal_slice_text(rows.list[row].topic),
					    .event = dal_slice_text(rows.list[row].payload),
					    .dedup = dal_slice_text(rows.list[row].id)};
		assert_int_equal(
			dal_log_append_wait(f->log,
					    &(struct dal_log_append){.items = &item, .count = 1}),
			0);
	}
	lanes_rows_free(&rows);
}

static void expect_one_of_each(struct run *run, const char *key, unsigned repeats)
{
	struct dal_worker_status status;

	wait_at_end(run, 1);
	status = status_of(run->workers[1]);
	assert_int_equal(status.repeats, repeats);
	worker_end(run, 1);
	run->f->number = 1;
	char *view = fixture_view(run->f, "totals", key);
	assert_non_null(view);
	assert_non_null(strstr(view, "\"n\":3}"));
	free(view);
	run->f->number = 0;
}

static void emits_in_another_lane_count_once(void **own)
{
	static const char rules[] = PASS_ON LANES_TOTALS("1");
	struct run run = {.f = *own};
	char key[16], data[32];

	fixture_load(run.f, rules);
	key_of_lane(run.f, 1, key);
	(void)snprintf(data, sizeof(data), "{\"key\":\"%s\"}", key);
	for (int i = 0; i < 3; i++) {
		lanes_append(run.f, "clicks", 0, "first", data);
	}
	worker_begin(&run, 0);
	worker_begin(&run, 1);
	wait_at_end(&run, 0);
	rows_append(run.f, 2);
	expect_one_of_each(&run, key, 3);
	worker_begin(&run, 1); /* a restart later they are known, too */
	rows_append(run.f, 1);
	expect_one_of_each(&run, key, 3);
	worker_end(&run, 0);
	lanes_expect_view(run.f, "totals", key, NULL);
	fixture_close(run.f);
	fixture_load(run.f, PASS_ON LANES_TOTALS("2")); /* and where they are built anew */
	worker_begin(&run, 1);
	expect_one_of_each(&run, key, 0);
}

/* --- producers, and restarts at any moment --- */

enum { PRODUCERS = 3, EACH = 400, KEYS = 5, RESTARTS = 30 };

static const char *const topics[] = {"events", "clicks", "system"};

struct producer {
	struct run *run;
	unsigned seed;
	unsigned totals[LANES][KEYS]; /* the model: what a fold of each lane comes to */
};

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 16;
}

static void *producing(void *own)
{
	struct producer *producer = own;

	for (int i = 0; i < EACH; i++) {
		unsigned r = next_random(&producer->seed), key = r % KEYS, lane = r / 8 % LANES;
		char *event = dal_asprintf("{\"specversion\":\"1.0\",\"id\":\"%u-%d\","
					   "\"source\":\"/p\",\"type\":\"add\","
					   "\"data\":{\"key\":\"k%u\"}}",
					   producer->seed, i, key);
		if (r % 11 == 0) {
			lanes_log_write(producer->run->f->log, topics[r % 2], (uint16_t)lane, "{",
					NULL);
		} else {
			lanes_log_write(producer->run->f->log, topics[r % 3], (uint16_t)lane, event,
					NULL);
			producer->totals[lane][key]++;
		}
		free(event);
		(void)usleep(r % 300);
	}
	return NULL;
}

static void expect_model(struct fixture *f, const struct producer *producers)
{
	for (uint16_t lane = 0; lane < LANES; lane++) {
		f->number = lane;
		for (unsigned key = 0; key < KEYS; key++) {
			unsigned total = 0;
			char name[8], expected[32];
			char *text;
			for (int i = 0; i < PRODUCERS; i++) {
				total += producers[i].totals[lane][key];
			}
			(void)snprintf(name, sizeof(name), "k%u", key);
			(void)snprintf(expected, sizeof(expected), "\"n\":%u}", total);
			text = fixture_view(f, "totals", name);
			assert_non_null(text);
			assert_non_null(strstr(text, expected));
			free(text);
		}
	}
	f->number = 0;
}

/* Each lane alone, folded at one go into an empty state: the same bytes. */
static void expect_same_as_a_fold(struct fixture *f)
{
	char worked[LANES][65], folded[65];

	for (f->number = 0; f->number < LANES; f->number++) {
		fixture_digest(f, worked[f->number]);
	}
	fixture_forget(f);
	for (f->number = 0; f->number < LANES; f->number++) {
		lanes_fold(f, LANES_TOTALS("1") LANES_CALL);
		fixture_digest(f, folded);
		assert_string_equal(worked[f->number], folded);
		fixture_close(f);
	}
	f->number = 0;
}

static void lanes_come_to_their_folds(void **own)
{
	struct run run = {.f = *own};
	struct producer producers[PRODUCERS];
	pthread_t threads[PRODUCERS];
	unsigned seed = (unsigned)getpid();

	(void)fprintf(stderr, "seed %u\n", seed);
	fixture_load(run.f, LANES_TOTALS("1") LANES_CALL);
	worker_begin(&run, 0);
	worker_begin(&run, 1);
	for (int i = 0; i < PRODUCERS; i++) {
		producers[i] = (struct producer){.run = &run, .seed = seed + (unsigned)i};
		assert_int_equal(pthread_create(&threads[i], NULL, producing, &producers[i]), 0);
	}
	for (int i = 0; i < RESTARTS; i++) {
		uint16_t lane = (uint16_t)(next_random(&seed) % LANES);
		wake(&run);
		(void)usleep(next_random(&seed) % 5000);
		worker_end(&run, lane);
		worker_begin(&run, lane);
	}
	for (int i = 0; i < PRODUCERS; i++) {
		pthread_join(threads[i], NULL);
	}
	wait_at_end(&run, 0);
	wait_at_end(&run, 1);
	worker_end(&run, 0);
	worker_end(&run, 1);
	expect_model(run.f, producers);
	expect_same_as_a_fold(run.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, lanes_setup, fixture_teardown)
		CASE(gaps_at_the_end_are_no_lag),        CASE(a_paused_log_keeps_deadlines),
		CASE(a_log_that_is_away_costs_but_time), CASE(it_is_stopped_while_the_log_is_away),
		CASE(what_is_gone_is_in_the_status),     CASE(emits_in_another_lane_count_once),
		CASE(lanes_come_to_their_folds),
	};

	return cmocka_run_group_tests_name("stream lanes worker", tests, NULL, NULL);
}
