/*
 * A place inside a stored value: offset as varint, sized topic, partition as varint. Private to
 * this folder.
 */
#ifndef DAL_STATE_PLACE_H
#define DAL_STATE_PLACE_H

#include "engine/event/event.h"

static inline void dal_place_encode(const struct dal_place *place, struct dal_buffer *out)
{
	dal_buffer_varint(out, place->offset);
	dal_buffer_sized(out, place->topic);
	dal_buffer_varint(out, (uint32_t)place->partition);
}

/* From the front of `from`; the topic is a slice of it. False: broken. */
static inline bool dal_place_take(struct dal_slice *from, struct dal_place *place)
{
	uint64_t partition;

	if (!dal_slice_take_varint(from, &place->offset) ||
	    !dal_slice_take_sized(from, &place->topic) ||
	    !dal_slice_take_varint(from, &partition) || partition > INT32_MAX) {
		return false;
	}
	place->partition = (int32_t)partition;
	return true;
}

#endif
