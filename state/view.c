#include "state/view.h"

#include <errno.h>

#include "engine/base/memory.h"
#include "state/key.h"
#include "state/place.h"

enum { FLAG_PARKED = 1 };

static void key_append(enum dal_key_kind kind, const struct dal_view_name *name,
		       struct dal_slice key, struct dal_buffer *out)
{
	dal_key_begin(out, name->lane, kind);
	dal_key_name(out, name->projection);
	dal_buffer_u32be(out, name->version);
	dal_buffer_slice_append(out, key);
}

void dal_view_key(const struct dal_view_name *name, struct dal_slice key, struct dal_buffer *out)
{
	key_append(DAL_KEY_ENTRY, name, key, out);
}

void dal_view_encode(const struct dal_view_entry *entry, struct dal_buffer *out)
{
	dal_buffer_byte(out, entry->parked ? FLAG_PARKED : 0);
	dal_place_encode(&entry->position, out);
	if (entry->parked) {
		dal_place_encode(&entry->parked_at, out);
		dal_buffer_sized(out, entry->message);
	}
	dal_buffer_slice_append(out, entry->json);
}

bool dal_view_decode(struct dal_slice value, struct dal_view_entry *entry)
{
	uint8_t flags;

	*entry = (struct dal_view_entry){0};
	if (!dal_slice_take_u8(&value, &flags) || (flags & ~FLAG_PARKED) != 0 ||
	    !dal_place_take(&value, &entry->position)) {
		return false;
	}
	entry->parked = flags & FLAG_PARKED;
	if (entry->parked && (!dal_place_take(&value, &entry->parked_at) ||
			      !dal_slice_take_sized(&value, &entry->message))) {
		return false;
	}
	entry->json = value;
	return entry->parked || value.size > 0;
}

int dal_view_get(struct dal_state *state, const struct dal_store_snapshot *snapshot,
		 const struct dal_view_name *name, struct dal_slice key,
		 struct dal_view_entry *entry, struct dal_buffer *memory)
{
	struct dal_buffer whole = {0};
	int r;

	dal_view_key(name, key, &whole);
	dal_buffer_clear(memory);
	r = dal_store_get(dal_state_store(state), snapshot, dal_buffer_slice(&whole), memory);
	dal_buffer_deinit(&whole);
	if (r == 0 && !dal_view_decode(dal_buffer_slice(memory), entry)) {
		return -EBADMSG;
	}
	return r == DAL_STORE_ABSENT ? DAL_STATE_ABSENT : r;
}

/* --- ranges: what a range means, as store keys [from, to) --- */

struct bounds {
	struct dal_buffer from, to;
	size_t head; /* bytes of a store key before the entry's own */
};

static void bounds_deinit(struct bounds *bounds)
{
	dal_buffer_deinit(&bounds->from);
	dal_buffer_deinit(&bounds->to);
}

/* Raises `from` to the given entry's key, or to just behind it. */
static void bounds_raise(struct bounds *bounds, const struct dal_view_name *name,
			 struct dal_slice key, bool behind)
{
	struct dal_buffer at = {0};

	dal_view_key(name, key, &at);
	if (behind) {
		dal_buffer_byte(&at, 0);
	}
	if (dal_slice_compare(dal_buffer_slice(&at), dal_buffer_slice(&bounds->from)) > 0) {
		dal_buffer_clear(&bounds->from);
		dal_buffer_slice_append(&bounds->from, dal_buffer_slice(&at));
	}
	dal_buffer_deinit(&at);
}

static void bounds_lower(struct bounds *bounds, const struct dal_view_name *name,
			 struct dal_slice key)
{
	struct dal_buffer at = {0};

	dal_view_key(name, key, &at);
	if (dal_slice_compare(dal_buffer_slice(&at), dal_buffer_slice(&bounds->to)) < 0) {
		dal_buffer_clear(&bounds->to);
		dal_buffer_slice_append(&bounds->to, dal_buffer_slice(&at));
	}
	dal_buffer_deinit(&at);
}

static void bounds_init(struct bounds *bounds, const struct dal_view_name *name,
			const struct dal_view_range *range)
{
	const struct dal_slice none = {0};

	*bounds = (struct bounds){0};
	dal_view_key(name, none, &bounds->from);
	bounds->head = bounds->from.size;
	dal_buffer_slice_append(&bounds->from, range->prefix);
	dal_store_prefix_end(dal_buffer_slice(&bounds->from), &bounds->to);
	bounds_raise(bounds, name, range->from, false);
	if (range->has_after) {
		bounds_raise(bounds, name, range->after, true);
	}
	if (range->to.size > 0) {
		bounds_lower(bounds, name, range->to);
	}
}

/* --- cursors --- */

struct dal_view_cursor {
	struct dal_store_iterator *iterator; /* NULL: the range is empty */
	size_t head;                         /* as of the bounds */
};

struct dal_view_cursor *dal_view_cursor_new(struct dal_state *state,
					    const struct dal_store_snapshot *snapshot,
					    const struct dal_view_name *name,
					    const struct dal_view_range *range)
{
	struct dal_view_cursor *cursor = dal_calloc(1, sizeof(*cursor));
	struct bounds bounds;

	bounds_init(&bounds, name, range);
	cursor->head = bounds.head;
	if (dal_slice_compare(dal_buffer_slice(&bounds.from), dal_buffer_slice(&bounds.to)) < 0) {
		cursor->iterator = dal_store_iterator_new(dal_state_store(state), snapshot,
							  dal_buffer_slice(&bounds.from),
							  dal_buffer_slice(&bounds.to));
	}
	bounds_deinit(&bounds);
	return cursor;
}

void dal_view_cursor_free(struct dal_view_cursor *cursor)
{
	if (cursor) {
		dal_store_iterator_free(cursor->iterator);
		free(cursor);
	}
}

int dal_view_cursor_next(struct dal_view_cursor *cursor, struct dal_slice *key,
			 struct dal_view_entry *entry)
{
	struct dal_slice whole, value;
	int r = cursor->iterator ? dal_store_iterator_next(cursor->iterator, &whole, &value)
				 : DAL_STORE_ABSENT;

	if (r != 0) {
		return r == DAL_STORE_ABSENT ? DAL_STATE_ABSENT : r;
	}
	*key = dal_slice(whole.data + cursor->head, whole.size - cursor->head);
	return dal_view_decode(value, entry) ? 0 : -EBADMSG;
}

int dal_view_scan(struct dal_state *state, const struct dal_store_snapshot *snapshot,
		  const struct dal_view_name *name, const struct dal_view_range *range,
		  bool (*each)(struct dal_slice key, const struct dal_view_entry *entry, void *own),
		  void *own, bool *more)
{
	struct dal_view_cursor *cursor = dal_view_cursor_new(state, snapshot, name, range);
	struct dal_view_entry entry;
	struct dal_slice key;
	int r;

	*more = false;
	for (size_t n = 0; (r = dal_view_cursor_next(cursor, &key, &entry)) == 0; n++) {
		*more = range->limit > 0 && n == range->limit;
		if (*more || !each(key, &entry, own)) {
			break;
		}
	}
	dal_view_cursor_free(cursor);
	return r == DAL_STATE_ABSENT ? 0 : r;
}

/* --- parked keys --- */

void dal_view_parked_put(struct dal_store_batch *batch, const struct dal_view_name *name,
			 struct dal_slice key, const struct dal_view_entry *entry)
{
	struct dal_buffer whole = {0}, value = {0};

	key_append(DAL_KEY_PARKED, name, key, &whole);
	if (entry->parked) {
		dal_view_encode(entry, &value);
		dal_store_batch_put(batch, dal_buffer_slice(&whole), dal_buffer_slice(&value));
	} else {
		dal_store_batch_delete(batch, dal_buffer_slice(&whole));
	}
	dal_buffer_deinit(&whole);
	dal_buffer_deinit(&value);
}

int dal_view_parked_scan(struct dal_state *state, uint16_t lane,
			 bool (*each)(const struct dal_view_name *name, struct dal_slice key,
				      const struct dal_view_entry *entry, void *own),
			 void *own)
{
	struct dal_view_name name = {.lane = lane};
	struct dal_view_entry entry;
	struct dal_buffer prefix = {0};
	struct dal_store_iterator *walk;
	struct dal_slice key, value;
	int r;

	dal_key_begin(&prefix, lane, DAL_KEY_PARKED);
	walk = dal_key_walk_new(state, dal_buffer_slice(&prefix));
	while ((r = dal_key_walk_next(walk, &key, &value)) == 0) {
		if (!dal_key_take_name(&key, &name.projection) ||
		    !dal_slice_take_u32be(&key, &name.version) || !dal_view_decode(value, &entry)) {
			r = -EBADMSG;
			break;
		}
		if (!each(&name, key, &entry, own)) {
			break;
		}
	}
	dal_store_iterator_free(walk);
	dal_buffer_deinit(&prefix);
	return r == DAL_STORE_ABSENT ? 0 : r;
}
