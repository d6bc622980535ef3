#include "engine/event/event.h"

#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/event/json_write.h"

#define OWN_PREFIX "dalamb"

static bool name_is(struct dal_slice name, const char *text)
{
	return memcmp(name.data, text, name.size) == 0;
}

/* Of a string that most often has no escape: without a call then. */
static struct dal_slice quick_string(const struct dal_json *json, uint32_t node)
{
	const struct dal_json_node *n = &json->nodes[node];
	if ((n->info & 15) == DAL_JSON_STRING) {
		return dal_slice(json->text + n->start, n->end - n->start);
	}
	return dal_json_string(json, node);
}

static struct dal_slice text_of(const struct dal_json *json, uint32_t node)
{
	if (dal_json_kind(json, node) != DAL_JSON_STRING) {
		return (struct dal_slice){0};
	}
	return quick_string(json, node);
}

/* The member of `event` that holds an attribute as text, or NULL. */
static struct dal_slice *text_member(struct dal_event *event, struct dal_slice name)
{
	switch (name.size) {
	case 2:
		return name_is(name, "id") ? &event->id : NULL;
	case 4:
		return name_is(name, "type")   ? &event->type
		       : name_is(name, "time") ? &event->time
					       : NULL;
	case 6:
		return name_is(name, "source") ? &event->source : NULL;
	case 7:
		return name_is(name, "subject") ? &event->subject : NULL;
	case 11:
		return name_is(name, "dalambcause") ? &event->cause : NULL;
	case 12:
		return name_is(name, "partitionkey") ? &event->partitionkey : NULL;
	case 15:
		return name_is(name, "datacontenttype") ? &event->datacontenttype : NULL;
	default:
		return NULL;
	}
}

static bool is_data(struct dal_slice name)
{
	return name.size == 4 && name_is(name, "data");
}

static bool is_data_base64(struct dal_slice name)
{
	return name.size == 11 && name_is(name, "data_base64");
}

static void view_member(struct dal_event *event, struct dal_slice name, uint32_t value)
{
	const struct dal_json *json = event->json;
	struct dal_slice *member = text_member(event, name);
	if (member) {
		*member = text_of(json, value);
	} else if (is_data(name)) {
		event->data = value;
	} else if (is_data_base64(name) && dal_json_kind(json, value) == DAL_JSON_STRING) {
		event->data_base64 = value;
	} else if (name.size == 10 && name_is(name, "dalambhops") &&
		   dal_json_kind(json, value) == DAL_JSON_INTEGER) {
		event->hops = dal_json_integer(json, value);
	}
	event->reserved |= dal_slice_starts(name, OWN_PREFIX);
}

void dal_event_view(struct dal_event *event, const struct dal_json *json)
{
	*event = (struct dal_event){
		.json = json, .data = DAL_JSON_NONE, .data_base64 = DAL_JSON_NONE};
	if (json->count == 0 || dal_json_kind(json, DAL_JSON_ROOT) != DAL_JSON_OBJECT) {
		return;
	}
	uint32_t end = dal_json_next(json, DAL_JSON_ROOT);
	for (uint32_t key = DAL_JSON_ROOT + 1; key < end; key = dal_json_next(json, key + 1)) {
		view_member(event, quick_string(json, key), key + 1);
	}
	if (event->data_base64 != DAL_JSON_NONE) {
		event->data = DAL_JSON_NONE;
	}
	event->reserved |= dal_slice_starts(event->type, OWN_PREFIX ".");
}

uint32_t dal_event_attribute(const struct dal_event *event, struct dal_slice name)
{
	uint32_t node = dal_json_find(event->json, DAL_JSON_ROOT, name);
	if (node == DAL_JSON_NONE || is_data(name) || is_data_base64(name) ||
	    dal_json_kind(event->json, node) == DAL_JSON_NULL) {
		return DAL_JSON_NONE;
	}
	return node;
}

struct dal_slice dal_event_key(const struct dal_event *event)
{
	return event->partitionkey.size ? event->partitionkey : event->subject;
}

void dal_event_build(const struct dal_event_parts *parts, struct dal_buffer *out)
{
	struct dal_json_writer writer = {.out = out};
	dal_json_begin_object(&writer);
	dal_json_key(&writer, "specversion");
	dal_json_put_text(&writer, "1.0");
	for (size_t i = 0; i < parts->count; i++) {
		const struct dal_attribute *attribute = &parts->attributes[i];
		if (attribute->value.size == 0) {
			continue;
		}
		dal_json_key_slice(&writer, attribute->name);
		if (attribute->raw) {
			dal_json_put_raw(&writer, attribute->value);
		} else {
			dal_json_put_slice(&writer, attribute->value);
		}
	}
	if (parts->data.size) {
		dal_json_key(&writer, "data");
		dal_json_put_raw(&writer, parts->data);
	} else if (parts->has_binary) {
		dal_buffer_text(out, writer.comma ? ",\"data_base64\":\"" : "\"data_base64\":\"");
		dal_base64_encode(parts->binary, out);
		dal_buffer_byte(out, '"');
	}
	dal_json_end_object(&writer);
}
