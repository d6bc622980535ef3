/*
 * Rows to the log: emitted events and reports of failures, in the order of their causes.
 *
 * All rows of one cause are appended together, and the batch that appends them records the cause as
 * the log's last origin (log.h): so a restart neither repeats nor misses one.
 */
#include <errno.h>

#include "engine/base/clock.h"
#include "engine/base/logger.h"
#include "engine/base/memory.h"
#include "engine/dispatch/dispatch_private.h"

enum { EMITTING_MAX = 256, GATHER_MAX = 2000 };
#define AGAIN_US 1000000ll

struct emission_row {
	uint64_t sequence;
	struct dal_buffer topic, event;
};

/* The rows of one cause. */
struct dal_emission {
	struct dal_dispatch *dispatch;
	uint64_t cause, first_sequence;
	struct emission_row *rows;
	size_t count, capacity;
	struct dal_log_item *items;
	struct dal_log_append append;
	int result;
	struct dal_emission *next;
};

static void emission_free(struct dal_emission *emission)
{
	for (size_t i = 0; i < emission->count; i++) {
		dal_buffer_deinit(&emission->rows[i].topic);
		dal_buffer_deinit(&emission->rows[i].event);
	}
	free(emission->rows);
	free(emission->items);
	free(emission);
}

static void on_appended(struct dal_log_append *append, int result)
{
	struct dal_emission *emission = append->own;
	struct dal_dispatch *dispatch = emission->dispatch;

	emission->result = result;
	pthread_mutex_lock(&dispatch->lock);
	emission->next = dispatch->emitted;
	dispatch->emitted = emission;
	dispatch->woken = true;
	pthread_cond_signal(&dispatch->wake);
	pthread_mutex_unlock(&dispatch->lock);
}

static void removed(struct dal_dispatch *dispatch, const struct dal_emission *emission)
{
	for (size_t i = 0; i < emission->count; i++) {
		dispatch->options.appended(dispatch->options.own, emission->rows[i].sequence);
	}
}

/* Refused: nothing behind it may go first, so the scan starts again from it. */
static void again(struct dal_dispatch *dispatch, uint64_t sequence)
{
	if (sequence < dispatch->emit_cursor) {
		dispatch->emit_cursor = sequence;
	}
	dispatch->emit_pause_us = dal_clock_monotonic_us() + AGAIN_US;
	pthread_mutex_lock(&dispatch->lock);
	dispatch->emit_more = true;
	pthread_mutex_unlock(&dispatch->lock);
}

void dal_emission_finish(struct dal_dispatch *dispatch)
{
	struct dal_emission *emission, *next;

	pthread_mutex_lock(&dispatch->lock);
	emission = dispatch->emitted;
	dispatch->emitted = NULL;
	pthread_mutex_unlock(&dispatch->lock);
	for (; emission; emission = next) {
		next = emission->next;
		if (emission->result == 0) {
			removed(dispatch, emission);
		} else if (emission->result > 0) {
			again(dispatch, emission->first_sequence);
		}
		dispatch->emitting--;
		emission_free(emission);
	}
}

/* Queues the append of one cause; takes the emission. */
static int send_take(struct dal_dispatch *dispatch, struct dal_emission *emission)
{
	int r;

	if (emission->cause <= dispatch->origin) {
		removed(dispatch, emission); /* it was appended before the restart */
		emission_free(emission);
		return 0;
	}
	emission->items = dal_calloc(emission->count, sizeof(*emission->items));
	for (size_t i = 0; i < emission->count; i++) {
		emission->items[i].topic = dal_buffer_slice(&emission->rows[i].topic);
		emission->items[i].event = dal_buffer_slice(&emission->rows[i].event);
	}
	emission->append = (struct dal_log_append){.items = emission->items,
						   .count = emission->count,
						   .urgent = true,
						   .origin = emission->cause,
						   .done = on_appended,
						   .own = emission};
	dispatch->emitting++;
	r = dal_log_append(dispatch->options.log, &emission->append);
	if (r == -EINVAL && !dispatch->emit_warned) {
		dispatch->emit_warned = true;
		dal_logger_write(DAL_LOGGER_WARN, "dispatch",
				 "emitted events wait: the next one goes to a topic that is not "
				 "declared any more; name it in log.topics again");
	}
	if (r != 0) {
		dispatch->emitting--;
		again(dispatch, emission->first_sequence);
		emission_free(emission);
	}
	return r;
}

struct gather {
	struct dal_dispatch *dispatch;
	struct dal_emission *emission; /* that is being gathered */
	size_t rows;
	int refused;
};

static bool gather_flush(struct gather *gather)
{
	struct dal_emission *emission = gather->emission;

	gather->emission = NULL;
	if (emission) {
		gather->refused = send_take(gather->dispatch, emission);
	}
	return gather->refused == 0;
}

static bool on_row(const struct dal_row *row, void *own)
{
	struct gather *gather = own;
	struct emission_row *to;

	if (!gather->emission || gather->emission->cause != row->id.cause.offset) {
		if (!gather_flush(gather) || gather->rows >= GATHER_MAX ||
		    gather->dispatch->emitting >= EMITTING_MAX) {
			return false;
		}
		gather->emission = dal_calloc(1, sizeof(*gather->emission));
		gather->emission->dispatch = gather->dispatch;
		gather->emission->cause = row->id.cause.offset;
		gather->emission->first_sequence = row->sequence;
	}
	DAL_GROW(gather->emission->rows, gather->emission->count, gather->emission->capacity);
	to = &gather->emission->rows[gather->emission->count++];
	*to = (struct emission_row){.sequence = row->sequence};
	dal_buffer_slice_append(&to->topic, row->topic);
	dal_buffer_slice_append(&to->event, row->payload);
	gather->dispatch->emit_cursor = row->sequence + 1;
	gather->rows++;
	return true;
}

int dal_emission_start(struct dal_dispatch *dispatch)
{
	struct gather gather = {.dispatch = dispatch};
	struct dal_slice log = {0};
	bool more;
	int r;

	pthread_mutex_lock(&dispatch->lock);
	more = dispatch->emit_more;
	pthread_mutex_unlock(&dispatch->lock);
	if (!more || dispatch->emitting >= EMITTING_MAX ||
	    dal_clock_monotonic_us() < dispatch->emit_pause_us) {
		return 0;
	}
	pthread_mutex_lock(&dispatch->lock);
	dispatch->emit_more = false;
	pthread_mutex_unlock(&dispatch->lock);
	r = dal_outbox_scan(dispatch->options.state, dispatch->options.lane, DAL_ROW_OPEN, &log,
			    dispatch->emit_cursor, on_row, &gather);
	gather_flush(&gather);
	if (r >= 0 && gather.rows > 0) {
		pthread_mutex_lock(&dispatch->lock);
		dispatch->emit_more = true;
		pthread_mutex_unlock(&dispatch->lock);
	}
	return r < 0 ? r : 0;
}
