/* What the files of the worker share; nobody else includes it. */
#ifndef DAL_STREAM_WORKER_PRIVATE_H
#define DAL_STREAM_WORKER_PRIVATE_H

#include <pthread.h>

#include "engine/stream/worker.h"

struct note;

struct dal_worker {
	struct dal_worker_options options;
	struct dal_lane *lane;
	struct dal_log *log;
	struct dal_log_reader *reader;
	pthread_t thread;
	bool running;

	pthread_mutex_t lock; /* all below, but what only the thread uses */
	pthread_cond_t wake, room;
	bool woken, stopping;
	struct note *notes, **notes_tail;
	size_t note_count;
	struct dal_worker_waiter *waiters;
	struct dal_worker_status status; /* but `end` */
	bool idle;                       /* it has read all that it knows of */

	/* the thread's own */
	struct dal_position start_end; /* the end of the log at the start */
	int64_t started_us;
	int64_t checkpoint_us; /* when the last one was written */
	uint64_t checkpoint_events, checkpoint_sequence;
	int64_t hint_us; /* when the log was last told where the lane stands */

	/* a switch of the rules, under the lock: what is wanted, and what the thread answers */
	pthread_cond_t boundary;
	bool hold, held, ended;
	struct dal_lane_next *next; /* to be switched to, once held */
	struct dal_slice next_generation;
	bool switched;
};

/* worker.c */
int dal_worker_checkpoint(struct dal_worker *worker);
int dal_worker_build(struct dal_worker *worker);
int dal_worker_reader_open(struct dal_worker *worker);

/* worker_switch.c, on the thread: stands still at a batch boundary for as long as somebody wants,
 * and switches if told to. */
int dal_worker_stand(struct dal_worker *worker);
/* The generation that the state names, told to the status. */
void dal_worker_generation_known(struct dal_worker *worker);

#endif
