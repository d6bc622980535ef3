/*
 * One partition as a reader reads it: a queue of librdkafka, of which the first record is looked at
 * before it is taken, so that several can be merged. Private to the Kafka backend; on the reader's
 * thread.
 */
#ifndef DAL_LOG_KAFKA_SOURCE_H
#define DAL_LOG_KAFKA_SOURCE_H

#include "engine/log/kafka.h"

struct dal_kafka_source {
	struct dal_kafka *kafka;
	const struct dal_kafka_topic *topic;
	int32_t partition;
	uint32_t number; /* among the log's partitions */
	struct dal_kafka_handle *handle;
	rd_kafka_queue_t *queue;
	rd_kafka_message_t *head; /* or NULL; an error of a record is one, too */
	int64_t next;             /* the first offset not given yet; -1: not known yet */
	int64_t told;             /* as `next` when the watch was told last */
	int64_t target;           /* it is at the end when it is here, as was known last */
	bool at_end;              /* there is nothing behind `next` now */
	int64_t empty_us;         /* since when there is neither, 0: not so */
};

enum { DAL_KAFKA_HEAD = 0, DAL_KAFKA_EMPTY = 1, DAL_KAFKA_LOST = 2 };

/* From `next` on, or from the first there is. When its queue fills, `wake` is called on a thread
 * of librdkafka. */
void dal_kafka_source_start(struct dal_kafka_source *source, void (*wake)(rd_kafka_t *, void *),
			    void *own);
void dal_kafka_source_stop(struct dal_kafka_source *source);
/* Looks for a head. LOST: what is at `next` is not there; it must be started anew. */
int dal_kafka_source_poll(struct dal_kafka_source *source);
/* Takes the head as a record. */
void dal_kafka_source_take(struct dal_kafka_source *source, struct dal_json *json,
			   struct dal_kafka_arena *arena, struct dal_log_record *record);

static inline bool dal_kafka_source_settled(const struct dal_kafka_source *source)
{
	return source->head || source->at_end ||
	       (source->next >= 0 && source->target >= 0 && source->next >= source->target);
}

/* The head's time in milliseconds; of an error the first there is. */
int64_t dal_kafka_source_time(const struct dal_kafka_source *source);

#endif
