/*
 * How keys of the state begin (state.h has the layout): private to this folder.
 */
#ifndef DAL_STATE_KEY_H
#define DAL_STATE_KEY_H

#include <stdint.h>

#include "engine/base/slice.h"
#include "state/state.h"

#define DAL_STATE_VERSION 2
/* One byte: no lane's key is that short. */
#define DAL_KEY_FORMAT "F"
#define DAL_KEY_WIDTHS "W"

enum dal_key_kind {
	DAL_KEY_DEAD = 'D',
	DAL_KEY_IGNORED = 'G',
	DAL_KEY_STATUS = 'I',
	DAL_KEY_PROJECTION = 'J',
	DAL_KEY_PARKED = 'K',
	DAL_KEY_DELIVERED = 'L',
	DAL_KEY_OPEN = 'O',
	DAL_KEY_POSITION = 'P',
	DAL_KEY_REPEAT = 'R',
	DAL_KEY_ENTRY = 'V',
	DAL_KEY_EXPIRY = 'X',
};

static inline void dal_key_begin(struct dal_buffer *out, uint16_t lane, enum dal_key_kind kind)
{
	dal_buffer_u16be(out, lane);
	dal_buffer_byte(out, (char)kind);
}

/* A name ends with 0x00, which sorts before all that names may hold: no name's range holds
 * another's. */
static inline void dal_key_name(struct dal_buffer *out, struct dal_slice name)
{
	dal_buffer_slice_append(out, name);
	dal_buffer_byte(out, 0);
}

/* Reads a name and its 0x00 from the front. */
static inline bool dal_key_take_name(struct dal_slice *from, struct dal_slice *name)
{
	return dal_slice_cut(*from, 0, name, from);
}

#define DAL_KEY_HEAD_BYTES 3 /* lane and kind */

/* An iterator over all keys that begin with `prefix`. */
struct dal_store_iterator *dal_key_walk_new(struct dal_state *state, struct dal_slice prefix);
/* As dal_store_iterator_next, but `key` is what follows lane and kind. */
int dal_key_walk_next(struct dal_store_iterator *walk, struct dal_slice *key,
		      struct dal_slice *value);

#endif
