/* What the files of the engine share; nobody else includes it. */
#ifndef DAL_APP_ENGINE_PRIVATE_H
#define DAL_APP_ENGINE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "connectors/connectors.h"
#include "engine/app/engine.h"
#include "engine/app/lane.h"
#include "engine/app/tokens.h"
#include "engine/app/watch.h"

struct dal_reloader;

struct dal_engine {
	struct dal_engine_options options;
	const struct dal_app *app; /* that it is opened with: NULL once it is open */
	char *name;                /* the app's */
	int lock;                  /* descriptor of the data folder's lock */
	struct dal_log *log;
	struct dal_state *state;
	struct dal_functions *functions;
	struct dal_watch *watch;
	pthread_mutex_t edition_lock;
	struct dal_edition edition; /* that runs; changed by the reloader alone */
	/* The reloader's: some lanes run on it, others don't. One broke, or all are being stopped:
	 * both stay until the end. */
	struct dal_edition half;
	struct dal_reloader *reloader;
	struct dal_app_lane **lanes; /* lane_count of them */
	uint16_t lane_count;
	struct dal_http_server *server;
	struct dal_tokens *tokens; /* under edition_lock */
	struct dal_ingress *ingress;
	struct dal_github *github;
	int64_t started_us;
	atomic_bool broken;

	pthread_mutex_t listeners_lock;
	bool started; /* there are workers to wake */
	struct dal_engine_listener *listeners;
};

/* engine_view.c */
void dal_engine_listeners_call(struct dal_engine *engine, bool advanced);

/* engine.c: what an app needs to run in the engine's lanes, which takes the app. 0, or an outcome
 * of dal_feeds_open with `errors` filled. */
int dal_edition_make(struct dal_engine *engine, struct dal_app *app, struct dal_edition *edition,
		     struct dal_errors *errors);

/* reload.c */
struct dal_reloader *dal_reloader_new(struct dal_engine *engine);
int dal_reloader_start(struct dal_reloader *reloader);
/* From here on nothing is changed any more; what is under way is broken off. */
void dal_reloader_end(struct dal_reloader *reloader);
/* After the lanes have stopped. */
void dal_reloader_free(struct dal_reloader *reloader); /* NULL is fine */

#endif
