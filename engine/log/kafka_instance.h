/*
 * Who we are in the group: an instance id, random, kept in the data folder, so that a restart is
 * the same member come back. And that nobody else is there. Private to the Kafka backend; at open.
 */
#ifndef DAL_LOG_KAFKA_INSTANCE_H
#define DAL_LOG_KAFKA_INSTANCE_H

#include "engine/log/kafka.h"

#define DAL_KAFKA_INSTANCE_FILE "kafka-member"
#define DAL_KAFKA_INSTANCE_BYTES 80

/* `instance` has room for DAL_KAFKA_INSTANCE_BYTES. The file is made if there is none. */
int dal_kafka_instance_read(const char *data, char *instance, struct dal_error *error);
/* How long a member that died is one still. */
int64_t dal_kafka_session_ms(const struct dal_kafka *kafka);
/* What to do about another member, described as dal_kafka_admin_member does. In a group of its own
 * the same app would call its functions twice. */
const char *dal_kafka_others_remedy(const char *app, const char *who);

/* Waits for one that may be dead; -EBUSY: another is alive. */
int dal_kafka_others_await(struct dal_kafka *kafka, const char *instance, struct dal_error *error);

#endif
