#include "state/store.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "engine/base/file.h"
#include "engine/base/memory.h"
#include "state/store_private.h"
#include "state/store_wal.h"

/* --- errors --- */

/* RocksDB gives text only: "<code>: <what>: <file>: <strerror>". */
int dal_store_errno_take(char *message)
{
	static const struct {
		const char *text;
		int error;
	} known[] = {
		{"No space left", ENOSPC},
		{"lock hold by current process", EBUSY},
		{"While lock file", EBUSY},
		{"Permission denied", EACCES},
		{"Read-only file system", EROFS},
		{"Too many open files", EMFILE},
		{"No such file or directory", ENOENT},
		{"Corruption", EBADMSG},
		{"Not implemented", ENOTSUP},
		{"Invalid argument", EINVAL},
	};
	int error = EIO;

	if (!message) {
		return 0;
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strstr(message, known[i].text)) {
			error = known[i].error;
			break;
		}
	}
	rocksdb_free(message);
	return -error;
}

static const char *advice(int error)
{
	switch (error) {
	case -EBUSY:
		return "is another engine running on it?";
	case -ENOSPC:
		return "the disk is full: make room, then start again";
	case -EACCES:
		return "run as the user who owns it";
	case -EMFILE:
		return "raise the limit of open files (ulimit -n)";
	case -ENOENT:
		return "there is no store here: is the path right?";
	case -EBADMSG:
		return "it is damaged: restore it from a backup, or, if it is a state, delete it: "
		       "it is rebuilt from the log";
	case -EINVAL:
		return "was it made by a newer version?";
	default:
		return "look for disk errors in the system's log";
	}
}

/* --- open and close --- */

static rocksdb_t *open_once(struct dal_store *store, const struct dal_store_options *options,
			    bool compress, char **message)
{
	rocksdb_options_t *rocks = dal_store_options_new(options, compress);
	const rocksdb_options_t *of_family = rocks;
	const char *name = "default";
	rocksdb_t *db;

	*message = NULL;
	if (options->read_only) {
		db = rocksdb_open_for_read_only_column_families(
			rocks, options->path, 1, &name, &of_family, &store->family, 0, message);
	} else {
		db = rocksdb_open_column_families(rocks, options->path, 1, &name, &of_family,
						  &store->family, message);
	}
	rocksdb_options_destroy(rocks);
	return db;
}

static rocksdb_t *open_any(struct dal_store *store, const struct dal_store_options *options,
			   char **message)
{
	rocksdb_t *db = open_once(store, options, true, message);

	if (!db && strstr(*message, "not linked")) {
		rocksdb_free(*message);
		db = open_once(store, options, false, message);
	}
	return db;
}

static int open_failed(const struct dal_store_options *options, char *message,
		       struct dal_error *error)
{
	char *text = dal_strdup(message);
	int r = dal_store_errno_take(message);

	dal_error_set(error, "cannot open the store %s: %s (%s)", options->path, advice(r), text);
	free(text);
	return r;
}

static int check_folder(const struct dal_store_options *options, struct dal_error *error)
{
	struct stat st;
	int r;

	if (options->read_only) {
		r = stat(options->path, &st) == 0 ? 0 : -errno;
	} else {
		r = dal_folder_make(options->path, 0700);
	}
	if (r != 0) {
		dal_error_set(error, "cannot open the store %s: %s", options->path, strerror(-r));
	}
	return r;
}

int dal_store_open(const struct dal_store_options *options, struct dal_store **out,
		   struct dal_error *error)
{
	struct dal_store *store;
	char *message;
	int r = check_folder(options, error);

	if (r != 0) {
		return r;
	}
	store = dal_calloc(1, sizeof(*store));
	store->db = open_any(store, options, &message);
	if (!store->db && options->shape == DAL_STORE_LOG && !options->read_only &&
	    strstr(message, "Corruption") && dal_store_wal_mend(options->path)) {
		rocksdb_free(message);
		store->db = open_any(store, options, &message);
	}
	if (!store->db) {
		free(store);
		return open_failed(options, message, error);
	}
	store->path = dal_strdup(options->path);
	store->read = rocksdb_readoptions_create();
	store->write = rocksdb_writeoptions_create();
	store->write_synced = rocksdb_writeoptions_create();
	rocksdb_writeoptions_set_sync(store->write_synced, 1);
	*out = store;
	return 0;
}

/*
 * RocksDB as Debian builds it aborts when it is closed after a failed write. The process is about
 * to end, and recovery is the next start's: so a broken store stays open, where leak checkers see
 * it.
 */
static void keep_open(struct dal_store *store)
{
	static _Atomic(struct dal_store *) kept;

	store->next = atomic_load(&kept);
	while (!atomic_compare_exchange_weak(&kept, &store->next, store)) {
	}
}

void dal_store_close(struct dal_store *store)
{
	if (!store) {
		return;
	}
	if (atomic_load(&store->broken)) {
		keep_open(store);
		return;
	}
	rocksdb_column_family_handle_destroy(store->family);
	rocksdb_close(store->db);
	rocksdb_readoptions_destroy(store->read);
	rocksdb_writeoptions_destroy(store->write);
	rocksdb_writeoptions_destroy(store->write_synced);
	free(store->path);
	free(store);
}

/* --- reading --- */

int dal_store_get(struct dal_store *store, const struct dal_store_snapshot *snapshot,
		  struct dal_slice key, struct dal_buffer *value)
{
	char *message = NULL;
	rocksdb_pinnableslice_t *pinned = rocksdb_get_pinned(
		store->db, snapshot ? snapshot->read : store->read, key.data, key.size, &message);
	const char *data;
	size_t size;

	if (message) {
		return dal_store_errno_take(message);
	}
	if (!pinned) {
		return DAL_STORE_ABSENT;
	}
	data = rocksdb_pinnableslice_value(pinned, &size);
	dal_buffer_append(value, data, size);
	rocksdb_pinnableslice_destroy(pinned);
	return 0;
}

int dal_store_get_in(struct dal_store *store, const struct dal_store_batch *batch,
		     struct dal_slice key, struct dal_buffer *value)
{
	struct dal_slice put;

	if (!batch || !dal_store_batch_find(batch, key, &put)) {
		return dal_store_get(store, NULL, key, value);
	}
	if (!put.data) {
		return DAL_STORE_ABSENT;
	}
	dal_buffer_slice_append(value, put);
	return 0;
}

/* What RocksDB wants for a batch of reads, in one allocation each. */
struct many {
	const char **keys;
	size_t *sizes;
	rocksdb_pinnableslice_t **values;
	char **messages;
};

static void many_deinit(struct many *many)
{
	free(many->keys);
	free(many->sizes);
	free(many->values);
	free(many->messages);
}

static void many_init(struct many *many, const struct dal_slice *keys, size_t count)
{
	many->keys = dal_calloc(count, sizeof(*many->keys));
	many->sizes = dal_calloc(count, sizeof(*many->sizes));
	many->values = dal_calloc(count, sizeof(*many->values));
	many->messages = dal_calloc(count, sizeof(*many->messages));
	for (size_t i = 0; i < count; i++) {
		many->keys[i] = keys[i].data;
		many->sizes[i] = keys[i].size;
	}
}

int dal_store_get_many(struct dal_store *store, const struct dal_slice *keys, size_t count,
		       struct dal_buffer *values, bool *found)
{
	struct many many;
	int result = 0;

	if (count == 0) {
		return 0;
	}
	many_init(&many, keys, count);
	rocksdb_batched_multi_get_cf(store->db, store->read, store->family, count, many.keys,
				     many.sizes, many.values, many.messages, false);
	for (size_t i = 0; i < count; i++) {
		int r = dal_store_errno_take(many.messages[i]);
		size_t size;

		found[i] = many.values[i] != NULL;
		if (found[i]) {
			const char *data = rocksdb_pinnableslice_value(many.values[i], &size);
			dal_buffer_append(&values[i], data, size);
			rocksdb_pinnableslice_destroy(many.values[i]);
		}
		result = result ? result : r;
	}
	many_deinit(&many);
	return result;
}

struct dal_store_snapshot *dal_store_snapshot_new(struct dal_store *store)
{
	struct dal_store_snapshot *snapshot = dal_calloc(1, sizeof(*snapshot));

	snapshot->snapshot = rocksdb_create_snapshot(store->db);
	snapshot->read = rocksdb_readoptions_create();
	rocksdb_readoptions_set_snapshot(snapshot->read, snapshot->snapshot);
	return snapshot;
}

void dal_store_snapshot_free(struct dal_store *store, struct dal_store_snapshot *snapshot)
{
	if (!snapshot) {
		return;
	}
	rocksdb_readoptions_destroy(snapshot->read);
	rocksdb_release_snapshot(store->db, snapshot->snapshot);
	free(snapshot);
}

/* --- writing --- */

static int write_done(struct dal_store *store, char *message)
{
	int r = dal_store_errno_take(message);

	if (r != 0) {
		atomic_store(&store->broken, true);
	}
	return r;
}

int dal_store_write(struct dal_store *store, struct dal_store_batch *batch, bool sync)
{
	char *message = NULL;

	if (atomic_load(&store->broken)) {
		return -EIO;
	}
	rocksdb_write(store->db, sync ? store->write_synced : store->write, batch->rocks, &message);
	dal_store_batch_clear(batch);
	return write_done(store, message);
}

int dal_store_sync(struct dal_store *store)
{
	char *message = NULL;

	if (atomic_load(&store->broken)) {
		return -EIO;
	}
	rocksdb_flush_wal(store->db, 1, &message);
	return write_done(store, message);
}

/* --- on disk --- */

uint64_t dal_store_bytes(struct dal_store *store)
{
	DIR *folder = opendir(store->path);
	struct dirent *entry;
	uint64_t bytes = 0;

	if (!folder) {
		return 0;
	}
	while ((entry = readdir(folder))) {
		struct stat st;

		if (fstatat(dirfd(folder), entry->d_name, &st, 0) == 0 && S_ISREG(st.st_mode)) {
			bytes += (uint64_t)st.st_size;
		}
	}
	closedir(folder);
	return bytes;
}

void dal_store_prefix_end(struct dal_slice prefix, struct dal_buffer *out)
{
	while (prefix.size > 0 && (unsigned char)prefix.data[prefix.size - 1] == 0xff) {
		prefix.size--;
	}
	if (prefix.size > 0) {
		dal_buffer_slice_append(out, prefix);
		out->data[out->size - 1]++;
	}
}
