/*
 * Cursors: where a list goes on, as opaque URL-safe text; also the id of an event in a tail.
 *
 * Format: base64url (RFC 4648 section 5, no padding) of u8 version 1, u8 kind, then what the kind
 * says. A cursor of one kind is refused where another is expected. Any thread.
 */
#ifndef DAL_API_CURSOR_H
#define DAL_API_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"
#include "engine/event/position.h"

enum dal_cursor_kind {
	/* Of the embedded log. varint: the next offset; u32be: a hash of the log's id. */
	DAL_CURSOR_EVENT = 'e',
	/* Of a log with partitions. u32be: a hash of the log's id; u16be: the lane that is read, or
	 * 0xffff; for each topic its name (sized), varint: how many marks follow, for each varint
	 * partition and varint next offset. */
	DAL_CURSOR_MARKS = 'm',
	DAL_CURSOR_ENTRY = 'k', /* the last key that was given */
	DAL_CURSOR_DEAD = 'l',  /* varint: lane; varint: the last row's sequence; its function */
	DAL_CURSOR_RULE = 'r',  /* varint: the next rule's index */
};

/* Both append. */
void dal_cursor_write(enum dal_cursor_kind kind, struct dal_slice content, struct dal_buffer *out);
void dal_cursor_write_number(enum dal_cursor_kind kind, uint64_t number, struct dal_buffer *out);
/* `content` is cleared, and filled. */
bool dal_cursor_read(struct dal_slice text, enum dal_cursor_kind kind, struct dal_buffer *content);
bool dal_cursor_read_number(struct dal_slice text, enum dal_cursor_kind kind, uint64_t *number);
/*
 * Where a reader of a log goes on: refused with another log, whose offsets mean other events. What
 * is written is of kind EVENT for a position of the embedded log, MARKS for any other (whose marks
 * stand by topic). Reading replaces `next`; `one_sequence` says which kind is expected.
 */
void dal_cursor_write_position(struct dal_slice log_id, uint16_t lane,
			       const struct dal_position *next, struct dal_buffer *out);
bool dal_cursor_read_position(struct dal_slice text, struct dal_slice log_id, bool one_sequence,
			      uint16_t *lane, struct dal_position *next);

#endif
