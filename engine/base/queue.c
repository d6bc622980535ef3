#include "engine/base/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/memory.h"

struct dal_queue {
	pthread_mutex_t mutex;
	pthread_cond_t filled;
	void **items; /* a ring */
	size_t capacity, first, count;
	bool waiting;   /* the consumer sleeps on `filled` */
	bool woken;     /* a wake that no pop has returned for yet */
	int descriptor; /* an eventfd, readable while count > 0 or woken; -1 until asked for */
};

struct dal_queue *dal_queue_new(size_t capacity)
{
	struct dal_queue *queue = dal_calloc(1, sizeof(*queue));
	pthread_condattr_t attributes;

	DAL_ASSERT(capacity > 0);
	queue->items = dal_calloc(capacity, sizeof(*queue->items));
	queue->capacity = capacity;
	queue->descriptor = -1;
	pthread_mutex_init(&queue->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&queue->filled, &attributes);
	pthread_condattr_destroy(&attributes);
	return queue;
}

void dal_queue_free(struct dal_queue *queue)
{
	if (queue) {
		if (queue->descriptor >= 0) {
			close(queue->descriptor);
		}
		pthread_cond_destroy(&queue->filled);
		pthread_mutex_destroy(&queue->mutex);
		free(queue->items);
		free(queue);
	}
}

/* Something came: tell the consumer, however it waits. Locked. */
static void announce(struct dal_queue *queue)
{
	uint64_t one = 1;

	if (queue->waiting) {
		pthread_cond_signal(&queue->filled);
	}
	if (queue->descriptor >= 0) {
		DAL_ASSERT(write(queue->descriptor, &one, sizeof(one)) == sizeof(one));
	}
}

/* The last thing was taken: the descriptor is no longer readable. Locked. */
static void quieten(struct dal_queue *queue)
{
	uint64_t all;

	if (queue->descriptor >= 0 && queue->count == 0 && !queue->woken) {
		DAL_ASSERT(read(queue->descriptor, &all, sizeof(all)) == sizeof(all) ||
			   errno == EAGAIN);
	}
}

int dal_queue_push(struct dal_queue *queue, void *item)
{
	int result = DAL_QUEUE_FULL;

	pthread_mutex_lock(&queue->mutex);
	if (queue->count < queue->capacity) {
		queue->items[(queue->first + queue->count) % queue->capacity] = item;
		if (queue->count++ == 0) {
			announce(queue);
		}
		result = 0;
	}
	pthread_mutex_unlock(&queue->mutex);
	return result;
}

static struct timespec deadline_in(int64_t timeout_us)
{
	struct timespec deadline;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += timeout_us / 1000000;
	deadline.tv_nsec += timeout_us % 1000000 * 1000;
	if (deadline.tv_nsec >= 1000000000) {
		deadline.tv_sec++;
		deadline.tv_nsec -= 1000000000;
	}
	return deadline;
}

/* Until there is an item, a wake, or no time left. Locked. */
static void await(struct dal_queue *queue, int64_t timeout_us)
{
	struct timespec deadline = deadline_in(timeout_us > 0 ? timeout_us : 0);
	int result = timeout_us ? 0 : ETIMEDOUT;

	while (queue->count == 0 && !queue->woken && result != ETIMEDOUT) {
		queue->waiting = true;
		result = timeout_us < 0
				 ? pthread_cond_wait(&queue->filled, &queue->mutex)
				 : pthread_cond_timedwait(&queue->filled, &queue->mutex, &deadline);
		queue->waiting = false;
	}
}

int dal_queue_pop(struct dal_queue *queue, int64_t timeout_us, void **item)
{
	int result = DAL_QUEUE_EMPTY;

	pthread_mutex_lock(&queue->mutex);
	if (queue->count == 0 && !queue->woken && timeout_us) {
		await(queue, timeout_us);
	}
	if (queue->count > 0) {
		*item = queue->items[queue->first];
		queue->first = (queue->first + 1) % queue->capacity;
		queue->count--;
		result = 0;
	} else {
		queue->woken = false;
	}
	quieten(queue);
	pthread_mutex_unlock(&queue->mutex);
	return result;
}

void dal_queue_wake(struct dal_queue *queue)
{
	pthread_mutex_lock(&queue->mutex);
	queue->woken = true;
	announce(queue);
	pthread_mutex_unlock(&queue->mutex);
}

int dal_queue_descriptor(struct dal_queue *queue)
{
	pthread_mutex_lock(&queue->mutex);
	if (queue->descriptor < 0) {
		queue->descriptor = eventfd(queue->count > 0 || queue->woken,
					    EFD_CLOEXEC | EFD_NONBLOCK);
		DAL_ASSERT(queue->descriptor >= 0);
	}
	pthread_mutex_unlock(&queue->mutex);
	return queue->descriptor;
}

size_t dal_queue_size(struct dal_queue *queue)
{
	size_t count;

	pthread_mutex_lock(&queue->mutex);
	count = queue->count;
	pthread_mutex_unlock(&queue->mutex);
	return count;
}
