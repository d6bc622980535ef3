/* The log on a real broker: what others write, and who else is in the group. */
#include "tests/unit/log/kafka_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/log/kafka_instance.h"

#define EVENT(id) "{\"specversion\":\"1.0\",\"id\":\"" id "\",\"source\":\"/s\",\"type\":\"t\"}"

static rd_kafka_t *transactional(struct kafka_fixture *f)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *producer;
	char why[256];

	rd_kafka_conf_set(conf, "bootstrap.servers", f->brokers, why, sizeof(why));
	rd_kafka_conf_set(conf, "transactional.id", f->app, why, sizeof(why));
	producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	assert_non_null(producer);
	assert_null(rd_kafka_init_transactions(producer, 10000));
	return producer;
}

static void transact(rd_kafka_t *producer, const char *topic, int count, bool commit)
{
	assert_null(rd_kafka_begin_transaction(producer));
	for (int i = 0; i < count; i++) {
		assert_int_equal(rd_kafka_producev(
					 producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
					 RD_KAFKA_V_VALUE((void *)(commit ? "1" : "0"), 1),
					 RD_KAFKA_V_END),
				 0);
	}
	assert_int_equal(rd_kafka_flush(producer, 10000), 0);
	assert_null(commit ? rd_kafka_commit_transaction(producer, 10000)
			   : rd_kafka_abort_transaction(producer, 10000));
}

static void test_transactions(void **own)
{
	WITH_BROKER(f);
	const char *orders = kafka_topic(f, "orders", 1, NULL, NULL);
	rd_kafka_t *producer = transactional(f);
	struct dal_position end = {0};

	transact(producer, orders, 3, true);
	transact(producer, orders, 2, false);
	transact(producer, orders, 1, true);
	transact(producer, orders, 2, false);
	rd_kafka_destroy(producer);
	kafka_open(f);
	kafka_await_ours(f);
	assert_int_equal(dal_log_follow(f->log, 0, NULL, &f->reader), 0);
	for (int i = 0; i < 4; i++) {
		const struct dal_log_record *record = kafka_next(f);
		assert_non_null(record);
		assert_int_equal(record->place.offset, i < 3 ? i : 7);
		assert_non_null(strstr(kafka_text(record), "\"data\":1}"));
	}
	/* Behind the last there are markers and what was aborted: it gets past them. */
	dal_log_end(f->log, 0, &end);
	for (int i = 0; i < 2000 && !dal_position_reached(&f->batch.position, &end); i++) {
		assert_int_equal(dal_log_read(f->reader, 1, 100, &f->batch), DAL_LOG_END);
		usleep(1000);
	}
	assert_int_equal(dal_position_next(&f->batch.position, dal_slice_text(orders), 0), 12);
	assert_true(dal_position_reached(&f->batch.position, &end));
	dal_log_reader_free(f->reader);
	assert_int_equal(dal_log_reader_new(f->log, 0, NULL, orders, &f->reader), 0);
	assert_int_equal(dal_log_read(f->reader, 100, 1000000, &f->batch), 0);
	assert_int_equal(f->batch.count, 4);
	assert_int_equal(dal_log_read(f->reader, 100, 1000000, &f->batch), DAL_LOG_END);
	assert_true(dal_position_reached(&f->batch.position, &end) ||
		    dal_position_next(&f->batch.position, dal_slice_text(orders), 0) == 12);
	dal_position_deinit(&end);
}

static void test_large(void **own)
{
	WITH_BROKER(f);
	const char *orders = kafka_topic(f, "orders", 2, NULL, NULL);
	size_t size = 20 * DAL_MIB;
	char *text = dal_malloc(size);
	const struct dal_log_record *record;

	memset(text, 'x', size);
	text[0] = text[size - 1] = '"';
	kafka_put_bytes(f, orders, 1, dal_slice(text, size), NULL);
	kafka_put(f, orders, 1, NULL, "1", NULL);
	kafka_flush(f);
	kafka_open(f);
	assert_int_equal(dal_log_reader_new(f->log, 1, NULL, orders, &f->reader), 0);
	record = kafka_next(f);
	assert_non_null(record);
	assert_true(record->event.size > size);
	assert_non_null(strstr(kafka_next_event(f), "\"data\":1}"));
	free(text);
}

static void test_large_append(void **own)
{
	WITH_BROKER(f);
	size_t size = 25 * 1000 * 1000;
	char *text = dal_malloc(size + 1);
	char *event;

	memset(text, 'x', size);
	text[size] = '\0';
	event = dal_asprintf("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":"
			     "\"t\",\"data\":\"%s\"}",
			     text);
	kafka_open(f);
	kafka_append(f, event, NULL);
	assert_int_equal(dal_log_reader_new(f->log, 0, NULL, "events", &f->reader), 0);
	assert_int_equal(kafka_next(f)->event.size, strlen(event));
	free(event);
	free(text);
}

/* --- the group --- */

static int64_t committed(struct kafka_fixture *f, const char *topic)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_t *consumer;
	int64_t offset;
	char why[256];

	rd_kafka_conf_set(conf, "bootstrap.servers", f->brokers, why, sizeof(why));
	rd_kafka_conf_set(conf, "group.id", f->app, why, sizeof(why));
	consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
	rd_kafka_topic_partition_list_add(list, topic, 0);
	assert_int_equal(rd_kafka_committed(consumer, list, 10000), 0);
	offset = list->elems[0].offset;
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_destroy(consumer);
	return offset;
}

static void test_committed(void **own)
{
	WITH_BROKER(f);
	char *topic = dal_asprintf("%s.events", f->app);

	kafka_open(f);
	kafka_await_ours(f);
	for (int i = 0; i < 3; i++) {
		kafka_append(f, EVENT("1"), NULL);
	}
	assert_int_equal(dal_log_follow(f->log, 0, NULL, &f->reader), 0);
	for (int i = 0; i < 3; i++) {
		assert_non_null(kafka_next(f));
		dal_log_committed(f->log, 0, &f->batch.position);
	}
	kafka_close(f); /* what was not sent yet is */
	assert_int_equal(committed(f, topic), 3);
	free(topic);
}

static rd_kafka_t *join(struct kafka_fixture *f, const char *topic)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_t *consumer;
	char why[256];

	rd_kafka_conf_set(conf, "bootstrap.servers", f->brokers, why, sizeof(why));
	rd_kafka_conf_set(conf, "group.id", f->app, why, sizeof(why));
	rd_kafka_conf_set(conf, "client.id", "intruder", why, sizeof(why));
	consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
	rd_kafka_poll_set_consumer(consumer);
	rd_kafka_topic_partition_list_add(list, topic, RD_KAFKA_PARTITION_UA);
	assert_int_equal(rd_kafka_subscribe(consumer, list), 0);
	rd_kafka_topic_partition_list_destroy(list);
	return consumer;
}

static void poll_other(rd_kafka_t *consumer)
{
	rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 20);

	if (message) {
		rd_kafka_message_destroy(message);
	}
}

static void test_paused(void **own)
{
	WITH_BROKER(f);
	const char *orders = kafka_topic(f, "orders", 4, NULL, NULL);
	struct dal_log_status status = {0};
	rd_kafka_t *intruder;

	kafka_open(f);
	kafka_await_ours(f);
	assert_int_equal(dal_log_follow(f->log, 0, NULL, &f->reader), 0);
	intruder = join(f, orders);
	for (int i = 0; i < 500 && !strstr(status.obstacle, "intruder"); i++) {
		poll_other(intruder);
		dal_log_status(f->log, &status);
	}
	assert_true(status.paused);
	assert_non_null(strstr(status.obstacle, "client id intruder"));
	kafka_put(f, orders, 0, NULL, "1", NULL);
	kafka_flush(f);
	for (int i = 0; i < 20; i++) {
		poll_other(intruder);
		assert_int_equal(dal_log_read(f->reader, 1, 100, &f->batch), DAL_LOG_END);
	}
	rd_kafka_consumer_close(intruder);
	rd_kafka_destroy(intruder);
	kafka_await_ours(f);
	assert_non_null(kafka_next(f));
}

static void test_another_member(void **own)
{
	WITH_BROKER(f);
	const struct dal_log_property session = {"session.timeout.ms", "6000"};
	struct dal_log *first;
	struct dal_error error = {0};
	char *folder = dal_asprintf("%s/b", f->folder);

	kafka_open(f);
	kafka_await_ours(f);
	first = f->log;
	assert_int_equal(mkdir(folder, 0700), 0);
	f->options.kafka.properties = &session; /* as long as one that may be dead is waited for */
	f->options.kafka.property_count = 1;
	f->options.kafka.data = folder;
	f->log = NULL;
	assert_int_equal(dal_log_open(&f->options, &f->log, &error), -EBUSY);
	assert_non_null(strstr(error.text, "another live member"));
	assert_non_null(strstr(error.text, "dalamb-"));
	f->log = first;
	free(folder);
}

static void grow(struct kafka_fixture *f, const char *topic, size_t partitions)
{
	char why[256];
	rd_kafka_queue_t *queue = rd_kafka_queue_new(f->other);
	rd_kafka_NewPartitions_t *order = rd_kafka_NewPartitions_new(topic, partitions, why,
								     sizeof(why));
	rd_kafka_event_t *event;

	rd_kafka_CreatePartitions(f->other, &order, 1, NULL, queue);
	event = rd_kafka_queue_poll(queue, 10000);
	assert_non_null(event);
	rd_kafka_event_destroy(event);
	rd_kafka_NewPartitions_destroy(order);
	rd_kafka_queue_destroy(queue);
}

static void test_grown(void **own)
{
	WITH_BROKER(f);
	const struct dal_log_property often = {.name = "topic.metadata.refresh.interval.ms",
					       .value = "500"};
	const char *orders = kafka_topic(f, "orders", 2, NULL, NULL);
	struct dal_log_status status = {0};

	f->options.kafka.properties = &often;
	f->options.kafka.property_count = 1;
	kafka_open(f);
	kafka_await_ours(f);
	grow(f, orders, 3);
	for (int i = 0; i < 10000 && !strstr(status.obstacle, "more than its 2 partitions"); i++) {
		dal_log_status(f->log, &status);
		usleep(1000);
	}
	assert_true(status.paused);
	assert_non_null(strstr(status.obstacle, "more than its 2 partitions"));
}

static void test_made_again(void **own)
{
	WITH_BROKER(f);
	const char *orders = kafka_topic(f, "orders", 1, NULL, NULL);
	struct dal_place place;
	struct dal_error why;
	int r = DAL_LOG_END;

	for (int i = 0; i < 5; i++) {
		kafka_put(f, orders, 0, NULL, "1", NULL);
	}
	kafka_flush(f);
	kafka_open(f);
	kafka_await_ours(f);
	assert_int_equal(dal_log_follow(f->log, 0, NULL, &f->reader), 0);
	for (int i = 0; i < 5; i++) {
		assert_non_null(kafka_next(f));
	}
	kafka_make_again(f, orders, 1);
	for (int i = 0; i < 15000 && r == DAL_LOG_END; i++) {
		r = dal_log_read(f->reader, 1, 100, &f->batch);
		usleep(1000);
	}
	assert_int_equal(r, DAL_LOG_LOST);
	dal_log_reader_lost(f->reader, &place, &why);
	assert_int_equal(place.offset, 5);
	assert_non_null(strstr(why.text, "ends at offset 0, before 5"));
}

/* Those outside have a bound, the engine has none. */
static void test_browsing_is_bounded(void **own)
{
	WITH_BROKER(f);
	struct dal_log_reader *readers[8], *engines, *more = NULL;

	kafka_open(f);
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(dal_log_browse(f->log, DAL_LOG_ALL_LANES, NULL, NULL, &readers[i]),
				 0);
	}
	assert_int_equal(dal_log_browse(f->log, DAL_LOG_ALL_LANES, NULL, NULL, &more), -EBUSY);
	assert_null(more);
	assert_int_equal(dal_log_reader_new(f->log, 0, NULL, NULL, &engines), 0);
	dal_log_reader_free(engines);
	assert_int_equal(dal_log_follow(f->log, 0, NULL, &f->reader), 0);
	dal_log_reader_free(readers[0]);
	assert_int_equal(dal_log_browse(f->log, DAL_LOG_ALL_LANES, NULL, NULL, &readers[0]), 0);
	for (size_t i = 0; i < 8; i++) {
		dal_log_reader_free(readers[i]);
	}
}

static void test_the_same_app_is_not_sent_to_another_group(void **own)
{
	(void)own;
	assert_null(strstr(dal_kafka_others_remedy("shop",
						   "client id dalamb-shop, host /h, instance id i"),
			   "log.group"));
	assert_non_null(strstr(
		dal_kafka_others_remedy("shop", "client id dalamb-shop2, host /h, instance id i"),
		"log.group"));
	assert_non_null(strstr(
		dal_kafka_others_remedy("shop", "client id rdkafka, host /h, instance id none"),
		"log.group"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, kafka_setup, kafka_teardown)
		TEST(test_transactions),
		TEST(test_large),
		TEST(test_large_append),
		TEST(test_committed),
		TEST(test_paused),
		TEST(test_another_member),
		TEST(test_made_again),
		TEST(test_grown),
		TEST(test_browsing_is_bounded),
		TEST(test_the_same_app_is_not_sent_to_another_group),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
