/* What dalamb's own events mean for the outbox: completions, dead letters sent again or dropped. */
#include <errno.h>
#include <string.h>

#include "engine/base/memory.h"
#include "engine/stream/lane_private.h"

#define AGE_UNKNOWN_US (24ll * 3600 * 1000000) /* of a function that is gone: the default */

static int64_t expires_us(struct dal_lane *lane, const struct dal_row *row)
{
	const struct dal_target *target = dal_evaluator_target(lane->evaluator, row->id.target);

	return lane->event->appended_us + (target ? target->age_us : AGE_UNKNOWN_US);
}

static void settled(struct dal_lane *lane, struct dal_touched *touched)
{
	touched->expires_us = expires_us(lane, &touched->row);
	touched->now = DAL_ROW_SETTLED;
	touched->changed = true;
}

/* By the lane's time, as dal_outbox_expire goes: no batch and no rebuild sees it otherwise. */
static void forget_expired(const struct dal_lane *lane, struct dal_touched *touched)
{
	if (touched->now == DAL_ROW_SETTLED && touched->expires_us < lane->batch_appended_us) {
		touched->now = DAL_ROW_UNKNOWN;
	}
}

static void buried(struct dal_lane *lane, struct dal_touched *touched)
{
	dal_rows_completion(touched, dal_json_raw(lane->event->json, lane->event->data));
	touched->row.completed = lane->event->place;
	touched->row.completed.topic = dal_slice_text(DAL_TOPIC_SYSTEM);
	touched->row.died_us = lane->event->appended_us;
	touched->now = DAL_ROW_DEAD;
}

/* The current event is for a moment the cause, which the log has. No event: it made no row. */
static int cause_remade(struct dal_lane *lane, struct dal_touched *touched,
			const struct dal_log_batch *cause)
{
	const struct dal_log_batch *events = lane->events;
	size_t index = lane->index;
	bool made;
	int again, r;

	lane->events = cause;
	lane->index = 0;
	r = dal_evaluator_parse(lane->evaluator, cause, 0, &lane->event, &lane->reason);
	if (r == 0) {
		r = dal_lane_remake(lane, dal_slice_text(touched->id), &made);
	}
	if (r == 0 && touched->now == DAL_ROW_UNKNOWN) {
		r = dal_lane_remake_gone(lane, &touched->row.id);
	}
	r = r == DAL_EVALUATOR_BROKEN ? 0 : r;
	lane->events = events;
	lane->index = index;
	again = dal_evaluator_parse(lane->evaluator, events, index, &lane->event, &lane->reason);
	return r == 0 ? again : r;
}

static bool is_at(const struct dal_place *a, const struct dal_place *b)
{
	return a->offset == b->offset && a->partition == b->partition &&
	       dal_slice_equal(a->topic, b->topic);
}

/* The one record of this place, or none. */
static int cause_read(struct dal_lane *lane, const struct dal_place *place,
		      struct dal_log_batch *cause)
{
	struct dal_position from = {0};
	struct dal_log_reader *reader;
	char *topic = NULL;
	int r;

	if (dal_log_kind(lane->options.log) == DAL_LOG_EMBEDDED) {
		dal_position_copy(&from, DAL_POSITION_AT(place->offset));
	} else {
		dal_position_set(&from, place->topic, place->partition, place->offset);
		topic = dal_slice_dup(place->topic);
	}
	r = dal_log_reader_new(lane->options.log, lane->options.number, &from, topic, &reader);
	if (r == 0) {
		r = dal_log_read(reader, 1, 1, cause);
		dal_log_reader_free(reader);
	}
	dal_position_deinit(&from);
	free(topic);
	if (r == 0 && !is_at(&cause->records[0].place, place)) {
		cause->count = 0;
	}
	return r == -ENOENT || r == DAL_LOG_END ? 0 : r;
}

/*
 * A failure whose row is not known: in a rebuild, of a cause before the checkpoint. The dead letter
 * is made again from its cause. Where the log no longer has it, there is nothing to send again: the
 * id alone is remembered.
 */
static int unknown_buried(struct dal_lane *lane, struct dal_touched *touched)
{
	struct dal_log_batch cause = {0};
	int r = cause_read(lane, &touched->row.id.cause, &cause);

	if (r == 0 && cause.count > 0) {
		r = cause_remade(lane, touched, &cause);
	}
	dal_log_batch_release(&cause);
	if (r != 0) {
		return r;
	}
	if (touched->now == DAL_ROW_OPEN) {
		buried(lane, touched);
	} else {
		settled(lane, touched);
	}
	return 0;
}

static int completed(struct dal_lane *lane, struct dal_touched *touched, bool failed, bool *ignored)
{
	forget_expired(lane, touched);
	switch (touched->now) {
	case DAL_ROW_SETTLED:
	case DAL_ROW_DEAD:
		*ignored = true; /* the first completion won */
		dal_outbox_ignore(lane->batch, lane->options.number, &lane->event->place);
		return 0;
	case DAL_ROW_UNKNOWN:
		if (failed && lane->options.outbox) {
			return unknown_buried(lane, touched);
		}
		settled(lane, touched);
		return 0;
	default:
		if (failed) {
			buried(lane, touched);
		} else {
			settled(lane, touched);
		}
		return 0;
	}
}

/* Without an outbox a dead letter is a settled id like any other: it is forgotten at once. */
static void retried(const struct dal_lane *lane, struct dal_touched *touched)
{
	if (!lane->options.outbox && touched->now == DAL_ROW_SETTLED) {
		touched->expires_us = 0;
		touched->changed = true;
	}
	if (touched->now != DAL_ROW_DEAD) {
		return;
	}
	touched->now = DAL_ROW_OPEN;
	touched->row.attempts = 0;
	touched->row.due_us = 0;
	touched->row.tries = (struct dal_slice){0};
	touched->row.completion = (struct dal_slice){0};
	touched->row.revived++;
	touched->revived = true;
}

static struct dal_slice row_of(const struct dal_event *event)
{
	uint32_t node = dal_json_find(event->json, event->data, dal_slice_text("row"));

	if (node == DAL_JSON_NONE || dal_json_kind(event->json, node) != DAL_JSON_STRING) {
		return (struct dal_slice){0};
	}
	return dal_json_string(event->json, node);
}

int dal_lane_settle(struct dal_lane *lane, bool *ignored)
{
	const struct dal_event *event = lane->event;
	bool failed = dal_slice_is(event->type, "dalamb.function.failed");
	struct dal_touched *touched;
	struct dal_row_id parts;
	struct dal_slice row;
	int r;

	if (!dal_slice_is(event->place.topic, DAL_TOPIC_SYSTEM)) {
		return 0;
	}
	if (!failed && !dal_slice_is(event->type, "dalamb.function.succeeded") &&
	    !dal_slice_is(event->type, "dalamb.dead.retried") &&
	    !dal_slice_is(event->type, "dalamb.dead.dropped")) {
		return 0;
	}
	row = row_of(event);
	if (!dal_row_id_parse(row, &parts)) {
		return 0;
	}
	touched = dal_rows_find(lane->rows, row, &r);
	if (!touched) {
		return r;
	}
	if (dal_slice_is(event->type, "dalamb.dead.retried")) {
		retried(lane, touched);
		return 0;
	}
	if (dal_slice_is(event->type, "dalamb.dead.dropped")) {
		if (touched->now == DAL_ROW_DEAD) {
			settled(lane, touched);
		}
		return 0;
	}
	return completed(lane, touched, failed, ignored);
}
