/*
 * Hot reload: the app's folder read again, and what it says now put in the place of what runs,
 * while events flow. All of it or nothing.
 *
 * A thread of the engine's own takes one request after the other: loads and checks, builds new
 * projections beside the running lanes, holds every lane between two batches, appends
 * dalamb.app.loaded for each with the place where it stands, lets them switch, then the functions.
 * Whatever fails before that append leaves everything as it was.
 *
 *	reload->by = "SIGHUP";
 *	reload->done = on_done;
 *	dal_engine_reload(engine, reload);
 */
#ifndef DAL_APP_RELOAD_H
#define DAL_APP_RELOAD_H

#include "engine/app/engine.h"

enum dal_reload_outcome {
	DAL_RELOAD_DONE,
	DAL_RELOAD_REFUSED,     /* `errors` say why: what a person must change */
	DAL_RELOAD_UNAVAILABLE, /* not now; `errors` has the one reason */
};

/* The caller keeps it until `done`, which may free it. */
struct dal_reload {
	const char *by;                          /* who wants it, for log and status; static text */
	void (*done)(struct dal_reload *reload); /* on the reloader's thread, or the caller's */
	void *own;
	/* results, valid in `done` */
	enum dal_reload_outcome outcome;
	struct dal_errors errors, warnings;
	const struct dal_app *app; /* that runs now; DONE only */
	bool changed;              /* it is another generation than before */
	struct dal_reload *next;   /* private */
};

/* Any thread; `done` is called once, whatever happens. */
void dal_engine_reload(struct dal_engine *engine, struct dal_reload *reload);

struct dal_reload_status {
	uint64_t reloads;  /* that were done, since the start */
	int64_t loaded_us; /* when what runs was loaded */
	int64_t failed_us; /* the last reload, if it failed; else 0 */
	const char *failed_by;
	struct dal_errors errors; /* of that one; the caller's */
};

void dal_engine_reload_status(struct dal_engine *engine, struct dal_reload_status *status);

#endif
