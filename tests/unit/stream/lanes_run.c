#include "tests/unit/stream/lanes_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/clock.h"

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

void run_begin(struct run *run, uint16_t lane)
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

void run_end(struct run *run, uint16_t lane)
{
	dal_worker_free(run->workers[lane]);
	run->workers[lane] = NULL;
	assert_int_equal(atomic_load(&run->broken), 0);
}

void run_wake(struct run *run)
{
	for (uint16_t lane = 0; lane < LANES; lane++) {
		if (run->workers[lane]) {
			dal_worker_wake(run->workers[lane]);
		}
	}
}

void run_wait_at_end(struct run *run, uint16_t lane)
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

struct dal_worker_status run_status(struct dal_worker *worker)
{
	struct dal_worker_status status;

	dal_worker_status(worker, &status);
	dal_worker_status_deinit(&status);
	return status;
}

/* --- waiting --- */

static void on_done(struct dal_worker_waiter *waiter, bool reached)
{
	struct wait *wait = waiter->own;

	wait->reached = reached;
	wait->late_us = dal_clock_monotonic_us() - waiter->deadline_us;
	atomic_fetch_add(&wait->calls, 1);
}

void wait_begin(struct wait *wait, struct dal_worker *worker, const char *topic, uint16_t lane,
		uint64_t offset, int64_t timeout_us)
{
	*wait = (struct wait){.waiter = {.place = {.topic = dal_slice_text(topic),
						   .partition = lane,
						   .offset = offset},
					 .deadline_us = dal_clock_monotonic_us() + timeout_us,
					 .done = on_done,
					 .own = wait}};
	dal_worker_wait(worker, &wait->waiter);
}

bool wait_end(struct wait *wait)
{
	int64_t until = dal_clock_monotonic_us() + LONG_US;

	while (atomic_load(&wait->calls) == 0) {
		assert_true(dal_clock_monotonic_us() < until);
		(void)usleep(500);
	}
	assert_int_equal(atomic_load(&wait->calls), 1);
	return wait->reached;
}
