#include <stdlib.h>

#include "engine/base/memory.h"
#include "state/store_private.h"

/*
 * The index maps a key to where its value lies in RocksDB's own form of the batch, which ends with
 * the value just put. Both numbers fit one pointer: a batch stays far below 4 GiB.
 */
_Static_assert(sizeof(uintptr_t) == 8, "the index packs two 32-bit numbers into a pointer");
#define DELETED ((void *)1) /* no value lies at 0: the batch has a header */

static void *index_pack(size_t start, size_t size)
{
	DAL_ASSERT(start <= UINT32_MAX && size <= UINT32_MAX);
	return (void *)((uintptr_t)start << 32 | size);
}

struct dal_store_batch *dal_store_batch_new(void)
{
	struct dal_store_batch *batch = dal_calloc(1, sizeof(*batch));

	batch->rocks = rocksdb_writebatch_create();
	return batch;
}

struct dal_store_batch *dal_store_batch_new_indexed(void)
{
	struct dal_store_batch *batch = dal_store_batch_new();

	batch->index = dal_map_new();
	return batch;
}

void dal_store_batch_free(struct dal_store_batch *batch)
{
	if (batch) {
		dal_map_free(batch->index);
		rocksdb_writebatch_destroy(batch->rocks);
		free(batch);
	}
}

void dal_store_batch_clear(struct dal_store_batch *batch)
{
	rocksdb_writebatch_clear(batch->rocks);
	if (batch->index && dal_map_size(batch->index) > 0) {
		dal_map_free(batch->index);
		batch->index = dal_map_new();
	}
}

void dal_store_batch_put(struct dal_store_batch *batch, struct dal_slice key,
			 struct dal_slice value)
{
	rocksdb_writebatch_put(batch->rocks, key.data, key.size, value.data, value.size);
	if (batch->index) {
		size_t start = dal_store_batch_bytes(batch) - value.size;
		dal_map_set(batch->index, key, index_pack(start, value.size));
	}
}

void dal_store_batch_delete(struct dal_store_batch *batch, struct dal_slice key)
{
	rocksdb_writebatch_delete(batch->rocks, key.data, key.size);
	if (batch->index) {
		dal_map_set(batch->index, key, DELETED);
	}
}

void dal_store_batch_delete_range(struct dal_store_batch *batch, struct dal_slice from,
				  struct dal_slice to)
{
	rocksdb_writebatch_delete_range(batch->rocks, from.data, from.size, to.data, to.size);
}

bool dal_store_batch_find(const struct dal_store_batch *batch, struct dal_slice key,
			  struct dal_slice *value)
{
	void *packed = batch->index ? dal_map_get(batch->index, key) : NULL;
	size_t size;

	*value = (struct dal_slice){0};
	if (packed && packed != DELETED) {
		value->data = rocksdb_writebatch_data(batch->rocks, &size) +
			      ((uintptr_t)packed >> 32);
		value->size = (uintptr_t)packed & UINT32_MAX;
	}
	return packed != NULL;
}

size_t dal_store_batch_count(const struct dal_store_batch *batch)
{
	return (size_t)rocksdb_writebatch_count(batch->rocks);
}

size_t dal_store_batch_bytes(const struct dal_store_batch *batch)
{
	size_t size;

	(void)rocksdb_writebatch_data(batch->rocks, &size);
	return size;
}
