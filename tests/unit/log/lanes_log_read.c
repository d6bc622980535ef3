/* The log in memory, read. */
#include <errno.h>

#include "engine/base/memory.h"
#include "tests/unit/log/lanes_log_private.h"

struct lanes_reader {
	struct dal_log_reader reader; /* first */
	uint16_t lane;
	char *topic; /* or NULL */
	struct dal_position next;
	bool follows, read;
	struct dal_place lost;
};

/* --- positions --- */

enum bound { BOUND_START, BOUND_END, BOUND_TIME };

static uint64_t offset_at(const struct partition *p, int64_t time_us)
{
	for (size_t i = 0; i < p->count; i++) {
		if (p->records[i]->record.appended_us >= time_us) {
			return p->records[i]->record.place.offset;
		}
	}
	return p->end;
}

static void position_fill(struct dal_log *log, uint16_t lane, enum bound bound, int64_t time_us,
			  struct dal_position *position)
{
	struct lanes_log *l = log_of(log);

	dal_position_deinit(position);
	pthread_mutex_lock(&l->lock);
	for (uint16_t k = 0; k < l->options.lanes; k++) {
		for (size_t i = 0; i < l->topic_count; i++) {
			const struct partition *p = &l->topics[i].partitions[k];
			uint64_t next = bound == BOUND_START ? p->first
					: bound == BOUND_END ? p->end
							     : offset_at(p, time_us);
			if (lane == k || lane == DAL_LOG_ALL_LANES) {
				dal_position_set(position, dal_slice_text(l->topics[i].name), k,
						 next > p->first ? next : p->first);
			}
		}
	}
	pthread_mutex_unlock(&l->lock);
}

void lanes_start(struct dal_log *log, uint16_t lane, struct dal_position *position)
{
	position_fill(log, lane, BOUND_START, 0, position);
}

void lanes_end(struct dal_log *log, uint16_t lane, struct dal_position *position)
{
	position_fill(log, lane, BOUND_END, 0, position);
}

int lanes_at(struct dal_log *log, uint16_t lane, int64_t time_us, struct dal_position *position)
{
	struct dal_log_status status = {0};

	lanes_status(log, &status);
	if (status.away) {
		return -EHOSTUNREACH;
	}
	position_fill(log, lane, BOUND_TIME, time_us, position);
	return 0;
}

/* --- read --- */

static int reader_make(struct dal_log *log, uint16_t lane, const struct dal_position *from,
		       const char *topic, bool follows, struct dal_log_reader **out)
{
	struct lanes_log *l = log_of(log);
	struct lanes_reader *reader;

	if (lane >= l->options.lanes && lane != DAL_LOG_ALL_LANES) {
		return -EINVAL;
	}
	if (topic && !lanes_topic(l, dal_slice_text(topic))) {
		return -ENOENT;
	}
	reader = dal_calloc(1, sizeof(*reader));
	reader->reader.log = log;
	reader->lane = lane;
	reader->topic = topic ? dal_strdup(topic) : NULL;
	reader->follows = follows;
	lanes_start(log, lane, &reader->next);
	for (size_t i = 0; from && i < from->count; i++) {
		const struct dal_mark *mark = &from->marks[i];
		struct dal_mark *own = dal_position_find(&reader->next, mark->topic,
							 mark->partition);
		if (own && (follows || mark->next > own->next)) {
			own->next = mark->next;
		}
	}
	*out = &reader->reader;
	return 0;
}

int lanes_reader_new(struct dal_log *log, uint16_t lane, const struct dal_position *from,
		     const char *topic, struct dal_log_reader **reader)
{
	return reader_make(log, lane, from, topic, false, reader);
}

int lanes_follow(struct dal_log *log, uint16_t lane, const struct dal_position *from,
		 struct dal_log_reader **reader)
{
	return reader_make(log, lane, from, NULL, true, reader);
}

int lanes_browse(struct dal_log *log, uint16_t lane, const struct dal_position *from,
		 const char *topic, struct dal_log_reader **reader)
{
	struct lanes_log *l = log_of(log);
	bool busy;

	pthread_mutex_lock(&l->lock);
	busy = l->busy;
	pthread_mutex_unlock(&l->lock);
	return busy ? -EBUSY : reader_make(log, lane, from, topic, false, reader);
}

void lanes_reader_free(struct dal_log_reader *base)
{
	struct lanes_reader *reader = (struct lanes_reader *)base;

	dal_position_deinit(&reader->next);
	free(reader->topic);
	free(reader);
}

/* The next record of a partition that is read; at its end the mark goes there. */
static const struct dal_log_record *head_of(const struct lanes_log *l, struct dal_mark *mark)
{
	const struct partition *p =
		&lanes_topic(l, mark->topic)->partitions[(uint16_t)mark->partition];
	uint64_t from = mark->next > p->first ? mark->next : p->first;
	size_t low = 0, high = p->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (p->records[middle]->record.place.offset < from) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	if (low < p->count) {
		return &p->records[low]->record;
	}
	mark->next = p->end > mark->next ? p->end : mark->next;
	return NULL;
}

/* The earliest of all partitions; false: there is none. */
static bool record_take(struct lanes_reader *reader, struct dal_log_record *record)
{
	const struct lanes_log *l = log_of(reader->reader.log);
	const struct dal_log_record *best = NULL;
	struct dal_mark *of = NULL;

	for (size_t i = 0; i < reader->next.count; i++) {
		struct dal_mark *mark = &reader->next.marks[i];
		const struct dal_log_record *head;
		if (reader->topic && !dal_slice_is(mark->topic, reader->topic)) {
			continue;
		}
		head = head_of(l, mark);
		if (head && (!best || head->appended_us < best->appended_us)) {
			best = head;
			of = mark;
		}
	}
	if (best) {
		*record = *best;
		of->next = best->place.offset + 1;
	}
	return best != NULL;
}

static bool is_lost(struct lanes_reader *reader)
{
	const struct lanes_log *l = log_of(reader->reader.log);

	for (size_t i = 0; reader->follows && i < reader->next.count; i++) {
		const struct dal_mark *mark = &reader->next.marks[i];
		const struct topic *topic = lanes_topic(l, mark->topic);
		if (mark->next < topic->partitions[(uint16_t)mark->partition].first) {
			reader->lost = (struct dal_place){dal_slice_text(topic->name),
							  mark->partition, mark->next};
			return true;
		}
	}
	return false;
}

int lanes_read(struct dal_log_reader *base, size_t max_events, size_t max_bytes,
	       struct dal_log_batch *batch)
{
	struct lanes_reader *reader = (struct lanes_reader *)base;
	struct lanes_log *l = log_of(base->log);
	struct dal_log_record record;
	int r = 0;

	pthread_mutex_lock(&l->lock);
	if (l->options.lazy && !reader->read) {
		l->told = true;
		pthread_cond_signal(&l->changed);
		r = DAL_LOG_END;
	} else if (l->away && !reader->follows) {
		r = -EHOSTUNREACH;
	} else if (l->away || (l->paused && reader->follows)) {
		r = DAL_LOG_END;
	} else if (is_lost(reader)) {
		r = DAL_LOG_LOST;
	}
	reader->read = true;
	while (r == 0 && batch->count < max_events && batch->bytes < max_bytes &&
	       record_take(reader, &record)) {
		dal_log_batch_add(batch, &record);
	}
	pthread_mutex_unlock(&l->lock);
	return r == 0 && batch->count == 0 ? DAL_LOG_END : r;
}

void lanes_reader_position(const struct dal_log_reader *base, struct dal_position *position)
{
	dal_position_copy(position, &((const struct lanes_reader *)base)->next);
}

void lanes_reader_lost(const struct dal_log_reader *base, struct dal_place *place,
		       struct dal_error *why)
{
	*place = ((const struct lanes_reader *)base)->lost;
	dal_error_set(why, "what stood there is gone");
}

static bool key_is_right(const struct dal_log_record *record, const struct dal_event *event)
{
	uint32_t key = dal_json_find(event->json, event->data, dal_slice_text("key"));

	return key == DAL_JSON_NONE ||
	       (record->keyed && dal_slice_equal(record->key, dal_json_string(event->json, key)));
}

bool lanes_accept(const struct dal_log *log, const struct dal_log_record *record,
		  const struct dal_event *event, bool *halt, struct dal_error *why)
{
	const struct lanes_log_options *options = &log_of(log)->options;
	struct dal_event read;

	/* It may compare places in the bytes: they were parsed where they lie. */
	DAL_ASSERT(dal_json_raw(event->json, DAL_JSON_ROOT).data == record->event.data);
	if (dal_event_read(&read, event->json, why) != 0) {
		return false;
	}
	if (dal_event_is_system(&read) && !dal_slice_is(record->place.topic, DAL_TOPIC_SYSTEM)) {
		dal_error_set(why, "its type is dalamb's");
		return false;
	}
	if (options->keyed && dal_slice_is(record->place.topic, options->keyed) &&
	    !key_is_right(record, &read)) {
		dal_error_set(why, "its key is not its data.key");
		*halt = options->halt_on_wrong_key;
		return false;
	}
	return true;
}
