/*
 * The window of one function's rows: which may be sent now, which wait for their turn or time.
 *
 * Holds references, not rows. Of the references with the same order key only the first may run.
 * Dispatch's thread, under its lock.
 */
#ifndef DAL_DISPATCH_QUEUE_H
#define DAL_DISPATCH_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/map.h"
#include "engine/base/slice.h"

struct dal_queue_entry {
	uint64_t sequence;
	uint64_t order; /* hash of the order key; 0: none */
	int64_t due_us; /* realtime; 0: now */
	int64_t caused_us;
	bool running;
	struct dal_queue_entry *successor;       /* the next one with the same order key */
	struct dal_queue_entry *previous, *next; /* in the list it is in */
};

struct dal_queue_list {
	struct dal_queue_entry *first, *last;
	size_t count;
};

struct dal_dispatch_queue {
	struct dal_queue_list ready; /* first of their order key, due */
	struct dal_queue_list timed; /* first of their order key, due later; by time */
	struct dal_queue_list running;
	struct dal_map *orders; /* order hash -> the last entry with it */
	size_t blocked;         /* behind another of their order key */
	uint64_t cursor;        /* sequence to scan from */
	bool more;              /* rows may be on disk at the cursor */
};

void dal_dispatch_queue_init(struct dal_dispatch_queue *queue);
void dal_dispatch_queue_deinit(struct dal_dispatch_queue *queue);
size_t dal_dispatch_queue_size(const struct dal_dispatch_queue *queue);
/* Is there room for one more? Rows behind another of their order key have a (larger) room of their
 * own, so that a failing key does not fill the window for the others. */
bool dal_dispatch_queue_room(const struct dal_dispatch_queue *queue, size_t window, size_t blocked);
/* A row that the scan found; rows come in order of sequence. */
void dal_dispatch_queue_add(struct dal_dispatch_queue *queue, uint64_t sequence,
			    struct dal_slice order, int64_t due_us, int64_t caused_us);
/* Those whose time has come are ready. */
void dal_dispatch_queue_ripen(struct dal_dispatch_queue *queue, int64_t now_us);
/* The next that may run now, moved to `running`; NULL: none. */
struct dal_queue_entry *dal_dispatch_queue_take(struct dal_dispatch_queue *queue, int64_t now_us);
/* A running one goes back, to be tried at due_us. */
void dal_dispatch_queue_return(struct dal_dispatch_queue *queue, struct dal_queue_entry *entry,
			       int64_t due_us);
/* A running one is done: its successor may run. Frees it. */
void dal_dispatch_queue_done(struct dal_dispatch_queue *queue, struct dal_queue_entry *entry);
/* When the next one that is not ripe yet is due; INT64_MAX: none. */
int64_t dal_dispatch_queue_due_us(const struct dal_dispatch_queue *queue);
/* Append time of the oldest cause; 0: empty. */
int64_t dal_dispatch_queue_oldest_us(const struct dal_dispatch_queue *queue);

#endif
