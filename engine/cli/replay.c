/* dalamb replay: history through rules, without side effects. */
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/cli/cli.h"
#include "engine/cli/history.h"
#include "engine/cli/progress.h"
#include "engine/cli/report.h"
#include "engine/stream/lane.h"

enum { STOPPED = 1 }; /* of on_batch: there is nothing more to read */

struct replay {
	const struct dal_command *command;
	const char *url;
	bool projections, json;
	struct dal_moment from, to;
	bool has_to;

	struct dal_app *app;
	struct dal_history history;
	char *folder; /* the state's, thrown away in the end */
	struct dal_state *state;
	struct dal_lane *lane;
	struct dal_report report;
	struct dal_progress progress;
	int error; /* of the lane */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	interrupted = number;
}

static void signals_watch(void)
{
	/* the first one ends it in order, the second one at once */
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN); /* a reader that left ends it in order, by a write error */
}

/* --- a state of its own --- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
	(void)st;
	(void)kind;
	(void)walk;
	return remove(path);
}

static int lane_open(struct replay *p)
{
	const char *parent = getenv("TMPDIR");
	struct dal_errors errors = {0};
	struct dal_error error = {0};
	int r;

	p->folder = dal_asprintf("%s/dalamb-replay-XXXXXX", parent && parent[0] ? parent : "/tmp");
	if (!mkdtemp(p->folder)) {
		dal_fail(p->command, 0, "%s: %s; TMPDIR says where it may be made", p->folder,
			 strerror(errno));
		free(p->folder);
		p->folder = NULL;
		return DAL_EXIT_UNREACHABLE;
	}
	if (dal_state_open(p->folder, dal_slice_text("replay"), false, &p->state, &error) != 0) {
		return dal_fail(p->command, DAL_EXIT_UNREACHABLE, "%s", error.text);
	}
	r = dal_lane_new(&(struct dal_lane_options){.state = p->state,
						    .log = p->history.log,
						    .rules = p->app->rules,
						    .targets = p->app->targets,
						    .target_count = p->app->target_count,
						    .app = p->app->name,
						    .cache_entries = DAL_LIMIT_CACHE_ENTRIES,
						    .unlimited_time = true,
						    .dedup_us = p->app->settings.dedup_us,
						    .watch = &dal_report_sink,
						    .own = &p->report},
			 &p->lane, &errors);
	dal_errors_print(&errors, "");
	dal_errors_deinit(&errors);
	return r == 0 ? DAL_EXIT_DONE : DAL_EXIT_UNREACHABLE;
}

static void close_all(struct replay *p)
{
	dal_lane_free(p->lane);
	dal_state_close(p->state);
	dal_history_close(&p->history);
	if (p->folder) {
		nftw(p->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	}
	free(p->folder);
	dal_report_deinit(&p->report);
	dal_app_free(p->app);
}

/* --- events --- */

static void count(struct replay *p, const struct dal_log_batch *batch)
{
	p->report.events += batch->count;
	for (size_t i = 0; i < batch->count; i++) {
		p->report.told += !dal_moment_after(&p->report.from, &batch->records[i]);
	}
	dal_progress_show(&p->progress,
			  dal_position_distance(&(struct dal_position){0}, &batch->position));
}

static int on_batch(void *own, const struct dal_log_batch *all)
{
	struct replay *p = own;
	struct dal_log_batch batch = *all;
	int r;

	while (p->has_to && batch.count > 0 &&
	       !dal_moment_after(&p->to, &batch.records[batch.count - 1])) {
		batch.count--;
	}
	if (batch.count > 0) {
		r = dal_lane_process(p->lane, &batch);
		if (r != 0) {
			p->error = r;
			return STOPPED;
		}
		count(p, &batch);
	}
	return batch.count < all->count || interrupted || ferror(p->report.out) ? STOPPED : 0;
}

static int halted(const struct replay *p, const struct dal_lane_halt *halt)
{
	struct dal_buffer at = {0};
	int status;

	if (p->history.one_sequence) {
		dal_buffer_printf(&at, "offset %llu", (unsigned long long)halt->place.offset);
	} else {
		dal_place_format(&halt->place, &at);
	}
	status = dal_fail(p->command, DAL_EXIT_NO,
			  "\"%s\" failed at %s and would halt the lane: %s", halt->declaration,
			  dal_buffer_cstr(&at), halt->message);
	dal_buffer_deinit(&at);
	return status;
}

static int finish(struct replay *p, int status)
{
	if (interrupted) {
		return dal_fail(p->command, 128 + interrupted,
				"interrupted: what was told so far "
				"is all that there is");
	}
	if (p->error == DAL_LANE_HALTED) {
		return halted(p, dal_lane_halt(p->lane));
	}
	if (p->error < 0) {
		return dal_fail(p->command, DAL_EXIT_UNREACHABLE, "the events can't be folded: %s",
				strerror(-p->error));
	}
	return status;
}

static int replay_events(struct replay *p)
{
	int64_t since = dal_clock_monotonic_us();
	int status, r = 0;

	status = dal_history_read(&p->history, p->has_to ? &p->to : NULL,
				  &(struct dal_history_reader){.each = on_batch, .own = p});
	if (status == STOPPED && (p->error != 0 || interrupted || p->has_to)) {
		status = DAL_EXIT_DONE;
	}
	dal_progress_end(&p->progress);
	if (status == DAL_EXIT_DONE && p->error >= 0 && !interrupted && p->projections) {
		r = dal_report_projections(&p->report, p->state);
	}
	if (fflush(p->report.out) != 0 || ferror(p->report.out)) {
		return dal_fail(p->command, DAL_EXIT_UNREACHABLE, "the report can't be written: %s",
				strerror(errno));
	}
	if (status == DAL_EXIT_DONE) {
		dal_report_summary(&p->report, stderr, dal_clock_monotonic_us() - since, p->json);
	}
	p->error = r < 0 ? r : p->error;
	return finish(p, status);
}

/* --- the command --- */

static int app_load(struct replay *p, const char *folder, const char *rules, const char *data)
{
	struct dal_errors errors = {0};
	int r = dal_app_load(
		&(struct dal_app_options){
			.folder = folder, .rules_folder = rules, .data = data, .offline = true},
		&p->app, &errors, NULL);

	dal_errors_print(&errors, "");
	dal_errors_deinit(&errors);
	if (r == 0 && dal_rules_rule_count(p->app->rules) == 0 &&
	    dal_rules_projection_count(p->app->rules) == 0) {
		return dal_fail(p->command, DAL_EXIT_NO,
				"%s/rules has no rule and no projection: there is nothing to "
				"replay",
				rules ? rules : p->app->folder);
	}
	return r == 0 ? DAL_EXIT_DONE : DAL_EXIT_NO;
}

/* On a log with partitions a position says nothing of the other ones. */
static int moments_check(const struct replay *p)
{
	bool position = (!p->from.is_time && !p->from.is_start) || (p->has_to && !p->to.is_time);

	if (p->history.one_sequence || !position) {
		return DAL_EXIT_DONE;
	}
	return dal_usage(p->command, "this log has partitions, each with its own positions: give "
				     "--from and --to as times (--from 1 is the start)");
}

static int replay_to(struct replay *p, FILE *out)
{
	int status = dal_history_open(&p->history, p->command, p->app, p->url);

	dal_report_init(&p->report, out, p->app->rules, &p->from);
	dal_progress_begin(&p->progress, "events",
			   dal_position_distance(&(struct dal_position){0}, &p->history.end),
			   out == stdout);
	if (status == DAL_EXIT_DONE) {
		status = moments_check(p);
	}
	if (status == DAL_EXIT_DONE) {
		status = lane_open(p);
	}
	return status == DAL_EXIT_DONE ? replay_events(p) : status;
}

static int replay(struct replay *p, const char *to_file)
{
	FILE *out = stdout;
	int status;

	if (to_file) {
		out = fopen(to_file, "we");
		if (!out) {
			return dal_fail(p->command, DAL_EXIT_UNREACHABLE, "%s: %s", to_file,
					strerror(errno));
		}
	}
	signals_watch();
	status = replay_to(p, out);
	if (to_file && fclose(out) != 0) {
		status = dal_fail(p->command, DAL_EXIT_UNREACHABLE, "%s: %s", to_file,
				  strerror(errno));
	}
	return status;
}

static int moments_parse(struct replay *p, const char *from, const char *to)
{
	p->has_to = to != NULL;
	if (!from) {
		return dal_usage(p->command, "say from where on to tell: --from -1h, a time or a "
					     "position (1 is the start)");
	}
	if (!dal_moment_parse(from, &p->from) || (to && !dal_moment_parse(to, &p->to))) {
		return dal_usage(p->command,
				 "--from and --to are a position (events/0/17, 17), a time "
				 "(2026-11-24T10:00:00Z) or a time back from now (-1h)");
	}
	return DAL_EXIT_DONE;
}

static int run(const struct dal_command *command, int argc, char **argv)
{
	struct replay p = {.command = command, .history.lock = -1};
	const char *from = NULL, *to = NULL, *rules = NULL, *file = NULL, *projections = NULL,
		   *data = NULL, *format = NULL;
	struct dal_option options[] = {
		{"from", "WHEN", "tells of events from here on; all before are folded", &from},
		{"to", "WHEN", "ends before this; default: the end that there is now", &to},
		{"rules", "FOLDER", "rules/ and lib/ of this folder instead of the app's", &rules},
		{"to-file", "FILE", "writes there instead of stdout", &file},
		{"projections", NULL, "tells every entry at the end", &projections},
		{"data", "FOLDER", "data folder of a stopped engine; default: the app's", &data},
		{"url", DAL_REMOTE_OPTION, "reads the history of a running engine", &p.url},
		{"format", "json", "of the summary on stderr", &format},
		{0},
	};
	int status;

	if (dal_options_parse(command, options, &argc, argv) < 0 ||
	    dal_format_parse(command, format, &p.json) < 0) {
		return DAL_EXIT_USAGE;
	}
	if (argc > 2 || (data && p.url)) {
		return dal_usage(command,
				 argc > 2 ? "one app at a time" : "--data or --url: not both");
	}
	p.projections = projections != NULL;
	status = moments_parse(&p, from, to);
	if (status == DAL_EXIT_DONE) {
		status = app_load(&p, argc > 1 ? argv[1] : ".", rules, data);
	}
	if (status == DAL_EXIT_DONE) {
		status = replay(&p, file);
	}
	close_all(&p);
	return status;
}

const struct dal_command dal_command_replay = {
	.name = "replay",
	.arguments = "[APP] --from WHEN",
	.summary = "runs history through rules without side effects, and tells what they would do",
	.example =
		"  dalamb replay examples/shop --from -30d --rules new-rules --to-file out.ndjson\n"
		"  dalamb replay examples/shop --from 1 --projections --url "
		"http://127.0.0.1:8080\n",
	.run = run,
};
