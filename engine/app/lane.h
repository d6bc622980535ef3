/*
 * One lane of a running engine: its worker and its dispatch, joined by their callbacks. What the
 * worker commits wakes the dispatch; what becomes of a row goes back to the worker.
 *
 * Threads: new, start, drain, stop and free by the engine's owner; wake from any thread. The
 * callbacks come on the worker's or the dispatch's thread: be short there.
 */
#ifndef DAL_APP_LANE_H
#define DAL_APP_LANE_H

#include "engine/app/app.h"
#include "engine/app/feeds.h"
#include "engine/app/watch.h"
#include "engine/dispatch/dispatch.h"
#include "engine/stream/worker.h"

struct dal_app_lane;

/* An app, and what the engine made of it for its lanes. */
struct dal_edition {
	struct dal_app *app; /* a reference */
	struct dal_feeds *feeds;
	struct dal_watch_rules *watch;
};

/* Gives back all that an edition holds; no lane runs it. */
void dal_edition_deinit(struct dal_edition *edition);

struct dal_app_lane_options {
	const struct dal_edition *edition; /* that is to run; outlives the lane, or is switched */
	struct dal_log *log;
	struct dal_state *state;
	struct dal_functions *functions;
	struct dal_watch *watch;
	uint16_t number;
	uint16_t lanes; /* how many share the cache's room */
	bool dev;
	void (*folded)(void *own); /* a commit: views changed */
	void (*broken)(void *own, const char *part, int error);
	void *own;
};

/* 0, or outcomes of dal_worker_new with `errors` filled. */
int dal_app_lane_new(const struct dal_app_lane_options *options, struct dal_app_lane **lane,
		     struct dal_errors *errors);
/* Appends dalamb.app.loaded if this is a new generation, and starts the worker, which starts the
 * dispatch once it has caught up. 0, an outcome of dal_log_append (it started all the same), or
 * negative. */
int dal_app_lane_start(struct dal_app_lane *lane);
/*
 * Another edition in its place, by one other thread, step by step. `ready` builds new projections
 * beside the lane that runs (`go_on` false cancels that: -ECANCELED) and makes all ready to switch:
 * 0, negative, or DAL_LANE_HALTED with `errors` filled. `hold`, `release` as the worker's. `go`
 * switches to what was made ready. `forget` gives up what was made ready.
 */
int dal_app_lane_ready(struct dal_app_lane *lane, const struct dal_edition *edition,
		       bool (*go_on)(void *own), void *own, struct dal_errors *errors);
int dal_app_lane_hold(struct dal_app_lane *lane, int64_t timeout_us, struct dal_position *at);
void dal_app_lane_release(struct dal_app_lane *lane);
int dal_app_lane_go(struct dal_app_lane *lane, struct dal_slice generation);
void dal_app_lane_forget(struct dal_app_lane *lane);
/* Rows for an edition's functions may come before `configure`: they wait for it. */
void dal_app_lane_expect(struct dal_app_lane *lane, const struct dal_edition *edition);
/* The functions are the edition's from now on. */
void dal_app_lane_configure(struct dal_app_lane *lane, const struct dal_edition *edition);

/* There is more in the log. */
void dal_app_lane_wake(struct dal_app_lane *lane);
void dal_app_lane_drain(struct dal_app_lane *lane);
/* Dispatch first; the functions have been stopped. */
void dal_app_lane_stop(struct dal_app_lane *lane);
void dal_app_lane_free(struct dal_app_lane *lane); /* NULL is fine */

struct dal_worker *dal_app_lane_worker(struct dal_app_lane *lane);
struct dal_dispatch *dal_app_lane_dispatch(struct dal_app_lane *lane);

#endif
