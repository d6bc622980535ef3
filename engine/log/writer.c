#include "engine/log/writer.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/fault.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/base/metrics.h"
#include "engine/log/group.h"

/* More would only make the first of a group wait longer: the fsync's share is small by then. */
#define GROUP_BYTES (4 * DAL_MIB)
/* Completions and reports may wait where others are refused. */
#define PENDING_URGENT_BYTES (DAL_LIMIT_LOG_PENDING_BYTES + DAL_LIMIT_LOG_PENDING_BYTES / 4)

/* A seeded defect's moment is made so long that a kill or a power cut hits it. */
#define FAULT_GAP_US 10000

struct metrics {
	struct dal_metric *appended, *repeated, *groups, *fsync, *pending, *end, *forgotten;
	struct dal_metric *refused_full, *refused_disk;
};

struct dal_writer {
	struct dal_embedded *log;
	struct dal_group group; /* the thread's */
	uint64_t forgotten;     /* of the dedup, as last counted */
	struct metrics metrics;
	pthread_t thread;
	_Atomic uint64_t pending_bytes;
	atomic_bool broken;

	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t wake;
	struct dal_log_append *first, **last;
	bool sleeping, stopping;
};

static void metrics_init(struct metrics *m)
{
	const char *refused = "dalamb_log_refused_appends_total";
	const char *refused_help = "Appends refused, by reason.";
	m->appended = dal_metric_counter("dalamb_log_appended_events_total", "Events appended.",
					 NULL);
	m->repeated = dal_metric_counter("dalamb_log_repeated_events_total",
					 "Events that were repeats and not appended.", NULL);
	m->groups = dal_metric_counter("dalamb_log_groups_total",
				       "Groups of appends, one fsync each.", NULL);
	m->fsync = dal_metric_histogram("dalamb_log_write_seconds",
					"Time to write a group and sync it.", NULL);
	m->pending = dal_metric_gauge("dalamb_log_pending_bytes",
				      "Bytes of appends that wait for the writer.", NULL);
	m->end = dal_metric_gauge("dalamb_log_end_offset",
				  "The first offset that is not written yet.", NULL);
	m->forgotten = dal_metric_counter(
		"dalamb_log_dedup_forgotten_total",
		"Deduplication entries dropped before the window's end, for lack of memory.", NULL);
	m->refused_full = dal_metric_counter(refused, refused_help, "reason=\"full\"");
	m->refused_disk = dal_metric_counter(refused, refused_help, "reason=\"disk\"");
}

/* --- the queue --- */

/* Counts the append among what waits, if there is room in memory and on the disk. */
static int reserve(struct dal_writer *writer, const struct dal_log_append *append)
{
	uint64_t limit = append->urgent ? PENDING_URGENT_BYTES : DAL_LIMIT_LOG_PENDING_BYTES;
	uint64_t waiting = atomic_fetch_add(&writer->pending_bytes, append->bytes);
	int r = 0;
	if (waiting + append->bytes > limit) {
		dal_metric_add(writer->metrics.refused_full, 1);
		r = DAL_LOG_FULL;
	} else if (!dal_disk_room(&writer->log->disk, append->bytes, waiting, append->urgent)) {
		dal_metric_add(writer->metrics.refused_disk, 1);
		r = DAL_LOG_DISK;
	}
	if (r != 0) {
		atomic_fetch_sub(&writer->pending_bytes, append->bytes);
	}
	return r;
}

bool dal_writer_has_room(struct dal_writer *writer, struct dal_log_room *room)
{
	struct dal_disk *disk = &writer->log->disk;
	bool has_room = dal_disk_has_room(disk, atomic_load(&writer->pending_bytes));
	room->free_bytes = atomic_load(&disk->free_bytes);
	room->mark_bytes = disk->mark_bytes;
	return has_room;
}

int dal_writer_push(struct dal_writer *writer, struct dal_log_append *append)
{
	int r = atomic_load(&writer->broken) ? -EIO : reserve(writer, append);
	if (r != 0) {
		return r;
	}
	append->next = NULL;
	pthread_mutex_lock(&writer->lock);
	*writer->last = append;
	writer->last = &append->next;
	/* Told once: until it runs, many more may be pushed. */
	if (writer->sleeping) {
		writer->sleeping = false;
		pthread_cond_signal(&writer->wake);
	}
	pthread_mutex_unlock(&writer->lock);
	return 0;
}

/* The appends of the next group, linked, in the order of arrival. NULL: stopped and none left. */
static struct dal_log_append *take(struct dal_writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	while (!writer->first && !writer->stopping) {
		writer->sleeping = true;
		pthread_cond_wait(&writer->wake, &writer->lock);
		writer->sleeping = false;
	}
	struct dal_log_append *taken = writer->first;
	struct dal_log_append **end = &writer->first;
	size_t bytes = 0;
	while (*end && (bytes == 0 || bytes + (*end)->bytes <= GROUP_BYTES)) {
		bytes += (*end)->bytes;
		end = &(*end)->next;
	}
	struct dal_log_append *rest = *end;
	*end = NULL;
	writer->first = rest;
	if (!rest) {
		writer->last = &writer->first;
	}
	pthread_mutex_unlock(&writer->lock);
	return taken;
}

/* --- writing --- */

/* From here on readers see the group. */
static void publish(struct dal_writer *writer)
{
	struct dal_group *group = &writer->group;
	for (size_t i = 0; i < group->blocks_count; i++) {
		dal_recent_add(writer->log->recent, group->blocks[i]);
	}
	atomic_store_explicit(&writer->log->end, group->next, memory_order_release);
	atomic_store_explicit(&writer->log->origin, group->origin, memory_order_release);
}

/* Each append may be freed by its `done`. */
static void answer(struct dal_writer *writer, struct dal_log_append *appends, int result)
{
	while (appends) {
		struct dal_log_append *next = appends->next;
		atomic_fetch_sub(&writer->pending_bytes, appends->bytes);
		appends->done(appends, result < 0 ? result : appends->result);
		appends = next;
	}
}

static void count_group(struct dal_writer *writer, int64_t duration_us)
{
	const struct dal_group *group = &writer->group;
	uint64_t forgotten = dal_dedup_dropped(group->dedup);
	dal_metric_add(writer->metrics.appended, (int64_t)group->items_count);
	dal_metric_add(writer->metrics.repeated, (int64_t)group->repeated);
	dal_metric_add(writer->metrics.groups, 1);
	dal_metric_add(writer->metrics.forgotten, (int64_t)(forgotten - writer->forgotten));
	dal_metric_observe_us(writer->metrics.fsync, duration_us);
	dal_metric_set(writer->metrics.end, (int64_t)group->next);
	dal_metric_set(writer->metrics.pending, (int64_t)atomic_load(&writer->pending_bytes));
	writer->forgotten = forgotten;
}

static int group_write(struct dal_writer *writer)
{
	struct dal_group *group = &writer->group;
	if (dal_store_batch_count(group->batch) == 0) {
		return 0;
	}
	int64_t start_us = dal_clock_monotonic_us();
	int r = dal_store_write(writer->log->store, group->batch, !dal_fault("no-fsync"));
	if (r == 0) {
		count_group(writer, dal_clock_monotonic_us() - start_us);
	}
	return r;
}

static void break_off(struct dal_writer *writer, int error)
{
	const struct dal_log_options *options = &writer->log->options;
	if (!atomic_exchange(&writer->broken, true) && options->on_broken) {
		options->on_broken(error, options->own);
	}
}

static void advance(struct dal_writer *writer)
{
	const struct dal_log_options *options = &writer->log->options;
	if (writer->group.items_count > 0 && options->on_advance) {
		options->on_advance(options->own);
	}
}

static void process(struct dal_writer *writer, struct dal_log_append *appends)
{
	struct dal_group *group = &writer->group;
	if (atomic_load(&writer->broken)) {
		answer(writer, appends, -EIO);
		return;
	}
	dal_group_begin(group);
	for (struct dal_log_append *append = appends; append; append = append->next) {
		dal_group_add(group, append);
	}
	dal_group_seal(group);
	if (dal_fault("ack-before-fsync")) {
		answer(writer, appends, 0);
		appends = NULL;
		usleep(FAULT_GAP_US);
	}
	if (dal_fault("reader-ahead")) {
		publish(writer);
		advance(writer);
		usleep(FAULT_GAP_US);
	}
	int r = group_write(writer);
	if (r < 0) {
		break_off(writer, r);
		answer(writer, appends, -EIO);
		return;
	}
	if (!dal_fault("reader-ahead")) {
		publish(writer);
	}
	answer(writer, appends, 0);
	advance(writer);
}

static void *run(void *own)
{
	struct dal_writer *writer = own;
	struct dal_log_append *appends;
	pthread_setname_np(pthread_self(), "dal-log-writer");
	while ((appends = take(writer))) {
		process(writer, appends);
	}
	return NULL;
}

/* --- start and stop --- */

struct dal_writer *dal_writer_new(struct dal_embedded *log, struct dal_dedup *dedup,
				  int64_t last_time_us)
{
	struct dal_writer *writer = dal_calloc(1, sizeof(*writer));
	writer->log = log;
	writer->last = &writer->first;
	dal_group_init(&writer->group, log, dedup, atomic_load(&log->end), last_time_us);
	metrics_init(&writer->metrics);
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->wake, NULL);
	DAL_ASSERT(pthread_create(&writer->thread, NULL, run, writer) == 0);
	return writer;
}

void dal_writer_free(struct dal_writer *writer)
{
	if (!writer) {
		return;
	}
	pthread_mutex_lock(&writer->lock);
	writer->stopping = true;
	pthread_cond_signal(&writer->wake);
	pthread_mutex_unlock(&writer->lock);
	pthread_join(writer->thread, NULL);
	dal_group_deinit(&writer->group);
	pthread_cond_destroy(&writer->wake);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
}
