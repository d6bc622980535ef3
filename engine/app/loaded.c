#include "engine/app/loaded.h"

#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/base/memory.h"
#include "engine/event/event.h"
#include "engine/event/json_write.h"

static void data_write(const struct dal_app *app, const struct dal_position *from,
		       struct dal_buffer *data)
{
	struct dal_json_writer w = {.out = data};

	dal_json_begin_object(&w);
	dal_json_key(&w, "generation");
	dal_json_put_text(&w, dal_rules_digest(app->rules));
	dal_json_key(&w, "number");
	dal_json_put_integer(&w, (int64_t)app->number);
	dal_json_key(&w, "files");
	dal_json_put_integer(&w, (int64_t)app->file_count);
	dal_json_key(&w, "rules");
	dal_json_put_integer(&w, (int64_t)dal_rules_rule_count(app->rules));
	dal_json_key(&w, "projections");
	dal_json_put_integer(&w, (int64_t)dal_rules_projection_count(app->rules));
	dal_json_key(&w, "from");
	dal_json_begin_object(&w);
	for (size_t i = 0; i < from->count; i++) {
		dal_json_key_slice(&w, from->marks[i].topic);
		dal_json_put_integer(&w, (int64_t)from->marks[i].next);
	}
	dal_json_end_object(&w);
	dal_json_end_object(&w);
}

static void event_write(const struct dal_app *app, const struct dal_position *from,
			struct dal_buffer *event)
{
	struct dal_buffer data = {0}, source = {0};
	char id[DAL_UUID_TEXT_BYTES], time[DAL_CLOCK_TEXT_BYTES];

	dal_uuid_random(id);
	dal_clock_format(dal_clock_now_us(), time);
	dal_buffer_printf(&source, "/dalamb/%s", app->name);
	data_write(app, from, &data);
	struct dal_attribute attributes[] = {
		{dal_slice_text("id"), dal_slice_text(id), false},
		{dal_slice_text("source"), dal_buffer_slice(&source), false},
		{dal_slice_text("type"), dal_slice_text("dalamb.app.loaded"), false},
		{dal_slice_text("subject"), dal_slice_text(app->name), false},
		{dal_slice_text("time"), dal_slice_text(time), false},
	};
	dal_event_build(&(struct dal_event_parts){.attributes = attributes,
						  .count = 5,
						  .data = dal_buffer_slice(&data)},
			event);
	dal_buffer_deinit(&data);
	dal_buffer_deinit(&source);
}

int dal_loaded_append(struct dal_log *log, const struct dal_app *app,
		      const struct dal_loaded_place *places, size_t count)
{
	struct dal_buffer *events = dal_calloc(count, sizeof(*events));
	struct dal_log_item *items = dal_calloc(count, sizeof(*items));
	int r;

	for (size_t i = 0; i < count; i++) {
		event_write(app, places[i].from, &events[i]);
		items[i] = (struct dal_log_item){.topic = dal_slice_text(DAL_TOPIC_SYSTEM),
						 .placed = true,
						 .lane = places[i].lane,
						 .event = dal_buffer_slice(&events[i])};
	}
	r = dal_log_append_wait(
		log, &(struct dal_log_append){.items = items, .count = count, .urgent = true});
	for (size_t i = 0; i < count; i++) {
		dal_buffer_deinit(&events[i]);
	}
	free(events);
	free(items);
	return r;
}
