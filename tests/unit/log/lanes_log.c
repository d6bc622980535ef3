/* The log in memory: what it is made of, and appends. */
#include <errno.h>

#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "tests/unit/log/lanes_log_private.h"

struct topic *lanes_topic(const struct lanes_log *l, struct dal_slice name)
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
		struct record *record = record_add(l, lanes_topic(l, item->topic),
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
		if (!lanes_topic(l, append->items[i].topic)) {
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

/* --- the rest --- */

void lanes_status(struct dal_log *log, struct dal_log_status *status)
{
	struct lanes_log *l = log_of(log);

	pthread_mutex_lock(&l->lock);
	status->away = l->away;
	status->away_us = l->away_us;
	pthread_mutex_unlock(&l->lock);
}

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
	return lanes_topic(log_of(log), topic) ? log_of(log)->options.lanes : 0;
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
	.browse = lanes_browse,
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

void lanes_log_busy(struct dal_log *log, bool busy)
{
	struct lanes_log *l = log_of(log);

	pthread_mutex_lock(&l->lock);
	l->busy = busy;
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
	record = record_add(l, lanes_topic(l, dal_slice_text(topic)), partition,
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
	lanes_topic(l, dal_slice_text(topic))->partitions[partition].first = first;
	pthread_mutex_unlock(&l->lock);
}
