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

/* --- of the embedded log --- */

static void write_offset(struct dal_slice log_id, uint64_t offset, struct dal_buffer *out)
{
	struct dal_buffer content = {0};

	dal_buffer_varint(&content, offset);
	dal_buffer_u32be(&content, tag_of(log_id));
	dal_cursor_write(DAL_CURSOR_EVENT, dal_buffer_slice(&content), out);
	dal_buffer_deinit(&content);
}

static bool take_offset(struct dal_slice rest, uint32_t log, struct dal_position *next)
{
	uint64_t offset;
	uint32_t tag;

	if (!dal_slice_take_varint(&rest, &offset) || !dal_slice_take_u32be(&rest, &tag) ||
	    rest.size > 0 || tag != log) {
		return false;
	}
	dal_position_set(next, dal_slice_text(DAL_POSITION_ALL_TOPICS), 0, offset);
	return true;
}

/* --- of one with partitions --- */

/* The marks of one topic, from `first` on; returns how many. */
static size_t put_topic(const struct dal_position *next, size_t first, struct dal_buffer *content)
{
	struct dal_slice topic = next->marks[first].topic;
	size_t end = first;

	while (end < next->count && dal_slice_equal(next->marks[end].topic, topic)) {
		end++;
	}
	dal_buffer_sized(content, topic);
	dal_buffer_varint(content, end - first);
	for (size_t i = first; i < end; i++) {
		dal_buffer_varint(content, (uint32_t)next->marks[i].partition);
		dal_buffer_varint(content, next->marks[i].next);
	}
	return end - first;
}

static void write_marks(struct dal_slice log_id, uint16_t lane, const struct dal_position *next,
			struct dal_buffer *out)
{
	struct dal_buffer content = {0};

	dal_buffer_u32be(&content, tag_of(log_id));
	dal_buffer_u16be(&content, lane);
	for (size_t i = 0; i < next->count;) {
		i += put_topic(next, i, &content);
	}
	dal_cursor_write(DAL_CURSOR_MARKS, dal_buffer_slice(&content), out);
	dal_buffer_deinit(&content);
}

static bool take_topic(struct dal_slice *rest, struct dal_position *next)
{
	struct dal_slice topic;
	uint64_t count, partition, offset;

	if (!dal_slice_take_sized(rest, &topic) || !dal_slice_take_varint(rest, &count)) {
		return false;
	}
	for (uint64_t i = 0; i < count; i++) {
		if (!dal_slice_take_varint(rest, &partition) || partition > INT32_MAX ||
		    !dal_slice_take_varint(rest, &offset)) {
			return false;
		}
		dal_position_set(next, topic, (int32_t)partition, offset);
	}
	return true;
}

static bool take_marks(struct dal_slice rest, uint32_t log, uint16_t *lane,
		       struct dal_position *next)
{
	uint32_t tag;
	bool ok = dal_slice_take_u32be(&rest, &tag) && tag == log &&
		  dal_slice_take_u16be(&rest, lane);

	while (ok && rest.size > 0) {
		ok = take_topic(&rest, next);
	}
	return ok;
}

/* --- either --- */

void dal_cursor_write_position(struct dal_slice log_id, uint16_t lane,
			       const struct dal_position *next, struct dal_buffer *out)
{
	if (next->count == 1 && dal_slice_is(next->marks[0].topic, DAL_POSITION_ALL_TOPICS)) {
		write_offset(log_id, next->marks[0].next, out);
	} else {
		write_marks(log_id, lane, next, out);
	}
}

bool dal_cursor_read_position(struct dal_slice text, struct dal_slice log_id, bool one_sequence,
			      uint16_t *lane, struct dal_position *next)
{
	struct dal_buffer content = {0};
	bool ok = dal_cursor_read(text, one_sequence ? DAL_CURSOR_EVENT : DAL_CURSOR_MARKS,
				  &content);

	dal_position_deinit(next);
	if (ok && one_sequence) {
		ok = take_offset(dal_buffer_slice(&content), tag_of(log_id), next);
	} else if (ok) {
		ok = take_marks(dal_buffer_slice(&content), tag_of(log_id), lane, next);
	}
	dal_buffer_deinit(&content);
	return ok;
}
