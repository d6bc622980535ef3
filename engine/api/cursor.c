#include "engine/api/cursor.h"

#include "engine/base/digest.h"

#define VERSION 1

void dal_cursor_write(enum dal_cursor_kind kind, struct dal_slice content, struct dal_buffer *out)
{
	struct dal_buffer bytes = {0};

	dal_buffer_byte(&bytes, VERSION);
	dal_buffer_byte(&bytes, (char)kind);
	dal_buffer_slice_append(&bytes, content);
	dal_base64url_encode(dal_buffer_slice(&bytes), out);
	dal_buffer_deinit(&bytes);
}

void dal_cursor_write_number(enum dal_cursor_kind kind, uint64_t number, struct dal_buffer *out)
{
	struct dal_buffer content = {0};

	dal_buffer_varint(&content, number);
	dal_cursor_write(kind, dal_buffer_slice(&content), out);
	dal_buffer_deinit(&content);
}

bool dal_cursor_read(struct dal_slice text, enum dal_cursor_kind kind, struct dal_buffer *content)
{
	struct dal_buffer bytes = {0};
	struct dal_slice rest;
	uint8_t version, found;
	bool ok = dal_base64url_decode(text, &bytes);

	rest = dal_buffer_slice(&bytes);
	ok = ok && dal_slice_take_u8(&rest, &version) && dal_slice_take_u8(&rest, &found) &&
	     version == VERSION && found == kind;
	dal_buffer_clear(content);
	if (ok) {
		dal_buffer_slice_append(content, rest);
	}
	dal_buffer_deinit(&bytes);
	return ok;
}

bool dal_cursor_read_number(struct dal_slice text, enum dal_cursor_kind kind, uint64_t *number)
{
	struct dal_buffer content = {0};
	struct dal_slice rest;
	bool ok = dal_cursor_read(text, kind, &content);

	rest = dal_buffer_slice(&content);
	ok = ok && dal_slice_take_varint(&rest, number) && rest.size == 0;
	dal_buffer_deinit(&content);
	return ok;
}

static uint32_t tag_of(struct dal_slice log_id)
{
	return (uint32_t)dal_hash64(log_id, 0);
}

void dal_cursor_write_event(struct dal_slice log_id, uint64_t offset, struct dal_buffer *out)
{
	struct dal_buffer content = {0};

	dal_buffer_varint(&content, offset);
	dal_buffer_u32be(&content, tag_of(log_id));
	dal_cursor_write(DAL_CURSOR_EVENT, dal_buffer_slice(&content), out);
	dal_buffer_deinit(&content);
}

bool dal_cursor_read_event(struct dal_slice text, struct dal_slice log_id, uint64_t *offset)
{
	struct dal_buffer content = {0};
	struct dal_slice rest;
	uint32_t tag;
	bool ok = dal_cursor_read(text, DAL_CURSOR_EVENT, &content);

	rest = dal_buffer_slice(&content);
	ok = ok && dal_slice_take_varint(&rest, offset) && dal_slice_take_u32be(&rest, &tag) &&
	     rest.size == 0 && tag == tag_of(log_id);
	dal_buffer_deinit(&content);
	return ok;
}
