/* Append and read, one process, one open after the other. */
#include "tests/unit/log/fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/limits.h"
#include "engine/base/memory.h"

static void test_offsets_begin_at_one_without_gaps(void **own)
{
	struct fixture *f = *own;
	fixture_open(f);
	assert_int_equal(log_end(f), 1);
	assert_int_equal(dal_log_lanes(f->log), 1);
	for (uint64_t i = 1; i <= 20; i++) {
		assert_int_equal(append_event(f, "{\"n\":1}"), i);
		assert_int_equal(log_end(f), i + 1);
	}
	assert_int_equal(read_all(f, 1, NULL, 100), 20);
	assert_int_equal(read_all(f, 1, NULL, 1), 20);
	assert_int_equal(read_all(f, 20, NULL, 7), 1);
	assert_int_equal(read_all(f, 21, NULL, 7), 0);
}

static void test_an_empty_log_has_nothing_to_read(void **own)
{
	struct fixture *f = *own;
	struct dal_log_batch batch = {0};
	fixture_open(f);
	struct dal_log_reader *reader = reader_at(f, 1, NULL);
	assert_int_equal(dal_log_read(reader, 10, 10, &batch), DAL_LOG_END);
	assert_int_equal(dal_log_read(reader, 10, 10, &batch), DAL_LOG_END);
	append_event(f, "{}");
	assert_int_equal(dal_log_read(reader, 10, 10, &batch), 0);
	assert_int_equal(batch.count, 1);
	assert_int_equal(dal_log_read(reader, 10, 10, &batch), DAL_LOG_END);
	assert_int_equal(batch.count, 0);
	dal_log_batch_release(&batch);
	dal_log_reader_free(reader);
}

static void test_a_reopened_log_is_the_same(void **own)
{
	struct fixture *f = *own;
	fixture_open(f);
	char *id = dal_slice_dup(dal_log_id(f->log));
	assert_int_equal(strlen(id), 32);
	append_event(f, "{\"first\":true}");
	append_to(f, "system", "{\"second\":true}", "a", NULL);
	for (int i = 0; i < 3; i++) {
		fixture_reopen(f);
		assert_true(dal_slice_is(dal_log_id(f->log), id));
		assert_int_equal(log_end(f), 3 + i);
		append_event(f, "{}");
	}
	char *first = event_at(f, 1);
	char *second = event_at(f, 2);
	assert_string_equal(first, "{\"first\":true}");
	assert_string_equal(second, "{\"second\":true}");
	assert_int_equal(read_all(f, 1, NULL, 10), 5);
	free(first);
	free(second);
	free(id);
}

static void test_two_logs_have_two_ids(void **own)
{
	struct fixture *f = *own;
	fixture_open(f);
	char *id = dal_slice_dup(dal_log_id(f->log));
	char *other = dal_asprintf("%s/other", f->folder);
	fixture_close(f);
	f->options.path = other;
	fixture_open(f);
	assert_false(dal_slice_is(dal_log_id(f->log), id));
	free(other);
	free(id);
}

static void append_large(struct fixture *f, size_t size)
{
	char *event = dal_malloc(size);
	memset(event, 'x', size);
	struct dal_log_item item = {.topic = DAL_SLICE_LITERAL("events"), .event = {event, size}};
	struct dal_log_append append = {.items = &item, .count = 1};
	assert_int_equal(dal_log_append_wait(f->log, &append), 0);
	free(event);
}

/* Around the limit of a block: each event comes back with its size, whatever lies beside it. */
static void test_sizes_around_a_block(void **own)
{
	struct fixture *f = *own;
	const size_t sizes[] = {0,
				1,
				255,
				256,
				257,
				DAL_LIMIT_LOG_BLOCK_BYTES - 1,
				DAL_LIMIT_LOG_BLOCK_BYTES,
				DAL_LIMIT_LOG_BLOCK_BYTES + 1,
				3 * DAL_MIB};
	const size_t count = sizeof(sizes) / sizeof(sizes[0]);
	fixture_open(f);
	for (size_t i = 0; i < count; i++) {
		append_large(f, sizes[i]);
	}
	for (int pass = 0; pass < 2; pass++) {
		struct dal_log_reader *reader = reader_at(f, 1, NULL);
		struct dal_log_batch batch = {0};
		assert_int_equal(dal_log_read(reader, 100, 100 * DAL_MIB, &batch), 0);
		assert_int_equal(batch.count, count);
		for (size_t i = 0; i < count; i++) {
			struct dal_slice event = batch.records[i].event;
			assert_int_equal(event.size, sizes[i]);
			for (size_t k = 0; k < event.size; k += 1000) {
				assert_int_equal(event.data[k], 'x');
			}
		}
		dal_log_batch_release(&batch);
		dal_log_reader_free(reader);
		fixture_reopen(f);
	}
}

static void batch_items(struct dal_log_item *items, size_t count, const char *topic)
{
	for (size_t i = 0; i < count; i++) {
		items[i] = (struct dal_log_item){
			.topic = dal_slice_text(topic),
			.event = DAL_SLICE_LITERAL("{\"specversion\":\"1.0\",\"type\":\"t\"}"),
		};
	}
}

static void test_a_batch_is_in_order_and_cut_into_blocks(void **own)
{
	struct fixture *f = *own;
	const size_t count = 2 * DAL_LIMIT_LOG_BLOCK_EVENTS + 17;
	struct dal_log_item *items = dal_calloc(count, sizeof(*items));
	batch_items(items, count, "events");
	struct dal_log_append append = {.items = items, .count = count};
	fixture_open(f);
	append_event(f, "{}");
	assert_int_equal(dal_log_append_wait(f->log, &append), 0);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(items[i].place.offset, i + 2);
	}
	assert_int_equal(read_all(f, 1, NULL, 1000), count + 1);
	fixture_reopen(f);
	assert_int_equal(read_all(f, 1, NULL, 1000), count + 1);
	assert_int_equal(read_all(f, 4000, NULL, 100000), count + 1 - 3999);
	free(items);
}

static void test_an_empty_append_is_done(void **own)
{
	struct fixture *f = *own;
	struct dal_log_append append = {.count = 0};
	fixture_open(f);
	assert_int_equal(dal_log_append_wait(f->log, &append), 0);
	assert_int_equal(log_end(f), 1);
}

static void test_topics(void **own)
{
	struct fixture *f = *own;
	const struct dal_log_topic topics[] = {{.name = "orders"}, {.name = "stock"}};
	f->options.topics = topics;
	f->options.topic_count = 2;
	fixture_open(f);
	assert_true(dal_log_has_topic(f->log, dal_slice_text("events")));
	assert_true(dal_log_has_topic(f->log, dal_slice_text("system")));
	assert_true(dal_log_has_topic(f->log, dal_slice_text("stock")));
	assert_false(dal_log_has_topic(f->log, dal_slice_text("stocks")));
	assert_false(dal_log_has_topic(f->log, dal_slice_text("")));
	for (int i = 0; i < 30; i++) {
		append_to(f, i % 3 ? "orders" : "stock", "{}", NULL, NULL);
	}
	for (int pass = 0; pass < 2; pass++) {
		assert_int_equal(read_all(f, 1, "orders", 3), 20);
		assert_int_equal(read_all(f, 1, "stock", 3), 10);
		assert_int_equal(read_all(f, 1, "system", 3), 0);
		assert_int_equal(read_all(f, 1, NULL, 3), 30);
		fixture_reopen(f);
	}
	struct dal_log_reader *reader = NULL;
	assert_int_equal(dal_log_reader_new(f->log, 0, NULL, "nothing", &reader), -ENOENT);
}

/* A topic that is no longer declared takes nothing, and what it has is still there. */
static void test_a_topic_that_went(void **own)
{
	struct fixture *f = *own;
	const struct dal_log_topic before[] = {{.name = "old"}};
	const struct dal_log_topic after[] = {{.name = "new"}};
	struct dal_log_item item = {.topic = DAL_SLICE_LITERAL("old"),
				    .event = DAL_SLICE_LITERAL("{}")};
	struct dal_log_append append = {.items = &item, .count = 1};
	f->options.topics = before;
	f->options.topic_count = 1;
	fixture_open(f);
	append_to(f, "old", "{}", NULL, NULL);
	f->options.topics = after;
	fixture_reopen(f);
	assert_false(dal_log_has_topic(f->log, dal_slice_text("old")));
	assert_int_equal(dal_log_append_wait(f->log, &append), -EINVAL);
	append_to(f, "new", "{}", NULL, NULL);
	assert_int_equal(read_all(f, 1, "old", 10), 1);
	assert_int_equal(read_all(f, 1, "new", 10), 1);
}

/* One batch over several topics makes one block that has them all. */
static void test_topics_within_a_block(void **own)
{
	struct fixture *f = *own;
	struct dal_log_item items[30];
	batch_items(items, 30, "events");
	for (size_t i = 0; i < 30; i += 5) {
		items[i].topic = dal_slice_text("system");
	}
	struct dal_log_append append = {.items = items, .count = 30};
	fixture_open(f);
	assert_int_equal(dal_log_append_wait(f->log, &append), 0);
	for (int pass = 0; pass < 2; pass++) {
		assert_int_equal(read_all(f, 1, "system", 100), 6);
		assert_int_equal(read_all(f, 1, "events", 100), 24);
		assert_int_equal(read_all(f, 7, "system", 100), 4);
		fixture_reopen(f);
	}
}

static uint64_t offset_at(struct fixture *f, int64_t time_us)
{
	struct dal_position at = {0};
	assert_int_equal(dal_log_at(f->log, 0, time_us, &at), 0);
	uint64_t next = at.marks[0].next;
	dal_position_deinit(&at);
	return next;
}

static void test_time_search(void **own)
{
	struct fixture *f = *own;
	int64_t times[50];
	fixture_open(f);
	assert_int_equal(offset_at(f, 0), 1);
	assert_int_equal(offset_at(f, INT64_MAX), 1);
	for (size_t i = 0; i < 50; i++) {
		append_event(f, "{}");
	}
	struct dal_log_reader *reader = reader_at(f, 1, NULL);
	struct dal_log_batch batch = {0};
	assert_int_equal(dal_log_read(reader, 50, 1 << 20, &batch), 0);
	for (size_t i = 0; i < 50; i++) {
		times[i] = batch.records[i].appended_us;
		assert_true(i == 0 || times[i] > times[i - 1]);
	}
	dal_log_batch_release(&batch);
	dal_log_reader_free(reader);
	for (int pass = 0; pass < 2; pass++) {
		assert_int_equal(offset_at(f, INT64_MIN), 1);
		for (size_t i = 0; i < 50; i++) {
			assert_int_equal(offset_at(f, times[i]), i + 1);
			assert_int_equal(offset_at(f, times[i] + 1), i + 2);
		}
		fixture_reopen(f);
	}
}

static void test_batch_bytes_are_bounded(void **own)
{
	struct fixture *f = *own;
	struct dal_log_batch batch = {0};
	fixture_open(f);
	for (int i = 0; i < 10; i++) {
		append_event(f, "{\"ten\":10}");
	}
	struct dal_log_reader *reader = reader_at(f, 1, NULL);
	assert_int_equal(dal_log_read(reader, 100, 35, &batch), 0);
	assert_int_equal(batch.count, 3);
	assert_int_equal(batch.bytes, 30);
	assert_int_equal(dal_log_read(reader, 100, 1, &batch), 0);
	assert_int_equal(batch.count, 1);
	struct dal_position position = {0};
	dal_log_reader_position(reader, &position);
	assert_int_equal(position.count, 1);
	assert_int_equal(position.marks[0].next, 5);
	dal_position_deinit(&position);
	dal_log_batch_release(&batch);
	dal_log_reader_free(reader);
}

/* Records outlive their reader and the cache of recent blocks. */
static void test_a_batch_keeps_its_bytes(void **own)
{
	struct fixture *f = *own;
	struct dal_log_batch batch = {0};
	fixture_open(f);
	append_event(f, "{\"kept\":true}");
	struct dal_log_reader *reader = reader_at(f, 1, NULL);
	assert_int_equal(dal_log_read(reader, 10, 100, &batch), 0);
	dal_log_reader_free(reader);
	for (int i = 0; i < 24; i++) {
		append_large(f, DAL_MIB);
	}
	assert_true(dal_slice_is(batch.records[0].event, "{\"kept\":true}"));
	dal_log_batch_release(&batch);
	dal_log_batch_release(&batch);
}

/* A slow reader reads from the store what the ring of recent blocks has dropped, then from the
 * ring, then from the store again as the writer runs ahead of it. */
static void test_a_slow_reader(void **own)
{
	enum { ROUNDS = 4, AHEAD = 24, BEHIND = 20 };
	struct fixture *f = *own;
	struct dal_log_batch batch = {0};
	uint64_t next = 1;
	fixture_open(f);
	struct dal_log_reader *reader = reader_at(f, 1, NULL);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < AHEAD; i++) {
			append_large(f, DAL_MIB);
		}
		for (int i = 0; i < BEHIND; i++) {
			assert_int_equal(dal_log_read(reader, 1, 1, &batch), 0);
			assert_int_equal(batch.count, 1);
			assert_int_equal(batch.records[0].place.offset, next++);
			assert_int_equal(batch.records[0].event.size, DAL_MIB);
		}
	}
	while (dal_log_read(reader, 3, 100 * DAL_MIB, &batch) == 0) {
		assert_int_equal(batch.records[0].place.offset, next);
		next += batch.count;
	}
	assert_int_equal(next, ROUNDS * AHEAD + 1);
	dal_log_batch_release(&batch);
	dal_log_reader_free(reader);
}

static void test_origin(void **own)
{
	struct fixture *f = *own;
	struct dal_log_item item = {.topic = DAL_SLICE_LITERAL("events"),
				    .event = DAL_SLICE_LITERAL("{}")};
	struct dal_log_append append = {.items = &item, .count = 1, .origin = 17};
	fixture_open(f);
	assert_int_equal(dal_log_origin(f->log, 0), 0);
	assert_int_equal(dal_log_append_wait(f->log, &append), 0);
	assert_int_equal(dal_log_origin(f->log, 0), 17);
	append.origin = 0;
	assert_int_equal(dal_log_append_wait(f->log, &append), 0);
	assert_int_equal(dal_log_origin(f->log, 0), 17);
	append.count = 0;
	append.origin = 20;
	assert_int_equal(dal_log_append_wait(f->log, &append), 0);
	fixture_reopen(f);
	assert_int_equal(dal_log_origin(f->log, 0), 20);
	assert_int_equal(log_end(f), 3);
}

static void test_read_only(void **own)
{
	struct fixture *f = *own;
	struct dal_log_item item = {.topic = DAL_SLICE_LITERAL("events"),
				    .event = DAL_SLICE_LITERAL("{}")};
	struct dal_log_append append = {.items = &item, .count = 1};
	const struct dal_log_topic topics[] = {{.name = "orders"}};
	f->options.topics = topics;
	f->options.topic_count = 1;
	fixture_open(f);
	append_to(f, "orders", "{}", NULL, NULL);
	f->options.topics = NULL;
	f->options.topic_count = 0;
	f->options.read_only = true;
	fixture_reopen(f);
	assert_int_equal(read_all(f, 1, NULL, 10), 1);
	assert_int_equal(read_all(f, 1, "orders", 10), 1);
	assert_true(dal_log_has_topic(f->log, dal_slice_text("orders")));
	assert_int_equal(dal_log_append_wait(f->log, &append), -EROFS);
}

static void test_a_folder_without_a_log(void **own)
{
	struct fixture *f = *own;
	struct dal_error error = {0};
	f->options.read_only = true;
	assert_true(dal_log_open(&f->options, &f->log, &error) < 0);
	assert_non_null(strstr(error.text, f->path));
	assert_null(f->log);
}

static void test_bytes_grow(void **own)
{
	struct fixture *f = *own;
	fixture_open(f);
	uint64_t before = dal_log_bytes(f->log);
	char noise[4096];
	FILE *random = fopen("/dev/urandom", "rb");
	assert_int_equal(fread(noise, 1, sizeof(noise), random), sizeof(noise));
	fclose(random);
	struct dal_log_item item = {.topic = DAL_SLICE_LITERAL("events"),
				    .event = {noise, sizeof(noise)}};
	struct dal_log_append append = {.items = &item, .count = 1};
	assert_int_equal(dal_log_append_wait(f->log, &append), 0);
	assert_true(dal_log_bytes(f->log) >= before + sizeof(noise));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_offsets_begin_at_one_without_gaps),
		TEST(test_an_empty_log_has_nothing_to_read),
		TEST(test_a_reopened_log_is_the_same),
		TEST(test_two_logs_have_two_ids),
		TEST(test_sizes_around_a_block),
		TEST(test_a_batch_is_in_order_and_cut_into_blocks),
		TEST(test_an_empty_append_is_done),
		TEST(test_topics),
		TEST(test_a_topic_that_went),
		TEST(test_topics_within_a_block),
		TEST(test_time_search),
		TEST(test_batch_bytes_are_bounded),
		TEST(test_a_batch_keeps_its_bytes),
		TEST(test_a_slow_reader),
		TEST(test_origin),
		TEST(test_read_only),
		TEST(test_a_folder_without_a_log),
		TEST(test_bytes_grow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
