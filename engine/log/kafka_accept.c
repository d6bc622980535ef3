/* Which records count: what dal_log_accept asks. */
#include "engine/log/kafka_record.h"

static bool is_space(const char *from, const char *to)
{
	for (; from < to; from++) {
		if (!strchr(" \t\r\n", *from) || *from == '\0') {
			return false;
		}
	}
	return true;
}

/* Is the value that was spliced in as `data` all of it, and nothing but it? */
static bool data_is_value(const struct dal_log_record *record, const struct dal_event *event)
{
	const char *end = record->event.data + record->event.size - 1;
	struct dal_slice data;

	if (record->size_bytes == 0) {
		return true;
	}
	if (event->data == DAL_JSON_NONE) {
		return false;
	}
	data = dal_json_raw(event->json, event->data);
	return data.data >= end - record->size_bytes && data.data + data.size <= end &&
	       is_space(end - record->size_bytes, data.data) &&
	       is_space(data.data + data.size, end);
}

#define SHOWN_BYTES 100
#define SHOWN(text) (int)((text).size < SHOWN_BYTES ? (text).size : SHOWN_BYTES), (text).data

static bool key_is_right(const struct dal_kafka_topic *topic, const struct dal_log_record *record,
			 const struct dal_event *event, struct dal_error *why)
{
	struct dal_slice path = dal_path_text(topic->key), wanted;
	struct dal_buffer text = {0};
	bool right = true;

	if (dal_key_text(event->json, dal_path_find(topic->key, event->json, DAL_JSON_ROOT),
			 &text) == 0) {
		wanted = dal_buffer_slice(&text);
		right = record->keyed && dal_slice_equal(record->key, wanted);
		if (!right && record->keyed) {
			dal_error_set(why,
				      "its key is \"%.*s\", but its %.*s is \"%.*s\": whoever "
				      "produces it must key it by that",
				      SHOWN(record->key), SHOWN(path), SHOWN(wanted));
		} else if (!right) {
			dal_error_set(why,
				      "it has no key, but its %.*s is \"%.*s\": whoever produces "
				      "it must key it by that",
				      SHOWN(path), SHOWN(wanted));
		}
	}
	dal_buffer_deinit(&text);
	return right;
}

/* A key belongs in one partition: elsewhere another lane would have it, too. */
static bool partition_is_right(const struct dal_kafka_topic *topic,
			       const struct dal_log_record *record, struct dal_error *why)
{
	int32_t right = record->keyed ? dal_kafka_partition(topic, record->key) : -1;

	if (right < 0 || right == record->place.partition) {
		return true;
	}
	dal_error_set(why,
		      "its key \"%.*s\" belongs in partition %d by %s: if whoever produces it is a "
		      "%s, say partitioner = \"%s\" of the topic",
		      SHOWN(record->key), right, topic->crc32 ? "crc32" : "murmur2",
		      topic->crc32 ? "Java client" : "librdkafka client",
		      topic->crc32 ? "murmur2" : "crc32");
	return false;
}

bool dal_kafka_record_accept(const struct dal_kafka_topic *topic,
			     const struct dal_log_record *record, const struct dal_event *event,
			     bool *halt, struct dal_error *why)
{
	if (!data_is_value(record, event)) {
		dal_error_set(why, "its value is not one JSON value");
		return false;
	}
	if (dal_event_check(event, why) != 0) {
		return false;
	}
	if (dal_event_is_system(event) != topic->system) {
		dal_error_set(why,
			      topic->system ? "type \"%.*s\" isn't dalamb's, and topic \"%s\" is"
					    : "type \"%.*s\" is dalamb's, which it has in topic "
					      "\"%s\" only",
			      SHOWN(event->type), DAL_TOPIC_SYSTEM);
		return false;
	}
	if (topic->key && !topic->system &&
	    (!key_is_right(topic, record, event, why) || !partition_is_right(topic, record, why))) {
		*halt = topic->halt_on_wrong_key;
		return false;
	}
	return true;
}
