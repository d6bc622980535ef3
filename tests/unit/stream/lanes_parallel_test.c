/*
 * Workers of two lanes on one state and one log: what lands in the other lane, what they fold while
 * producers write and they are restarted.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "tests/unit/stream/lanes_run.h"

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

	run_wait_at_end(run, 1);
	status = run_status(run->workers[1]);
	assert_int_equal(status.repeats, repeats);
	run_end(run, 1);
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
	run_begin(&run, 0);
	run_begin(&run, 1);
	run_wait_at_end(&run, 0);
	rows_append(run.f, 2);
	expect_one_of_each(&run, key, 3);
	run_begin(&run, 1); /* a restart later they are known, too */
	rows_append(run.f, 1);
	expect_one_of_each(&run, key, 3);
	run_end(&run, 0);
	lanes_expect_view(run.f, "totals", key, NULL);
	fixture_close(run.f);
	fixture_load(run.f, PASS_ON LANES_TOTALS("2")); /* and where they are built anew */
	run_begin(&run, 1);
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
	run_begin(&run, 0);
	run_begin(&run, 1);
	for (int i = 0; i < PRODUCERS; i++) {
		producers[i] = (struct producer){.run = &run, .seed = seed + (unsigned)i};
		assert_int_equal(pthread_create(&threads[i], NULL, producing, &producers[i]), 0);
	}
	for (int i = 0; i < RESTARTS; i++) {
		uint16_t lane = (uint16_t)(next_random(&seed) % LANES);
		run_wake(&run);
		(void)usleep(next_random(&seed) % 5000);
		run_end(&run, lane);
		run_begin(&run, lane);
	}
	for (int i = 0; i < PRODUCERS; i++) {
		pthread_join(threads[i], NULL);
	}
	run_wait_at_end(&run, 0);
	run_wait_at_end(&run, 1);
	run_end(&run, 0);
	run_end(&run, 1);
	expect_model(run.f, producers);
	expect_same_as_a_fold(run.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, lanes_setup, fixture_teardown)
		CASE(emits_in_another_lane_count_once),
		CASE(lanes_come_to_their_folds),
	};

	return cmocka_run_group_tests_name("stream lanes parallel", tests, NULL, NULL);
}
