/* The worker's thread: read your writes, deadlines, pauses, halts, stops and restarts. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/stream/worker.h"
#include "tests/unit/stream/fixture.h"

#define TOTALS                                                                                     \
	"projection 'totals' { version = 1, on = { type = 'add' }, key = 'data.key',"              \
	" init = { n = 0 }, fold = function(s, e) s.n = s.n + 1 return s end }\n"
#define CALL "rule 'r' { on = { type = 'call' }, call = 'check' }\n"

#define LONG_US 20000000ll

struct run {
	struct fixture *f;
	struct dal_worker *worker;
	atomic_int caught_up, committed;
	uint64_t caught_up_at;
};

/* The next offset to fold. */
static uint64_t next_of(struct run *run)
{
	struct dal_position position = {0};
	uint64_t next;

	dal_worker_position(run->worker, &position);
	assert_int_equal(position.count, 1);
	next = position.marks[0].next;
	dal_position_deinit(&position);
	return next;
}

static void on_caught_up(void *own)
{
	struct run *run = own;

	run->caught_up_at = next_of(run);
	atomic_fetch_add(&run->caught_up, 1);
}

static void on_committed(void *own, bool rows)
{
	struct run *run = own;

	(void)rows;
	atomic_fetch_add(&run->committed, 1);
}

static void on_broken(void *own, int error)
{
	(void)own;
	(void)fprintf(stderr, "broken: %d\n", error);
	abort();
}

static void worker_make(struct run *run, const char *rules, uint64_t rows_max)
{
	fixture_load(run->f, rules);
	assert_int_equal(dal_worker_new(
				 &(struct dal_worker_options){
					 .lane = fixture_lane_options(run->f),
					 .rows_max = rows_max,
					 .generation = "g",
					 .committed = on_committed,
					 .caught_up = on_caught_up,
					 .broken = on_broken,
					 .own = run,
				 },
				 &run->worker, &run->f->errors),
			 0);
}

static void worker_begin(struct run *run, const char *rules, uint64_t rows_max)
{
	worker_make(run, rules, rows_max);
	assert_int_equal(dal_worker_start(run->worker), 0);
}

static void worker_end(struct run *run)
{
	dal_worker_free(run->worker);
	run->worker = NULL;
	fixture_close(run->f);
}

/* Without its positions. */
static struct dal_worker_status status_of(struct run *run)
{
	struct dal_worker_status status;

	dal_worker_status(run->worker, &status);
	dal_worker_status_deinit(&status);
	return status;
}

/* --- waiting --- */

struct wait {
	struct dal_worker_waiter waiter;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	int calls;
	bool reached;
};

static void on_done(struct dal_worker_waiter *waiter, bool reached)
{
	struct wait *wait = waiter->own;

	pthread_mutex_lock(&wait->lock);
	wait->calls++;
	wait->reached = reached;
	pthread_cond_signal(&wait->cond);
	pthread_mutex_unlock(&wait->lock);
}

static void wait_begin(struct wait *wait, struct dal_worker *worker, uint64_t offset,
		       int64_t timeout_us)
{
	*wait = (struct wait){
		.waiter = {.place = {.topic = dal_slice_text("events"), .offset = offset},
			   .deadline_us = dal_clock_monotonic_us() + timeout_us,
			   .done = on_done,
			   .own = wait}};
	pthread_mutex_init(&wait->lock, NULL);
	pthread_cond_init(&wait->cond, NULL);
	dal_worker_wait(worker, &wait->waiter);
}

static bool wait_end(struct wait *wait)
{
	pthread_mutex_lock(&wait->lock);
	while (wait->calls == 0) {
		pthread_cond_wait(&wait->cond, &wait->lock);
	}
	assert_int_equal(wait->calls, 1);
	pthread_mutex_unlock(&wait->lock);
	pthread_mutex_destroy(&wait->lock);
	pthread_cond_destroy(&wait->cond);
	return wait->reached;
}

static bool folded(struct run *run, uint64_t offset, int64_t timeout_us)
{
	struct wait wait;

	wait_begin(&wait, run->worker, offset, timeout_us);
	return wait_end(&wait);
}

static uint64_t append(struct run *run, const char *type, const char *data)
{
	uint64_t offset = fixture_append(run->f, type, data);

	dal_worker_wake(run->worker);
	return offset;
}

/* --- tests --- */

enum { PRODUCERS = 4, EACH = 100 };

struct producer {
	struct run *run;
	int number, wrong;
};

static uint64_t produce(struct producer *producer, int i)
{
	char *event = dal_asprintf("{\"specversion\":\"1.0\",\"id\":\"%d-%d\",\"source\":\"/p\","
				   "\"type\":\"add\",\"data\":{\"key\":\"p%d\"}}",
				   producer->number, i, producer->number);
	struct dal_log_item item = {.topic = dal_slice_text("events"),
				    .event = dal_slice_text(event)};
	int r = dal_log_append_wait(producer->run->f->log,
				    &(struct dal_log_append){.items = &item, .count = 1});

	dal_worker_wake(producer->run->worker);
	free(event);
	return r == 0 ? item.place.offset : 0;
}

/* Appends, waits until it is folded in, and reads what it wrote. */
static void *producing(void *own)
{
	struct producer *producer = own;
	struct dal_view_name name = {.projection = dal_slice_text("totals"), .version = 1};
	struct dal_buffer memory = {0};
	char key[8], expected[32];

	(void)snprintf(key, sizeof(key), "p%d", producer->number);
	for (int i = 1; i <= EACH; i++) {
		struct dal_view_entry entry;
		uint64_t offset = produce(producer, i);
		int r;

		(void)snprintf(expected, sizeof(expected), "{\"n\":%d}", i);
		producer->wrong += !folded(producer->run, offset, LONG_US);
		dal_buffer_clear(&memory);
		r = dal_view_get(producer->run->f->state, NULL, &name, dal_slice_text(key), &entry,
				 &memory);
		producer->wrong += r != 0 || !dal_slice_is(entry.json, expected);
	}
	dal_buffer_deinit(&memory);
	return NULL;
}

static void producers_read_their_writes(void **own)
{
	struct run run = {.f = *own};
	struct producer producers[PRODUCERS];
	pthread_t threads[PRODUCERS];

	worker_begin(&run, TOTALS, 0);
	for (int i = 0; i < PRODUCERS; i++) {
		producers[i] = (struct producer){&run, i, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, producing, &producers[i]), 0);
	}
	for (int i = 0; i < PRODUCERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(producers[i].wrong, 0);
	}
	assert_int_equal(atomic_load(&run.caught_up), 1);
	assert_true(atomic_load(&run.committed) > 0);
	worker_end(&run);
}

static void deadlines_are_kept(void **own)
{
	struct run run = {.f = *own};
	int64_t start = dal_clock_monotonic_us(), took;

	worker_begin(&run, TOTALS, 0);
	assert_false(folded(&run, 1000000, 50000));
	took = dal_clock_monotonic_us() - start;
	assert_in_range(took, 50000, 5000000);
	assert_false(folded(&run, 1000000, -1)); /* over before it began */
	worker_end(&run);
}

static void nobody_waits_for_a_worker_that_is_gone(void **own)
{
	struct run run = {.f = *own};
	struct wait before, never;

	worker_begin(&run, TOTALS, 0);
	wait_begin(&before, run.worker, 1000000, LONG_US);
	dal_worker_stop(run.worker);
	assert_false(wait_end(&before));
	assert_false(folded(&run, 1000000, LONG_US));
	worker_end(&run);
	worker_make(&run, TOTALS, 0);
	wait_begin(&never, run.worker, 1000000, LONG_US);
	dal_worker_stop(run.worker); /* it never started */
	assert_false(wait_end(&never));
	worker_end(&run);
}

static bool post_delivered(const struct dal_row *row, void *own)
{
	struct dal_buffer id = {0};

	dal_row_id_format(&row->id, &id);
	dal_worker_post(own, &(struct dal_worker_note){.kind = DAL_NOTE_DELIVERED,
						       .row = dal_buffer_slice(&id)});
	dal_buffer_deinit(&id);
	return true;
}

static void too_many_rows_pause_the_reading(void **own)
{
	struct run run = {.f = *own};
	struct dal_slice check = dal_slice_text("check");
	uint64_t last = 0;

	worker_begin(&run, CALL, 3);
	for (int i = 0; i < 3; i++) {
		last = append(&run, "call", "{}");
		assert_true(folded(&run, last, LONG_US));
	}
	last = append(&run, "call", "{}");
	assert_false(folded(&run, last, 200000));
	assert_true(status_of(&run).paused);
	assert_true(status_of(&run).undelivered >= 3);
	assert_true(dal_outbox_scan(run.f->state, 0, DAL_ROW_OPEN, &check, 0, post_delivered,
				    run.worker) >= 0);
	assert_true(folded(&run, last, LONG_US));
	assert_int_equal(status_of(&run).undelivered, 1);
	worker_end(&run);
}

static void a_halted_lane_stands_still(void **own)
{
	struct run run = {.f = *own};
	const char *rules = "projection 't' { version = 1, on = { type = 'add' }, key = 'data.key',"
			    " on_error = 'halt', init = { n = 0 }, fold = function(s, e)"
			    " if e.data.bad then error('no') end s.n = s.n + 1 return s end }";
	uint64_t good, bad;

	worker_begin(&run, rules, 0);
	good = append(&run, "add", "{\"key\":\"a\"}");
	bad = append(&run, "add", "{\"key\":\"a\",\"bad\":true}");
	assert_true(folded(&run, good, LONG_US));
	assert_false(folded(&run, bad, 200000));
	assert_true(status_of(&run).halted);
	assert_int_equal(status_of(&run).halt.place.offset, bad);
	assert_int_equal(next_of(&run), bad);
	worker_end(&run);
	worker_begin(&run, TOTALS, 0); /* the app was changed */
	assert_true(folded(&run, bad, LONG_US));
	worker_end(&run);
}

static void fill(struct fixture *f, unsigned count)
{
	enum { AT_ONCE = 1000 };
	struct dal_log_item items[AT_ONCE];
	char *events[AT_ONCE];

	for (unsigned done = 0; done < count; done += AT_ONCE) {
		for (unsigned i = 0; i < AT_ONCE; i++) {
			events[i] = dal_asprintf("{\"specversion\":\"1.0\",\"id\":\"f%u\","
						 "\"source\":\"/f\",\"type\":\"add\","
						 "\"data\":{\"key\":\"k%u\"}}",
						 done + i, (done + i) % 701);
			items[i] = (struct dal_log_item){.topic = dal_slice_text("events"),
							 .event = dal_slice_text(events[i])};
		}
		assert_int_equal(dal_log_append_wait(f->log,
						     &(struct dal_log_append){.items = items,
									      .count = AT_ONCE}),
				 0);
		for (unsigned i = 0; i < AT_ONCE; i++) {
			free(events[i]);
		}
	}
}

/* Stopped again and again while a new projection is built, it ends with the same bytes. */
static void a_build_that_is_stopped_goes_on(void **own)
{
	struct run run = {.f = *own};
	char through[65], stopped[65];

	fill(run.f, 20000);
	worker_begin(&run, TOTALS, 0);
	assert_true(folded(&run, 20000, LONG_US));
	dal_worker_stop(run.worker);
	fixture_digest(run.f, through);
	worker_end(&run);
	worker_begin(&run, CALL, 0); /* the projection goes, and comes back */
	worker_end(&run);
	for (useconds_t pause = 0; pause <= 20000; pause += 10000) {
		worker_begin(&run, TOTALS, 0);
		(void)usleep(pause);
		dal_worker_stop(run.worker);
		worker_end(&run);
	}
	worker_begin(&run, TOTALS, 0);
	while (status_of(&run).building) {
		(void)usleep(1000);
	}
	dal_worker_stop(run.worker);
	fixture_digest(run.f, stopped);
	assert_string_equal(through, stopped);
	worker_end(&run);
}

static unsigned checkpoints(struct fixture *f)
{
	struct dal_log_batch batch = {0};
	struct dal_log_reader *reader;
	unsigned count = 0;

	assert_int_equal(dal_log_reader_new(f->log, 0, NULL, "system", &reader), 0);
	while (dal_log_read(reader, 1000, 1 << 20, &batch) == 0) {
		for (size_t i = 0; i < batch.count; i++) {
			char *text = dal_slice_dup(batch.records[i].event);
			count += strstr(text, "dalamb.outbox.checkpoint") != NULL;
			free(text);
		}
	}
	dal_log_batch_release(&batch);
	dal_log_reader_free(reader);
	return count;
}

static void checkpoints_frame_a_life(void **own)
{
	struct run run = {.f = *own};
	uint64_t last;

	worker_begin(&run, CALL, 0);
	last = append(&run, "call", "{}");
	assert_true(folded(&run, last, LONG_US));
	while (atomic_load(&run.caught_up) == 0) {
		(void)usleep(1000);
	}
	last = append(&run, "call", "{}");
	assert_true(folded(&run, last, LONG_US));
	worker_end(&run);
	assert_int_equal(checkpoints(run.f), 2); /* caught up, and at stop */
	assert_int_equal(run.caught_up, 1);
	worker_begin(&run, CALL, 0);
	assert_true(next_of(&run) > last);
	assert_int_equal(status_of(&run).undelivered, 2);
	worker_end(&run);
}

/* Nothing is delivered before a rebuild has seen all that the log had, not even when it was broken
 * off in between. */
static void a_rebuild_delivers_at_its_end(void **own)
{
	struct run run = {.f = *own};
	struct dal_log_batch batch = {0};
	struct dal_log_reader *reader;
	uint64_t last;

	worker_begin(&run, CALL, 0);
	append(&run, "call", "{}");
	last = append(&run, "call", "{}");
	assert_true(folded(&run, last, LONG_US));
	worker_end(&run);
	fixture_forget(run.f);
	assert_int_equal(fixture_open(run.f, CALL), 0);
	assert_true(dal_lane_rebuilding(run.f->lane));
	assert_int_equal(dal_log_reader_new(run.f->log, 0, NULL, NULL, &reader), 0);
	assert_int_equal(dal_log_read(reader, 1, 1 << 20, &batch), 0);
	assert_int_equal(dal_lane_process(run.f->lane, &batch), 0);
	dal_log_batch_release(&batch);
	dal_log_reader_free(reader);
	fixture_close(run.f);
	assert_int_equal(fixture_open(run.f, CALL), 0); /* a restart in the middle */
	assert_int_equal(dal_lane_next(run.f->lane), 2);
	assert_true(dal_lane_rebuilding(run.f->lane));
	fixture_close(run.f);
	run.caught_up = 0;
	worker_begin(&run, CALL, 0);
	assert_true(folded(&run, last, LONG_US));
	while (atomic_load(&run.caught_up) == 0) {
		(void)usleep(1000);
	}
	assert_true(run.caught_up_at > last);
	assert_int_equal(status_of(&run).undelivered, 2);
	worker_end(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		CASE(producers_read_their_writes),
		CASE(deadlines_are_kept),
		CASE(nobody_waits_for_a_worker_that_is_gone),
		CASE(too_many_rows_pause_the_reading),
		CASE(a_halted_lane_stands_still),
		CASE(a_build_that_is_stopped_goes_on),
		CASE(checkpoints_frame_a_life),
		CASE(a_rebuild_delivers_at_its_end),
	};

	return cmocka_run_group_tests_name("stream worker", tests, NULL, NULL);
}
