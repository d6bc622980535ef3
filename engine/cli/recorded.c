#include "engine/cli/recorded.h"

#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/event/json_write.h"

#define YEAR_2026_US 1767225600000000ll

static uint32_t find(const struct dal_json *json, uint32_t object, const char *key)
{
	uint32_t node = dal_json_find(json, object, dal_slice_text(key));

	return node != DAL_JSON_NONE && dal_json_kind(json, node) == DAL_JSON_NULL ? DAL_JSON_NONE
										   : node;
}

static struct dal_slice text_of(const struct dal_json *json, uint32_t node)
{
	return node != DAL_JSON_NONE && dal_json_kind(json, node) == DAL_JSON_STRING
		       ? dal_json_string(json, node)
		       : (struct dal_slice){0};
}

static struct dal_slice topic_keep(struct dal_recorded *recorded, struct dal_slice topic)
{
	for (size_t i = 0; i < recorded->topic_count; i++) {
		if (dal_slice_is(topic, recorded->topics[i])) {
			return dal_slice_text(recorded->topics[i]);
		}
	}
	recorded->topics = dal_reallocarray(recorded->topics, recorded->topic_count + 1,
					    sizeof(*recorded->topics));
	recorded->topics[recorded->topic_count] = dal_slice_dup(topic);
	return dal_slice_text(recorded->topics[recorded->topic_count++]);
}

/* The event with what it lacks in front. */
static void complete(const struct dal_json *json, uint32_t event, size_t number, const char *app,
		     struct dal_buffer *out)
{
	struct dal_slice raw = dal_json_raw(json, event);
	bool system = dal_slice_starts(text_of(json, find(json, event, "type")), "dalamb.");
	char time[DAL_CLOCK_TEXT_BYTES];

	dal_buffer_byte(out, '{');
	if (find(json, event, "specversion") == DAL_JSON_NONE) {
		dal_buffer_text(out, "\"specversion\":\"1.0\",");
	}
	if (find(json, event, "id") == DAL_JSON_NONE) {
		dal_buffer_printf(out, "\"id\":\"test-%zu\",", number);
	}
	if (find(json, event, "source") == DAL_JSON_NONE) {
		dal_buffer_printf(out, "\"source\":\"%s%s\",", system ? "/dalamb/" : "/test",
				  system ? app : "");
	}
	if (find(json, event, "time") == DAL_JSON_NONE) {
		dal_clock_format(YEAR_2026_US + (int64_t)number * 1000000, time);
		dal_buffer_printf(out, "\"time\":\"%s\",", time);
	}
	if (dal_json_count(json, event) == 0 && out->data[out->size - 1] == ',') {
		out->size--;
	}
	dal_buffer_append(out, raw.data + 1, raw.size - 1);
}

static int check(struct dal_recorded *recorded, struct dal_json *json, struct dal_buffer *text,
		 struct dal_log_record *record, struct dal_error *error)
{
	struct dal_json_error broken;
	struct dal_event event;

	memset(dal_buffer_reserve(text, DAL_JSON_PADDING), 0, DAL_JSON_PADDING);
	record->event = dal_buffer_slice(text);
	if (dal_json_parse(json, record->event, DAL_JSON_PADDED, &broken) != 0) {
		dal_error_set(error, "%s at byte %zu", broken.reason, broken.position);
		return 1;
	}
	if (dal_event_read(&event, json, error) != 0) {
		return 1;
	}
	if (record->place.topic.size == 0) {
		record->place.topic = dal_slice_text(dal_slice_starts(event.type, "dalamb.")
							     ? DAL_TOPIC_SYSTEM
							     : DAL_TOPIC_EVENTS);
		record->place.offset = recorded->count + 1;
	}
	record->place.topic = topic_keep(recorded, record->place.topic);
	if (record->appended_us == 0 && !dal_clock_parse(event.time, &record->appended_us)) {
		record->appended_us = YEAR_2026_US;
	}
	return 0;
}

int dal_recorded_add(struct dal_recorded *recorded, struct dal_slice text, const char *app,
		     struct dal_error *error)
{
	struct dal_json *json = dal_json_new(), *again = dal_json_new();
	struct dal_log_record record = {0};
	struct dal_json_error broken;
	struct dal_buffer bytes = {0};
	uint32_t event = DAL_JSON_ROOT, inner;
	int r = 1;

	if (dal_json_parse(json, text, 0, &broken) != 0) {
		dal_error_set(error, "this is not JSON: %s at byte %zu", broken.reason,
			      broken.position);
	} else if (dal_json_kind(json, DAL_JSON_ROOT) != DAL_JSON_OBJECT) {
		dal_error_set(error, "an event is a JSON object: {\"type\": ..., \"data\": ...}");
	} else {
		inner = find(json, event, "event");
		if (inner != DAL_JSON_NONE && dal_json_kind(json, inner) == DAL_JSON_OBJECT &&
		    dal_place_parse(text_of(json, find(json, event, "position")), DAL_TOPIC_EVENTS,
				    &record.place)) {
			dal_clock_parse(text_of(json, find(json, event, "appended")),
					&record.appended_us);
			event = inner;
		}
		complete(json, event, recorded->count + 1, app, &bytes);
		r = check(recorded, again, &bytes, &record, error);
	}
	if (r == 0) {
		size_t old = recorded->capacity;
		DAL_GROW(recorded->records, recorded->count, recorded->capacity);
		if (recorded->capacity != old) {
			recorded->texts = dal_reallocarray(recorded->texts, recorded->capacity,
							   sizeof(*recorded->texts));
		}
		recorded->texts[recorded->count] = bytes;
		recorded->records[recorded->count++] = record;
		bytes = (struct dal_buffer){0};
	}
	dal_buffer_deinit(&bytes);
	dal_json_free(json);
	dal_json_free(again);
	return r;
}

struct dal_log_batch dal_recorded_batch(const struct dal_recorded *recorded)
{
	return (struct dal_log_batch){.records = recorded->records,
				      .count = recorded->count,
				      .capacity = recorded->count};
}

void dal_recorded_put(const struct dal_log_record *record, struct dal_buffer *out)
{
	struct dal_json_writer w = {.out = out};
	struct dal_buffer place = {0};

	dal_place_format(&record->place, &place);
	dal_json_begin_object(&w);
	dal_json_key(&w, "position");
	dal_json_put_text(&w, dal_buffer_cstr(&place));
	dal_json_key(&w, "appended");
	dal_json_put_time(&w, record->appended_us);
	dal_json_key(&w, "event");
	dal_json_put_raw(&w, record->event);
	dal_json_end_object(&w);
	dal_buffer_deinit(&place);
}

void dal_recorded_deinit(struct dal_recorded *recorded)
{
	for (size_t i = 0; i < recorded->count; i++) {
		dal_buffer_deinit(&recorded->texts[i]);
	}
	for (size_t i = 0; i < recorded->topic_count; i++) {
		free(recorded->topics[i]);
	}
	free(recorded->records);
	free(recorded->texts);
	free(recorded->topics);
	*recorded = (struct dal_recorded){0};
}
