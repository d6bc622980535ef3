#include "engine/log/kafka_producer.h"

#include "engine/base/memory.h"
#include "engine/log/kafka_admin.h"

int dal_kafka_producer_open(struct dal_kafka *kafka, struct dal_kafka_producer *producer,
			    struct dal_error *error)
{
	char *bytes = dal_asprintf("%lld", (long long)DAL_KAFKA_VALUE_BYTES);
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

void dal_kafka_producer_close(struct dal_kafka *kafka, struct dal_kafka_producer *producer)
{
	for (size_t i = 0; i < kafka->topic_count; i++) {
		rd_kafka_topic_destroy(producer->topics[i]);
	}
	free(producer->topics);
	rd_kafka_queue_destroy(producer->reports);
	rd_kafka_destroy(producer->handle);
}
