/*
 * The event log: append with deduplication, read in order, positions. One interface, two backends.
 *
 * The embedded backend keeps one sequence of offsets over all topics, from 1 without gaps, in a
 * store of its own (block.h has the format); it has one lane, and one mark with topic "*" says
 * where a reader stands. The Kafka backend (kafka.c, to come) has a lane a partition and a mark a
 * topic.
 *
 * Append: any thread; it queues and returns at once. The writer thread makes one batch with one
 * fsync of all that waits, then calls `done` for each append of the group, on its thread: be short
 * there. No reader gets an offset before its fsync. Full (DAL_LIMIT_LOG_PENDING_BYTES wait) or the
 * disk near its mark: refused at once, nothing is dropped. After an I/O error every append fails
 * with -EIO and `on_broken` is called: the engine stops and recovers by restart.
 *
 * Read: any number of readers, one thread each; they never block the writer.
 *
 *	dal_log_reader_new(log, 0, NULL, 0, NULL, &reader);
 *	while (dal_log_read(reader, 4096, 8 * DAL_MIB, &batch) == 0) {
 *		use(batch.records, batch.count);
 *	}
 *	dal_log_batch_release(&batch);
 */
#ifndef DAL_LOG_LOG_H
#define DAL_LOG_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/slice.h"
#include "engine/event/event.h"

struct dal_log;
struct dal_log_reader;

struct dal_log_options {
	const char *path;          /* embedded: the folder */
	bool read_only;            /* a stopped engine's log; appends are refused */
	const char *const *topics; /* NULL-terminated: beside `events` and `system` */
	uint64_t disk_free_bytes;  /* 0: DAL_LIMIT_DISK_FREE_BYTES; at least 64 MiB, see disk.h */
	uint64_t dedup_window_ms;  /* 0: DAL_LIMIT_DEDUP_WINDOW_MS */
	/* Both on the writer's thread, both may be NULL: after each group became readable; and
	 * once, when a write has failed. */
	void (*on_advance)(void *own);
	void (*on_broken)(int error, void *own);
	void *own;
};

int dal_log_open(const struct dal_log_options *options, struct dal_log **log,
		 struct dal_error *error);
/* Appends that wait are written first. Readers are freed before. */
void dal_log_close(struct dal_log *log);
/* Text without '/'; lives as long as the log. */
struct dal_slice dal_log_id(const struct dal_log *log);
uint16_t dal_log_lanes(const struct dal_log *log);
/* Declared at this open: an append to any other is refused. */
bool dal_log_has_topic(const struct dal_log *log, struct dal_slice topic);

/* --- append --- */

enum {
	DAL_LOG_FULL = 1,     /* too much waits: 503, try again in a second */
	DAL_LOG_DISK = 2,     /* the disk is near its mark: 503; `urgent` ones still have room */
	DAL_LOG_CONFLICT = 3, /* this idempotency key came with another body: 422 */
};

struct dal_log_item {
	struct dal_slice topic;
	struct dal_slice event; /* structured JSON, validated by whoever calls */
	/* What it is told by within the window (source and id); empty: never a repeat. */
	struct dal_slice dedup;
	/* Results. Of a repeat the place is the first one's, but for the topic, which is the
	 * item's. */
	struct dal_place place;
	bool repeated;
	struct {
		uint64_t key[2]; /* two hashes of `dedup` */
		uint16_t topic;
	} private_; /* the log's, until `done` */
};

/* The caller keeps it, and all it points to, until `done`. All its items are appended (repeats
 * aside), or none. */
struct dal_log_append {
	struct dal_log_item *items;
	size_t count;
	/* A key for the whole request (Idempotency-Key), empty: none, and a digest of its body, 16
	 * bytes or more. A repeat with the same body is answered with the first places, with
	 * another body: DAL_LOG_CONFLICT. */
	struct dal_slice request_key;
	struct dal_slice request_body;
	/* A completion or a report: it has room where others don't. */
	bool urgent;
	/* Emits: the cause's offset, on the last append of that cause; 0 otherwise. Recorded in the
	 * batch that appends. */
	uint64_t origin;
	/* Gets 0, a named outcome, or a negative error. May free the append. */
	void (*done)(struct dal_log_append *append, int result);
	void *own;
	struct dal_log_append *next; /* private, like what follows */
	size_t bytes;
	int result;
};

/*
 * 0: `done` will be called, once. DAL_LOG_FULL, DAL_LOG_DISK: it won't, nor after a negative one:
 * -EINVAL a topic that isn't declared, -EMSGSIZE an event over DAL_LIMIT_JSON_BYTES, -EROFS a
 * read-only log, -EIO a broken one.
 */
int dal_log_append(struct dal_log *log, struct dal_log_append *append);
/* The same, waiting: gives the result that `done` would get; sets `done` and `own` for itself. For
 * tests, tools and start-up; never on an HTTP thread. */
int dal_log_append_wait(struct dal_log *log, struct dal_log_append *append);
/* The last origin that was appended: emits of causes up to it are on the log. 0: none. */
uint64_t dal_log_origin(const struct dal_log *log, uint16_t lane);

/* --- read --- */

struct dal_log_mark {
	struct dal_slice topic; /* embedded: "*" */
	uint64_t next;          /* the first offset not read yet */
};

struct dal_log_record {
	struct dal_place place; /* its topic's text lives as long as the log */
	int64_t appended_us;
	struct dal_slice event; /* DAL_JSON_PADDING readable bytes follow it */
};

/* Records that stay valid until it is released. A zeroed struct is an empty batch. */
struct dal_log_batch {
	struct dal_log_record *records;
	size_t count, capacity;
	size_t bytes;
	void *blocks; /* private */
};

enum { DAL_LOG_END = 1 };

/* The end of a lane that readers may see: the marks behind the last record. At most `capacity` are
 * filled; returns how many there are. */
size_t dal_log_end(struct dal_log *log, uint16_t lane, struct dal_log_mark *marks, size_t capacity);
/* Where a lane's first record appended at or after this time stands. */
size_t dal_log_at(struct dal_log *log, uint16_t lane, int64_t time_us, struct dal_log_mark *marks,
		  size_t capacity);
/* From these marks on (none: from the start). `topic`: only that one (blocks without it are
 * skipped), or NULL. */
int dal_log_reader_new(struct dal_log *log, uint16_t lane, const struct dal_log_mark *marks,
		       size_t count, const char *topic, struct dal_log_reader **reader);
void dal_log_reader_free(struct dal_log_reader *reader);
/* Fills the batch (released first) with up to so many events or so many bytes, at least one record
 * if there is any. 0, DAL_LOG_END if there is nothing now, negative. */
int dal_log_read(struct dal_log_reader *reader, size_t max_events, size_t max_bytes,
		 struct dal_log_batch *batch);
/* Where the reader stands, behind what it gave: marks as of dal_log_end. */
size_t dal_log_reader_marks(const struct dal_log_reader *reader, struct dal_log_mark *marks,
			    size_t capacity);
void dal_log_batch_release(struct dal_log_batch *batch);

uint64_t dal_log_bytes(struct dal_log *log);

struct dal_log_room {
	uint64_t
		free_bytes; /* on the disk, when it was last asked; UINT64_MAX: it never answered */
	uint64_t mark_bytes; /* below this ordinary appends are refused */
};

/* Would a small append that is not urgent find room on the disk? False for a read-only log, whose
 * room is all zeros. Any thread. */
bool dal_log_has_room(struct dal_log *log, struct dal_log_room *room);

#endif
