/*
 * Events as they go out to Kafka: the way back of kafka_record.h, which has the wire format. Pure:
 * knows no broker and no librdkafka. Private to the Kafka backend.
 *
 * An event goes out in binary mode if it comes back from that the same, attribute by attribute and
 * with its data's very bytes; else structured, as it is.
 */
#ifndef DAL_LOG_KAFKA_MESSAGE_H
#define DAL_LOG_KAFKA_MESSAGE_H

#include "engine/log/kafka_record.h"

struct dal_kafka_message {
	struct dal_kafka_header *headers;
	size_t header_count, header_capacity;
	struct dal_slice key, value;
	bool keyed, valued;
	struct dal_buffer text; /* private: what had to be made for it */
	size_t key_bytes;       /* private: the key begins it, if it is */
	bool key_at_path;       /* private: the one at the topic's path */
};

/*
 * Fills the message, which is used again and again; its slices point into the event, the parser and
 * the message. `json` is any parser. Key: the value at the topic's path, else partitionkey, else
 * subject, else none. 0 or -EBADMSG: it is no JSON.
 */
int dal_kafka_message_write(const struct dal_kafka_topic *topic, struct dal_slice event,
			    struct dal_json *json, struct dal_kafka_message *message);
void dal_kafka_message_deinit(struct dal_kafka_message *message);

/* Sixteen bytes that stand for a dedup key, or for item `index` under a request's key. */
struct dal_kafka_digest {
	uint8_t bytes[DAL_KAFKA_DEDUP_BYTES];
};

/* Whose append it is: others may write to a topic under keys that look the same. */
struct dal_kafka_appended {
	struct dal_slice log;   /* its id */
	struct dal_slice topic; /* as dalamb calls it */
};

/* Of an item with a key of its own. */
struct dal_kafka_digest dal_kafka_digest_of(const struct dal_kafka_appended *append,
					    struct dal_slice dedup);
/* Of an item of a request with a key. With another body it is another one: nobody answers 422 here,
 * and to drop it would lose it. */
struct dal_kafka_digest dal_kafka_digest_of_request(const struct dal_kafka_appended *append,
						    struct dal_slice key, struct dal_slice body,
						    size_t index);

#endif
