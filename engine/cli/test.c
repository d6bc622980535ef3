/* dalamb test: the rule tests of an app, once or at each change. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/memory.h"
#include "engine/cli/edits.h"
#include "engine/cli/cli.h"
#include "engine/cli/recording.h"
#include "engine/cli/remote.h"
#include "engine/cli/results.h"

struct testing {
	const struct dal_command *command;
	char *app;  /* its folder */
	char *file; /* "tests/x_test.lua": only its tests; or NULL */
	const char *only, *junit;
	bool json, cover;
};

/* --- where --- */

static bool is_there(const char *folder, const char *name)
{
	char *path = dal_asprintf("%s/%s", folder, name);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

/* Cuts "/tests" off, if it is the folder of an app's tests. */
static bool tests_cut(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash || slash == path || strcmp(slash, "/tests") != 0 || is_there(path, "rules") ||
	    is_there(path, "dalamb.lua")) {
		return false;
	}
	*slash = '\0';
	return true;
}

/* An app's folder, its folder of tests, or a file in that. */
static void place_read(struct testing *t, const char *path)
{
	char resolved[PATH_MAX], *slash;
	struct stat status;

	if (!realpath(path, resolved) || stat(resolved, &status) != 0) {
		t->app = dal_strdup(path); /* loading it says what is wrong */
		return;
	}
	t->app = dal_strdup(resolved);
	slash = strrchr(t->app, '/');
	if (S_ISDIR(status.st_mode)) {
		tests_cut(t->app);
		return;
	}
	*slash = '\0';
	if (tests_cut(t->app)) {
		t->file = dal_asprintf("tests/%s", slash + 1);
	} else {
		*slash = '/';
	}
}

/* --- once --- */

static int junit_write(const struct testing *t, const struct dal_results *results,
		       const struct dal_errors *errors)
{
	struct dal_buffer xml = {0};
	int r;

	if (!t->junit) {
		return DAL_EXIT_DONE;
	}
	dal_junit_print(results, errors, &xml);
	r = dal_file_write(t->junit, dal_buffer_slice(&xml), 0644);
	dal_buffer_deinit(&xml);
	return r < 0 ? dal_fail(t->command, DAL_EXIT_UNREACHABLE, "%s can't be written: %s",
				t->junit, strerror(-r))
		     : DAL_EXIT_DONE;
}

static int nothing(const struct testing *t)
{
	if (t->only) {
		return dal_fail(t->command, DAL_EXIT_NO,
				"no test is called \"%s\", nor is its file: write a part of a "
				"name, or one with * in it",
				t->only);
	}
	return dal_fail(t->command, DAL_EXIT_NO,
			"no test is declared%s%s: write them in %s/tests/NAME_test.lua",
			t->file ? " in " : "", t->file ? t->file : "", t->app);
}

static int test_app(const struct testing *t, const struct dal_app *app)
{
	const struct dal_results_options options = {
		.only = t->only, .file = t->file, .cover = t->cover};
	struct dal_results results;
	int r = dal_results_run(&results, app, &options);
	int status = DAL_EXIT_NO;

	if (r < 0) {
		status = dal_fail(t->command, DAL_EXIT_UNREACHABLE, "no Lua machine: %s",
				  strerror(-r));
	} else {
		(t->json ? dal_results_print_json : dal_results_print)(&results);
		status = junit_write(t, &results, NULL);
		if (results.count == 0) {
			status = nothing(t);
		} else if (status == DAL_EXIT_DONE && results.failed > 0) {
			status = DAL_EXIT_NO;
		}
	}
	dal_results_deinit(&results);
	return status;
}

static int test_once(const struct testing *t)
{
	struct dal_errors errors = {0};
	struct dal_app *app = NULL;
	int status = DAL_EXIT_NO;

	if (dal_app_load(
		    &(struct dal_app_options){.folder = t->app, .tests = true, .offline = true},
		    &app, &errors, NULL) == 0) {
		status = test_app(t, app);
	} else if (junit_write(t, NULL, &errors) != DAL_EXIT_DONE) {
		status = DAL_EXIT_UNREACHABLE;
	}
	dal_errors_print(&errors, "");
	dal_errors_deinit(&errors);
	dal_app_free(app);
	return status;
}

/* --- at each change --- */

static int watch(const struct testing *t)
{
	struct dal_edits edits;
	struct dal_buffer name = {0};
	int r = dal_edits_open(&edits, t->app);

	while (r == 0) {
		test_once(t);
		fprintf(stderr, "dalamb test: waiting for a change (Ctrl-C ends)\n");
		if (fflush(stdout) != 0) {
			r = -errno;
			break;
		}
		r = dal_edits_wait(&edits, &name);
		if (r == 0) {
			fprintf(stderr, "dalamb test: %s changed\n", dal_buffer_cstr(&name));
		}
	}
	dal_edits_close(&edits);
	dal_buffer_deinit(&name);
	return dal_fail(t->command, DAL_EXIT_UNREACHABLE, "%s can't be watched: %s", t->app,
			strerror(-r));
}

/* --- the command --- */

static int test(struct testing *t, const char *path, bool watching,
		const struct dal_recording_options *recording)
{
	int status;

	place_read(t, path);
	if (recording->range) {
		free(t->file);
		t->file = NULL;
		status = dal_recording_make(t->command, t->app, recording, &t->file);
		if (status == DAL_EXIT_DONE) {
			status = test_once(t); /* as it is written, and read back */
		}
	} else {
		status = watching ? watch(t) : test_once(t);
	}
	free(t->app);
	free(t->file);
	return status;
}

static int run(const struct dal_command *command, int argc, char **argv)
{
	struct testing t = {.command = command};
	struct dal_recording_options recording = {0};
	const char *format = NULL, *cover = NULL, *watching = NULL;
	struct dal_option options[] = {
		{"only", "PATTERN", "tests whose name or file has this text, or is so with *",
		 &t.only},
		{"cover", NULL, "tells which rules, pattern fields and lines no test exercised",
		 &cover},
		{"watch", NULL, "again whenever a file of the app changes", &watching},
		{"junit", "FILE", "writes JUnit's XML there, too", &t.junit},
		{"record", "FROM..TO", "makes a test of recorded events; or of an NDJSON FILE",
		 &recording.range},
		{"name", "NAME", "of the recorded test: tests/NAME_test.lua", &recording.name},
		{"data", "FOLDER", "to record from a stopped engine; default: the app's",
		 &recording.data},
		{"url", DAL_REMOTE_OPTION, "to record from a running engine", &recording.url},
		{"format", "json", "instead of text", &format},
		{0},
	};

	if (dal_options_parse(command, options, &argc, argv) < 0 ||
	    dal_format_parse(command, format, &t.json) < 0) {
		return DAL_EXIT_USAGE;
	}
	if (argc > 2) {
		return dal_usage(command, "one app at a time");
	}
	if (!recording.range && (recording.name || recording.data || recording.url)) {
		return dal_usage(command, "--name, --data and --url belong to --record; tests are "
					  "chosen by --only");
	}
	if (recording.range && (watching || t.only)) {
		return dal_usage(command, "--record makes one test: no --only, no --watch");
	}
	if (recording.data && recording.url) {
		return dal_usage(command, "--data or --url: not both");
	}
	t.cover = cover != NULL;
	return test(&t, argc > 1 ? argv[1] : ".", watching != NULL, &recording);
}

const struct dal_command dal_command_test = {
	.name = "test",
	.arguments = "[APP|FOLDER]",
	.summary = "runs the rule tests of an app (tests/*.lua), or makes one of recorded events",
	.example = "  dalamb test examples/shop --only large --cover\n"
		   "  dalamb test examples/shop/tests/orders_test.lua --watch\n"
		   "  dalamb test examples/shop --record 17..20 --name order-17 --url "
		   "http://127.0.0.1:8080\n",
	.run = run,
};
