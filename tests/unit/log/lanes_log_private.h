/* The parts of the log in memory: lanes_log.c appends, lanes_log_read.c reads. */
#ifndef DAL_TESTS_UNIT_LOG_LANES_LOG_PRIVATE_H
#define DAL_TESTS_UNIT_LOG_LANES_LOG_PRIVATE_H

#include <pthread.h>

#include "engine/log/backend.h"
#include "tests/unit/log/lanes_log.h"

struct record {
	struct dal_log_record record;
	struct dal_buffer text; /* event, padding, dedup, key */
};

struct partition {
	struct record **records;
	size_t count, capacity;
	uint64_t first, end;
};

struct topic {
	char *name;
	struct partition *partitions; /* one a lane */
};

struct lanes_log {
	struct dal_log log; /* first */
	struct lanes_log_options options;
	struct topic *topics;
	size_t topic_count;
	pthread_t writer;
	pthread_mutex_t lock; /* for what follows, and the partitions */
	pthread_cond_t changed;
	struct dal_log_append *queue, **queue_end;
	uint64_t placed; /* without a key, in turn */
	int64_t now_us, away_us;
	bool away, busy, paused, told, closing; /* told: somebody waits for on_advance */
};

static inline struct lanes_log *log_of(const struct dal_log *log)
{
	return (struct lanes_log *)log;
}

struct topic *lanes_topic(const struct lanes_log *l, struct dal_slice name); /* or NULL */

/* Of the backend's table. */
void lanes_status(struct dal_log *log, struct dal_log_status *status);
void lanes_start(struct dal_log *log, uint16_t lane, struct dal_position *position);
void lanes_end(struct dal_log *log, uint16_t lane, struct dal_position *position);
int lanes_at(struct dal_log *log, uint16_t lane, int64_t time_us, struct dal_position *position);
int lanes_reader_new(struct dal_log *log, uint16_t lane, const struct dal_position *from,
		     const char *topic, struct dal_log_reader **reader);
int lanes_follow(struct dal_log *log, uint16_t lane, const struct dal_position *from,
		 struct dal_log_reader **reader);
int lanes_browse(struct dal_log *log, uint16_t lane, const struct dal_position *from,
		 const char *topic, struct dal_log_reader **reader);
void lanes_reader_free(struct dal_log_reader *base);
int lanes_read(struct dal_log_reader *base, size_t max_events, size_t max_bytes,
	       struct dal_log_batch *batch);
void lanes_reader_position(const struct dal_log_reader *base, struct dal_position *position);
void lanes_reader_lost(const struct dal_log_reader *base, struct dal_place *place,
		       struct dal_error *why);
bool lanes_accept(const struct dal_log *log, const struct dal_log_record *record,
		  const struct dal_event *event, bool *halt, struct dal_error *why);

#endif
