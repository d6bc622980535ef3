/* The lane's ear to its evaluator: effects become rows of the outbox. */
#include <errno.h>
#include <stdio.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/event/json_write.h"
#include "engine/stream/lane_private.h"

static struct dal_row row_start(struct dal_lane *lane, const char *declaration, const char *target,
				uint32_t index)
{
	const struct dal_event *event = lane->event;

	return (struct dal_row){
		.id = {.log = lane->options.log ? dal_log_id(lane->options.log)
						: (struct dal_slice){0},
		       .cause = event->place,
		       .declaration = dal_slice_text(declaration),
		       .target = dal_slice_text(target),
		       .index = index},
		.subject = event->subject,
		.generation = dal_slice_text(lane->generation),
		.hops = event->hops + 1,
		.caused_us = event->appended_us,
	};
}

/*
 * Is the row one of those that are wanted? Before the checkpoint only those that it lists: calls
 * and emits are made again one by one, reports come by themselves as the folds fail again.
 */
static bool wanted(struct dal_lane *lane, const struct dal_row *row)
{
	bool before = lane->event->place.offset < lane->checkpoint.before;

	if (!lane->reviving && !before) {
		return true;
	}
	dal_buffer_clear(&lane->text);
	dal_row_id_format(&row->id, &lane->text);
	if (lane->reviving) {
		return dal_slice_equal(dal_buffer_slice(&lane->text), lane->reviving_id);
	}
	return dal_slice_is(row->id.target, DAL_ROW_FAILED) &&
	       dal_map_get(lane->checkpoint.open, dal_buffer_slice(&lane->text));
}

static void row_add(struct dal_lane *lane, struct dal_row *row)
{
	bool check = lane->reviving || dal_position_has(&lane->end, &lane->event->place);
	int r;

	/* A report of a past event would come out of its turn: the log's origin has passed it. */
	if (!lane->options.outbox || lane->building || !wanted(lane, row)) {
		return;
	}
	if (row->function.size == 0 && lane->origin > 0 && row->id.cause.offset <= lane->origin) {
		return; /* it is on the log already */
	}
	row->sequence = lane->batch_sequence++;
	r = dal_rows_add(lane->rows, row, check);
	lane->error = r < 0 ? r : lane->error;
}

static void on_call(void *own, const struct dal_event *event, const struct dal_rule *rule,
		    const struct dal_target *target, struct dal_slice payload,
		    struct dal_slice order)
{
	struct dal_lane *lane = own;
	struct dal_row row = row_start(lane, rule->name, target->name, 0);

	if (lane->options.watch && lane->options.watch->call) {
		lane->options.watch->call(lane->options.own, event, rule, target, payload, order);
	}
	row.function = dal_slice_text(target->name);
	row.order = order;
	row.payload = payload;
	row_add(lane, &row);
}

static struct dal_attribute attribute(const char *name, struct dal_slice value)
{
	return (struct dal_attribute){.name = dal_slice_text(name), .value = value};
}

/* The attributes that an event caused by the current one always has; at least 8 places. */
static size_t caused_attributes(struct dal_lane *lane, const struct dal_row *row,
				struct dal_attribute *list, struct dal_buffer *texts)
{
	char time[DAL_CLOCK_TEXT_BYTES];
	size_t id_end, cause_end, hops_end;

	dal_buffer_clear(texts);
	dal_row_id_format(&row->id, texts);
	id_end = texts->size;
	dal_place_format(&row->id.cause, texts);
	cause_end = texts->size;
	dal_buffer_printf(texts, "%lld", (long long)row->hops);
	hops_end = texts->size;
	dal_clock_format(lane->event->appended_us, time);
	dal_buffer_text(texts, time);
	list[0] = attribute("id", dal_slice(texts->data, id_end));
	list[1] = attribute("dalambcause", dal_slice(texts->data + id_end, cause_end - id_end));
	list[2] = attribute("dalambhops", dal_slice(texts->data + cause_end, hops_end - cause_end));
	list[2].raw = true;
	list[3] = attribute("time", lane->event->time.size > 0 ? lane->event->time
							       : dal_slice(texts->data + hops_end,
									   texts->size - hops_end));
	return 4;
}

static void on_fail(void *own, const struct dal_event *event,
		    const struct dal_evaluator_failure *failure);

static void emit_refused(struct dal_lane *lane, const struct dal_rule *rule, const char *why)
{
	on_fail(lane, lane->event,
		&(struct dal_evaluator_failure){
			.declaration = rule->name,
			.part = "emit",
			.message = dal_slice_text(why),
			.effect = "skipped",
			.line = rule->line,
		});
}

static void emit_build(struct dal_lane *lane, const struct dal_rule *rule,
		       const struct dal_row *row, const struct dal_vm_emitted *emitted,
		       struct dal_buffer *out)
{
	struct dal_attribute *list;
	struct dal_buffer texts = {0}, source = {0};
	size_t count;

	list = dal_calloc(emitted->extension_count + 8, sizeof(*list));
	count = caused_attributes(lane, row, list, &texts);
	dal_buffer_printf(&source, "/dalamb/%s/%s", lane->options.app, rule->name);
	list[count++] = attribute("source", emitted->source.size > 0 ? emitted->source
								     : dal_buffer_slice(&source));
	list[count++] = attribute("type", emitted->type);
	list[count++] = attribute("subject", emitted->subject);
	list[count++] = attribute("partitionkey", emitted->partitionkey);
	for (size_t i = 0; i < emitted->extension_count; i++) {
		list[count++] = emitted->extensions[i];
	}
	dal_event_build(&(struct dal_event_parts){.attributes = list,
						  .count = count,
						  .data = emitted->data},
			out);
	free(list);
	dal_buffer_deinit(&texts);
	dal_buffer_deinit(&source);
}

static void on_emit(void *own, const struct dal_event *cause, const struct dal_rule *rule,
		    uint32_t index, const struct dal_vm_emitted *emitted)
{
	struct dal_lane *lane = own;
	struct dal_row row = row_start(lane, rule->name, DAL_ROW_EMIT, index);
	struct dal_buffer event = {0};

	if (lane->options.watch && lane->options.watch->emit) {
		lane->options.watch->emit(lane->options.own, cause, rule, index, emitted);
	}
	row.topic = emitted->topic.size > 0 ? emitted->topic : dal_slice_text(DAL_TOPIC_EVENTS);
	if (row.hops > DAL_LIMIT_HOPS) {
		emit_refused(lane, rule, "this chain of events is 16 hops long: it was cut here");
		return;
	}
	if ((lane->options.log && !dal_log_has_topic(lane->options.log, row.topic)) ||
	    dal_slice_is(row.topic, DAL_TOPIC_SYSTEM)) {
		emit_refused(lane, rule,
			     "it emits to a topic that this app does not have: name it "
			     "in log.topics");
		return;
	}
	emit_build(lane, rule, &row, emitted, &event);
	if (event.size > DAL_LIMIT_EVENT_BYTES) {
		emit_refused(lane, rule, "the emitted event is larger than limits.event");
	} else {
		row.payload = dal_buffer_slice(&event);
		row_add(lane, &row);
	}
	dal_buffer_deinit(&event);
}

static void failure_data(const struct dal_evaluator_failure *failure, struct dal_buffer *out)
{
	struct dal_json_writer w = {.out = out};

	dal_json_begin_object(&w);
	dal_json_key(&w, failure->projection ? "projection" : "rule");
	dal_json_put_text(&w, failure->declaration);
	if (failure->key.size > 0) {
		dal_json_key(&w, "key");
		dal_json_put_slice(&w, failure->key);
	}
	dal_json_key(&w, "part");
	dal_json_put_text(&w, failure->part);
	dal_json_key(&w, "message");
	dal_json_put_slice(&w, failure->message);
	dal_json_key(&w, "trace");
	dal_json_put_slice(&w, failure->trace);
	dal_json_key(&w, "effect");
	dal_json_put_text(&w, failure->effect);
	dal_json_end_object(&w);
}

/* Appends to a report what it always has, builds it and makes it a row. */
static void report_add(struct dal_lane *lane, struct dal_row *row, const char *type,
		       struct dal_slice subject, struct dal_slice data)
{
	struct dal_attribute list[8];
	struct dal_buffer texts = {0}, event = {0}, source = {0};
	size_t count = caused_attributes(lane, row, list, &texts);

	row->topic = dal_slice_text(DAL_TOPIC_SYSTEM);
	dal_buffer_printf(&source, "/dalamb/%s", lane->options.app);
	list[count++] = attribute("source", dal_buffer_slice(&source));
	list[count++] = attribute("type", dal_slice_text(type));
	list[count++] = attribute("subject", subject);
	dal_event_build(&(struct dal_event_parts){.attributes = list, .count = count, .data = data},
			&event);
	row->payload = dal_buffer_slice(&event);
	row_add(lane, row);
	dal_buffer_deinit(&texts);
	dal_buffer_deinit(&event);
	dal_buffer_deinit(&source);
}

static void report(struct dal_lane *lane, const struct dal_evaluator_failure *failure)
{
	struct dal_row row = row_start(lane, failure->declaration, DAL_ROW_FAILED,
				       lane->failures++);
	struct dal_buffer data = {0};

	failure_data(failure, &data);
	report_add(lane, &row, "dalamb.rule.failed", lane->event->subject, dal_buffer_slice(&data));
	dal_buffer_deinit(&data);
}

/* Data of dalamb.record.refused (events.md): `position`, `reason`, `size`. */
void dal_lane_refuse(struct dal_lane *lane)
{
	const struct dal_log_record *record = &lane->events->records[lane->index];
	struct dal_row row = row_start(lane, "log", DAL_ROW_FAILED, 0);
	struct dal_buffer data = {0}, place = {0};
	struct dal_json_writer w = {.out = &data};

	dal_place_format(&record->place, &place);
	dal_json_begin_object(&w);
	dal_json_key(&w, "position");
	dal_json_put_slice(&w, dal_buffer_slice(&place));
	dal_json_key(&w, "reason");
	dal_json_put_text(&w, lane->reason.text);
	dal_json_key(&w, "size");
	dal_json_put_integer(&w, (int64_t)(record->size_bytes > 0 ? record->size_bytes
								  : record->event.size));
	dal_json_end_object(&w);
	lane->batch_refused++;
	report_add(lane, &row, "dalamb.record.refused", record->place.topic,
		   dal_buffer_slice(&data));
	dal_buffer_deinit(&data);
	dal_buffer_deinit(&place);
}

static void on_fail(void *own, const struct dal_event *event,
		    const struct dal_evaluator_failure *failure)
{
	struct dal_lane *lane = own;

	if (lane->options.watch && lane->options.watch->fail) {
		lane->options.watch->fail(lane->options.own, event, failure);
	}
	if (dal_slice_is(dal_slice_text(failure->effect), "halted")) {
		lane->halt = (struct dal_lane_halt){.place = lane->event->place,
						    .since_us = dal_clock_now_us()};
		if (!lane->options.log) { /* the text of a batch from elsewhere goes with it */
			lane->halt.place.topic = dal_slice_text(DAL_TOPIC_EVENTS);
		}
		snprintf(lane->halt.declaration, sizeof(lane->halt.declaration), "%s",
			 failure->declaration);
		snprintf(lane->halt.message, sizeof(lane->halt.message), "%.*s",
			 (int)failure->message.size, failure->message.data);
		return; /* the event is not folded in: its report comes when it is */
	}
	report(lane, failure);
}

static void on_match(void *own, const struct dal_event *event, const struct dal_rule *rule,
		     bool passed)
{
	struct dal_lane *lane = own;

	if (lane->options.watch && lane->options.watch->match && !lane->reviving) {
		lane->options.watch->match(lane->options.own, event, rule, passed);
	}
}

static void on_fold(void *own, const struct dal_event *event,
		    const struct dal_projection *projection, struct dal_slice key)
{
	struct dal_lane *lane = own;

	if (lane->options.watch && lane->options.watch->fold) {
		lane->options.watch->fold(lane->options.own, event, projection, key);
	}
}

const struct dal_evaluator_sink dal_lane_sink = {
	.match = on_match,
	.call = on_call,
	.emit = on_emit,
	.fail = on_fail,
	.fold = on_fold,
};
