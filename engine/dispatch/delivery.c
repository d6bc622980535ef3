/* A row on its way to a function: invoked, then retried later or completed on the log. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/base/limits.h"
#include "engine/base/logger.h"
#include "engine/base/memory.h"
#include "engine/base/metrics.h"
#include "engine/dispatch/dispatch_private.h"
#include "engine/event/json_write.h"

#define CANCELLED_US 1000000ll
#define UNAVAILABLE_US 5000000ll
#define HELD_US 100000ll /* after the log refused a completion */

struct dal_delivery {
	struct dal_dispatch *dispatch;
	struct dal_lane_function *function;
	struct dal_queue_entry *entry;
	struct dal_row row;
	struct dal_buffer memory; /* of the row */
	struct dal_buffer id, context, event;
	char request[DAL_UUID_TEXT_BYTES];
	struct dal_invocation invocation;
	struct dal_outcome outcome;
	bool tried; /* outcome is there */
	bool appending;
	bool cut;     /* its completion was larger than the log takes */
	int appended; /* the append's result */
	struct dal_log_item item;
	struct dal_log_append append;
	struct dal_delivery *next;
};

/* --- ends of things, told by other threads --- */

static void finished(struct dal_delivery *delivery)
{
	struct dal_dispatch *dispatch = delivery->dispatch;

	pthread_mutex_lock(&dispatch->lock);
	delivery->next = dispatch->finished;
	dispatch->finished = delivery;
	dispatch->woken = true;
	pthread_cond_signal(&dispatch->wake);
	pthread_mutex_unlock(&dispatch->lock);
}

static void on_invoked(struct dal_invocation *invocation)
{
	struct dal_delivery *delivery = invocation->own;
	const struct dal_dispatch_options *options = &delivery->dispatch->options;

	dal_outcome_copy(&delivery->outcome, invocation);
	delivery->tried = true;
	if (options->watch) {
		options->watch(options->own, invocation, dal_buffer_slice(&delivery->id));
	}
	finished(delivery);
}

static void on_appended(struct dal_log_append *append, int result)
{
	struct dal_delivery *delivery = append->own;

	delivery->appended = result;
	finished(delivery);
}

struct dal_delivery *dal_delivery_finished(struct dal_dispatch *dispatch)
{
	struct dal_delivery *list, *oldest = NULL, *next;

	pthread_mutex_lock(&dispatch->lock);
	list = dispatch->finished;
	dispatch->finished = NULL;
	pthread_mutex_unlock(&dispatch->lock);
	for (; list; list = next) {
		next = list->next;
		list->next = oldest;
		oldest = list;
	}
	return oldest;
}

struct dal_delivery *dal_delivery_next(struct dal_delivery *delivery)
{
	return delivery->next;
}

/* --- done with, one way or another --- */

static void delivery_free(struct dal_delivery *delivery)
{
	delivery->dispatch->flying--;
	dal_buffer_deinit(&delivery->memory);
	dal_buffer_deinit(&delivery->id);
	dal_buffer_deinit(&delivery->context);
	dal_buffer_deinit(&delivery->event);
	dal_outcome_deinit(&delivery->outcome);
	free(delivery);
}

/* It goes back into its queue, to be tried at due_us. */
static void put_back(struct dal_delivery *delivery, int64_t due_us)
{
	struct dal_dispatch *dispatch = delivery->dispatch;

	pthread_mutex_lock(&dispatch->lock);
	dal_dispatch_queue_return(&delivery->function->queue, delivery->entry, due_us);
	pthread_mutex_unlock(&dispatch->lock);
	delivery_free(delivery);
}

static void over(struct dal_delivery *delivery)
{
	struct dal_dispatch *dispatch = delivery->dispatch;

	pthread_mutex_lock(&dispatch->lock);
	dal_dispatch_queue_done(&delivery->function->queue, delivery->entry);
	pthread_mutex_unlock(&dispatch->lock);
	delivery_free(delivery);
}

/* The engine stops: the row is still open, and stays in its queue so that none of its order key
 * goes before it. */
static void forsake(struct dal_delivery *delivery)
{
	delivery_free(delivery);
}

/* --- completing --- */

static void append(struct dal_delivery *delivery)
{
	int r;

	delivery->appending = true;
	delivery->item = (struct dal_log_item){.topic = dal_slice_text(DAL_TOPIC_SYSTEM),
					       .placed = true,
					       .lane = delivery->dispatch->options.lane,
					       .event = dal_buffer_slice(&delivery->event)};
	delivery->append = (struct dal_log_append){.items = &delivery->item,
						   .count = 1,
						   .urgent = true,
						   .done = on_appended,
						   .own = delivery};
	r = dal_log_append(delivery->dispatch->options.log, &delivery->append);
	if (r != 0) {
		delivery->appended = r;
		finished(delivery);
	}
}

static void complete(struct dal_delivery *delivery, const char *reason)
{
	const struct dal_function *function = delivery->function->function;
	uint64_t memory_mb = function ? function->memory_bytes / 1000000 : 0;

	dal_buffer_clear(&delivery->event);
	dal_completion_build(delivery->dispatch->options.app, &delivery->row,
			     delivery->tried ? &delivery->outcome : NULL, reason, memory_mb,
			     &delivery->event);
	append(delivery);
}

/* The row fails, and says only what always fits. */
static void complete_cut(struct dal_delivery *delivery)
{
	delivery->cut = true;
	delivery->row.tries = (struct dal_slice){0};
	if (delivery->tried) {
		dal_outcome_cut(&delivery->outcome);
	}
	complete(delivery, "too-large");
}

static void completed(struct dal_delivery *delivery)
{
	struct dal_dispatch *dispatch = delivery->dispatch;

	if (delivery->appended == 0) {
		dispatch->options.delivered(dispatch->options.own, dal_buffer_slice(&delivery->id));
		over(delivery);
	} else if (delivery->appended == DAL_LOG_TOO_LARGE && !delivery->cut) {
		complete_cut(delivery);
	} else if (delivery->appended < 0) {
		forsake(delivery); /* the log is broken */
	} else {
		/* No room in the log: the function is not called again for that. */
		delivery->next = dispatch->held;
		dispatch->held = delivery;
		dispatch->held_until_us = dal_clock_monotonic_us() + HELD_US;
	}
}

void dal_delivery_release(struct dal_dispatch *dispatch, bool stopping)
{
	struct dal_delivery *delivery = dispatch->held, *next;

	if (!stopping && dal_clock_monotonic_us() < dispatch->held_until_us) {
		return;
	}
	dispatch->held = NULL;
	for (; delivery; delivery = next) {
		next = delivery->next;
		if (stopping) {
			forsake(delivery);
		} else {
			append(delivery);
		}
	}
}

/* --- retries --- */

/* Doubles from `backoff` to five minutes; half of it is by chance, so that many don't come at once.
 */
static int64_t backoff_us(const struct dal_function *function, uint32_t attempts)
{
	int64_t wait = function->backoff_us > 0 ? function->backoff_us : 1;
	uint32_t chance;

	for (uint32_t i = 1; i < attempts && wait < DAL_LIMIT_BACKOFF_MAX_MS * 1000ll; i++) {
		wait *= 2;
	}
	if (wait > DAL_LIMIT_BACKOFF_MAX_MS * 1000ll) {
		wait = DAL_LIMIT_BACKOFF_MAX_MS * 1000ll;
	}
	dal_random(&chance, sizeof(chance));
	return wait / 2 + (int64_t)((double)wait / 2 * chance / UINT32_MAX);
}

static bool is_final(const struct dal_function *function, struct dal_slice type)
{
	for (char **name = function->final; name && *name; name++) {
		if (dal_slice_is(type, *name)) {
			return true;
		}
	}
	return false;
}

/* Why a row that failed (again) is given up, or NULL. */
static const char *verdict(const struct dal_delivery *delivery, int64_t due_us)
{
	const struct dal_function *function = delivery->function->function;

	if (!function || delivery->outcome.outcome == DAL_INVOKE_GONE) {
		return "gone";
	}
	if (delivery->outcome.outcome == DAL_INVOKE_TOO_LARGE) {
		return "too-large";
	}
	if (is_final(function, dal_outcome_error_type(&delivery->outcome))) {
		return "final";
	}
	if (delivery->row.attempts >= function->attempts) {
		return "attempts";
	}
	/* What a person sent again is as old as it is. */
	return delivery->row.revived == 0 && due_us - delivery->row.caused_us > function->age_us
		       ? "age"
		       : NULL;
}

static void failed(struct dal_delivery *delivery)
{
	const struct dal_dispatch_options *options = &delivery->dispatch->options;
	struct dal_buffer tries = {0};
	const char *reason;
	int64_t due;

	delivery->row.attempts++;
	dal_tries_add(delivery->row.tries, &delivery->outcome, &tries);
	delivery->row.tries = dal_buffer_slice(&tries);
	due = dal_clock_now_us();
	if (delivery->function->function) { /* else it went while this ran */
		due += backoff_us(delivery->function->function, delivery->row.attempts);
	}
	reason = verdict(delivery, due);
	/* Of the last try too: its completion may not get onto the log before the engine ends. */
	options->retry(options->own, dal_buffer_slice(&delivery->id), delivery->row.attempts, due,
		       delivery->row.tries);
	if (reason) {
		complete(delivery, reason);
	} else {
		put_back(delivery, due);
	}
	dal_buffer_deinit(&tries);
}

void dal_delivery_step(struct dal_dispatch *dispatch, struct dal_delivery *delivery)
{
	(void)dispatch;
	if (delivery->appending) {
		completed(delivery);
		return;
	}
	switch (delivery->outcome.outcome) {
	case DAL_INVOKE_SUCCEEDED:
		complete(delivery, NULL);
		break;
	case DAL_INVOKE_CANCELLED: /* no try: the row stays open */
		put_back(delivery, dal_clock_now_us() + CANCELLED_US);
		break;
	case DAL_INVOKE_UNAVAILABLE:
		put_back(delivery, dal_clock_now_us() + UNAVAILABLE_US);
		break;
	default:
		failed(delivery);
	}
}

/* --- starting --- */

static void invoke(struct dal_delivery *delivery)
{
	struct dal_json_writer w = {.out = &delivery->context};

	dal_json_begin_object(&w);
	dal_json_key(&w, "custom");
	dal_json_begin_object(&w);
	dal_json_key(&w, "idempotency_key");
	dal_json_put_slice(&w, dal_buffer_slice(&delivery->id));
	dal_json_end_object(&w);
	dal_json_end_object(&w);
	dal_uuid_derive(dal_buffer_slice(&delivery->id), delivery->request);
	delivery->invocation = (struct dal_invocation){
		.function = dal_slice_text(delivery->function->name),
		.request = delivery->request,
		.payload = delivery->row.payload,
		.client_context = dal_buffer_slice(&delivery->context),
		.done = on_invoked,
		.own = delivery,
	};
	dal_functions_invoke(delivery->dispatch->options.functions, &delivery->invocation);
}

/* A row that is given up without a try. */
static const char *hopeless(const struct dal_delivery *delivery)
{
	const struct dal_function *function = delivery->function->function;

	if (!function) {
		return "gone";
	}
	if (delivery->row.hops > DAL_LIMIT_HOPS) {
		return "hops";
	}
	if (delivery->row.payload.size > DAL_LIMIT_RESULT_BYTES) {
		return "too-large";
	}
	if (delivery->row.revived == 0 &&
	    dal_clock_now_us() - delivery->row.caused_us > function->age_us) {
		return "age";
	}
	return NULL;
}

void dal_delivery_start(struct dal_dispatch *dispatch, struct dal_lane_function *function,
			struct dal_queue_entry *entry)
{
	struct dal_delivery *delivery = dal_calloc(1, sizeof(*delivery));
	const char *reason;
	int r;

	delivery->dispatch = dispatch;
	delivery->function = function;
	delivery->entry = entry;
	r = dal_outbox_get(dispatch->options.state, dispatch->options.lane, DAL_ROW_OPEN,
			   dal_slice_text(function->name), entry->sequence, &delivery->row,
			   &delivery->memory);
	if (r < 0) {
		dispatch->error = r;
		forsake(delivery);
		return;
	}
	if (r != 0) {
		over(delivery); /* it is not open any more */
		return;
	}
	dal_row_id_format(&delivery->row.id, &delivery->id);
	reason = hopeless(delivery);
	if (reason) {
		complete(delivery, reason);
	} else {
		invoke(delivery);
	}
}
