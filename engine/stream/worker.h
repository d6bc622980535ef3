/*
 * The worker: the thread that owns a lane. Reads the log, lets the lane fold, tells whoever waits.
 *
 * It first builds projections that are not there yet, then follows the log. While it catches up
 * with the end that the log had at the start nothing is to be delivered (`caught_up` says when it
 * may be; after a plain restart at the latest ten seconds after the start, in a rebuild never
 * before the end). Too many undelivered
 * rows pause the reading, nothing is dropped. It appends a checkpoint of the outbox when it has
 * caught up, at stop, and every five minutes if anything changed.
 *
 * Threads: new and free by the owner; post, wait, wake and status from any thread; callbacks run
 * on the worker's thread and are short.
 */
#ifndef DAL_STREAM_WORKER_H
#define DAL_STREAM_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/stream/lane.h"

struct dal_worker;

struct dal_worker_options {
	struct dal_lane_options lane;
	uint64_t rows_max;      /* limits.rows; 0: DAL_LIMIT_ROWS */
	const char *generation; /* digest of the rules; NULL: it isn't recorded */
	/* A batch is written; `rows`: there are new rows to deliver. */
	void (*committed)(void *own, bool rows);
	void (*caught_up)(void *own);         /* once: delivery may begin */
	void (*broken)(void *own, int error); /* it stopped: the engine must, too */
	void *own;
};

/* Outcomes of dal_lane_new. */
int dal_worker_new(const struct dal_worker_options *options, struct dal_worker **worker,
		   struct dal_errors *errors);
int dal_worker_start(struct dal_worker *worker);
/* There is more in the log. */
void dal_worker_wake(struct dal_worker *worker);
/* Finishes its batch, commits, writes a checkpoint, ends. */
void dal_worker_stop(struct dal_worker *worker);
void dal_worker_free(struct dal_worker *worker); /* NULL is fine */

/* Before the start: the number of the generation that is to run, which the state then knows. */
void dal_worker_number(struct dal_worker *worker, uint64_t number);

/* --- another generation of rules: by one other thread, a step at a time --- */

/* Rules made ready for this worker's lane; as dal_lane_next_new. */
int dal_worker_next_new(struct dal_worker *worker, const struct dal_lane_options *options,
			struct dal_lane_next **next);
/*
 * Waits until the worker stands still between two batches: all before *at is folded in, nothing
 * behind. DAL_WORKER_BUSY: not yet, ask again or release it. -ECANCELED: it has ended or stops.
 */
enum { DAL_WORKER_BUSY = 1 };
int dal_worker_hold(struct dal_worker *worker, int64_t timeout_us, struct dal_position *at);
/* It goes on. Also if it was never held. */
void dal_worker_release(struct dal_worker *worker);
/* It switches to these rules, which are taken; it is held, and stays so. Returns once their
 * projections are built. -ECANCELED: it has ended, so that isn't so. */
int dal_worker_switch(struct dal_worker *worker, struct dal_lane_next *next,
		      struct dal_slice generation);

/* What dispatch has to say of a row; copied. */
struct dal_worker_note {
	enum { DAL_NOTE_DELIVERED, DAL_NOTE_RETRY, DAL_NOTE_APPENDED } kind;
	struct dal_slice row; /* id: DELIVERED, RETRY */
	uint64_t sequence;    /* APPENDED */
	uint32_t attempts;
	int64_t due_us;
	struct dal_slice tries;
};

/* Waits while very many are not taken yet; never on the worker's own thread. */
void dal_worker_post(struct dal_worker *worker, const struct dal_worker_note *note);

/* Waits for an event to be folded in. The caller keeps it, and the topic's text, until `done`. */
struct dal_worker_waiter {
	struct dal_place place; /* of the event that must be in */
	int64_t deadline_us;    /* monotonic */
	void (*done)(struct dal_worker_waiter *waiter, bool reached);
	void *own;
	struct dal_worker_waiter *next; /* private */
};

void dal_worker_wait(struct dal_worker *worker, struct dal_worker_waiter *waiter);

struct dal_worker_status {
	struct dal_position next, end; /* the next to fold, the lane's end on the log; the caller's:
					  dal_worker_status_deinit */
	int64_t appended_us;           /* of the last event folded in */
	int64_t behind_us;             /* until then it had read all there was; 0: never yet */
	uint64_t events;               /* since the start */
	uint64_t undelivered, dead;    /* rows */
	bool caught_up, paused, building, halted;
	uint64_t generation; /* number of the rules that run, or that it last ran */
	bool new_generation; /* as it was opened, the rules were not those that the state last ran
			      */
	bool rebuilding;     /* it was opened with a state that knew less than the log holds */
	char projection[80]; /* that is being built, and how far */
	uint64_t build_done, build_end; /* offsets */
	struct dal_lane_halt halt;
	uint64_t refused, repeats; /* records, since the start */
};

void dal_worker_status(struct dal_worker *worker, struct dal_worker_status *status);
void dal_worker_status_deinit(struct dal_worker_status *status);
/* Where it stands: as status->next alone, into `next`, which it replaces. Cheap. */
void dal_worker_position(struct dal_worker *worker, struct dal_position *next);
bool dal_worker_building(struct dal_worker *worker);

#endif
