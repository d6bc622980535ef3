/*
 * What the parts of the seam share (store.c, store_options.c, store_iterator.c): RocksDB's types
 * appear here and nowhere else.
 */
#ifndef DAL_STATE_STORE_PRIVATE_H
#define DAL_STATE_STORE_PRIVATE_H

#include <stdatomic.h>

#include <rocksdb/c.h>

#include "engine/base/map.h"
#include "state/store.h"

struct dal_store {
	struct dal_store *next; /* of those that can't be closed */
	rocksdb_t *db;
	rocksdb_column_family_handle_t *family; /* the default one; get_many needs its handle */
	rocksdb_readoptions_t *read;
	rocksdb_writeoptions_t *write, *write_synced;
	char *path;
	atomic_bool broken; /* a write failed: no more are tried */
};

struct dal_store_snapshot {
	const rocksdb_snapshot_t *snapshot;
	rocksdb_readoptions_t *read; /* reads as of it */
};

struct dal_store_batch {
	rocksdb_writebatch_t *rocks;
	struct dal_map *index; /* NULL: none */
};

/* Does an indexed batch touch the key? `value` points into the batch; no data: it is deleted. */
bool dal_store_batch_find(const struct dal_store_batch *batch, struct dal_slice key,
			  struct dal_slice *value);

/* RocksDB's own options for a shape; `compress` false: the build has no LZ4. Caller's. */
rocksdb_options_t *dal_store_options_new(const struct dal_store_options *options, bool compress);

/* Takes RocksDB's message (frees it): the errno that fits, negated. NULL is 0. */
int dal_store_errno_take(char *message);

#endif
