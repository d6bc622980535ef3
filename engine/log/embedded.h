/*
 * The embedded backend's inside, shared by embedded.c (open, close), embedded_read.c and the
 * writer.
 *
 * One store holds meta records (meta.h), blocks (block.h) and dedup records (dedup_record.h). `end`
 * is the one thing that says what readers may see: the writer moves it after each fsync. All else
 * here is constant after open, or has its own lock.
 */
#ifndef DAL_LOG_EMBEDDED_H
#define DAL_LOG_EMBEDDED_H

#include <stdatomic.h>

#include "engine/log/backend.h"
#include "engine/log/block.h"
#include "engine/log/disk.h"
#include "engine/log/meta.h"
#include "engine/log/recent.h"
#include "engine/log/table.h"
#include "state/store.h"

#define DAL_EMBEDDED_RECENT_BYTES (16 * 1024 * 1024)

struct dal_writer;

struct dal_embedded {
	struct dal_log log;             /* first */
	struct dal_log_options options; /* its pointers to text are not kept */
	char *path;
	struct dal_store *store;
	struct dal_meta meta;
	struct dal_recent *recent;
	struct dal_disk disk;
	struct dal_writer *writer; /* NULL: read-only */
	_Atomic uint64_t end;      /* the first offset that readers may not see */
	_Atomic uint64_t origin;
	atomic_bool damaged; /* a block that can't be read was met, and reported */
};

/* The two secret hashes of a dedup or request key. */
struct dal_table_key dal_embedded_hash(const struct dal_embedded *log, struct dal_slice text);

/* embedded_read.c: the backend's functions. */
void dal_embedded_start(struct dal_log *log, uint16_t lane, struct dal_position *position);
void dal_embedded_end(struct dal_log *log, uint16_t lane, struct dal_position *position);
int dal_embedded_at(struct dal_log *log, uint16_t lane, int64_t time_us,
		    struct dal_position *position);
int dal_embedded_reader_new(struct dal_log *log, uint16_t lane, const struct dal_position *from,
			    const char *topic, struct dal_log_reader **reader);
void dal_embedded_reader_free(struct dal_log_reader *reader);
int dal_embedded_read(struct dal_log_reader *reader, size_t max_events, size_t max_bytes,
		      struct dal_log_batch *batch);
void dal_embedded_reader_position(const struct dal_log_reader *reader,
				  struct dal_position *position);

/* The last block that begins at or before `offset`: its head, whose slices die with *iterator. 0,
 * DAL_STORE_ABSENT or negative; the caller frees *iterator in each case. */
int dal_embedded_find(struct dal_store *store, uint64_t offset,
		      struct dal_store_iterator **iterator, struct dal_block_head *head);

#endif
