#include "engine/dispatch/dispatch_private.h"

#include <errno.h>
#include <stdio.h>

#include "engine/base/clock.h"
#include "engine/base/fault.h"
#include "engine/base/logger.h"
#include "engine/base/memory.h"

#define IDLE_US 1000000ll
#define OBSTACLE_US 5000000ll

/* --- rows into windows --- */

struct refill {
	struct dal_dispatch_queue *queue;
	size_t room;
};

static bool on_row(const struct dal_row *row, void *own)
{
	struct refill *refill = own;

	if (refill->room == 0) {
		refill->queue->more = true;
		return false;
	}
	dal_dispatch_queue_add(refill->queue, row->sequence, row->order, row->due_us,
			       row->caused_us);
	refill->queue->cursor = row->sequence + 1;
	refill->room--;
	return true;
}

static int refill(struct dal_dispatch *dispatch, struct dal_lane_function *function)
{
	struct dal_dispatch_queue *queue = &function->queue;
	size_t size = dal_dispatch_queue_size(queue);
	struct refill context = {queue, DAL_DISPATCH_WINDOW - size};
	struct dal_slice name = dal_slice_text(function->name);

	if (!queue->more || size > DAL_DISPATCH_WINDOW / 2) {
		return 0;
	}
	queue->more = false;
	return dal_outbox_scan(dispatch->options.state, dispatch->options.lane, DAL_ROW_OPEN, &name,
			       queue->cursor, on_row, &context);
}

/* --- sending --- */

static uint32_t capacity(struct dal_dispatch *dispatch, const struct dal_lane_function *function)
{
	uint32_t running = (uint32_t)function->queue.running.count;
	uint32_t most = function->function ? dal_functions_capacity(dispatch->options.functions,
								    dal_slice_text(function->name))
					   : 16; /* each only gets its verdict */
	return most > running ? most - running : 0;
}

/* This machine can't run it (no namespaces, say): its rows wait, and it is said once. */
static bool obstructed(struct dal_dispatch *dispatch, struct dal_lane_function *function)
{
	struct dal_error why;
	int64_t now = dal_clock_monotonic_us();

	if (!function->function || now < function->blocked_until_us) {
		return function->function != NULL;
	}
	if (!dal_functions_obstacle(dispatch->options.functions, dal_slice_text(function->name),
				    &why)) {
		function->obstacle[0] = '\0';
		return false;
	}
	if (function->obstacle[0] == '\0') {
		dal_logger_write(DAL_LOGGER_WARN, "dispatch", "rows of function \"%s\" wait: %s",
				 function->name, why.text);
	}
	snprintf(function->obstacle, sizeof(function->obstacle), "%.*s",
		 (int)sizeof(function->obstacle) - 1, why.text);
	function->blocked_until_us = now + OBSTACLE_US;
	return true;
}

static int send(struct dal_dispatch *dispatch, struct dal_lane_function *function)
{
	struct dal_queue_entry *entry;
	uint32_t room;
	int r;

	pthread_mutex_lock(&dispatch->lock);
	if (dal_fault("row-before-commit")) {
		function->queue.more = true; /* looks for rows that it was not told of */
	}
	r = refill(dispatch, function);
	pthread_mutex_unlock(&dispatch->lock);
	if (r < 0 || dal_dispatch_queue_size(&function->queue) == 0 ||
	    obstructed(dispatch, function)) {
		return r;
	}
	for (room = capacity(dispatch, function); room > 0; room--) {
		pthread_mutex_lock(&dispatch->lock);
		entry = dal_dispatch_queue_take(&function->queue, dal_clock_now_us());
		pthread_mutex_unlock(&dispatch->lock);
		if (!entry) {
			break;
		}
		dispatch->flying++;
		dal_delivery_start(dispatch, function, entry);
	}
	return 0;
}

static int send_all(struct dal_dispatch *dispatch)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < dispatch->count; i++) {
		r = send(dispatch, &dispatch->functions[i]);
	}
	return r < 0 ? r : dal_emission_start(dispatch);
}

static void take_finished(struct dal_dispatch *dispatch)
{
	struct dal_delivery *delivery = dal_delivery_finished(dispatch), *next;

	for (; delivery; delivery = next) {
		next = dal_delivery_next(delivery);
		dal_delivery_step(dispatch, delivery);
	}
	dal_emission_finish(dispatch);
}

/* Until the next retry is due, or somebody wakes us. */
static void sleep_until_woken(struct dal_dispatch *dispatch)
{
	int64_t wait = IDLE_US, now = dal_clock_now_us(), until;
	struct timespec at;

	pthread_mutex_lock(&dispatch->lock);
	for (size_t i = 0; i < dispatch->count; i++) {
		int64_t due = dal_dispatch_queue_due_us(&dispatch->functions[i].queue);
		if (due != INT64_MAX && due - now < wait) {
			wait = due > now ? due - now : 0;
		}
	}
	until = dal_clock_monotonic_us() + wait;
	at = (struct timespec){until / 1000000, until % 1000000 * 1000};
	while (!dispatch->woken &&
	       pthread_cond_timedwait(&dispatch->wake, &dispatch->lock, &at) != ETIMEDOUT) {
	}
	dispatch->woken = false;
	pthread_mutex_unlock(&dispatch->lock);
}

static void *run(void *own)
{
	struct dal_dispatch *dispatch = own;
	bool draining = false, stopping = false;

	while (!stopping || dispatch->flying > 0 || dispatch->emitting > 0) {
		take_finished(dispatch);
		if (!draining) {
			int r = send_all(dispatch);
			if (r < 0) {
				dal_logger_write(DAL_LOGGER_ERROR, "dispatch",
						 "the outbox can't be read: %s", strerror(-r));
			}
		}
		if (!stopping || dispatch->flying > 0 || dispatch->emitting > 0) {
			sleep_until_woken(dispatch);
		}
		pthread_mutex_lock(&dispatch->lock);
		draining = dispatch->draining;
		stopping = dispatch->stopping;
		pthread_mutex_unlock(&dispatch->lock);
	}
	return NULL;
}

/* --- life --- */

/* Functions that have rows but no declaration any more get a queue, too: their rows are owed a
 * verdict. */
static bool on_any_row(const struct dal_row *row, void *own)
{
	struct dal_dispatch *dispatch = own;

	for (size_t i = 0; i < dispatch->count; i++) {
		if (dal_slice_is(row->function, dispatch->functions[i].name)) {
			return true;
		}
	}
	if (row->function.size == 0) {
		return true;
	}
	dispatch->functions = dal_reallocarray(dispatch->functions, dispatch->count + 1,
					       sizeof(*dispatch->functions));
	dispatch->functions[dispatch->count] = (struct dal_lane_function){
		.name = dal_slice_dup(row->function)};
	dal_dispatch_queue_init(&dispatch->functions[dispatch->count++].queue);
	return true;
}

struct dal_dispatch *dal_dispatch_new(const struct dal_dispatch_options *options)
{
	struct dal_dispatch *dispatch = dal_calloc(1, sizeof(*dispatch));
	pthread_condattr_t attributes;

	dispatch->options = *options;
	pthread_mutex_init(&dispatch->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&dispatch->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	dispatch->functions = dal_calloc(options->count + 1, sizeof(*dispatch->functions));
	for (size_t i = 0; i < options->count; i++) {
		dispatch->functions[i].function = options->list[i];
		dispatch->functions[i].name = dal_strdup(options->list[i]->name);
		dal_dispatch_queue_init(&dispatch->functions[i].queue);
	}
	dispatch->count = options->count;
	dispatch->emit_more = true;
	return dispatch;
}

int dal_dispatch_start(struct dal_dispatch *dispatch)
{
	int r;

	dispatch->origin = dal_log_origin(dispatch->options.log, dispatch->options.lane);
	r = dal_outbox_scan(dispatch->options.state, dispatch->options.lane, DAL_ROW_OPEN, NULL, 0,
			    on_any_row, dispatch);
	if (r < 0) {
		return r;
	}
	pthread_mutex_lock(&dispatch->lock);
	r = dispatch->stopping ? 0 : pthread_create(&dispatch->thread, NULL, run, dispatch);
	dispatch->running = r == 0 && !dispatch->stopping;
	pthread_mutex_unlock(&dispatch->lock);
	return -r;
}

void dal_dispatch_wake(struct dal_dispatch *dispatch)
{
	pthread_mutex_lock(&dispatch->lock);
	for (size_t i = 0; i < dispatch->count; i++) {
		dispatch->functions[i].queue.more = true;
	}
	dispatch->emit_more = true;
	dispatch->woken = true;
	pthread_cond_signal(&dispatch->wake);
	pthread_mutex_unlock(&dispatch->lock);
}

static void end(struct dal_dispatch *dispatch, bool stop)
{
	pthread_mutex_lock(&dispatch->lock);
	dispatch->draining = true;
	dispatch->stopping = dispatch->stopping || stop;
	dispatch->woken = true;
	pthread_cond_signal(&dispatch->wake);
	pthread_mutex_unlock(&dispatch->lock);
}

void dal_dispatch_drain(struct dal_dispatch *dispatch)
{
	end(dispatch, false);
}

void dal_dispatch_stop(struct dal_dispatch *dispatch)
{
	bool running;

	end(dispatch, true);
	pthread_mutex_lock(&dispatch->lock);
	running = dispatch->running;
	dispatch->running = false;
	pthread_mutex_unlock(&dispatch->lock);
	if (running) {
		pthread_join(dispatch->thread, NULL);
	}
}

void dal_dispatch_free(struct dal_dispatch *dispatch)
{
	if (!dispatch) {
		return;
	}
	dal_dispatch_stop(dispatch);
	for (size_t i = 0; i < dispatch->count; i++) {
		dal_dispatch_queue_deinit(&dispatch->functions[i].queue);
		free((char *)dispatch->functions[i].name);
	}
	free(dispatch->functions);
	pthread_cond_destroy(&dispatch->wake);
	pthread_mutex_destroy(&dispatch->lock);
	free(dispatch);
}

void dal_dispatch_status(struct dal_dispatch *dispatch,
			 void (*each)(const struct dal_dispatch_status *status, void *own),
			 void *own)
{
	pthread_mutex_lock(&dispatch->lock);
	for (size_t i = 0; i < dispatch->count; i++) {
		struct dal_lane_function *function = &dispatch->functions[i];
		struct dal_dispatch_queue *queue = &function->queue;
		struct dal_dispatch_status status = {
			.function = function->name,
			.waiting = queue->ready.count + queue->blocked,
			.running = queue->running.count,
			.retrying = queue->timed.count,
			.more = queue->more && dal_dispatch_queue_size(queue) > 0,
			.oldest_us = dal_dispatch_queue_oldest_us(queue),
		};
		memcpy(status.obstacle, function->obstacle, sizeof(status.obstacle));
		each(&status, own);
	}
	pthread_mutex_unlock(&dispatch->lock);
}
