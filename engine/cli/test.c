/* dalamb test: the rule tests of an app. */
#include <stdio.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/cli/cli.h"
#include "engine/cli/verdict.h"
#include "engine/event/json_write.h"

struct run {
	const struct dal_command *command;
	const struct dal_app *app;
	const char *name; /* a part of the names of those that are run, or NULL */
	bool json;
	struct dal_json_writer *writer;
	size_t passed, failed;
};

static void print_field(const struct dal_complaint_field *field)
{
	printf("        %s%sexpected %s, found %s\n", field->field, field->field[0] ? ": " : "",
	       field->expected ? field->expected : "nothing",
	       field->found ? field->found : "nothing");
}

static void print_text(const struct dal_verdict *verdict)
{
	const struct dal_rules_test *test = verdict->test;

	printf("%s %s\n", verdict->count == 0 ? "ok  " : "FAIL", test->name);
	for (size_t i = 0; i < verdict->count; i++) {
		const struct dal_complaint *c = &verdict->complaints[i];
		printf("     %s:%d: %s\n", test->file, c->line, c->what);
		for (size_t k = 0; k < c->field_count; k++) {
			print_field(&c->fields[k]);
		}
		for (size_t k = 0; k < c->note_count; k++) {
			printf("        %s\n", c->notes[k]);
		}
	}
}

static void put_raw(struct dal_json_writer *w, const char *key, const char *json)
{
	if (json) {
		dal_json_key(w, key);
		dal_json_put_raw(w, dal_slice_text(json));
	}
}

static void put_complaint(struct dal_json_writer *w, const struct dal_complaint *c)
{
	dal_json_begin_object(w);
	dal_json_key(w, "line");
	dal_json_put_integer(w, c->line);
	dal_json_key(w, "what");
	dal_json_put_text(w, c->what);
	dal_json_key(w, "differences");
	dal_json_begin_array(w);
	for (size_t i = 0; i < c->field_count; i++) {
		dal_json_begin_object(w);
		dal_json_key(w, "field");
		dal_json_put_text(w, c->fields[i].field);
		put_raw(w, "expected", c->fields[i].expected);
		put_raw(w, "found", c->fields[i].found);
		dal_json_end_object(w);
	}
	dal_json_end_array(w);
	dal_json_key(w, "notes");
	dal_json_begin_array(w);
	for (size_t i = 0; i < c->note_count; i++) {
		dal_json_put_text(w, c->notes[i]);
	}
	dal_json_end_array(w);
	dal_json_end_object(w);
}

static void put_verdict(struct dal_json_writer *w, const struct dal_verdict *verdict)
{
	dal_json_begin_object(w);
	dal_json_key(w, "name");
	dal_json_put_text(w, verdict->test->name);
	dal_json_key(w, "file");
	dal_json_put_text(w, verdict->test->file);
	dal_json_key(w, "line");
	dal_json_put_integer(w, verdict->test->line);
	dal_json_key(w, "ok");
	dal_json_put_boolean(w, verdict->count == 0);
	dal_json_key(w, "duration_ms");
	dal_json_put_double(w, (double)verdict->duration_us / 1000);
	dal_json_key(w, "failures");
	dal_json_begin_array(w);
	for (size_t i = 0; i < verdict->count; i++) {
		put_complaint(w, &verdict->complaints[i]);
	}
	dal_json_end_array(w);
	dal_json_end_object(w);
}

static int test_one(struct run *run, const struct dal_rules_test *test)
{
	struct dal_verdict verdict;
	int r = dal_verdict_reach(&verdict, run->app, test);

	if (r < 0) {
		dal_fail(run->command, 0, "%s:%d: this test can't be run: %s", test->file,
			 test->line, strerror(-r));
		run->failed++;
	} else {
		*(verdict.count == 0 ? &run->passed : &run->failed) += 1;
		if (run->json) {
			put_verdict(run->writer, &verdict);
		} else {
			print_text(&verdict);
		}
	}
	dal_verdict_deinit(&verdict);
	return r;
}

static int test_all(struct run *run)
{
	struct dal_buffer out = {0};
	struct dal_json_writer w = {.out = &out};
	int64_t since = dal_clock_monotonic_us();
	size_t count = dal_rules_test_count(run->app->rules);
	double duration_ms;

	run->writer = &w;
	dal_json_begin_object(&w);
	dal_json_key(&w, "tests");
	dal_json_begin_array(&w);
	for (size_t i = 0; i < count; i++) {
		const struct dal_rules_test *test = dal_rules_test(run->app->rules, i);
		if (!run->name || strstr(test->name, run->name)) {
			test_one(run, test);
		}
	}
	duration_ms = (double)(dal_clock_monotonic_us() - since) / 1000;
	dal_json_end_array(&w);
	dal_json_key(&w, "passed");
	dal_json_put_integer(&w, (int64_t)run->passed);
	dal_json_key(&w, "failed");
	dal_json_put_integer(&w, (int64_t)run->failed);
	dal_json_key(&w, "duration_ms");
	dal_json_put_double(&w, duration_ms);
	dal_json_end_object(&w);
	if (run->json) {
		printf("%s\n", dal_buffer_cstr(&out));
	} else {
		printf("%zu passed, %zu failed (%.1f ms)\n", run->passed, run->failed, duration_ms);
	}
	dal_buffer_deinit(&out);
	if (run->passed + run->failed == 0) {
		return dal_fail(run->command, DAL_EXIT_NO,
				"no test %s: write them in %s/tests/NAME_test.lua",
				run->name ? "has such a name" : "is declared", run->app->folder);
	}
	return run->failed == 0 ? DAL_EXIT_DONE : DAL_EXIT_NO;
}

static int run(const struct dal_command *command, int argc, char **argv)
{
	const char *format = NULL, *name = NULL;
	struct dal_option options[] = {
		{"name", "TEXT", "only tests whose name has this text", &name},
		{"format", "json", "instead of text", &format},
		{0},
	};
	struct dal_errors errors = {0};
	struct dal_app *app = NULL;
	bool json;
	int status = DAL_EXIT_NO;

	if (dal_options_parse(command, options, &argc, argv) < 0 ||
	    dal_format_parse(command, format, &json) < 0) {
		return DAL_EXIT_USAGE;
	}
	if (argc > 2) {
		return dal_usage(command, "one app at a time");
	}
	if (dal_app_load(&(struct dal_app_options){.folder = argc > 1 ? argv[1] : ".",
						   .tests = true,
						   .offline = true},
			 &app, &errors, NULL) == 0) {
		status = test_all(
			&(struct run){.command = command, .app = app, .name = name, .json = json});
	}
	dal_errors_print(&errors, "");
	dal_errors_deinit(&errors);
	dal_app_free(app);
	return status;
}

const struct dal_command dal_command_test = {
	.name = "test",
	.arguments = "[APP]",
	.summary = "runs the rule tests of an app (tests/*.lua)",
	.example = "  dalamb test examples/shop --name large\n",
	.run = run,
};
