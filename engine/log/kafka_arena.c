#include "engine/log/kafka_arena.h"

#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"

#define CHUNK_BYTES (256 * DAL_KIB)

struct dal_kafka_chunk {
	struct dal_kafka_chunk *next;
	char bytes[];
};

static void arena_free(struct dal_hold *hold)
{
	struct dal_kafka_arena *arena = DAL_CONTAINER(hold, struct dal_kafka_arena, hold);

	while (arena->chunks) {
		struct dal_kafka_chunk *chunk = arena->chunks;
		arena->chunks = chunk->next;
		free(chunk);
	}
	free(arena);
}

struct dal_kafka_arena *dal_kafka_arena_new(void)
{
	struct dal_kafka_arena *arena = dal_calloc(1, sizeof(*arena));

	dal_hold_init(&arena->hold, arena_free);
	arena->time_ms = -1;
	return arena;
}

struct dal_buffer dal_kafka_arena_reserve(struct dal_kafka_arena *arena, size_t size)
{
	if (size > arena->left) {
		size_t bytes = size > CHUNK_BYTES ? size : CHUNK_BYTES;
		struct dal_kafka_chunk *chunk = dal_malloc(sizeof(*chunk) + bytes);
		chunk->next = arena->chunks;
		arena->chunks = chunk;
		arena->at = chunk->bytes;
		arena->left = bytes;
	}
	return (struct dal_buffer){.data = arena->at, .capacity = arena->left};
}

struct dal_slice dal_kafka_arena_keep(struct dal_kafka_arena *arena,
				      const struct dal_buffer *filled, size_t padding)
{
	struct dal_slice kept = dal_buffer_slice(filled);

	DAL_ASSERT(filled->data == arena->at && filled->size + padding <= arena->left);
	arena->at += filled->size + padding;
	arena->left -= filled->size + padding;
	return kept;
}

struct dal_slice dal_kafka_arena_copy(struct dal_kafka_arena *arena, struct dal_slice bytes)
{
	struct dal_buffer copy = dal_kafka_arena_reserve(arena, bytes.size);

	if (bytes.size == 0) {
		return (struct dal_slice){0};
	}
	dal_buffer_slice_append(&copy, bytes);
	return dal_kafka_arena_keep(arena, &copy, 0);
}

const char *dal_kafka_arena_time(struct dal_kafka_arena *arena, int64_t time_ms)
{
	if (arena->time_ms != time_ms) {
		dal_clock_format(time_ms * 1000, arena->time);
		arena->time_ms = time_ms;
	}
	return arena->time;
}
