#include "state/state.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/base/memory.h"
#include "state/key.h"

struct dal_state {
	struct dal_store *store;
};

/* --- open and close --- */

static int format_make(struct dal_store *store, struct dal_slice log_id)
{
	struct dal_store_batch *batch = dal_store_batch_new();
	struct dal_buffer value = {0};
	int r;

	dal_buffer_byte(&value, DAL_STATE_VERSION);
	dal_buffer_slice_append(&value, log_id);
	dal_store_batch_put(batch, dal_slice_text(DAL_KEY_FORMAT), dal_buffer_slice(&value));
	r = dal_store_write(store, batch, true);
	dal_buffer_deinit(&value);
	dal_store_batch_free(batch);
	return r;
}

static int format_compare(struct dal_slice value, struct dal_slice log_id, const char *path,
			  struct dal_error *error)
{
	uint8_t version;

	if (!dal_slice_take_u8(&value, &version)) {
		dal_error_set(error,
			      "the state %s is damaged: delete it, it is rebuilt from the log",
			      path);
		return -EBADMSG;
	}
	if (version != DAL_STATE_VERSION) {
		dal_error_set(error,
			      "the state %s has format version %d, this dalamb knows %d: run the "
			      "version that wrote it, or delete it, it is rebuilt from the log",
			      path, version, DAL_STATE_VERSION);
		return -ENOTSUP;
	}
	if (!dal_slice_equal(value, log_id)) {
		dal_error_set(
			error,
			"the state %s belongs to the log %.*s, but this log is %.*s: bring back "
			"its log, or delete the state, it is rebuilt from this log",
			path, (int)value.size, value.data, (int)log_id.size, log_id.data);
		return DAL_STATE_FOREIGN;
	}
	return 0;
}

/* Is there anything in it, although it names no format? */
static int expect_empty(struct dal_store *store, const char *path, struct dal_error *error)
{
	const struct dal_slice all = {0};
	struct dal_store_iterator *iterator = dal_store_iterator_new(store, NULL, all, all);
	struct dal_slice key, value;
	int r = dal_store_iterator_next(iterator, &key, &value);

	dal_store_iterator_free(iterator);
	if (r == 0) {
		dal_error_set(error, "%s is a store, but no state: is the path right?", path);
		return -ENOTSUP;
	}
	return r == DAL_STORE_ABSENT ? 0 : r;
}

static int format_check(struct dal_store *store, struct dal_slice log_id, const char *path,
			bool read_only, struct dal_error *error)
{
	struct dal_buffer value = {0};
	int r = dal_store_get(store, NULL, dal_slice_text(DAL_KEY_FORMAT), &value);

	if (r == 0) {
		r = format_compare(dal_buffer_slice(&value), log_id, path, error);
	} else if (r == DAL_STORE_ABSENT) {
		r = expect_empty(store, path, error);
		if (r == 0 && read_only) {
			dal_error_set(error, "the state %s is empty", path);
			r = -ENOENT;
		} else if (r == 0) {
			r = format_make(store, log_id);
		}
	}
	dal_buffer_deinit(&value);
	return r;
}

int dal_state_open(const char *path, struct dal_slice log_id, bool read_only,
		   struct dal_state **state, struct dal_error *error)
{
	struct dal_store_options options = {
		.path = path,
		.shape = DAL_STORE_STATE,
		.read_only = read_only,
	};
	struct dal_store *store;
	int r = dal_store_open(&options, &store, error);

	if (r != 0) {
		return r;
	}
	dal_error_set(error, "cannot read or write the state %s", path);
	r = format_check(store, log_id, path, read_only, error);
	if (r != 0) {
		dal_store_close(store);
		return r;
	}
	*state = dal_calloc(1, sizeof(**state));
	(*state)->store = store;
	return 0;
}

void dal_state_close(struct dal_state *state)
{
	if (state) {
		dal_store_close(state->store);
		free(state);
	}
}

struct dal_store *dal_state_store(struct dal_state *state)
{
	return state->store;
}

/* --- positions --- */

static void marks_put(struct dal_buffer *out, const struct dal_position *position)
{
	dal_buffer_varint(out, position->count);
	for (size_t i = 0; i < position->count; i++) {
		dal_buffer_sized(out, position->marks[i].topic);
		dal_buffer_varint(out, position->marks[i].next);
	}
}

static bool marks_take(struct dal_slice *value, uint16_t lane, struct dal_position *position)
{
	struct dal_slice topic;
	uint64_t count, next;

	if (!dal_slice_take_varint(value, &count)) {
		return false;
	}
	for (uint64_t i = 0; i < count; i++) {
		if (!dal_slice_take_sized(value, &topic) || !dal_slice_take_varint(value, &next)) {
			return false;
		}
		dal_position_set(position, topic, lane, next);
	}
	return true;
}

void dal_state_position_deinit(struct dal_state_position *position)
{
	dal_position_deinit(&position->next);
	dal_position_deinit(&position->goal);
	dal_buffer_deinit(&position->memory);
	*position = (struct dal_state_position){0};
}

static bool position_decode(struct dal_slice value, uint16_t lane,
			    struct dal_state_position *position)
{
	uint64_t appended;

	if (!marks_take(&value, lane, &position->next) ||
	    !dal_slice_take_varint(&value, &appended) ||
	    !dal_slice_take_varint(&value, &position->sequence) ||
	    !dal_slice_take_sized(&value, &position->generation) ||
	    !marks_take(&value, lane, &position->goal)) {
		return false;
	}
	position->appended_us = (int64_t)appended;
	return value.size == 0;
}

int dal_state_position_get(struct dal_state *state, uint16_t lane,
			   struct dal_state_position *position)
{
	struct dal_buffer key = {0};
	int r;

	*position = (struct dal_state_position){0};
	dal_key_begin(&key, lane, DAL_KEY_POSITION);
	r = dal_store_get(state->store, NULL, dal_buffer_slice(&key), &position->memory);
	dal_buffer_deinit(&key);
	if (r == 0 && !position_decode(dal_buffer_slice(&position->memory), lane, position)) {
		r = -EBADMSG;
	}
	if (r != 0) {
		dal_state_position_deinit(position);
		position->sequence = 1;
	}
	return r == DAL_STORE_ABSENT ? DAL_STATE_ABSENT : r;
}

void dal_state_position_put(struct dal_store_batch *batch, uint16_t lane,
			    const struct dal_state_position *position)
{
	struct dal_buffer key = {0}, value = {0};

	dal_key_begin(&key, lane, DAL_KEY_POSITION);
	marks_put(&value, &position->next);
	dal_buffer_varint(&value, (uint64_t)position->appended_us);
	dal_buffer_varint(&value, position->sequence);
	dal_buffer_sized(&value, position->generation);
	marks_put(&value, &position->goal);
	dal_store_batch_put(batch, dal_buffer_slice(&key), dal_buffer_slice(&value));
	dal_buffer_deinit(&key);
	dal_buffer_deinit(&value);
}

/* --- projections --- */

static void projection_key(uint16_t lane, enum dal_key_kind kind, struct dal_slice name,
			   uint32_t version, struct dal_buffer *out)
{
	dal_key_begin(out, lane, kind);
	dal_key_name(out, name);
	dal_buffer_u32be(out, version);
}

void dal_state_projection_put(struct dal_store_batch *batch, uint16_t lane,
			      const struct dal_state_projection *projection)
{
	struct dal_buffer key = {0}, value = {0};

	projection_key(lane, DAL_KEY_PROJECTION, projection->name, projection->version, &key);
	dal_buffer_sized(&value, projection->digest);
	dal_buffer_byte(&value, projection->built);
	marks_put(&value, &projection->next);
	dal_store_batch_put(batch, dal_buffer_slice(&key), dal_buffer_slice(&value));
	dal_buffer_deinit(&key);
	dal_buffer_deinit(&value);
}

static void drop_range(struct dal_store_batch *batch, uint16_t lane, enum dal_key_kind kind,
		       struct dal_slice name, uint32_t version)
{
	struct dal_buffer from = {0}, to = {0};

	projection_key(lane, kind, name, version, &from);
	dal_store_prefix_end(dal_buffer_slice(&from), &to);
	dal_store_batch_delete_range(batch, dal_buffer_slice(&from), dal_buffer_slice(&to));
	dal_buffer_deinit(&from);
	dal_buffer_deinit(&to);
}

void dal_state_projection_drop(struct dal_store_batch *batch, uint16_t lane, struct dal_slice name,
			       uint32_t version)
{
	struct dal_buffer key = {0};

	projection_key(lane, DAL_KEY_PROJECTION, name, version, &key);
	dal_store_batch_delete(batch, dal_buffer_slice(&key));
	dal_buffer_deinit(&key);
	drop_range(batch, lane, DAL_KEY_ENTRY, name, version);
	drop_range(batch, lane, DAL_KEY_PARKED, name, version);
}

/* `key` is what follows lane and kind. */
static bool projection_decode(struct dal_slice key, struct dal_slice value, uint16_t lane,
			      struct dal_state_projection *projection)
{
	uint8_t built;

	if (!dal_key_take_name(&key, &projection->name) ||
	    !dal_slice_take_u32be(&key, &projection->version) ||
	    !dal_slice_take_sized(&value, &projection->digest) ||
	    !dal_slice_take_u8(&value, &built) || built > 1 ||
	    !marks_take(&value, lane, &projection->next)) {
		return false;
	}
	projection->built = built;
	return key.size == 0 && value.size == 0;
}

int dal_state_projections(struct dal_state *state, uint16_t lane,
			  void (*each)(const struct dal_state_projection *projection, void *own),
			  void *own)
{
	struct dal_buffer from = {0};
	struct dal_store_iterator *walk;
	struct dal_slice key, value;
	int r;

	dal_key_begin(&from, lane, DAL_KEY_PROJECTION);
	walk = dal_key_walk_new(state, dal_buffer_slice(&from));
	while ((r = dal_key_walk_next(walk, &key, &value)) == 0) {
		struct dal_state_projection projection = {0};

		bool whole = projection_decode(key, value, lane, &projection);
		if (whole) {
			each(&projection, own);
		}
		dal_position_deinit(&projection.next);
		if (!whole) {
			r = -EBADMSG;
			break;
		}
	}
	dal_store_iterator_free(walk);
	dal_buffer_deinit(&from);
	return r == DAL_STORE_ABSENT ? 0 : r;
}
