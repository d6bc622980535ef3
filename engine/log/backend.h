/*
 * What a backend of the log implements, and what backends share: batches of records and the
 * holds that keep a batch's bytes alive.
 *
 * log.c is nothing but the public functions on top of this table; a backend embeds `struct dal_log`
 * and `struct dal_log_reader` as first members. Threads as log.h says for each function.
 */
#ifndef DAL_LOG_BACKEND_H
#define DAL_LOG_BACKEND_H

#include <stdatomic.h>

#include "engine/log/log.h"

struct dal_log_backend {
	enum dal_log_kind kind;
	void (*close)(struct dal_log *log);
	struct dal_slice (*id)(const struct dal_log *log);
	uint16_t (*lanes)(const struct dal_log *log);
	uint32_t (*partitions)(const struct dal_log *log, struct dal_slice topic);
	int (*append)(struct dal_log *log, struct dal_log_append *append);
	uint64_t (*origin)(const struct dal_log *log, uint16_t lane);
	void (*start)(struct dal_log *log, uint16_t lane, struct dal_position *position);
	void (*end)(struct dal_log *log, uint16_t lane, struct dal_position *position);
	int (*at)(struct dal_log *log, uint16_t lane, int64_t time_us,
		  struct dal_position *position);
	int (*reader_new)(struct dal_log *log, uint16_t lane, const struct dal_position *from,
			  const char *topic, struct dal_log_reader **reader);
	/* NULL: as reader_new. */
	int (*follow)(struct dal_log *log, uint16_t lane, const struct dal_position *from,
		      struct dal_log_reader **reader);
	/* NULL: as reader_new. */
	int (*browse)(struct dal_log *log, uint16_t lane, const struct dal_position *from,
		      const char *topic, struct dal_log_reader **reader);
	void (*reader_free)(struct dal_log_reader *reader);
	/* The batch is empty; log.c gives it its position. */
	int (*read)(struct dal_log_reader *reader, size_t max_events, size_t max_bytes,
		    struct dal_log_batch *batch);
	void (*reader_position)(const struct dal_log_reader *reader, struct dal_position *position);
	/* NULL: nothing is ever lost. */
	void (*reader_lost)(const struct dal_log_reader *reader, struct dal_place *place,
			    struct dal_error *why);
	/* NULL: all that is read is trusted. */
	bool (*accept)(const struct dal_log *log, const struct dal_log_record *record,
		       const struct dal_event *event, bool *halt, struct dal_error *why);
	/* NULL: nobody watches. */
	void (*committed)(struct dal_log *log, uint16_t lane, const struct dal_position *position);
	void (*status)(struct dal_log *log, struct dal_log_status *status);
	uint64_t (*bytes)(struct dal_log *log);
	bool (*has_room)(struct dal_log *log, struct dal_log_room *room);
};

struct dal_log {
	const struct dal_log_backend *backend;
};

struct dal_log_reader {
	struct dal_log *log;
};

/* embedded.c */
int dal_embedded_open(const struct dal_log_options *options, struct dal_log **log,
		      struct dal_error *error);
/* kafka.c */
int dal_kafka_open(const struct dal_log_options *options, struct dal_log **log,
		   struct dal_error *error);

/* Something shared that records point into. Whoever makes it has the first reference. */
struct dal_hold {
	_Atomic uint32_t references;
	void (*free)(struct dal_hold *hold);
};

static inline void dal_hold_init(struct dal_hold *hold, void (*free_hold)(struct dal_hold *hold))
{
	atomic_init(&hold->references, 1);
	hold->free = free_hold;
}

static inline void dal_hold_ref(struct dal_hold *hold)
{
	atomic_fetch_add_explicit(&hold->references, 1, memory_order_relaxed);
}

static inline void dal_hold_unref(struct dal_hold *hold)
{
	if (atomic_fetch_sub_explicit(&hold->references, 1, memory_order_acq_rel) == 1) {
		hold->free(hold);
	}
}

/* The batch takes a reference of its own, given up at its release. */
void dal_log_batch_hold(struct dal_log_batch *batch, struct dal_hold *hold);
void dal_log_batch_add(struct dal_log_batch *batch, const struct dal_log_record *record);

#endif
