#include "tests/unit/log/kafka_fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"

#define PATIENCE_US (10 * 1000000ll)

static void on_advance(void *own)
{
	struct kafka_fixture *f = own;

	atomic_fetch_add(&f->advances, 1);
}

int kafka_setup(void **own)
{
	const char *base = getenv("TMPDIR");
	struct kafka_fixture *f = dal_calloc(1, sizeof(*f));
	uint32_t random;

	dal_random(&random, sizeof(random));
	f->brokers = getenv("DALAMB_TEST_BROKERS");
	f->folder = dal_asprintf("%s/dal-kafka-XXXXXX", base ? base : "/tmp");
	if (!mkdtemp(f->folder)) {
		return -1;
	}
	snprintf(f->app, sizeof(f->app), "unit%08x", random);
	f->options = (struct dal_log_options){
		.kind = DAL_LOG_KAFKA,
		.topics = f->topics,
		.kafka = {.brokers = f->brokers, .app = f->app, .group = f->app, .data = f->folder},
		.on_advance = on_advance,
		.own = f,
	};
	*own = f;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
	(void)st;
	(void)kind;
	(void)walk;
	return remove(path);
}

int kafka_teardown(void **own)
{
	struct kafka_fixture *f = *own;

	kafka_close(f);
	if (f->other) {
		rd_kafka_destroy(f->other);
	}
	nftw(f->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	for (size_t i = 0; i < f->options.topic_count; i++) {
		free((char *)f->topics[i].name);
	}
	free(f->folder);
	free(f);
	return 0;
}

bool kafka_there(const struct kafka_fixture *f)
{
	return f->brokers && *f->brokers;
}

void kafka_open(struct kafka_fixture *f)
{
	struct dal_error error = {0};

	if (dal_log_open(&f->options, &f->log, &error) != 0) {
		fail_msg("%s", error.text);
	}
}

void kafka_close(struct kafka_fixture *f)
{
	dal_log_batch_release(&f->batch);
	dal_log_reader_free(f->reader);
	f->reader = NULL;
	dal_log_close(f->log);
	f->log = NULL;
}

/* --- somebody else --- */

static rd_kafka_t *other(struct kafka_fixture *f)
{
	rd_kafka_conf_t *conf;
	char why[256];

	if (f->other) {
		return f->other;
	}
	conf = rd_kafka_conf_new();
	rd_kafka_conf_set(conf, "bootstrap.servers", f->brokers, why, sizeof(why));
	rd_kafka_conf_set(conf, "message.max.bytes", "40000000", why, sizeof(why));
	rd_kafka_conf_set(conf, "linger.ms", "0", why, sizeof(why));
	rd_kafka_conf_set(conf, "allow.auto.create.topics", "false", why, sizeof(why));
	f->other = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	assert_non_null(f->other);
	return f->other;
}

static void await_answer(struct kafka_fixture *f, rd_kafka_queue_t *queue)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 10000);

	(void)f;
	assert_non_null(event);
	assert_int_equal(rd_kafka_event_error(event), 0);
	rd_kafka_event_destroy(event);
	rd_kafka_queue_destroy(queue);
}

static void make_topic(struct kafka_fixture *f, const char *whole, int partitions,
		       const char *config, const char *value)
{
	char why[256];
	rd_kafka_queue_t *queue = rd_kafka_queue_new(other(f));
	rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(whole, partitions, 1, why, sizeof(why));

	if (config) {
		rd_kafka_NewTopic_set_config(topic, config, value);
	}
	if (!config || strcmp(config, "max.message.bytes") != 0) {
		rd_kafka_NewTopic_set_config(topic, "max.message.bytes", "40000000");
	}
	rd_kafka_CreateTopics(f->other, &topic, 1, NULL, queue);
	await_answer(f, queue);
	rd_kafka_NewTopic_destroy(topic);
}

const char *kafka_topic(struct kafka_fixture *f, const char *name, int partitions,
			const char *config, const char *value)
{
	char *whole = dal_asprintf("%s.%s", f->app, name);

	make_topic(f, whole, partitions, config, value);
	assert_true(f->options.topic_count < TOPICS);
	f->topics[f->options.topic_count++].name = whole;
	return whole;
}

void kafka_make_again(struct kafka_fixture *f, const char *whole, int partitions)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_new(other(f));
	rd_kafka_DeleteTopic_t *order = rd_kafka_DeleteTopic_new(whole);

	rd_kafka_DeleteTopics(f->other, &order, 1, NULL, queue);
	await_answer(f, queue);
	rd_kafka_DeleteTopic_destroy(order);
	usleep(500000); /* a name that was deleted is free once every broker has heard of it */
	make_topic(f, whole, partitions, NULL, NULL);
}

static void put(struct kafka_fixture *f, const char *topic, int partition, const char *key,
		const void *value, size_t size, const char *const *headers)
{
	rd_kafka_headers_t *list = rd_kafka_headers_new(4);
	rd_kafka_resp_err_t code;

	for (; headers && *headers; headers += 2) {
		rd_kafka_header_add(list, headers[0], -1, headers[1], -1);
	}
	code = rd_kafka_producev(other(f), RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
				 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
				 RD_KAFKA_V_KEY(key, key ? strlen(key) : 0),
				 RD_KAFKA_V_VALUE((void *)value, size), RD_KAFKA_V_HEADERS(list),
				 RD_KAFKA_V_END);
	assert_int_equal(code, 0);
}

void kafka_put(struct kafka_fixture *f, const char *topic, int partition, const char *key,
	       const char *value, const char *const *headers)
{
	put(f, topic, partition, key, value, value ? strlen(value) : 0, headers);
}

void kafka_put_bytes(struct kafka_fixture *f, const char *topic, int partition,
		     struct dal_slice value, const char *const *headers)
{
	put(f, topic, partition, NULL, value.data, value.size, headers);
}

void kafka_flush(struct kafka_fixture *f)
{
	assert_int_equal(rd_kafka_flush(other(f), 10000), 0);
}

void kafka_delete_before(struct kafka_fixture *f, const char *topic, int partition, int64_t offset)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(other(f));
	rd_kafka_DeleteRecords_t *order;

	rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
	order = rd_kafka_DeleteRecords_new(list);
	rd_kafka_DeleteRecords(f->other, &order, 1, NULL, queue);
	await_answer(f, queue);
	rd_kafka_DeleteRecords_destroy(order);
	rd_kafka_topic_partition_list_destroy(list);
}

/* --- the log --- */

struct dal_place kafka_append(struct kafka_fixture *f, const char *event, const char *dedup)
{
	struct dal_log_item item = {
		.topic = dal_slice_text(DAL_TOPIC_EVENTS),
		.event = dal_slice_text(event),
		.dedup = dal_slice_text(dedup),
	};
	struct dal_log_append append = {.items = &item, .count = 1};

	assert_int_equal(dal_log_append_wait(f->log, &append), 0);
	return item.place;
}

const struct dal_log_record *kafka_next(struct kafka_fixture *f)
{
	int64_t until_us = dal_clock_monotonic_us() + PATIENCE_US;

	do {
		int r = dal_log_read(f->reader, 1, 64 * DAL_MIB, &f->batch);
		if (r == 0) {
			assert_int_equal(f->batch.count, 1);
			return &f->batch.records[0];
		}
		assert_int_equal(r, DAL_LOG_END);
		usleep(1000);
	} while (dal_clock_monotonic_us() < until_us);
	return NULL;
}

bool kafka_accepts(struct kafka_fixture *f, const struct dal_log_record *record,
		   struct dal_error *why)
{
	struct dal_json *json = dal_json_new();
	struct dal_json_error error;
	struct dal_event event;
	bool halt, good = false;

	assert_int_equal(record->refused.size, 0);
	if (dal_json_parse(json, record->event, DAL_JSON_PADDED | DAL_JSON_LAST_WINS, &error)) {
		dal_error_set(why, "%s", error.reason);
	} else {
		dal_event_view(&event, json);
		good = dal_log_accept(f->log, record, &event, &halt, why);
	}
	dal_json_free(json);
	return good;
}

const char *kafka_text(const struct dal_log_record *record)
{
	static char text[4096];

	snprintf(text, sizeof(text), "%.*s", (int)record->event.size, record->event.data);
	return text;
}

const char *kafka_next_event(struct kafka_fixture *f)
{
	const struct dal_log_record *record = kafka_next(f);
	struct dal_error why;

	assert_non_null(record);
	if (!kafka_accepts(f, record, &why)) {
		fail_msg("%.*s: %s", (int)record->event.size, record->event.data, why.text);
	}
	return kafka_text(record);
}

void kafka_await_ours(struct kafka_fixture *f)
{
	int64_t until_us = dal_clock_monotonic_us() + PATIENCE_US;
	struct dal_log_status status;

	do {
		dal_log_status(f->log, &status);
		usleep(1000);
	} while (status.paused && dal_clock_monotonic_us() < until_us);
	assert_false(status.paused);
}
