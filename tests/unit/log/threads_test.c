/* Many producers, readers that follow them, and the ways in which the log says no. */
#include "tests/unit/log/fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"

enum { PRODUCERS = 8, EACH = 300, READERS = 3 };

struct producer {
	struct fixture *f;
	int number;
	uint64_t offsets[EACH];
};

static void *produce(void *own)
{
	struct producer *p = own;
	for (int i = 0; i < EACH; i++) {
		char event[64];
		int size = snprintf(event, sizeof(event), "%d %d", p->number, i);
		struct dal_log_item item = {.topic = DAL_SLICE_LITERAL("events"),
					    .event = {event, (size_t)size},
					    .dedup = {event, (size_t)size}};
		struct dal_log_append append = {.items = &item, .count = 1};
		DAL_ASSERT(dal_log_append_wait(p->f->log, &append) == 0);
		p->offsets[i] = item.place.offset;
	}
	return NULL;
}

/* Follows from the start until it has seen all; each producer's events are in its order. */
static void *follow(void *own)
{
	struct fixture *f = own;
	struct dal_log_reader *reader = NULL;
	struct dal_log_batch batch = {0};
	uint64_t next[PRODUCERS] = {0};
	uint64_t last = 0;
	DAL_ASSERT(dal_log_reader_new(f->log, 0, NULL, NULL, &reader) == 0);
	while (last < PRODUCERS * EACH) {
		int r = dal_log_read(reader, 50, 1 << 16, &batch);
		DAL_ASSERT(r == 0 || r == DAL_LOG_END);
		for (size_t i = 0; i < batch.count; i++) {
			struct dal_slice head;
			struct dal_slice tail;
			uint64_t producer = 0;
			uint64_t n = 0;
			DAL_ASSERT(dal_slice_cut(batch.records[i].event, ' ', &head, &tail) &&
				   dal_slice_to_u64(head, &producer) && producer < PRODUCERS &&
				   dal_slice_to_u64(tail, &n));
			DAL_ASSERT(next[producer]++ == n);
			DAL_ASSERT(batch.records[i].place.offset == ++last);
		}
	}
	dal_log_batch_release(&batch);
	dal_log_reader_free(reader);
	return NULL;
}

static void count_advance(void *own)
{
	atomic_fetch_add((_Atomic int *)own, 1);
}

static void test_producers_and_followers(void **own)
{
	struct fixture *f = *own;
	static struct producer producers[PRODUCERS];
	pthread_t threads[PRODUCERS + READERS];
	_Atomic int advances = 0;
	bool seen[PRODUCERS * EACH + 1] = {false};
	f->options.on_advance = count_advance;
	f->options.own = &advances;
	fixture_open(f);
	for (int i = 0; i < READERS; i++) {
		assert_int_equal(pthread_create(&threads[PRODUCERS + i], NULL, follow, f), 0);
	}
	for (int i = 0; i < PRODUCERS; i++) {
		producers[i] = (struct producer){.f = f, .number = i};
		assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
	}
	for (int i = 0; i < PRODUCERS + READERS; i++) {
		pthread_join(threads[i], NULL);
	}
	for (int i = 0; i < PRODUCERS; i++) {
		for (int k = 0; k < EACH; k++) {
			uint64_t offset = producers[i].offsets[k];
			assert_in_range(offset, 1, PRODUCERS * EACH);
			assert_false(seen[offset]);
			seen[offset] = true;
		}
	}
	fixture_reopen(f);
	assert_in_range(atomic_load(&advances), 1, PRODUCERS * EACH);
	assert_int_equal(read_all(f, 1, NULL, 1000), PRODUCERS * EACH);
}

/* --- full --- */

enum { LARGE = 200 };

struct gate {
	pthread_mutex_t lock;
	int done, failed;
};

static void pass_gate(struct dal_log_append *append, int result)
{
	struct gate *gate = append->own;
	pthread_mutex_lock(&gate->lock);
	gate->done++;
	gate->failed += result != 0;
	pthread_mutex_unlock(&gate->lock);
}

/* The writer stands in `done` while the gate is shut, so appends gather until they are refused. */
static void test_full(void **own)
{
	struct fixture *f = *own;
	static struct dal_log_append appends[LARGE];
	static struct dal_log_item items[LARGE];
	struct gate gate = {.lock = PTHREAD_MUTEX_INITIALIZER};
	char *event = dal_calloc(1, DAL_MIB);
	int accepted = 0;
	int urgent = 0;
	fixture_open(f);
	pthread_mutex_lock(&gate.lock);
	for (int i = 0; i < LARGE; i++) {
		items[i] = (struct dal_log_item){.topic = DAL_SLICE_LITERAL("events"),
						 .event = {event, DAL_MIB}};
		appends[i] = (struct dal_log_append){.items = &items[i],
						     .count = 1,
						     .urgent = i >= LARGE / 2,
						     .done = pass_gate,
						     .own = &gate};
		int r = dal_log_append(f->log, &appends[i]);
		assert_true(r == 0 || r == DAL_LOG_FULL);
		accepted += r == 0;
		urgent += r == 0 && appends[i].urgent;
	}
	pthread_mutex_unlock(&gate.lock);
	/* The first group or two were taken before the gate held the writer. */
	assert_in_range(accepted - urgent, 60, 80);
	assert_in_range(urgent, 10, 30);
	fixture_close(f);
	assert_int_equal(gate.done, accepted);
	assert_int_equal(gate.failed, 0);
	fixture_open(f);
	assert_int_equal(log_end(f), accepted + 1);
	free(event);
}

static int append_urgent(struct fixture *f, bool urgent)
{
	struct dal_log_item item = {.topic = DAL_SLICE_LITERAL("events"),
				    .event = DAL_SLICE_LITERAL("{}")};
	struct dal_log_append append = {.items = &item, .count = 1, .urgent = urgent};
	return dal_log_append_wait(f->log, &append);
}

static void test_disk_mark(void **own)
{
	struct fixture *f = *own;
	uint64_t free_bytes = 0;
	struct dal_log_room room;
	assert_int_equal(dal_disk_free_bytes(f->folder, &free_bytes), 0);
	f->options.disk_free_bytes = free_bytes * 4;
	fixture_open(f);
	assert_int_equal(append_urgent(f, false), DAL_LOG_DISK);
	assert_false(dal_log_has_room(f->log, &room));
	assert_int_equal(room.mark_bytes, free_bytes * 4);
	assert_in_range(room.free_bytes, 1, room.mark_bytes);
	assert_int_equal(append_urgent(f, true), 0);
	f->options.disk_free_bytes = free_bytes * 16;
	fixture_reopen(f);
	assert_int_equal(append_urgent(f, false), DAL_LOG_DISK);
	assert_int_equal(append_urgent(f, true), DAL_LOG_DISK);
	f->options.disk_free_bytes = 1;
	fixture_reopen(f);
	assert_true(dal_log_has_room(f->log, &room));
	assert_int_equal(append_urgent(f, false), 0);
	assert_int_equal(log_end(f), 3);
}

static void test_bad_appends(void **own)
{
	struct fixture *f = *own;
	struct dal_log_item item = {.topic = DAL_SLICE_LITERAL("nowhere"),
				    .event = DAL_SLICE_LITERAL("{}")};
	struct dal_log_append append = {.items = &item, .count = 1};
	fixture_open(f);
	assert_int_equal(dal_log_append_wait(f->log, &append), -EINVAL);
	item.topic = dal_slice_text("events");
	item.event.size = DAL_LIMIT_JSON_BYTES + 1;
	assert_int_equal(dal_log_append_wait(f->log, &append), DAL_LOG_TOO_LARGE);
	assert_non_null(item.refused);
	assert_int_equal(log_end(f), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_producers_and_followers),
		TEST(test_full),
		TEST(test_disk_mark),
		TEST(test_bad_appends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
