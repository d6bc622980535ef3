/*
 * The Kafka backend: the log as topics of a Kafka cluster. Only the files kafka*.c include
 * librdkafka. kafka_record.h describes how events lie in records.
 *
 * Lane k is partition k of every topic that the app reads: its own two and those of the options.
 * There are as many lanes as the widest topic has partitions; a narrower topic is absent from the
 * later lanes. The log's id is the cluster's id, '.', the app's name.
 *
 * Handles of librdkafka (each has threads and connections of its own):
 *
 *	watch    asks for offsets, once a second and when somebody wants to know; says who is away
 *	append   the producer
 *	member   is in the group, so that there is one of us; it fetches nothing
 *	handles  a few consumers, shared by readers: of one handle each partition has one reader
 *
 * Locks: each part has one of its own, none is held while another part is called, but that
 * everybody may call the watch. Callbacks of librdkafka take a lock for a moment only.
 */
#ifndef DAL_LOG_KAFKA_H
#define DAL_LOG_KAFKA_H

#include <librdkafka/rdkafka.h>

#include "engine/base/metrics.h"
#include "engine/log/kafka_record.h"

#define DAL_KAFKA_SESSION_MS 10000
/* What an append, an answer at open, or a reader that waits is given. */
#define DAL_KAFKA_PATIENCE_MS 10000

struct dal_kafka;
struct dal_kafka_talk;
struct dal_kafka_watch;
struct dal_kafka_handles;
struct dal_kafka_appender;
struct dal_kafka_member;

struct dal_kafka {
	struct dal_log log; /* first */
	struct dal_kafka_talk *talk;
	struct dal_log_kafka_options options; /* a copy that it owns */
	struct dal_kafka_topic *topics;       /* events, system, the others */
	size_t topic_count;
	uint32_t partition_count; /* of all topics */
	uint16_t lanes;
	char *id;
	void (*on_advance)(void *own);
	void (*on_lane)(uint16_t lane, void *own); /* or NULL */
	void *own;
	struct {
		struct dal_metric *read, *refused, *away;
	} metrics;
	struct dal_kafka_watch *watch;
	struct dal_kafka_handles *handles;
	struct dal_kafka_appender *appender; /* NULL: read only */
	struct dal_kafka_member *member;     /* NULL: of no group */
};

/* --- kafka_talk.c: what librdkafka says, to the logger --- */

struct dal_kafka_talk *dal_kafka_talk_new(void);
void dal_kafka_talk_free(struct dal_kafka_talk *talk);
/* For rd_kafka_conf_set_log_cb; the handle's opaque is the talk. Any thread. */
void dal_kafka_talk_log(const rd_kafka_t *handle, int level, const char *facility,
			const char *text);
/* A warning of our own, which is not repeated either. */
void dal_kafka_talk_warn(struct dal_kafka_talk *talk, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Why the last connection failed, into `out`: "" if none did. */
void dal_kafka_talk_reason(struct dal_kafka_talk *talk, char *out, size_t size);
/* They answer again: that reason is over. */
void dal_kafka_talk_forget(struct dal_kafka_talk *talk);

/* --- kafka_options.c: properties --- */

struct dal_kafka_property {
	const char *name, *value;
};

void dal_kafka_options_copy(struct dal_log_kafka_options *to,
			    const struct dal_log_kafka_options *from);
void dal_kafka_options_deinit(struct dal_log_kafka_options *options);
/*
 * A handle: `defaults` (until a NULL name), then the user's properties, then `fixed`. What is wrong
 * with a property is in `error`, or why librdkafka makes no handle of them. `events` are those
 * that come by its queues (rd_kafka_conf_set_events); what is none of them goes to the talk.
 */
int dal_kafka_handle_new(const struct dal_log_kafka_options *options, struct dal_kafka_talk *talk,
			 rd_kafka_type_t type, const struct dal_kafka_property *defaults,
			 const struct dal_kafka_property *fixed, int events, rd_kafka_t **handle,
			 struct dal_error *error);

/* --- kafka_topics.c: the topics, made or checked --- */

int dal_kafka_topics_declare(struct dal_kafka *kafka, const struct dal_log_options *options,
			     struct dal_error *error);
/* Makes the own ones that lack, if `make`; checks all; counts partitions and lanes. */
int dal_kafka_topics_open(struct dal_kafka *kafka, rd_kafka_t *handle, bool make,
			  struct dal_error *error);
void dal_kafka_topics_free(struct dal_kafka *kafka);
struct dal_kafka_topic *dal_kafka_topic_find(const struct dal_kafka *kafka, struct dal_slice name);

/* --- kafka_watch.c: offsets, and who is away --- */

struct dal_kafka_watch *dal_kafka_watch_new(struct dal_kafka *kafka, rd_kafka_t *handle);
/* Waits until it knows where each partition begins and ends. */
int dal_kafka_watch_await(struct dal_kafka_watch *watch, struct dal_error *error);
void dal_kafka_watch_free(struct dal_kafka_watch *watch);
/*
 * Asks for the first and the next offset of all partitions: into arrays by partition number, -1
 * where none is known. What was known before if there is no answer: then -EHOSTUNREACH, or -EAGAIN
 * where only some are as before. Either may be NULL. An answer of the last `age_ms` will do.
 */
int dal_kafka_watch_offsets(struct dal_kafka_watch *watch, int age_ms, int64_t *low, int64_t *high);
/* The same, but as the brokers say: what was passed does not count. */
int dal_kafka_watch_ask(struct dal_kafka_watch *watch, int age_ms, int64_t *low, int64_t *high);
/* Where each of these partitions' first record of this time or later stands. */
int dal_kafka_watch_at(struct dal_kafka_watch *watch, int64_t time_ms, int64_t *offsets);
/* An event was appended, or read, at this offset: the end is behind it. */
void dal_kafka_watch_passed(struct dal_kafka_watch *watch, uint32_t partition, int64_t next);
/* Since when no broker answers, 0: they do. */
int64_t dal_kafka_watch_away_us(const struct dal_kafka_watch *watch);
/* Something says that they may be away: look now. */
void dal_kafka_watch_doubt(struct dal_kafka_watch *watch);
/* A reader holds records back and must be asked again before long. */
void dal_kafka_watch_remind(struct dal_kafka_watch *watch);
rd_kafka_t *dal_kafka_watch_handle(const struct dal_kafka_watch *watch);

/* --- kafka_append.c, kafka_deliver.c: the producer --- */

int dal_kafka_appender_new(struct dal_kafka *kafka, struct dal_kafka_appender **appender,
			   struct dal_error *error);
void dal_kafka_appender_free(struct dal_kafka_appender *appender);
int dal_kafka_append(struct dal_kafka_appender *appender, struct dal_log_append *append);

/* --- kafka_handles.c: consumers that readers share --- */

/* Lanes, what the engine reads beside them, and those outside. */
enum dal_kafka_use { DAL_KAFKA_FOLLOW, DAL_KAFKA_READ, DAL_KAFKA_BROWSE };

struct dal_kafka_handle {
	rd_kafka_t *rk;
	rd_kafka_topic_t **topics; /* one a topic of the log */
	/* private */
	bool *used;
	size_t users;
	bool follow;
	struct dal_kafka_handle *next;
};

struct dal_kafka_handles *dal_kafka_handles_new(struct dal_kafka *kafka);
void dal_kafka_handles_free(struct dal_kafka_handles *handles);
/* One on which none of these partitions is read: now it is. To browse there is a bound: -EBUSY. */
int dal_kafka_handle_take(struct dal_kafka_handles *handles, enum dal_kafka_use use,
			  const uint32_t *partitions, size_t count,
			  struct dal_kafka_handle **handle);
void dal_kafka_handle_give(struct dal_kafka_handles *handles, struct dal_kafka_handle *handle,
			   const uint32_t *partitions, size_t count);

/* --- kafka_source.c, kafka_reader.c: reading --- */

int dal_kafka_reader_new(struct dal_log *log, uint16_t lane, const struct dal_position *from,
			 const char *topic, struct dal_log_reader **reader);
int dal_kafka_follow(struct dal_log *log, uint16_t lane, const struct dal_position *from,
		     struct dal_log_reader **reader);
int dal_kafka_browse(struct dal_log *log, uint16_t lane, const struct dal_position *from,
		     const char *topic, struct dal_log_reader **reader);
void dal_kafka_reader_free(struct dal_log_reader *reader);
int dal_kafka_read(struct dal_log_reader *reader, size_t max_events, size_t max_bytes,
		   struct dal_log_batch *batch);
void dal_kafka_reader_position(const struct dal_log_reader *reader, struct dal_position *position);
void dal_kafka_reader_lost(const struct dal_log_reader *reader, struct dal_place *place,
			   struct dal_error *why);

/* --- kafka_member.c: membership of the group --- */

/* Refuses where another is a live member; waits for one that may be dead. */
int dal_kafka_member_new(struct dal_kafka *kafka, struct dal_kafka_member **member,
			 struct dal_error *error);
void dal_kafka_member_free(struct dal_kafka_member *member);
/* Are all partitions ours? Any thread. */
bool dal_kafka_member_owns(const struct dal_kafka_member *member);
void dal_kafka_member_status(struct dal_kafka_member *member, struct dal_log_status *status);
void dal_kafka_member_committed(struct dal_kafka_member *member,
				const struct dal_position *position);

#endif
