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
	struct dal_dispatch *dispatch;
	struct dal_dispatch_queue *queue;
};

/* The lock is held a row at a time: large rows are read meanwhile, and others have to say things.
 */
static bool on_row(const struct dal_row *row, void *own)
{
	struct refill *refill = own;
	struct dal_dispatch_queue *queue = refill->queue;
	bool room;

	pthread_mutex_lock(&refill->dispatch->lock);
	room = dal_dispatch_queue_room(queue, DAL_DISPATCH_WINDOW, DAL_DISPATCH_BLOCKED);
	if (room) {
		dal_dispatch_queue_add(queue, row->sequence, row->order, row->due_us,
				       row->caused_us);
		queue->cursor = row->sequence + 1;
	} else {
		queue->more = true;
	}
	pthread_mutex_unlock(&refill->dispatch->lock);
	return room;
}

/* Once the window is half empty, so that a scan is worth its while. */
static bool refill_due(struct dal_dispatch *dispatch, struct dal_dispatch_queue *queue)
{
	bool due;

	pthread_mutex_lock(&dispatch->lock);
	if (dal_fault("row-before-commit")) {
		queue->more = true; /* looks for rows that it was not told of */
	}
	due = queue->more && dal_dispatch_queue_room(queue, DAL_DISPATCH_WINDOW / 2,
						     DAL_DISPATCH_BLOCKED - DAL_DISPATCH_WINDOW);
	queue->more = queue->more && !due;
	pthread_mutex_unlock(&dispatch->lock);
	return due;
}

static int refill(struct dal_dispatch *dispatch, struct dal_lane_function *function)
{
	struct dal_dispatch_queue *queue = &function->queue;
	struct refill context = {dispatch, queue};
	struct dal_slice name = dal_slice_text(function->name);

	if (!refill_due(dispatch, queue)) {
		return 0;
	}
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

/* It is not there yet: its rows wait. Asked after the scan, so that none of theirs is missed. */
static bool awaited(struct dal_dispatch *dispatch, const struct dal_lane_function *function)
{
	bool yes = false;

	if (function->function) {
		return false;
	}
	pthread_mutex_lock(&dispatch->lock);
	for (size_t i = 0; !yes && i < dispatch->expected_count; i++) {
		yes = strcmp(dispatch->expected[i]->name, function->name) == 0;
	}
	pthread_mutex_unlock(&dispatch->lock);
	return yes;
}

/* This machine can't run it (no namespaces, say): its rows wait, and it is said once. */
static bool obstructed(struct dal_dispatch *dispatch, struct dal_lane_function *function)
{
	struct dal_error why = {0};
	int64_t now = dal_clock_monotonic_us();
	bool known = function->obstacle[0] != '\0', yes;

	if (!function->function || now < function->blocked_until_us) {
		return function->function != NULL;
	}
	yes = dal_functions_obstacle(dispatch->options.functions, dal_slice_text(function->name),
				     &why);
	if (yes && !known) {
		dal_logger_write(DAL_LOGGER_WARN, "dispatch", "rows of function \"%s\" wait: %s",
				 function->name, why.text);
	}
	if (yes || known) {
		pthread_mutex_lock(&dispatch->lock);
		snprintf(function->obstacle, sizeof(function->obstacle), "%.*s",
			 (int)sizeof(function->obstacle) - 1, yes ? why.text : "");
		pthread_mutex_unlock(&dispatch->lock);
	}
	function->blocked_until_us = yes ? now + OBSTACLE_US : 0;
	return yes;
}

static int send(struct dal_dispatch *dispatch, struct dal_lane_function *function)
{
	struct dal_queue_entry *entry;
	uint32_t room;
	int r;

	r = refill(dispatch, function);
	pthread_mutex_lock(&dispatch->lock);
	dal_dispatch_queue_ripen(&function->queue, dal_clock_now_us());
	pthread_mutex_unlock(&dispatch->lock);
	if (r < 0 || dal_dispatch_queue_size(&function->queue) == 0 ||
	    awaited(dispatch, function) || obstructed(dispatch, function)) {
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
		r = send(dispatch, dispatch->functions[i]);
	}
	r = r < 0 ? r : dal_emission_start(dispatch);
	return r < 0 ? r : dispatch->error;
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

/* How long until a retry is due or a refused completion may be tried again. What is ripe already
 * waits for an instance, not for a time. */
static int64_t wait_us(struct dal_dispatch *dispatch)
{
	int64_t wait = IDLE_US, now = dal_clock_now_us();

	for (size_t i = 0; !dispatch->draining && i < dispatch->count; i++) {
		int64_t due = dal_dispatch_queue_due_us(&dispatch->functions[i]->queue);
		wait = due < now + wait ? due - now : wait;
	}
	if (dispatch->held && dispatch->held_until_us - dal_clock_monotonic_us() < wait) {
		wait = dispatch->held_until_us - dal_clock_monotonic_us();
	}
	return wait > 0 ? wait : 0;
}

/* Until there is something to do, or somebody wakes us. */
static void sleep_until_woken(struct dal_dispatch *dispatch)
{
	int64_t until;
	struct timespec at;

	pthread_mutex_lock(&dispatch->lock);
	until = dal_clock_monotonic_us() + wait_us(dispatch);
	at = (struct timespec){until / 1000000, until % 1000000 * 1000};
	while (!dispatch->woken &&
	       pthread_cond_timedwait(&dispatch->wake, &dispatch->lock, &at) != ETIMEDOUT) {
	}
	dispatch->woken = false;
	pthread_mutex_unlock(&dispatch->lock);
}

/* --- which functions there are --- */

/* With the lock, or on the thread: nobody else adds any. */
static struct dal_lane_function *function_find(struct dal_dispatch *dispatch, struct dal_slice name)
{
	for (size_t i = 0; i < dispatch->count; i++) {
		if (dal_slice_is(name, dispatch->functions[i]->name)) {
			return dispatch->functions[i];
		}
	}
	return NULL;
}

/* With the lock, or before others know the dispatch. */
static struct dal_lane_function *function_add(struct dal_dispatch *dispatch, struct dal_slice name)
{
	struct dal_lane_function *function = dal_calloc(1, sizeof(*function));

	function->name = dal_slice_dup(name);
	dal_dispatch_queue_init(&function->queue);
	dispatch->functions = dal_reallocarray(dispatch->functions, dispatch->count + 1,
					       sizeof(struct dal_lane_function *));
	dispatch->functions[dispatch->count++] = function;
	return function;
}

/* With the lock, or before others know the dispatch. */
static void list_take(struct dal_dispatch *dispatch, const struct dal_function *const *list,
		      size_t count)
{
	dispatch->expected_count = 0;
	for (size_t i = 0; i < dispatch->count; i++) {
		dispatch->functions[i]->function = NULL;
	}
	for (size_t i = 0; i < count; i++) {
		struct dal_slice name = dal_slice_text(list[i]->name);
		struct dal_lane_function *function = function_find(dispatch, name);

		function = function ? function : function_add(dispatch, name);
		function->function = list[i];
		function->blocked_until_us = 0;
		function->queue.more = true;
	}
}

static void configured_take(struct dal_dispatch *dispatch, bool ends)
{
	pthread_mutex_lock(&dispatch->lock);
	if (!dispatch->configured) {
		list_take(dispatch, dispatch->listed, dispatch->listed_count);
		dispatch->configured = true;
	}
	dispatch->ended = ends;
	pthread_cond_broadcast(&dispatch->taken);
	pthread_mutex_unlock(&dispatch->lock);
}

void dal_dispatch_configure(struct dal_dispatch *dispatch, const struct dal_function *const *list,
			    size_t count)
{
	pthread_mutex_lock(&dispatch->lock);
	dispatch->listed = list;
	dispatch->listed_count = count;
	dispatch->configured = false;
	if (dispatch->alive && !dispatch->ended) {
		dispatch->woken = true;
		pthread_cond_signal(&dispatch->wake);
		while (!dispatch->configured && !dispatch->ended) {
			pthread_cond_wait(&dispatch->taken, &dispatch->lock);
		}
	}
	if (!dispatch->configured) {
		list_take(dispatch, list, count);
		dispatch->configured = true;
	}
	pthread_mutex_unlock(&dispatch->lock);
}

void dal_dispatch_expect(struct dal_dispatch *dispatch, const struct dal_function *const *list,
			 size_t count)
{
	pthread_mutex_lock(&dispatch->lock);
	dispatch->expected = list;
	dispatch->expected_count = count;
	dispatch->woken = true; /* there may be rows that waited for nothing */
	pthread_cond_signal(&dispatch->wake);
	pthread_mutex_unlock(&dispatch->lock);
}

static void break_off(struct dal_dispatch *dispatch, int error)
{
	dal_logger_write(DAL_LOGGER_ERROR, "dispatch", "the outbox can't be read: %s",
			 strerror(-error));
	pthread_mutex_lock(&dispatch->lock);
	dispatch->draining = true;
	pthread_mutex_unlock(&dispatch->lock);
	if (dispatch->options.broken) {
		dispatch->options.broken(dispatch->options.own, error);
	}
}

static void *run(void *own)
{
	struct dal_dispatch *dispatch = own;
	bool draining = false, stopping = false;

	while (!stopping || dispatch->flying > 0 || dispatch->emitting > 0) {
		configured_take(dispatch, false);
		take_finished(dispatch);
		dal_delivery_release(dispatch, stopping);
		if (!draining) {
			int r = send_all(dispatch);
			if (r < 0) {
				break_off(dispatch, r);
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
	configured_take(dispatch, true);
	return NULL;
}

/* --- life --- */

/* Functions that have rows but no declaration any more get a queue, too: their rows are owed a
 * verdict. */
static bool on_target(struct dal_slice function, void *own)
{
	struct dal_dispatch *dispatch = own;

	pthread_mutex_lock(&dispatch->lock); /* its status may be asked meanwhile */
	if (function.size > 0 && !function_find(dispatch, function)) {
		function_add(dispatch, function);
	}
	pthread_mutex_unlock(&dispatch->lock);
	return true;
}

/* Dead letters, too: they may be sent again. */
static int gone_find(struct dal_dispatch *dispatch)
{
	const struct dal_dispatch_options *options = &dispatch->options;
	int r = dal_outbox_targets(options->state, options->lane, DAL_ROW_OPEN, on_target,
				   dispatch);

	return r < 0 ? r
		     : dal_outbox_targets(options->state, options->lane, DAL_ROW_DEAD, on_target,
					  dispatch);
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
	pthread_cond_init(&dispatch->taken, NULL);
	list_take(dispatch, options->list, options->count);
	dispatch->emit_more = dispatch->configured = true;
	return dispatch;
}

int dal_dispatch_start(struct dal_dispatch *dispatch)
{
	int r;

	dispatch->origin = dal_log_origin(dispatch->options.log, dispatch->options.lane);
	r = gone_find(dispatch);
	if (r < 0) {
		return r;
	}
	pthread_mutex_lock(&dispatch->lock);
	r = dispatch->stopping ? 0 : pthread_create(&dispatch->thread, NULL, run, dispatch);
	dispatch->running = dispatch->alive = r == 0 && !dispatch->stopping;
	pthread_mutex_unlock(&dispatch->lock);
	return -r;
}

void dal_dispatch_wake(struct dal_dispatch *dispatch)
{
	pthread_mutex_lock(&dispatch->lock);
	for (size_t i = 0; i < dispatch->count; i++) {
		dispatch->functions[i]->queue.more = true;
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
		dal_dispatch_queue_deinit(&dispatch->functions[i]->queue);
		free((char *)dispatch->functions[i]->name);
		free(dispatch->functions[i]);
	}
	free(dispatch->functions);
	pthread_cond_destroy(&dispatch->wake);
	pthread_cond_destroy(&dispatch->taken);
	pthread_mutex_destroy(&dispatch->lock);
	free(dispatch);
}

void dal_dispatch_status(struct dal_dispatch *dispatch,
			 void (*each)(const struct dal_dispatch_status *status, void *own),
			 void *own)
{
	pthread_mutex_lock(&dispatch->lock);
	for (size_t i = 0; i < dispatch->count; i++) {
		struct dal_lane_function *function = dispatch->functions[i];
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
