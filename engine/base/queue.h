/*
 * A bounded queue of pointers between threads: many producers, one consumer.
 *
 * A full queue refuses at once, it never blocks a producer: whoever pushes handles that (a 503,
 * a retry later). The consumer sleeps in `pop`, or watches the descriptor in its own event loop.
 */
#ifndef DAL_BASE_QUEUE_H
#define DAL_BASE_QUEUE_H

#include <stddef.h>
#include <stdint.h>

struct dal_queue;

enum { DAL_QUEUE_FULL = 1, DAL_QUEUE_EMPTY = 2 };

struct dal_queue *dal_queue_new(size_t capacity);
void dal_queue_free(
	struct dal_queue *queue); /* what is still in it stays the caller's; NULL is fine */
/* Any thread. 0 or DAL_QUEUE_FULL. */
int dal_queue_push(struct dal_queue *queue, void *item);
/*
 * The consumer. Waits up to `timeout_us` (0: not at all, <0: for ever). 0 or DAL_QUEUE_EMPTY, which
 * a wake gives too, once all that was queued is taken.
 */
int dal_queue_pop(struct dal_queue *queue, int64_t timeout_us, void **item);
/* Makes a waiting pop return, or the next one if none waits. Any thread. */
void dal_queue_wake(struct dal_queue *queue);
/* The consumer's. Readable while there is something to pop, or a wake. Made at the first call. */
int dal_queue_descriptor(struct dal_queue *queue);
size_t dal_queue_size(struct dal_queue *queue);

#endif
