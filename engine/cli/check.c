/* dalamb check: an app loaded as `run` would, every mistake and warning told. */
#include <stdio.h>

#include "engine/app/app.h"
#include "engine/cli/cli.h"
#include "engine/event/json_write.h"

static void put_list(struct dal_json_writer *w, const char *name, const struct dal_errors *errors)
{
	dal_json_key(w, name);
	dal_json_begin_array(w);
	for (size_t i = 0; i < errors->count; i++) {
		const struct dal_error *error = &errors->items[i];
		dal_json_begin_object(w);
		if (error->file[0]) {
			dal_json_key(w, "file");
			dal_json_put_text(w, error->file);
		}
		if (error->line > 0) {
			dal_json_key(w, "line");
			dal_json_put_integer(w, error->line);
		}
		dal_json_key(w, "text");
		dal_json_put_text(w, error->text);
		dal_json_end_object(w);
	}
	dal_json_end_array(w);
}

static void print_json(const struct dal_app *app, const struct dal_errors *errors,
		       const struct dal_errors *warnings)
{
	struct dal_buffer out = {0};
	struct dal_json_writer w = {.out = &out};

	dal_json_begin_object(&w);
	dal_json_key(&w, "ok");
	dal_json_put_boolean(&w, app != NULL);
	if (app) {
		dal_json_key(&w, "app");
		dal_json_put_text(&w, app->name);
		dal_json_key(&w, "rules");
		dal_json_put_integer(&w, (int64_t)dal_rules_rule_count(app->rules));
		dal_json_key(&w, "projections");
		dal_json_put_integer(&w, (int64_t)dal_rules_projection_count(app->rules));
		dal_json_key(&w, "functions");
		dal_json_put_integer(&w, (int64_t)app->function_count);
		dal_json_key(&w, "tests");
		dal_json_put_integer(&w, (int64_t)dal_rules_test_count(app->rules));
	}
	put_list(&w, "errors", errors);
	put_list(&w, "warnings", warnings);
	dal_json_end_object(&w);
	printf("%s\n", dal_buffer_cstr(&out));
	dal_buffer_deinit(&out);
}

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

static void print_text(const struct dal_app *app, const struct dal_errors *errors,
		       const struct dal_errors *warnings)
{
	size_t rules, projections, tests;

	dal_errors_print(warnings, "warning: ");
	dal_errors_print(errors, "");
	if (!app) {
		size_t count = errors->count + errors->dropped;
		fprintf(stderr, "%zu mistake%s\n", count, plural(count));
		return;
	}
	rules = dal_rules_rule_count(app->rules);
	projections = dal_rules_projection_count(app->rules);
	tests = dal_rules_test_count(app->rules);
	printf("ok: %zu rule%s, %zu projection%s, %zu function%s, %zu test%s\n", rules,
	       plural(rules), projections, plural(projections), app->function_count,
	       plural(app->function_count), tests, plural(tests));
}

static int run(const struct dal_command *command, int argc, char **argv)
{
	const char *format = NULL, *offline = NULL;
	struct dal_option options[] = {
		{"offline", NULL, "secrets may lack, and no program is looked for", &offline},
		{"format", "json", "instead of text: one object with errors and warnings", &format},
		{0},
	};
	struct dal_errors errors = {0}, warnings = {0};
	struct dal_app *app = NULL;
	bool json;
	int r;

	if (dal_options_parse(command, options, &argc, argv) < 0 ||
	    dal_format_parse(command, format, &json) < 0) {
		return DAL_EXIT_USAGE;
	}
	if (argc > 2) {
		return dal_usage(command, "one app at a time");
	}
	r = dal_app_load(&(struct dal_app_options){.folder = argc > 1 ? argv[1] : ".",
						   .tests = true,
						   .offline = offline != NULL},
			 &app, &errors, &warnings);
	(json ? print_json : print_text)(app, &errors, &warnings);
	dal_app_free(app);
	dal_errors_deinit(&errors);
	dal_errors_deinit(&warnings);
	return r == 0 ? DAL_EXIT_DONE : DAL_EXIT_NO;
}

const struct dal_command dal_command_check = {
	.name = "check",
	.arguments = "[APP]",
	.summary = "loads an app, tells every mistake as file:line, and warns",
	.example = "  dalamb check examples/shop\n",
	.run = run,
};
