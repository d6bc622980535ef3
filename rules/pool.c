#include "rules/pool.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/memory.h"

#define SLAB_FIRST (16u << 10)
#define SLAB_BYTES (256u << 10)

/* Address sanitizers see what happens to a block only if it is the heap's. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNPOOLED
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define UNPOOLED
#endif

struct dal_pool_block {
	struct dal_pool_block *next;
};

struct dal_pool_slab {
	struct dal_pool_slab *next;
	_Alignas(DAL_POOL_STEP) char bytes[];
};

/* The list that holds blocks of this size; 0: the heap. */
static size_t class_of(size_t size)
{
#ifdef UNPOOLED
	(void)size;
	return 0;
#else
	size_t class = (size + DAL_POOL_STEP - 1) / DAL_POOL_STEP;
	return class <= DAL_POOL_CLASSES ? class : 0;
#endif
}

static void give(struct dal_pool *pool, size_t class, void *data)
{
	struct dal_pool_block *block = data;
	block->next = pool->free[class];
	pool->free[class] = block;
}

/* What is left of a slab that is too small for a block is enough for a smaller one. */
static void slab_add(struct dal_pool *pool)
{
	size_t left = (size_t)(pool->end - pool->at) / DAL_POOL_STEP;
	size_t size = pool->slabs == NULL ? SLAB_FIRST : SLAB_BYTES;
	struct dal_pool_slab *slab = dal_malloc(sizeof(*slab) + size);
	if (left > 0) {
		give(pool, left, pool->at);
	}
	slab->next = pool->slabs;
	pool->slabs = slab;
	pool->at = slab->bytes;
	pool->end = slab->bytes + size;
}

static void *take(struct dal_pool *pool, size_t class)
{
	struct dal_pool_block *block = pool->free[class];
	size_t size = class * DAL_POOL_STEP;
	if (block != NULL) {
		pool->free[class] = block->next;
		return block;
	}
	if ((size_t)(pool->end - pool->at) < size) {
		slab_add(pool);
	}
	pool->at += size;
	return pool->at - size;
}

static void *renew(struct dal_pool *pool, size_t size)
{
	size_t class = class_of(size);
	return class > 0 ? take(pool, class) : dal_malloc(size);
}

static void release(struct dal_pool *pool, void *old, size_t size)
{
	size_t class = class_of(size);
	if (class > 0) {
		give(pool, class, old);
	} else {
		free(old);
	}
}

void *dal_pool_resize(struct dal_pool *pool, void *old, size_t old_size, size_t size)
{
	if (old == NULL) {
		return size > 0 ? renew(pool, size) : NULL;
	}
	if (size == 0) {
		release(pool, old, old_size);
		return NULL;
	}
	size_t before = class_of(old_size), after = class_of(size);
	if (before == after) {
		return before > 0 ? old : dal_realloc(old, size);
	}
	void *data = renew(pool, size);
	memcpy(data, old, old_size < size ? old_size : size);
	release(pool, old, old_size);
	return data;
}

void dal_pool_deinit(struct dal_pool *pool)
{
	while (pool->slabs != NULL) {
		struct dal_pool_slab *slab = pool->slabs;
		pool->slabs = slab->next;
		free(slab);
	}
}
