/* Another generation of rules: the worker held between two batches, switched, let go. */
#include <errno.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/stream/worker_private.h"
#include "state/generation.h"

/* --- the number --- */

void dal_worker_generation_known(struct dal_worker *worker)
{
	struct dal_generation known = dal_generation_parse(dal_lane_generation_get(worker->lane));

	worker->status.generation = known.number;
	worker->status.new_generation = worker->options.generation &&
					!dal_slice_is(known.digest, worker->options.generation);
	if (worker->status.new_generation) {
		dal_worker_number(worker, known.number + 1);
	}
}

void dal_worker_number(struct dal_worker *worker, uint64_t number)
{
	struct dal_buffer text = {0};

	if (number == worker->status.generation && !worker->status.new_generation) {
		return;
	}
	dal_generation_format(
		&(struct dal_generation){
			.number = number,
			.digest = dal_slice_text(worker->options.generation),
		},
		&text);
	dal_lane_generation(worker->lane, dal_buffer_slice(&text));
	worker->status.generation = number;
	dal_buffer_deinit(&text);
}

/* --- from another thread --- */

int dal_worker_next_new(struct dal_worker *worker, const struct dal_lane_options *options,
			struct dal_lane_next **next)
{
	return dal_lane_next_new(worker->lane, options, next);
}

int dal_worker_hold(struct dal_worker *worker, int64_t timeout_us, struct dal_position *at)
{
	int64_t until = dal_clock_monotonic_us() + timeout_us;
	struct timespec end = {until / 1000000, until % 1000000 * 1000};
	int r = 0;

	pthread_mutex_lock(&worker->lock);
	worker->hold = worker->woken = true;
	pthread_cond_signal(&worker->wake);
	while (r == 0 && !worker->held && !worker->stopping) {
		r = pthread_cond_timedwait(&worker->boundary, &worker->lock, &end);
	}
	if (worker->held && !worker->stopping) {
		r = 0;
		dal_position_copy(at, &worker->status.next);
	} else {
		r = worker->stopping ? -ECANCELED : DAL_WORKER_BUSY;
	}
	pthread_mutex_unlock(&worker->lock);
	return r;
}

void dal_worker_release(struct dal_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->hold = false;
	pthread_cond_broadcast(&worker->boundary);
	while (worker->held && !worker->ended) {
		pthread_cond_wait(&worker->boundary, &worker->lock);
	}
	pthread_mutex_unlock(&worker->lock);
}

int dal_worker_switch(struct dal_worker *worker, struct dal_lane_next *next,
		      struct dal_slice generation)
{
	bool switched;

	pthread_mutex_lock(&worker->lock);
	worker->next = next;
	worker->next_generation = generation;
	worker->switched = false;
	pthread_cond_broadcast(&worker->boundary);
	while (!worker->switched && !worker->ended) {
		pthread_cond_wait(&worker->boundary, &worker->lock);
	}
	switched = worker->switched;
	next = worker->next; /* it was not taken */
	worker->next = NULL;
	pthread_mutex_unlock(&worker->lock);
	dal_lane_next_free(next);
	return switched ? 0 : -ECANCELED;
}

/* --- the thread --- */

/* Rows of later events are the new rules': a rebuild must not make such for earlier ones. */
static int switch_take(struct dal_worker *worker, struct dal_lane_next *next,
		       struct dal_slice generation)
{
	bool halted = dal_lane_halt(worker->lane) != NULL;
	size_t anew;
	int r = dal_lane_switch(worker->lane, next, generation, &anew);

	if (r == 0 && worker->options.lane.outbox && worker->status.caught_up) {
		r = dal_worker_checkpoint(worker);
	}
	if (r != 0) {
		return r;
	}
	pthread_mutex_lock(&worker->lock);
	worker->status.building = anew > 0; /* what is read of these meanwhile is half of it */
	worker->status.generation = dal_generation_parse(generation).number;
	worker->status.halted = dal_lane_halt(worker->lane) != NULL;
	pthread_mutex_unlock(&worker->lock);
	r = dal_worker_build(worker);
	return r == 0 && halted ? dal_worker_reader_open(worker) : r;
}

/* With the lock, which is let go meanwhile. */
static int switch_told(struct dal_worker *worker)
{
	struct dal_lane_next *next = worker->next;
	int r;

	worker->next = NULL;
	pthread_mutex_unlock(&worker->lock);
	r = switch_take(worker, next, worker->next_generation);
	pthread_mutex_lock(&worker->lock);
	worker->switched = r == 0;
	pthread_cond_broadcast(&worker->boundary);
	return r;
}

int dal_worker_stand(struct dal_worker *worker)
{
	int r = 0;

	pthread_mutex_lock(&worker->lock);
	worker->held = worker->hold;
	pthread_cond_broadcast(&worker->boundary);
	while (r == 0 && worker->hold && !worker->stopping) {
		if (worker->next) {
			r = switch_told(worker);
		} else {
			pthread_cond_wait(&worker->boundary, &worker->lock);
		}
	}
	worker->held = false;
	pthread_cond_broadcast(&worker->boundary);
	pthread_mutex_unlock(&worker->lock);
	return r;
}
