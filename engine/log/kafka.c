#include "engine/log/kafka.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"
#include "engine/log/kafka_admin.h"

/* How old what is known of a partition's ends may be for who asks. */
#define START_AGE_MS 1000
#define END_AGE_MS 100

static struct dal_kafka *kafka_of(const struct dal_log *log)
{
	return DAL_CONTAINER(log, struct dal_kafka, log);
}

/* --- open and close --- */

/* The one that asks questions: no fetch of its own is ever in their way. */
static int asker_new(const struct dal_log_kafka_options *options, struct dal_kafka_talk *talk,
		     rd_kafka_t **handle, struct dal_error *error)
{
	const struct dal_kafka_property fixed[] = {
		{"isolation.level", "read_committed"},
		{"allow.auto.create.topics", "false"},
		{NULL, NULL},
	};

	if (!options->brokers || !*options->brokers) {
		dal_error_set(error, "log.brokers is missing: \"host:9092\", or several with "
				     "commas between");
		return -EINVAL;
	}
	return dal_kafka_handle_new(options, talk, RD_KAFKA_CONSUMER, NULL, fixed, 0, handle,
				    error);
}

static int id_ask(struct dal_kafka *kafka, rd_kafka_t *handle, struct dal_error *error)
{
	char *cluster = rd_kafka_clusterid(handle, DAL_KAFKA_PATIENCE_MS);

	if (!cluster) {
		dal_error_set(error, "Kafka: the cluster did not tell its id");
		return -EHOSTUNREACH;
	}
	kafka->id = dal_asprintf("%s.%s", cluster, kafka->options.app);
	rd_kafka_mem_free(handle, cluster);
	if (strchr(kafka->id, '/')) {
		dal_error_set(error, "Kafka: the cluster's id \"%s\" has a '/'", kafka->id);
		return -EINVAL;
	}
	return 0;
}

static void metrics_init(struct dal_kafka *kafka)
{
	kafka->metrics.read = dal_metric_counter("dalamb_log_read_records_total",
						 "Records that lanes read.", NULL);
	kafka->metrics.refused = dal_metric_counter(
		"dalamb_log_broken_records_total",
		"Records that lanes read and that are no events (too large, damaged, gone).", NULL);
	kafka->metrics.away = dal_metric_counter("dalamb_log_away_total",
						 "Times that no broker answered any more.", NULL);
}

static void nobody(void *own)
{
	(void)own;
}

static int open_parts(struct dal_kafka *kafka, const struct dal_log_options *options,
		      struct dal_error *error)
{
	rd_kafka_t *asker = NULL;
	int r = asker_new(&kafka->options, kafka->talk, &asker, error);

	if (r == 0) {
		r = dal_kafka_topics_declare(kafka, options, error);
	}
	if (r == 0) {
		r = dal_kafka_topics_open(kafka, asker, !options->read_only, error);
	}
	if (r == 0) {
		r = id_ask(kafka, asker, error);
	}
	if (r < 0) {
		if (asker) {
			rd_kafka_destroy(asker);
		}
		return r;
	}
	kafka->handles = dal_kafka_handles_new(kafka);
	kafka->watch = dal_kafka_watch_new(kafka, asker);
	r = dal_kafka_watch_await(kafka->watch, error);
	if (r == 0 && kafka->options.data) {
		r = dal_kafka_member_new(kafka, &kafka->member, error);
	}
	if (r == 0 && !options->read_only) {
		r = dal_kafka_appender_new(kafka, &kafka->appender, error);
	}
	return r;
}

static void kafka_close(struct dal_log *log)
{
	struct dal_kafka *kafka = kafka_of(log);

	dal_kafka_appender_free(kafka->appender);
	dal_kafka_member_free(kafka->member);
	dal_kafka_handles_free(kafka->handles);
	if (kafka->watch) {
		rd_kafka_t *asker = dal_kafka_watch_handle(kafka->watch);
		dal_kafka_watch_free(kafka->watch);
		rd_kafka_destroy(asker);
	}
	dal_kafka_topics_free(kafka);
	dal_kafka_options_deinit(&kafka->options);
	dal_kafka_talk_free(kafka->talk);
	free(kafka->id);
	free(kafka);
}

/* --- the backend's functions --- */

static struct dal_slice kafka_id(const struct dal_log *log)
{
	return dal_slice_text(kafka_of(log)->id);
}

static uint16_t kafka_lanes(const struct dal_log *log)
{
	return kafka_of(log)->lanes;
}

static uint32_t kafka_partitions(const struct dal_log *log, struct dal_slice name)
{
	const struct dal_kafka_topic *topic = dal_kafka_topic_find(kafka_of(log), name);

	return topic ? topic->partitions : 0;
}

static int kafka_append(struct dal_log *log, struct dal_log_append *append)
{
	struct dal_kafka *kafka = kafka_of(log);

	return kafka->appender ? dal_kafka_append(kafka->appender, append) : -EROFS;
}

static uint64_t kafka_origin(const struct dal_log *log, uint16_t lane)
{
	(void)log;
	(void)lane;
	return 0;
}

/* Marks of a lane, or of all, from offsets by partition number. */
static void marks_set(const struct dal_kafka *kafka, uint16_t lane, const int64_t *offsets,
		      struct dal_position *position)
{
	dal_position_deinit(position);
	for (size_t i = 0; i < kafka->topic_count; i++) {
		const struct dal_kafka_topic *topic = &kafka->topics[i];
		for (uint32_t k = 0; k < topic->partitions; k++) {
			int64_t offset = offsets[topic->first + k];
			if ((lane == DAL_LOG_ALL_LANES || lane == k) && offset >= 0) {
				dal_position_set(position, dal_slice_text(topic->name), (int32_t)k,
						 (uint64_t)offset);
			}
		}
	}
}

static int64_t *offsets_new(const struct dal_kafka *kafka)
{
	return dal_calloc(kafka->partition_count, sizeof(int64_t));
}

static void kafka_start(struct dal_log *log, uint16_t lane, struct dal_position *position)
{
	struct dal_kafka *kafka = kafka_of(log);
	int64_t *low = offsets_new(kafka);

	dal_kafka_watch_offsets(kafka->watch, START_AGE_MS, low, NULL);
	marks_set(kafka, lane, low, position);
	free(low);
}

static void kafka_end(struct dal_log *log, uint16_t lane, struct dal_position *position)
{
	struct dal_kafka *kafka = kafka_of(log);
	int64_t *high = offsets_new(kafka);

	dal_kafka_watch_offsets(kafka->watch, END_AGE_MS, NULL, high);
	marks_set(kafka, lane, high, position);
	free(high);
}

/* Where nothing is as late, the answer is -1: that is its end. */
static int kafka_at(struct dal_log *log, uint16_t lane, int64_t time_us,
		    struct dal_position *position)
{
	struct dal_kafka *kafka = kafka_of(log);
	int64_t *found = offsets_new(kafka), *high = offsets_new(kafka);
	int r = dal_kafka_watch_offsets(kafka->watch, 0, NULL, high);

	if (r == 0) {
		int64_t time_ms = time_us > 0 ? (time_us + 999) / 1000 : 0;
		r = dal_kafka_watch_at(kafka->watch, time_ms, found);
	}
	for (uint32_t i = 0; r == 0 && i < kafka->partition_count; i++) {
		found[i] = found[i] < 0 ? high[i] : found[i];
	}
	if (r == 0) {
		marks_set(kafka, lane, found, position);
	}
	free(found);
	free(high);
	return r;
}

static bool kafka_accept(const struct dal_log *log, const struct dal_log_record *record,
			 const struct dal_event *event, bool *halt, struct dal_error *why)
{
	const struct dal_kafka_topic *topic = dal_kafka_topic_find(kafka_of(log),
								   record->place.topic);

	return !topic || dal_kafka_record_accept(topic, record, event, halt, why);
}

static void kafka_committed(struct dal_log *log, uint16_t lane, const struct dal_position *position)
{
	struct dal_kafka *kafka = kafka_of(log);

	(void)lane;
	if (kafka->member) {
		dal_kafka_member_committed(kafka->member, position);
	}
}

static void kafka_status(struct dal_log *log, struct dal_log_status *status)
{
	struct dal_kafka *kafka = kafka_of(log);

	status->away_us = dal_kafka_watch_away_us(kafka->watch);
	status->away = status->away_us != 0;
	if (kafka->member) {
		dal_kafka_member_status(kafka->member, status);
	}
	if (status->away && !status->obstacle[0]) {
		char reason[256];
		dal_kafka_talk_reason(kafka->talk, reason, sizeof(reason));
		snprintf(status->obstacle, sizeof(status->obstacle), "no broker answers%s%s",
			 reason[0] ? ": " : "", reason);
	} else if (status->paused && !status->obstacle[0]) {
		snprintf(status->obstacle, sizeof(status->obstacle),
			 "group \"%s\" has not given us its partitions yet", kafka->options.group);
	}
}

static uint64_t kafka_bytes(struct dal_log *log)
{
	(void)log;
	return 0;
}

static bool kafka_has_room(struct dal_log *log, struct dal_log_room *room)
{
	*room = (struct dal_log_room){0};
	if (!kafka_of(log)->appender) {
		return false;
	}
	room->free_bytes = UINT64_MAX;
	return true;
}

static const struct dal_log_backend backend = {
	.kind = DAL_LOG_KAFKA,
	.close = kafka_close,
	.id = kafka_id,
	.lanes = kafka_lanes,
	.partitions = kafka_partitions,
	.append = kafka_append,
	.origin = kafka_origin,
	.start = kafka_start,
	.end = kafka_end,
	.at = kafka_at,
	.reader_new = dal_kafka_reader_new,
	.follow = dal_kafka_follow,
	.browse = dal_kafka_browse,
	.reader_free = dal_kafka_reader_free,
	.read = dal_kafka_read,
	.reader_position = dal_kafka_reader_position,
	.reader_lost = dal_kafka_reader_lost,
	.accept = kafka_accept,
	.committed = kafka_committed,
	.status = kafka_status,
	.bytes = kafka_bytes,
	.has_room = kafka_has_room,
};

int dal_kafka_open(const struct dal_log_options *options, struct dal_log **log,
		   struct dal_error *error)
{
	struct dal_kafka *kafka = dal_calloc(1, sizeof(*kafka));
	int r;

	kafka->log.backend = &backend;
	kafka->talk = dal_kafka_talk_new();
	kafka->on_advance = options->on_advance ? options->on_advance : nobody;
	kafka->on_lane = options->on_lane;
	kafka->own = options->own;
	dal_kafka_options_copy(&kafka->options, &options->kafka);
	metrics_init(kafka);
	r = open_parts(kafka, options, error);
	if (r < 0) {
		kafka_close(&kafka->log);
		return r;
	}
	*log = &kafka->log;
	return 0;
}

int dal_log_ask_partitions(const struct dal_log_options *options, int timeout_ms,
			   uint32_t *partitions, struct dal_error *error)
{
	struct dal_kafka kafka = {.talk = dal_kafka_talk_new()};
	rd_kafka_t *asker = NULL;
	int r;

	dal_kafka_options_copy(&kafka.options, &options->kafka);
	r = dal_kafka_topics_declare(&kafka, options, error);
	if (r == 0) {
		r = asker_new(&kafka.options, kafka.talk, &asker, error);
	}
	for (size_t i = 0; r == 0 && i < 2 + options->topic_count; i++) {
		const struct dal_kafka_topic *topic =
			i < 2 ? &kafka.topics[i]
			      : dal_kafka_topic_find(&kafka,
						     dal_slice_text(options->topics[i - 2].name));
		r = dal_kafka_admin_partitions(asker, &kafka, topic->remote, timeout_ms,
					       &partitions[i], error);
	}
	if (asker) {
		rd_kafka_destroy(asker);
	}
	dal_kafka_topics_free(&kafka);
	dal_kafka_options_deinit(&kafka.options);
	dal_kafka_talk_free(kafka.talk);
	return r;
}
