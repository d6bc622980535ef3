/*
 * A disk that takes no more: the write that fails is the last, reads go on, the store can be
 * closed, and the next start has all that was acknowledged.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/state/fixture.h"

enum { VALUE_BYTES = 64 * 1024, MOST = 1000, REFUSED = 254 };

/* In a child, whose status names the line. */
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			_exit(__LINE__);                                                           \
		}                                                                                  \
	} while (0)

static struct dal_slice key_of(int i, char key[8])
{
	(void)snprintf(key, 8, "%04d", i);
	return dal_slice(key, 4);
}

static int write_one(struct dal_store *store, int i)
{
	static char value[VALUE_BYTES];
	struct dal_store_batch *batch = dal_store_batch_new();
	unsigned seed = (unsigned)i;
	char key[8];
	int r;

	for (size_t k = 0; k < sizeof(value); k++) { /* nothing that can be compressed */
		seed = seed * 1103515245 + 12345;
		value[k] = (char)(seed >> 16);
	}
	dal_store_batch_put(batch, key_of(i, key), dal_slice(value, sizeof(value)));
	r = dal_store_write(store, batch, true);
	dal_store_batch_free(batch);
	return r;
}

static int count(struct dal_store *store)
{
	struct dal_store_iterator *iterator = dal_store_iterator_new(
		store, NULL, dal_slice(NULL, 0), dal_slice(NULL, 0));
	struct dal_slice key, value;
	int found = 0;

	while (dal_store_iterator_next(iterator, &key, &value) == 0) {
		found++;
	}
	dal_store_iterator_free(iterator);
	return found;
}

static struct dal_store *open_at(void *own, enum dal_store_shape shape)
{
	struct dal_store_options options = {.path = fixture_path(own), .shape = shape};
	struct dal_store *store;
	struct dal_error error;

	return dal_store_open(&options, &store, &error) == 0 ? store : NULL;
}

/* Writes until it fails with `expected`, then closes and tells how many were acknowledged. */
static void fill(struct dal_store *store, int expected, int report)
{
	int written = 0, r;

	while ((r = write_one(store, written)) == 0) {
		written++;
		MUST(written < MOST);
	}
	MUST(r == expected);
	MUST(write_one(store, MOST) == -EIO);
	MUST(dal_store_sync(store) == -EIO);
	MUST(count(store) == written);
	dal_store_close(store);
	MUST(write(report, &written, sizeof(written)) == sizeof(written));
}

static int status_of(pid_t child)
{
	int status;

	MUST(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* A file system of 8 MB, seen by this process and its children alone. */
static bool mount_small(const char *path)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", path, "tmpfs", 0, "size=8m") == 0;
}

/* A file that takes part of the room, to be removed. */
static void take_room(const char *path, char filler[300])
{
	static const char zeros[2 * 1024 * 1024];

	(void)snprintf(filler, 300, "%s/filler", path);
	int fd = open(filler, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	MUST(fd >= 0 && write(fd, zeros, sizeof(zeros)) == sizeof(zeros));
	MUST(close(fd) == 0);
}

static void limit_files(void)
{
	struct rlimit limit = {20 * VALUE_BYTES, 20 * VALUE_BYTES};

	(void)signal(SIGXFSZ, SIG_IGN);
	MUST(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

/* The writer is a child of its own: the store that it leaves open must be gone. */
static void fill_and_recover(void *own, enum dal_store_shape shape, bool full)
{
	char filler[300];
	int report[2], written;

	if (full && !mount_small(fixture_path(own))) {
		_exit(REFUSED);
	}
	take_room(fixture_path(own), filler);
	MUST(pipe2(report, O_CLOEXEC) == 0);
	pid_t child = fork();
	if (child == 0) {
		struct dal_store *store = open_at(own, shape);

		MUST(store);
		if (!full) {
			limit_files();
		}
		fill(store, full ? -ENOSPC : -EIO, report[1]);
		_exit(0);
	}
	MUST(status_of(child) == 0);
	MUST(read(report[0], &written, sizeof(written)) == sizeof(written));
	MUST(unlink(filler) == 0);
	struct dal_store *store = open_at(own, shape);
	MUST(store);
	MUST(written > 5 && count(store) == written);
	MUST(write_one(store, written) == 0);
	dal_store_close(store);
	_exit(0);
}

/* In a child: RocksDB's threads would not survive the next test's fork. */
static void try(void *own, enum dal_store_shape shape, bool full)
{
	pid_t child = fork();

	if (child == 0) {
		fill_and_recover(own, shape, full);
	}
	int status = status_of(child);
	if (status == REFUSED) {
		print_message("a tmpfs can't be mounted here\n");
		skip();
	}
	assert_int_equal(status, 0);
}

static void log_that_may_not_grow(void **own)
{
	try(*own, DAL_STORE_LOG, false);
}

static void state_that_may_not_grow(void **own)
{
	try(*own, DAL_STORE_STATE, false);
}

static void log_on_a_full_disk(void **own)
{
	try(*own, DAL_STORE_LOG, true);
}

static void state_on_a_full_disk(void **own)
{
	try(*own, DAL_STORE_STATE, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		CASE(log_on_a_full_disk),
		CASE(state_on_a_full_disk),
		CASE(log_that_may_not_grow),
		CASE(state_that_may_not_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
