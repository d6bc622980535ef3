#include "state/outbox.h"

#include <errno.h>

#include "engine/base/digest.h"
#include "state/key.h"

#define ID_BYTES 16

/* --- keys --- */

static void row_key(uint16_t lane, enum dal_key_kind kind, struct dal_slice function,
		    uint64_t sequence, struct dal_buffer *out)
{
	dal_key_begin(out, lane, kind);
	dal_key_name(out, function);
	dal_buffer_u64be(out, sequence);
}

static enum dal_key_kind kind_of(enum dal_row_status status)
{
	DAL_ASSERT(status == DAL_ROW_OPEN || status == DAL_ROW_DELIVERED || status == DAL_ROW_DEAD);
	return status == DAL_ROW_OPEN        ? DAL_KEY_OPEN
	       : status == DAL_ROW_DELIVERED ? DAL_KEY_DELIVERED
					     : DAL_KEY_DEAD;
}

static void id_append(struct dal_slice row_id, struct dal_buffer *out)
{
	struct dal_digest digest = dal_digest_of(row_id);

	dal_buffer_append(out, digest.bytes, ID_BYTES);
}

static void status_key(uint16_t lane, const struct dal_row *row, struct dal_buffer *out)
{
	struct dal_buffer id = {0};

	dal_row_id_format(&row->id, &id);
	dal_key_begin(out, lane, DAL_KEY_STATUS);
	id_append(dal_buffer_slice(&id), out);
	dal_buffer_deinit(&id);
}

/* --- changes --- */

static bool is_for_log(const struct dal_row *row)
{
	return row->function.size == 0;
}

static void row_put(struct dal_store_batch *batch, uint16_t lane, enum dal_row_status status,
		    const struct dal_row *row)
{
	struct dal_buffer key = {0}, value = {0};

	DAL_ASSERT(row->sequence > 0);
	row_key(lane, kind_of(status), row->function, row->sequence, &key);
	dal_row_encode(row, &value);
	dal_store_batch_put(batch, dal_buffer_slice(&key), dal_buffer_slice(&value));
	dal_buffer_deinit(&key);
	dal_buffer_deinit(&value);
}

static void row_delete(struct dal_store_batch *batch, uint16_t lane, enum dal_row_status status,
		       const struct dal_row *row)
{
	struct dal_buffer key = {0};

	row_key(lane, kind_of(status), row->function, row->sequence, &key);
	dal_store_batch_delete(batch, dal_buffer_slice(&key));
	dal_buffer_deinit(&key);
}

static void status_put(struct dal_store_batch *batch, uint16_t lane, enum dal_row_status status,
		       const struct dal_row *row)
{
	struct dal_buffer key = {0}, value = {0};

	if (is_for_log(row)) {
		return;
	}
	status_key(lane, row, &key);
	dal_buffer_byte(&value, (char)status);
	dal_buffer_varint(&value, row->sequence);
	dal_buffer_sized(&value, row->function);
	dal_store_batch_put(batch, dal_buffer_slice(&key), dal_buffer_slice(&value));
	dal_buffer_deinit(&key);
	dal_buffer_deinit(&value);
}

/* The id alone stays, and a note of when to forget it. */
static void status_settle(struct dal_store_batch *batch, uint16_t lane, const struct dal_row *row,
			  int64_t expires_us)
{
	struct dal_buffer key = {0}, value = {0}, expiry = {0};

	status_key(lane, row, &key);
	dal_buffer_byte(&value, DAL_ROW_SETTLED);
	dal_buffer_varint(&value, (uint64_t)expires_us);
	dal_store_batch_put(batch, dal_buffer_slice(&key), dal_buffer_slice(&value));

	dal_key_begin(&expiry, lane, DAL_KEY_EXPIRY);
	dal_buffer_u64be(&expiry, (uint64_t)expires_us);
	dal_buffer_append(&expiry, key.data + DAL_KEY_HEAD_BYTES, ID_BYTES);
	dal_store_batch_put(batch, dal_buffer_slice(&expiry), dal_slice("", 0));
	dal_buffer_deinit(&key);
	dal_buffer_deinit(&value);
	dal_buffer_deinit(&expiry);
}

void dal_outbox_open(struct dal_store_batch *batch, uint16_t lane, const struct dal_row *row)
{
	row_put(batch, lane, DAL_ROW_OPEN, row);
	status_put(batch, lane, DAL_ROW_OPEN, row);
}

void dal_outbox_update(struct dal_store_batch *batch, uint16_t lane, const struct dal_row *row)
{
	row_put(batch, lane, DAL_ROW_OPEN, row);
}

void dal_outbox_deliver(struct dal_store_batch *batch, uint16_t lane, const struct dal_row *row)
{
	row_delete(batch, lane, DAL_ROW_OPEN, row);
	row_put(batch, lane, DAL_ROW_DELIVERED, row);
	status_put(batch, lane, DAL_ROW_DELIVERED, row);
}

void dal_outbox_settle(struct dal_store_batch *batch, uint16_t lane, const struct dal_row *row,
		       int64_t expires_us)
{
	if (row->sequence > 0) {
		row_delete(batch, lane, DAL_ROW_OPEN, row);
		row_delete(batch, lane, DAL_ROW_DELIVERED, row);
	}
	status_settle(batch, lane, row, expires_us);
}

void dal_outbox_remove(struct dal_store_batch *batch, uint16_t lane, const struct dal_row *row)
{
	DAL_ASSERT(is_for_log(row));
	row_delete(batch, lane, DAL_ROW_OPEN, row);
}

void dal_outbox_bury(struct dal_store_batch *batch, uint16_t lane, const struct dal_row *row)
{
	row_delete(batch, lane, DAL_ROW_OPEN, row);
	row_delete(batch, lane, DAL_ROW_DELIVERED, row);
	row_put(batch, lane, DAL_ROW_DEAD, row);
	status_put(batch, lane, DAL_ROW_DEAD, row);
}

void dal_outbox_revive(struct dal_store_batch *batch, uint16_t lane, const struct dal_row *row,
		       uint64_t sequence)
{
	struct dal_row open = *row;

	open.sequence = sequence;
	open.attempts = 0;
	open.due_us = 0;
	open.tries = (struct dal_slice){0};
	open.revived++;
	open.completion = (struct dal_slice){0};
	open.completed = (struct dal_place){0};
	open.died_us = 0;
	row_delete(batch, lane, DAL_ROW_DEAD, row);
	dal_outbox_open(batch, lane, &open);
}

void dal_outbox_drop(struct dal_store_batch *batch, uint16_t lane, const struct dal_row *row,
		     int64_t expires_us)
{
	row_delete(batch, lane, DAL_ROW_DEAD, row);
	status_settle(batch, lane, row, expires_us);
}

/* --- completions that came too late --- */

static void ignored_key(uint16_t lane, const struct dal_place *place, struct dal_buffer *out)
{
	dal_key_begin(out, lane, DAL_KEY_IGNORED);
	dal_key_name(out, place->topic);
	dal_buffer_u64be(out, place->offset);
}

void dal_outbox_ignore(struct dal_store_batch *batch, uint16_t lane, const struct dal_place *place)
{
	struct dal_buffer key = {0};

	ignored_key(lane, place, &key);
	dal_store_batch_put(batch, dal_buffer_slice(&key), dal_slice("", 0));
	dal_buffer_deinit(&key);
}

int dal_outbox_ignored(struct dal_state *state, uint16_t lane, const struct dal_place *place,
		       bool *ignored)
{
	struct dal_buffer key = {0}, value = {0};
	int r;

	ignored_key(lane, place, &key);
	r = dal_store_get(dal_state_store(state), NULL, dal_buffer_slice(&key), &value);
	*ignored = r == 0;
	dal_buffer_deinit(&key);
	dal_buffer_deinit(&value);
	return r == DAL_STORE_ABSENT ? 0 : r;
}

/* --- status --- */

struct status {
	enum dal_row_status status;
	uint64_t sequence;
	struct dal_slice function;
	int64_t expires_us;
};

static bool status_decode(struct dal_slice value, struct status *status)
{
	uint64_t expires;
	uint8_t code;

	*status = (struct status){0};
	if (!dal_slice_take_u8(&value, &code) || code < DAL_ROW_OPEN || code > DAL_ROW_DEAD) {
		return false;
	}
	status->status = code;
	if (status->status != DAL_ROW_SETTLED) {
		return dal_slice_take_varint(&value, &status->sequence) &&
		       dal_slice_take_sized(&value, &status->function) && value.size == 0;
	}
	if (!dal_slice_take_varint(&value, &expires)) {
		return false;
	}
	status->expires_us = (int64_t)expires;
	return value.size == 0;
}

/* Of a whole key; UNKNOWN if there is none. Slices of `memory`. */
static int status_get(struct dal_state *state, const struct dal_store_batch *batch,
		      const struct dal_buffer *key, struct status *status,
		      struct dal_buffer *memory)
{
	int r;

	dal_buffer_clear(memory);
	r = dal_store_get_in(dal_state_store(state), batch, dal_buffer_slice(key), memory);
	if (r == DAL_STORE_ABSENT) {
		*status = (struct status){.status = DAL_ROW_UNKNOWN};
		return 0;
	}
	if (r == 0 && !status_decode(dal_buffer_slice(memory), status)) {
		return -EBADMSG;
	}
	return r;
}

int dal_outbox_status_in(struct dal_state *state, const struct dal_store_batch *batch,
			 uint16_t lane, struct dal_slice row_id, enum dal_row_status *status,
			 struct dal_slice *function, uint64_t *sequence, struct dal_buffer *memory)
{
	struct dal_buffer key = {0};
	struct status got;
	int r;

	dal_key_begin(&key, lane, DAL_KEY_STATUS);
	id_append(row_id, &key);
	r = status_get(state, batch, &key, &got, memory);
	if (r == 0) {
		*status = got.status;
		*function = got.function;
		*sequence = got.sequence;
	}
	dal_buffer_deinit(&key);
	return r;
}

int dal_outbox_status(struct dal_state *state, uint16_t lane, struct dal_slice row_id,
		      enum dal_row_status *status, struct dal_slice *function, uint64_t *sequence,
		      struct dal_buffer *memory)
{
	return dal_outbox_status_in(state, NULL, lane, row_id, status, function, sequence, memory);
}

int dal_outbox_settled_until(struct dal_state *state, uint16_t lane, struct dal_slice row_id,
			     int64_t *expires_us)
{
	struct dal_buffer key = {0}, memory = {0};
	struct status got = {0};
	int r;

	dal_key_begin(&key, lane, DAL_KEY_STATUS);
	id_append(row_id, &key);
	r = status_get(state, NULL, &key, &got, &memory);
	*expires_us = got.expires_us;
	dal_buffer_deinit(&key);
	dal_buffer_deinit(&memory);
	return r;
}

/* `expiry` is what follows lane and kind: when, and the id's digest. */
static int expire_one(struct dal_state *state, struct dal_store_batch *batch, uint16_t lane,
		      struct dal_slice expiry, int64_t now_us)
{
	struct dal_buffer key = {0}, memory = {0};
	struct status status;
	struct dal_slice id;
	uint64_t when;
	int r;

	if (!dal_slice_take_u64be(&expiry, &when) || !dal_slice_take(&expiry, ID_BYTES, &id) ||
	    expiry.size > 0) {
		return -EBADMSG;
	}
	dal_key_begin(&key, lane, DAL_KEY_STATUS);
	dal_buffer_slice_append(&key, id);
	r = status_get(state, batch, &key, &status, &memory);
	/* A later completion may have settled it anew, until later. */
	if (r == 0 && status.status == DAL_ROW_SETTLED && status.expires_us < now_us) {
		dal_store_batch_delete(batch, dal_buffer_slice(&key));
	}
	dal_buffer_clear(&key);
	dal_key_begin(&key, lane, DAL_KEY_EXPIRY);
	dal_buffer_u64be(&key, when);
	dal_buffer_slice_append(&key, id);
	dal_store_batch_delete(batch, dal_buffer_slice(&key));
	dal_buffer_deinit(&key);
	dal_buffer_deinit(&memory);
	return r;
}

int dal_outbox_expire(struct dal_state *state, struct dal_store_batch *batch, uint16_t lane,
		      int64_t now_us, size_t limit)
{
	struct dal_buffer from = {0}, to = {0};
	struct dal_store_iterator *walk;
	struct dal_slice key, value;
	int r = 0, count = 0;

	dal_key_begin(&from, lane, DAL_KEY_EXPIRY);
	dal_key_begin(&to, lane, DAL_KEY_EXPIRY);
	dal_buffer_u64be(&to, now_us > 0 ? (uint64_t)now_us : 0);
	walk = dal_store_iterator_new(dal_state_store(state), NULL, dal_buffer_slice(&from),
				      dal_buffer_slice(&to));
	while (r == 0 && (size_t)count < limit &&
	       (r = dal_key_walk_next(walk, &key, &value)) == 0) {
		r = expire_one(state, batch, lane, key, now_us);
		count++;
	}
	dal_store_iterator_free(walk);
	dal_buffer_deinit(&from);
	dal_buffer_deinit(&to);
	return r < 0 ? r : count;
}

/* --- rows --- */

int dal_outbox_get_in(struct dal_state *state, const struct dal_store_batch *batch, uint16_t lane,
		      enum dal_row_status status, struct dal_slice function, uint64_t sequence,
		      struct dal_row *row, struct dal_buffer *memory)
{
	struct dal_buffer key = {0};
	int r;

	row_key(lane, kind_of(status), function, sequence, &key);
	dal_buffer_clear(memory);
	r = dal_store_get_in(dal_state_store(state), batch, dal_buffer_slice(&key), memory);
	dal_buffer_deinit(&key);
	if (r == 0 && !dal_row_decode(dal_buffer_slice(memory), row)) {
		return -EBADMSG;
	}
	return r == DAL_STORE_ABSENT ? DAL_STATE_ABSENT : r;
}

int dal_outbox_get(struct dal_state *state, uint16_t lane, enum dal_row_status status,
		   struct dal_slice function, uint64_t sequence, struct dal_row *row,
		   struct dal_buffer *memory)
{
	return dal_outbox_get_in(state, NULL, lane, status, function, sequence, row, memory);
}

static int scan(struct dal_store_iterator *walk, uint64_t sequence,
		bool (*each)(const struct dal_row *row, void *own), void *own)
{
	struct dal_slice key, value;
	struct dal_row row;
	int r;

	while ((r = dal_key_walk_next(walk, &key, &value)) == 0) {
		if (!dal_row_decode(value, &row)) {
			return -EBADMSG;
		}
		if (row.sequence >= sequence && !each(&row, own)) {
			return 0;
		}
	}
	return r == DAL_STORE_ABSENT ? 0 : r;
}

int dal_outbox_scan(struct dal_state *state, uint16_t lane, enum dal_row_status status,
		    const struct dal_slice *function, uint64_t sequence,
		    bool (*each)(const struct dal_row *row, void *own), void *own)
{
	struct dal_buffer key = {0};
	struct dal_store_iterator *walk;
	int r;

	dal_key_begin(&key, lane, kind_of(status));
	if (function) {
		dal_key_name(&key, *function);
	}
	walk = dal_key_walk_new(state, dal_buffer_slice(&key));
	if (function) {
		dal_buffer_u64be(&key, sequence);
		dal_store_iterator_seek(walk, dal_buffer_slice(&key));
	}
	r = scan(walk, sequence, each, own);
	dal_store_iterator_free(walk);
	dal_buffer_deinit(&key);
	return r;
}

int dal_outbox_targets(struct dal_state *state, uint16_t lane, enum dal_row_status status,
		       bool (*each)(struct dal_slice function, void *own), void *own)
{
	struct dal_buffer prefix = {0}, behind = {0};
	struct dal_store_iterator *walk;
	struct dal_slice key, value, name;
	bool more = true;
	int r = 0;

	dal_key_begin(&prefix, lane, kind_of(status));
	walk = dal_key_walk_new(state, dal_buffer_slice(&prefix));
	while (more && (r = dal_key_walk_next(walk, &key, &value)) == 0) {
		if (!dal_key_take_name(&key, &name)) {
			r = -EBADMSG;
			break;
		}
		dal_buffer_clear(&behind);
		dal_key_begin(&behind, lane, kind_of(status));
		dal_buffer_slice_append(&behind, name);
		dal_buffer_byte(&behind, 1); /* a name ends with 0x00, and holds no 0x01 */
		more = each(name, own);
		dal_store_iterator_seek(walk, dal_buffer_slice(&behind));
	}
	dal_store_iterator_free(walk);
	dal_buffer_deinit(&prefix);
	dal_buffer_deinit(&behind);
	return r < 0 ? r : 0;
}

static int count_kind(struct dal_state *state, uint16_t lane, enum dal_key_kind kind,
		      uint64_t *count)
{
	struct dal_buffer prefix = {0};
	struct dal_store_iterator *walk;
	struct dal_slice key, value;
	int r;

	*count = 0;
	dal_key_begin(&prefix, lane, kind);
	walk = dal_key_walk_new(state, dal_buffer_slice(&prefix));
	while ((r = dal_key_walk_next(walk, &key, &value)) == 0) {
		++*count;
	}
	dal_store_iterator_free(walk);
	dal_buffer_deinit(&prefix);
	return r == DAL_STORE_ABSENT ? 0 : r;
}

int dal_outbox_count(struct dal_state *state, uint16_t lane, uint64_t *open, uint64_t *delivered,
		     uint64_t *dead)
{
	int r = count_kind(state, lane, DAL_KEY_OPEN, open);

	r = r ? r : count_kind(state, lane, DAL_KEY_DELIVERED, delivered);
	return r ? r : count_kind(state, lane, DAL_KEY_DEAD, dead);
}
