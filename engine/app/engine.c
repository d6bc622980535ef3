#include "engine/app/engine.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "connectors/connectors.h"
#include "engine/app/intake.h"
#include "engine/app/loaded.h"
#include "engine/app/tokens.h"
#include "engine/app/watch.h"
#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/logger.h"
#include "engine/base/memory.h"
#include "engine/log/disk.h"

#define STOP_REQUESTS_MS 1000 /* what open requests get at stop; functions get the grace */

struct dal_engine {
	struct dal_engine_options options;
	const struct dal_app *app;
	int lock; /* descriptor of the data folder's lock */
	struct dal_log *log;
	struct dal_state *state;
	struct dal_functions *functions;
	struct dal_watch *watch;
	struct dal_worker *worker;
	struct dal_dispatch *dispatch;
	struct dal_http_server *server;
	struct dal_tokens *tokens;
	struct dal_ingress *ingress;
	struct dal_github *github;
	int64_t started_us;
	atomic_bool broken;

	pthread_mutex_t listeners_lock;
	bool started; /* there is a worker to wake */
	struct dal_engine_listener *listeners;
};

/* --- callbacks between the parts --- */

static void started_set(struct dal_engine *engine, bool started)
{
	pthread_mutex_lock(&engine->listeners_lock);
	engine->started = started;
	pthread_mutex_unlock(&engine->listeners_lock);
}

static void broken(struct dal_engine *engine, const char *part, int error)
{
	if (atomic_exchange(&engine->broken, true)) {
		return;
	}
	dal_logger_write(DAL_LOGGER_ERROR, part,
			 "it can't go on (%s): the engine stops, and recovers by restart",
			 strerror(-error));
	if (engine->options.broken) {
		engine->options.broken(engine->options.own);
	}
}

static void on_log_broken(int error, void *own)
{
	broken(own, "log", error);
}

static void on_worker_broken(void *own, int error)
{
	broken(own, "worker", error);
}

static void listeners_call(struct dal_engine *engine, bool advanced)
{
	struct dal_engine_listener *listener;

	pthread_mutex_lock(&engine->listeners_lock);
	for (listener = engine->listeners; listener; listener = listener->next) {
		if (advanced && listener->advanced) {
			listener->advanced(listener->own);
		} else if (!advanced && listener->folded) {
			listener->folded(listener->own);
		}
	}
	pthread_mutex_unlock(&engine->listeners_lock);
}

static void on_advance(void *own)
{
	struct dal_engine *engine = own;

	pthread_mutex_lock(&engine->listeners_lock);
	if (engine->started) {
		dal_worker_wake(engine->worker);
	}
	pthread_mutex_unlock(&engine->listeners_lock);
	listeners_call(engine, true);
}

static void on_committed(void *own, bool rows)
{
	struct dal_engine *engine = own;

	if (rows) {
		dal_dispatch_wake(engine->dispatch);
	}
	listeners_call(engine, false);
}

static void on_dispatch_broken(void *own, int error)
{
	broken(own, "dispatch", error);
}

static void on_caught_up(void *own)
{
	struct dal_engine *engine = own;
	int r = dal_dispatch_start(engine->dispatch);

	if (r < 0) {
		broken(engine, "dispatch", r);
	}
}

static void on_delivered(void *own, struct dal_slice row)
{
	struct dal_engine *engine = own;

	dal_worker_post(engine->worker,
			&(struct dal_worker_note){.kind = DAL_NOTE_DELIVERED, .row = row});
}

static void on_retry(void *own, struct dal_slice row, uint32_t attempts, int64_t due_us,
		     struct dal_slice tries)
{
	struct dal_engine *engine = own;

	dal_worker_post(engine->worker, &(struct dal_worker_note){.kind = DAL_NOTE_RETRY,
								  .row = row,
								  .attempts = attempts,
								  .due_us = due_us,
								  .tries = tries});
}

static void on_appended(void *own, uint64_t sequence)
{
	struct dal_engine *engine = own;

	dal_worker_post(engine->worker,
			&(struct dal_worker_note){.kind = DAL_NOTE_APPENDED, .sequence = sequence});
}

static void on_invocation(void *own, const struct dal_invocation *invocation, struct dal_slice row)
{
	struct dal_engine *engine = own;

	(void)row;
	dal_watch_invocation(engine->watch, invocation);
}

static void on_line(void *own, const char *function, const char *request, struct dal_slice line)
{
	(void)own;
	(void)request;
	dal_logger_write(DAL_LOGGER_INFO, function, "%.*s", (int)line.size, line.data);
}

static int on_authorize(struct dal_slice token, void *own)
{
	struct dal_engine *engine = own;

	return dal_tokens_scopes(engine->tokens, token);
}

/* --- opening --- */

/* Without room for what opening writes, RocksDB would end the process with no word for a person. */
static int room_check(const char *data, struct dal_errors *errors)
{
	uint64_t free_bytes;

	if (dal_disk_free_bytes(data, &free_bytes) < 0 || free_bytes >= DAL_DISK_FLUSH_BYTES) {
		return 0;
	}
	dal_errors_add(errors, data, 0,
		       "the disk has no space left to start (%llu MiB are free, %llu MiB are "
		       "needed): make room",
		       (unsigned long long)(free_bytes / DAL_MIB),
		       (unsigned long long)(DAL_DISK_FLUSH_BYTES / DAL_MIB));
	return -ENOSPC;
}

static int data_open(struct dal_engine *engine, struct dal_errors *errors)
{
	const char *data = engine->app->data;
	char *lock = dal_asprintf("%s/lock", data);
	int r = dal_folder_make(data, 0700);

	if (r == 0) {
		r = dal_file_lock(lock, &engine->lock);
	}
	if (r == -EWOULDBLOCK) {
		dal_errors_add(
			errors, data, 0,
			"another engine runs on this data folder: stop it, or choose another "
			"folder with --data");
	} else if (r < 0) {
		dal_errors_add(errors, data, 0, "the data folder can't be used: %s", strerror(-r));
	}
	free(lock);
	return r == 0 ? room_check(data, errors) : r;
}

static int log_open(struct dal_engine *engine, struct dal_errors *errors)
{
	const struct dal_settings *settings = &engine->app->settings;
	char *path = dal_asprintf("%s/log", engine->app->data);
	struct dal_error error = {0};
	int r = dal_log_open(
		&(struct dal_log_options){
			.path = path,
			.topics = settings->topics,
			.disk_free_bytes = settings->disk_free_bytes,
			.dedup_window_ms = (uint64_t)settings->dedup_us / 1000,
			.on_advance = on_advance,
			.on_broken = on_log_broken,
			.own = engine,
		},
		&engine->log, &error);

	if (r != 0) {
		dal_errors_push(errors, &error);
	}
	free(path);
	return r;
}

static int state_open(struct dal_engine *engine, struct dal_errors *errors)
{
	char *path = dal_asprintf("%s/state", engine->app->data);
	struct dal_error error = {0};
	int r = dal_state_open(path, dal_log_id(engine->log), false, &engine->state, &error);

	if (r != 0) {
		dal_errors_push(errors, &error);
	}
	free(path);
	return r;
}

static int functions_open(struct dal_engine *engine, struct dal_errors *errors)
{
	const struct dal_app *app = engine->app;
	struct dal_error error = {0};
	int r = dal_functions_new(
		&(struct dal_functions_options){
			.spawner = engine->options.spawner,
			.data_folder = app->data,
			.instances = app->settings.instances,
			.memory_bytes = app->settings.memory_bytes,
			.grace_us = app->settings.grace_us,
			.on_line = on_line,
			.own = engine,
		},
		&engine->functions, &error);

	if (r != 0) {
		dal_errors_push(errors, &error);
		return r;
	}
	return dal_functions_configure(engine->functions,
				       (const struct dal_function *const *)app->functions,
				       app->function_count);
}

static int worker_open(struct dal_engine *engine, struct dal_errors *errors)
{
	const struct dal_app *app = engine->app;

	engine->watch = dal_watch_new(app, engine->options.dev);
	return dal_worker_new(
		&(struct dal_worker_options){
			.lane = {.state = engine->state,
				 .log = engine->log,
				 .rules = app->rules,
				 .targets = app->targets,
				 .target_count = app->target_count,
				 .app = app->name,
				 .cache_entries = DAL_LIMIT_CACHE_ENTRIES,
				 .outbox = true,
				 .rebuild_changed = engine->options.dev,
				 .watch = &dal_watch_sink,
				 .own = engine->watch},
			.rows_max = app->settings.rows,
			.generation = dal_rules_digest(app->rules),
			.committed = on_committed,
			.caught_up = on_caught_up,
			.broken = on_worker_broken,
			.own = engine,
		},
		&engine->worker, errors);
}

static void dispatch_open(struct dal_engine *engine)
{
	const struct dal_app *app = engine->app;

	engine->dispatch = dal_dispatch_new(&(struct dal_dispatch_options){
		.state = engine->state,
		.log = engine->log,
		.app = app->name,
		.functions = engine->functions,
		.list = (const struct dal_function *const *)app->functions,
		.count = app->function_count,
		.delivered = on_delivered,
		.retry = on_retry,
		.appended = on_appended,
		.broken = on_dispatch_broken,
		.watch = on_invocation,
		.own = engine,
	});
}

static int connectors_open(struct dal_engine *engine, struct dal_errors *errors)
{
	struct dal_sink sink = dal_intake_sink(engine->log);
	struct dal_error error = {0};
	int r;

	engine->ingress = dal_ingress_new(&(struct dal_ingress_options){
		.sink = sink,
		.event_bytes = engine->app->settings.event_bytes,
		.body_bytes = engine->app->settings.body_bytes,
	});
	r = dal_ingress_routes(engine->ingress, engine->server, &error);
	if (r == 0 && engine->app->github) {
		engine->github = dal_github_new(engine->app->github, &sink, errors);
		if (!engine->github) {
			return -EINVAL;
		}
		r = dal_github_routes(engine->github, engine->server, &error);
	}
	if (r != 0) {
		dal_errors_push(errors, &error);
	}
	return r;
}

static int server_open(struct dal_engine *engine, struct dal_errors *errors)
{
	const struct dal_settings *settings = &engine->app->settings;
	struct dal_error error = {0};
	int r = 0;

	if (settings->tokens_there) {
		r = dal_tokens_read(settings->tokens, &engine->tokens, &error);
	}
	if (r == 0) {
		r = dal_http_server_new(
			&(struct dal_http_options){.listen = settings->listen,
						   .descriptor = -1,
						   .authorize = engine->tokens ? on_authorize
									       : NULL,
						   .data = engine},
			&engine->server, &error);
	}
	if (r != 0) {
		dal_errors_push(errors, &error);
		return r;
	}
	return connectors_open(engine, errors);
}

int dal_engine_new(const struct dal_engine_options *options, struct dal_engine **out,
		   struct dal_errors *errors)
{
	struct dal_engine *engine = dal_calloc(1, sizeof(*engine));
	int r;

	engine->options = *options;
	engine->app = options->app;
	engine->lock = -1;
	engine->started_us = dal_clock_now_us();
	pthread_mutex_init(&engine->listeners_lock, NULL);
	r = data_open(engine, errors);
	r = r == 0 ? log_open(engine, errors) : r;
	r = r == 0 ? state_open(engine, errors) : r;
	r = r == 0 ? functions_open(engine, errors) : r;
	r = r == 0 ? worker_open(engine, errors) : r;
	if (r == 0) {
		dispatch_open(engine);
		r = server_open(engine, errors);
	}
	if (r != 0) {
		dal_engine_free(engine);
		return r;
	}
	*out = engine;
	return 0;
}

/* --- running --- */

int dal_engine_start(struct dal_engine *engine, struct dal_errors *errors)
{
	struct dal_worker_status status;
	struct dal_error error = {0};
	int r = 0;

	dal_worker_status(engine->worker, &status);
	if (status.new_generation) {
		r = dal_loaded_append(engine->log, engine->app, status.next);
	}
	if (r < 0) {
		dal_error_set(&error, "the log can't be written: %s", strerror(-r));
		dal_errors_push(errors, &error);
		return r;
	}
	if (r > 0) { /* no room for it: the engine answers queries all the same */
		dal_logger_write(DAL_LOGGER_WARN, "app",
				 "the log has no room for dalamb.app.loaded");
	}
	started_set(engine, true);
	r = dal_worker_start(engine->worker);
	if (r == 0) {
		r = dal_http_server_start(engine->server, &error);
	}
	if (r != 0) {
		if (error.text[0] == '\0') {
			dal_error_set(&error, "a thread can't be started: %s", strerror(-r));
		}
		dal_errors_push(errors, &error);
	}
	return r;
}

void dal_engine_stop(struct dal_engine *engine)
{
	if (engine->server) {
		dal_http_server_stop(engine->server, STOP_REQUESTS_MS);
	}
	if (engine->dispatch) {
		dal_dispatch_drain(engine->dispatch);
	}
	if (engine->functions) {
		dal_functions_stop(engine->functions);
	}
	if (engine->dispatch) {
		dal_dispatch_stop(engine->dispatch);
	}
	if (engine->worker) {
		dal_worker_stop(engine->worker);
	}
}

void dal_engine_free(struct dal_engine *engine)
{
	if (!engine) {
		return;
	}
	dal_engine_stop(engine);
	dal_http_server_free(engine->server);
	dal_github_free(engine->github);
	dal_ingress_free(engine->ingress);
	dal_tokens_free(engine->tokens);
	dal_dispatch_free(engine->dispatch);
	dal_functions_free(engine->functions);
	/* Its last checkpoint is on the log, but the writer may still be about to say so. */
	started_set(engine, false);
	dal_worker_free(engine->worker);
	dal_watch_free(engine->watch);
	dal_log_close(engine->log);
	dal_state_close(engine->state);
	if (engine->lock >= 0) {
		close(engine->lock);
	}
	pthread_mutex_destroy(&engine->listeners_lock);
	free(engine);
}

bool dal_engine_broken(const struct dal_engine *engine)
{
	return atomic_load(&engine->broken);
}

/* --- what others see --- */

const struct dal_app *dal_engine_app(const struct dal_engine *engine)
{
	return engine->app;
}

struct dal_http_server *dal_engine_server(struct dal_engine *engine)
{
	return engine->server;
}

struct dal_log *dal_engine_log(struct dal_engine *engine)
{
	return engine->log;
}

struct dal_state *dal_engine_state(struct dal_engine *engine)
{
	return engine->state;
}

struct dal_worker *dal_engine_worker(struct dal_engine *engine)
{
	return engine->worker;
}

struct dal_dispatch *dal_engine_dispatch(struct dal_engine *engine)
{
	return engine->dispatch;
}

struct dal_functions *dal_engine_functions(struct dal_engine *engine)
{
	return engine->functions;
}

int64_t dal_engine_started_us(const struct dal_engine *engine)
{
	return engine->started_us;
}

bool dal_engine_ready(struct dal_engine *engine)
{
	struct dal_worker_status status;
	struct dal_log_room room;

	dal_worker_status(engine->worker, &status);
	return !status.building && !atomic_load(&engine->broken) &&
	       dal_log_has_room(engine->log, &room);
}

void dal_engine_listen(struct dal_engine *engine, struct dal_engine_listener *listener)
{
	pthread_mutex_lock(&engine->listeners_lock);
	listener->next = engine->listeners;
	engine->listeners = listener;
	pthread_mutex_unlock(&engine->listeners_lock);
}

void dal_engine_unlisten(struct dal_engine *engine, struct dal_engine_listener *listener)
{
	struct dal_engine_listener **link = &engine->listeners;

	pthread_mutex_lock(&engine->listeners_lock);
	while (*link && *link != listener) {
		link = &(*link)->next;
	}
	if (*link) {
		*link = listener->next;
	}
	pthread_mutex_unlock(&engine->listeners_lock);
}

void dal_engine_rule_counters(struct dal_engine *engine, size_t rule,
			      struct dal_rule_counters *counters)
{
	dal_watch_counters(engine->watch, rule, counters);
}
