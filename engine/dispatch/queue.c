#include "engine/dispatch/queue.h"

#include "engine/base/digest.h"
#include "engine/base/memory.h"

static void list_unlink(struct dal_queue_list *list, struct dal_queue_entry *entry)
{
	*(entry->previous ? &entry->previous->next : &list->first) = entry->next;
	*(entry->next ? &entry->next->previous : &list->last) = entry->previous;
	entry->previous = entry->next = NULL;
	list->count--;
}

/* Behind `after`; NULL: at the front. */
static void list_insert(struct dal_queue_list *list, struct dal_queue_entry *after,
			struct dal_queue_entry *entry)
{
	entry->previous = after;
	entry->next = after ? after->next : list->first;
	*(entry->next ? &entry->next->previous : &list->last) = entry;
	*(after ? &after->next : &list->first) = entry;
	list->count++;
}

/* By time, from the end: later ones mostly come later. */
static void timed_insert(struct dal_dispatch_queue *queue, struct dal_queue_entry *entry)
{
	struct dal_queue_entry *after = queue->timed.last;

	while (after && after->due_us > entry->due_us) {
		after = after->previous;
	}
	list_insert(&queue->timed, after, entry);
}

/* By sequence, from the end, so that a retry does not lose its place for good. */
static void ready_insert(struct dal_dispatch_queue *queue, struct dal_queue_entry *entry)
{
	struct dal_queue_entry *after = queue->ready.last;

	while (after && after->sequence > entry->sequence) {
		after = after->previous;
	}
	list_insert(&queue->ready, after, entry);
}

static void place(struct dal_dispatch_queue *queue, struct dal_queue_entry *entry)
{
	if (entry->due_us > 0) {
		timed_insert(queue, entry);
	} else {
		ready_insert(queue, entry);
	}
}

void dal_dispatch_queue_init(struct dal_dispatch_queue *queue)
{
	*queue = (struct dal_dispatch_queue){.orders = dal_map_new(), .more = true};
}

static void list_free(struct dal_queue_list *list)
{
	struct dal_queue_entry *entry, *next, *successor;

	for (entry = list->first; entry; entry = next) {
		next = entry->next;
		for (; entry; entry = successor) { /* those behind it are in no list */
			successor = entry->successor;
			free(entry);
		}
	}
}

void dal_dispatch_queue_deinit(struct dal_dispatch_queue *queue)
{
	list_free(&queue->ready);
	list_free(&queue->timed);
	list_free(&queue->running);
	dal_map_free(queue->orders);
	*queue = (struct dal_dispatch_queue){0};
}

size_t dal_dispatch_queue_size(const struct dal_dispatch_queue *queue)
{
	return queue->ready.count + queue->timed.count + queue->running.count + queue->blocked;
}

bool dal_dispatch_queue_room(const struct dal_dispatch_queue *queue, size_t window, size_t blocked)
{
	return dal_dispatch_queue_size(queue) - queue->blocked < window && queue->blocked < blocked;
}

static struct dal_slice order_key(const uint64_t *order)
{
	return dal_slice(order, sizeof(*order));
}

void dal_dispatch_queue_add(struct dal_dispatch_queue *queue, uint64_t sequence,
			    struct dal_slice order, int64_t due_us, int64_t caused_us)
{
	struct dal_queue_entry *entry = dal_calloc(1, sizeof(*entry));
	struct dal_queue_entry *last = NULL;

	entry->sequence = sequence;
	entry->due_us = due_us;
	entry->caused_us = caused_us;
	if (order.size > 0) {
		entry->order = dal_hash64(order, 0) | 1; /* keys that collide wait needlessly */
		last = dal_map_set(queue->orders, order_key(&entry->order), entry);
	}
	if (last) {
		last->successor = entry;
		queue->blocked++;
	} else {
		place(queue, entry);
	}
}

void dal_dispatch_queue_ripen(struct dal_dispatch_queue *queue, int64_t now_us)
{
	while (queue->timed.first && queue->timed.first->due_us <= now_us) {
		struct dal_queue_entry *entry = queue->timed.first;
		list_unlink(&queue->timed, entry);
		entry->due_us = 0;
		ready_insert(queue, entry);
	}
}

struct dal_queue_entry *dal_dispatch_queue_take(struct dal_dispatch_queue *queue, int64_t now_us)
{
	struct dal_queue_entry *entry;

	dal_dispatch_queue_ripen(queue, now_us);
	entry = queue->ready.first;
	if (entry) {
		list_unlink(&queue->ready, entry);
		list_insert(&queue->running, queue->running.last, entry);
		entry->running = true;
	}
	return entry;
}

void dal_dispatch_queue_return(struct dal_dispatch_queue *queue, struct dal_queue_entry *entry,
			       int64_t due_us)
{
	list_unlink(&queue->running, entry);
	entry->running = false;
	entry->due_us = due_us;
	place(queue, entry);
}

void dal_dispatch_queue_done(struct dal_dispatch_queue *queue, struct dal_queue_entry *entry)
{
	struct dal_queue_entry *successor = entry->successor;

	list_unlink(&queue->running, entry);
	if (successor) {
		queue->blocked--;
		place(queue, successor);
	} else if (entry->order != 0) {
		dal_map_remove(queue->orders, order_key(&entry->order));
	}
	free(entry);
}

int64_t dal_dispatch_queue_due_us(const struct dal_dispatch_queue *queue)
{
	return queue->timed.first ? queue->timed.first->due_us : INT64_MAX;
}

static int64_t list_oldest_us(const struct dal_queue_list *list, int64_t oldest)
{
	for (const struct dal_queue_entry *entry = list->first; entry; entry = entry->next) {
		oldest = entry->caused_us < oldest ? entry->caused_us : oldest;
	}
	return oldest;
}

int64_t dal_dispatch_queue_oldest_us(const struct dal_dispatch_queue *queue)
{
	int64_t oldest = list_oldest_us(&queue->ready, INT64_MAX);

	oldest = list_oldest_us(&queue->timed, oldest);
	return oldest == INT64_MAX ? 0 : oldest;
}
