#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/app/engine_private.h"
#include "engine/app/intake.h"
#include "engine/app/settings.h"
#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/logger.h"
#include "engine/base/memory.h"
#include "engine/log/disk.h"

#define STOP_REQUESTS_MS 1000 /* what open requests get at stop; functions get the grace */

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

static void on_lane_broken(void *own, const char *part, int error)
{
	broken(own, part, error);
}

/* It has no lock: lanes are there before their readers, and readers go with them. */
static void on_lane(uint16_t lane, void *own)
{
	struct dal_engine *engine = own;

	if (lane != DAL_LOG_ALL_LANES) {
		dal_app_lane_wake(engine->lanes[lane]);
	}
	dal_engine_listeners_call(engine, true);
}

static void on_advance(void *own)
{
	struct dal_engine *engine = own;

	pthread_mutex_lock(&engine->listeners_lock);
	for (uint16_t i = 0; engine->started && i < engine->lane_count; i++) {
		dal_app_lane_wake(engine->lanes[i]);
	}
	pthread_mutex_unlock(&engine->listeners_lock);
	dal_engine_listeners_call(engine, true);
}

static void on_folded(void *own)
{
	dal_engine_listeners_call(own, false);
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
	int scopes;

	pthread_mutex_lock(&engine->edition_lock);
	scopes = dal_tokens_scopes(engine->tokens, token);
	pthread_mutex_unlock(&engine->edition_lock);
	return scopes;
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
	struct dal_error error = {0};
	struct dal_log_options options = {
		.disk_free_bytes = settings->disk_free_bytes,
		.dedup_window_ms = (uint64_t)settings->dedup_us / 1000,
		.on_advance = on_advance,
		.on_lane = on_lane,
		.on_broken = on_log_broken,
		.own = engine,
	};
	int r;

	dal_settings_log(engine->app, &options);
	r = dal_log_open(&options, &engine->log, &error);
	if (r != 0) {
		dal_errors_push(errors, &error);
	}
	return r;
}

static int widths_check(struct dal_engine *engine, struct dal_error *error)
{
	const struct dal_settings *settings = &engine->app->settings;
	size_t count = settings->topic_count + 2;
	struct dal_state_width *widths = dal_calloc(count, sizeof(*widths));
	int r;

	widths[0].topic = dal_slice_text(DAL_TOPIC_EVENTS);
	widths[1].topic = dal_slice_text(DAL_TOPIC_SYSTEM);
	for (size_t i = 0; i < count; i++) {
		if (i >= 2) {
			widths[i].topic = dal_slice_text(settings->topics[i - 2].name);
		}
		widths[i].partitions = dal_log_partitions(engine->log, widths[i].topic);
	}
	r = dal_state_widths(engine->state, widths, count, error);
	free(widths);
	return r;
}

static int state_open(struct dal_engine *engine, struct dal_errors *errors)
{
	char *path = dal_asprintf("%s/state", engine->app->data);
	struct dal_error error = {0};
	int r = dal_state_open(path, dal_log_id(engine->log), false, &engine->state, &error);

	if (r == 0 && dal_log_kind(engine->log) == DAL_LOG_KAFKA) {
		r = widths_check(engine, &error);
	}
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
			.containers_host = app->containers_host,
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

int dal_edition_make(struct dal_engine *engine, struct dal_app *app, struct dal_edition *edition,
		     struct dal_errors *errors)
{
	int r = dal_feeds_open(app, engine->log, &edition->feeds, errors);

	edition->app = app;
	if (r == 0) {
		edition->watch = dal_watch_rules_new(engine->watch, app->rules);
	}
	return r;
}

/* All lanes count alike, also if a crash came between their switches. */
static void generation_count(struct dal_engine *engine)
{
	struct dal_worker_status status;
	uint64_t number = 0;

	for (uint16_t i = 0; i < engine->lane_count; i++) {
		dal_worker_status(dal_engine_worker(engine, i), &status);
		number = status.generation > number ? status.generation : number;
		dal_worker_status_deinit(&status);
	}
	for (uint16_t i = 0; i < engine->lane_count; i++) {
		dal_worker_number(dal_engine_worker(engine, i), number);
	}
	engine->edition.app->number = number;
}

static int lanes_open(struct dal_engine *engine, struct dal_errors *errors)
{
	uint16_t count = dal_log_lanes(engine->log);
	int r = 0;

	engine->lanes = dal_calloc(count, sizeof(struct dal_app_lane *));
	while (r == 0 && engine->lane_count < count) {
		r = dal_app_lane_new(
			&(struct dal_app_lane_options){
				.edition = &engine->edition,
				.log = engine->log,
				.state = engine->state,
				.functions = engine->functions,
				.watch = engine->watch,
				.number = engine->lane_count,
				.lanes = count,
				.dev = engine->options.dev,
				.folded = on_folded,
				.broken = on_lane_broken,
				.own = engine,
			},
			&engine->lanes[engine->lane_count], errors);
		engine->lane_count += r == 0;
	}
	if (r == 0) {
		generation_count(engine);
		engine->reloader = dal_reloader_new(engine);
	}
	return r;
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
	engine->name = dal_strdup(options->app->name);
	engine->lock = -1;
	engine->started_us = dal_clock_now_us();
	pthread_mutex_init(&engine->listeners_lock, NULL);
	pthread_mutex_init(&engine->edition_lock, NULL);
	r = data_open(engine, errors);
	r = r == 0 ? log_open(engine, errors) : r;
	engine->watch = dal_watch_new(options->dev);
	r = r == 0 ? dal_edition_make(engine, dal_app_ref(options->app), &engine->edition, errors)
		   : r;
	r = r == 0 ? state_open(engine, errors) : r;
	r = r == 0 ? functions_open(engine, errors) : r;
	r = r == 0 ? lanes_open(engine, errors) : r;
	r = r == 0 ? server_open(engine, errors) : r;
	if (r != 0) {
		dal_engine_free(engine);
		return r;
	}
	engine->app = engine->options.app = NULL; /* another edition may follow it */
	*out = engine;
	return 0;
}

/* --- running --- */

/* There are no checkpoints of the outbox on Kafka: what was called for the events that are read
 * again may be called again, unless its completion is read first. */
static void warn_of_rebuild(struct dal_engine *engine)
{
	struct dal_worker_status status;
	bool rebuilding = false;

	for (uint16_t i = 0; !rebuilding && i < engine->lane_count; i++) {
		dal_worker_status(dal_engine_worker(engine, i), &status);
		rebuilding = status.rebuilding;
		dal_worker_status_deinit(&status);
	}
	if (rebuilding && dal_log_kind(engine->log) == DAL_LOG_KAFKA) {
		dal_logger_write(DAL_LOGGER_WARN, "app",
				 "the state is new and the log is not: it is rebuilt from the "
				 "topics' start, and functions may be called again for past "
				 "events, with the same keys");
	}
}

static int lanes_start(struct dal_engine *engine)
{
	bool room = true;
	int r = 0;

	warn_of_rebuild(engine);
	started_set(engine, true);
	for (uint16_t i = 0; r >= 0 && i < engine->lane_count; i++) {
		r = dal_app_lane_start(engine->lanes[i]);
		room = room && r <= 0;
	}
	if (!room) { /* the engine answers queries all the same */
		dal_logger_write(DAL_LOGGER_WARN, "app",
				 "the log does not take dalamb.app.loaded: %s",
				 dal_log_kind(engine->log) == DAL_LOG_KAFKA
					 ? "no broker answers"
					 : "the disk has no room for it");
	}
	return r < 0 ? r : 0;
}

int dal_engine_start(struct dal_engine *engine, struct dal_errors *errors)
{
	struct dal_error error = {0};
	int r = lanes_start(engine);

	r = r == 0 ? dal_reloader_start(engine->reloader) : r;
	if (r < 0) {
		dal_error_set(&error, "the log can't be written, or a thread can't be started: %s",
			      strerror(-r));
	} else {
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
	if (engine->reloader) {
		dal_reloader_end(engine->reloader);
	}
	if (engine->server) {
		dal_http_server_stop(engine->server, STOP_REQUESTS_MS);
	}
	for (uint16_t i = 0; i < engine->lane_count; i++) {
		dal_app_lane_drain(engine->lanes[i]);
	}
	if (engine->functions) {
		dal_functions_stop(engine->functions);
	}
	for (uint16_t i = 0; i < engine->lane_count; i++) {
		dal_app_lane_stop(engine->lanes[i]);
	}
}

void dal_engine_free(struct dal_engine *engine)
{
	if (!engine) {
		return;
	}
	dal_engine_stop(engine);
	dal_reloader_free(engine->reloader); /* it still owes answers to the server */
	dal_http_server_free(engine->server);
	dal_github_free(engine->github);
	dal_ingress_free(engine->ingress);
	dal_tokens_free(engine->tokens);
	/* The last checkpoints are on the log, but the writer may still be about to say so. */
	started_set(engine, false);
	for (uint16_t i = 0; i < engine->lane_count; i++) {
		dal_app_lane_free(engine->lanes[i]);
	}
	free(engine->lanes);
	dal_edition_deinit(&engine->edition);
	dal_edition_deinit(&engine->half);
	dal_functions_free(engine->functions);
	dal_watch_free(engine->watch);
	dal_log_close(engine->log);
	dal_state_close(engine->state);
	if (engine->lock >= 0) {
		close(engine->lock);
	}
	pthread_mutex_destroy(&engine->listeners_lock);
	pthread_mutex_destroy(&engine->edition_lock);
	free(engine->name);
	free(engine);
}
