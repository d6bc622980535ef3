/*
 * A lane: one ordered stream of events folded into one state, batch by batch, without threads.
 *
 * `dal_lane_process` evaluates a batch of the log and commits all its effects (entries, rows,
 * settled rows, parked keys, position) in one store batch; nothing is seen outside before that is
 * written. The worker (worker.h) drives a lane on its thread; a replay and the digest tests drive
 * one by hand. A lane without an outbox (`outbox` false) folds and makes no rows: no side effects,
 * by construction. It keeps the ids of completions, so that it ignores late ones, too.
 */
#ifndef DAL_STREAM_LANE_H
#define DAL_STREAM_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/log/log.h"
#include "engine/stream/evaluator.h"
#include "state/outbox.h"
#include "state/state.h"

struct dal_lane;

struct dal_lane_options {
	struct dal_state *state;
	struct dal_log *log; /* NULL: batches come from elsewhere (a replay over HTTP); the state
				is new, and there is no outbox */
	uint16_t number;
	struct dal_rules *rules;
	const struct dal_target *targets; /* outlive the lane */
	size_t target_count;
	const char *app;      /* name: the source of system events */
	size_t cache_entries; /* 0 keeps nothing between batches */
	size_t dedup_entries; /* of repeats, in memory; 0: DAL_LIMIT_DEDUP_ENTRIES */
	bool outbox;
	bool unlimited_time;
	int64_t dedup_us;                     /* the window; 0: DAL_LIMIT_DEDUP_WINDOW_MS */
	const struct dal_view_rights *rights; /* NULL: rules may read all views */
	bool rebuild_changed; /* run --dev: a changed declaration without a raised version is
				 rebuilt, not refused */
	/* Told of the effects of events as they are evaluated (before they are committed); may be
	 * NULL. */
	const struct dal_evaluator_sink *watch;
	void *own;
};

enum { DAL_LANE_REFUSED = 1, DAL_LANE_HALTED = 2 };

/*
 * Opens where the state stands. DAL_LANE_REFUSED, `errors` filled: a projection changed without a
 * raised version; the state stands beyond the log's end.
 */
int dal_lane_new(const struct dal_lane_options *options, struct dal_lane **lane,
		 struct dal_errors *errors);
void dal_lane_free(struct dal_lane *lane);

/* Projections that are new or raised are folded from the log's start up to where the lane stands.
 * What fails there is parked or halts, but is not reported as an event: those events are long past.
 * Calls `progress` (may be NULL) now and then; false from it cancels (-ECANCELED); it goes on at
 * the next call. */
int dal_lane_build(struct dal_lane *lane,
		   bool (*progress)(void *own, const char *projection, uint64_t done, uint64_t end),
		   void *own);

/* Evaluates and commits the whole batch, up to its position. A record that is no event is reported
 * (dalamb.record.refused) and passed; a repeat of one within the window is ignored.
 * DAL_LANE_HALTED: all before the event that halts is committed; dal_lane_halt says which. */
int dal_lane_process(struct dal_lane *lane, const struct dal_log_batch *batch);

struct dal_lane_halt {
	struct dal_place place; /* its topic's text lives as long as the log */
	char declaration[80];   /* empty: the log itself */
	char message[512];
	int64_t since_us;
};

/* The log says that what comes next is gone (DAL_LOG_LOST): the lane stands still from here on. */
void dal_lane_lost(struct dal_lane *lane, const struct dal_place *place,
		   const struct dal_error *why);
const struct dal_lane_halt *dal_lane_halt(const struct dal_lane *lane); /* NULL: it is not halted */

/* --- another generation of rules --- */

/* Of the projections that the state of a lane knows, which would change without a raised version?
 * 0, or DAL_LANE_REFUSED with `errors` filled. Any thread. */
int dal_lane_rules_check(struct dal_state *state, uint16_t lane, const struct dal_rules *rules,
			 struct dal_errors *errors);
/* Drops every version of a projection that these rules do not declare. Any thread, while no lane
 * folds into such. */
int dal_lane_rules_drop(struct dal_state *state, uint16_t lane, const struct dal_rules *rules);

/* Builds the projections that are new or raised in `options`, beside the lane that runs with
 * others, up to about where that stands. A later call, or dal_lane_build after the switch, goes on
 * where it ended. `progress` as of dal_lane_build. DAL_LANE_HALTED: one fails there for good,
 * *halt says which. A thread of its own. */
int dal_lane_build_beside(const struct dal_lane_options *options,
			  bool (*progress)(void *own, const char *projection, uint64_t done,
					   uint64_t end),
			  void *own, struct dal_lane_halt *halt);

struct dal_lane_next;

/* The rules of `options`, ready to run in `lane`, which may run meanwhile. Any thread. What other
 * than rules, targets, rights, watch's own and rebuild_changed differs from the lane's has no
 * effect. 0 or negative. */
int dal_lane_next_new(struct dal_lane *lane, const struct dal_lane_options *options,
		      struct dal_lane_next **next);
void dal_lane_next_free(struct dal_lane_next *next); /* NULL is fine */
/*
 * From here on these rules run; the lane's thread, between two batches. In one write: the name of
 * the generation, projections known and retired. Takes `next`; `*anew`: how many projections were
 * changed and have lost their entries. A lane that halted goes on: read again from its position. To
 * be followed by dal_lane_build. What changed without leave (dal_lane_rules_check) is begun anew.
 */
int dal_lane_switch(struct dal_lane *lane, struct dal_lane_next *next, struct dal_slice generation,
		    size_t *anew);

/* --- what dispatch has to say; it goes into the next commit --- */

void dal_lane_delivered(struct dal_lane *lane, struct dal_slice row_id);
/* A try failed: attempts, due and tries as given. */
void dal_lane_retry(struct dal_lane *lane, struct dal_slice row_id, uint32_t attempts,
		    int64_t due_us, struct dal_slice tries);
/* A row to the log has been appended. */
void dal_lane_appended(struct dal_lane *lane, uint64_t sequence);
/* The reader stands there, and there was no event in between (offsets without events). */
void dal_lane_pass(struct dal_lane *lane, const struct dal_position *position);
/* Commits what has been said, if anything has. */
int dal_lane_commit(struct dal_lane *lane);

/* --- where it stands --- */

/* Behind the last event that is committed; valid until the next call that commits. */
const struct dal_position *dal_lane_position(const struct dal_lane *lane);
uint64_t dal_lane_next(const struct dal_lane *lane);       /* of the embedded log: its one mark's */
int64_t dal_lane_appended_us(const struct dal_lane *lane); /* append time of the last event */
uint64_t dal_lane_sequence(const struct dal_lane *lane);   /* the next row's */
/* Is the log known to hold more than the state has seen once: is this a rebuild (perhaps one that
 * was broken off), or a state set back by a power cut? Then completions of open rows lie ahead. */
bool dal_lane_rebuilding(const struct dal_lane *lane);
uint64_t dal_lane_undelivered(const struct dal_lane *lane); /* rows, those to the log too */
uint64_t dal_lane_dead(const struct dal_lane *lane);        /* dead letters */
uint64_t dal_lane_events(const struct dal_lane *lane);      /* processed since it was opened */
uint64_t dal_lane_refused(const struct dal_lane *lane);     /* of these: no events */
uint64_t dal_lane_repeated(const struct dal_lane *lane);    /* of these: dropped as repeats */
/* Appends a dalamb.outbox.checkpoint's data as JSON. */
int dal_lane_checkpoint(struct dal_lane *lane, struct dal_buffer *data);
/* Records the generation (state/generation.h) that runs from here on. */
void dal_lane_generation(struct dal_lane *lane, struct dal_slice generation);
struct dal_slice dal_lane_generation_get(const struct dal_lane *lane);

#endif
