/*
 * kill -9 in mid-append, again and again: what was acknowledged is there, in its place, once.
 *
 * The process that appends is this program once more (exec: RocksDB's threads don't survive a
 * fork). It notes each acknowledged append in a shared file, which needs no sync to outlive a
 * killed process.
 */
#include "tests/unit/log/fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/digest.h"
#include "engine/base/memory.h"

enum { ROUNDS = 20, PRODUCERS = 4, ACKS_MAX = 200000, BATCH_MAX = 40 };

struct ack {
	uint64_t offset; /* 0: not acknowledged */
	uint64_t number; /* what the event says */
};

struct notes {
	_Atomic uint64_t next_number;
	_Atomic uint64_t count;    /* of acknowledged appends */
	struct ack acks[ACKS_MAX]; /* by number */
};

static struct notes *notes_map(const char *folder, bool make)
{
	char *path = dal_asprintf("%s/acks", folder);
	int fd = open(path, O_RDWR | (make ? O_CREAT : 0), 0600);
	DAL_ASSERT(fd >= 0 && (!make || ftruncate(fd, sizeof(struct notes)) == 0));
	struct notes *notes = mmap(NULL, sizeof(*notes), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	DAL_ASSERT(notes != MAP_FAILED);
	close(fd);
	free(path);
	return notes;
}

/* --- the process that is killed --- */

struct child {
	struct dal_log *log;
	struct notes *notes;
};

static void append_some(struct child *child, size_t count)
{
	struct dal_log_item items[BATCH_MAX];
	char texts[BATCH_MAX][32];
	uint64_t first = atomic_fetch_add(&child->notes->next_number, count);
	if (first + count > ACKS_MAX) {
		pause();
	}
	for (size_t i = 0; i < count; i++) {
		int size = snprintf(texts[i], sizeof(texts[i]), "%llu",
				    (unsigned long long)(first + i));
		items[i] = (struct dal_log_item){
			.topic = dal_slice_text(i % 2 ? "events" : "system"),
			.event = {texts[i], (size_t)size},
			.dedup = {texts[i], (size_t)size},
		};
	}
	struct dal_log_append append = {.items = items, .count = count, .origin = first};
	DAL_ASSERT(dal_log_append_wait(child->log, &append) == 0);
	for (size_t i = 0; i < count; i++) {
		child->notes->acks[first + i] = (struct ack){items[i].place.offset, first + i};
	}
	atomic_fetch_add(&child->notes->count, 1);
}

static void *append_for_ever(void *own)
{
	for (;;) {
		uint64_t random = 0;
		dal_random(&random, sizeof(random));
		append_some(own, random % 4 ? 1 : 1 + random / 4 % BATCH_MAX);
	}
	return NULL;
}

static int child_main(const char *folder, const char *path)
{
	struct dal_log_options options = {.path = path, .disk_free_bytes = 1};
	struct child child = {.notes = notes_map(folder, false)};
	struct dal_error error;
	pthread_t thread;
	if (dal_log_open(&options, &child.log, &error) != 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	for (int i = 1; i < PRODUCERS; i++) {
		DAL_ASSERT(pthread_create(&thread, NULL, append_for_ever, &child) == 0);
	}
	append_for_ever(&child);
	return 0;
}

/* --- the test --- */

/* Most rounds die while they append, however long the start takes; some at any moment. */
static void wait_for_work(const struct notes *notes, uint64_t before)
{
	for (int i = 0; i < 60000 && atomic_load(&notes->count) == before; i++) {
		usleep(1000);
	}
}

static void run_and_kill(const struct fixture *f, const struct notes *notes, int round)
{
	uint64_t before = atomic_load(&notes->count);
	uint32_t random = 0;
	int status = 0;
	pid_t child = fork();
	if (child == 0) {
		execl("/proc/self/exe", "crash_test", f->folder, f->path, (char *)NULL);
		_exit(127);
	}
	dal_random(&random, sizeof(random));
	if (round % 4 != 3) {
		wait_for_work(notes, before);
	}
	usleep(random % 50000);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
}

/* What each offset says, from 1; the caller frees it. */
static uint64_t *numbers_read(struct fixture *f, uint64_t end)
{
	uint64_t *numbers = dal_calloc(end, sizeof(*numbers));
	struct dal_log_reader *reader = reader_at(f, 1, NULL);
	struct dal_log_batch batch = {0};
	uint64_t next = 1;
	while (dal_log_read(reader, 1000, 1 << 20, &batch) == 0) {
		for (size_t i = 0; i < batch.count; i++) {
			assert_true(next < end);
			assert_int_equal(batch.records[i].place.offset, next);
			assert_true(dal_slice_to_u64(batch.records[i].event, &numbers[next]));
			next++;
		}
	}
	assert_int_equal(next, end);
	dal_log_batch_release(&batch);
	dal_log_reader_free(reader);
	return numbers;
}

/* Every acknowledged event stands where it was said to, and no event stands twice. */
static size_t check(struct fixture *f, const struct notes *notes)
{
	uint64_t end = log_end(f);
	uint64_t *numbers = numbers_read(f, end);
	bool *seen = dal_calloc(ACKS_MAX, sizeof(*seen));
	size_t acknowledged = 0;
	for (uint64_t offset = 1; offset < end; offset++) {
		assert_true(numbers[offset] < ACKS_MAX);
		assert_false(seen[numbers[offset]]);
		seen[numbers[offset]] = true;
	}
	for (uint64_t i = 0; i < ACKS_MAX; i++) {
		const struct ack *ack = &notes->acks[i];
		if (ack->offset > 0) {
			assert_in_range(ack->offset, 1, end - 1);
			assert_int_equal(numbers[ack->offset], ack->number);
			acknowledged++;
		}
	}
	free(seen);
	free(numbers);
	return acknowledged;
}

/* A producer that didn't hear the answer sends again: the first place is the answer. */
static void check_repeat(struct fixture *f, const struct notes *notes)
{
	for (uint64_t i = ACKS_MAX; i > 0; i--) {
		if (notes->acks[i - 1].offset > 0) {
			char text[32];
			bool repeated = false;
			snprintf(text, sizeof(text), "%llu", (unsigned long long)(i - 1));
			assert_int_equal(append_to(f, "events", text, text, &repeated),
					 notes->acks[i - 1].offset);
			assert_true(repeated);
			return;
		}
	}
	fail_msg("nothing was acknowledged");
}

static void test_kill_in_mid_append(void **own)
{
	struct fixture *f = *own;
	struct notes *notes = notes_map(f->folder, true);
	size_t acknowledged = 0;
	for (int round = 0; round < ROUNDS; round++) {
		run_and_kill(f, notes, round);
		/* Read only first, as a tool would open a dead engine's folder. */
		f->options.read_only = true;
		if (acknowledged > 0) {
			fixture_open(f);
			check(f, notes);
			fixture_close(f);
		}
		f->options.read_only = false;
		fixture_open(f);
		size_t now = check(f, notes);
		assert_true(now >= acknowledged);
		acknowledged = now;
		if (acknowledged > 0) {
			check_repeat(f, notes);
		}
		fixture_close(f);
	}
	assert_true(acknowledged > ROUNDS);
	munmap(notes, sizeof(*notes));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kill_in_mid_append, fixture_setup,
						fixture_teardown),
	};
	return argc == 3 ? child_main(argv[1], argv[2]) : cmocka_run_group_tests(tests, NULL, NULL);
}
