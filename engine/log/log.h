/*
 * The event log: append with deduplication, read in order, positions. One interface, two backends.
 *
 * The embedded backend keeps one sequence of offsets over all topics, from 1 without gaps, in a
 * store of its own (block.h has the format); it has one lane. The Kafka backend (kafka.h) has a
 * lane a partition number: partition k of every topic that the app reads.
 *
 * Append: any thread; it queues and returns at once. The writer thread makes one batch with one
 * fsync of all that waits (Kafka: the producer waits for all replicas), then calls `done` for each
 * append, on its thread: be short there. No reader gets an offset before that. Full
 * (DAL_LIMIT_LOG_PENDING_BYTES wait), the disk near its mark or the broker away: refused, nothing
 * is dropped. After an I/O error every append fails with -EIO and `on_broken` is called: the engine
 * stops and recovers by restart. A broker that is away breaks nothing.
 *
 * Read: any number of readers, one thread each; they never block the writer.
 *
 *	dal_log_reader_new(log, 0, NULL, NULL, &reader);
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
#include "engine/event/position.h"

struct dal_log;
struct dal_log_reader;

/* A topic beside the app's own, or more about one of its own. Text lives as long as the log. */
struct dal_log_topic {
	const char *name;
	/* What follows is for Kafka; NULL and 0 are its defaults. */
	const char *key;         /* path of the value that keys it, "data.customer" */
	const char *type;        /* of what is no CloudEvent: "kafka.record" */
	const char *source;      /* likewise: "/kafka/<topic>" */
	const char *partitioner; /* "murmur2" or "crc32" */
	bool halt_on_wrong_key;  /* instead of skipping the record */
};

struct dal_log_property {
	const char *name, *value;
	bool secret; /* its value is never shown */
};

struct dal_log_kafka_options {
	const char *brokers; /* "k1:9092,k2:9092" */
	const char *app;     /* its own topics are <app>.events and <app>.system */
	const char *group;
	uint32_t partitions; /* of its own topics when they are made; 0: as many as the widest
				topic read has */
	bool skip_lost;      /* out_of_range "earliest": go on behind what retention took;
				else the lane halts */
	const char *data;    /* the data folder: holds the member's id. NULL: only reads */
	const struct dal_log_property *properties; /* of librdkafka; checked at open */
	size_t property_count;
};

enum dal_log_kind { DAL_LOG_EMBEDDED, DAL_LOG_KAFKA };

struct dal_log_options {
	enum dal_log_kind kind;
	const char *path; /* embedded: the folder */
	bool read_only;   /* appends are refused; embedded: a stopped engine's log */
	const struct dal_log_topic *topics; /* beside `events` and `system`, or more about them */
	size_t topic_count;
	struct dal_log_kafka_options kafka;
	uint64_t disk_free_bytes; /* 0: DAL_LIMIT_DISK_FREE_BYTES; at least 64 MiB, see disk.h */
	uint64_t dedup_window_ms; /* 0: DAL_LIMIT_DEDUP_WINDOW_MS */
	/* Both on a thread of the log's, both may be NULL: after more became readable; and once,
	 * when a write has failed. */
	void (*on_advance)(void *own);
	/* More became readable for the dal_log_follow reader of one lane, or, for no lane but
	 * others' readers, DAL_LOG_ALL_LANES; NULL: on_advance. */
	void (*on_lane)(uint16_t lane, void *own);
	void (*on_broken)(int error, void *own);
	void *own;
};

int dal_log_open(const struct dal_log_options *options, struct dal_log **log,
		 struct dal_error *error);
/* Appends that wait are written first. Readers are freed before. */
void dal_log_close(struct dal_log *log);
/* Text without '/'; lives as long as the log. */
struct dal_slice dal_log_id(const struct dal_log *log);
enum dal_log_kind dal_log_kind(const struct dal_log *log);
uint16_t dal_log_lanes(const struct dal_log *log);
/* Embedded: 1. Kafka: as the topic has, 0 if it isn't declared. */
uint32_t dal_log_partitions(const struct dal_log *log, struct dal_slice topic);
/* Declared at this open: an append to any other is refused. */
bool dal_log_has_topic(const struct dal_log *log, struct dal_slice topic);

/* --- append --- */

enum {
	DAL_LOG_FULL = 1,     /* too much waits: 503, try again in a second */
	DAL_LOG_DISK = 2,     /* the disk is near its mark: 503; `urgent` ones still have room */
	DAL_LOG_CONFLICT = 3, /* this idempotency key came with another body: 422 */
	DAL_LOG_AWAY = 4, /* the broker did not take it in time: 503. It may yet be on the log: who
			     tries again does so with the same event, whose repeat is dropped */
	/* No retry cures these. The items that they are about have `refused`. */
	DAL_LOG_TOO_LARGE = 5, /* than DAL_LIMIT_JSON_BYTES, or than its topic takes: 413 */
	DAL_LOG_REFUSED =
		6, /* no key where there must be one ...: 502. (Rights may come back: AWAY) */
};

struct dal_log_item {
	struct dal_slice topic;
	struct dal_slice event; /* structured JSON, validated by whoever calls */
	/* What it is told by within the window (source and id); empty: never a repeat. On Kafka
	 * the reading lane drops the repeat (struct dal_log_record), here it gets a place. */
	struct dal_slice dedup;
	/* Into the partition of `lane`: what dalamb says of a lane; else where its key belongs. */
	bool placed;
	uint16_t lane;
	/* Results. Of a repeat the place is the first one's, but for the topic, which is the
	 * item's. */
	struct dal_place place;
	bool repeated;
	const char
		*refused; /* why the log does not take it, and never will: static text; or NULL */
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
	/* Emits: the cause's offset, on the last append of that cause; 0 otherwise. Embedded:
	 * recorded in the batch that appends. */
	uint64_t origin;
	/* Gets 0, a named outcome, or a negative error. May free the append. */
	void (*done)(struct dal_log_append *append, int result);
	void *own;
	struct dal_log_append *next; /* private, like what follows */
	size_t bytes;
	int result;
};

/*
 * 0: `done` will be called, once. A named outcome: it won't, nor after a negative one:
 * -EINVAL a topic that isn't declared, -EROFS a read-only log, -EIO a broken one.
 */
int dal_log_append(struct dal_log *log, struct dal_log_append *append);
/* The same, waiting: gives the result that `done` would get; sets `done` and `own` for itself. For
 * tests, tools and start-up; never on an HTTP thread. */
int dal_log_append_wait(struct dal_log *log, struct dal_log_append *append);
/* The last origin that was appended: emits of causes up to it are on the log. 0: none, or not known
 * (Kafka): then emits come with `dedup`. */
uint64_t dal_log_origin(const struct dal_log *log, uint16_t lane);

/* --- read --- */

/* For readers and positions: every partition of every topic. */
#define DAL_LOG_ALL_LANES UINT16_MAX

struct dal_log_record {
	struct dal_place place; /* its topic's text lives as long as the log */
	int64_t appended_us;
	struct dal_slice event; /* DAL_JSON_PADDING readable bytes follow it */
	/* Kafka only: */
	bool untrusted; /* nobody has validated it yet: parse it so, then ask dal_log_accept */
	bool foreign;   /* of a topic that is not the app's own: what it says of dalamb is void */
	bool keyed;
	struct dal_slice key;     /* the record's, if it is keyed */
	struct dal_slice refused; /* why this is no event (too large, not JSON ...), else empty;
				     then `event` is empty */
	uint64_t size_bytes;      /* of a refused one; of others for dal_log_accept */
	struct dal_slice dedup;   /* 16 bytes: of another record with the same, appended within
				     the window before it, it is the repeat; or empty */
};

/* Records that stay valid until it is released. A zeroed struct is an empty batch. */
struct dal_log_batch {
	struct dal_log_record *records;
	size_t count, capacity;
	size_t bytes;
	struct dal_position position; /* where the reader stands behind it: also behind offsets
					 that hold no event (Kafka) */
	void *blocks;                 /* private */
};

enum {
	DAL_LOG_END = 1,  /* there is nothing now; the batch has a position all the same */
	DAL_LOG_LOST = 2, /* dal_log_follow only: what comes next is gone (retention) */
};

/* The first events that are there, and the end that readers may see: marks behind the last. When
 * the broker is away: as last known. They replace what `position` held. */
void dal_log_start(struct dal_log *log, uint16_t lane, struct dal_position *position);
void dal_log_end(struct dal_log *log, uint16_t lane, struct dal_position *position);
/* Where the first events appended at or after this time stand. 0, or negative (-EHOSTUNREACH). */
int dal_log_at(struct dal_log *log, uint16_t lane, int64_t time_us, struct dal_position *position);

/* From this position on (NULL, and for topics without a mark: from the start). `topic`: only that
 * one (embedded: blocks without it are skipped), or NULL. What is gone is passed over. Topics of a
 * lane, or of all, come merged by their append times as far as that can be had. */
int dal_log_reader_new(struct dal_log *log, uint16_t lane, const struct dal_position *from,
		       const char *topic, struct dal_log_reader **reader);
/*
 * The reader of the lane's worker. On Kafka it gives nothing while the group does not give us all
 * partitions (dal_log_status says so), and what retention took is a refused record or, by policy,
 * DAL_LOG_LOST with `why`.
 */
int dal_log_follow(struct dal_log *log, uint16_t lane, const struct dal_position *from,
		   struct dal_log_reader **reader);
/*
 * For those outside (lists, tails), on threads that others wait for: its reads give DAL_LOG_END at
 * once while what is there has yet to come from a broker, too. on_advance says when to ask again;
 * the reader's position, whether it has come to the end. On Kafka each costs connections and
 * memory: -EBUSY, as many as there may be are there.
 */
int dal_log_browse(struct dal_log *log, uint16_t lane, const struct dal_position *from,
		   const char *topic, struct dal_log_reader **reader);
void dal_log_reader_free(struct dal_log_reader *reader);
/* Fills the batch (released first) with up to so many events or so many bytes, at least one record
 * if there is any. 0, DAL_LOG_END, DAL_LOG_LOST, negative. Does not wait for what is not there:
 * on_advance says when to ask again. */
int dal_log_read(struct dal_log_reader *reader, size_t max_events, size_t max_bytes,
		 struct dal_log_batch *batch);
/* Where the reader stands, behind what it gave. */
void dal_log_reader_position(const struct dal_log_reader *reader, struct dal_position *position);
/* After DAL_LOG_LOST: what is gone, where, and the remedy. */
void dal_log_reader_lost(const struct dal_log_reader *reader, struct dal_place *place,
			 struct dal_error *why);
void dal_log_batch_release(struct dal_log_batch *batch);

/*
 * Is an untrusted record, whose JSON has been parsed, an event that counts? False with `why`: its
 * envelope is broken, its key is not the value at its topic's path, its type is dalamb's. *halt: by
 * its topic's policy the lane stops here. Any thread.
 */
bool dal_log_accept(const struct dal_log *log, const struct dal_log_record *record,
		    const struct dal_event *event, bool *halt, struct dal_error *why);

/* A lane has committed: a hint for who watches the group (Kafka), at most one a second. */
void dal_log_committed(struct dal_log *log, uint16_t lane, const struct dal_position *position);

/* Bytes on the disk; Kafka: 0. */
uint64_t dal_log_bytes(struct dal_log *log);

struct dal_log_room {
	uint64_t
		free_bytes; /* on the disk, when it was last asked; UINT64_MAX: it never answered */
	uint64_t mark_bytes; /* below this ordinary appends are refused */
};

struct dal_log_status {
	bool away;          /* no broker answers */
	int64_t away_us;    /* since when */
	bool paused;        /* lanes are not read: see obstacle */
	char obstacle[384]; /* what stands in the way and what to do, or "" */
};

void dal_log_status(struct dal_log *log, struct dal_log_status *status);

/*
 * Asks the brokers, without opening the log, how many partitions each of these topics has: 0 in
 * `partitions` for one that isn't there; the first two are the app's own (`events`, `system`), then
 * options->topics. 0, or negative with `error`. Kafka only; waits up to timeout_ms.
 */
int dal_log_ask_partitions(const struct dal_log_options *options, int timeout_ms,
			   uint32_t *partitions, struct dal_error *error);

/* May this property of librdkafka be set, to this value? -EINVAL with `error`, which shows no value
 * of a secret, if it is unknown or would break a promise. Any thread. */
int dal_log_check_property(const struct dal_log_property *property, struct dal_error *error);

/* Would a small append that is not urgent find room on the disk? False for a read-only log, whose
 * room is all zeros. Any thread. */
bool dal_log_has_room(struct dal_log *log, struct dal_log_room *room);

#endif
