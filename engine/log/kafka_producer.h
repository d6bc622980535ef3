/*
 * The producer and what it carries: shared by kafka_append.c, which sends, kafka_deliver.c, which
 * hears what became of it, and kafka_producer.c. Private to them.
 *
 * An append becomes a flight of as many messages as it has items. Whoever hears of the last one,
 * the thread of kafka_deliver.c, answers. Locks: `use` is held to send, and to put another producer
 * in the place of one that broke; `lock` for a moment only.
 */
#ifndef DAL_LOG_KAFKA_PRODUCER_H
#define DAL_LOG_KAFKA_PRODUCER_H

#include <pthread.h>

#include "engine/log/kafka.h"
#include "engine/log/kafka_message.h"

/* An append on its way. Each of its messages has its item, each item has the flight. */
struct dal_kafka_flight {
	struct dal_log_append *append;
	_Atomic size_t missing; /* reports */
	_Atomic int result;
	size_t bytes;
	struct dal_kafka_flight *next; /* of those that failed before they left */
};

/* What writing messages needs, one for each thread that does at this moment. */
struct dal_kafka_scribe {
	struct dal_json *json;
	struct dal_kafka_message message;
	struct dal_kafka_scribe *next;
};

struct dal_kafka_producer {
	rd_kafka_t *handle;
	rd_kafka_queue_t *reports;
	rd_kafka_topic_t **topics; /* one a topic of the log */
};

struct dal_kafka_appender {
	struct dal_kafka *kafka;
	pthread_t thread;
	pthread_rwlock_t use; /* written to replace what follows */
	struct dal_kafka_producer producer;
	_Atomic uint64_t pending_bytes;
	_Atomic uint32_t spread; /* for what has no key at all */
	atomic_bool stopping;
	pthread_mutex_t lock; /* for what follows */
	struct dal_kafka_scribe *scribes;
	struct dal_kafka_flight *failed;
	struct {
		struct dal_metric *appended, *failed, *full, *away, *pending;
	} metrics;
};

int dal_kafka_producer_open(struct dal_kafka *kafka, struct dal_kafka_producer *producer,
			    struct dal_error *error);
void dal_kafka_producer_close(struct dal_kafka *kafka, struct dal_kafka_producer *producer);

/* What an append's `done` gets for librdkafka's code of this item; sets item->refused. */
int dal_kafka_result(rd_kafka_resp_err_t code, struct dal_log_item *item);
/* The first failure of an append is its result. */
void dal_kafka_flight_fail(struct dal_kafka_flight *flight, int result);
void dal_kafka_scribe_free(struct dal_kafka_scribe *scribe);

#endif
