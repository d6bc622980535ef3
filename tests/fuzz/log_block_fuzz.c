/*
 * What the log reads from its store: blocks, dedup records, answers to repeated requests.
 *
 * The first byte says which: b, d, or a digit: an answer to so many items. Checksums are made right
 * first (but for B and D), or nothing would ever get past them: a checksum tells rot, it is no
 * proof of good intentions. What is taken must come back the same when it is written and read
 * again.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "engine/base/digest.h"
#include "engine/base/memory.h"
#include "engine/log/block.h"
#include "engine/log/dedup_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_u64(char *at, uint64_t value)
{
	for (int i = 7; i >= 0; i--) {
		at[i] = (char)value;
		value >>= 8;
	}
}

static void block_mend(char *value, size_t size)
{
	uint32_t head = 0;
	struct dal_slice rest = dal_slice(value + 4, size < 60 ? 0 : 4);
	if (dal_slice_take_u32be(&rest, &head) && head >= 60 && head <= size) {
		put_u64(value + 16, dal_hash64(dal_slice(value + head, size - head), 0));
		put_u64(value + 8, dal_hash64(dal_slice(value + 16, head - 16), 0));
	}
}

static struct dal_block *block_take(struct dal_slice value, struct dal_compressor *compressor)
{
	struct dal_block_head head;
	struct dal_block *block = NULL;
	int r = dal_block_head_read(value, &head);
	if (r == 0) {
		r = dal_block_read(&head, compressor, &block);
	}
	DAL_ASSERT(r == 0 || r == -EBADMSG);
	return block;
}

static void assert_equal(const struct dal_block *a, const struct dal_block *b)
{
	DAL_ASSERT(a->first == b->first && a->appended_us == b->appended_us &&
		   a->count == b->count);
	for (uint32_t i = 0; i < a->count; i++) {
		DAL_ASSERT(dal_slice_equal(dal_block_event(a, i), dal_block_event(b, i)));
		DAL_ASSERT(a->entries[i].topic == b->entries[i].topic);
	}
}

static void try_block(struct dal_slice value)
{
	struct dal_compressor *compressor = dal_compressor_new(1);
	struct dal_block *block = block_take(value, compressor);
	if (block) {
		struct dal_buffer again = {0};
		dal_block_write(block, compressor, &again);
		struct dal_block *other = block_take(dal_buffer_slice(&again), compressor);
		DAL_ASSERT(other);
		assert_equal(block, other);
		dal_block_unref(other);
		dal_block_unref(block);
		dal_buffer_deinit(&again);
	}
	dal_compressor_free(compressor);
}

static void try_record(struct dal_slice value)
{
	struct dal_dedup *dedup = dal_dedup_new(1000, 1000);
	dal_dedup_advance(dedup, 1);
	int r = dal_dedup_record_read(value, dedup);
	DAL_ASSERT(r == 0 || (r == -EBADMSG && dal_dedup_count(dedup) == 0));
	dal_dedup_free(dedup);
}

static void try_answer(struct dal_slice answer, size_t count)
{
	struct dal_log_item items[8] = {0};
	struct dal_slice body = DAL_SLICE_LITERAL("sixteen bytes: a");
	if (dal_dedup_answer_read(answer, body, items, count) == 0) {
		struct dal_log_item other[8] = {0};
		struct dal_buffer again = {0};
		dal_dedup_answer_write(body, items, count, &again);
		DAL_ASSERT(dal_dedup_answer_read(dal_buffer_slice(&again), body, other, count) ==
			   0);
		for (size_t i = 0; i < count; i++) {
			DAL_ASSERT(items[i].place.offset == other[i].place.offset);
		}
		dal_buffer_deinit(&again);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0) {
		return 0;
	}
	char *value = dal_malloc(size);
	size--;
	memcpy(value, data + 1, size);
	switch (data[0]) {
	case 'b':
		block_mend(value, size);
		try_block(dal_slice(value, size));
		break;
	case 'B':
		try_block(dal_slice(value, size));
		break;
	case 'd':
		if (size >= 12) {
			put_u64(value + 4, dal_hash64(dal_slice(value + 12, size - 12), 0));
		}
		try_record(dal_slice(value, size));
		break;
	case 'D':
		try_record(dal_slice(value, size));
		break;
	default:
		try_answer(dal_slice(value, size), data[0] % 8);
		break;
	}
	free(value);
	return 0;
}
