#include "engine/log/log.h"

#include <pthread.h>

#include "engine/base/memory.h"
#include "engine/log/backend.h"

int dal_log_open(const struct dal_log_options *options, struct dal_log **log,
		 struct dal_error *error)
{
	return options->kind == DAL_LOG_KAFKA ? dal_kafka_open(options, log, error)
					      : dal_embedded_open(options, log, error);
}

void dal_log_close(struct dal_log *log)
{
	if (log) {
		log->backend->close(log);
	}
}

struct dal_slice dal_log_id(const struct dal_log *log)
{
	return log->backend->id(log);
}

uint16_t dal_log_lanes(const struct dal_log *log)
{
	return log->backend->lanes(log);
}

enum dal_log_kind dal_log_kind(const struct dal_log *log)
{
	return log->backend->kind;
}

uint32_t dal_log_partitions(const struct dal_log *log, struct dal_slice topic)
{
	return log->backend->partitions(log, topic);
}

bool dal_log_has_topic(const struct dal_log *log, struct dal_slice topic)
{
	return log->backend->partitions(log, topic) > 0;
}

void dal_log_committed(struct dal_log *log, uint16_t lane, const struct dal_position *position)
{
	if (log->backend->committed) {
		log->backend->committed(log, lane, position);
	}
}

void dal_log_status(struct dal_log *log, struct dal_log_status *status)
{
	*status = (struct dal_log_status){0};
	if (log->backend->status) {
		log->backend->status(log, status);
	}
}

uint64_t dal_log_bytes(struct dal_log *log)
{
	return log->backend->bytes(log);
}

bool dal_log_has_room(struct dal_log *log, struct dal_log_room *room)
{
	return log->backend->has_room(log, room);
}

/* --- append --- */

int dal_log_append(struct dal_log *log, struct dal_log_append *append)
{
	return log->backend->append(log, append);
}

struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool done;
	int result;
};

static void waiter_done(struct dal_log_append *append, int result)
{
	struct waiter *waiter = append->own;
	pthread_mutex_lock(&waiter->lock);
	waiter->done = true;
	waiter->result = result;
	pthread_cond_signal(&waiter->wake);
	pthread_mutex_unlock(&waiter->lock);
}

int dal_log_append_wait(struct dal_log *log, struct dal_log_append *append)
{
	struct waiter waiter = {
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.wake = PTHREAD_COND_INITIALIZER,
	};
	append->done = waiter_done;
	append->own = &waiter;
	int r = dal_log_append(log, append);
	if (r == 0) {
		pthread_mutex_lock(&waiter.lock);
		while (!waiter.done) {
			pthread_cond_wait(&waiter.wake, &waiter.lock);
		}
		r = waiter.result;
		pthread_mutex_unlock(&waiter.lock);
	}
	pthread_cond_destroy(&waiter.wake);
	pthread_mutex_destroy(&waiter.lock);
	return r;
}

uint64_t dal_log_origin(const struct dal_log *log, uint16_t lane)
{
	return log->backend->origin(log, lane);
}

/* --- read --- */

void dal_log_start(struct dal_log *log, uint16_t lane, struct dal_position *position)
{
	log->backend->start(log, lane, position);
}

void dal_log_end(struct dal_log *log, uint16_t lane, struct dal_position *position)
{
	log->backend->end(log, lane, position);
}

int dal_log_at(struct dal_log *log, uint16_t lane, int64_t time_us, struct dal_position *position)
{
	return log->backend->at(log, lane, time_us, position);
}

int dal_log_reader_new(struct dal_log *log, uint16_t lane, const struct dal_position *from,
		       const char *topic, struct dal_log_reader **reader)
{
	return log->backend->reader_new(log, lane, from, topic, reader);
}

int dal_log_follow(struct dal_log *log, uint16_t lane, const struct dal_position *from,
		   struct dal_log_reader **reader)
{
	return log->backend->follow ? log->backend->follow(log, lane, from, reader)
				    : dal_log_reader_new(log, lane, from, NULL, reader);
}

int dal_log_browse(struct dal_log *log, uint16_t lane, const struct dal_position *from,
		   const char *topic, struct dal_log_reader **reader)
{
	return log->backend->browse ? log->backend->browse(log, lane, from, topic, reader)
				    : dal_log_reader_new(log, lane, from, topic, reader);
}

void dal_log_reader_free(struct dal_log_reader *reader)
{
	if (reader) {
		reader->log->backend->reader_free(reader);
	}
}

void dal_log_reader_position(const struct dal_log_reader *reader, struct dal_position *position)
{
	reader->log->backend->reader_position(reader, position);
}

void dal_log_reader_lost(const struct dal_log_reader *reader, struct dal_place *place,
			 struct dal_error *why)
{
	reader->log->backend->reader_lost(reader, place, why);
}

bool dal_log_accept(const struct dal_log *log, const struct dal_log_record *record,
		    const struct dal_event *event, bool *halt, struct dal_error *why)
{
	*halt = false;
	return !log->backend->accept || log->backend->accept(log, record, event, halt, why);
}

/* --- batches --- */

struct holds {
	struct dal_hold **items;
	size_t count, capacity;
};

void dal_log_batch_hold(struct dal_log_batch *batch, struct dal_hold *hold)
{
	if (!batch->blocks) {
		batch->blocks = dal_calloc(1, sizeof(struct holds));
	}
	struct holds *holds = batch->blocks;
	DAL_GROW(holds->items, holds->count, holds->capacity);
	holds->items[holds->count++] = hold;
	dal_hold_ref(hold);
}

void dal_log_batch_add(struct dal_log_batch *batch, const struct dal_log_record *record)
{
	DAL_GROW(batch->records, batch->count, batch->capacity);
	batch->records[batch->count++] = *record;
	batch->bytes += record->event.size;
}

/* Gives the bytes back; the arrays stay for the next read. */
static void batch_clear(struct dal_log_batch *batch)
{
	struct holds *holds = batch->blocks;
	for (size_t i = 0; holds && i < holds->count; i++) {
		dal_hold_unref(holds->items[i]);
	}
	if (holds) {
		holds->count = 0;
	}
	batch->count = 0;
	batch->bytes = 0;
}

int dal_log_read(struct dal_log_reader *reader, size_t max_events, size_t max_bytes,
		 struct dal_log_batch *batch)
{
	int r;

	batch_clear(batch);
	r = reader->log->backend->read(reader, max_events, max_bytes, batch);
	dal_log_reader_position(reader, &batch->position);
	return r;
}

void dal_log_batch_release(struct dal_log_batch *batch)
{
	struct holds *holds = batch->blocks;
	batch_clear(batch);
	if (holds) {
		free(holds->items);
		free(holds);
	}
	free(batch->records);
	dal_position_deinit(&batch->position);
	*batch = (struct dal_log_batch){0};
}
