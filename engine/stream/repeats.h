/*
 * Repeats: which keys of appends a lane has seen within the window, for logs that leave it to the
 * reader to drop what was appended twice (struct dal_log_record, `dedup`).
 *
 * What the running batch adds is kept apart until it is committed, and written with it
 * (state/repeat.h). A repeat is told by append times alone, so that batches of one and of thousands
 * and a restart in between tell the same; past so many entries the oldest go early.
 * One thread: the lane's.
 */
#ifndef DAL_STREAM_REPEATS_H
#define DAL_STREAM_REPEATS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"
#include "state/repeat.h"

struct dal_repeats;

/* 0: DAL_LIMIT_DEDUP_WINDOW_MS and DAL_LIMIT_DEDUP_ENTRIES. */
struct dal_repeats *dal_repeats_new(int64_t window_us, size_t entries);
void dal_repeats_free(struct dal_repeats *repeats); /* NULL is fine */
/* What the state holds, at open. 0 or negative. */
int dal_repeats_read(struct dal_repeats *repeats, struct dal_state *state, uint16_t lane);

/* Was there one with this key (16 bytes) within the window before? If not, this is the first. */
bool dal_repeats_seen(struct dal_repeats *repeats, struct dal_slice key, int64_t appended_us);

/* The batch that is being written ends at this time. */
void dal_repeats_commit(struct dal_repeats *repeats, struct dal_store_batch *batch, uint16_t lane,
			int64_t time_us);
void dal_repeats_discard(struct dal_repeats *repeats);

#endif
