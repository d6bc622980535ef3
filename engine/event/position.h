/*
 * A position: where something stands on the log, as the next offset of each partition.
 *
 * The embedded log is one sequence, so its positions have one mark, of topic "*" and partition 0:
 * such a mark stands for all topics. On Kafka a lane's position has a mark for each topic that it
 * reads, and one of the whole log has a mark for each partition.
 *
 * A zeroed struct is the position before everything; it has no marks. It owns its marks and their
 * topics. One thread at a time.
 */
#ifndef DAL_EVENT_POSITION_H
#define DAL_EVENT_POSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/slice.h"
#include "engine/event/event.h"

#define DAL_POSITION_ALL_TOPICS "*"

struct dal_mark {
	struct dal_slice topic;
	int32_t partition;
	uint64_t next; /* the first offset not read yet */
};

struct dal_position {
	struct dal_mark *marks;
	size_t count, capacity;
};

/* Of the embedded log, to be read only; it lives as long as the block of code it is written in. */
#define DAL_POSITION_AT(offset)                                                                    \
	(&(struct dal_position){                                                                   \
		.marks = &(struct dal_mark){.topic = {DAL_POSITION_ALL_TOPICS, 1},                 \
					    .next = (offset)},                                     \
		.count = 1,                                                                        \
	})

void dal_position_deinit(struct dal_position *position); /* also clears it */
void dal_position_copy(struct dal_position *to, const struct dal_position *from);
/* Sets the mark, or adds it. */
void dal_position_set(struct dal_position *position, struct dal_slice topic, int32_t partition,
		      uint64_t next);
/* The mark of a topic's partition, or the one of all topics; NULL: there is none. */
struct dal_mark *dal_position_find(const struct dal_position *position, struct dal_slice topic,
				   int32_t partition);
/* The next offset there; 0 without a mark. */
uint64_t dal_position_next(const struct dal_position *position, struct dal_slice topic,
			   int32_t partition);
/* Goes on behind this event. */
void dal_position_pass(struct dal_position *position, const struct dal_place *place);
/* Is the event before it? */
bool dal_position_has(const struct dal_position *position, const struct dal_place *place);
/* Does it stand at or behind every mark of the other? */
bool dal_position_reached(const struct dal_position *position, const struct dal_position *other);
/* Sets each mark that lacks or lies before the other's to the other's. */
void dal_position_advance(struct dal_position *position, const struct dal_position *other);
/* Offsets from here to the end: events, and on Kafka what counts as an offset besides. */
uint64_t dal_position_distance(const struct dal_position *position, const struct dal_position *end);
bool dal_position_equal(const struct dal_position *a, const struct dal_position *b);

#endif
