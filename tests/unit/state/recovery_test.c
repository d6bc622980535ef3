/*
 * What a store is after its WAL was torn or damaged: a torn end is cut by both shapes, damage
 * before it is refused by a log and cuts a state back to what was whole.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/state/fixture.h"

enum { RECORDS = 10, VALUE_BYTES = 50000 /* more than a block */ };

static struct dal_slice key_of(int i, char key[2])
{
	key[0] = (char)('a' + i);
	key[1] = 0;
	return dal_slice(key, 1);
}

/* In a child that dies without a close: RECORDS synced batches, as an engine that is killed. */
static void write_and_die(void *own, enum dal_store_shape shape)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		struct dal_store *store = fixture_store(own, shape);
		struct dal_store_batch *batch = dal_store_batch_new();
		char value[VALUE_BYTES], key[2];

		memset(value, 'v', sizeof(value));
		for (int i = 0; i < RECORDS; i++) {
			dal_store_batch_put(batch, key_of(i, key), dal_slice(value, sizeof(value)));
			if (dal_store_write(store, batch, true) != 0) {
				_exit(1);
			}
		}
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The WAL, open for writing; there is one only. */
static int wal_open(void *own, off_t *size)
{
	DIR *folder = opendir(fixture_path(own));
	struct dirent *entry;
	struct stat st;
	int fd = -1;

	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		const char *dot = strrchr(entry->d_name, '.');

		if (dot && strcmp(dot, ".log") == 0) {
			assert_int_equal(fd, -1);
			fd = openat(dirfd(folder), entry->d_name, O_RDWR | O_CLOEXEC);
		}
	}
	closedir(folder);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(st.st_size > RECORDS * VALUE_BYTES);
	*size = st.st_size;
	return fd;
}

static void wal_cut(void *own, off_t bytes)
{
	off_t size;
	int fd = wal_open(own, &size);

	assert_int_equal(ftruncate(fd, size - bytes), 0);
	close(fd);
}

/* Zeros where data was, as a file system may leave behind a power cut. */
static void wal_zero(void *own, off_t before_end, size_t bytes)
{
	static const char zeros[VALUE_BYTES];
	off_t size;
	int fd = wal_open(own, &size);

	assert_int_equal(pwrite(fd, zeros, bytes, size - before_end), bytes);
	close(fd);
}

static void wal_flip(void *own, off_t before_end)
{
	off_t size;
	int fd = wal_open(own, &size);
	char byte;

	assert_int_equal(pread(fd, &byte, 1, size - before_end), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, size - before_end), 1);
	close(fd);
}

/* The first `count` records are there, and no other. */
static void expect_records(void *own, enum dal_store_shape shape, int count)
{
	struct dal_store *store = fixture_store(own, shape);
	struct dal_buffer value = {0};
	char key[2];

	for (int i = 0; i < RECORDS; i++) {
		assert_int_equal(dal_store_get(store, NULL, key_of(i, key), &value),
				 i < count ? 0 : DAL_STORE_ABSENT);
	}
	assert_int_equal(value.size, count * VALUE_BYTES);
	dal_buffer_deinit(&value);
	dal_store_close(store);
}

static void expect_refused(void *own)
{
	struct dal_store_options options = {.path = fixture_path(own), .shape = DAL_STORE_LOG};
	struct dal_error error = {0};
	struct dal_store *store = NULL;

	assert_int_equal(dal_store_open(&options, &store, &error), -EBADMSG);
	assert_null(store);
	assert_non_null(strstr(error.text, "damaged"));
}

static void test_whole(void **own)
{
	write_and_die(*own, DAL_STORE_LOG);
	expect_records(*own, DAL_STORE_LOG, RECORDS);
	expect_records(*own, DAL_STORE_LOG, RECORDS);
}

static void test_log_cuts_a_torn_end(void **own)
{
	write_and_die(*own, DAL_STORE_LOG);
	wal_cut(*own, 500);
	expect_records(*own, DAL_STORE_LOG, RECORDS - 1);
	expect_records(*own, DAL_STORE_LOG, RECORDS - 1);
}

static void test_log_cuts_a_torn_header(void **own)
{
	write_and_die(*own, DAL_STORE_LOG);
	wal_cut(*own, VALUE_BYTES + 20); /* a few bytes of the last record are left */
	expect_records(*own, DAL_STORE_LOG, RECORDS - 1);
}

static void test_log_refuses_damage_in_the_middle(void **own)
{
	write_and_die(*own, DAL_STORE_LOG);
	wal_flip(*own, 5 * VALUE_BYTES);
	expect_refused(*own);
	expect_refused(*own); /* nothing was thrown away by the first try */
}

static void test_log_refuses_damage_in_the_last_record(void **own)
{
	write_and_die(*own, DAL_STORE_LOG);
	wal_flip(*own, 500); /* it was acknowledged */
	expect_refused(*own);
}

static void test_log_cuts_zeros_at_the_end(void **own)
{
	write_and_die(*own, DAL_STORE_LOG);
	wal_zero(*own, 4096, 4096);
	expect_records(*own, DAL_STORE_LOG, RECORDS - 1);
	expect_records(*own, DAL_STORE_LOG, RECORDS - 1);
}

/* The last pages of a write may be on disk before those in its middle. */
static void test_log_cuts_a_record_with_a_hole(void **own)
{
	write_and_die(*own, DAL_STORE_LOG);
	wal_zero(*own, VALUE_BYTES / 2, 4096);
	expect_records(*own, DAL_STORE_LOG, RECORDS - 1);
}

static void test_log_cuts_a_record_that_is_zeros(void **own)
{
	write_and_die(*own, DAL_STORE_LOG);
	wal_zero(*own, VALUE_BYTES, VALUE_BYTES);
	expect_records(*own, DAL_STORE_LOG, RECORDS - 1);
}

static void test_log_refuses_a_hole_before_whole_records(void **own)
{
	write_and_die(*own, DAL_STORE_LOG);
	wal_zero(*own, 2 * VALUE_BYTES - 1000, VALUE_BYTES / 2); /* in the last but one */
	expect_refused(*own);
	expect_refused(*own);
}

static void test_log_refuses_few_zeros(void **own)
{
	write_and_die(*own, DAL_STORE_LOG);
	wal_zero(*own, 600, 50); /* no file system leaves that */
	expect_refused(*own);
}

static void test_state_cuts_a_torn_end(void **own)
{
	write_and_die(*own, DAL_STORE_STATE);
	wal_cut(*own, 500);
	expect_records(*own, DAL_STORE_STATE, RECORDS - 1);
}

static void test_state_goes_back_to_what_is_whole(void **own)
{
	write_and_die(*own, DAL_STORE_STATE);
	wal_flip(*own, 5 * VALUE_BYTES); /* in the sixth record */
	expect_records(*own, DAL_STORE_STATE, 5);
	expect_records(*own, DAL_STORE_STATE, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		CASE(test_whole),
		CASE(test_log_cuts_a_torn_end),
		CASE(test_log_cuts_a_torn_header),
		CASE(test_log_refuses_damage_in_the_middle),
		CASE(test_log_refuses_damage_in_the_last_record),
		CASE(test_log_cuts_zeros_at_the_end),
		CASE(test_log_cuts_a_record_with_a_hole),
		CASE(test_log_cuts_a_record_that_is_zeros),
		CASE(test_log_refuses_a_hole_before_whole_records),
		CASE(test_log_refuses_few_zeros),
		CASE(test_state_cuts_a_torn_end),
		CASE(test_state_goes_back_to_what_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
