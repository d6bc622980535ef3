#include "state/key.h"
#include "state/outbox.h"
#include "state/place.h"

#define ROW_VERSION 1

static void row_id_encode(const struct dal_row_id *id, struct dal_buffer *out)
{
	dal_buffer_sized(out, id->log);
	dal_place_encode(&id->cause, out);
	dal_buffer_sized(out, id->declaration);
	dal_buffer_sized(out, id->target);
	dal_buffer_varint(out, id->index);
}

void dal_row_encode(const struct dal_row *row, struct dal_buffer *out)
{
	dal_buffer_byte(out, ROW_VERSION);
	dal_buffer_varint(out, row->sequence);
	row_id_encode(&row->id, out);
	dal_buffer_sized(out, row->function);
	dal_buffer_sized(out, row->topic);
	dal_buffer_sized(out, row->order);
	dal_buffer_sized(out, row->subject);
	dal_buffer_sized(out, row->generation);
	dal_buffer_varint(out, (uint64_t)row->hops);
	dal_buffer_varint(out, (uint64_t)row->caused_us);
	dal_buffer_sized(out, row->payload);
	dal_buffer_varint(out, row->attempts);
	dal_buffer_varint(out, (uint64_t)row->due_us);
	dal_buffer_sized(out, row->tries);
	dal_buffer_varint(out, row->revived);
	dal_buffer_sized(out, row->completion);
	dal_place_encode(&row->completed, out);
	dal_buffer_varint(out, (uint64_t)row->died_us);
}

static bool take_i64(struct dal_slice *from, int64_t *out)
{
	uint64_t value;

	if (!dal_slice_take_varint(from, &value)) {
		return false;
	}
	*out = (int64_t)value;
	return true;
}

static bool take_u32(struct dal_slice *from, uint32_t *out)
{
	uint64_t value;

	if (!dal_slice_take_varint(from, &value) || value > UINT32_MAX) {
		return false;
	}
	*out = (uint32_t)value;
	return true;
}

static bool row_id_take(struct dal_slice *from, struct dal_row_id *id)
{
	return dal_slice_take_sized(from, &id->log) && dal_place_take(from, &id->cause) &&
	       dal_slice_take_sized(from, &id->declaration) &&
	       dal_slice_take_sized(from, &id->target) && take_u32(from, &id->index);
}

bool dal_row_decode(struct dal_slice value, struct dal_row *row)
{
	uint8_t version;

	*row = (struct dal_row){0};
	return dal_slice_take_u8(&value, &version) && version == ROW_VERSION &&
	       dal_slice_take_varint(&value, &row->sequence) && row_id_take(&value, &row->id) &&
	       dal_slice_take_sized(&value, &row->function) &&
	       dal_slice_take_sized(&value, &row->topic) &&
	       dal_slice_take_sized(&value, &row->order) &&
	       dal_slice_take_sized(&value, &row->subject) &&
	       dal_slice_take_sized(&value, &row->generation) && take_i64(&value, &row->hops) &&
	       take_i64(&value, &row->caused_us) && dal_slice_take_sized(&value, &row->payload) &&
	       take_u32(&value, &row->attempts) && take_i64(&value, &row->due_us) &&
	       dal_slice_take_sized(&value, &row->tries) && take_u32(&value, &row->revived) &&
	       dal_slice_take_sized(&value, &row->completion) &&
	       dal_place_take(&value, &row->completed) && take_i64(&value, &row->died_us) &&
	       value.size == 0;
}
