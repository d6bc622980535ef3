/*
 * The deduplication's records: what each batch of a lane has seen of keys under which events were
 * appended, kept for the window so that a restart goes on where it stood (engine/stream/repeats.h
 * holds them in memory). Only on logs that give records with such keys.
 *
 * Key: lane 'R', append time of the batch's last event (us, u64be), the first record of the batch
 * (no other batch has the same). Value: records, for each key 16 bytes, then the append time of its
 * first event (us, u64be).
 *
 * Threads: as state.h.
 */
#ifndef DAL_STATE_REPEAT_H
#define DAL_STATE_REPEAT_H

#include <stdint.h>

#include "state/state.h"

#define DAL_REPEAT_KEY_BYTES 16
#define DAL_REPEAT_RECORD_BYTES (DAL_REPEAT_KEY_BYTES + 8)

/* `records` holds DAL_REPEAT_RECORD_BYTES each, one at least. */
void dal_repeat_put(struct dal_store_batch *batch, uint16_t lane, int64_t time_us,
		    struct dal_slice records);
/* Drops all batches that ended before this time. */
void dal_repeat_drop(struct dal_store_batch *batch, uint16_t lane, int64_t before_us);
/* All that are kept, in the order of their times. 0 or negative (-EBADMSG: broken). */
int dal_repeat_scan(struct dal_state *state, uint16_t lane,
		    void (*each)(int64_t time_us, struct dal_slice records, void *own), void *own);

#endif
