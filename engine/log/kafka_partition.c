#include <librdkafka/rdkafka.h>

#include "engine/log/kafka_record.h"

/* The partitioners are functions of the key and the count alone: they need no topic. */
int32_t dal_kafka_partition(const struct dal_kafka_topic *topic, struct dal_slice key)
{
	int32_t count = (int32_t)topic->partitions;

	return topic->crc32 ? rd_kafka_msg_partitioner_consistent(NULL, key.data, key.size, count,
								  NULL, NULL)
			    : rd_kafka_msg_partitioner_murmur2(NULL, key.data, key.size, count,
							       NULL, NULL);
}
