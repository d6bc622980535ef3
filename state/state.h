/*
 * The state of an engine: everything that is derived from the log, in one store.
 *
 * Position, views (view.h), outbox (outbox.h), dead letters: what one batch of the worker changes
 * goes into one store batch, so that all of it is there or nothing. It can be deleted at any time:
 * it is rebuilt from the log. A state belongs to one log: it records the log's id and is refused
 * with another. An unknown format version is refused.
 *
 * Keys (format version 2); a lane is a u16be, numbers are big-endian, 0x00 ends a name:
 *
 *	'F'                              format: u8 version, log id
 *	'W'                              widths: for each topic sized name and varint partitions
 *	                                 (no other key has one byte)
 *	lane 'P'                         position
 *	lane 'J' projection 0 u32        what is known of a projection's version
 *	lane 'V' projection 0 u32 key    an entry of that version (view.h)
 *	lane 'K' projection 0 u32 key    a parked key (view.h)
 *	lane 'O' target 0 u64            an open row, by its sequence (outbox.h)
 *	lane 'L' target 0 u64            a delivered row, not yet settled
 *	lane 'D' target 0 u64            a dead letter
 *	lane 'G' topic 0 u64             the offset of an event that is ignored: a completion that
 *	                                 came too late, a repeat; empty
 *	lane 'I' digest(16)              a row's status, by the digest of its id
 *	lane 'R' u64 record(24)          what a batch adds to the deduplication (repeat.h)
 *	lane 'X' u64 digest(16)          when (us) a settled id may be forgotten; empty
 *
 * Marks: varint count, for each sized topic and varint next (the partition is the lane's number).
 * Position: marks, varint appended_us, varint sequence, sized generation, marks (goal). Projection:
 *sized digest, u8 built, marks.
 *
 * Threads: the worker of a lane alone writes its keys (dal_store_write), but for versions of
 * projections that it does not run: these are built and dropped from beside. Any thread reads.
 */
#ifndef DAL_STATE_STATE_H
#define DAL_STATE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/slice.h"
#include "engine/event/position.h"
#include "state/store.h"

struct dal_state;

enum { DAL_STATE_ABSENT = 1, DAL_STATE_FOREIGN = 2 };

struct dal_state_position {
	struct dal_position next;    /* the first offsets that are not folded in */
	int64_t appended_us;         /* append time of the last event folded in; 0 if none */
	uint64_t sequence;           /* the next row's sequence, from 1 */
	struct dal_slice generation; /* of the rules that run (generation.h); may be empty */
	struct dal_position goal;    /* it is being rebuilt up to there; empty: it isn't */
	struct dal_buffer memory;
};

void dal_state_position_deinit(struct dal_state_position *position);

/*
 * Opens or makes it. `log_id` is recorded in a new one and compared with an old one's:
 * DAL_STATE_FOREIGN with `error` saying what to do. `read_only`: -ENOENT if it isn't there.
 */
int dal_state_open(const char *path, struct dal_slice log_id, bool read_only,
		   struct dal_state **state, struct dal_error *error);
void dal_state_close(struct dal_state *state);
struct dal_store *dal_state_store(struct dal_state *state);

/* How many partitions a topic has. */
struct dal_state_width {
	struct dal_slice topic;
	uint32_t partitions;
};

/*
 * Records the widths of topics that it does not know yet, and compares the others: keys lie
 * elsewhere once a topic has more partitions. DAL_STATE_FOREIGN with `error` saying what to do.
 */
int dal_state_widths(struct dal_state *state, const struct dal_state_width *widths, size_t count,
		     struct dal_error *error);

/* 0 or DAL_STATE_ABSENT (a new lane: no marks, sequence 1). -EBADMSG: broken. */
int dal_state_position_get(struct dal_state *state, uint16_t lane,
			   struct dal_state_position *position);
void dal_state_position_put(struct dal_store_batch *batch, uint16_t lane,
			    const struct dal_state_position *position);

/* What is known of a projection's version in a lane. */
struct dal_state_projection {
	struct dal_slice name; /* valid until the callback returns */
	uint32_t version;
	struct dal_slice digest; /* of its declaration */
	bool built;              /* follows the lane; else it is being built, up to `next` */
	struct dal_position next;
};

void dal_state_projection_put(struct dal_store_batch *batch, uint16_t lane,
			      const struct dal_state_projection *projection);
/* Also drops all its entries. */
void dal_state_projection_drop(struct dal_store_batch *batch, uint16_t lane, struct dal_slice name,
			       uint32_t version);
int dal_state_projections(struct dal_state *state, uint16_t lane,
			  void (*each)(const struct dal_state_projection *projection, void *own),
			  void *own);

/*
 * A digest (SHA-256) over what a rebuild from the same log must give again: the entries of all
 * projections (name, key, value; not the version's number) and the ids of the functions' rows that
 * are not settled, with whether they are dead letters. Not: rows for the log, delivered or open,
 * tries.
 */
int dal_state_digest(struct dal_state *state, uint16_t lane, char hex[65]);

#endif
