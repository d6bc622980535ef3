/*
 * The memory of one Lua state: small blocks lie in lists by their size, so that taking and giving
 * one back are a few instructions, and the values of a hundred thousand entries don't scatter the
 * heap. Large ones are the heap's. What small blocks held once is kept for small blocks until the
 * end; how much that can be the sandbox's limits say. Private to rules; one thread.
 */
#ifndef DAL_RULES_POOL_H
#define DAL_RULES_POOL_H

#include <stddef.h>

enum { DAL_POOL_STEP = 16, DAL_POOL_CLASSES = 16 };

struct dal_pool_block;
struct dal_pool_slab;

struct dal_pool {
	struct dal_pool_block *free[DAL_POOL_CLASSES + 1]; /* by size in steps, rounded up */
	struct dal_pool_slab *slabs;
	char *at, *end; /* what is left of the newest slab */
};

/* As realloc; the old size is known. `size` 0 frees. */
void *dal_pool_resize(struct dal_pool *pool, void *old, size_t old_size, size_t size);
/* All blocks were given back. */
void dal_pool_deinit(struct dal_pool *pool);

#endif
