#include "state/key.h"

struct dal_store_iterator *dal_key_walk_new(struct dal_state *state, struct dal_slice prefix)
{
	struct dal_buffer end = {0};
	struct dal_store_iterator *walk;

	dal_store_prefix_end(prefix, &end);
	walk = dal_store_iterator_new(dal_state_store(state), NULL, prefix, dal_buffer_slice(&end));
	dal_buffer_deinit(&end);
	return walk;
}

int dal_key_walk_next(struct dal_store_iterator *walk, struct dal_slice *key,
		      struct dal_slice *value)
{
	int r = dal_store_iterator_next(walk, key, value);

	if (r == 0) {
		key->data += DAL_KEY_HEAD_BYTES;
		key->size -= DAL_KEY_HEAD_BYTES;
	}
	return r;
}
