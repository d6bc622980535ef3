/* clang-format off: cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "engine/base/queue.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>

#include "engine/base/clock.h"

enum { PRODUCERS = 4, EACH = 20000 };

static int numbers[PRODUCERS * EACH];

static void keeps_order_and_bound(void **state)
{
	struct dal_queue *queue = dal_queue_new(3);
	void *item;

	(void)state;
	for (int round = 0; round < 5; round++) { /* past the ring's end, too */
		assert_int_equal(dal_queue_push(queue, &numbers[0]), 0);
		assert_int_equal(dal_queue_push(queue, &numbers[1]), 0);
		assert_int_equal(dal_queue_push(queue, &numbers[2]), 0);
		assert_int_equal(dal_queue_push(queue, &numbers[3]), DAL_QUEUE_FULL);
		assert_int_equal(dal_queue_size(queue), 3);
		for (int i = 0; i < 3; i++) {
			assert_int_equal(dal_queue_pop(queue, 0, &item), 0);
			assert_ptr_equal(item, &numbers[i]);
		}
		assert_int_equal(dal_queue_pop(queue, 0, &item), DAL_QUEUE_EMPTY);
		assert_int_equal(dal_queue_push(queue, &numbers[0]), 0);
		assert_int_equal(dal_queue_pop(queue, -1, &item), 0);
	}
	dal_queue_free(queue);
	dal_queue_free(NULL);
}

static void pop_waits_as_long_as_told(void **state)
{
	struct dal_queue *queue = dal_queue_new(1);
	int64_t start = dal_clock_monotonic_us();
	void *item;

	(void)state;
	assert_int_equal(dal_queue_pop(queue, 20000, &item), DAL_QUEUE_EMPTY);
	assert_true(dal_clock_monotonic_us() - start >= 20000);
	dal_queue_free(queue);
}

static void a_wake_is_kept_for_the_next_pop(void **state)
{
	struct dal_queue *queue = dal_queue_new(2);
	void *item;

	(void)state;
	dal_queue_wake(queue);
	assert_int_equal(dal_queue_push(queue, &numbers[0]), 0);
	assert_int_equal(dal_queue_pop(queue, -1, &item), 0); /* what is there comes first */
	assert_int_equal(dal_queue_pop(queue, -1, &item), DAL_QUEUE_EMPTY);
	assert_int_equal(dal_queue_pop(queue, 1000, &item), DAL_QUEUE_EMPTY);
	dal_queue_free(queue);
}

static bool readable(int descriptor)
{
	struct pollfd poller = {.fd = descriptor, .events = POLLIN};

	return poll(&poller, 1, 0) == 1;
}

static void the_descriptor_follows(void **state)
{
	struct dal_queue *queue = dal_queue_new(4);
	void *item;
	int descriptor;

	(void)state;
	assert_int_equal(dal_queue_push(queue, &numbers[0]), 0);
	descriptor = dal_queue_descriptor(queue);
	assert_int_equal(dal_queue_descriptor(queue), descriptor);
	assert_true(readable(descriptor)); /* for what was there before it */
	assert_int_equal(dal_queue_push(queue, &numbers[1]), 0);
	assert_int_equal(dal_queue_pop(queue, 0, &item), 0);
	assert_true(readable(descriptor));
	assert_int_equal(dal_queue_pop(queue, 0, &item), 0);
	assert_false(readable(descriptor));
	dal_queue_wake(queue);
	dal_queue_wake(queue);
	assert_true(readable(descriptor));
	assert_int_equal(dal_queue_pop(queue, 0, &item), DAL_QUEUE_EMPTY);
	assert_false(readable(descriptor));
	dal_queue_free(queue);
}

struct producer {
	struct dal_queue *queue;
	int *first;
};

static void *produce(void *argument)
{
	struct producer *producer = argument;

	for (int i = 0; i < EACH; i++) {
		producer->first[i] = i;
		while (dal_queue_push(producer->queue, &producer->first[i]) == DAL_QUEUE_FULL) {
			struct timespec pause = {0, 10000};

			nanosleep(&pause, NULL);
		}
	}
	return NULL;
}

/* How the consumer waits: in pop, or on the descriptor. */
static void take(struct dal_queue *queue, bool by_descriptor, void **item)
{
	if (by_descriptor) {
		struct pollfd poller = {.fd = dal_queue_descriptor(queue), .events = POLLIN};

		while (dal_queue_pop(queue, 0, item) != 0) {
			assert_true(poll(&poller, 1, 10000) == 1);
		}
	} else {
		assert_int_equal(dal_queue_pop(queue, 10000000, item), 0);
	}
}

static void many_producers(bool by_descriptor)
{
	struct dal_queue *queue = dal_queue_new(64);
	struct producer producers[PRODUCERS];
	pthread_t threads[PRODUCERS];
	int next[PRODUCERS] = {0};

	for (int i = 0; i < PRODUCERS; i++) {
		producers[i] = (struct producer){queue, &numbers[i * EACH]};
		assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
	}
	for (int i = 0; i < PRODUCERS * EACH; i++) {
		void *item;
		int which;

		take(queue, by_descriptor, &item);
		which = (int)((int *)item - numbers) / EACH;
		assert_int_equal(*(int *)item, next[which]); /* each producer's in its order */
		next[which]++;
	}
	for (int i = 0; i < PRODUCERS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(next[i], EACH);
	}
	assert_int_equal(dal_queue_size(queue), 0);
	dal_queue_free(queue);
}

static void many_producers_and_a_sleeper(void **state)
{
	(void)state;
	many_producers(false);
}

static void many_producers_and_a_poller(void **state)
{
	(void)state;
	many_producers(true);
}

static void *wake_later(void *queue)
{
	struct timespec pause = {0, 5000000};

	nanosleep(&pause, NULL);
	dal_queue_wake(queue);
	return NULL;
}

static void a_wake_ends_a_wait(void **state)
{
	struct dal_queue *queue = dal_queue_new(1);
	pthread_t thread;
	void *item;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, wake_later, queue), 0);
	assert_int_equal(dal_queue_pop(queue, -1, &item), DAL_QUEUE_EMPTY);
	assert_int_equal(pthread_join(thread, NULL), 0);
	dal_queue_free(queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_order_and_bound),
		cmocka_unit_test(pop_waits_as_long_as_told),
		cmocka_unit_test(a_wake_is_kept_for_the_next_pop),
		cmocka_unit_test(a_wake_ends_a_wait),
		cmocka_unit_test(the_descriptor_follows),
		cmocka_unit_test(many_producers_and_a_sleeper),
		cmocka_unit_test(many_producers_and_a_poller),
	};

	return cmocka_run_group_tests_name("base/queue", tests, NULL, NULL);
}
