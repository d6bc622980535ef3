/*
 * Questions to the brokers and orders to them, each waiting for its answer: for opening the log,
 * and for who watches the group. Private to the Kafka backend. Any thread.
 */
#ifndef DAL_LOG_KAFKA_ADMIN_H
#define DAL_LOG_KAFKA_ADMIN_H

#include "engine/base/limits.h"
#include "engine/log/kafka.h"

/* How many partitions a topic has, 0: it isn't there. -EHOSTUNREACH: no answer. */
int dal_kafka_admin_partitions(rd_kafka_t *handle, const struct dal_kafka *kafka, const char *topic,
			       int timeout_ms, uint32_t *partitions, struct dal_error *error);
/* One of dalamb's own. */
int dal_kafka_admin_make(rd_kafka_t *handle, const char *topic, uint32_t partitions,
			 struct dal_error *error);

struct dal_kafka_topic_config {
	bool compacted;
	int64_t max_bytes; /* -1: not known */
};

int dal_kafka_admin_config(rd_kafka_t *handle, const char *topic,
			   struct dal_kafka_topic_config *config, struct dal_error *error);
/*
 * Is a member in the group that has this instance id (`same`), or one that hasn't? 1: `who` names
 * the first, 0: none. Negative with `error`; -EAGAIN: nobody can tell at the moment.
 */
int dal_kafka_admin_member(rd_kafka_t *handle, const char *group, const char *instance, bool same,
			   char *who, size_t size, struct dal_error *error);

#endif
