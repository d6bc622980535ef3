/*
 * The outbox's checkpoints on the log: written for later, read when a state is behind its log.
 *
 * Data of dalamb.outbox.checkpoint (events.md): {"before": {"*": offset}, "open": [row ids]}: all
 * rows caused before that offset are settled, but those listed. And "generation" with
 * "generation_number": of the rules that ran, so that a state that is lost goes on counting.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/event/json_write.h"
#include "engine/stream/checkpoint.h"
#include "engine/stream/lane_private.h"
#include "state/generation.h"

/* --- writing --- */

struct open_row {
	uint64_t cause;
	char *id;
};

struct open_rows {
	struct dal_lane *lane;
	enum dal_row_status status; /* that is walked */
	size_t walked;              /* of one target */
	int error;
	struct open_row *list;
	size_t count, capacity;
};

static int by_cause(const void *a, const void *b)
{
	const struct open_row *x = a, *y = b;

	return (x->cause > y->cause) - (x->cause < y->cause);
}

/* Keeps the rows with the smallest causes, one more than may be listed. */
static void open_rows_cut(struct open_rows *rows)
{
	if (rows->count > 0) {
		qsort(rows->list, rows->count, sizeof(*rows->list), by_cause);
	}
	while (rows->count > DAL_LIMIT_CHECKPOINT_OPEN + 1) {
		free(rows->list[--rows->count].id);
	}
}

static bool on_open(const struct dal_row *row, void *own)
{
	struct open_rows *rows = own;
	struct dal_buffer id = {0};

	dal_row_id_format(&row->id, &id);
	DAL_GROW(rows->list, rows->count, rows->capacity);
	rows->list[rows->count++] = (struct open_row){row->id.cause.offset,
						      dal_slice_dup(dal_buffer_slice(&id))};
	dal_buffer_deinit(&id);
	if (rows->count > 4 * DAL_LIMIT_CHECKPOINT_OPEN) {
		open_rows_cut(rows);
	}
	rows->walked += row->revived == 0;
	return rows->walked <= DAL_LIMIT_CHECKPOINT_OPEN;
}

/*
 * A target's first rows have its smallest causes, so the others need not be walked. But for dead
 * letters that were sent again: these stand behind; a rebuild has them from the events that tell of
 * their death and return, whether they are listed or not.
 */
static bool on_target(struct dal_slice function, void *own)
{
	struct open_rows *rows = own;
	const struct dal_lane_options *options = &rows->lane->options;
	char *name = dal_slice_dup(function);
	struct dal_slice target = dal_slice_text(name);

	rows->walked = 0;
	rows->error = dal_outbox_scan(options->state, options->number, rows->status, &target, 0,
				      on_open, rows);
	free(name);
	return rows->error >= 0;
}

static int open_rows_walk(struct open_rows *rows, enum dal_row_status status)
{
	const struct dal_lane_options *options = &rows->lane->options;
	int r;

	rows->status = status;
	r = dal_outbox_targets(options->state, options->number, status, on_target, rows);
	return rows->error < 0 ? rows->error : r;
}

static void checkpoint_print(const struct open_rows *rows, uint64_t before, struct dal_buffer *data)
{
	struct dal_generation generation = dal_generation_parse(
		dal_lane_generation_get(rows->lane));
	struct dal_json_writer w = {.out = data};

	dal_json_begin_object(&w);
	dal_json_key(&w, "before");
	dal_json_begin_object(&w);
	dal_json_key(&w, "*");
	dal_json_put_integer(&w, (int64_t)before);
	dal_json_end_object(&w);
	dal_json_key(&w, "open");
	dal_json_begin_array(&w);
	for (size_t i = 0; i < rows->count && rows->list[i].cause < before; i++) {
		dal_json_put_text(&w, rows->list[i].id);
	}
	dal_json_end_array(&w);
	if (generation.digest.size > 0) {
		dal_json_key(&w, "generation");
		dal_json_put_slice(&w, generation.digest);
		dal_json_key(&w, "generation_number");
		dal_json_put_integer(&w, (int64_t)generation.number);
	}
	dal_json_end_object(&w);
}

int dal_lane_checkpoint(struct dal_lane *lane, struct dal_buffer *data)
{
	struct open_rows rows = {.lane = lane};
	uint64_t before = dal_lane_next(lane);
	int r = open_rows_walk(&rows, DAL_ROW_OPEN);

	r = r < 0 ? r : open_rows_walk(&rows, DAL_ROW_DELIVERED);
	open_rows_cut(&rows);
	if (rows.count > DAL_LIMIT_CHECKPOINT_OPEN) {
		before = rows.list[DAL_LIMIT_CHECKPOINT_OPEN].cause;
	}
	if (r >= 0) {
		checkpoint_print(&rows, before, data);
	}
	for (size_t i = 0; i < rows.count; i++) {
		free(rows.list[i].id);
	}
	free(rows.list);
	return r < 0 ? r : 0;
}

int dal_checkpoint_append(struct dal_log *log, struct dal_lane *lane, const char *app)
{
	struct dal_buffer data = {0}, event = {0}, source = {0};
	char id[DAL_UUID_TEXT_BYTES], time[DAL_CLOCK_TEXT_BYTES], number[8];
	int r = dal_lane_checkpoint(lane, &data);

	dal_uuid_random(id);
	dal_clock_format(dal_clock_now_us(), time);
	dal_buffer_printf(&source, "/dalamb/%s", app);
	snprintf(number, sizeof(number), "%u", lane->options.number);
	struct dal_attribute attributes[] = {
		{dal_slice_text("id"), dal_slice_text(id), false},
		{dal_slice_text("source"), dal_buffer_slice(&source), false},
		{dal_slice_text("type"), dal_slice_text("dalamb.outbox.checkpoint"), false},
		{dal_slice_text("subject"), dal_slice_text(number), false},
		{dal_slice_text("time"), dal_slice_text(time), false},
	};
	dal_event_build(&(struct dal_event_parts){.attributes = attributes,
						  .count = 5,
						  .data = dal_buffer_slice(&data)},
			&event);
	if (r == 0) {
		struct dal_log_item item = {.topic = dal_slice_text(DAL_TOPIC_SYSTEM),
					    .placed = true,
					    .lane = lane->options.number,
					    .event = dal_buffer_slice(&event)};
		r = dal_log_append_wait(
			log, &(struct dal_log_append){.items = &item, .count = 1, .urgent = true});
	}
	dal_buffer_deinit(&data);
	dal_buffer_deinit(&event);
	dal_buffer_deinit(&source);
	return r;
}

/* --- reading --- */

void dal_lane_checkpoint_deinit(struct dal_lane *lane)
{
	dal_map_free(lane->checkpoint.open);
	dal_map_free(lane->checkpoint.causes);
	lane->checkpoint = (struct dal_checkpoint){0};
}

static void listed(struct dal_checkpoint *checkpoint, struct dal_slice id)
{
	struct dal_row_id parts;
	char cause[24];

	if (!dal_row_id_parse(id, &parts)) {
		return;
	}
	snprintf(cause, sizeof(cause), "%" PRIu64, parts.cause.offset);
	dal_map_set(checkpoint->open, id, checkpoint);
	dal_map_set(checkpoint->causes, dal_slice_text(cause), checkpoint);
}

/* A state that knows of no generation goes on counting from the one that ran then. */
static void generation_take(struct dal_lane *lane, const struct dal_event *event)
{
	const struct dal_json *json = event->json;
	uint32_t digest = dal_json_find(json, event->data, dal_slice_text("generation"));
	uint32_t number = dal_json_find(json, event->data, dal_slice_text("generation_number"));
	struct dal_buffer text = {0};

	if (lane->appended_us > 0 || digest == DAL_JSON_NONE || number == DAL_JSON_NONE ||
	    dal_json_kind(json, digest) != DAL_JSON_STRING ||
	    dal_json_kind(json, number) != DAL_JSON_INTEGER) {
		return;
	}
	dal_generation_format(
		&(struct dal_generation){
			.number = (uint64_t)dal_json_integer(json, number),
			.digest = dal_json_string(json, digest),
		},
		&text);
	dal_lane_generation(lane, dal_buffer_slice(&text));
	dal_buffer_deinit(&text);
}

static void checkpoint_take(struct dal_lane *lane, const struct dal_event *event)
{
	const struct dal_json *json = event->json;
	uint32_t before = dal_json_find(json, event->data, dal_slice_text("before"));
	uint32_t next = dal_json_find(json, before, dal_slice_text("*"));
	uint32_t open = dal_json_find(json, event->data, dal_slice_text("open"));

	if (next == DAL_JSON_NONE || dal_json_kind(json, next) != DAL_JSON_INTEGER) {
		return;
	}
	dal_lane_checkpoint_deinit(lane);
	generation_take(lane, event);
	lane->checkpoint.before = (uint64_t)dal_json_integer(json, next);
	lane->checkpoint.open = dal_map_new();
	lane->checkpoint.causes = dal_map_new();
	for (uint32_t i = 0; open != DAL_JSON_NONE && i < dal_json_count(json, open); i++) {
		uint32_t id = dal_json_at(json, open, i);
		if (dal_json_kind(json, id) == DAL_JSON_STRING) {
			listed(&lane->checkpoint, dal_json_string(json, id));
		}
	}
}

/* The newest checkpoint at or behind `from`, if there is one. */
static int find_from(struct dal_lane *lane, uint64_t from)
{
	struct dal_json *json = dal_json_new();
	struct dal_log_batch batch = {0};
	struct dal_log_reader *reader = NULL;
	int r;

	r = dal_log_reader_new(lane->options.log, lane->options.number, DAL_POSITION_AT(from),
			       DAL_TOPIC_SYSTEM, &reader);
	while (r == 0 && (r = dal_log_read(reader, DAL_LIMIT_WORKER_BATCH_EVENTS,
					   DAL_LIMIT_WORKER_BATCH_BYTES, &batch)) == 0) {
		for (size_t i = 0; i < batch.count; i++) {
			struct dal_event event;
			if (dal_json_parse(json, batch.records[i].event,
					   DAL_JSON_PADDED | DAL_JSON_TRUSTED, NULL) != 0) {
				continue;
			}
			dal_event_view(&event, json);
			if (dal_slice_is(event.type, "dalamb.outbox.checkpoint")) {
				checkpoint_take(lane, &event);
			}
		}
	}
	dal_log_batch_release(&batch);
	dal_log_reader_free(reader);
	dal_json_free(json);
	return r < 0 ? r : 0;
}

/* Backwards in windows that double: the newest one is written often, so it is near the end. */
int dal_lane_checkpoint_find(struct dal_lane *lane)
{
	uint64_t window = 10000, from, end = dal_lane_offset(&lane->end);
	int r = 0;

	if (!lane->behind) {
		return 0; /* nothing is behind: the rows are in the state */
	}
	do {
		from = end > window ? end - window : 1;
		r = find_from(lane, from);
		window *= 8;
	} while (r == 0 && !lane->checkpoint.open && from > 1);
	return r;
}

/* --- making rows again --- */

static int remake_rule(struct dal_lane *lane, const struct dal_row_id *id, uint32_t rule,
		       bool *made)
{
	const struct dal_rule *declared = dal_rules_rule(lane->options.rules, rule);
	const struct dal_target *target;

	if (dal_slice_is(id->target, DAL_ROW_EMIT)) {
		*made = declared->has_emit;
		return *made ? dal_evaluator_emit_only(lane->evaluator, rule) : 0;
	}
	target = dal_evaluator_target(lane->evaluator, id->target);
	*made = target != NULL;
	return target ? dal_evaluator_call_only(lane->evaluator, declared, target) : 0;
}

/* A row whose declaration is gone is still owed an answer: dispatch finds no such function. */
int dal_lane_remake_gone(struct dal_lane *lane, const struct dal_row_id *id)
{
	struct dal_row row = {
		.id = *id,
		.function = id->target,
		.subject = lane->event->subject,
		.hops = lane->event->hops + 1,
		.caused_us = lane->event->appended_us,
		.payload = lane->events->records[lane->index].event,
		.sequence = lane->batch_sequence++,
	};

	return dal_rows_add(lane->rows, &row, true);
}

int dal_lane_remake(struct dal_lane *lane, struct dal_slice id, bool *made)
{
	struct dal_row_id parts;
	long rule;
	int r;

	*made = false;
	if (!dal_row_id_parse(id, &parts)) {
		return 0;
	}
	rule = dal_rules_rule_index(lane->options.rules, parts.declaration);
	if (rule < 0) {
		return 0;
	}
	lane->reviving = true;
	lane->reviving_id = id;
	r = remake_rule(lane, &parts, (uint32_t)rule, made);
	lane->reviving = false;
	return r;
}

static int reopen_one(struct dal_lane *lane, struct dal_slice id, const struct dal_row_id *parts)
{
	bool made;
	int r = dal_lane_remake(lane, id, &made);

	if (r == 0 && !made && !dal_slice_is(parts->target, DAL_ROW_EMIT) &&
	    !dal_slice_is(parts->target, DAL_ROW_FAILED)) {
		r = dal_lane_remake_gone(lane, parts);
	}
	return r;
}

int dal_lane_reopen(struct dal_lane *lane)
{
	struct dal_slice id;
	size_t cursor = 0;
	char cause[24];
	void *value;
	int r = 0;

	snprintf(cause, sizeof(cause), "%" PRIu64, lane->event->place.offset);
	if (!lane->checkpoint.causes ||
	    !dal_map_get(lane->checkpoint.causes, dal_slice_text(cause))) {
		return 0;
	}
	while (r == 0 && dal_map_next(lane->checkpoint.open, &cursor, &id, &value)) {
		struct dal_row_id parts;
		if (dal_row_id_parse(id, &parts) &&
		    parts.cause.offset == lane->event->place.offset) {
			r = reopen_one(lane, id, &parts);
		}
	}
	return r;
}
