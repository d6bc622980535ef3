#include <stdlib.h>

#include "engine/base/memory.h"
#include "state/store_private.h"

struct dal_store_iterator {
	rocksdb_iterator_t *rocks;
	rocksdb_readoptions_t *read;
	struct dal_buffer from, to; /* RocksDB keeps pointers to the bounds */
	bool reverse;
	enum { START, PLACED, GIVEN } at; /* PLACED: at what the following next gives */
};

static struct dal_store_iterator *iterator_new(struct dal_store *store,
					       const struct dal_store_snapshot *snapshot,
					       struct dal_slice from, struct dal_slice to,
					       bool reverse)
{
	struct dal_store_iterator *iterator = dal_calloc(1, sizeof(*iterator));

	iterator->reverse = reverse;
	iterator->read = rocksdb_readoptions_create();
	if (snapshot) {
		rocksdb_readoptions_set_snapshot(iterator->read, snapshot->snapshot);
	}
	if (from.size > 0) {
		dal_buffer_slice_append(&iterator->from, from);
		rocksdb_readoptions_set_iterate_lower_bound(iterator->read, iterator->from.data,
							    from.size);
	}
	if (to.size > 0) {
		dal_buffer_slice_append(&iterator->to, to);
		rocksdb_readoptions_set_iterate_upper_bound(iterator->read, iterator->to.data,
							    to.size);
	}
	iterator->rocks = rocksdb_create_iterator(store->db, iterator->read);
	return iterator;
}

struct dal_store_iterator *dal_store_iterator_new(struct dal_store *store,
						  const struct dal_store_snapshot *snapshot,
						  struct dal_slice from, struct dal_slice to)
{
	return iterator_new(store, snapshot, from, to, false);
}

struct dal_store_iterator *dal_store_iterator_new_reverse(struct dal_store *store,
							  const struct dal_store_snapshot *snapshot,
							  struct dal_slice from,
							  struct dal_slice to)
{
	return iterator_new(store, snapshot, from, to, true);
}

void dal_store_iterator_free(struct dal_store_iterator *iterator)
{
	if (!iterator) {
		return;
	}
	rocksdb_iter_destroy(iterator->rocks);
	rocksdb_readoptions_destroy(iterator->read);
	dal_buffer_deinit(&iterator->from);
	dal_buffer_deinit(&iterator->to);
	free(iterator);
}

static void advance(struct dal_store_iterator *iterator)
{
	rocksdb_iterator_t *rocks = iterator->rocks;

	if (iterator->at == START) {
		(iterator->reverse ? rocksdb_iter_seek_to_last : rocksdb_iter_seek_to_first)(rocks);
	} else if (iterator->at == GIVEN && rocksdb_iter_valid(rocks)) {
		(iterator->reverse ? rocksdb_iter_prev : rocksdb_iter_next)(rocks);
	}
	iterator->at = GIVEN;
}

int dal_store_iterator_next(struct dal_store_iterator *iterator, struct dal_slice *key,
			    struct dal_slice *value)
{
	char *message = NULL;

	advance(iterator);
	if (!rocksdb_iter_valid(iterator->rocks)) {
		rocksdb_iter_get_error(iterator->rocks, &message);
		return message ? dal_store_errno_take(message) : DAL_STORE_ABSENT;
	}
	key->data = rocksdb_iter_key(iterator->rocks, &key->size);
	value->data = rocksdb_iter_value(iterator->rocks, &value->size);
	return 0;
}

void dal_store_iterator_seek(struct dal_store_iterator *iterator, struct dal_slice key)
{
	if (iterator->reverse) {
		rocksdb_iter_seek_for_prev(iterator->rocks, key.data, key.size);
	} else {
		rocksdb_iter_seek(iterator->rocks, key.data, key.size);
	}
	iterator->at = PLACED;
}
