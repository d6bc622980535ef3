/*
 * The dedup record: what a group of appends adds to the deduplication, written in the batch that
 * appends it, kept for the window and then deleted.
 *
 * Key: 'D', append time of the group (8 bytes), number of the record in it (2 bytes). Integers are
 * big-endian, varints LEB128.
 *
 *	at  size  field
 *	 0     4  "DLD1": the format and its version
 *	 4     8  dal_hash64, seed 0, of all that follows
 *	12        events: their number (varint), then for each its offset less the one before it in
 *	          this record (varint; the first less 0) and its key (16 bytes)
 *	          requests: their number (varint), then for each its key (16 bytes) and its answer
 *	          (varint size and bytes)
 *
 * A key is two dal_hash64 of the text, under two seeds that the log keeps secret (meta.h).
 *
 * An answer is the first 16 bytes of the body's digest, the number of items (varint), and for each
 * item its offset less (the previous item's + 1) as a zigzag varint; the first less 0.
 *
 * Records are cut at DAL_DEDUP_RECORD_EVENTS, which keeps them out of RocksDB's blob files: so
 * compaction gives their space back when they are deleted.
 */
#ifndef DAL_LOG_DEDUP_RECORD_H
#define DAL_LOG_DEDUP_RECORD_H

#include "engine/base/slice.h"
#include "engine/log/dedup.h"
#include "engine/log/log.h"

#define DAL_DEDUP_RECORD_EVENTS 200
#define DAL_DEDUP_KEY_BYTES 11
#define DAL_DEDUP_BODY_BYTES 16

struct dal_dedup_event {
	struct dal_table_key key;
	uint64_t offset;
};

struct dal_dedup_request {
	struct dal_table_key key;
	struct dal_slice answer;
};

void dal_dedup_record_key(int64_t time_us, uint16_t number, uint8_t key[DAL_DEDUP_KEY_BYTES]);
/* False if it is not such a key. */
bool dal_dedup_record_key_read(struct dal_slice key, int64_t *time_us);

/* Appends a record; offsets ascend. */
void dal_dedup_record_write(const struct dal_dedup_event *events, size_t events_count,
			    const struct dal_dedup_request *requests, size_t requests_count,
			    struct dal_buffer *out);
/* Adds all that the record holds to `dedup` (advanced to its time). 0, or -EBADMSG with nothing
 * added. */
int dal_dedup_record_read(struct dal_slice value, struct dal_dedup *dedup);

/* Appends the answer to a request whose items have got their places. */
void dal_dedup_answer_write(struct dal_slice body, const struct dal_log_item *items, size_t count,
			    struct dal_buffer *out);
/* Fills the items' places. 0, DAL_LOG_CONFLICT if body or number of items differ, or -EBADMSG. */
int dal_dedup_answer_read(struct dal_slice answer, struct dal_slice body,
			  struct dal_log_item *items, size_t count);

#endif
