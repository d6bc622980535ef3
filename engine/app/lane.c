#include "engine/app/lane.h"

#include "engine/app/loaded.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"

struct dal_app_lane {
	struct dal_app_lane_options options;
	struct dal_worker *worker;
	struct dal_dispatch *dispatch;
	struct dal_lane_next *next; /* made ready to switch to */
	char *name;                 /* of the app: it is the same in all editions */
};

void dal_edition_deinit(struct dal_edition *edition)
{
	dal_watch_rules_free(edition->watch);
	dal_feeds_free(edition->feeds);
	dal_app_free(edition->app);
	*edition = (struct dal_edition){0};
}

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

static struct dal_lane_options lane_options(const struct dal_app_lane *lane,
					    const struct dal_edition *edition)
{
	const struct dal_app_lane_options *options = &lane->options;
	const struct dal_app *app = edition->app;

	return (struct dal_lane_options){
		.state = options->state,
		.log = options->log,
		.number = options->number,
		.rules = app->rules,
		.targets = app->targets,
		.target_count = app->target_count,
		.app = lane->name,
		.cache_entries = DAL_LIMIT_CACHE_ENTRIES / options->lanes,
		.dedup_entries = DAL_LIMIT_DEDUP_ENTRIES / options->lanes,
		.outbox = true,
		.rebuild_changed = options->dev,
		.dedup_us = app->settings.dedup_us,
		.rights = dal_feeds_rights(edition->feeds),
		.watch = &dal_watch_sink,
		.own = edition->watch,
	};
}

static int worker_open(struct dal_app_lane *lane, struct dal_errors *errors)
{
	const struct dal_edition *edition = lane->options.edition;

	return dal_worker_new(
		&(struct dal_worker_options){
			.lane = lane_options(lane, edition),
			.rows_max = edition->app->settings.rows,
			.generation = dal_rules_digest(edition->app->rules),
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
	const struct dal_app *app = options->edition->app;

	lane->dispatch = dal_dispatch_new(&(struct dal_dispatch_options){
		.state = options->state,
		.log = options->log,
		.lane = options->number,
		.app = lane->name,
		.functions = options->functions,
		.list = (const struct dal_function *const *)app->functions,
		.count = app->function_count,
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
	lane->name = dal_strdup(options->edition->app->name);
	r = worker_open(lane, errors);
	if (r != 0) {
		free(lane->name);
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
		r = dal_loaded_append(
			lane->options.log, lane->options.edition->app,
			&(struct dal_loaded_place){lane->options.number, &status.next}, 1);
	}
	dal_worker_status_deinit(&status);
	if (r < 0) {
		return r;
	}
	started = dal_worker_start(lane->worker);
	return started < 0 ? started : r;
}

/* --- another edition --- */

struct building {
	bool (*go_on)(void *own);
	void *own;
};

static bool on_progress(void *own, const char *projection, uint64_t done, uint64_t end)
{
	const struct building *building = own;

	(void)projection;
	(void)done;
	(void)end;
	return building->go_on(building->own);
}

static void halt_report(const struct dal_app *app, const struct dal_lane_halt *halt,
			struct dal_errors *errors)
{
	long index = dal_rules_projection_index(app->rules, dal_slice_text(halt->declaration));
	const struct dal_projection *projection = index < 0 ? NULL
							    : dal_rules_projection(app->rules,
										   (size_t)index);
	struct dal_buffer place = {0};

	dal_place_format(&halt->place, &place);
	dal_errors_add(errors, projection ? projection->file : NULL,
		       projection ? projection->line : 0,
		       "projection \"%s\" can't be built from the log: it halts at %s: %s",
		       halt->declaration, dal_buffer_cstr(&place), halt->message);
	dal_buffer_deinit(&place);
}

int dal_app_lane_ready(struct dal_app_lane *lane, const struct dal_edition *edition,
		       bool (*go_on)(void *own), void *own, struct dal_errors *errors)
{
	struct dal_lane_options options = lane_options(lane, edition);
	struct dal_lane_halt halt;
	int r;

	r = dal_lane_build_beside(&options, on_progress, &(struct building){go_on, own}, &halt);
	if (r == DAL_LANE_HALTED) {
		halt_report(edition->app, &halt, errors);
	}
	return r == 0 ? dal_worker_next_new(lane->worker, &options, &lane->next) : r;
}

int dal_app_lane_hold(struct dal_app_lane *lane, int64_t timeout_us, struct dal_position *at)
{
	return dal_worker_hold(lane->worker, timeout_us, at);
}

void dal_app_lane_release(struct dal_app_lane *lane)
{
	dal_worker_release(lane->worker);
}

int dal_app_lane_go(struct dal_app_lane *lane, struct dal_slice generation)
{
	struct dal_lane_next *next = lane->next;

	lane->next = NULL;
	return dal_worker_switch(lane->worker, next, generation);
}

void dal_app_lane_forget(struct dal_app_lane *lane)
{
	dal_lane_next_free(lane->next);
	lane->next = NULL;
}

void dal_app_lane_expect(struct dal_app_lane *lane, const struct dal_edition *edition)
{
	dal_dispatch_expect(lane->dispatch,
			    (const struct dal_function *const *)edition->app->functions,
			    edition->app->function_count);
}

void dal_app_lane_configure(struct dal_app_lane *lane, const struct dal_edition *edition)
{
	dal_dispatch_configure(lane->dispatch,
			       (const struct dal_function *const *)edition->app->functions,
			       edition->app->function_count);
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
	dal_lane_next_free(lane->next);
	dal_worker_free(lane->worker);
	free(lane->name);
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
