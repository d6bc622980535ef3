/* Stores that are not what they should be: each is a clear error, at open or at the read. */
#include "tests/unit/log/fixture.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/log/block.h"
#include "engine/log/dedup_record.h"

enum { EVENTS = 5 };

/* Five blocks of one event each, closed. */
static void make_log(struct fixture *f)
{
	fixture_open(f);
	for (int i = 0; i < EVENTS; i++) {
		append_to(f, "events", "{\"some\":\"event\"}", "key", NULL);
		append_event(f, "{\"some\":\"event\"}");
	}
	fixture_close(f);
}

/* Puts a value, or deletes the key if it is NULL. */
static void store_put(struct fixture *f, struct dal_slice key, const struct dal_slice *value)
{
	struct dal_store *store = store_open(f);
	struct dal_store_batch *batch = dal_store_batch_new();
	if (value) {
		dal_store_batch_put(batch, key, *value);
	} else {
		dal_store_batch_delete(batch, key);
	}
	assert_int_equal(dal_store_write(store, batch, true), 0);
	dal_store_batch_free(batch);
	dal_store_close(store);
}

static struct dal_slice block_key(uint64_t first, uint8_t key[DAL_BLOCK_KEY_BYTES])
{
	dal_block_key(first, key);
	return dal_slice(key, DAL_BLOCK_KEY_BYTES);
}

/* Turns one byte of a block over. */
static void damage_block(struct fixture *f, uint64_t first, size_t at)
{
	uint8_t key[DAL_BLOCK_KEY_BYTES];
	struct dal_buffer value = {0};
	struct dal_store *store = store_open(f);
	assert_int_equal(dal_store_get(store, NULL, block_key(first, key), &value), 0);
	dal_store_close(store);
	value.data[at] = (char)~value.data[at];
	struct dal_slice damaged = dal_buffer_slice(&value);
	store_put(f, block_key(first, key), &damaged);
	dal_buffer_deinit(&value);
}

/* What lies before is given, then the error, again and again. */
static void assert_read_fails_at(struct fixture *f, uint64_t offset)
{
	struct dal_log_reader *reader = reader_at(f, 1, NULL);
	struct dal_log_batch batch = {0};
	uint64_t last = 0;
	int r;
	while ((r = dal_log_read(reader, 3, 1000, &batch)) == 0) {
		last = batch.records[batch.count - 1].place.offset;
	}
	assert_int_equal(r, -EBADMSG);
	assert_int_equal(last, offset - 1);
	assert_int_equal(dal_log_read(reader, 3, 1000, &batch), -EBADMSG);
	assert_int_equal(batch.count, 0);
	dal_log_batch_release(&batch);
	dal_log_reader_free(reader);
}

static void test_a_damaged_payload(void **own)
{
	struct fixture *f = *own;
	make_log(f);
	damage_block(f, 3, 64);
	fixture_open(f);
	assert_read_fails_at(f, 3);
	assert_int_equal(read_all(f, 4, NULL, 10), 3);
}

static void test_a_damaged_head(void **own)
{
	struct fixture *f = *own;
	make_log(f);
	damage_block(f, 3, 30);
	fixture_open(f);
	assert_read_fails_at(f, 3);
	struct dal_position at = {0};
	assert_int_equal(dal_log_at(f->log, 0, INT64_MAX, &at), 0);
	assert_int_equal(at.marks[0].next, 7);
	dal_position_deinit(&at);
}

static void test_a_topic_that_nobody_declared(void **own)
{
	struct fixture *f = *own;
	const struct dal_block_item item = {DAL_SLICE_LITERAL("{}"), 77};
	struct dal_compressor *compressor = dal_compressor_new(1);
	struct dal_block *block = dal_block_new(3, 1, &item, 1);
	struct dal_buffer value = {0};
	uint8_t key[DAL_BLOCK_KEY_BYTES];
	make_log(f);
	dal_block_write(block, compressor, &value);
	struct dal_slice bytes = dal_buffer_slice(&value);
	store_put(f, block_key(3, key), &bytes);
	dal_block_unref(block);
	dal_buffer_deinit(&value);
	dal_compressor_free(compressor);
	fixture_open(f);
	assert_read_fails_at(f, 3);
}

static void test_a_missing_block(void **own)
{
	struct fixture *f = *own;
	uint8_t key[DAL_BLOCK_KEY_BYTES];
	make_log(f);
	store_put(f, block_key(4, key), NULL);
	fixture_open(f);
	assert_read_fails_at(f, 4);
}

static void test_a_missing_first_block(void **own)
{
	struct fixture *f = *own;
	uint8_t key[DAL_BLOCK_KEY_BYTES];
	make_log(f);
	store_put(f, block_key(1, key), NULL);
	fixture_open(f);
	assert_read_fails_at(f, 1);
}

static int open_fails(struct fixture *f, const char *says)
{
	struct dal_error error = {0};
	int r = dal_log_open(&f->options, &f->log, &error);
	assert_true(r < 0);
	assert_null(f->log);
	assert_non_null(strstr(error.text, f->path));
	if (!strstr(error.text, says)) {
		fail_msg("\"%s\" does not say \"%s\"", error.text, says);
	}
	return r;
}

static void test_a_damaged_last_block(void **own)
{
	struct fixture *f = *own;
	make_log(f);
	damage_block(f, 6, 20);
	assert_int_equal(open_fails(f, "last block"), -EBADMSG);
}

static void test_a_damaged_dedup_record(void **own)
{
	struct fixture *f = *own;
	struct dal_slice key;
	struct dal_slice value;
	make_log(f);
	struct dal_store *store = store_open(f);
	struct dal_store_iterator *records = dal_store_iterator_new(
		store, NULL, dal_slice_text("D"), dal_slice_text("E"));
	assert_int_equal(dal_store_iterator_next(records, &key, &value), 0);
	char *copy = dal_slice_dup(key);
	key.data = copy;
	dal_store_iterator_free(records);
	dal_store_close(store);
	value = dal_slice_text("DLD1nonsense");
	store_put(f, key, &value);
	free(copy);
	assert_int_equal(open_fails(f, "dedup"), -EBADMSG);
	/* A reader has no use for it. */
	f->options.read_only = true;
	fixture_open(f);
	assert_int_equal(read_all(f, 1, NULL, 10), 6);
}

static void test_an_unknown_format(void **own)
{
	struct fixture *f = *own;
	struct dal_slice version = dal_slice("\0\0\0\2", 4);
	make_log(f);
	store_put(f, dal_slice_text("Mformat"), &version);
	assert_int_equal(open_fails(f, "format 2"), -EPROTONOSUPPORT);
}

static void test_a_store_of_something_else(void **own)
{
	struct fixture *f = *own;
	struct dal_slice value = dal_slice_text("value");
	store_put(f, dal_slice_text("key"), &value);
	assert_true(open_fails(f, "not a log") < 0);
}

static void test_a_damaged_id(void **own)
{
	struct fixture *f = *own;
	struct dal_slice value = dal_slice_text("short");
	make_log(f);
	store_put(f, dal_slice_text("Mid"), &value);
	assert_int_equal(open_fails(f, "id"), -EBADMSG);
	store_put(f, dal_slice_text("Mid"), NULL);
	assert_int_equal(open_fails(f, "id"), -EBADMSG);
}

/* The last group was written under a clock that was an hour ahead: time goes on from there. */
static void test_time_never_goes_back(void **own)
{
	struct fixture *f = *own;
	int64_t ahead_us = dal_clock_now_us() + 3600000000;
	uint8_t key[DAL_DEDUP_KEY_BYTES];
	struct dal_buffer record = {0};
	struct dal_log_batch batch = {0};
	make_log(f);
	dal_dedup_record_key(ahead_us, 0, key);
	dal_dedup_record_write(NULL, 0, NULL, 0, &record);
	struct dal_slice value = dal_buffer_slice(&record);
	store_put(f, dal_slice(key, sizeof(key)), &value);
	dal_buffer_deinit(&record);
	fixture_open(f);
	append_event(f, "{}");
	append_event(f, "{}");
	struct dal_log_reader *reader = reader_at(f, EVENTS + 2, NULL);
	assert_int_equal(dal_log_read(reader, 2, 100, &batch), 0);
	assert_int_equal(batch.count, 2);
	assert_true(batch.records[0].appended_us > ahead_us);
	assert_true(batch.records[1].appended_us > batch.records[0].appended_us);
	dal_log_batch_release(&batch);
	dal_log_reader_free(reader);
}

static void test_only_one_may_write(void **own)
{
	struct fixture *f = *own;
	struct dal_log *first;
	fixture_open(f);
	first = f->log;
	f->log = NULL;
	open_fails(f, "running");
	f->log = first;
}

/* --- a disk that fails --- */

static void note_broken(int error, void *own)
{
	*(int *)own += error < 0 ? 1 : 100;
}

/* In a process of its own, whose files may not grow any more: the next write fails. */
static void fail_writes(struct fixture *f)
{
	int broken = 0;
	static char large[1 << 20];
	struct dal_log_item item = {.topic = DAL_SLICE_LITERAL("events"),
				    .event = {large, sizeof(large)}};
	struct dal_log_append append = {.items = &item, .count = 1};
	FILE *random = fopen("/dev/urandom", "rb");
	if (!random || fread(large, 1, sizeof(large), random) != sizeof(large)) {
		_exit(10);
	}
	f->options.on_broken = note_broken;
	f->options.own = &broken;
	fixture_open(f);
	append_event(f, "{\"before\":true}");
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, 4096});
	if (dal_log_append_wait(f->log, &append) != -EIO || broken != 1) {
		_exit(11);
	}
	if (dal_log_append_wait(f->log, &append) != -EIO || broken != 1) {
		_exit(12);
	}
	bool readable = log_end(f) == 2 && read_all(f, 1, NULL, 10) == 1;
	fixture_close(f);
	_exit(readable ? 0 : 13);
}

static void test_a_failing_write_breaks_the_log(void **own)
{
	struct fixture *f = *own;
	int status = 0;
	pid_t child = fork();
	if (child == 0) {
		fail_writes(f);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	fixture_open(f);
	assert_int_equal(log_end(f), 2);
	assert_int_equal(append_event(f, "{}"), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* first: it forks, and so comes before RocksDB has started threads here */
		TEST(test_a_failing_write_breaks_the_log),
		TEST(test_a_damaged_payload),
		TEST(test_a_damaged_head),
		TEST(test_a_topic_that_nobody_declared),
		TEST(test_a_missing_block),
		TEST(test_a_missing_first_block),
		TEST(test_a_damaged_last_block),
		TEST(test_a_damaged_dedup_record),
		TEST(test_an_unknown_format),
		TEST(test_a_store_of_something_else),
		TEST(test_a_damaged_id),
		TEST(test_time_never_goes_back),
		TEST(test_only_one_may_write),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
