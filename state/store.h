/*
 * The ordered key-value store with atomic batches: RocksDB's one seam.
 *
 * Keys and values are bytes, keys ordered by bytes. It knows nothing of events: the log's blocks
 * and the state's rows are laid out by their own headers on top.
 * A store is opened by one process for writing (RocksDB's own lock); others may open it read-only
 * while nobody writes. Any thread may read; a batch and an iterator belong to one thread each.
 * After an I/O error on a write the store refuses further writes with -EIO: the engine stops and
 * recovers by restart.
 *
 *	dal_store_batch_put(batch, key, value);
 *	r = dal_store_write(store, batch, true);
 */
#ifndef DAL_STATE_STORE_H
#define DAL_STATE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/slice.h"

struct dal_store;
struct dal_store_batch;
struct dal_store_iterator;
struct dal_store_snapshot;

enum { DAL_STORE_ABSENT = 1 };

/* What it is tuned for. */
enum dal_store_shape {
	/* Large values, read in order, each write synced. A torn end of the WAL, which was never
	 * acknowledged, is cut; any other damage is refused. */
	DAL_STORE_LOG,
	/* Small values, random reads (bloom filters, block cache), rewritten often. Behind a damage
	 * in the WAL it goes on from an earlier, whole state. */
	DAL_STORE_STATE,
};

struct dal_store_options {
	const char *path; /* a folder; made if absent, unless read_only */
	enum dal_store_shape shape;
	bool read_only;
	uint64_t cache_bytes;        /* block cache; 0: 32 MiB */
	uint64_t write_buffer_bytes; /* 0: by shape */
};

int dal_store_open(const struct dal_store_options *options, struct dal_store **store,
		   struct dal_error *error);
/*
 * NULL is fine. All iterators and snapshots are freed before. After a failed write it stays open
 * until the process ends: nothing else can open it before.
 */
void dal_store_close(struct dal_store *store);

/* Appends the value. 0, DAL_STORE_ABSENT, or negative. */
int dal_store_get(struct dal_store *store, const struct dal_store_snapshot *snapshot,
		  struct dal_slice key, struct dal_buffer *value);
/* As after writing the batch: what it puts or deletes counts, its ranges don't. A batch without an
 * index, or NULL: what is written. */
int dal_store_get_in(struct dal_store *store, const struct dal_store_batch *batch,
		     struct dal_slice key, struct dal_buffer *value);
/* Many at once, for a batch of cache misses: values[i] is appended to, found[i] set. */
int dal_store_get_many(struct dal_store *store, const struct dal_slice *keys, size_t count,
		       struct dal_buffer *values, bool *found);

struct dal_store_batch *dal_store_batch_new(void);
/* One that can be read before it is written (dal_store_get_in); it costs a map entry a key. */
struct dal_store_batch *dal_store_batch_new_indexed(void);
void dal_store_batch_free(struct dal_store_batch *batch);
void dal_store_batch_clear(struct dal_store_batch *batch);
void dal_store_batch_put(struct dal_store_batch *batch, struct dal_slice key,
			 struct dal_slice value);
void dal_store_batch_delete(struct dal_store_batch *batch, struct dal_slice key);
/* All keys in [from, to). */
void dal_store_batch_delete_range(struct dal_store_batch *batch, struct dal_slice from,
				  struct dal_slice to);
size_t dal_store_batch_count(const struct dal_store_batch *batch);
size_t dal_store_batch_bytes(const struct dal_store_batch *batch);

/* Writes all or nothing, then clears the batch (on failure too). `sync`: returns after fsync;
 * without it a killed process loses nothing, a power cut may. */
int dal_store_write(struct dal_store *store, struct dal_store_batch *batch, bool sync);
/* Makes all that was written durable. */
int dal_store_sync(struct dal_store *store);

struct dal_store_snapshot *dal_store_snapshot_new(struct dal_store *store);
void dal_store_snapshot_free(struct dal_store *store, struct dal_store_snapshot *snapshot);

/* Over [from, to); an empty `to` means to the end. Starts before the first: call next. */
struct dal_store_iterator *dal_store_iterator_new(struct dal_store *store,
						  const struct dal_store_snapshot *snapshot,
						  struct dal_slice from, struct dal_slice to);
/* Over the same range from its end. */
struct dal_store_iterator *dal_store_iterator_new_reverse(struct dal_store *store,
							  const struct dal_store_snapshot *snapshot,
							  struct dal_slice from,
							  struct dal_slice to);
void dal_store_iterator_free(struct dal_store_iterator *iterator);
/* 0 with key and value valid until the next call; DAL_STORE_ABSENT at the end; or negative. */
int dal_store_iterator_next(struct dal_store_iterator *iterator, struct dal_slice *key,
			    struct dal_slice *value);
/* Moves so that the following next gives the first key >= `key` (<= in reverse). */
void dal_store_iterator_seek(struct dal_store_iterator *iterator, struct dal_slice key);

/* Bytes on disk: the sizes of its files. */
uint64_t dal_store_bytes(struct dal_store *store);
/* The smallest key that is larger than all with this prefix, appended; nothing if there is none. */
void dal_store_prefix_end(struct dal_slice prefix, struct dal_buffer *out);

#endif
