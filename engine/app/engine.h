/*
 * The engine: an app's parts started, joined by their callbacks, drained and stopped.
 *
 * Log, state, worker, dispatch, functions, HTTP server with the connectors' routes. Whoever owns it
 * adds further routes (engine/api) between new and start.
 *
 * Life, all on the main thread: spawner first (before any thread), new, start, ... stop, free.
 * `dal_engine_broken` tells that it must be stopped: after an I/O error the engine recovers by
 * restart.
 */
#ifndef DAL_APP_ENGINE_H
#define DAL_APP_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/app/app.h"
#include "engine/dispatch/dispatch.h"
#include "engine/http/http.h"
#include "engine/log/log.h"
#include "engine/stream/worker.h"

struct dal_engine;

struct dal_engine_options {
	struct dal_app *app; /* a reference is taken */
	/* How it was loaded, and is at a reload; what it points to outlives the engine. */
	struct dal_app_options load;
	struct dal_spawner *spawner; /* started before the first thread */
	bool dev; /* a line per match and invocation on stdout; changed projections are rebuilt */
	/* From any thread, once: the engine can't go on. May be NULL. */
	void (*broken)(void *own);
	void *own;
};

/* Opens log and state, makes the server. 0, or negative or positive with `errors` filled. */
int dal_engine_new(const struct dal_engine_options *options, struct dal_engine **engine,
		   struct dal_errors *errors);
/* Threads begin; requests are answered. */
int dal_engine_start(struct dal_engine *engine, struct dal_errors *errors);
/* Drains: no new work; what runs gets the grace; checkpoint; closed. */
void dal_engine_stop(struct dal_engine *engine);
void dal_engine_free(struct dal_engine *engine);

/* Did a part break? Then what runs it should say so with its exit status. Any thread. */
bool dal_engine_broken(const struct dal_engine *engine);

/* The app that runs, as a reference: dal_app_free gives it back. Any thread. */
struct dal_app *dal_engine_app(struct dal_engine *engine);
/* Its rules alone, as a reference: dal_rules_unref gives it back. Any thread. */
struct dal_rules *dal_engine_rules(struct dal_engine *engine);
/* The app's name, which stays. */
const char *dal_engine_name(const struct dal_engine *engine);

/* What the API shows. Valid while the engine is. */
struct dal_http_server *dal_engine_server(struct dal_engine *engine);
struct dal_log *dal_engine_log(struct dal_engine *engine);
struct dal_state *dal_engine_state(struct dal_engine *engine);
/* How many lanes there are; each has a worker and a dispatch. The embedded log has one. */
uint16_t dal_engine_lanes(const struct dal_engine *engine);
struct dal_worker *dal_engine_worker(struct dal_engine *engine, uint16_t lane);
struct dal_dispatch *dal_engine_dispatch(struct dal_engine *engine, uint16_t lane);
struct dal_functions *dal_engine_functions(struct dal_engine *engine);
int64_t dal_engine_started_us(const struct dal_engine *engine);
/* Ready: app loaded, state open, ingress accepts (the disk has room), no projection is being built
 * for the first time. */
bool dal_engine_ready(struct dal_engine *engine);

/* Called after the log has advanced (new events are readable) and after each commit of the worker
 * (views changed): for tails and watches. Any thread adds; removal waits until no call is running.
 */
struct dal_engine_listener {
	void (*advanced)(void *own); /* may be NULL; the log writer's thread */
	void (*folded)(void *own);   /* may be NULL; the worker's thread */
	void *own;
	struct dal_engine_listener *next; /* private */
};

void dal_engine_listen(struct dal_engine *engine, struct dal_engine_listener *listener);
void dal_engine_unlisten(struct dal_engine *engine, struct dal_engine_listener *listener);

/* Counters per rule, since the start: matched its pattern, let through by its guard, failed. A rule
 * is told by its name, through all generations. */
struct dal_rule_counters {
	uint64_t matched, passed, failed;
};

void dal_engine_rule_counters(struct dal_engine *engine, const char *rule,
			      struct dal_rule_counters *counters);

#endif
