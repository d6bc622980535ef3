#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/logger.h"
#include "engine/base/memory.h"
#include "engine/log/kafka.h"
#include "engine/log/kafka_admin.h"

#define DEFAULT_TYPE "kafka.record"
#define MAX_LANES UINT16_MAX

/* --- declared --- */

static struct dal_kafka_topic *topic_add(struct dal_kafka *kafka, const char *name, char *remote,
					 bool own)
{
	kafka->topics = dal_reallocarray(kafka->topics, kafka->topic_count + 1,
					 sizeof(*kafka->topics));
	struct dal_kafka_topic *topic = &kafka->topics[kafka->topic_count++];
	*topic = (struct dal_kafka_topic){
		.name = dal_strdup(name),
		.remote = remote,
		.own = own,
		.system = own && strcmp(name, DAL_TOPIC_SYSTEM) == 0,
		.type = dal_strdup(DEFAULT_TYPE),
		.source = dal_asprintf("/kafka/%s", name),
	};
	return topic;
}

static void text_set(const char **to, const char *text)
{
	if (text) {
		free((char *)*to);
		*to = dal_strdup(text);
	}
}

static int topic_describe(struct dal_kafka_topic *topic, const struct dal_log_topic *said,
			  struct dal_error *error)
{
	struct dal_error why;

	text_set(&topic->type, said->type);
	text_set(&topic->source, said->source);
	topic->crc32 = said->partitioner && strcmp(said->partitioner, "crc32") == 0;
	topic->halt_on_wrong_key = said->halt_on_wrong_key;
	if (said->key && dal_path_parse(dal_slice_text(said->key), &topic->key, &why) != 0) {
		dal_error_set(error, "topic \"%s\": key: %s", said->name, why.text);
		return -EINVAL;
	}
	return 0;
}

struct dal_kafka_topic *dal_kafka_topic_find(const struct dal_kafka *kafka, struct dal_slice name)
{
	for (size_t i = 0; i < kafka->topic_count; i++) {
		if (dal_slice_is(name, kafka->topics[i].name)) {
			return &kafka->topics[i];
		}
	}
	return NULL;
}

int dal_kafka_topics_declare(struct dal_kafka *kafka, const struct dal_log_options *options,
			     struct dal_error *error)
{
	const char *app = options->kafka.app;
	int r = 0;

	topic_add(kafka, DAL_TOPIC_EVENTS, dal_asprintf("%s.%s", app, DAL_TOPIC_EVENTS), true);
	topic_add(kafka, DAL_TOPIC_SYSTEM, dal_asprintf("%s.%s", app, DAL_TOPIC_SYSTEM), true);
	for (size_t i = 0; r == 0 && i < options->topic_count; i++) {
		const struct dal_log_topic *said = &options->topics[i];
		struct dal_kafka_topic *topic = dal_kafka_topic_find(kafka,
								     dal_slice_text(said->name));
		if (!topic) {
			topic = topic_add(kafka, said->name, dal_strdup(said->name), false);
		}
		r = topic_describe(topic, said, error);
	}
	return r;
}

void dal_kafka_topics_free(struct dal_kafka *kafka)
{
	for (size_t i = 0; i < kafka->topic_count; i++) {
		struct dal_kafka_topic *topic = &kafka->topics[i];
		dal_path_free(topic->key);
		free((char *)topic->name);
		free((char *)topic->remote);
		free((char *)topic->type);
		free((char *)topic->source);
	}
	free(kafka->topics);
}

/* --- there --- */

static int topics_count(struct dal_kafka *kafka, rd_kafka_t *handle, struct dal_error *error)
{
	int64_t until_us = dal_clock_monotonic_us() + DAL_KAFKA_PATIENCE_MS * 1000;

	for (size_t i = 0; i < kafka->topic_count; i++) {
		struct dal_kafka_topic *topic = &kafka->topics[i];
		int left_ms = (int)((until_us - dal_clock_monotonic_us()) / 1000);
		int r = dal_kafka_admin_partitions(handle, kafka, topic->remote,
						   left_ms > 100 ? left_ms : 100,
						   &topic->partitions, error);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static uint32_t widest_foreign(const struct dal_kafka *kafka)
{
	uint32_t widest = 0;

	for (size_t i = 0; i < kafka->topic_count; i++) {
		if (!kafka->topics[i].own && kafka->topics[i].partitions > widest) {
			widest = kafka->topics[i].partitions;
		}
	}
	return widest;
}

/* Where one of the own topics exists the other is made as wide. */
static uint32_t own_width(const struct dal_kafka *kafka)
{
	for (size_t i = 0; i < kafka->topic_count; i++) {
		if (kafka->topics[i].own && kafka->topics[i].partitions > 0) {
			return kafka->topics[i].partitions;
		}
	}
	if (kafka->options.partitions > 0) {
		return kafka->options.partitions;
	}
	return widest_foreign(kafka) > 0 ? widest_foreign(kafka) : 1;
}

/* A topic that was just made may take a moment until every broker knows it. */
static int await_topic(struct dal_kafka *kafka, rd_kafka_t *handle, struct dal_kafka_topic *topic,
		       struct dal_error *error)
{
	int64_t until_us = dal_clock_monotonic_us() + DAL_KAFKA_PATIENCE_MS * 1000;

	for (;;) {
		int r = dal_kafka_admin_partitions(handle, kafka, topic->remote, 5000,
						   &topic->partitions, error);
		if (r < 0 || topic->partitions > 0) {
			return r;
		}
		if (dal_clock_monotonic_us() > until_us) {
			dal_error_set(error, "Kafka: topic \"%s\" was made, but isn't there yet",
				      topic->remote);
			return -ETIMEDOUT;
		}
		usleep(50000);
	}
}

static int topics_make(struct dal_kafka *kafka, rd_kafka_t *handle, struct dal_error *error)
{
	uint32_t own = own_width(kafka), widest = widest_foreign(kafka);
	int r = 0;

	for (size_t i = 0; r == 0 && i < kafka->topic_count; i++) {
		struct dal_kafka_topic *topic = &kafka->topics[i];
		uint32_t width = topic->system && widest > own ? widest : own;
		if (!topic->own || topic->partitions > 0) {
			continue;
		}
		r = dal_kafka_admin_make(handle, topic->remote, width, error);
		if (r == 0) {
			r = await_topic(kafka, handle, topic, error);
		}
		if (r == 0) {
			dal_logger_write(DAL_LOGGER_INFO, "log",
					 "Kafka: made topic %s with %u partitions", topic->remote,
					 topic->partitions);
		}
	}
	return r;
}

static int missing(const struct dal_kafka_topic *topic, bool make, struct dal_error *error)
{
	if (topic->own) {
		dal_error_set(error,
			      "Kafka: topic \"%s\" is not there%s: the engine makes it when it "
			      "first runs",
			      topic->remote, make ? "" : " yet");
	} else {
		dal_error_set(error,
			      "Kafka: topic \"%s\" is not there: take it from log.topics, or make "
			      "it: kafka-topics --create --topic %s --partitions N",
			      topic->remote, topic->remote);
	}
	return -ENOENT;
}

static int widths_check(const struct dal_kafka *kafka, bool make, struct dal_error *error)
{
	const struct dal_kafka_topic *events = &kafka->topics[0], *system = &kafka->topics[1];
	uint32_t wanted = kafka->options.partitions;

	for (size_t i = 0; i < kafka->topic_count; i++) {
		if (kafka->topics[i].partitions == 0) {
			return missing(&kafka->topics[i], make, error);
		}
		if (kafka->topics[i].partitions > MAX_LANES - 1) {
			dal_error_set(error, "Kafka: topic \"%s\" has %u partitions, more than %u",
				      kafka->topics[i].remote, kafka->topics[i].partitions,
				      MAX_LANES - 1);
			return -EINVAL;
		}
	}
	if (system->partitions < events->partitions || system->partitions < widest_foreign(kafka)) {
		uint32_t width = widest_foreign(kafka) > events->partitions ? widest_foreign(kafka)
									    : events->partitions;
		dal_error_set(error,
			      "Kafka: topic \"%s\" has %u partitions, but %u lanes write to it: "
			      "kafka-topics --alter --topic %s --partitions %u",
			      system->remote, system->partitions, width, system->remote, width);
		return -EINVAL;
	}
	if (wanted > 0 && wanted != events->partitions) {
		dal_logger_write(DAL_LOGGER_WARN, "log",
				 "Kafka: topic %s has %u partitions, log.partitions says %u: that "
				 "is for a topic that isn't there yet",
				 events->remote, events->partitions, wanted);
	}
	return 0;
}

/* --- as they should be --- */

static int check_own(const struct dal_kafka_topic *topic,
		     const struct dal_kafka_topic_config *config, struct dal_error *error)
{
	if (config->compacted) {
		dal_error_set(error,
			      "Kafka: topic \"%s\" is compacted, which loses events: kafka-configs "
			      "--alter --entity-type topics --entity-name %s --add-config "
			      "cleanup.policy=delete",
			      topic->remote, topic->remote);
		return -EINVAL;
	}
	if (config->max_bytes >= 0 && config->max_bytes < (int64_t)DAL_KAFKA_VALUE_BYTES) {
		dal_logger_write(DAL_LOGGER_WARN, "log",
				 "Kafka: topic %s takes no events over %lld bytes "
				 "(max.message.bytes); dalamb may have some of %lld",
				 topic->remote, (long long)config->max_bytes,
				 (long long)DAL_KAFKA_VALUE_BYTES);
	}
	return 0;
}

static void check_foreign(const struct dal_kafka_topic *topic,
			  const struct dal_kafka_topic_config *config)
{
	if (config->compacted) {
		dal_logger_write(DAL_LOGGER_WARN, "log",
				 "Kafka: topic %s is compacted: a rebuild sees only the last event "
				 "of each key",
				 topic->remote);
	}
	if (config->max_bytes > (int64_t)DAL_KAFKA_VALUE_BYTES) {
		dal_logger_write(DAL_LOGGER_WARN, "log",
				 "Kafka: topic %s takes records of up to %lld bytes "
				 "(max.message.bytes); dalamb refuses what is over %lld",
				 topic->remote, (long long)config->max_bytes,
				 (long long)DAL_KAFKA_VALUE_BYTES);
	}
}

/* Whoever may read a topic may not always read its configuration: then it goes unchecked. */
static int configs_check(struct dal_kafka *kafka, rd_kafka_t *handle, struct dal_error *error)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < kafka->topic_count; i++) {
		const struct dal_kafka_topic *topic = &kafka->topics[i];
		struct dal_kafka_topic_config config;
		struct dal_error why;
		if (dal_kafka_admin_config(handle, topic->remote, &config, &why) != 0) {
			dal_logger_write(DAL_LOGGER_WARN, "log",
					 "Kafka: can't check the configuration of topic %s: %s",
					 topic->remote, why.text);
		} else if (topic->own) {
			r = check_own(topic, &config, error);
		} else {
			check_foreign(topic, &config);
		}
	}
	return r;
}

int dal_kafka_topics_open(struct dal_kafka *kafka, rd_kafka_t *handle, bool make,
			  struct dal_error *error)
{
	int r = topics_count(kafka, handle, error);

	if (r == 0 && make) {
		r = topics_make(kafka, handle, error);
	}
	if (r == 0) {
		r = widths_check(kafka, make, error);
	}
	if (r == 0) {
		r = configs_check(kafka, handle, error);
	}
	for (size_t i = 0; r == 0 && i < kafka->topic_count; i++) {
		struct dal_kafka_topic *topic = &kafka->topics[i];
		topic->first = kafka->partition_count;
		kafka->partition_count += topic->partitions;
		if (topic->partitions > kafka->lanes) {
			kafka->lanes = (uint16_t)topic->partitions;
		}
	}
	return r;
}
