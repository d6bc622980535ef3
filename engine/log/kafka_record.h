/*
 * Records as they lie on Kafka, and what they are to dalamb. Pure: knows no broker and no
 * librdkafka. Private to the Kafka backend.
 *
 * The wire format, in both directions, is the Kafka protocol binding for CloudEvents 1.0.2
 * (cloudevents/bindings/kafka-protocol-binding.md):
 *
 * binary      (3.2) a header `ce_NAME` for each attribute, UTF-8 text; `content-type` is
 *             datacontenttype; the value is the data. Without content-type, or with one of JSON, it
 *             is `data`, any other is `data_base64`; a null value is no data, nor is an empty one
 *             that should be JSON.
 * structured  (3.3) `content-type: application/cloudevents+json`, the value is the event. Without
 *             that header and any ce_ header also a JSON object with text as its specversion, id,
 *             source and type. The bytes stay as they are. Batches (3.4 has none) are refused.
 * else        the record is wrapped: `type` and `source` as its topic declares, id = its position,
 *             time = the record's, subject = its key if that is plain text; `data` if the value is
 *             JSON, else `data_base64`; none if it is null.
 *
 * dalamb's own producer adds the header `dalamb_dedup`, 32 hexadecimal digits, to what it writes to
 * any topic: two records of a partition with the same one are the same append tried twice.
 * `dalambhops` is an integer, as it was before it became a header.
 *
 * Topics: `events` and `system` are <app>.events and <app>.system, any other has its own name.
 */
#ifndef DAL_LOG_KAFKA_RECORD_H
#define DAL_LOG_KAFKA_RECORD_H

#include "engine/base/limits.h"
#include "engine/event/path.h"
#include "engine/log/kafka_arena.h"

/* The largest value, read or written: a webhook whose body is no JSON, in base64, with its
 * envelope. A larger one is refused. */
#define DAL_KAFKA_VALUE_BYTES (DAL_LIMIT_WEBHOOK_BYTES / 3 * 4 + DAL_MIB)
/* The end of the year 9999: what is later has no time. */
#define DAL_KAFKA_TIME_MAX_MS 253402300799999ll
/* A record with more headers is refused. */
#define DAL_KAFKA_HEADERS_MAX 64
#define DAL_KAFKA_DEDUP_HEADER "dalamb_dedup"
#define DAL_KAFKA_DEDUP_BYTES 16
#define DAL_KAFKA_CONTENT_TYPE "content-type"
#define DAL_KAFKA_ATTRIBUTE_PREFIX "ce_"

struct dal_kafka_topic {
	const char *name;   /* as dalamb calls it */
	const char *remote; /* as Kafka does */
	bool own;
	bool system;               /* it is dalamb's `system` */
	uint32_t partitions;       /* as it was at open */
	uint32_t first;            /* its partition 0 among the log's, in the order of the topics */
	const char *type, *source; /* of what is wrapped */
	struct dal_path *key;      /* or NULL */
	bool crc32;                /* who produces to it partitions so; else murmur2 */
	bool halt_on_wrong_key;
};

struct dal_kafka_header {
	struct dal_slice name, value;
	bool null;
};

struct dal_kafka_record {
	const struct dal_kafka_topic *topic;
	int32_t partition;
	uint64_t offset;
	int64_t time_ms; /* negative: it has none */
	struct dal_slice key, value;
	bool keyed, valued; /* they are not null */
	const struct dal_kafka_header *headers;
	size_t header_count;
};

/*
 * Fills `out` with the record as an event (or why it is none), its bytes in the arena. What is not
 * validated here (all but the JSON of wrapped values) is by whoever parses it, as log.h says.
 * `json` is any parser.
 */
void dal_kafka_record_read(const struct dal_kafka_record *record, struct dal_json *json,
			   struct dal_kafka_arena *arena, struct dal_log_record *out);
/* A record that can't be had, with the reason. */
void dal_kafka_record_refuse(const struct dal_kafka_record *record, struct dal_kafka_arena *arena,
			     struct dal_log_record *out, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* dal_log_accept for a record of this topic. */
bool dal_kafka_record_accept(const struct dal_kafka_topic *topic,
			     const struct dal_log_record *record, const struct dal_event *event,
			     bool *halt, struct dal_error *why);
/* Where the topic's partitioner puts a key (kafka_partition.c: the partitioners are librdkafka's).
 */
int32_t dal_kafka_partition(const struct dal_kafka_topic *topic, struct dal_slice key);
/* Is it a content type of JSON: application/json, text/json, anything with +json? */
bool dal_kafka_is_json(struct dal_slice content_type);
/* Is it one of a CloudEvent, or of several: application/cloudevents...? */
bool dal_kafka_is_event(struct dal_slice content_type);

#endif
