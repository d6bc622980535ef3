/*
 * The outbox: rows that are to leave, made by the worker in the batch that caused them.
 *
 * A row is one call of one function, one emitted event, or one report of a failure (events.md,
 * "Row"). It is open, then delivered (its completion is durable), then settled (the worker has read
 * the completion in the log): then only its id's digest is kept, until it expires. A completion
 * read before its row is remembered, and the row is born settled. A row that failed for good is a
 * dead letter. Rows for the log (emits, reports) have the empty target in their key, so that they
 * keep one order; nothing is looked up by their ids, so they have no status: they are there or
 * gone.
 *
 * Row (format version 1): u8 version, then the fields of struct dal_row in their order: integers as
 * varints, slices sized, places as offset, sized topic, partition. Status (key 'I'): u8 status,
 * then when settled: varint of when it expires, else: varint sequence, sized function. The digest
 * of an id is the first 16 bytes of its SHA-256.
 *
 * Threads: the worker of the lane writes into its batch; dispatch and queries read by any thread.
 * What a batch holds that is not written yet is seen by the functions ending in `_in` alone, for
 * the worker: while it catches up, a row and its completion may meet in one batch.
 */
#ifndef DAL_STATE_OUTBOX_H
#define DAL_STATE_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"
#include "engine/event/event.h"
#include "state/state.h"

struct dal_row {
	uint64_t sequence; /* in the lane, from 1; part of the key */
	struct dal_row_id id;
	struct dal_slice function;   /* for calls: its name; empty: the row goes to the log */
	struct dal_slice topic;      /* for the log: where to */
	struct dal_slice order;      /* order key; empty: none */
	struct dal_slice subject;    /* of the cause */
	struct dal_slice generation; /* of the rules that made it (generation.h) */
	int64_t hops;                /* of the event that will carry it: the cause's + 1 */
	int64_t caused_us;           /* append time of the cause: its age counts from here */
	struct dal_slice payload;    /* what the function gets; for the log: the whole event */
	/* delivery so far */
	uint32_t attempts;      /* that have failed */
	int64_t due_us;         /* not before; 0: now */
	struct dal_slice tries; /* JSON array of the failed tries, or empty */
	uint32_t revived;       /* how often it was a dead letter and sent again */
	/* of a dead letter */
	struct dal_slice completion; /* the data of its dalamb.function.failed, JSON */
	struct dal_place completed;  /* where that event stands */
	int64_t died_us;
};

/* Stored: append only. */
enum dal_row_status {
	DAL_ROW_UNKNOWN,
	DAL_ROW_OPEN,
	DAL_ROW_DELIVERED,
	DAL_ROW_SETTLED,
	DAL_ROW_DEAD,
};

void dal_row_encode(const struct dal_row *row, struct dal_buffer *out);
bool dal_row_decode(struct dal_slice value, struct dal_row *row); /* slices of `value` */

/* Changes, into the worker's batch. `row->id` must be whole. */
void dal_outbox_open(struct dal_store_batch *batch, uint16_t lane, const struct dal_row *row);
/* After a failed try: attempts, due_us and tries are as given. */
void dal_outbox_update(struct dal_store_batch *batch, uint16_t lane, const struct dal_row *row);
void dal_outbox_deliver(struct dal_store_batch *batch, uint16_t lane, const struct dal_row *row);
/* Forgets the row, keeps its id until expires_us. Of a row that is not known yet: `id` alone is
 * given (sequence 0), and remembered. */
void dal_outbox_settle(struct dal_store_batch *batch, uint16_t lane, const struct dal_row *row,
		       int64_t expires_us);
/* For rows to the log: gone; they have no status record (their append settles them). */
void dal_outbox_remove(struct dal_store_batch *batch, uint16_t lane, const struct dal_row *row);
void dal_outbox_bury(struct dal_store_batch *batch, uint16_t lane, const struct dal_row *row);
/* A dead letter (`row`, under its own sequence) back to open, behind all others: attempts 0,
 * revived + 1, and a new sequence. */
void dal_outbox_revive(struct dal_store_batch *batch, uint16_t lane, const struct dal_row *row,
		       uint64_t sequence);
/* A dead letter that was dropped: settled. */
void dal_outbox_drop(struct dal_store_batch *batch, uint16_t lane, const struct dal_row *row,
		     int64_t expires_us);
/* Forgets settled ids that expired before now_us, `limit` at the most; returns how many it went
 * through (below the limit: there are no more), or negative. */
int dal_outbox_expire(struct dal_state *state, struct dal_store_batch *batch, uint16_t lane,
		      int64_t now_us, size_t limit);

/* A completion that is not its row's first is ignored, and so is a repeat: so they must be by a
 * projection that is built later, when they can't be told any more. They are remembered by their
 * places; there are few. */
void dal_outbox_ignore(struct dal_store_batch *batch, uint16_t lane, const struct dal_place *place);
int dal_outbox_ignored(struct dal_state *state, uint16_t lane, const struct dal_place *place,
		       bool *ignored);

/*
 * The status of a function's row by its id; for OPEN, DELIVERED and DEAD, `function` (slice of
 * memory, which is cleared) and sequence too. 0 (UNKNOWN is a status), or negative.
 */
int dal_outbox_status(struct dal_state *state, uint16_t lane, struct dal_slice row_id,
		      enum dal_row_status *status, struct dal_slice *function, uint64_t *sequence,
		      struct dal_buffer *memory);
/* Until when a settled one is remembered: an id that expired counts as forgotten, whether or not
 * dal_outbox_expire has come to it. 0 if it is not settled. */
int dal_outbox_settled_until(struct dal_state *state, uint16_t lane, struct dal_slice row_id,
			     int64_t *expires_us);
/* As dal_outbox_status after writing `batch` (made by dal_store_batch_new_indexed). */
int dal_outbox_status_in(struct dal_state *state, const struct dal_store_batch *batch,
			 uint16_t lane, struct dal_slice row_id, enum dal_row_status *status,
			 struct dal_slice *function, uint64_t *sequence, struct dal_buffer *memory);
/* One row, whole; `memory` is cleared and holds it. 0 or DAL_STATE_ABSENT. */
int dal_outbox_get(struct dal_state *state, uint16_t lane, enum dal_row_status status,
		   struct dal_slice function, uint64_t sequence, struct dal_row *row,
		   struct dal_buffer *memory);
int dal_outbox_get_in(struct dal_state *state, const struct dal_store_batch *batch, uint16_t lane,
		      enum dal_row_status status, struct dal_slice function, uint64_t sequence,
		      struct dal_row *row, struct dal_buffer *memory);

/*
 * Walks rows of one status (OPEN, DELIVERED, DEAD) in order of sequence: of one function, of the
 * log (empty slice), or of all targets (`function` NULL: by target, then sequence), from `sequence`
 * on. Until `each` returns false. What it is given is valid until it returns.
 */
int dal_outbox_scan(struct dal_state *state, uint16_t lane, enum dal_row_status status,
		    const struct dal_slice *function, uint64_t sequence,
		    bool (*each)(const struct dal_row *row, void *own), void *own);
/* The functions that have rows of this status, and the empty slice if there are rows for the log,
 * in order; rows are skipped, not walked. Until `each` returns false. */
int dal_outbox_targets(struct dal_state *state, uint16_t lane, enum dal_row_status status,
		       bool (*each)(struct dal_slice function, void *own), void *own);
/* How many rows there are, of all targets. Walks them all: for the start. */
int dal_outbox_count(struct dal_state *state, uint16_t lane, uint64_t *open, uint64_t *delivered,
		     uint64_t *dead);

#endif
