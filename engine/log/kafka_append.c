#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/base/logger.h"
#include "engine/base/memory.h"
#include "engine/base/metrics.h"
#include "engine/log/kafka_admin.h"
#include "engine/log/kafka_message.h"

#define POLL_MS 100
/* Completions and reports have room where others don't. */
#define PENDING_URGENT_BYTES (DAL_LIMIT_LOG_PENDING_BYTES * 2)
#define FRAME_BYTES (16 * DAL_KIB) /* headers and the protocol's own, generously */

/* An append on its way. Each of its messages has its item, each item has the flight. */
struct flight {
	struct dal_log_append *append;
	_Atomic size_t missing; /* reports */
	_Atomic int result;
	size_t bytes;
	struct flight *next; /* of those that failed before they left */
};

/* What writing messages needs, one for each thread that does at this moment. */
struct scribe {
	struct dal_json *json;
	struct dal_kafka_message message;
	struct scribe *next;
};

struct producer {
	rd_kafka_t *handle;
	rd_kafka_queue_t *reports;
	rd_kafka_topic_t **topics; /* one a topic of the log */
};

struct dal_kafka_appender {
	struct dal_kafka *kafka;
	pthread_t thread;
	pthread_rwlock_t use; /* written to replace what follows */
	struct producer producer;
	_Atomic uint64_t pending_bytes;
	_Atomic uint32_t spread; /* for what has no key at all */
	atomic_bool stopping;
	pthread_mutex_t lock; /* for what follows */
	struct scribe *scribes;
	struct flight *failed;
	struct {
		struct dal_metric *appended, *failed, *full, *away, *pending;
	} metrics;
};

static void metrics_init(struct dal_kafka_appender *appender)
{
	const char *refused = "dalamb_log_refused_appends_total";
	const char *help = "Appends refused, by reason.";

	appender->metrics.appended = dal_metric_counter("dalamb_log_appended_events_total",
							"Events appended.", NULL);
	appender->metrics.failed = dal_metric_counter("dalamb_log_failed_events_total",
						      "Events that no broker acknowledged in time.",
						      NULL);
	appender->metrics.full = dal_metric_counter(refused, help, "reason=\"full\"");
	appender->metrics.away = dal_metric_counter(refused, help, "reason=\"away\"");
	appender->metrics.pending = dal_metric_gauge(
		"dalamb_log_pending_bytes", "Bytes of appends that wait for the writer.", NULL);
}

/* --- the producer --- */

static int producer_open(struct dal_kafka *kafka, struct producer *producer,
			 struct dal_error *error)
{
	char *bytes = dal_asprintf("%lld", (long long)DAL_KAFKA_MESSAGE_BYTES);
	const struct dal_kafka_property defaults[] = {
		{"linger.ms", "1"},
		{"compression.type", "lz4"},
		{"queue.buffering.max.messages", "10000000"},
		{"queue.buffering.max.kbytes", "1048576"},
		{NULL, NULL},
	};
	const struct dal_kafka_property fixed[] = {
		{"acks", "all"},
		{"enable.idempotence", "true"},
		{"message.timeout.ms", "10000"},
		{"message.max.bytes", bytes},
		{NULL, NULL},
	};
	int r = dal_kafka_handle_new(&kafka->options, kafka->talk, RD_KAFKA_PRODUCER, defaults,
				     fixed, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR,
				     &producer->handle, error);

	free(bytes);
	if (r < 0) {
		return r;
	}
	producer->reports = rd_kafka_queue_get_main(producer->handle);
	producer->topics = dal_calloc(kafka->topic_count, sizeof(*producer->topics));
	for (size_t i = 0; i < kafka->topic_count; i++) {
		producer->topics[i] = rd_kafka_topic_new(producer->handle, kafka->topics[i].remote,
							 NULL);
		DAL_ASSERT(producer->topics[i]);
	}
	return 0;
}

static void producer_close(struct dal_kafka *kafka, struct producer *producer)
{
	for (size_t i = 0; i < kafka->topic_count; i++) {
		rd_kafka_topic_destroy(producer->topics[i]);
	}
	free(producer->topics);
	rd_kafka_queue_destroy(producer->reports);
	rd_kafka_destroy(producer->handle);
}

/* --- what was sent --- */

static int result_of(rd_kafka_resp_err_t code)
{
	switch (code) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		return 0;
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
		return -EMSGSIZE;
	case RD_KAFKA_RESP_ERR__QUEUE_FULL:
		return DAL_LOG_FULL;
	default:
		return DAL_LOG_AWAY;
	}
}

/* The first failure of an append is its result. */
static void flight_fail(struct flight *flight, int result)
{
	int none = 0;

	atomic_compare_exchange_strong(&flight->result, &none, result);
}

static void flight_done(struct dal_kafka_appender *appender, struct flight *flight)
{
	struct dal_log_append *append = flight->append;
	int result = atomic_load(&flight->result);

	atomic_fetch_sub(&appender->pending_bytes, flight->bytes);
	dal_metric_add(result == 0 ? appender->metrics.appended : appender->metrics.failed,
		       (int64_t)append->count);
	free(flight);
	append->done(append, result);
}

static void flight_landed(struct dal_kafka_appender *appender, struct flight *flight, size_t count)
{
	if (atomic_fetch_sub(&flight->missing, count) == count) {
		flight_done(appender, flight);
	}
}

/* With an idempotent producer the offset of what was sent twice may be unknown: the caller, who
 * needs a place, tries again and is told by the repeat. */
static void on_report(struct dal_kafka_appender *appender, const rd_kafka_message_t *message)
{
	struct dal_log_item *item = message->_private;
	struct flight *flight = (struct flight *)(uintptr_t)item->private_.key[0];
	const struct dal_kafka_topic *topic = &appender->kafka->topics[item->private_.topic];

	if (message->err) {
		dal_kafka_talk_warn(appender->kafka->talk,
				    "Kafka did not take an event for topic %s: %s", topic->remote,
				    rd_kafka_err2str(message->err));
		flight_fail(flight, result_of(message->err));
	} else if (message->offset < 0) {
		flight_fail(flight, DAL_LOG_AWAY);
	} else {
		item->place = (struct dal_place){.topic = dal_slice_text(topic->name),
						 .partition = message->partition,
						 .offset = (uint64_t)message->offset};
		dal_kafka_watch_passed(appender->kafka->watch,
				       topic->first + (uint32_t)message->partition,
				       message->offset + 1);
	}
	flight_landed(appender, flight, 1);
}

static void on_reports(struct dal_kafka_appender *appender, rd_kafka_event_t *event)
{
	const rd_kafka_message_t *message;

	while ((message = rd_kafka_event_message_next(event))) {
		on_report(appender, message);
	}
}

static bool on_event(struct dal_kafka_appender *appender, rd_kafka_event_t *event)
{
	bool fatal = false;

	if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR) {
		on_reports(appender, event);
	} else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR) {
		rd_kafka_resp_err_t code = rd_kafka_event_error(event);
		fatal = rd_kafka_event_error_is_fatal(event);
		if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ||
		    code == RD_KAFKA_RESP_ERR__TRANSPORT) {
			dal_kafka_watch_doubt(appender->kafka->watch);
		} else {
			dal_kafka_talk_warn(appender->kafka->talk, "Kafka's producer: %s",
					    rd_kafka_event_error_string(event));
		}
	}
	rd_kafka_event_destroy(event);
	return fatal;
}

static void failed_serve(struct dal_kafka_appender *appender)
{
	struct flight *flight;

	pthread_mutex_lock(&appender->lock);
	flight = appender->failed;
	appender->failed = NULL;
	pthread_mutex_unlock(&appender->lock);
	while (flight) {
		struct flight *next = flight->next;
		flight_done(appender, flight);
		flight = next;
	}
}

/* Until no message is left: each has been reported. */
static void drain(struct dal_kafka_appender *appender, struct producer *producer, bool purge)
{
	if (purge) {
		rd_kafka_purge(producer->handle,
			       RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	}
	while (rd_kafka_outq_len(producer->handle) > 0) {
		rd_kafka_event_t *event = rd_kafka_queue_poll(producer->reports, POLL_MS);
		if (event) {
			on_event(appender, event);
		}
	}
}

/* A producer that had a fatal error takes nothing any more. What it held may be on the log. */
static void replace(struct dal_kafka_appender *appender)
{
	struct producer old = appender->producer, new = {0};
	struct dal_error why;

	if (producer_open(appender->kafka, &new, &why) != 0) {
		dal_kafka_talk_warn(appender->kafka->talk, "Kafka: no new producer: %s", why.text);
		return;
	}
	pthread_rwlock_wrlock(&appender->use);
	appender->producer = new;
	pthread_rwlock_unlock(&appender->use);
	drain(appender, &old, true);
	producer_close(appender->kafka, &old);
}

static void *run(void *own)
{
	struct dal_kafka_appender *appender = own;

	while (!atomic_load(&appender->stopping)) {
		rd_kafka_event_t *event = rd_kafka_queue_poll(appender->producer.reports, POLL_MS);
		if (event && on_event(appender, event)) {
			replace(appender);
		}
		failed_serve(appender);
		dal_metric_set(appender->metrics.pending,
			       (int64_t)atomic_load(&appender->pending_bytes));
	}
	drain(appender, &appender->producer, dal_kafka_watch_away_us(appender->kafka->watch) != 0);
	failed_serve(appender);
	return NULL;
}

int dal_kafka_appender_new(struct dal_kafka *kafka, struct dal_kafka_appender **out,
			   struct dal_error *error)
{
	struct dal_kafka_appender *appender = dal_calloc(1, sizeof(*appender));
	int r;

	appender->kafka = kafka;
	metrics_init(appender);
	r = producer_open(kafka, &appender->producer, error);
	if (r < 0) {
		free(appender);
		return r;
	}
	pthread_rwlock_init(&appender->use, NULL);
	pthread_mutex_init(&appender->lock, NULL);
	DAL_ASSERT(pthread_create(&appender->thread, NULL, run, appender) == 0);
	*out = appender;
	return 0;
}

static void scribe_free(struct scribe *scribe)
{
	dal_json_free(scribe->json);
	dal_kafka_message_deinit(&scribe->message);
	free(scribe);
}

void dal_kafka_appender_free(struct dal_kafka_appender *appender)
{
	if (!appender) {
		return;
	}
	atomic_store(&appender->stopping, true);
	pthread_join(appender->thread, NULL);
	producer_close(appender->kafka, &appender->producer);
	while (appender->scribes) {
		struct scribe *scribe = appender->scribes;
		appender->scribes = scribe->next;
		scribe_free(scribe);
	}
	pthread_mutex_destroy(&appender->lock);
	pthread_rwlock_destroy(&appender->use);
	free(appender);
}

/* --- sending --- */

static struct scribe *scribe_take(struct dal_kafka_appender *appender)
{
	struct scribe *scribe;

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

static void scribe_give(struct dal_kafka_appender *appender, struct scribe *scribe)
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
static int send_item(struct dal_kafka_appender *appender, struct scribe *scribe,
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
		digest = append->request_key.size
				 ? dal_kafka_digest_of_request(append->request_key, index)
				 : dal_kafka_digest_of(item->dedup);
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
	return result_of(code);
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
		if (item->event.size + FRAME_BYTES > (uint64_t)DAL_KAFKA_MESSAGE_BYTES) {
			return -EMSGSIZE;
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
static void give_up(struct dal_kafka_appender *appender, struct flight *flight, size_t rest,
		    int result)
{
	flight_fail(flight, result);
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
	struct flight *flight = dal_calloc(1, sizeof(*flight));
	struct scribe *scribe = scribe_take(appender);
	size_t count = append->count;
	int r = 0;

	*flight = (struct flight){.append = append, .bytes = bytes};
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
