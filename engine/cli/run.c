/* dalamb run: an app, until a signal ends it. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "engine/api/api.h"
#include "engine/app/reload.h"
#include "engine/app/stamp.h"
#include "engine/base/clock.h"
#include "engine/base/logger.h"
#include "engine/base/memory.h"
#include "engine/cli/cli.h"

#define LOOK_MS 250        /* --dev: how often it looks for changed files */
#define AGAIN_US 2000000ll /* after a reload that was not possible just then */

struct running {
	struct dal_app_options load;
	struct dal_app *app; /* that it starts with; NULL once it runs */
	struct dal_spawner *spawner;
	struct dal_engine *engine;
	struct dal_api *api;
	struct dal_errors errors, warnings;
	uint64_t stamp; /* of its files, before they were loaded */
	int signals;    /* descriptor */
	/* reloads, told by the reloader's thread */
	atomic_int under_way;
	_Atomic(const char *)
		refused;             /* by whom the last that was not possible just then; or NULL */
	_Atomic(int64_t) refused_us; /* monotonic */
};

static void on_broken(void *own)
{
	(void)own;
	kill(getpid(), SIGTERM); /* the main thread stops it in order */
}

/* Signals become reads of a descriptor; blocked before the first thread, so all threads have them
 * blocked. */
static int signals_open(struct running *running)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	running->signals = signalfd(-1, &set, SFD_CLOEXEC);
	return running->signals < 0 ? -errno : 0;
}

static int open_all(struct running *running, bool dev)
{
	struct dal_error error = {0};
	int r = dal_spawner_start(&running->spawner, &error);

	if (r != 0) {
		dal_errors_push(&running->errors, &error);
		return r;
	}
	r = signals_open(running);
	if (r != 0) {
		return r;
	}
	r = dal_engine_new(&(struct dal_engine_options){.app = running->app,
							.load = running->load,
							.spawner = running->spawner,
							.dev = dev,
							.broken = on_broken},
			   &running->engine, &running->errors);
	if (r != 0) {
		return r;
	}
	r = dal_api_new(running->engine, &running->api, &error);
	if (r != 0) {
		dal_errors_push(&running->errors, &error);
		return r;
	}
	return dal_engine_start(running->engine, &running->errors);
}

static void close_all(struct running *running)
{
	if (running->engine) {
		dal_engine_stop(running->engine);
	}
	dal_api_free(running->api);
	dal_engine_free(running->engine);
	dal_spawner_stop(running->spawner);
	dal_app_free(running->app);
	dal_errors_deinit(&running->errors);
	dal_errors_deinit(&running->warnings);
	if (running->signals > 0) {
		close(running->signals);
	}
}

static void ready_print(const struct running *running, int64_t since_us)
{
	int port = dal_http_server_port(dal_engine_server(running->engine));

	dal_logger_write(DAL_LOGGER_INFO, "run",
			 "app \"%s\": %zu rules, %zu projections, %zu functions; listening on %s "
			 "(port %d), ready after %.1f ms",
			 running->app->name, dal_rules_rule_count(running->app->rules),
			 dal_rules_projection_count(running->app->rules),
			 running->app->function_count, running->app->settings.listen, port,
			 (double)(dal_clock_monotonic_us() - since_us) / 1000);
	for (size_t i = 0; i < running->app->function_count; i++) {
		const struct dal_function *function = running->app->functions[i];
		if (!function->sandbox) {
			dal_logger_write(
				DAL_LOGGER_WARN, "run",
				"function \"%s\" runs without a sandbox: it can do all that "
				"this user can",
				function->name);
		}
	}
}

/* --- until a signal ends it --- */

static void on_reloaded(struct dal_reload *reload)
{
	struct running *running = reload->own;

	if (reload->outcome == DAL_RELOAD_UNAVAILABLE) {
		atomic_store(&running->refused_us, dal_clock_monotonic_us());
		atomic_store(&running->refused, reload->by);
	}
	atomic_fetch_sub(&running->under_way, 1);
	free(reload); /* the engine has logged how it went */
}

static void reload(struct running *running, const char *by)
{
	struct dal_reload *wanted = dal_calloc(1, sizeof(*wanted));

	wanted->by = by;
	wanted->own = running;
	wanted->done = on_reloaded;
	atomic_store(&running->refused, NULL); /* this one does for both */
	atomic_fetch_add(&running->under_way, 1);
	dal_engine_reload(running->engine, wanted);
}

/* Nobody asks a second time for what came while projections were built, say: it is done once the
 * engine can. */
static void reload_again(struct running *running)
{
	const char *by = atomic_load(&running->refused);

	if (by && dal_clock_monotonic_us() - atomic_load(&running->refused_us) >= AGAIN_US &&
	    dal_engine_ready(running->engine)) {
		reload(running, by);
	}
}

/* The signal, or 0 after a while if there is something to look at. */
static int signal_next(struct running *running, bool dev)
{
	struct pollfd wait = {.fd = running->signals, .events = POLLIN};
	struct signalfd_siginfo info;
	bool looks = dev || atomic_load(&running->under_way) > 0 || atomic_load(&running->refused);

	if (poll(&wait, 1, looks ? LOOK_MS : -1) <= 0 ||
	    read(running->signals, &info, sizeof(info)) != sizeof(info)) {
		return 0;
	}
	return (int)info.ssi_signo;
}

/* What is being written rests for one look before it is read. */
static void look(struct running *running, uint64_t *stamp, uint64_t *seen)
{
	uint64_t now = dal_app_stamp(running->load.folder);

	if (now != *stamp && now == *seen) {
		*stamp = now;
		reload(running, "a changed file");
	}
	*seen = now;
}

static void run_until_signal(struct running *running, bool dev)
{
	uint64_t stamp = running->stamp, seen = stamp;
	int got = 0;

	while (got != SIGTERM && got != SIGINT) {
		got = signal_next(running, dev);
		if (got == SIGHUP) {
			reload(running, "SIGHUP");
		} else if (got == 0) {
			reload_again(running);
		}
		if (got == 0 && dev) {
			look(running, &stamp, &seen);
		}
	}
	dal_logger_write(DAL_LOGGER_INFO, "run", "stopping: what runs may finish");
}

static int fail(struct running *running, int status)
{
	dal_errors_print(&running->errors, "");
	close_all(running);
	return status;
}

static int run(const struct dal_command *command, int argc, char **argv)
{
	const char *dev = NULL, *listen = NULL, *data = NULL, *json = NULL;
	struct dal_option options[] = {
		{"dev", NULL,
		 "prints a line per match and invocation; reloads as files change, and rebuilds "
		 "changed projections",
		 &dev},
		{"listen", "ADDRESS", "instead of http.listen", &listen},
		{"data", "FOLDER", "instead of the app's data folder", &data},
		{"log-json", NULL, "log lines as JSON, on a terminal too", &json},
		{0},
	};
	struct running running = {0};
	int64_t since = dal_clock_monotonic_us();
	int r;

	if (dal_options_parse(command, options, &argc, argv) < 0) {
		return DAL_EXIT_USAGE;
	}
	if (argc > 2) {
		return dal_usage(command, "one app at a time");
	}
	if (json) {
		dal_logger_json_set(1);
	}
	running.load = (struct dal_app_options){
		.folder = argc > 1 ? argv[1] : ".", .data = data, .listen = listen};
	running.stamp = dev ? dal_app_stamp(running.load.folder) : 0;
	r = dal_app_load(&running.load, &running.app, &running.errors, &running.warnings);
	if (r != 0) {
		return fail(&running, DAL_EXIT_NO);
	}
	dal_errors_print(&running.warnings, "warning: ");
	if (open_all(&running, dev != NULL) != 0) {
		return fail(&running, DAL_EXIT_UNREACHABLE);
	}
	ready_print(&running, since);
	dal_app_free(running.app); /* the engine has its own, until a reload */
	running.app = NULL;
	run_until_signal(&running, dev != NULL);
	dal_engine_stop(running.engine);
	r = dal_engine_broken(running.engine) ? DAL_EXIT_UNREACHABLE : DAL_EXIT_DONE;
	close_all(&running);
	return r;
}

const struct dal_command dal_command_run = {
	.name = "run",
	.arguments = "[APP]",
	.summary = "runs an app (a folder; the current one by default)",
	.example = "  dalamb run examples/shop --dev\n",
	.run = run,
};
