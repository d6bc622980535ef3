/* The log on a real broker: opened, appended to, read. */
#include "tests/unit/log/kafka_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/log/kafka_producer.h"

#define START "{\"specversion\":\"1.0\",\"id\":"
#define REST ",\"source\":\"/s\",\"type\":\"t\""
#define EVENT(id) START "\"" id "\"" REST "}"
#define EVENT_OF(subject) START "\"1\"" REST ",\"subject\":\"" subject "\"}"

static void test_open_makes_topics(void **own)
{
	WITH_BROKER(f);
	char id[64];

	f->options.kafka.partitions = 3;
	kafka_open(f);
	assert_int_equal(dal_log_lanes(f->log), 3);
	assert_int_equal(dal_log_partitions(f->log, dal_slice_text("events")), 3);
	assert_int_equal(dal_log_partitions(f->log, dal_slice_text("system")), 3);
	assert_int_equal(dal_log_partitions(f->log, dal_slice_text("other")), 0);
	snprintf(id, sizeof(id), ".%s", f->app);
	assert_non_null(strstr(dal_log_id(f->log).data, id));
	kafka_close(f);
	f->options.kafka.partitions = 5; /* they are there: they stay */
	kafka_open(f);
	assert_int_equal(dal_log_lanes(f->log), 3);
}

static void test_append_and_follow(void **own)
{
	WITH_BROKER(f);
	struct dal_place place;
	const struct dal_log_record *record;

	kafka_open(f);
	assert_int_equal(dal_log_follow(f->log, 0, NULL, &f->reader), 0);
	place = kafka_append(f, EVENT("1"), "a");
	assert_int_equal(place.offset, 0);
	assert_true(dal_slice_is(place.topic, "events"));
	assert_string_equal(kafka_next_event(f), EVENT("1"));
	assert_int_equal(kafka_append(f, EVENT("2"), "a").offset, 1);
	record = kafka_next(f);
	assert_non_null(record);
	assert_true(record->untrusted);
	assert_false(record->foreign);
	assert_int_equal(record->dedup.size, 16);
	assert_int_equal(record->place.offset, 1);
	assert_true(llabs(record->appended_us - dal_clock_now_us()) < 5000000);
	assert_int_equal(dal_position_next(&f->batch.position, place.topic, 0), 2);
}

static void test_read_to_the_end(void **own)
{
	WITH_BROKER(f);
	struct dal_position end = {0};

	kafka_open(f);
	kafka_append(f, EVENT("1"), NULL);
	kafka_append(f, EVENT("2"), NULL);
	assert_int_equal(dal_log_reader_new(f->log, 0, NULL, NULL, &f->reader), 0);
	/* The first read has what was there: it does not say END before. */
	assert_int_equal(dal_log_read(f->reader, 100, 1000000, &f->batch), 0);
	assert_int_equal(f->batch.count, 2);
	assert_int_equal(dal_log_read(f->reader, 100, 1000000, &f->batch), DAL_LOG_END);
	dal_log_end(f->log, 0, &end);
	assert_true(dal_position_equal(&end, &f->batch.position));
	dal_position_deinit(&end);
}

static void test_merged_by_time(void **own)
{
	WITH_BROKER(f);
	const char *orders = kafka_topic(f, "orders", 2, NULL, NULL);
	char text[64];
	int64_t last_us = 0;

	kafka_open(f);
	for (int i = 0; i < 20; i++) {
		kafka_append(f, EVENT("x"), NULL);
		snprintf(text, sizeof(text), "{\"n\":%d}", i);
		kafka_put(f, orders, i % 2, NULL, text, NULL);
		kafka_flush(f);
		usleep(2000);
	}
	assert_int_equal(dal_log_reader_new(f->log, DAL_LOG_ALL_LANES, NULL, NULL, &f->reader), 0);
	for (int i = 0; i < 40; i++) {
		const struct dal_log_record *record = kafka_next(f);
		assert_non_null(record);
		assert_true(record->appended_us >= last_us);
		last_us = record->appended_us;
	}
}

static void test_forms(void **own)
{
	WITH_BROKER(f);
	const char *orders = kafka_topic(f, "orders", 1, NULL, NULL);
	const char *const binary[] = {"ce_specversion",
				      "1.0",
				      "ce_id",
				      "7",
				      "ce_source",
				      "/s",
				      "ce_type",
				      "t",
				      "content-type",
				      "application/json",
				      NULL};
	const char *const structured[] = {"content-type", "application/cloudevents+json", NULL};
	const char *text;

	kafka_put(f, orders, 0, "k", "{\"n\":1}", NULL);
	kafka_put(f, orders, 0, NULL, "{\"n\":2}", binary);
	kafka_put(f, orders, 0, NULL, EVENT("3"), structured);
	kafka_put(f, orders, 0, NULL, EVENT("4"), NULL);
	kafka_put(f, orders, 0, "k", NULL, NULL);
	kafka_put(f, orders, 0, NULL, "not json", NULL);
	kafka_flush(f);
	kafka_open(f);
	assert_int_equal(dal_log_reader_new(f->log, 0, NULL, orders, &f->reader), 0);
	text = kafka_next_event(f);
	assert_non_null(strstr(text, "\"subject\":\"k\""));
	assert_non_null(strstr(text, "\"type\":\"kafka.record\""));
	assert_non_null(strstr(text, "\"data\":{\"n\":1}}"));
	text = kafka_next_event(f);
	assert_string_equal(text, "{\"specversion\":\"1.0\",\"id\":\"7\",\"source\":\"/s\","
				  "\"type\":\"t\",\"datacontenttype\":\"application/json\","
				  "\"data\":{\"n\":2}}");
	assert_string_equal(kafka_next_event(f), EVENT("3"));
	assert_string_equal(kafka_next_event(f), EVENT("4"));
	text = kafka_next_event(f);
	assert_null(strstr(text, "\"data"));
	assert_non_null(strstr(kafka_next_event(f), "\"data_base64\":\"bm90IGpzb24=\"}"));
	assert_null(f->batch.records[0].key.data);
	assert_true(f->batch.records[0].foreign);
}

static void test_lost_halts(void **own)
{
	WITH_BROKER(f);
	const char *orders = kafka_topic(f, "orders", 1, NULL, NULL);
	struct dal_position from = {0};
	struct dal_place place;
	struct dal_error why;
	int r;

	for (int i = 0; i < 10; i++) {
		kafka_put(f, orders, 0, NULL, "1", NULL);
	}
	kafka_flush(f);
	kafka_delete_before(f, orders, 0, 6);
	kafka_open(f);
	kafka_await_ours(f);
	dal_position_set(&from, dal_slice_text(orders), 0, 2);
	assert_int_equal(dal_log_follow(f->log, 0, &from, &f->reader), 0);
	while ((r = dal_log_read(f->reader, 1, 100, &f->batch)) == DAL_LOG_END) {
		usleep(1000);
	}
	assert_int_equal(r, DAL_LOG_LOST);
	dal_log_reader_lost(f->reader, &place, &why);
	assert_int_equal(place.offset, 2);
	assert_non_null(strstr(why.text, "offsets 2 to 5 are gone"));
	dal_log_reader_free(f->reader);
	f->reader = NULL;
	assert_int_equal(dal_log_reader_new(f->log, 0, &from, NULL, &f->reader), 0);
	assert_int_equal(kafka_next(f)->place.offset, 6);
	dal_position_deinit(&from);
}

static void test_lost_skips(void **own)
{
	WITH_BROKER(f);
	const char *orders = kafka_topic(f, "orders", 1, NULL, NULL);
	struct dal_position from = {0};
	const struct dal_log_record *record;

	for (int i = 0; i < 10; i++) {
		kafka_put(f, orders, 0, NULL, "1", NULL);
	}
	kafka_flush(f);
	kafka_delete_before(f, orders, 0, 6);
	f->options.kafka.skip_lost = true;
	kafka_open(f);
	kafka_await_ours(f);
	dal_position_set(&from, dal_slice_text(orders), 0, 2);
	assert_int_equal(dal_log_follow(f->log, 0, &from, &f->reader), 0);
	record = kafka_next(f);
	assert_non_null(record);
	assert_int_equal(record->place.offset, 2);
	assert_true(record->refused.size > 0);
	record = kafka_next(f);
	assert_non_null(record);
	assert_int_equal(record->place.offset, 6);
	assert_int_equal(record->refused.size, 0);
	dal_position_deinit(&from);
}

static void test_at(void **own)
{
	WITH_BROKER(f);
	struct dal_position at = {0};
	int64_t between_us;

	kafka_open(f);
	kafka_append(f, EVENT("1"), NULL);
	usleep(20000);
	between_us = dal_clock_now_us();
	usleep(20000);
	kafka_append(f, EVENT("2"), NULL);
	assert_int_equal(dal_log_at(f->log, 0, between_us, &at), 0);
	assert_int_equal(dal_position_next(&at, dal_slice_text("events"), 0), 1);
	assert_int_equal(dal_log_at(f->log, 0, 0, &at), 0);
	assert_int_equal(dal_position_next(&at, dal_slice_text("events"), 0), 0);
	assert_int_equal(dal_log_at(f->log, 0, dal_clock_now_us() + 1000000, &at), 0);
	assert_int_equal(dal_position_next(&at, dal_slice_text("events"), 0), 2);
	dal_position_deinit(&at);
}

static void test_refused_properties(void **own)
{
	struct kafka_fixture *f = *own;
	const struct {
		const char *name, *value, *said;
	} cases[] = {
		{"acks", "1", "\"acks\": can't be set"},
		{"group.id", "x", "log.group"},
		{"linger.ms", "never", "linger.ms"},
		{"sasl.pasword", "x", "sasl.pasword"},
		{"security.protocol", "quantum", "security.protocol"},
	};

	f->options.kafka.brokers = "127.0.0.1:1";
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct dal_log_property property = {cases[i].name, cases[i].value};
		struct dal_error error = {0};
		f->options.kafka.properties = &property;
		f->options.kafka.property_count = 1;
		assert_int_equal(dal_log_open(&f->options, &f->log, &error), -EINVAL);
		assert_non_null(strstr(error.text, cases[i].said));
	}
	f->options.kafka.property_count = 0;
}

static void test_ask_partitions(void **own)
{
	WITH_BROKER(f);
	const char *orders = kafka_topic(f, "orders", 4, NULL, NULL);
	uint32_t partitions[3] = {9, 9, 9};
	struct dal_error error = {0};

	(void)orders;
	assert_int_equal(dal_log_ask_partitions(&f->options, 5000, partitions, &error), 0);
	assert_int_equal(partitions[0], 0);
	assert_int_equal(partitions[1], 0);
	assert_int_equal(partitions[2], 4);
	f->options.kafka.brokers = "127.0.0.1:1";
	assert_int_equal(dal_log_ask_partitions(&f->options, 1000, partitions, &error),
			 -EHOSTUNREACH);
	assert_non_null(strstr(error.text, "Connection refused"));
}

/* --- appends --- */

static void test_partitions(void **own)
{
	WITH_BROKER(f);
	struct dal_log_item items[8];
	struct dal_log_append append = {.items = items, .count = 8};
	const char *events[] = {EVENT_OF("21"), EVENT_OF("foobar")};
	f->options.kafka.partitions = 7;
	kafka_open(f);
	for (size_t i = 0; i < 8; i++) {
		items[i] = (struct dal_log_item){.topic = dal_slice_text(i < 4 ? "events"
									       : "system"),
						 .event = dal_slice_text(events[i % 2]),
						 .placed = i >= 4,
						 .lane = (uint16_t)(i - 4)};
	}
	assert_int_equal(dal_log_append_wait(f->log, &append), 0);
	for (size_t i = 0; i < 4; i++) {
		uint32_t hash = (uint32_t)(i % 2 ? -790332482 : -973932308);
		assert_int_equal(items[i].place.partition, (hash & 0x7fffffff) % 7);
		assert_int_equal(items[i].place.offset, i / 2);
	}
	for (size_t i = 4; i < 8; i++) {
		assert_int_equal(items[i].place.partition, i - 4);
		assert_true(dal_slice_is(items[i].place.topic, "system"));
	}
}

/* A repeat without a key lies in the first one's partition. */
static void test_dedup_places(void **own)
{
	WITH_BROKER(f);

	f->options.kafka.partitions = 12;
	kafka_open(f);
	for (int i = 0; i < 10; i++) {
		char dedup[8];
		struct dal_place first, second;
		snprintf(dedup, sizeof(dedup), "d%d", i);
		first = kafka_append(f, EVENT("1"), dedup);
		second = kafka_append(f, EVENT("1"), dedup);
		assert_int_equal(first.partition, second.partition);
	}
}

static void test_append_refused(void **own)
{
	WITH_BROKER(f);
	char *large = dal_calloc(1, 40 * DAL_MIB);
	struct dal_log_item item = {.topic = dal_slice_text("nowhere"),
				    .event = dal_slice_text(EVENT("1"))};
	struct dal_log_append append = {.items = &item, .count = 1};

	kafka_open(f);
	assert_int_equal(dal_log_append_wait(f->log, &append), -EINVAL);
	item.topic = dal_slice_text("events");
	item.event = dal_slice(large, 40 * DAL_MIB);
	assert_int_equal(dal_log_append_wait(f->log, &append), DAL_LOG_TOO_LARGE);
	assert_non_null(item.refused);
	append.count = 0;
	assert_int_equal(dal_log_append_wait(f->log, &append), 0);
	kafka_close(f);
	f->options.read_only = true;
	kafka_open(f);
	assert_int_equal(dal_log_append_wait(f->log, &append), -EROFS);
	free(large);
}

static int append_to(struct kafka_fixture *f, const char *topic, struct dal_slice event,
		     const char **refused)
{
	struct dal_log_item item = {.topic = dal_slice_text(topic), .event = event};
	struct dal_log_append append = {.items = &item, .count = 1};
	int r = dal_log_append_wait(f->log, &append);

	*refused = item.refused;
	return r;
}

/* What no retry cures is told from what waits for a broker. */
static void test_append_refused_for_good(void **own)
{
	WITH_BROKER(f);
	const char *small = kafka_topic(f, "small", 1, "max.message.bytes", "2000");
	const char *compacted = kafka_topic(f, "compacted", 1, "cleanup.policy", "compact");
	const char *refused;
	char digits[9000];
	uint32_t chance = 1;
	char *large;

	for (size_t i = 0; i < sizeof(digits); i++) { /* that don't compress to nothing */
		chance = chance * 1103515245 + 12345;
		digits[i] = (char)('0' + (chance >> 16) % 10);
	}
	large = dal_asprintf(
		"{\"specversion\":\"1.0\",\"id\":\"l\",\"source\":\"/t\",\"type\":\"t\","
		"\"data\":\"%.*s\"}",
		(int)sizeof(digits), digits);
	kafka_open(f);
	assert_int_equal(append_to(f, small, dal_slice_text(large), &refused), DAL_LOG_TOO_LARGE);
	assert_non_null(refused);
	assert_int_equal(append_to(f, small, dal_slice_text(EVENT("1")), &refused), 0);
	assert_null(refused);
	assert_int_equal(append_to(f, compacted, dal_slice_text(EVENT("1")), &refused),
			 DAL_LOG_REFUSED);
	assert_non_null(refused);
	free(large);
}

/* A producer that breaks for good is put out of use: what it held is told, the next one goes on. */
static void test_fatal(void **own)
{
	WITH_BROKER(f);
	struct dal_log_item item = {.topic = dal_slice_text("events"),
				    .event = dal_slice_text(EVENT("1"))};
	struct dal_log_append append = {.items = &item, .count = 1};
	struct dal_kafka *kafka;
	int r = DAL_LOG_AWAY;

	kafka_open(f);
	kafka_append(f, EVENT("1"), NULL);
	kafka = DAL_CONTAINER(f->log, struct dal_kafka, log);
	rd_kafka_test_fatal_error(kafka->appender->producer.handle,
				  RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "a test's");
	for (int i = 0; i < 100 && r == DAL_LOG_AWAY; i++) {
		r = dal_log_append_wait(f->log, &append);
		usleep(10000);
	}
	assert_int_equal(r, 0);
	assert_int_equal(item.place.offset, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, kafka_setup, kafka_teardown)
		TEST(test_open_makes_topics),
		TEST(test_append_and_follow),
		TEST(test_read_to_the_end),
		TEST(test_merged_by_time),
		TEST(test_forms),
		TEST(test_lost_halts),
		TEST(test_lost_skips),
		TEST(test_at),
		TEST(test_refused_properties),
		TEST(test_ask_partitions),
		TEST(test_partitions),
		TEST(test_dedup_places),
		TEST(test_fatal),
		TEST(test_append_refused),
		TEST(test_append_refused_for_good),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
