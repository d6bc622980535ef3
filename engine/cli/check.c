/* dalamb check: an app loaded as `run` would, every mistake and warning told. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/app/app.h"
#include "engine/app/feeds.h"
#include "engine/app/findings.h"
#include "engine/app/settings.h"
#include "engine/base/memory.h"
#include "engine/cli/cli.h"
#include "engine/event/event.h"
#include "engine/event/json_write.h"

#define ASK_MS 3000 /* what brokers get to answer */

struct checking {
	struct dal_app *app; /* NULL: it can't run */
	struct dal_errors errors, warnings, notes;
	bool strict;
};

/* Is it as it should be? */
static bool is_good(const struct checking *c)
{
	return c->app && !(c->strict && c->warnings.count > 0);
}

static void print_json(const struct checking *c)
{
	const struct dal_app *app = c->app;
	struct dal_buffer out = {0};
	struct dal_json_writer w = {.out = &out};

	dal_json_begin_object(&w);
	dal_json_key(&w, "ok");
	dal_json_put_boolean(&w, is_good(c));
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
	dal_json_put_errors(&w, "errors", &c->errors);
	dal_json_put_errors(&w, "warnings", &c->warnings);
	dal_json_put_errors(&w, "notes", &c->notes);
	dal_json_end_object(&w);
	printf("%s\n", dal_buffer_cstr(&out));
	dal_buffer_deinit(&out);
}

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

static void print_more(const struct dal_errors *errors, const char *kind)
{
	dal_errors_print(errors, kind);
	if (errors->dropped > 0) {
		fprintf(stderr, "%sand %zu more\n", kind, errors->dropped);
	}
}

static void print_text(const struct checking *c)
{
	const struct dal_app *app = c->app;
	size_t rules, projections, tests, count;

	print_more(&c->notes, "note: ");
	print_more(&c->warnings, "warning: ");
	dal_errors_print(&c->errors, "");
	if (!app) {
		count = c->errors.count + c->errors.dropped;
		fprintf(stderr, "%zu mistake%s\n", count, plural(count));
		return;
	}
	if (!is_good(c)) {
		count = c->warnings.count + c->warnings.dropped;
		fprintf(stderr, "%zu warning%s, and --strict takes none\n", count, plural(count));
		return;
	}
	rules = dal_rules_rule_count(app->rules);
	projections = dal_rules_projection_count(app->rules);
	tests = dal_rules_test_count(app->rules);
	printf("ok: %zu rule%s, %zu projection%s, %zu function%s, %zu test%s\n", rules,
	       plural(rules), projections, plural(projections), app->function_count,
	       plural(app->function_count), tests, plural(tests));
}

/* --- Kafka: what the brokers say, and what would need repartitioning --- */

/* At the table `log`, where it is written. */
__attribute__((format(printf, 3, 4))) static void add_at_log(const struct dal_app *app,
							     struct dal_errors *errors,
							     const char *format, ...)
{
	const char *file = "environment";
	char text[1024];
	va_list args;
	int line = 0;

	for (size_t i = 0; i < dal_rules_declaration_count(app->rules); i++) {
		const struct dal_declaration *d = dal_rules_declaration(app->rules, i);

		if (d->what == &dal_log_declarable) {
			file = d->file;
			line = d->line;
		}
	}
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	dal_errors_add(errors, file, line, "log: %s", text);
}

/* Own topics are made by `run`, others are not. */
static void warn_missing(const struct dal_app *app, const uint32_t *partitions,
			 struct dal_errors *warnings)
{
	for (size_t i = 0; i < app->settings.topic_count; i++) {
		const char *name = app->settings.topics[i].name;

		if (partitions[2 + i] == 0 && strcmp(name, DAL_TOPIC_EVENTS) != 0 &&
		    strcmp(name, DAL_TOPIC_SYSTEM) != 0) {
			add_at_log(app, warnings,
				   "the brokers have no topic \"%s\": `run` makes its own topics "
				   "only, so make this one first",
				   name);
		}
	}
}

static void partitions_ask(const struct dal_app *app, uint32_t *partitions,
			   struct dal_errors *errors, struct dal_errors *warnings)
{
	struct dal_log_options options = {.read_only = true};
	struct dal_error error = {0};
	int r;

	dal_settings_log(app, &options);
	r = dal_log_ask_partitions(&options, ASK_MS, partitions, &error);
	if (r == 0) {
		warn_missing(app, partitions, warnings);
	} else if (r == -EINVAL) {
		add_at_log(app, errors, "%s", error.text);
	} else {
		add_at_log(app, warnings,
			   "how many partitions topics have can't be asked, so several are assumed "
			   "where it isn't settled here: %s",
			   error.text);
	}
}

static bool kafka_check(const struct dal_app *app, bool offline, struct dal_errors *errors,
			struct dal_errors *warnings)
{
	uint32_t *partitions = dal_calloc(app->settings.topic_count + 2, sizeof(*partitions));

	if (!offline) {
		partitions_ask(app, partitions, errors, warnings);
	}
	dal_feeds_check(app, partitions, errors);
	dal_errors_sort(errors);
	free(partitions);
	return errors->count == 0;
}

/* --- the command --- */

static void app_check(struct checking *c, const char *folder, bool offline)
{
	struct dal_app_options options = {
		.folder = folder, .tests = true, .analyse = true, .offline = offline};

	if (dal_app_load(&options, &c->app, &c->errors, &c->warnings) != 0) {
		return;
	}
	if (c->app->settings.log_kind == DAL_LOG_KAFKA &&
	    !kafka_check(c->app, offline, &c->errors, &c->warnings)) {
		dal_app_free(c->app);
		c->app = NULL;
		return;
	}
	dal_findings(c->app, &c->warnings, &c->notes);
}

static int run(const struct dal_command *command, int argc, char **argv)
{
	const char *format = NULL, *offline = NULL, *strict = NULL;
	struct dal_option options[] = {
		{"offline", NULL, "secrets may lack; no program is looked for, no broker asked",
		 &offline},
		{"strict", NULL, "a warning is enough to exit 1", &strict},
		{"format", "json", "instead of text: one object with errors, warnings, notes",
		 &format},
		{0},
	};
	struct checking checking = {0};
	bool json;
	int status;

	if (dal_options_parse(command, options, &argc, argv) < 0 ||
	    dal_format_parse(command, format, &json) < 0) {
		return DAL_EXIT_USAGE;
	}
	if (argc > 2) {
		return dal_usage(command, "one app at a time");
	}
	checking.strict = strict != NULL;
	app_check(&checking, argc > 1 ? argv[1] : ".", offline != NULL);
	(json ? print_json : print_text)(&checking);
	status = is_good(&checking) ? DAL_EXIT_DONE : DAL_EXIT_NO;
	dal_app_free(checking.app);
	dal_errors_deinit(&checking.errors);
	dal_errors_deinit(&checking.warnings);
	dal_errors_deinit(&checking.notes);
	return status;
}

const struct dal_command dal_command_check = {
	.name = "check",
	.arguments = "[APP]",
	.summary = "loads an app, tells every mistake as file:line, and what looks wrong",
	.example = "  dalamb check examples/shop --strict\n",
	.run = run,
};
