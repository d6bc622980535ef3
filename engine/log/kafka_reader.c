#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/log/kafka_source.h"

/* A partition of which nothing is known holds those of the others back for so long. */
#define HOLD_US (500 * 1000)
/* The ends that were known are asked for again after so many records. */
#define LOOK_EVERY 256

struct kafka_reader {
	struct dal_log_reader reader; /* first */
	struct dal_kafka *kafka;
	bool follow;
	bool hurried; /* does not wait for what has yet to come */
	uint16_t lane;
	struct dal_kafka_source *sources;
	uint32_t *partitions; /* the sources' numbers */
	size_t count;
	struct dal_kafka_handle *handle;
	struct dal_json *json;
	int over; /* what every read gives from now on; of DAL_LOG_LOST place and reason: */
	struct dal_place lost_place;
	struct dal_error lost_why;
	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t filled;
	bool woken;
};

/* What a read gathers. */
struct gathering {
	struct dal_log_batch *batch;
	struct dal_kafka_arena *arena; /* made with the first record */
	size_t max_events, max_bytes;
};

static struct dal_kafka *kafka_of(struct dal_log *log)
{
	return DAL_CONTAINER(log, struct dal_kafka, log);
}

static struct kafka_reader *reader_of(const struct dal_log_reader *reader)
{
	return DAL_CONTAINER(reader, struct kafka_reader, reader);
}

/* --- made and freed --- */

static void on_filled(rd_kafka_t *handle, void *own)
{
	struct kafka_reader *reader = own;

	(void)handle;
	pthread_mutex_lock(&reader->lock);
	reader->woken = true;
	pthread_cond_signal(&reader->filled);
	pthread_mutex_unlock(&reader->lock);
	if (reader->kafka->on_lane) {
		reader->kafka->on_lane(reader->follow ? reader->lane : DAL_LOG_ALL_LANES,
				       reader->kafka->own);
	} else {
		reader->kafka->on_advance(reader->kafka->own);
	}
}

static bool is_read(const struct dal_kafka_topic *topic, uint32_t partition, uint16_t lane,
		    const struct dal_kafka_topic *only)
{
	return (!only || only == topic) && (lane == DAL_LOG_ALL_LANES || lane == partition);
}

static void sources_add(struct kafka_reader *reader, uint16_t lane, const struct dal_position *from,
			const struct dal_kafka_topic *only)
{
	struct dal_kafka *kafka = reader->kafka;

	reader->sources = dal_calloc(kafka->partition_count, sizeof(*reader->sources));
	reader->partitions = dal_calloc(kafka->partition_count, sizeof(*reader->partitions));
	for (size_t i = 0; i < kafka->topic_count; i++) {
		const struct dal_kafka_topic *topic = &kafka->topics[i];
		for (uint32_t k = 0; k < topic->partitions; k++) {
			const struct dal_mark *mark;
			if (!is_read(topic, k, lane, only)) {
				continue;
			}
			mark = from ? dal_position_find(from, dal_slice_text(topic->name),
							(int32_t)k)
				    : NULL;
			reader->partitions[reader->count] = topic->first + k;
			reader->sources[reader->count++] = (struct dal_kafka_source){
				.kafka = kafka,
				.topic = topic,
				.partition = (int32_t)k,
				.number = topic->first + k,
				.next = mark ? (int64_t)mark->next : -1,
				.told = mark ? (int64_t)mark->next : -1,
				.target = -1,
			};
		}
	}
}

/* A reader that is not a lane's begins where there is something, and knows where it must get to
 * before it says that there is no more. */
static void targets_set(struct kafka_reader *reader)
{
	struct dal_kafka *kafka = reader->kafka;
	int64_t *low = dal_calloc(kafka->partition_count, sizeof(*low));
	int64_t *high = dal_calloc(kafka->partition_count, sizeof(*high));
	int r = dal_kafka_watch_offsets(kafka->watch, 0, low, high);

	for (size_t i = 0; r == 0 && i < reader->count; i++) {
		struct dal_kafka_source *source = &reader->sources[i];
		source->target = high[source->number];
		if (source->next < low[source->number]) {
			source->next = low[source->number];
		}
	}
	free(low);
	free(high);
}

static void lock_init(struct kafka_reader *reader)
{
	pthread_condattr_t attributes;

	pthread_mutex_init(&reader->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&reader->filled, &attributes);
	pthread_condattr_destroy(&attributes);
}

static int reader_make(struct dal_kafka *kafka, uint16_t lane, const struct dal_position *from,
		       const struct dal_kafka_topic *only, enum dal_kafka_use use,
		       struct dal_log_reader **out)
{
	struct kafka_reader *reader = dal_calloc(1, sizeof(*reader));
	int r;

	reader->reader.log = &kafka->log;
	reader->kafka = kafka;
	reader->follow = use == DAL_KAFKA_FOLLOW;
	reader->hurried = use == DAL_KAFKA_BROWSE;
	reader->lane = lane;
	reader->json = dal_json_new();
	lock_init(reader);
	sources_add(reader, lane, from, only);
	if (!reader->follow) {
		targets_set(reader);
	}
	r = dal_kafka_handle_take(kafka->handles, use, reader->partitions, reader->count,
				  &reader->handle);
	if (r < 0) {
		reader->count = 0;
		dal_kafka_reader_free(&reader->reader);
		return r;
	}
	for (size_t i = 0; i < reader->count; i++) {
		reader->sources[i].handle = reader->handle;
		dal_kafka_source_start(&reader->sources[i], on_filled, reader);
	}
	*out = &reader->reader;
	return 0;
}

static int past_reader_make(struct dal_log *log, uint16_t lane, const struct dal_position *from,
			    const char *topic, enum dal_kafka_use use,
			    struct dal_log_reader **reader)
{
	struct dal_kafka *kafka = kafka_of(log);
	const struct dal_kafka_topic *only = NULL;

	if (lane != DAL_LOG_ALL_LANES && lane >= kafka->lanes) {
		return -EINVAL;
	}
	if (topic && !(only = dal_kafka_topic_find(kafka, dal_slice_text(topic)))) {
		return -ENOENT;
	}
	return reader_make(kafka, lane, from, only, use, reader);
}

int dal_kafka_reader_new(struct dal_log *log, uint16_t lane, const struct dal_position *from,
			 const char *topic, struct dal_log_reader **reader)
{
	return past_reader_make(log, lane, from, topic, DAL_KAFKA_READ, reader);
}

int dal_kafka_browse(struct dal_log *log, uint16_t lane, const struct dal_position *from,
		     const char *topic, struct dal_log_reader **reader)
{
	return past_reader_make(log, lane, from, topic, DAL_KAFKA_BROWSE, reader);
}

int dal_kafka_follow(struct dal_log *log, uint16_t lane, const struct dal_position *from,
		     struct dal_log_reader **reader)
{
	struct dal_kafka *kafka = kafka_of(log);

	if (lane >= kafka->lanes) {
		return -EINVAL;
	}
	return reader_make(kafka, lane, from, NULL, DAL_KAFKA_FOLLOW, reader);
}

void dal_kafka_reader_free(struct dal_log_reader *base)
{
	struct kafka_reader *reader = reader_of(base);

	for (size_t i = 0; i < reader->count; i++) {
		dal_kafka_source_stop(&reader->sources[i]);
	}
	if (reader->handle) {
		dal_kafka_handle_give(reader->kafka->handles, reader->handle, reader->partitions,
				      reader->count);
	}
	pthread_cond_destroy(&reader->filled);
	pthread_mutex_destroy(&reader->lock);
	dal_json_free(reader->json);
	free(reader->sources);
	free(reader->partitions);
	free(reader);
}

/* --- what retention took --- */

static struct dal_kafka_arena *arena_of(struct gathering *g)
{
	if (!g->arena) {
		g->arena = dal_kafka_arena_new();
		dal_log_batch_hold(g->batch, &g->arena->hold);
		dal_hold_unref(&g->arena->hold); /* the batch's hold stays */
	}
	return g->arena;
}

static void restart(struct kafka_reader *reader, struct dal_kafka_source *source, int64_t next)
{
	dal_kafka_source_stop(source);
	source->next = source->told = next;
	dal_kafka_source_start(source, on_filled, reader);
}

static int halt_lost(struct kafka_reader *reader, const struct dal_kafka_source *source,
		     int64_t low, int64_t high)
{
	reader->over = DAL_LOG_LOST;
	reader->lost_place = (struct dal_place){.topic = dal_slice_text(source->topic->name),
						.partition = source->partition,
						.offset = (uint64_t)source->next};
	if (source->next > high) {
		dal_error_set(&reader->lost_why,
			      "topic %s, partition %d ends at offset %lld, before %lld, which was "
			      "read already: it was made again or lost events; delete the state "
			      "folder to rebuild it from what is there",
			      source->topic->remote, source->partition, (long long)high,
			      (long long)source->next);
	} else {
		dal_error_set(&reader->lost_why,
			      "topic %s, partition %d: offsets %lld to %lld are gone, the first "
			      "that is there is %lld (retention): raise retention.ms, and set "
			      "log.out_of_range = \"earliest\" to go on without them",
			      source->topic->remote, source->partition, (long long)source->next,
			      (long long)(low - 1), (long long)low);
	}
	return DAL_LOG_LOST;
}

static void refuse_lost(struct kafka_reader *reader, struct dal_kafka_source *source, int64_t low,
			struct gathering *g)
{
	const struct dal_kafka_record record = {.topic = source->topic,
						.partition = source->partition,
						.offset = (uint64_t)source->next,
						.time_ms = -1};
	struct dal_log_record out;

	dal_kafka_record_refuse(&record, arena_of(g), &out,
				"offsets %lld to %lld are gone (retention): reading goes on "
				"behind them",
				(long long)source->next, (long long)(low - 1));
	dal_log_batch_add(g->batch, &out);
	restart(reader, source, low);
}

/* 0, DAL_LOG_LOST, negative. */
static int on_lost(struct kafka_reader *reader, struct dal_kafka_source *source,
		   struct gathering *g)
{
	struct dal_kafka *kafka = reader->kafka;
	int64_t *low = dal_calloc(kafka->partition_count, sizeof(*low));
	int64_t *high = dal_calloc(kafka->partition_count, sizeof(*high));
	int r = dal_kafka_watch_ask(kafka->watch, 0, low, high);
	int64_t first = low[source->number], end = high[source->number];

	free(low);
	free(high);
	if (r < 0 || (source->next >= first && source->next <= end)) {
		restart(reader, source, source->next); /* no answer, or it came back */
		return 0;
	}
	if (reader->follow && (source->next > end || !kafka->options.skip_lost)) {
		return halt_lost(reader, source, first, end);
	}
	if (source->next > end) {
		return reader->over = -ESTALE;
	}
	if (reader->follow) {
		refuse_lost(reader, source, first, g);
	} else {
		restart(reader, source, first);
	}
	return 0;
}

/* --- read --- */

/* The end that a lane's reader compares with is what the last fetch said of it. */
static void target_look(struct kafka_reader *reader, struct dal_kafka_source *source)
{
	int64_t low = -1, high = -1;

	if (reader->follow && !source->head && !source->at_end &&
	    rd_kafka_get_watermark_offsets(source->handle->rk, source->topic->remote,
					   source->partition, &low, &high) == 0) {
		source->target = high;
	}
}

static int look(struct kafka_reader *reader, struct gathering *g)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < reader->count; i++) {
		struct dal_kafka_source *source = &reader->sources[i];
		if (dal_kafka_source_poll(source) == DAL_KAFKA_LOST) {
			r = on_lost(reader, source, g);
		} else {
			target_look(reader, source);
		}
	}
	return r;
}

/* The earliest head; *waiting: the time since when another might still give an earlier one. */
static struct dal_kafka_source *earliest(struct kafka_reader *reader, int64_t *waiting_us)
{
	struct dal_kafka_source *best = NULL;
	int64_t best_time = 0;

	*waiting_us = 0;
	for (size_t i = 0; i < reader->count; i++) {
		struct dal_kafka_source *source = &reader->sources[i];
		if (source->head) {
			int64_t time = dal_kafka_source_time(source);
			if (!best || time < best_time) {
				best = source;
				best_time = time;
			}
		} else if (!dal_kafka_source_settled(source) && source->empty_us > *waiting_us) {
			*waiting_us = source->empty_us;
		}
	}
	return best;
}

static bool is_full(const struct gathering *g, const struct dal_kafka_source *source)
{
	return g->batch->count > 0 && (g->batch->count >= g->max_events ||
				       g->batch->bytes + source->head->len > g->max_bytes);
}

static int take(struct kafka_reader *reader, struct dal_kafka_source *source, struct gathering *g)
{
	struct dal_log_record record;
	int r = 0;

	dal_kafka_source_take(source, reader->json, arena_of(g), &record);
	dal_log_batch_add(g->batch, &record);
	if (dal_kafka_source_poll(source) == DAL_KAFKA_LOST) {
		r = on_lost(reader, source, g);
	}
	return r;
}

static void wait_filled(struct kafka_reader *reader)
{
	int64_t until_us = dal_clock_monotonic_us() + 100 * 1000;
	struct timespec until = {.tv_sec = until_us / 1000000,
				 .tv_nsec = until_us % 1000000 * 1000};

	pthread_mutex_lock(&reader->lock);
	if (!reader->woken) {
		pthread_cond_timedwait(&reader->filled, &reader->lock, &until);
	}
	reader->woken = false;
	pthread_mutex_unlock(&reader->lock);
}

/* Some partition has neither a record nor an end. 0: look again; DAL_LOG_END: give what there is;
 * positive otherwise: don't wait for it. */
enum { LOOK_AGAIN = 0, DO_NOT_WAIT = 3 };

static int wait_for(struct kafka_reader *reader, int64_t since_us, bool any)
{
	int64_t waited_us = dal_clock_monotonic_us() - since_us;

	if (!reader->follow) {
		if (waited_us > DAL_KAFKA_PATIENCE_MS * 1000ll) {
			return -EHOSTUNREACH;
		}
		if (reader->hurried) {
			return DAL_LOG_END;
		}
		wait_filled(reader);
		return LOOK_AGAIN;
	}
	if (any && waited_us >= HOLD_US) {
		return DO_NOT_WAIT;
	}
	if (any) {
		dal_kafka_watch_remind(reader->kafka->watch);
	}
	return DAL_LOG_END;
}

static int gather(struct kafka_reader *reader, struct gathering *g)
{
	int r = look(reader, g);

	for (size_t given = 1; r == 0; given++) {
		int64_t waiting_us;
		struct dal_kafka_source *source;
		if (given % LOOK_EVERY == 0 && (r = look(reader, g)) != 0) {
			break;
		}
		source = earliest(reader, &waiting_us);
		if (waiting_us) {
			if (g->batch->count > 0 && !reader->follow) {
				return DAL_LOG_END; /* what there is goes first */
			}
			r = wait_for(reader, waiting_us, source != NULL);
			if (r == LOOK_AGAIN) {
				r = look(reader, g);
				continue;
			}
			if (r != DO_NOT_WAIT) {
				break;
			}
		}
		if (!source || is_full(g, source)) {
			return DAL_LOG_END;
		}
		r = take(reader, source, g);
	}
	return r;
}

static void count(const struct kafka_reader *reader, const struct dal_log_batch *batch)
{
	int64_t refused = 0;

	if (!reader->follow || batch->count == 0) {
		return;
	}
	for (size_t i = 0; i < batch->count; i++) {
		refused += batch->records[i].refused.size > 0;
	}
	dal_metric_add(reader->kafka->metrics.read, (int64_t)batch->count);
	dal_metric_add(reader->kafka->metrics.refused, refused);
}

/* Whoever has seen an event finds it before the end that the log tells. */
static void passed_tell(struct kafka_reader *reader)
{
	for (size_t i = 0; i < reader->count; i++) {
		struct dal_kafka_source *source = &reader->sources[i];
		if (source->next > source->told) {
			dal_kafka_watch_passed(reader->kafka->watch, source->number, source->next);
			source->told = source->next;
		}
	}
}

int dal_kafka_read(struct dal_log_reader *base, size_t max_events, size_t max_bytes,
		   struct dal_log_batch *batch)
{
	struct kafka_reader *reader = reader_of(base);
	struct gathering g = {.batch = batch, .max_events = max_events, .max_bytes = max_bytes};
	int r;

	if (reader->over) {
		return reader->over;
	}
	if (reader->follow && reader->kafka->member &&
	    !dal_kafka_member_owns(reader->kafka->member)) {
		return DAL_LOG_END;
	}
	r = gather(reader, &g);
	passed_tell(reader);
	count(reader, batch);
	if (batch->count > 0) {
		return 0; /* what stopped it is met again */
	}
	return r;
}

void dal_kafka_reader_position(const struct dal_log_reader *base, struct dal_position *position)
{
	const struct kafka_reader *reader = reader_of(base);

	dal_position_deinit(position);
	for (size_t i = 0; i < reader->count; i++) {
		const struct dal_kafka_source *source = &reader->sources[i];
		if (source->next >= 0) {
			dal_position_set(position, dal_slice_text(source->topic->name),
					 source->partition, (uint64_t)source->next);
		}
	}
}

void dal_kafka_reader_lost(const struct dal_log_reader *base, struct dal_place *place,
			   struct dal_error *why)
{
	const struct kafka_reader *reader = reader_of(base);

	*place = reader->lost_place;
	*why = reader->lost_why;
}
