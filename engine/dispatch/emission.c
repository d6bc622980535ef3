/*
 * Rows to the log: emitted events and reports of failures, in the order of their causes.
 *
 * All rows of one cause are appended together. The embedded log records the cause as its last
 * origin in the batch that appends them (log.h): so a restart neither repeats nor misses one. On
 * Kafka they are appended under their ids, and the lane that reads a repeat drops it.
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
	struct dal_buffer topic, event, id;
	bool report; /* of this lane; not an event of somebody's */
};

/* The rows of one cause. */
struct dal_emission {
	struct dal_dispatch *dispatch;
	struct dal_place cause;
	bool about; /* it is the report of a row that the log refused */
	char *cause_topic;
	uint64_t first_sequence;
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
		dal_buffer_deinit(&emission->rows[i].id);
	}
	free(emission->cause_topic);
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

/* Not appended: nothing behind it may go first, so the scan starts again from it, once all that is
 * under way has landed: else that would be sent a second time beside itself. */
static void again(struct dal_dispatch *dispatch, uint64_t sequence)
{
	if (sequence < dispatch->emit_cursor) {
		dispatch->emit_cursor = sequence;
	}
	dispatch->emit_failed = true;
	dispatch->emit_pause_us = dal_clock_monotonic_us() + AGAIN_US;
	pthread_mutex_lock(&dispatch->lock);
	dispatch->emit_more = true;
	pthread_mutex_unlock(&dispatch->lock);
}

static void refused(struct dal_dispatch *dispatch, const struct dal_emission *emission, size_t i);

/* Takes the emission. False: rows of it are to be sent again. */
static bool landed(struct dal_dispatch *dispatch, struct dal_emission *emission, int result)
{
	bool left = false;

	for (size_t i = 0; i < emission->count; i++) {
		if (result == 0) {
			dispatch->options.appended(dispatch->options.own,
						   emission->rows[i].sequence);
		} else if (emission->items[i].refused) {
			refused(dispatch, emission, i);
		} else {
			left = true;
		}
	}
	if (left) {
		again(dispatch, emission->first_sequence);
	}
	emission_free(emission);
	return !left;
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
		dispatch->emitting--;
		landed(dispatch, emission, emission->result);
	}
}

static void items_fill(struct dal_dispatch *dispatch, struct dal_emission *emission)
{
	bool embedded = dal_log_kind(dispatch->options.log) == DAL_LOG_EMBEDDED;

	emission->items = dal_calloc(emission->count, sizeof(*emission->items));
	for (size_t i = 0; i < emission->count; i++) {
		const struct emission_row *row = &emission->rows[i];
		emission->items[i] = (struct dal_log_item){
			.topic = dal_buffer_slice(&row->topic),
			.event = dal_buffer_slice(&row->event),
			.dedup = embedded ? (struct dal_slice){0} : dal_buffer_slice(&row->id),
			.placed = row->report,
			.lane = dispatch->options.lane,
		};
	}
}

/* Queues the append of one cause; takes the emission. False: it is to be sent again. */
static bool send_take(struct dal_dispatch *dispatch, struct dal_emission *emission)
{
	int r;

	if (emission->cause.offset <= dispatch->origin && dispatch->origin > 0) {
		return landed(dispatch, emission, 0); /* it was appended before the restart */
	}
	items_fill(dispatch, emission);
	emission->append = (struct dal_log_append){
		.items = emission->items,
		.count = emission->count,
		.urgent = true,
		.origin = emission->about ? 0 : emission->cause.offset,
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
		return landed(dispatch, emission, r);
	}
	return true;
}

struct gather {
	struct dal_dispatch *dispatch;
	struct dal_emission *emission; /* that is being gathered */
	size_t rows;
	bool stopped;
};

static bool gather_flush(struct gather *gather)
{
	struct dal_emission *emission = gather->emission;

	gather->emission = NULL;
	if (emission) {
		gather->stopped = !send_take(gather->dispatch, emission);
	}
	return !gather->stopped;
}

static bool same_cause(const struct dal_emission *emission, const struct dal_place *cause)
{
	return emission && emission->cause.offset == cause->offset &&
	       dal_slice_equal(emission->cause.topic, cause->topic);
}

static struct dal_emission *emission_new(struct dal_dispatch *dispatch, const struct dal_row *row)
{
	struct dal_emission *emission = dal_calloc(1, sizeof(*emission));

	emission->dispatch = dispatch;
	emission->cause = row->id.cause;
	emission->cause_topic = dal_slice_dup(row->id.cause.topic);
	emission->cause.topic = dal_slice_text(emission->cause_topic);
	emission->first_sequence = row->sequence;
	return emission;
}

/* The row that the report is about goes once the report is on the log. */
static void report_send(struct dal_dispatch *dispatch, const struct dal_row *row, const char *why)
{
	struct dal_emission *report = emission_new(dispatch, row);
	struct emission_row *to;

	DAL_GROW(report->rows, report->count, report->capacity);
	to = &report->rows[report->count++];
	*to = (struct emission_row){.sequence = row->sequence, .report = true};
	dal_buffer_text(&to->topic, DAL_TOPIC_SYSTEM);
	dal_refusal_build(dispatch->options.app, row, why, &to->id, &to->event);
	report->about = true;
	send_take(dispatch, report);
}

/* No other try would cure it: a report takes the row's place. */
static void refused(struct dal_dispatch *dispatch, const struct dal_emission *emission, size_t i)
{
	const struct dal_dispatch_options *options = &dispatch->options;
	const struct emission_row *from = &emission->rows[i];
	const char *why = emission->items[i].refused;
	struct dal_buffer memory = {0};
	struct dal_row row;
	int r;

	dal_logger_write(DAL_LOGGER_ERROR, "dispatch",
			 "the log does not take row %.*s to topic %.*s, which is dropped: %s",
			 (int)from->id.size, from->id.data, (int)from->topic.size, from->topic.data,
			 why);
	r = dal_outbox_get(options->state, options->lane, DAL_ROW_OPEN, (struct dal_slice){0},
			   from->sequence, &row, &memory);
	dispatch->error = r < 0 ? r : dispatch->error;
	if (r == 0 && !from->report) {
		report_send(dispatch, &row, why);
	} else if (r == 0) {
		options->appended(options->own, from->sequence);
	}
	dal_buffer_deinit(&memory);
}

static bool on_row(const struct dal_row *row, void *own)
{
	struct gather *gather = own;
	struct emission_row *to;

	if (!same_cause(gather->emission, &row->id.cause)) {
		if (!gather_flush(gather) || gather->rows >= GATHER_MAX ||
		    gather->dispatch->emitting >= EMITTING_MAX) {
			return false;
		}
		gather->emission = emission_new(gather->dispatch, row);
	}
	DAL_GROW(gather->emission->rows, gather->emission->count, gather->emission->capacity);
	to = &gather->emission->rows[gather->emission->count++];
	*to = (struct emission_row){.sequence = row->sequence,
				    .report = dal_slice_is(row->id.target, DAL_ROW_FAILED)};
	dal_row_id_format(&row->id, &to->id);
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
	    (dispatch->emit_failed && dispatch->emitting > 0) ||
	    dal_clock_monotonic_us() < dispatch->emit_pause_us) {
		return 0;
	}
	dispatch->emit_failed = false;
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
