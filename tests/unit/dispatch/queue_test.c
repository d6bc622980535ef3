/* A function's window: turns by order key, times of retries, and nothing lost in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/dispatch/queue.h"

static int setup(void **own)
{
	static struct dal_dispatch_queue queue;

	dal_dispatch_queue_init(&queue);
	*own = &queue;
	return 0;
}

static int teardown(void **own)
{
	dal_dispatch_queue_deinit(*own);
	return 0;
}

static void add(struct dal_dispatch_queue *queue, uint64_t sequence, const char *order)
{
	dal_dispatch_queue_add(queue, sequence, dal_slice_text(order), 0, (int64_t)sequence * 1000);
}

static uint64_t take(struct dal_dispatch_queue *queue, int64_t now, struct dal_queue_entry **taken)
{
	struct dal_queue_entry *entry = dal_dispatch_queue_take(queue, now);

	if (taken) {
		*taken = entry;
	}
	return entry ? entry->sequence : 0;
}

static void in_order_of_sequence(void **own)
{
	add(*own, 1, NULL);
	add(*own, 2, NULL);
	add(*own, 3, NULL);
	assert_int_equal(take(*own, 1, NULL), 1);
	assert_int_equal(take(*own, 1, NULL), 2);
	assert_int_equal(take(*own, 1, NULL), 3);
	assert_int_equal(take(*own, 1, NULL), 0);
	assert_int_equal(dal_dispatch_queue_size(*own), 3); /* they run */
}

static void one_key_one_at_a_time(void **own)
{
	struct dal_queue_entry *first, *other;

	add(*own, 1, "a");
	add(*own, 2, "a");
	add(*own, 3, "b");
	add(*own, 4, "a");
	assert_int_equal(take(*own, 1, &first), 1);
	assert_int_equal(take(*own, 1, &other), 3);
	assert_int_equal(take(*own, 1, NULL), 0);
	dal_dispatch_queue_done(*own, first);
	assert_int_equal(take(*own, 1, &first), 2);
	assert_int_equal(take(*own, 1, NULL), 0);
	dal_dispatch_queue_done(*own, first);
	assert_int_equal(take(*own, 1, &first), 4);
	dal_dispatch_queue_done(*own, first);
	dal_dispatch_queue_done(*own, other);
	assert_int_equal(dal_dispatch_queue_size(*own), 0);
}

static void a_key_that_is_done_is_forgotten(void **own)
{
	struct dal_queue_entry *entry;

	add(*own, 1, "a");
	assert_int_equal(take(*own, 1, &entry), 1);
	dal_dispatch_queue_done(*own, entry);
	add(*own, 2, "a");
	assert_int_equal(take(*own, 1, NULL), 2);
}

static void a_retry_waits_and_blocks_its_key_alone(void **own)
{
	struct dal_queue_entry *entry;

	add(*own, 1, "a");
	add(*own, 2, "a");
	add(*own, 3, "b");
	assert_int_equal(take(*own, 1, &entry), 1);
	dal_dispatch_queue_return(*own, entry, 500);
	assert_int_equal(dal_dispatch_queue_due_us(*own), 500);
	assert_int_equal(take(*own, 499, NULL), 3);
	assert_int_equal(take(*own, 499, NULL), 0);
	assert_int_equal(take(*own, 500, &entry), 1);
	assert_int_equal(dal_dispatch_queue_due_us(*own), INT64_MAX);
	dal_dispatch_queue_done(*own, entry);
	assert_int_equal(take(*own, 500, NULL), 2);
}

static void retries_by_time(void **own)
{
	struct dal_queue_entry *entries[3];

	for (uint64_t i = 0; i < 3; i++) {
		add(*own, i + 1, NULL);
		take(*own, 1, &entries[i]);
	}
	dal_dispatch_queue_return(*own, entries[0], 300);
	dal_dispatch_queue_return(*own, entries[1], 100);
	dal_dispatch_queue_return(*own, entries[2], 200);
	assert_int_equal(take(*own, 150, NULL), 2);
	assert_int_equal(take(*own, 250, NULL), 3);
	assert_int_equal(take(*own, 350, NULL), 1);
}

static void a_row_that_was_due_before_the_start(void **own)
{
	dal_dispatch_queue_add(*own, 1, dal_slice_text("a"), 900, 7);
	dal_dispatch_queue_add(*own, 2, dal_slice_text("a"), 0, 8);
	assert_int_equal(take(*own, 899, NULL), 0);
	assert_int_equal(dal_dispatch_queue_oldest_us(*own), 7);
	assert_int_equal(take(*own, 900, NULL), 1);
}

/* What is due already waits for an instance: no time to sleep until. */
static void what_is_ripe_has_no_time(void **own)
{
	dal_dispatch_queue_add(*own, 1, dal_slice_text("a"), 900, 7);
	dal_dispatch_queue_add(*own, 2, dal_slice_text("b"), 1900, 7);
	dal_dispatch_queue_ripen(*own, 1000);
	assert_int_equal(dal_dispatch_queue_due_us(*own), 1900);
	assert_int_equal(take(*own, 1000, NULL), 1);
}

static void a_failing_key_leaves_room_for_others(void **own)
{
	for (uint64_t i = 1; i <= 10; i++) {
		add(*own, i, "poisoned");
	}
	assert_true(dal_dispatch_queue_room(*own, 2, 100));
	assert_false(dal_dispatch_queue_room(*own, 2, 9));
	add(*own, 11, "b");
	assert_false(dal_dispatch_queue_room(*own, 2, 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(in_order_of_sequence),
		CASE(one_key_one_at_a_time),
		CASE(a_key_that_is_done_is_forgotten),
		CASE(a_retry_waits_and_blocks_its_key_alone),
		CASE(retries_by_time),
		CASE(a_row_that_was_due_before_the_start),
		CASE(what_is_ripe_has_no_time),
		CASE(a_failing_key_leaves_room_for_others),
	};

	return cmocka_run_group_tests_name("dispatch queue", tests, NULL, NULL);
}
