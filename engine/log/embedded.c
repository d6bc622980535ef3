#include "engine/log/embedded.h"

#include <errno.h>

#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/base/fault.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/log/dedup.h"
#include "engine/log/dedup_record.h"
#include "engine/log/writer.h"

static struct dal_embedded *embedded(const struct dal_log *log)
{
	return DAL_CONTAINER(log, struct dal_embedded, log);
}

/* --- open --- */

struct tail {
	uint64_t end;         /* behind the last block */
	int64_t last_time_us; /* of the last group */
};

static int unreadable(const struct dal_embedded *log, int r, const char *what,
		      struct dal_error *error)
{
	dal_error_set(error, "%s: can't read the log's %s: %s%s", log->path, what, strerror(-r),
		      r == -EBADMSG ? ": it is damaged, restore the folder from a copy" : "");
	return r;
}

/* A group without events has dedup records only, so the last time is the later of the two. */
static int dedup_last_time(struct dal_embedded *log, int64_t *time_us)
{
	struct dal_slice key;
	struct dal_slice value;
	struct dal_store_iterator *last = dal_store_iterator_new_reverse(
		log->store, NULL, dal_slice_text("D"), dal_slice_text("E"));
	int r = dal_store_iterator_next(last, &key, &value);
	if (r == 0 && !dal_dedup_record_key_read(key, time_us)) {
		r = -EBADMSG;
	}
	dal_store_iterator_free(last);
	return r;
}

static int tail_read(struct dal_embedded *log, struct tail *tail, struct dal_error *error)
{
	struct dal_store_iterator *iterator = NULL;
	struct dal_block_head head;
	int64_t time_us = 0;
	int r = dal_embedded_find(log->store, UINT64_MAX, &iterator, &head);
	if (r == 0) {
		tail->end = head.first + head.count;
		tail->last_time_us = head.appended_us;
	}
	dal_store_iterator_free(iterator);
	if (r < 0) {
		return unreadable(log, r, "last block", error);
	}
	if (dal_fault("reused-offset") && tail->end > 1) {
		tail->end--;
	}
	r = dedup_last_time(log, &time_us);
	if (r < 0) {
		return unreadable(log, r, "dedup records", error);
	}
	if (r == 0 && time_us > tail->last_time_us) {
		tail->last_time_us = time_us;
	}
	return 0;
}

/* The records of the last window into memory. */
static int dedup_fill(struct dal_embedded *log, struct dal_dedup *dedup, int64_t since_us,
		      struct dal_error *error)
{
	uint8_t from[DAL_DEDUP_KEY_BYTES];
	struct dal_slice key;
	struct dal_slice value;
	int r = 0;
	dal_dedup_record_key(since_us > 0 ? since_us : 0, 0, from);
	struct dal_store_iterator *records = dal_store_iterator_new(
		log->store, NULL, dal_slice(from, sizeof(from)), dal_slice_text("E"));
	while (r == 0 && (r = dal_store_iterator_next(records, &key, &value)) == 0) {
		int64_t time_us = 0;
		if (!dal_dedup_record_key_read(key, &time_us)) {
			r = -EBADMSG;
			break;
		}
		dal_dedup_advance(dedup, time_us);
		r = dal_dedup_record_read(value, dedup);
	}
	dal_store_iterator_free(records);
	return r < 0 ? unreadable(log, r, "dedup records", error) : 0;
}

static int writer_start(struct dal_embedded *log, const struct tail *tail, struct dal_error *error)
{
	uint64_t window_ms = log->options.dedup_window_ms ? log->options.dedup_window_ms
							  : DAL_LIMIT_DEDUP_WINDOW_MS;
	uint64_t mark = log->options.disk_free_bytes ? log->options.disk_free_bytes
						     : DAL_LIMIT_DISK_FREE_BYTES;
	int64_t window_us = (int64_t)window_ms * 1000;
	int64_t now_us = dal_clock_now_us();
	if (now_us < tail->last_time_us) {
		now_us = tail->last_time_us;
	}
	struct dal_dedup *dedup = dal_dedup_new(window_us, DAL_LIMIT_DEDUP_ENTRIES);
	int r = dedup_fill(log, dedup, now_us - window_us, error);
	if (r < 0) {
		dal_dedup_free(dedup);
		return r;
	}
	dal_disk_init(&log->disk, log->path, mark);
	log->writer = dal_writer_new(log, dedup, tail->last_time_us);
	return 0;
}

/* What a killed process wrote without its fsync may be read back now: it is made durable before
 * any reader gets it. */
static int make_durable(struct dal_embedded *log, struct dal_error *error)
{
	int r = dal_store_sync(log->store);
	if (r < 0) {
		dal_error_set(error, "%s: can't sync the log: %s", log->path, strerror(-r));
	}
	return r;
}

static int open_parts(struct dal_embedded *log, const struct dal_log_options *options,
		      struct dal_error *error)
{
	struct dal_store_options store = {
		.path = options->path,
		.shape = DAL_STORE_LOG,
		.read_only = options->read_only,
	};
	struct tail tail = {.end = 1};
	int r = dal_store_open(&store, &log->store, error);
	if (r == 0) {
		r = dal_meta_open(&log->meta, log->store, log->path, options, error);
	}
	if (r == 0) {
		r = tail_read(log, &tail, error);
	}
	if (r == 0 && !options->read_only) {
		r = make_durable(log, error);
	}
	if (r < 0) {
		return r;
	}
	log->recent = dal_recent_new(DAL_EMBEDDED_RECENT_BYTES);
	atomic_store(&log->end, tail.end);
	atomic_store(&log->origin, log->meta.origin);
	return options->read_only ? 0 : writer_start(log, &tail, error);
}

/* --- the backend's functions --- */

static void embedded_close(struct dal_log *base)
{
	struct dal_embedded *log = embedded(base);
	dal_writer_free(log->writer);
	dal_recent_free(log->recent);
	dal_meta_deinit(&log->meta);
	dal_store_close(log->store);
	free(log->path);
	free(log);
}

static struct dal_slice embedded_id(const struct dal_log *log)
{
	return embedded(log)->meta.id;
}

static uint16_t embedded_lanes(const struct dal_log *log)
{
	(void)log;
	return 1;
}

static int declared_topic(const struct dal_embedded *log, struct dal_slice topic)
{
	int number = dal_meta_topic(&log->meta, topic);
	return number >= 0 && log->meta.topics[number].declared ? number : -1;
}

static uint32_t embedded_partitions(const struct dal_log *log, struct dal_slice topic)
{
	return declared_topic(embedded(log), topic) >= 0 ? 1 : 0;
}

struct dal_table_key dal_embedded_hash(const struct dal_embedded *log, struct dal_slice text)
{
	return (struct dal_table_key){
		dal_hash64(text, log->meta.seeds[0]),
		dal_hash64(text, log->meta.seeds[1]),
	};
}

/* Done on the caller's thread, so that the one writer has less to do. */
static int prepare_item(const struct dal_embedded *log, struct dal_log_item *item)
{
	int topic = declared_topic(log, item->topic);
	if (topic < 0) {
		return -EINVAL;
	}
	item->refused = NULL;
	if (item->event.size > DAL_LIMIT_JSON_BYTES) {
		item->refused = "the event is larger than an event may be";
		return DAL_LOG_TOO_LARGE;
	}
	item->private_.topic = (uint16_t)topic;
	if (item->dedup.size > 0) {
		struct dal_table_key key = dal_embedded_hash(log, item->dedup);
		item->private_.key[0] = key.a;
		item->private_.key[1] = key.b;
	}
	return 0;
}

static int embedded_append(struct dal_log *base, struct dal_log_append *append)
{
	struct dal_embedded *log = embedded(base);
	if (!log->writer) {
		return -EROFS;
	}
	append->bytes = sizeof(*append);
	for (size_t i = 0; i < append->count; i++) {
		int r = prepare_item(log, &append->items[i]);
		if (r != 0) {
			return r;
		}
		append->bytes += append->items[i].event.size + sizeof(append->items[i]);
	}
	return dal_writer_push(log->writer, append);
}

static uint64_t embedded_origin(const struct dal_log *log, uint16_t lane)
{
	return lane == 0 ? atomic_load_explicit(&embedded(log)->origin, memory_order_acquire) : 0;
}

static uint64_t embedded_bytes(struct dal_log *log)
{
	return dal_store_bytes(embedded(log)->store);
}

static bool embedded_has_room(struct dal_log *base, struct dal_log_room *room)
{
	struct dal_embedded *log = embedded(base);
	*room = (struct dal_log_room){0};
	return log->writer && dal_writer_has_room(log->writer, room);
}

static const struct dal_log_backend backend = {
	.kind = DAL_LOG_EMBEDDED,
	.close = embedded_close,
	.id = embedded_id,
	.lanes = embedded_lanes,
	.partitions = embedded_partitions,
	.append = embedded_append,
	.origin = embedded_origin,
	.start = dal_embedded_start,
	.end = dal_embedded_end,
	.at = dal_embedded_at,
	.reader_new = dal_embedded_reader_new,
	.reader_free = dal_embedded_reader_free,
	.read = dal_embedded_read,
	.reader_position = dal_embedded_reader_position,
	.bytes = embedded_bytes,
	.has_room = embedded_has_room,
};

int dal_embedded_open(const struct dal_log_options *options, struct dal_log **out,
		      struct dal_error *error)
{
	struct dal_embedded *log = dal_calloc(1, sizeof(*log));
	log->log.backend = &backend;
	log->options = *options;
	log->options.path = NULL;
	log->options.topics = NULL;
	log->path = dal_strdup(options->path);
	int r = open_parts(log, options, error);
	if (r < 0) {
		embedded_close(&log->log);
		return r;
	}
	*out = &log->log;
	return 0;
}
