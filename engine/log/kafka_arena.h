/*
 * Memory for the events of one batch: given out in pieces, given back as a whole when the batch's
 * last hold is dropped. Private to the Kafka backend. One thread fills it, any may drop it.
 */
#ifndef DAL_LOG_KAFKA_ARENA_H
#define DAL_LOG_KAFKA_ARENA_H

#include "engine/base/clock.h"
#include "engine/log/backend.h"

struct dal_kafka_chunk;

struct dal_kafka_arena {
	struct dal_hold hold; /* first; whoever made the arena has a reference */
	struct dal_kafka_chunk *chunks;
	char *at;    /* free from here */
	size_t left; /* so many bytes */
	/* The time that was written last: records that came together have it in common. */
	int64_t time_ms; /* negative: none yet */
	char time[DAL_CLOCK_TEXT_BYTES];
};

struct dal_kafka_arena *dal_kafka_arena_new(void);
/* A buffer of at least `size` bytes to be filled by its own functions, never beyond that. */
struct dal_buffer dal_kafka_arena_reserve(struct dal_kafka_arena *arena, size_t size);
/* Keeps what was filled, with `padding` readable bytes behind it, which were reserved, too. */
struct dal_slice dal_kafka_arena_keep(struct dal_kafka_arena *arena,
				      const struct dal_buffer *filled, size_t padding);
struct dal_slice dal_kafka_arena_copy(struct dal_kafka_arena *arena, struct dal_slice bytes);

/* The time as RFC 3339, until the next one is asked for. */
const char *dal_kafka_arena_time(struct dal_kafka_arena *arena, int64_t time_ms);

#endif
