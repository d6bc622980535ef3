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

enum dal_cursor_kind {
	DAL_CURSOR_EVENT = 'e', /* varint: the next offset; u32be: a hash of the log's id */
	DAL_CURSOR_ENTRY = 'k', /* the last key that was given */
	DAL_CURSOR_DEAD = 'd',  /* varint: the last row's sequence; its function's name */
	DAL_CURSOR_RULE = 'r',  /* varint: the next rule's index */
};

/* Both append. */
void dal_cursor_write(enum dal_cursor_kind kind, struct dal_slice content, struct dal_buffer *out);
void dal_cursor_write_number(enum dal_cursor_kind kind, uint64_t number, struct dal_buffer *out);
/* `content` is cleared, and filled. */
bool dal_cursor_read(struct dal_slice text, enum dal_cursor_kind kind, struct dal_buffer *content);
bool dal_cursor_read_number(struct dal_slice text, enum dal_cursor_kind kind, uint64_t *number);
/* Of one log: refused with another, whose offsets mean other events. */
void dal_cursor_write_event(struct dal_slice log_id, uint64_t offset, struct dal_buffer *out);
bool dal_cursor_read_event(struct dal_slice text, struct dal_slice log_id, uint64_t *offset);

#endif
