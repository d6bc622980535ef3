#include <errno.h>

#include "engine/base/memory.h"
#include "engine/log/kafka_producer.h"

#define POLL_MS 100

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

/* --- what was sent --- */

int dal_kafka_result(rd_kafka_resp_err_t code, struct dal_log_item *item)
{
	switch (code) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		return 0;
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
		item->refused = rd_kafka_err2str(code);
		return DAL_LOG_TOO_LARGE;
	case RD_KAFKA_RESP_ERR_INVALID_RECORD:
		item->refused = rd_kafka_err2str(code);
		return DAL_LOG_REFUSED;
	case RD_KAFKA_RESP_ERR__QUEUE_FULL:
		return DAL_LOG_FULL;
	default:
		return DAL_LOG_AWAY;
	}
}

void dal_kafka_flight_fail(struct dal_kafka_flight *flight, int result)
{
	int none = 0;

	atomic_compare_exchange_strong(&flight->result, &none, result);
}

static void flight_done(struct dal_kafka_appender *appender, struct dal_kafka_flight *flight)
{
	struct dal_log_append *append = flight->append;
	int result = atomic_load(&flight->result);

	atomic_fetch_sub(&appender->pending_bytes, flight->bytes);
	dal_metric_add(result == 0 ? appender->metrics.appended : appender->metrics.failed,
		       (int64_t)append->count);
	free(flight);
	append->done(append, result);
}

static void flight_landed(struct dal_kafka_appender *appender, struct dal_kafka_flight *flight,
			  size_t count)
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
	struct dal_kafka_flight *flight =
		(struct dal_kafka_flight *)(uintptr_t)item->private_.key[0];
	const struct dal_kafka_topic *topic = &appender->kafka->topics[item->private_.topic];

	if (message->err) {
		dal_kafka_talk_warn(appender->kafka->talk,
				    "Kafka did not take an event for topic %s: %s", topic->remote,
				    rd_kafka_err2str(message->err));
		dal_kafka_flight_fail(flight, dal_kafka_result(message->err, item));
	} else if (message->offset < 0) {
		dal_kafka_flight_fail(flight, DAL_LOG_AWAY);
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
	struct dal_kafka_flight *flight;

	pthread_mutex_lock(&appender->lock);
	flight = appender->failed;
	appender->failed = NULL;
	pthread_mutex_unlock(&appender->lock);
	while (flight) {
		struct dal_kafka_flight *next = flight->next;
		flight_done(appender, flight);
		flight = next;
	}
}

/* Until no message is left: each has been reported. */
static void drain(struct dal_kafka_appender *appender, struct dal_kafka_producer *producer,
		  bool purge)
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
	struct dal_kafka_producer old = appender->producer, new = {0};
	struct dal_error why;

	if (dal_kafka_producer_open(appender->kafka, &new, &why) != 0) {
		dal_kafka_talk_warn(appender->kafka->talk, "Kafka: no new producer: %s", why.text);
		return;
	}
	pthread_rwlock_wrlock(&appender->use);
	appender->producer = new;
	pthread_rwlock_unlock(&appender->use);
	drain(appender, &old, true);
	dal_kafka_producer_close(appender->kafka, &old);
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
	r = dal_kafka_producer_open(kafka, &appender->producer, error);
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

void dal_kafka_appender_free(struct dal_kafka_appender *appender)
{
	if (!appender) {
		return;
	}
	atomic_store(&appender->stopping, true);
	pthread_join(appender->thread, NULL);
	dal_kafka_producer_close(appender->kafka, &appender->producer);
	while (appender->scribes) {
		struct dal_kafka_scribe *scribe = appender->scribes;
		appender->scribes = scribe->next;
		dal_kafka_scribe_free(scribe);
	}
	pthread_mutex_destroy(&appender->lock);
	pthread_rwlock_destroy(&appender->use);
	free(appender);
}
