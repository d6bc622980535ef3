#include "engine/app/lane.h"

#include "engine/app/loaded.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"

struct dal_app_lane {
	struct dal_app_lane_options options;
	struct dal_worker *worker;
	struct dal_dispatch *dispatch;
};

/* --- from the worker --- */

static void on_committed(void *own, bool rows)
{
	struct dal_app_lane *lane = own;

	if (rows) {
		dal_dispatch_wake(lane->dispatch);
	}
	lane->options.folded(lane->options.own);
}

static void on_worker_broken(void *own, int error)
{
	struct dal_app_lane *lane = own;

	lane->options.broken(lane->options.own, "worker", error);
}

static void on_dispatch_broken(void *own, int error)
{
	struct dal_app_lane *lane = own;

	lane->options.broken(lane->options.own, "dispatch", error);
}

static void on_caught_up(void *own)
{
	struct dal_app_lane *lane = own;
	int r = dal_dispatch_start(lane->dispatch);

	if (r < 0) {
		on_dispatch_broken(lane, r);
	}
}

/* --- from the dispatch --- */

static void on_delivered(void *own, struct dal_slice row)
{
	struct dal_app_lane *lane = own;

	dal_worker_post(lane->worker,
			&(struct dal_worker_note){.kind = DAL_NOTE_DELIVERED, .row = row});
}

static void on_retry(void *own, struct dal_slice row, uint32_t attempts, int64_t due_us,
		     struct dal_slice tries)
{
	struct dal_app_lane *lane = own;

	dal_worker_post(lane->worker, &(struct dal_worker_note){.kind = DAL_NOTE_RETRY,
								.row = row,
								.attempts = attempts,
								.due_us = due_us,
								.tries = tries});
}

static void on_appended(void *own, uint64_t sequence)
{
	struct dal_app_lane *lane = own;

	dal_worker_post(lane->worker,
			&(struct dal_worker_note){.kind = DAL_NOTE_APPENDED, .sequence = sequence});
}

static void on_invocation(void *own, const struct dal_invocation *invocation, struct dal_slice row)
{
	struct dal_app_lane *lane = own;

	(void)row;
	dal_watch_invocation(lane->options.watch, invocation);
}

/* --- life --- */

static int worker_open(struct dal_app_lane *lane, struct dal_errors *errors)
{
	const struct dal_app_lane_options *options = &lane->options;
	const struct dal_app *app = options->app;

	return dal_worker_new(
		&(struct dal_worker_options){
			.lane = {.state = options->state,
				 .log = options->log,
				 .number = options->number,
				 .rules = app->rules,
				 .targets = app->targets,
				 .target_count = app->target_count,
				 .app = app->name,
				 .cache_entries = DAL_LIMIT_CACHE_ENTRIES / options->lanes,
				 .dedup_entries = DAL_LIMIT_DEDUP_ENTRIES / options->lanes,
				 .outbox = true,
				 .rebuild_changed = options->dev,
				 .dedup_us = app->settings.dedup_us,
				 .rights = options->rights,
				 .watch = &dal_watch_sink,
				 .own = options->watch},
			.rows_max = app->settings.rows,
			.generation = dal_rules_digest(app->rules),
			.committed = on_committed,
			.caught_up = on_caught_up,
			.broken = on_worker_broken,
			.own = lane,
		},
		&lane->worker, errors);
}

static void dispatch_open(struct dal_app_lane *lane)
{
	const struct dal_app_lane_options *options = &lane->options;

	lane->dispatch = dal_dispatch_new(&(struct dal_dispatch_options){
		.state = options->state,
		.log = options->log,
		.lane = options->number,
		.app = options->app->name,
		.functions = options->functions,
		.list = (const struct dal_function *const *)options->app->functions,
		.count = options->app->function_count,
		.delivered = on_delivered,
		.retry = on_retry,
		.appended = on_appended,
		.broken = on_dispatch_broken,
		.watch = on_invocation,
		.own = lane,
	});
}

int dal_app_lane_new(const struct dal_app_lane_options *options, struct dal_app_lane **out,
		     struct dal_errors *errors)
{
	struct dal_app_lane *lane = dal_calloc(1, sizeof(*lane));
	int r;

	lane->options = *options;
	r = worker_open(lane, errors);
	if (r != 0) {
		free(lane);
		return r;
	}
	dispatch_open(lane);
	*out = lane;
	return 0;
}

int dal_app_lane_start(struct dal_app_lane *lane)
{
	struct dal_worker_status status;
	int r = 0, started;

	dal_worker_status(lane->worker, &status);
	if (status.new_generation) {
		r = dal_loaded_append(lane->options.log, lane->options.app, lane->options.number,
				      &status.next);
	}
	dal_worker_status_deinit(&status);
	if (r < 0) {
		return r;
	}
	started = dal_worker_start(lane->worker);
	return started < 0 ? started : r;
}

void dal_app_lane_wake(struct dal_app_lane *lane)
{
	dal_worker_wake(lane->worker);
}

void dal_app_lane_drain(struct dal_app_lane *lane)
{
	dal_dispatch_drain(lane->dispatch);
}

void dal_app_lane_stop(struct dal_app_lane *lane)
{
	dal_dispatch_stop(lane->dispatch);
	dal_worker_stop(lane->worker);
}

void dal_app_lane_free(struct dal_app_lane *lane)
{
	if (!lane) {
		return;
	}
	dal_dispatch_free(lane->dispatch);
	dal_worker_free(lane->worker);
	free(lane);
}

struct dal_worker *dal_app_lane_worker(struct dal_app_lane *lane)
{
	return lane->worker;
}

struct dal_dispatch *dal_app_lane_dispatch(struct dal_app_lane *lane)
{
	return lane->dispatch;
}
