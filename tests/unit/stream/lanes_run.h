/*
 * Workers of the lanes of one log, on the state of a fixture, and who waits for them.
 */
#ifndef DAL_TESTS_UNIT_STREAM_LANES_RUN_H
#define DAL_TESTS_UNIT_STREAM_LANES_RUN_H

#include <stdatomic.h>

#include "engine/stream/worker.h"
#include "tests/unit/stream/lanes.h"

#define LONG_US 20000000ll

struct run {
	struct fixture *f; /* loaded */
	struct dal_worker *workers[LANES];
	atomic_int broken, caught_up;
};

void run_begin(struct run *run, uint16_t lane);
void run_end(struct run *run, uint16_t lane);
void run_wake(struct run *run);
/* Until the worker stands where the lane ends. */
void run_wait_at_end(struct run *run, uint16_t lane);
/* Without its positions. */
struct dal_worker_status run_status(struct dal_worker *worker);

struct wait {
	struct dal_worker_waiter waiter;
	atomic_int calls;
	bool reached;
	int64_t late_us; /* behind the deadline, when it was answered */
};

void wait_begin(struct wait *wait, struct dal_worker *worker, const char *topic, uint16_t lane,
		uint64_t offset, int64_t timeout_us);
bool wait_end(struct wait *wait); /* was it reached? */

#endif
