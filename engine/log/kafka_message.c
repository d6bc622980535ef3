#include "engine/log/kafka_message.h"

#include <errno.h>

#include "engine/base/digest.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"

/* What the names of headers are made of, without a copy an attribute. */
#define NAME_BYTES 64

static void add_header(struct dal_kafka_message *message, struct dal_slice name,
		       struct dal_slice value)
{
	DAL_GROW(message->headers, message->header_count, message->header_capacity);
	message->headers[message->header_count++] = (struct dal_kafka_header){.name = name,
									      .value = value};
}

/* --- key --- */

static void key_choose(const struct dal_kafka_topic *topic, const struct dal_event *event,
		       struct dal_kafka_message *message)
{
	uint32_t node = topic->key ? dal_path_find(topic->key, event->json, DAL_JSON_ROOT)
				   : DAL_JSON_NONE;

	message->key = dal_event_key(event);
	message->keyed = message->key.size > 0;
	message->key_at_path = dal_key_text(event->json, node, &message->text) == 0;
	message->key_bytes = message->text.size;
}

/* --- binary mode --- */

/* Is this attribute the same once it was a header? */
static bool is_plain(const struct dal_json *json, struct dal_slice name, uint32_t value)
{
	bool hops = dal_slice_is(name, "dalambhops");

	for (size_t i = 0; i < name.size; i++) {
		char c = name.data[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9')) {
			return false;
		}
	}
	if (name.size == 0 || name.size > NAME_BYTES) {
		return false;
	}
	if (dal_json_kind(json, value) == DAL_JSON_INTEGER) {
		int64_t number = hops ? dal_json_integer(json, value) : -1;
		return number >= 0 && number <= INT32_MAX;
	}
	return !hops && dal_json_kind(json, value) == DAL_JSON_STRING;
}

/* Is what it carries the same once it was the record's value? A payload that is an event by its
 * type would be taken for the event. */
static bool data_is_plain(const struct dal_event *event)
{
	bool json = event->datacontenttype.size == 0 || dal_kafka_is_json(event->datacontenttype);

	if (dal_kafka_is_event(event->datacontenttype)) {
		return false;
	}
	if (event->data_base64 != DAL_JSON_NONE) {
		return !json;
	}
	return event->data == DAL_JSON_NONE || json;
}

static bool is_data(struct dal_slice name)
{
	return dal_slice_is(name, "data") || dal_slice_is(name, "data_base64");
}

static bool fits_binary(const struct dal_event *event)
{
	const struct dal_json *json = event->json;
	uint32_t end = dal_json_next(json, DAL_JSON_ROOT);

	if (dal_json_count(json, DAL_JSON_ROOT) >= DAL_KAFKA_HEADERS_MAX) {
		return false; /* there is one more header for the deduplication */
	}
	for (uint32_t key = DAL_JSON_ROOT + 1; key < end; key = dal_json_next(json, key + 1)) {
		struct dal_slice name = dal_json_string(json, key);
		if (!is_data(name) && dal_json_kind(json, key + 1) != DAL_JSON_NULL &&
		    !is_plain(json, name, key + 1)) {
			return false;
		}
	}
	return event->type.size && event->id.size && event->source.size && data_is_plain(event);
}

/* Header names lie in `text`, as offsets until it no longer grows. */
static void put_attributes(const struct dal_event *event, struct dal_kafka_message *message)
{
	const struct dal_json *json = event->json;
	uint32_t end = dal_json_next(json, DAL_JSON_ROOT);

	for (uint32_t key = DAL_JSON_ROOT + 1; key < end; key = dal_json_next(json, key + 1)) {
		struct dal_slice name = dal_json_string(json, key), value;
		size_t start = message->text.size;
		if (is_data(name) || dal_json_kind(json, key + 1) == DAL_JSON_NULL) {
			continue;
		}
		if (dal_slice_is(name, "datacontenttype")) {
			dal_buffer_text(&message->text, DAL_KAFKA_CONTENT_TYPE);
		} else {
			dal_buffer_text(&message->text, DAL_KAFKA_ATTRIBUTE_PREFIX);
			dal_buffer_slice_append(&message->text, name);
		}
		value = dal_json_kind(json, key + 1) == DAL_JSON_STRING
				? dal_json_string(json, key + 1)
				: dal_json_raw(json, key + 1);
		add_header(message, dal_slice(NULL, message->text.size - start), value);
	}
}

static void names_set(struct dal_kafka_message *message)
{
	const char *at = message->text.data + message->key_bytes;

	for (size_t i = 0; i < message->header_count; i++) {
		message->headers[i].name.data = at;
		at += message->headers[i].name.size;
	}
}

static bool put_binary(const struct dal_event *event, struct dal_kafka_message *message)
{
	put_attributes(event, message);
	size_t names_end = message->text.size;
	if (event->data_base64 != DAL_JSON_NONE) {
		struct dal_slice text = dal_json_string(event->json, event->data_base64);
		if (!dal_base64_decode(text, &message->text)) {
			message->header_count = 0;
			return false;
		}
		message->valued = true;
		message->value = dal_slice(message->text.data + names_end,
					   message->text.size - names_end);
	} else if (event->data != DAL_JSON_NONE) {
		message->valued = true;
		message->value = dal_json_raw(event->json, event->data);
	}
	names_set(message);
	return true;
}

/* --- both --- */

int dal_kafka_message_write(const struct dal_kafka_topic *topic, struct dal_slice bytes,
			    struct dal_json *json, struct dal_kafka_message *message)
{
	struct dal_event event;

	message->header_count = 0;
	message->valued = false;
	message->value = (struct dal_slice){0};
	dal_buffer_clear(&message->text);
	if (dal_json_parse(json, bytes, DAL_JSON_TRUSTED, NULL) != 0) {
		return -EBADMSG;
	}
	dal_event_view(&event, json);
	key_choose(topic, &event, message);
	if (!fits_binary(&event) || !put_binary(&event, message)) {
		add_header(message, dal_slice_text(DAL_KAFKA_CONTENT_TYPE),
			   dal_slice_text("application/cloudevents+json"));
		message->valued = true;
		message->value = bytes;
	}
	if (message->key_at_path) {
		message->keyed = true;
		message->key = dal_slice(message->text.data, message->key_bytes);
	}
	return 0;
}

void dal_kafka_message_deinit(struct dal_kafka_message *message)
{
	free(message->headers);
	dal_buffer_deinit(&message->text);
	*message = (struct dal_kafka_message){0};
}

/* --- dedup --- */

static struct dal_kafka_digest digest_of(struct dal_slice text)
{
	struct dal_digest whole = dal_digest_of(text);
	struct dal_kafka_digest digest;

	memcpy(digest.bytes, whole.bytes, sizeof(digest.bytes));
	return digest;
}

/* They begin differently, so that a key and a request's key are never the same. */
static void digest_begin(char kind, const struct dal_kafka_appended *append,
			 struct dal_buffer *text)
{
	dal_buffer_byte(text, kind);
	dal_buffer_sized(text, append->log);
	dal_buffer_sized(text, append->topic);
}

struct dal_kafka_digest dal_kafka_digest_of(const struct dal_kafka_appended *append,
					    struct dal_slice dedup)
{
	struct dal_buffer text = {0};
	struct dal_kafka_digest digest;

	digest_begin('i', append, &text);
	dal_buffer_slice_append(&text, dedup);
	digest = digest_of(dal_buffer_slice(&text));
	dal_buffer_deinit(&text);
	return digest;
}

struct dal_kafka_digest dal_kafka_digest_of_request(const struct dal_kafka_appended *append,
						    struct dal_slice key, struct dal_slice body,
						    size_t index)
{
	struct dal_buffer text = {0};
	struct dal_kafka_digest digest;

	digest_begin('r', append, &text);
	dal_buffer_u64be(&text, index);
	dal_buffer_sized(&text, body);
	dal_buffer_slice_append(&text, key);
	digest = digest_of(dal_buffer_slice(&text));
	dal_buffer_deinit(&text);
	return digest;
}
