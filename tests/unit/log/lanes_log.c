#include "tests/unit/log/lanes_log.h"

#include <errno.h>
#include <pthread.h>

#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/log/backend.h"

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
	bool away, paused, told, closing; /* told: somebody waits for on_advance */
};

struct lanes_reader {
	struct dal_log_reader reader; /* first */
	uint16_t lane;
	char *topic; /* or NULL */
	struct dal_position next;
	bool follows, read;
	struct dal_place lost;
};

static struct lanes_log *log_of(const struct dal_log *log)
{
	return (struct lanes_log *)log;
}

static struct topic *topic_find(const struct lanes_log *l, struct dal_slice name)
{
	for (size_t i = 0; i < l->topic_count; i++) {
		if (dal_slice_is(name, l->topics[i].name)) {
			return &l->topics[i];
		}
	}
	return NULL;
}

/* --- append, under the lock --- */

static struct record *record_add(struct lanes_log *l, struct topic *topic, uint16_t number,
				 struct dal_slice event, struct dal_slice dedup,
				 struct dal_slice key)
{
	struct partition *p = &topic->partitions[number];
	struct record *record = dal_calloc(1, sizeof(*record));
	int64_t now_us = l->options.clock_us ? l->options.clock_us : dal_clock_now_us();
	size_t dedup_at = event.size + DAL_JSON_PADDING;

	l->now_us = now_us > l->now_us ? now_us : l->now_us + 1;
	dal_buffer_slice_append(&record->text, event);
	memset(dal_buffer_reserve(&record->text, DAL_JSON_PADDING), 0, DAL_JSON_PADDING);
	record->text.size += DAL_JSON_PADDING;
	dal_buffer_slice_append(&record->text, dedup);
	dal_buffer_slice_append(&record->text, key);
	record->record = (struct dal_log_record){
		.place = {.topic = dal_slice_text(topic->name),
			  .partition = number,
			  .offset = p->end},
		.appended_us = l->now_us,
		.event = dal_slice(record->text.data, event.size),
		.dedup = dal_slice(record->text.data + dedup_at, dedup.size),
		.keyed = key.data != NULL,
		.key = dal_slice(record->text.data + dedup_at + dedup.size, key.size),
		.foreign = topic > &l->topics[1],
	};
	DAL_GROW(p->records, p->count, p->capacity);
	p->records[p->count++] = record;
	p->end++;
	if (l->options.gap > 0 && p->end % l->options.gap == l->options.gap - 1) {
		p->end++;
	}
	return record;
}

static uint16_t partition_of(struct lanes_log *l, const struct dal_log_item *item)
{
	struct dal_json *json = dal_json_new();
	struct dal_event event;
	struct dal_slice key = {0};
	uint16_t number = item->lane;

	if (!item->placed) {
		if (dal_json_parse(json, item->event, 0, NULL) == 0) {
			dal_event_view(&event, json);
			key = dal_event_key(&event);
		}
		number = (uint16_t)((key.size > 0 ? dal_hash64(key, 0) : l->placed++) %
				    l->options.lanes);
	}
	dal_json_free(json);
	return number;
}

/* What tells a repeat: the item's own key, else its number in the request's. */
static struct dal_slice dedup_of(const struct dal_log_append *append, size_t index, uint64_t key[2])
{
	struct dal_slice own = append->items[index].dedup;
	bool requested = own.size == 0 && append->request_key.size > 0;

	if (own.size == 0 && !requested) {
		return (struct dal_slice){0};
	}
	key[0] = dal_hash64(requested ? append->request_key : own, requested ? index + 1 : 0);
	key[1] = dal_hash64(requested ? append->request_key : own, UINT64_MAX);
	return dal_slice(key, 2 * sizeof(*key));
}

static int append_run(struct lanes_log *l, struct dal_log_append *append)
{
	if (l->away) {
		return DAL_LOG_AWAY;
	}
	for (size_t i = 0; i < append->count; i++) {
		struct dal_log_item *item = &append->items[i];
		uint64_t key[2];
		struct record *record = record_add(l, topic_find(l, item->topic),
						   partition_of(l, item), item->event,
						   dedup_of(append, i, key), (struct dal_slice){0});
		item->place = record->record.place;
		item->repeated = false;
	}
	return 0;
}

/* --- the writer --- */

static void *writer_run(void *own)
{
	struct lanes_log *l = own;
	struct dal_log_append *append;

	pthread_mutex_lock(&l->lock);
	while (!l->closing || l->queue) {
		append = l->queue;
		if (!append && !l->told) {
			pthread_cond_wait(&l->changed, &l->lock);
			continue;
		}
		l->told = false;
		if (append) {
			l->queue = append->next;
			l->queue_end = l->queue ? l->queue_end : &l->queue;
			append->result = append_run(l, append);
		}
		pthread_mutex_unlock(&l->lock);
		if (append) {
			append->done(append, append->result);
		}
		if (l->options.on_advance) {
			l->options.on_advance(l->options.own);
		}
		pthread_mutex_lock(&l->lock);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

static int lanes_append(struct dal_log *log, struct dal_log_append *append)
{
	struct lanes_log *l = log_of(log);

	for (size_t i = 0; i < append->count; i++) {
		if (!topic_find(l, append->items[i].topic)) {
			return -EINVAL;
		}
	}
	append->next = NULL;
	pthread_mutex_lock(&l->lock);
	*l->queue_end = append;
	l->queue_end = &append->next;
	pthread_cond_signal(&l->changed);
	pthread_mutex_unlock(&l->lock);
	return 0;
}

/* --- positions --- */

static void lanes_status(struct dal_log *log, struct dal_log_status *status)
{
	struct lanes_log *l = log_of(log);

	pthread_mutex_lock(&l->lock);
	status->away = l->away;
	status->away_us = l->away_us;
	pthread_mutex_unlock(&l->lock);
}

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

static void lanes_start(struct dal_log *log, uint16_t lane, struct dal_position *position)
{
	position_fill(log, lane, BOUND_START, 0, position);
}

static void lanes_end(struct dal_log *log, uint16_t lane, struct dal_position *position)
{
	position_fill(log, lane, BOUND_END, 0, position);
}

static int lanes_at(struct dal_log *log, uint16_t lane, int64_t time_us,
		    struct dal_position *position)
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
	if (topic && !topic_find(l, dal_slice_text(topic))) {
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

static int lanes_reader_new(struct dal_log *log, uint16_t lane, const struct dal_position *from,
			    const char *topic, struct dal_log_reader **reader)
{
	return reader_make(log, lane, from, topic, false, reader);
}

static int lanes_follow(struct dal_log *log, uint16_t lane, const struct dal_position *from,
			struct dal_log_reader **reader)
{
	return reader_make(log, lane, from, NULL, true, reader);
}

static void lanes_reader_free(struct dal_log_reader *base)
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
		&topic_find(l, mark->topic)->partitions[(uint16_t)mark->partition];
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
		const struct topic *topic = topic_find(l, mark->topic);
		if (mark->next < topic->partitions[(uint16_t)mark->partition].first) {
			reader->lost = (struct dal_place){dal_slice_text(topic->name),
							  mark->partition, mark->next};
			return true;
		}
	}
	return false;
}

static int lanes_read(struct dal_log_reader *base, size_t max_events, size_t max_bytes,
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

static void lanes_reader_position(const struct dal_log_reader *base, struct dal_position *position)
{
	dal_position_copy(position, &((const struct lanes_reader *)base)->next);
}

static void lanes_reader_lost(const struct dal_log_reader *base, struct dal_place *place,
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

static bool lanes_accept(const struct dal_log *log, const struct dal_log_record *record,
			 const struct dal_event *event, bool *halt, struct dal_error *why)
{
	const struct lanes_log_options *options = &log_of(log)->options;
	struct dal_event read;

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

/* --- the rest --- */

static struct dal_slice lanes_id(const struct dal_log *log)
{
	(void)log;
	return dal_slice_text("lanes-test");
}

static uint16_t lanes_lanes(const struct dal_log *log)
{
	return log_of(log)->options.lanes;
}

static uint32_t lanes_partitions(const struct dal_log *log, struct dal_slice topic)
{
	return topic_find(log_of(log), topic) ? log_of(log)->options.lanes : 0;
}

static uint64_t lanes_origin(const struct dal_log *log, uint16_t lane)
{
	(void)log;
	(void)lane;
	return 0;
}

static uint64_t lanes_bytes(struct dal_log *log)
{
	(void)log;
	return 0;
}

static bool lanes_has_room(struct dal_log *log, struct dal_log_room *room)
{
	(void)log;
	*room = (struct dal_log_room){0};
	return true;
}

static void topic_free(struct topic *topic, uint16_t lanes)
{
	for (uint16_t k = 0; k < lanes; k++) {
		struct partition *p = &topic->partitions[k];
		for (size_t i = 0; i < p->count; i++) {
			dal_buffer_deinit(&p->records[i]->text);
			free(p->records[i]);
		}
		free(p->records);
	}
	free(topic->partitions);
	free(topic->name);
}

static void lanes_close(struct dal_log *log)
{
	struct lanes_log *l = log_of(log);

	pthread_mutex_lock(&l->lock);
	l->closing = true;
	pthread_cond_signal(&l->changed);
	pthread_mutex_unlock(&l->lock);
	pthread_join(l->writer, NULL);
	for (size_t i = 0; i < l->topic_count; i++) {
		topic_free(&l->topics[i], l->options.lanes);
	}
	free(l->topics);
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static const struct dal_log_backend lanes_backend = {
	.kind = DAL_LOG_KAFKA,
	.close = lanes_close,
	.id = lanes_id,
	.lanes = lanes_lanes,
	.partitions = lanes_partitions,
	.append = lanes_append,
	.origin = lanes_origin,
	.start = lanes_start,
	.end = lanes_end,
	.at = lanes_at,
	.reader_new = lanes_reader_new,
	.follow = lanes_follow,
	.reader_free = lanes_reader_free,
	.read = lanes_read,
	.reader_position = lanes_reader_position,
	.reader_lost = lanes_reader_lost,
	.accept = lanes_accept,
	.status = lanes_status,
	.bytes = lanes_bytes,
	.has_room = lanes_has_room,
};

/* --- for tests --- */

static void topic_add(struct lanes_log *l, const char *name)
{
	l->topics = dal_reallocarray(l->topics, l->topic_count + 1, sizeof(*l->topics));
	l->topics[l->topic_count++] = (struct topic){
		.name = dal_strdup(name),
		.partitions = dal_calloc(l->options.lanes, sizeof(struct partition)),
	};
}

void lanes_log_open(const struct lanes_log_options *options, struct dal_log **log)
{
	struct lanes_log *l = dal_calloc(1, sizeof(*l));

	l->log.backend = &lanes_backend;
	l->options = *options;
	l->queue_end = &l->queue;
	topic_add(l, DAL_TOPIC_EVENTS);
	topic_add(l, DAL_TOPIC_SYSTEM);
	for (size_t i = 0; options->topics && options->topics[i]; i++) {
		topic_add(l, options->topics[i]);
	}
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->changed, NULL);
	DAL_ASSERT(pthread_create(&l->writer, NULL, writer_run, l) == 0);
	*log = &l->log;
}

void lanes_log_away(struct dal_log *log, bool away)
{
	struct lanes_log *l = log_of(log);

	pthread_mutex_lock(&l->lock);
	l->away = away;
	l->away_us = dal_clock_now_us();
	pthread_mutex_unlock(&l->lock);
}

void lanes_log_pause(struct dal_log *log, bool paused)
{
	struct lanes_log *l = log_of(log);

	pthread_mutex_lock(&l->lock);
	l->paused = paused;
	pthread_mutex_unlock(&l->lock);
}

static uint64_t record_write(struct dal_log *log, const char *topic, uint16_t partition,
			     const char *key, const char *text, const char *refused)
{
	struct lanes_log *l = log_of(log);
	struct dal_slice none = {0};
	struct record *record;
	uint64_t offset;

	pthread_mutex_lock(&l->lock);
	record = record_add(l, topic_find(l, dal_slice_text(topic)), partition,
			    refused ? none : dal_slice_text(text), none,
			    key ? dal_slice_text(key) : none);
	record->record.untrusted = true;
	record->record.refused = dal_slice_text(refused); /* of the test: a literal */
	record->record.size_bytes = strlen(text);
	offset = record->record.place.offset;
	l->told = true;
	pthread_cond_signal(&l->changed);
	pthread_mutex_unlock(&l->lock);
	return offset;
}

uint64_t lanes_log_write(struct dal_log *log, const char *topic, uint16_t partition,
			 const char *text, const char *refused)
{
	return record_write(log, topic, partition, NULL, text, refused);
}

uint64_t lanes_log_write_keyed(struct dal_log *log, const char *topic, uint16_t partition,
			       const char *key, const char *text)
{
	return record_write(log, topic, partition, key, text, NULL);
}

void lanes_log_forget(struct dal_log *log, const char *topic, uint16_t partition, uint64_t first)
{
	struct lanes_log *l = log_of(log);

	pthread_mutex_lock(&l->lock);
	topic_find(l, dal_slice_text(topic))->partitions[partition].first = first;
	pthread_mutex_unlock(&l->lock);
}
