#include <errno.h>
#include <string.h>

#include "engine/base/digest.h"
#include "engine/base/memory.h"
#include "engine/log/kafka_admin.h"
#include "engine/log/kafka_producer.h"

/* Completions and reports have room where others don't. */
#define PENDING_URGENT_BYTES (DAL_LIMIT_LOG_PENDING_BYTES * 2)
#define FRAME_BYTES (16 * DAL_KIB) /* headers and the protocol's own, generously */

void dal_kafka_scribe_free(struct dal_kafka_scribe *scribe)
{
	dal_json_free(scribe->json);
	dal_kafka_message_deinit(&scribe->message);
	free(scribe);
}

static struct dal_kafka_scribe *scribe_take(struct dal_kafka_appender *appender)
{
	struct dal_kafka_scribe *scribe;

	pthread_mutex_lock(&appender->lock);
	scribe = appender->scribes;
	if (scribe) {
		appender->scribes = scribe->next;
	}
	pthread_mutex_unlock(&appender->lock);
	if (!scribe) {
		scribe = dal_calloc(1, sizeof(*scribe));
		scribe->json = dal_json_new();
	}
	return scribe;
}

static void scribe_give(struct dal_kafka_appender *appender, struct dal_kafka_scribe *scribe)
{
	pthread_mutex_lock(&appender->lock);
	scribe->next = appender->scribes;
	appender->scribes = scribe;
	pthread_mutex_unlock(&appender->lock);
}

static rd_kafka_headers_t *headers_of(const struct dal_kafka_message *message,
				      const struct dal_kafka_digest *digest)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(message->header_count + 1);

	for (size_t i = 0; i < message->header_count; i++) {
		const struct dal_kafka_header *header = &message->headers[i];
		rd_kafka_header_add(headers, header->name.data, (ssize_t)header->name.size,
				    header->value.size ? header->value.data : "",
				    (ssize_t)header->value.size);
	}
	if (digest) {
		struct dal_buffer text = {0};
		dal_hex_encode(dal_slice(digest->bytes, sizeof(digest->bytes)), &text);
		rd_kafka_header_add(headers, DAL_KAFKA_DEDUP_HEADER, -1, text.data,
				    (ssize_t)text.size);
		dal_buffer_deinit(&text);
	}
	return headers;
}

/* What has neither key nor dedup key goes round. */
static int32_t partition_of(struct dal_kafka_appender *appender, const struct dal_log_item *item,
			    const struct dal_kafka_topic *topic,
			    const struct dal_kafka_message *message,
			    const struct dal_kafka_digest *digest)
{
	if (item->placed) {
		return (int32_t)(item->lane % topic->partitions);
	}
	if (message->keyed) {
		return dal_kafka_partition(topic, message->key);
	}
	if (digest) {
		return dal_kafka_partition(topic, dal_slice(digest->bytes, sizeof(digest->bytes)));
	}
	return (int32_t)(atomic_fetch_add(&appender->spread, 1) % topic->partitions);
}

static const void *bytes_of(struct dal_slice bytes, bool there)
{
	return !there ? NULL : bytes.size ? bytes.data : "";
}

/* 0, or a named outcome, or negative: then it was not sent. */
static int send_item(struct dal_kafka_appender *appender, struct dal_kafka_scribe *scribe,
		     struct dal_log_append *append, size_t index)
{
	struct dal_log_item *item = &append->items[index];
	const struct dal_kafka_topic *topic = &appender->kafka->topics[item->private_.topic];
	struct dal_kafka_message *message = &scribe->message;
	struct dal_kafka_digest digest;
	const struct dal_kafka_digest *dedup = NULL;
	rd_kafka_headers_t *headers;
	rd_kafka_resp_err_t code;
	int r = dal_kafka_message_write(topic, item->event, scribe->json, message);

	if (r < 0) {
		return r;
	}
	if (append->request_key.size || item->dedup.size) {
		const struct dal_kafka_appended whose = {
			.log = dal_slice_text(appender->kafka->id),
			.topic = dal_slice_text(topic->name),
		};
		digest = append->request_key.size
				 ? dal_kafka_digest_of_request(&whose, append->request_key,
							       append->request_body, index)
				 : dal_kafka_digest_of(&whose, item->dedup);
		dedup = &digest;
	}
	headers = headers_of(message, dedup);
	code = rd_kafka_producev(
		appender->producer.handle,
		RD_KAFKA_V_RKT(appender->producer.topics[item->private_.topic]),
		RD_KAFKA_V_PARTITION(partition_of(appender, item, topic, message, dedup)),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		RD_KAFKA_V_VALUE((void *)bytes_of(message->value, message->valued),
				 message->value.size),
		RD_KAFKA_V_KEY(bytes_of(message->key, message->keyed),
			       message->keyed ? message->key.size : 0),
		RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(item), RD_KAFKA_V_END);
	if (code) {
		rd_kafka_headers_destroy(headers);
	}
	return dal_kafka_result(code, item);
}

/* What can be known before the first of its events leaves. */
static int prepare(struct dal_kafka_appender *appender, struct dal_log_append *append,
		   size_t *bytes)
{
	*bytes = sizeof(*append);
	for (size_t i = 0; i < append->count; i++) {
		struct dal_log_item *item = &append->items[i];
		struct dal_kafka_topic *topic = dal_kafka_topic_find(appender->kafka, item->topic);
		if (!topic) {
			return -EINVAL;
		}
		item->refused = NULL;
		if (item->event.size + FRAME_BYTES > DAL_KAFKA_VALUE_BYTES) {
			item->refused = "the event is larger than an event may be";
			return DAL_LOG_TOO_LARGE;
		}
		item->private_.topic = (uint16_t)(topic - appender->kafka->topics);
		item->repeated = false;
		*bytes += item->event.size + sizeof(*item);
	}
	return 0;
}

static int reserve(struct dal_kafka_appender *appender, const struct dal_log_append *append,
		   size_t bytes)
{
	uint64_t limit = append->urgent ? PENDING_URGENT_BYTES : DAL_LIMIT_LOG_PENDING_BYTES;
	uint64_t waiting = atomic_fetch_add(&appender->pending_bytes, bytes);

	/* One that is alone may be as large as it likes: an event always fits. */
	if (waiting > 0 && waiting + bytes > limit) {
		atomic_fetch_sub(&appender->pending_bytes, bytes);
		dal_metric_add(appender->metrics.full, 1);
		return DAL_LOG_FULL;
	}
	return 0;
}

/* The rest will get no report. When none is awaited the thread answers, never the caller's. */
static void give_up(struct dal_kafka_appender *appender, struct dal_kafka_flight *flight,
		    size_t rest, int result)
{
	dal_kafka_flight_fail(flight, result);
	if (atomic_fetch_sub(&flight->missing, rest) == rest) {
		pthread_mutex_lock(&appender->lock);
		flight->next = appender->failed;
		appender->failed = flight;
		pthread_mutex_unlock(&appender->lock);
	}
}

static int send_all(struct dal_kafka_appender *appender, struct dal_log_append *append,
		    size_t bytes)
{
	struct dal_kafka_flight *flight = dal_calloc(1, sizeof(*flight));
	struct dal_kafka_scribe *scribe = scribe_take(appender);
	size_t count = append->count;
	int r = 0;

	*flight = (struct dal_kafka_flight){.append = append, .bytes = bytes};
	atomic_store(&flight->missing, count);
	for (size_t i = 0; i < count; i++) {
		append->items[i].private_.key[0] = (uintptr_t)flight;
	}
	if (count == 0) {
		give_up(appender, flight, 0, 0);
	}
	/* Once the last one has left, the append is no longer ours. */
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = send_item(appender, scribe, append, i);
		if (r != 0 && i == 0) {
			free(flight);
		} else if (r != 0) {
			give_up(appender, flight, count - i, r);
			r = 0;
			break;
		}
	}
	scribe_give(appender, scribe);
	return r;
}

int dal_kafka_append(struct dal_kafka_appender *appender, struct dal_log_append *append)
{
	size_t bytes;
	int r = prepare(appender, append, &bytes);

	if (r == 0 && append->count > 0 && dal_kafka_watch_away_us(appender->kafka->watch)) {
		dal_metric_add(appender->metrics.away, 1);
		r = DAL_LOG_AWAY;
	}
	if (r == 0) {
		r = reserve(appender, append, bytes);
	}
	if (r != 0) {
		return r;
	}
	pthread_rwlock_rdlock(&appender->use);
	r = send_all(appender, append, bytes);
	pthread_rwlock_unlock(&appender->use);
	if (r != 0) {
		atomic_fetch_sub(&appender->pending_bytes, bytes);
	}
	return r;
}
