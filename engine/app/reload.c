#include "engine/app/reload.h"

#include <errno.h>
#include <unistd.h>

#include "engine/app/changes.h"
#include "engine/app/engine_private.h"
#include "engine/app/loaded.h"
#include "engine/base/clock.h"
#include "engine/base/logger.h"
#include "engine/base/memory.h"
#include "state/generation.h"

#define HOLD_US 250000ll      /* then the thread looks whether it is to end */
enum { HOLD_TRIES = 240 };    /* a minute: batches are short, but rules may be slow */
#define READERS_US 60000000ll /* of the edition before, until what it alone declares is dropped */

struct dal_reloader {
	struct dal_engine *engine;
	pthread_t thread;
	bool running; /* the owner's */

	pthread_mutex_t lock; /* all below */
	pthread_cond_t wake;
	struct dal_reload *requests, **tail;
	bool ending;
	struct dal_reload_status status;

	/* the thread's own */
	struct dal_app *before; /* the last edition's, while it may still be read */
	int64_t before_us;      /* since when */
};

/* A reload on its way. */
struct attempt {
	struct dal_reloader *reloader;
	struct dal_engine *engine;
	struct dal_reload *reload;
	struct dal_edition edition;
	struct dal_tokens *tokens;
	struct dal_position *stands; /* by lane, once they are held */
	bool begun;                  /* new projections may have been built in part */
	bool changed;
};

static bool go_on(void *own)
{
	struct dal_reloader *reloader = own;
	bool yes;

	pthread_mutex_lock(&reloader->lock);
	yes = !reloader->ending;
	pthread_mutex_unlock(&reloader->lock);
	return yes;
}

static int unavailable(struct attempt *attempt, const char *why)
{
	dal_errors_add(&attempt->reload->errors, NULL, 0, "%s", why);
	return DAL_RELOAD_UNAVAILABLE;
}

/* What an engine part says: an outcome means that `errors` are filled. */
static int outcome(struct attempt *attempt, int r)
{
	if (r == -ECANCELED || (r < 0 && !go_on(attempt->reloader))) {
		return unavailable(attempt, "the engine is stopping");
	}
	if (r < 0) {
		dal_errors_add(&attempt->reload->errors, NULL, 0, "the reload failed: %s",
			       strerror(-r));
		return DAL_RELOAD_UNAVAILABLE;
	}
	return r == 0 ? DAL_RELOAD_DONE : DAL_RELOAD_REFUSED;
}

/* --- loaded and checked --- */

static int tokens_read(struct attempt *attempt)
{
	const struct dal_settings *settings = &attempt->edition.app->settings;
	struct dal_error error;
	int r;

	if (!attempt->engine->tokens) {
		return 0; /* without any at the start there is no door to open */
	}
	r = dal_tokens_read(settings->tokens, &attempt->tokens, &error);
	if (r != 0) {
		dal_errors_push(&attempt->reload->errors, &error);
	}
	return r == 0 ? 0 : DAL_RELOAD_REFUSED;
}

static int projections_check(struct attempt *attempt)
{
	struct dal_engine *engine = attempt->engine;
	int r = 0;

	if (engine->options.dev) {
		return 0; /* changed ones are rebuilt */
	}
	for (uint16_t i = 0; r == 0 && i < engine->lane_count; i++) {
		r = dal_lane_rules_check(engine->state, i, attempt->edition.app->rules,
					 &attempt->reload->errors);
	}
	return r;
}

static int load(struct attempt *attempt)
{
	struct dal_engine *engine = attempt->engine;
	struct dal_reload *reload = attempt->reload;
	struct dal_app *app = NULL;
	int r = dal_app_load(&engine->options.load, &app, &reload->errors, &reload->warnings);

	if (r == 0) {
		r = dal_changes_check(engine->edition.app, app, &reload->errors);
		attempt->edition.app = app;
	}
	if (r == 0) {
		r = dal_edition_make(engine, app, &attempt->edition, &reload->errors);
	}
	r = r == 0 ? projections_check(attempt) : r;
	r = r == 0 ? tokens_read(attempt) : r;
	if (r != 0) {
		return outcome(attempt, r);
	}
	attempt->changed = strcmp(dal_rules_digest(app->rules),
				  dal_rules_digest(engine->edition.app->rules)) != 0;
	app->number = engine->edition.app->number + attempt->changed;
	return DAL_RELOAD_DONE;
}

/* --- made ready --- */

static int ready(struct attempt *attempt)
{
	struct dal_engine *engine = attempt->engine;
	int r = 0;

	for (uint16_t i = 0; i < engine->lane_count; i++) {
		if (dal_worker_building(dal_engine_worker(engine, i))) {
			return unavailable(attempt, "projections are being built: reload once "
						    "GET /readyz says that the engine is ready");
		}
	}
	attempt->begun = true;
	for (uint16_t i = 0; r == 0 && i < engine->lane_count; i++) {
		r = dal_app_lane_ready(engine->lanes[i], &attempt->edition, go_on,
				       attempt->reloader, &attempt->reload->errors);
	}
	return outcome(attempt, r);
}

static int hold_one(struct attempt *attempt, uint16_t lane)
{
	int r = DAL_WORKER_BUSY;

	for (int i = 0; r == DAL_WORKER_BUSY && i < HOLD_TRIES && go_on(attempt->reloader); i++) {
		r = dal_app_lane_hold(attempt->engine->lanes[lane], HOLD_US,
				      &attempt->stands[lane]);
	}
	return r;
}

static void release_all(struct attempt *attempt)
{
	for (uint16_t i = 0; i < attempt->engine->lane_count; i++) {
		dal_app_lane_release(attempt->engine->lanes[i]);
	}
}

/* All lanes stand still, and the log says that the generation begins where they do. */
static int announce(struct attempt *attempt)
{
	struct dal_engine *engine = attempt->engine;
	struct dal_loaded_place *places = dal_calloc(engine->lane_count, sizeof(*places));
	int r = 0;

	for (uint16_t i = 0; r == 0 && i < engine->lane_count; i++) {
		places[i] = (struct dal_loaded_place){i, &attempt->stands[i]};
		r = hold_one(attempt, i);
		if (r == DAL_WORKER_BUSY) {
			r = unavailable(attempt, "a lane does not come to the end of a batch: see "
						 "GET /v1/status, and reload again");
		}
	}
	if (r == 0 && attempt->changed) {
		r = dal_loaded_append(engine->log, attempt->edition.app, places,
				      engine->lane_count);
		r = r > 0 ? unavailable(attempt, "the log does not take dalamb.app.loaded: see "
						 "GET /v1/status, and reload again")
			  : r;
	}
	free(places);
	return r < 0 ? outcome(attempt, r) : r;
}

/* --- switched --- */

static int lanes_go(struct attempt *attempt)
{
	struct dal_engine *engine = attempt->engine;
	const struct dal_app *app = attempt->edition.app;
	struct dal_buffer text = {0};
	int r = 0;

	dal_generation_format(
		&(struct dal_generation){
			.number = app->number,
			.digest = dal_slice_text(dal_rules_digest(app->rules)),
		},
		&text);
	for (uint16_t i = 0; r == 0 && i < engine->lane_count; i++) {
		dal_app_lane_expect(engine->lanes[i], &attempt->edition);
		r = dal_app_lane_go(engine->lanes[i], dal_buffer_slice(&text));
	}
	dal_buffer_deinit(&text);
	if (r != 0) {
		engine->half = attempt->edition;
		attempt->edition = (struct dal_edition){0};
	}
	return r;
}

/* From here on it is what runs, for everybody: what is asked is answered from its projections. */
static void exchange(struct attempt *attempt)
{
	struct dal_engine *engine = attempt->engine;
	struct dal_edition before = engine->edition;
	struct dal_tokens *tokens = engine->tokens;

	pthread_mutex_lock(&engine->edition_lock);
	engine->edition = attempt->edition;
	engine->tokens = attempt->tokens;
	pthread_mutex_unlock(&engine->edition_lock);
	attempt->edition = before;
	attempt->tokens = tokens;
}

/* They come last: rows for new ones wait that long, and those of the ones that go had their chance.
 * If the functions are being stopped all of it stays so: the next start has the new ones. */
static void functions_go(struct attempt *attempt)
{
	struct dal_reloader *reloader = attempt->reloader;
	struct dal_engine *engine = attempt->engine;
	const struct dal_app *app = engine->edition.app;
	bool ending;

	pthread_mutex_lock(&reloader->lock);
	ending = reloader->ending;
	if (!ending) {
		dal_functions_configure(engine->functions,
					(const struct dal_function *const *)app->functions,
					app->function_count);
	}
	pthread_mutex_unlock(&reloader->lock);
	for (uint16_t i = 0; !ending && i < engine->lane_count; i++) {
		dal_app_lane_configure(engine->lanes[i], &engine->edition);
	}
	dal_app_free(reloader->before);
	reloader->before = dal_app_ref(attempt->edition.app);
	reloader->before_us = dal_clock_monotonic_us();
	dal_engine_listeners_call(engine, false); /* who watches looks at the new one */
}

static int attempt_run(struct attempt *attempt)
{
	int r;

	if (attempt->engine->half.app) {
		return unavailable(attempt, "the engine is stopping");
	}
	r = load(attempt);
	r = r == 0 ? ready(attempt) : r;
	if (r != 0) {
		return r;
	}
	r = announce(attempt);
	if (r == 0) {
		r = outcome(attempt, lanes_go(attempt));
	}
	if (r == 0) {
		exchange(attempt);
	}
	release_all(attempt);
	if (r == 0) {
		functions_go(attempt);
	}
	return r;
}

/* Versions that nothing declares any more, once nobody reads them. */
static void drop(struct dal_reloader *reloader)
{
	struct dal_engine *engine = reloader->engine;

	dal_app_free(reloader->before);
	reloader->before = NULL;
	for (uint16_t i = 0; !engine->half.app && i < engine->lane_count; i++) {
		int r = dal_lane_rules_drop(engine->state, i, engine->edition.app->rules);
		if (r < 0) {
			dal_logger_write(DAL_LOGGER_WARN, "reload",
					 "old versions of projections can't be dropped: %s",
					 strerror(-r));
		}
	}
}

static void attempt_deinit(struct attempt *attempt)
{
	for (uint16_t i = 0; i < attempt->engine->lane_count; i++) {
		dal_app_lane_forget(attempt->engine->lanes[i]);
		dal_position_deinit(&attempt->stands[i]);
	}
	free(attempt->stands);
	dal_tokens_free(attempt->tokens);
	dal_edition_deinit(&attempt->edition);
}

/* --- the thread --- */

static void status_failed(struct dal_reloader *reloader, const struct dal_reload *reload)
{
	struct dal_reload_status *status = &reloader->status;

	status->failed_us = dal_clock_now_us();
	status->failed_by = reload->by;
	for (size_t i = 0; i < reload->errors.count && reload->errors.items; i++) {
		dal_errors_push(&status->errors, &reload->errors.items[i]);
	}
}

static void told(struct dal_reloader *reloader, const struct dal_reload *reload)
{
	struct dal_reload_status *status = &reloader->status;

	pthread_mutex_lock(&reloader->lock);
	dal_errors_deinit(&status->errors);
	status->failed_us = 0;
	if (reload->outcome == DAL_RELOAD_DONE) {
		status->reloads++;
		status->loaded_us = dal_clock_now_us();
	} else {
		status_failed(reloader, reload);
	}
	pthread_mutex_unlock(&reloader->lock);
}

static void log_each(enum dal_logger_level level, const struct dal_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++) {
		const struct dal_error *error = &errors->items[i];
		if (error->file[0]) {
			dal_logger_write(level, "reload", "%s:%d: %s", error->file, error->line,
					 error->text);
		} else {
			dal_logger_write(level, "reload", "%s", error->text);
		}
	}
}

static void log_line(const struct dal_reload *reload)
{
	log_each(DAL_LOGGER_WARN, &reload->warnings);
	if (reload->outcome == DAL_RELOAD_DONE) {
		dal_logger_write(DAL_LOGGER_INFO, "reload",
				 "%s: generation %llu runs: %zu rules, %zu projections, %zu "
				 "functions",
				 reload->by, (unsigned long long)reload->app->number,
				 dal_rules_rule_count(reload->app->rules),
				 dal_rules_projection_count(reload->app->rules),
				 reload->app->function_count);
		return;
	}
	dal_logger_write(DAL_LOGGER_ERROR, "reload", "%s: nothing was changed: %zu %s", reload->by,
			 reload->errors.count, reload->errors.count == 1 ? "error" : "errors");
	log_each(DAL_LOGGER_ERROR, &reload->errors);
}

static void finish(struct dal_reload *reload)
{
	struct dal_errors errors = reload->errors, warnings = reload->warnings;

	reload->done(reload);
	dal_errors_deinit(&errors);
	dal_errors_deinit(&warnings);
}

static void serve(struct dal_reloader *reloader, struct dal_reload *reload)
{
	struct attempt attempt = {
		.reloader = reloader,
		.engine = reloader->engine,
		.reload = reload,
		.stands = dal_calloc(reloader->engine->lane_count + 1u, sizeof(*attempt.stands)),
	};

	reload->outcome = (enum dal_reload_outcome)attempt_run(&attempt);
	if (reload->outcome == DAL_RELOAD_DONE) {
		reload->app = reloader->engine->edition.app;
		reload->changed = attempt.changed;
	} else if (attempt.begun && !reloader->before && go_on(reloader)) {
		drop(reloader);
	}
	attempt_deinit(&attempt);
	told(reloader, reload);
	log_line(reload);
	finish(reload);
}

/* The next request, or NULL: it is to end. Meanwhile what the last edition left is dropped. */
static struct dal_reload *next(struct dal_reloader *reloader)
{
	struct dal_reload *reload;

	pthread_mutex_lock(&reloader->lock);
	while (!reloader->requests && !reloader->ending) {
		int64_t now = dal_clock_monotonic_us(), until = now + HOLD_US;
		struct timespec at = {until / 1000000, until % 1000000 * 1000};

		if (!reloader->before) {
			pthread_cond_wait(&reloader->wake, &reloader->lock);
		} else if (dal_app_alone(reloader->before) ||
			   now - reloader->before_us > READERS_US) {
			pthread_mutex_unlock(&reloader->lock);
			drop(reloader);
			pthread_mutex_lock(&reloader->lock);
		} else {
			pthread_cond_timedwait(&reloader->wake, &reloader->lock, &at);
		}
	}
	reload = reloader->ending ? NULL : reloader->requests;
	if (reload) {
		reloader->requests = reload->next;
		reloader->tail = reloader->requests ? reloader->tail : &reloader->requests;
	}
	pthread_mutex_unlock(&reloader->lock);
	return reload;
}

static void refuse(struct dal_reload *reload)
{
	reload->outcome = DAL_RELOAD_UNAVAILABLE;
	dal_errors_add(&reload->errors, NULL, 0, "the engine is stopping");
	finish(reload);
}

static void *run(void *own)
{
	struct dal_reloader *reloader = own;
	struct dal_reload *reload;

	while ((reload = next(reloader))) {
		serve(reloader, reload);
	}
	return NULL;
}

/* --- from other threads --- */

void dal_engine_reload(struct dal_engine *engine, struct dal_reload *reload)
{
	struct dal_reloader *reloader = engine->reloader;
	bool ending;

	reload->errors = reload->warnings = (struct dal_errors){0};
	reload->app = NULL;
	reload->next = NULL;
	pthread_mutex_lock(&reloader->lock);
	ending = reloader->ending;
	if (!ending) {
		*reloader->tail = reload;
		reloader->tail = &reload->next;
		pthread_cond_signal(&reloader->wake);
	}
	pthread_mutex_unlock(&reloader->lock);
	if (ending) {
		refuse(reload);
	}
}

void dal_engine_reload_status(struct dal_engine *engine, struct dal_reload_status *status)
{
	struct dal_reloader *reloader = engine->reloader;

	pthread_mutex_lock(&reloader->lock);
	*status = reloader->status;
	status->errors = (struct dal_errors){0};
	for (size_t i = 0; i < reloader->status.errors.count; i++) {
		dal_errors_push(&status->errors, &reloader->status.errors.items[i]);
	}
	pthread_mutex_unlock(&reloader->lock);
}

/* --- life --- */

struct dal_reloader *dal_reloader_new(struct dal_engine *engine)
{
	struct dal_reloader *reloader = dal_calloc(1, sizeof(*reloader));
	pthread_condattr_t attributes;

	reloader->engine = engine;
	reloader->tail = &reloader->requests;
	reloader->status.loaded_us = dal_clock_now_us();
	pthread_mutex_init(&reloader->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&reloader->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	return reloader;
}

int dal_reloader_start(struct dal_reloader *reloader)
{
	int r = pthread_create(&reloader->thread, NULL, run, reloader);

	reloader->running = r == 0;
	return -r;
}

void dal_reloader_end(struct dal_reloader *reloader)
{
	struct dal_reload *left, *next;

	pthread_mutex_lock(&reloader->lock);
	reloader->ending = true;
	left = reloader->requests;
	reloader->requests = NULL;
	reloader->tail = &reloader->requests;
	pthread_cond_signal(&reloader->wake);
	pthread_mutex_unlock(&reloader->lock);
	for (; left; left = next) {
		next = left->next;
		refuse(left);
	}
}

void dal_reloader_free(struct dal_reloader *reloader)
{
	if (!reloader) {
		return;
	}
	if (reloader->running) {
		pthread_join(reloader->thread, NULL);
	}
	dal_app_free(reloader->before);
	dal_errors_deinit(&reloader->status.errors);
	pthread_cond_destroy(&reloader->wake);
	pthread_mutex_destroy(&reloader->lock);
	free(reloader);
}
