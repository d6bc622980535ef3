#include "engine/log/kafka_source.h"

#include <errno.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"

void dal_kafka_source_start(struct dal_kafka_source *source, void (*wake)(rd_kafka_t *, void *),
			    void *own)
{
	rd_kafka_topic_t *topic = source->handle->topics[source->topic - source->kafka->topics];
	int64_t from = source->next >= 0 ? source->next : RD_KAFKA_OFFSET_BEGINNING;

	source->queue = rd_kafka_queue_new(source->handle->rk);
	source->at_end = false;
	source->empty_us = dal_clock_monotonic_us();
	rd_kafka_queue_cb_event_enable(source->queue, wake, own);
	if (rd_kafka_consume_start_queue(topic, source->partition, from, source->queue) != 0) {
		dal_kafka_talk_warn(source->kafka->talk, "Kafka: can't read topic %s: %s",
				    source->topic->remote, rd_kafka_err2str(rd_kafka_last_error()));
	}
}

void dal_kafka_source_stop(struct dal_kafka_source *source)
{
	rd_kafka_topic_t *topic = source->handle->topics[source->topic - source->kafka->topics];

	if (source->head) {
		rd_kafka_message_destroy(source->head);
		source->head = NULL;
	}
	rd_kafka_queue_cb_event_enable(source->queue, NULL, NULL);
	rd_kafka_consume_stop(topic, source->partition);
	rd_kafka_queue_destroy(source->queue);
	source->queue = NULL;
}

/* Records that are there, but can't be had. */
static bool is_of_record(const rd_kafka_message_t *message)
{
	return message->err == RD_KAFKA_RESP_ERR__BAD_MSG ||
	       message->err == RD_KAFKA_RESP_ERR__BAD_COMPRESSION ||
	       message->err == RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED ||
	       message->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
}

static void on_end(struct dal_kafka_source *source, int64_t offset)
{
	if (offset > source->next) {
		source->next = offset;
	}
	source->at_end = true;
	source->empty_us = 0;
}

/* True: it is the head, or means LOST. */
static bool is_for_reader(struct dal_kafka_source *source, const rd_kafka_message_t *message)
{
	if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR || is_of_record(message)) {
		return message->offset >= source->next;
	}
	if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		on_end(source, message->offset);
		return false;
	}
	if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
		return true;
	}
	dal_kafka_talk_warn(source->kafka->talk, "Kafka: reading topic %s: %s",
			    source->topic->remote, rd_kafka_message_errstr(message));
	return false;
}

int dal_kafka_source_poll(struct dal_kafka_source *source)
{
	rd_kafka_message_t *message;

	if (source->head) {
		return DAL_KAFKA_HEAD;
	}
	while ((message = rd_kafka_consume_queue(source->queue, 0))) {
		if (!is_for_reader(source, message)) {
			rd_kafka_message_destroy(message);
			continue;
		}
		if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
			rd_kafka_message_destroy(message);
			return DAL_KAFKA_LOST;
		}
		source->head = message;
		source->at_end = false;
		source->empty_us = 0;
		return DAL_KAFKA_HEAD;
	}
	if (!source->at_end && !source->empty_us) {
		source->empty_us = dal_clock_monotonic_us();
	}
	return DAL_KAFKA_EMPTY;
}

int64_t dal_kafka_source_time(const struct dal_kafka_source *source)
{
	return source->head->err ? -1 : rd_kafka_message_timestamp(source->head, NULL);
}

/* There may be one more than are taken. */
static size_t headers_get(const rd_kafka_message_t *message, struct dal_kafka_header *out)
{
	rd_kafka_headers_t *headers = NULL;
	const char *name;
	const void *value;
	size_t size, count = 0;

	if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) {
		return 0;
	}
	while (count <= DAL_KAFKA_HEADERS_MAX &&
	       rd_kafka_header_get_all(headers, count, &name, &value, &size) == 0) {
		out[count++] = (struct dal_kafka_header){.name = dal_slice_text(name),
							 .value = dal_slice(value, size),
							 .null = value == NULL};
	}
	return count;
}

void dal_kafka_source_take(struct dal_kafka_source *source, struct dal_json *json,
			   struct dal_kafka_arena *arena, struct dal_log_record *out)
{
	rd_kafka_message_t *message = source->head;
	struct dal_kafka_header headers[DAL_KAFKA_HEADERS_MAX + 1];
	struct dal_kafka_record record = {
		.topic = source->topic,
		.partition = source->partition,
		.offset = (uint64_t)message->offset,
		.time_ms = rd_kafka_message_timestamp(message, NULL),
		.headers = headers,
	};

	if (record.time_ms > DAL_KAFKA_TIME_MAX_MS) { /* whoever said that has no clock */
		record.time_ms = -1;
	}

	if (message->err) {
		dal_kafka_record_refuse(&record, arena, out, "%s",
					rd_kafka_message_errstr(message));
	} else {
		record.key = dal_slice(message->key, message->key_len);
		record.keyed = message->key != NULL;
		record.value = dal_slice(message->payload, message->len);
		record.valued = message->payload != NULL;
		record.header_count = headers_get(message, headers);
		if (record.header_count > DAL_KAFKA_HEADERS_MAX) {
			dal_kafka_record_refuse(&record, arena, out, "it has more than %d headers",
						DAL_KAFKA_HEADERS_MAX);
		} else {
			dal_kafka_record_read(&record, json, arena, out);
		}
	}
	source->next = message->offset + 1;
	source->head = NULL;
	rd_kafka_message_destroy(message);
}
