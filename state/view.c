#include "state/view.h"

#include <errno.h>

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

static int scan(struct dal_store_iterator *iterator, size_t head, size_t limit,
		bool (*each)(struct dal_slice key, const struct dal_view_entry *entry, void *own),
		void *own, bool *more)
{
	struct dal_view_entry entry;
	struct dal_slice key, value;
	int r;

	for (size_t n = 0; (r = dal_store_iterator_next(iterator, &key, &value)) == 0; n++) {
		if (limit > 0 && n == limit) {
			*more = true;
			return 0;
		}
		if (!dal_view_decode(value, &entry)) {
			return -EBADMSG;
		}
		if (!each(dal_slice(key.data + head, key.size - head), &entry, own)) {
			return 0;
		}
	}
	return r == DAL_STORE_ABSENT ? 0 : r;
}

int dal_view_scan(struct dal_state *state, const struct dal_store_snapshot *snapshot,
		  const struct dal_view_name *name, const struct dal_view_range *range,
		  bool (*each)(struct dal_slice key, const struct dal_view_entry *entry, void *own),
		  void *own, bool *more)
{
	struct dal_store_iterator *iterator;
	struct bounds bounds;
	int r = 0;

	*more = false;
	bounds_init(&bounds, name, range);
	if (dal_slice_compare(dal_buffer_slice(&bounds.from), dal_buffer_slice(&bounds.to)) < 0) {
		iterator = dal_store_iterator_new(dal_state_store(state), snapshot,
						  dal_buffer_slice(&bounds.from),
						  dal_buffer_slice(&bounds.to));
		r = scan(iterator, bounds.head, range->limit, each, own, more);
		dal_store_iterator_free(iterator);
	}
	bounds_deinit(&bounds);
	return r;
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
