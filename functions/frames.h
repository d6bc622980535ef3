/*
 * The stream of a container without a terminal: pieces of its stdout and stderr, each behind a head
 * of eight bytes (the stream: 1 or 2, three zeroes, the piece's length as four bytes big-endian).
 * Source: Docker's Engine API 1.41, "Attach to a container". Any thread.
 *
 *	struct dal_frames frames = {0};
 *	while (dal_frames_next(&frames, &received, &piece)) {
 *		write_all(piece);
 *	}
 */
#ifndef DAL_FUNCTIONS_FRAMES_H
#define DAL_FUNCTIONS_FRAMES_H

#include "engine/base/slice.h"

struct dal_frames {
	char head[8];
	size_t head_size; /* what of it has come */
	uint32_t left;    /* of the piece whose head was whole */
};

/* Takes the next piece, or what there is of one, from the front of `*from`; false when it is
 * used up. */
bool dal_frames_next(struct dal_frames *frames, struct dal_slice *from, struct dal_slice *piece);

#endif
