/*
 * An arena: many small pieces of memory that are freed together. Private to rules.
 */
#ifndef DAL_RULES_ARENA_H
#define DAL_RULES_ARENA_H

#include "engine/base/slice.h"

struct dal_arena_block;

struct dal_arena {                     /* a zeroed struct is an empty one */
	struct dal_arena_block *block; /* the newest, and through it all others */
	size_t used, size;             /* of it, in bytes */
	size_t total;                  /* of all blocks */
};

void dal_arena_deinit(struct dal_arena *arena);
/* Zeroed, aligned for pointers and numbers of 64 bits. */
void *dal_arena_take(struct dal_arena *arena, size_t size);
/* A copy; its data is never NULL. */
struct dal_slice dal_arena_copy(struct dal_arena *arena, struct dal_slice text);

#endif
