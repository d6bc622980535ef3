#include "rules/arena.h"

#include <stdalign.h>

#include "engine/base/memory.h"

#define SMALLEST_BLOCK 240
#define LARGEST_BLOCK (64 * 1024)

struct dal_arena_block {
	struct dal_arena_block *next;
	alignas(uint64_t) char bytes[];
};

void dal_arena_deinit(struct dal_arena *arena)
{
	while (arena->block) {
		struct dal_arena_block *block = arena->block;
		arena->block = block->next;
		free(block);
	}
}

static void *take(struct dal_arena *arena, size_t size, size_t align)
{
	size_t at = (arena->used + align - 1) / align * align;

	if (!arena->block || at + size > arena->size) {
		size_t capacity = arena->total / 2;
		capacity = capacity < SMALLEST_BLOCK ? SMALLEST_BLOCK : capacity;
		capacity = capacity > LARGEST_BLOCK ? LARGEST_BLOCK : capacity;
		capacity = capacity < size ? size : capacity;
		struct dal_arena_block *block = dal_malloc(sizeof(*block) + capacity);
		block->next = arena->block;
		arena->block = block;
		arena->size = capacity;
		arena->total += capacity;
		at = 0;
	}
	arena->used = at + size;
	return arena->block->bytes + at;
}

void *dal_arena_take(struct dal_arena *arena, size_t size)
{
	void *memory = take(arena, size, alignof(uint64_t));
	memset(memory, 0, size);
	return memory;
}

struct dal_slice dal_arena_copy(struct dal_arena *arena, struct dal_slice text)
{
	char *memory = take(arena, text.size, 1);
	if (text.size > 0) {
		memcpy(memory, text.data, text.size);
	}
	return dal_slice(memory, text.size);
}
