#include <stdio.h>

#include "engine/event/event.h"

void dal_place_format(const struct dal_place *place, struct dal_buffer *out)
{
	dal_buffer_slice_append(out, place->topic);
	dal_buffer_printf(out, "/%d/%llu", place->partition, (unsigned long long)place->offset);
}

/* Takes what is before the next '/'; false if it is empty. The last part has no '/' behind it. */
static bool take_part(struct dal_slice *rest, bool last, struct dal_slice *part)
{
	if (last) {
		*part = *rest;
		return part->size > 0 && !memchr(part->data, '/', part->size);
	}
	return dal_slice_cut(*rest, '/', part, rest) && part->size > 0;
}

/* Decimal, in the one way to write it. */
static bool read_number(struct dal_slice text, uint64_t largest, uint64_t *number)
{
	return dal_slice_to_u64(text, number) && *number <= largest &&
	       (text.size == 1 || text.data[0] != '0');
}

/* "topic/partition/offset", and if not `last`, '/' and more. */
static bool take_place(struct dal_slice *rest, bool last, struct dal_place *place)
{
	struct dal_slice topic, partition, offset;
	uint64_t number;
	if (!take_part(rest, false, &topic) || !take_part(rest, false, &partition) ||
	    !take_part(rest, last, &offset) || !read_number(partition, INT32_MAX, &number)) {
		return false;
	}
	place->topic = topic;
	place->partition = (int32_t)number;
	return read_number(offset, UINT64_MAX, &place->offset);
}

bool dal_place_parse(struct dal_slice text, const char *default_topic, struct dal_place *place)
{
	if (default_topic && read_number(text, UINT64_MAX, &place->offset)) {
		place->topic = dal_slice_text(default_topic);
		place->partition = 0;
		return true;
	}
	return take_place(&text, true, place);
}

void dal_row_id_format(const struct dal_row_id *id, struct dal_buffer *out)
{
	dal_buffer_slice_append(out, id->log);
	dal_buffer_byte(out, '/');
	dal_place_format(&id->cause, out);
	dal_buffer_byte(out, '/');
	dal_buffer_slice_append(out, id->declaration);
	dal_buffer_byte(out, '/');
	dal_buffer_slice_append(out, id->target);
	dal_buffer_printf(out, "/%u", id->index);
}

bool dal_row_id_parse(struct dal_slice text, struct dal_row_id *id)
{
	struct dal_slice index;
	uint64_t number;
	if (!take_part(&text, false, &id->log) || !take_place(&text, false, &id->cause) ||
	    !take_part(&text, false, &id->declaration) || !take_part(&text, false, &id->target) ||
	    !take_part(&text, true, &index) || !read_number(index, UINT32_MAX, &number)) {
		return false;
	}
	id->index = (uint32_t)number;
	return true;
}
