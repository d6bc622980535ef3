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
#include "engine/app/watch.h"
#include "engine/dispatch/dispatch.h"
#include "engine/stream/worker.h"

struct dal_app_lane;

struct dal_app_lane_options {
	const struct dal_app *app;
	struct dal_log *log;
	struct dal_state *state;
	struct dal_functions *functions;
	struct dal_watch *watch;
	const struct dal_view_rights *rights; /* NULL: rules may read all views */
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
/* There is more in the log. */
void dal_app_lane_wake(struct dal_app_lane *lane);
void dal_app_lane_drain(struct dal_app_lane *lane);
/* Dispatch first; the functions have been stopped. */
void dal_app_lane_stop(struct dal_app_lane *lane);
void dal_app_lane_free(struct dal_app_lane *lane); /* NULL is fine */

struct dal_worker *dal_app_lane_worker(struct dal_app_lane *lane);
struct dal_dispatch *dal_app_lane_dispatch(struct dal_app_lane *lane);

#endif
