#include "engine/log/block.h"

#include <errno.h>

#include "engine/base/digest.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"

static const char magic[4] = "DLB1";

enum {
	HEAD_FIXED_BYTES = 60,
	HASHED_FROM = 16,
	FLAG_COMPRESSED = 1,
	/* Below this a zstd frame's own overhead eats what it saves. */
	COMPRESS_MIN_BYTES = 256,
};

/* A block holds one event at least, however large, and others only up to its limit. */
#define PAYLOAD_MAX_BYTES (DAL_LIMIT_JSON_BYTES + DAL_LIMIT_LOG_BLOCK_BYTES)

void dal_block_key(uint64_t first, uint8_t key[DAL_BLOCK_KEY_BYTES])
{
	key[0] = 'B';
	for (int i = 8; i > 0; i--) {
		key[i] = (uint8_t)first;
		first >>= 8;
	}
}

bool dal_block_key_read(struct dal_slice key, uint64_t *first)
{
	uint8_t kind = 0;
	return dal_slice_take_u8(&key, &kind) && kind == 'B' && dal_slice_take_u64be(&key, first) &&
	       key.size == 0;
}

static void block_free(struct dal_hold *hold)
{
	struct dal_block *block = DAL_CONTAINER(hold, struct dal_block, hold);
	free(block->payload);
	free(block);
}

static struct dal_block *block_alloc(uint64_t first, int64_t appended_us, size_t count,
				     size_t payload_bytes)
{
	struct dal_block *block = dal_malloc(sizeof(*block) +
					     count * sizeof(struct dal_block_entry));
	dal_hold_init(&block->hold, block_free);
	block->first = first;
	block->appended_us = appended_us;
	block->count = (uint32_t)count;
	block->payload_bytes = (uint32_t)payload_bytes;
	block->payload = dal_malloc(payload_bytes + DAL_JSON_PADDING);
	memset(block->payload + payload_bytes, 0, DAL_JSON_PADDING);
	return block;
}

struct dal_block *dal_block_new(uint64_t first, int64_t appended_us,
				const struct dal_block_item *items, size_t count)
{
	size_t size = 0;
	for (size_t i = 0; i < count; i++) {
		size += items[i].event.size;
	}
	DAL_ASSERT(count > 0 && size <= PAYLOAD_MAX_BYTES);
	struct dal_block *block = block_alloc(first, appended_us, count, size);
	uint32_t end = 0;
	for (size_t i = 0; i < count; i++) {
		memcpy(block->payload + end, items[i].event.data, items[i].event.size);
		end += (uint32_t)items[i].event.size;
		block->entries[i] = (struct dal_block_entry){end, items[i].topic};
	}
	return block;
}

size_t dal_block_memory(const struct dal_block *block)
{
	return sizeof(*block) + block->count * sizeof(struct dal_block_entry) +
	       block->payload_bytes + DAL_JSON_PADDING;
}

/* --- writing --- */

/* The numbers of the block's topics, ascending, as stored. Most blocks have one. */
static size_t topics_write(const struct dal_block *block, struct dal_buffer *out)
{
	uint16_t numbers[UINT8_MAX + 1];
	size_t count = 0;
	for (uint32_t i = 0; i < block->count; i++) {
		uint16_t topic = block->entries[i].topic;
		size_t at = 0;
		while (at < count && numbers[at] < topic) {
			at++;
		}
		if (at == count || numbers[at] != topic) {
			DAL_ASSERT(count <= UINT8_MAX);
			memmove(&numbers[at + 1], &numbers[at], (count - at) * sizeof(numbers[0]));
			numbers[at] = topic;
			count++;
		}
	}
	for (size_t i = 0; i < count; i++) {
		dal_buffer_u16be(out, numbers[i]);
	}
	return count;
}

static void index_write(const struct dal_block *block, bool with_topics, struct dal_buffer *out)
{
	uint32_t start = 0;
	for (uint32_t i = 0; i < block->count; i++) {
		const struct dal_block_entry *entry = &block->entries[i];
		dal_buffer_varint(out, entry->end - start);
		if (with_topics) {
			dal_buffer_varint(out, entry->topic);
		}
		start = entry->end;
	}
}

/* Returns the flags. A frame that saves less than an eighth isn't worth its decompression. */
static uint32_t payload_write(const struct dal_block *block, struct dal_compressor *compressor,
			      struct dal_buffer *out)
{
	struct dal_slice payload = dal_slice(block->payload, block->payload_bytes);
	size_t start = out->size;
	if (payload.size >= COMPRESS_MIN_BYTES) {
		dal_compress(compressor, payload, out);
		if (out->size - start <= payload.size - payload.size / 8) {
			return FLAG_COMPRESSED;
		}
		out->size = start;
	}
	dal_buffer_slice_append(out, payload);
	return 0;
}

static void put_u32(char *at, uint32_t value)
{
	for (int i = 3; i >= 0; i--) {
		at[i] = (char)value;
		value >>= 8;
	}
}

static void put_u64(char *at, uint64_t value)
{
	put_u32(at, (uint32_t)(value >> 32));
	put_u32(at + 4, (uint32_t)value);
}

void dal_block_write(const struct dal_block *block, struct dal_compressor *compressor,
		     struct dal_buffer *out)
{
	size_t start = out->size;
	memset(dal_buffer_reserve(out, HEAD_FIXED_BYTES), 0, HEAD_FIXED_BYTES);
	out->size += HEAD_FIXED_BYTES;
	size_t topics = topics_write(block, out);
	index_write(block, topics > 1, out);
	size_t head_bytes = out->size - start;
	uint32_t flags = payload_write(block, compressor, out);
	size_t stored_bytes = out->size - start - head_bytes;

	char *head = out->data + start;
	memcpy(head, magic, sizeof(magic));
	put_u32(head + 4, (uint32_t)head_bytes);
	put_u64(head + 16, dal_hash64(dal_slice(head + head_bytes, stored_bytes), 0));
	put_u64(head + 24, block->first);
	put_u64(head + 32, (uint64_t)block->appended_us);
	put_u32(head + 40, flags);
	put_u32(head + 44, block->count);
	put_u32(head + 48, (uint32_t)topics);
	put_u32(head + 52, (uint32_t)stored_bytes);
	put_u32(head + 56, block->payload_bytes);
	put_u64(head + 8, dal_hash64(dal_slice(head + HASHED_FROM, head_bytes - HASHED_FROM), 0));
}

/* --- reading --- */

struct fixed {
	uint32_t head_bytes, flags, count, topics, stored_bytes, payload_bytes;
	uint64_t head_hash, stored_hash, first, appended_us;
};

static bool fixed_read(struct dal_slice value, struct fixed *f)
{
	struct dal_slice name;
	return dal_slice_take(&value, sizeof(magic), &name) &&
	       memcmp(name.data, magic, sizeof(magic)) == 0 &&
	       dal_slice_take_u32be(&value, &f->head_bytes) &&
	       dal_slice_take_u64be(&value, &f->head_hash) &&
	       dal_slice_take_u64be(&value, &f->stored_hash) &&
	       dal_slice_take_u64be(&value, &f->first) &&
	       dal_slice_take_u64be(&value, &f->appended_us) &&
	       dal_slice_take_u32be(&value, &f->flags) && dal_slice_take_u32be(&value, &f->count) &&
	       dal_slice_take_u32be(&value, &f->topics) &&
	       dal_slice_take_u32be(&value, &f->stored_bytes) &&
	       dal_slice_take_u32be(&value, &f->payload_bytes);
}

/* Every size agrees with the value's, and no count can be more than its bytes allow. */
static bool fixed_sane(const struct fixed *f, size_t value_bytes)
{
	return f->head_bytes >= HEAD_FIXED_BYTES && f->head_bytes <= value_bytes &&
	       f->stored_bytes == value_bytes - f->head_bytes && f->topics > 0 &&
	       f->topics <= (f->head_bytes - HEAD_FIXED_BYTES) / 2 && f->count > 0 &&
	       f->count <= f->head_bytes - HEAD_FIXED_BYTES - 2 * f->topics &&
	       f->payload_bytes <= PAYLOAD_MAX_BYTES &&
	       (f->flags & ~(uint32_t)FLAG_COMPRESSED) == 0 &&
	       (f->flags || f->stored_bytes == f->payload_bytes) && f->first > 0 &&
	       f->first <= UINT64_MAX - f->count && f->appended_us <= INT64_MAX;
}

int dal_block_head_read(struct dal_slice value, struct dal_block_head *head)
{
	struct fixed f;
	if (!fixed_read(value, &f) || !fixed_sane(&f, value.size)) {
		return -EBADMSG;
	}
	struct dal_slice hashed = dal_slice(value.data + HASHED_FROM, f.head_bytes - HASHED_FROM);
	if (dal_hash64(hashed, 0) != f.head_hash) {
		return -EBADMSG;
	}
	const char *topics = value.data + HEAD_FIXED_BYTES;
	const char *index = topics + 2 * (size_t)f.topics;
	const char *stored = value.data + f.head_bytes;
	*head = (struct dal_block_head){
		.first = f.first,
		.appended_us = (int64_t)f.appended_us,
		.count = f.count,
		.payload_bytes = f.payload_bytes,
		.compressed = f.flags & FLAG_COMPRESSED,
		.topics = dal_slice(topics, 2 * (size_t)f.topics),
		.index = dal_slice(index, (size_t)(stored - index)),
		.stored = dal_slice(stored, f.stored_bytes),
		.stored_hash = f.stored_hash,
	};
	return 0;
}

bool dal_block_head_has(const struct dal_block_head *head, uint16_t topic)
{
	struct dal_slice rest = head->topics;
	uint16_t number = 0;
	while (dal_slice_take_u16be(&rest, &number)) {
		if (number == topic) {
			return true;
		}
	}
	return false;
}

/* Fills the entries; they cover the payload exactly and name only topics that the head has. */
static bool index_read(const struct dal_block_head *head, struct dal_block *block)
{
	struct dal_slice rest = head->index;
	struct dal_slice topics = head->topics;
	uint16_t only = 0;
	bool many = topics.size > sizeof(only);
	dal_slice_take_u16be(&topics, &only);
	uint64_t topic = only;
	uint64_t end = 0;
	for (uint32_t i = 0; i < block->count; i++) {
		uint64_t size = 0;
		if (!dal_slice_take_varint(&rest, &size) || size > block->payload_bytes - end) {
			return false;
		}
		if (many && (!dal_slice_take_varint(&rest, &topic) || topic > UINT16_MAX ||
			     !dal_block_head_has(head, (uint16_t)topic))) {
			return false;
		}
		end += size;
		block->entries[i] = (struct dal_block_entry){(uint32_t)end, (uint16_t)topic};
	}
	return rest.size == 0 && end == block->payload_bytes;
}

static bool payload_read(const struct dal_block_head *head, struct dal_compressor *compressor,
			 struct dal_block *block)
{
	if (dal_hash64(head->stored, 0) != head->stored_hash) {
		return false;
	}
	if (!head->compressed) {
		memcpy(block->payload, head->stored.data, block->payload_bytes);
		return true;
	}
	/* In place: with `max_size` as its capacity the borrowed buffer never grows. */
	struct dal_buffer out = {.data = block->payload, .capacity = block->payload_bytes};
	int r = dal_decompress(compressor, head->stored, block->payload_bytes, &out);
	return r == 0 && out.size == block->payload_bytes;
}

int dal_block_read(const struct dal_block_head *head, struct dal_compressor *compressor,
		   struct dal_block **out)
{
	struct dal_block *block = block_alloc(head->first, head->appended_us, head->count,
					      head->payload_bytes);
	if (!index_read(head, block) || !payload_read(head, compressor, block)) {
		dal_block_unref(block);
		return -EBADMSG;
	}
	*out = block;
	return 0;
}
