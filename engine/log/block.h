/*
 * The block: the unit in which the embedded log stores events, one value of its store.
 *
 * Key: 'B' and the offset of the first event (8 bytes). Integers are big-endian, varints LEB128.
 *
 *	at  size  field
 *	 0     4  "DLB1": the format and its version
 *	 4     4  bytes of the head: everything before the payload
 *	 8     8  dal_hash64, seed 0, of the head's bytes from 16 on
 *	16     8  dal_hash64, seed 0, of the payload as stored
 *	24     8  offset of the first event, from 1
 *	32     8  append time of all its events, microseconds since 1970
 *	40     4  flags: bit 0: the payload is one zstd frame; the others are 0
 *	44     4  number of events, at least 1
 *	48     4  number of topics, at least 1
 *	52     4  bytes of the payload as stored
 *	56     4  bytes of the events: of the payload once decompressed
 *	60        topics: their numbers (2 bytes each, ascending), see embedded.h
 *	          index: for each event its size (varint) and, if the block has more than one topic,
 *	          the number of its own (varint)
 *	          payload: the events' bytes, one behind the other
 *
 * Offsets inside a block and from block to block have no gaps. Events that share a block were made
 * durable by the same fsync and have the same append time. The two checksums let a reader of one
 * topic pass over blocks without touching their payload.
 *
 * In memory a block is decoded and shared: constant once built, freed with its last reference.
 * Any thread may hold one; the functions here have no state but the compressor they are given.
 */
#ifndef DAL_LOG_BLOCK_H
#define DAL_LOG_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/compress.h"
#include "engine/base/slice.h"
#include "engine/log/backend.h"

#define DAL_BLOCK_KEY_BYTES 9

struct dal_block_item {
	struct dal_slice event;
	uint16_t topic;
};

struct dal_block_entry {
	uint32_t end; /* of the event in the payload; it starts where the one before it ends */
	uint16_t topic;
};

struct dal_block {
	struct dal_hold hold; /* first, so that a batch holds the block by it */
	uint64_t first;
	int64_t appended_us;
	uint32_t count;
	uint32_t payload_bytes;
	char *payload; /* DAL_JSON_PADDING zero bytes follow it */
	struct dal_block_entry entries[];
};

/* What the head says; `topics` points into the value it was read from. */
struct dal_block_head {
	uint64_t first;
	int64_t appended_us;
	uint32_t count;
	uint32_t payload_bytes;
	bool compressed;
	struct dal_slice topics;
	struct dal_slice index;
	struct dal_slice stored;
	uint64_t stored_hash;
};

void dal_block_key(uint64_t first, uint8_t key[DAL_BLOCK_KEY_BYTES]);
/* False if it is not a block's key. */
bool dal_block_key_read(struct dal_slice key, uint64_t *first);

/* Copies the events. `count` is at least 1. The caller owns one reference. */
struct dal_block *dal_block_new(uint64_t first, int64_t appended_us,
				const struct dal_block_item *items, size_t count);
static inline struct dal_block *dal_block_ref(struct dal_block *block)
{
	dal_hold_ref(&block->hold);
	return block;
}
/* NULL is fine. */
static inline void dal_block_unref(struct dal_block *block)
{
	if (block) {
		dal_hold_unref(&block->hold);
	}
}
/* What it occupies in memory. */
size_t dal_block_memory(const struct dal_block *block);
static inline struct dal_slice dal_block_event(const struct dal_block *block, uint32_t i)
{
	uint32_t start = i ? block->entries[i - 1].end : 0;
	return dal_slice(block->payload + start, block->entries[i].end - start);
}

/* Appends the stored form; compresses where it pays. */
void dal_block_write(const struct dal_block *block, struct dal_compressor *compressor,
		     struct dal_buffer *out);
/* Checks all of the value but its index and payload. 0 or -EBADMSG: damaged, or of an unknown
 * version. */
int dal_block_head_read(struct dal_slice value, struct dal_block_head *head);
bool dal_block_head_has(const struct dal_block_head *head, uint16_t topic);
/* Decodes index and payload of a head that was read. 0 with a reference, or -EBADMSG. */
int dal_block_read(const struct dal_block_head *head, struct dal_compressor *compressor,
		   struct dal_block **block);

#endif
