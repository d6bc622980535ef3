/*
 * The rows that one batch of a lane touches: made, delivered, settled, buried, sent again.
 *
 * A row's whole way through a batch ends in one change of the store, from what it was before the
 * batch to what it is after it; so a completion that is read in the batch that makes its row needs
 * no special case. Belongs to the lane's thread.
 */
#ifndef DAL_STREAM_ROWS_H
#define DAL_STREAM_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "state/outbox.h"

struct dal_rows;

struct dal_touched {
	struct dal_row row;         /* slices of memory that lives as long as the batch */
	enum dal_row_status before; /* in the store */
	enum dal_row_status now;
	bool changed;       /* its row was, while its status stayed */
	bool revived;       /* it was a dead letter that this batch sent again */
	int64_t expires_us; /* of a settled one */
	char *id;           /* its text */
	struct dal_touched *next;
	struct dal_buffer memory, tries, completion; /* private: what the row's slices point to */
};

struct dal_rows *dal_rows_new(struct dal_state *state, uint16_t lane);
void dal_rows_free(struct dal_rows *rows);
/* Forgets what the batch touched. */
void dal_rows_clear(struct dal_rows *rows);

/* A row that the batch makes, as a copy; it starts open. `check`: the store may know its id: then
 * nothing is made. 0 or negative. */
int dal_rows_add(struct dal_rows *rows, const struct dal_row *row, bool check);
/* The row with this id as the batch has left it so far; before = now = UNKNOWN if there is none.
 * NULL on a read error (*error). */
struct dal_touched *dal_rows_find(struct dal_rows *rows, struct dal_slice id, int *error);
/* What replaces the row's tries or completion, as a copy. */
void dal_rows_tries(struct dal_touched *touched, struct dal_slice tries);
void dal_rows_completion(struct dal_touched *touched, struct dal_slice completion);
/* Writes all changes into a store batch, in the order the rows were touched. `sequence`: given to
 * rows that are sent again. */
void dal_rows_commit(struct dal_rows *rows, struct dal_store_batch *batch, uint64_t *sequence);
/* By how much the number of undelivered rows changes with the commit. */
int64_t dal_rows_undelivered(const struct dal_rows *rows);
int64_t dal_rows_dead(const struct dal_rows *rows); /* the same of dead letters */
size_t dal_rows_size(const struct dal_rows *rows);

#endif
