#include "engine/log/recent.h"

#include <pthread.h>

#include "engine/base/memory.h"

enum { BLOCKS_MAX = 4096 };

struct dal_recent {
	pthread_mutex_t lock;
	size_t max_bytes, bytes;
	struct dal_block *blocks[BLOCKS_MAX]; /* a ring */
	size_t start, count;
};

struct dal_recent *dal_recent_new(size_t max_bytes)
{
	struct dal_recent *recent = dal_calloc(1, sizeof(*recent));
	pthread_mutex_init(&recent->lock, NULL);
	recent->max_bytes = max_bytes;
	return recent;
}

static struct dal_block *block_at(const struct dal_recent *recent, size_t i)
{
	return recent->blocks[(recent->start + i) % BLOCKS_MAX];
}

static void drop_first(struct dal_recent *recent)
{
	struct dal_block *block = block_at(recent, 0);
	recent->bytes -= dal_block_memory(block);
	recent->start = (recent->start + 1) % BLOCKS_MAX;
	recent->count--;
	dal_block_unref(block);
}

void dal_recent_free(struct dal_recent *recent)
{
	if (!recent) {
		return;
	}
	while (recent->count > 0) {
		drop_first(recent);
	}
	pthread_mutex_destroy(&recent->lock);
	free(recent);
}

void dal_recent_add(struct dal_recent *recent, struct dal_block *block)
{
	pthread_mutex_lock(&recent->lock);
	size_t size = dal_block_memory(block);
	while (recent->count > 0 &&
	       (recent->count == BLOCKS_MAX || recent->bytes + size > recent->max_bytes)) {
		drop_first(recent);
	}
	recent->blocks[(recent->start + recent->count) % BLOCKS_MAX] = dal_block_ref(block);
	recent->count++;
	recent->bytes += size;
	pthread_mutex_unlock(&recent->lock);
}

/* The last block that begins at or before the offset; the first one does. */
static struct dal_block *bisect(const struct dal_recent *recent, uint64_t offset)
{
	size_t low = 0;
	size_t high = recent->count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (block_at(recent, middle)->first <= offset) {
			low = middle;
		} else {
			high = middle;
		}
	}
	return block_at(recent, low);
}

struct dal_block *dal_recent_find(struct dal_recent *recent, uint64_t offset)
{
	struct dal_block *found = NULL;
	pthread_mutex_lock(&recent->lock);
	if (recent->count > 0 && block_at(recent, 0)->first <= offset) {
		struct dal_block *block = bisect(recent, offset);
		if (offset - block->first < block->count) {
			found = dal_block_ref(block);
		}
	}
	pthread_mutex_unlock(&recent->lock);
	return found;
}
