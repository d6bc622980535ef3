#include "engine/stream/repeats.h"

#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/log/dedup.h"

struct dal_repeats {
	int64_t window_us;
	struct dal_dedup *seen;    /* key -> append time of the first */
	struct dal_table staged;   /* of the running batch: key -> place in `records` */
	struct dal_buffer records; /* as state/repeat.h has them */
	int64_t kept_since_us;     /* what the state holds of before can go */
};

struct dal_repeats *dal_repeats_new(int64_t window_us, size_t entries)
{
	struct dal_repeats *repeats = dal_calloc(1, sizeof(*repeats));

	repeats->window_us = window_us ? window_us : (int64_t)DAL_LIMIT_DEDUP_WINDOW_MS * 1000;
	/* Longer, as topics of a lane may overtake each other (by up to a window). */
	repeats->seen = dal_dedup_new(2 * repeats->window_us,
				      entries ? entries : DAL_LIMIT_DEDUP_ENTRIES);
	return repeats;
}

void dal_repeats_free(struct dal_repeats *repeats)
{
	if (!repeats) {
		return;
	}
	dal_dedup_free(repeats->seen);
	dal_table_deinit(&repeats->staged);
	dal_buffer_deinit(&repeats->records);
	free(repeats);
}

static struct dal_table_key key_of(struct dal_slice text)
{
	struct dal_table_key key;

	dal_slice_take_u64be(&text, &key.a);
	dal_slice_take_u64be(&text, &key.b);
	return key;
}

/* The newest of a key is the one that is found. */
static void add(struct dal_repeats *repeats, struct dal_slice records)
{
	struct dal_slice key, rest = records;
	uint64_t time_us, known;

	while (dal_slice_take(&rest, DAL_REPEAT_KEY_BYTES, &key) &&
	       dal_slice_take_u64be(&rest, &time_us)) {
		if (!dal_dedup_find(repeats->seen, key_of(key), &known) || known < time_us) {
			dal_dedup_set(repeats->seen, key_of(key), time_us);
		}
	}
}

static void on_records(int64_t time_us, struct dal_slice records, void *own)
{
	struct dal_repeats *repeats = own;

	repeats->kept_since_us = dal_dedup_advance(repeats->seen, time_us);
	add(repeats, records);
}

int dal_repeats_read(struct dal_repeats *repeats, struct dal_state *state, uint16_t lane)
{
	return dal_repeat_scan(state, lane, on_records, repeats);
}

/* The append time of the last first of this key; *record: where the running batch has it. */
static bool find(const struct dal_repeats *repeats, struct dal_table_key key, uint64_t *time_us,
		 uint64_t *record)
{
	struct dal_slice rest;

	*record = UINT64_MAX;
	if (!dal_table_get(&repeats->staged, key, record)) {
		return dal_dedup_find(repeats->seen, key, time_us);
	}
	rest = dal_slice(repeats->records.data + *record + DAL_REPEAT_KEY_BYTES, 8);
	return dal_slice_take_u64be(&rest, time_us);
}

bool dal_repeats_seen(struct dal_repeats *repeats, struct dal_slice key, int64_t appended_us)
{
	struct dal_table_key hash = key_of(key);
	uint64_t time_us, record;

	if (find(repeats, hash, &time_us, &record)) {
		if (appended_us - (int64_t)time_us <= repeats->window_us) {
			return true;
		}
		if (record != UINT64_MAX) { /* it is out of the window: this is the first now */
			struct dal_buffer time = {0};
			dal_buffer_u64be(&time, (uint64_t)appended_us);
			memcpy(repeats->records.data + record + DAL_REPEAT_KEY_BYTES, time.data, 8);
			dal_buffer_deinit(&time);
			return false;
		}
	}
	dal_table_add(&repeats->staged, hash, repeats->records.size);
	dal_buffer_append(&repeats->records, key.data, DAL_REPEAT_KEY_BYTES);
	dal_buffer_u64be(&repeats->records, (uint64_t)appended_us);
	return false;
}

void dal_repeats_commit(struct dal_repeats *repeats, struct dal_store_batch *batch, uint16_t lane,
			int64_t time_us)
{
	int64_t since_us;

	if (repeats->records.size == 0) {
		return;
	}
	since_us = dal_dedup_advance(repeats->seen, time_us);
	if (since_us > repeats->kept_since_us) {
		dal_repeat_drop(batch, lane, since_us);
		repeats->kept_since_us = since_us;
	}
	dal_repeat_put(batch, lane, time_us, dal_buffer_slice(&repeats->records));
	add(repeats, dal_buffer_slice(&repeats->records));
	dal_repeats_discard(repeats);
}

void dal_repeats_discard(struct dal_repeats *repeats)
{
	dal_buffer_clear(&repeats->records);
	dal_table_deinit(&repeats->staged);
}
