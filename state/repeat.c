#include "state/repeat.h"

#include <errno.h>

#include "state/key.h"

void dal_repeat_put(struct dal_store_batch *batch, uint16_t lane, int64_t time_us,
		    struct dal_slice records)
{
	struct dal_buffer key = {0};

	dal_key_begin(&key, lane, DAL_KEY_REPEAT);
	dal_buffer_u64be(&key, (uint64_t)time_us);
	dal_buffer_append(&key, records.data, DAL_REPEAT_RECORD_BYTES);
	dal_store_batch_put(batch, dal_buffer_slice(&key), records);
	dal_buffer_deinit(&key);
}

void dal_repeat_drop(struct dal_store_batch *batch, uint16_t lane, int64_t before_us)
{
	struct dal_buffer from = {0}, to = {0};

	dal_key_begin(&from, lane, DAL_KEY_REPEAT);
	dal_key_begin(&to, lane, DAL_KEY_REPEAT);
	dal_buffer_u64be(&to, (uint64_t)before_us);
	dal_store_batch_delete_range(batch, dal_buffer_slice(&from), dal_buffer_slice(&to));
	dal_buffer_deinit(&from);
	dal_buffer_deinit(&to);
}

int dal_repeat_scan(struct dal_state *state, uint16_t lane,
		    void (*each)(int64_t time_us, struct dal_slice records, void *own), void *own)
{
	struct dal_buffer prefix = {0};
	struct dal_store_iterator *walk;
	struct dal_slice key, value;
	int r;

	dal_key_begin(&prefix, lane, DAL_KEY_REPEAT);
	walk = dal_key_walk_new(state, dal_buffer_slice(&prefix));
	while ((r = dal_key_walk_next(walk, &key, &value)) == 0) {
		uint64_t time_us;
		if (!dal_slice_take_u64be(&key, &time_us) || value.size == 0 ||
		    value.size % DAL_REPEAT_RECORD_BYTES != 0) {
			r = -EBADMSG;
			break;
		}
		each((int64_t)time_us, value, own);
	}
	dal_store_iterator_free(walk);
	dal_buffer_deinit(&prefix);
	return r == DAL_STORE_ABSENT ? 0 : r;
}
