/*
 * Views: the entries of projections, one value a key.
 *
 * Value (format version 1): flags (u8: 1 parked), position of the last event folded in (offset as
 * varint, sized topic, partition as varint), when parked: the offset of the event that failed (as
 * position) and sized message; then the entry's canonical JSON to the end. An entry that is parked
 * and was never folded has empty JSON.
 * Threads: as state.h.
 */
#ifndef DAL_STATE_VIEW_H
#define DAL_STATE_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"
#include "engine/event/event.h"
#include "state/state.h"

struct dal_view_name {
	uint16_t lane;
	struct dal_slice projection;
	uint32_t version;
};

struct dal_view_entry {
	struct dal_slice json;     /* canonical */
	struct dal_place position; /* of the last event folded in */
	bool parked;
	struct dal_place parked_at; /* the event that failed */
	struct dal_slice message;
};

/* Appends the store key. */
void dal_view_key(const struct dal_view_name *name, struct dal_slice key, struct dal_buffer *out);
/* Appends the value. */
void dal_view_encode(const struct dal_view_entry *entry, struct dal_buffer *out);
/* Slices of `value`. False: broken. */
bool dal_view_decode(struct dal_slice value, struct dal_view_entry *entry);

/* 0 with slices of `memory` (cleared first), DAL_STATE_ABSENT, or negative (-EBADMSG: broken).
 * `snapshot` may be NULL. */
int dal_view_get(struct dal_state *state, const struct dal_store_snapshot *snapshot,
		 const struct dal_view_name *name, struct dal_slice key,
		 struct dal_view_entry *entry, struct dal_buffer *memory);

struct dal_view_range {
	struct dal_slice prefix;   /* or empty */
	struct dal_slice from, to; /* [from, to), or empty */
	struct dal_slice after;    /* a cursor: strictly behind this key */
	bool has_after;
	size_t limit; /* 0: none */
};

/* Calls `each` in key order, until it returns false. Sets *more if entries are left past the limit.
 * What `each` is given is valid until it returns. */
int dal_view_scan(struct dal_state *state, const struct dal_store_snapshot *snapshot,
		  const struct dal_view_name *name, const struct dal_view_range *range,
		  bool (*each)(struct dal_slice key, const struct dal_view_entry *entry, void *own),
		  void *own, bool *more);

/* The same one by one, for who walks several lanes at once; `limit` is not looked at. One thread.
 */
struct dal_view_cursor;

struct dal_view_cursor *dal_view_cursor_new(struct dal_state *state,
					    const struct dal_store_snapshot *snapshot,
					    const struct dal_view_name *name,
					    const struct dal_view_range *range);
void dal_view_cursor_free(struct dal_view_cursor *cursor); /* NULL is fine */
/* 0 with key and entry valid until the next call; DAL_STATE_ABSENT at the end; negative. */
int dal_view_cursor_next(struct dal_view_cursor *cursor, struct dal_slice *key,
			 struct dal_view_entry *entry);

/*
 * Parked keys have a record of their own, so that `status` can name them without a walk over all
 * entries:
 *	lane 'K' projection 0x00 version(u32be) key  ->  the entry's value, as above
 * Put it together with the entry, when it is parked and when it no longer is (that deletes it);
 * dal_state_projection_drop drops it with the version's entries.
 */
void dal_view_parked_put(struct dal_store_batch *batch, const struct dal_view_name *name,
			 struct dal_slice key, const struct dal_view_entry *entry);
/* All parked keys of a lane, until `each` returns false. */
int dal_view_parked_scan(struct dal_state *state, uint16_t lane,
			 bool (*each)(const struct dal_view_name *name, struct dal_slice key,
				      const struct dal_view_entry *entry, void *own),
			 void *own);

#endif
