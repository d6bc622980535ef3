#include "engine/app/app.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "connectors/connectors.h"
#include "engine/app/folder.h"
#include "engine/app/secrets.h"
#include "engine/app/settings.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"

extern char **environ;

struct dal_app_private {
	atomic_uint references;
	struct dal_path **orders; /* one a function, or NULL */
};

const struct dal_declarable *const dal_app_declarables[] = {
	&dal_app_declarable,      &dal_log_declarable,
	&dal_http_declarable,     &dal_limits_declarable,
	&dal_function_declarable, &dal_containers_declarable,
	&dal_github_declarable,   NULL,
};

static char *absolute(const char *path)
{
	char resolved[PATH_MAX], here[PATH_MAX];

	if (realpath(path, resolved)) {
		return dal_strdup(resolved);
	}
	if (path[0] == '/' || !getcwd(here, sizeof(here))) {
		return dal_strdup(path);
	}
	return dal_asprintf("%s/%s", here, path);
}

/* The folder's name, as a name: what does not fit becomes '-'. */
static char *folder_name(const char *folder)
{
	const char *slash = strrchr(folder, '/');
	char *name = dal_strdup(slash && slash[1] ? slash + 1 : "app");

	for (char *c = name; *c; c++) {
		if (*c >= 'A' && *c <= 'Z') {
			*c = (char)(*c + 'a' - 'A');
		} else if (!dal_name_valid(dal_slice(c, 1)) && (c == name || !strchr("._-", *c))) {
			*c = '-';
		}
	}
	if (strlen(name) > DAL_LIMIT_NAME_BYTES) {
		name[DAL_LIMIT_NAME_BYTES] = '\0';
	}
	if (!dal_name_valid(dal_slice_text(name))) {
		free(name);
		name = dal_strdup("app");
	}
	return name;
}

static void name_read(struct dal_app *app)
{
	for (size_t i = 0; i < dal_rules_declaration_count(app->rules); i++) {
		const struct dal_declaration *d = dal_rules_declaration(app->rules, i);
		if (d->what == &dal_app_declarable) {
			app->name = dal_strdup(d->name);
			return;
		}
	}
	app->name = app->folder ? folder_name(app->folder) : dal_strdup("app");
}

static char *data_path(const struct dal_app_options *options, const char *folder)
{
	const char *data = options->data ? options->data : getenv("DALAMB_DATA");

	if (data && data[0]) {
		return absolute(data);
	}
	return folder ? dal_asprintf("%s/data", folder) : absolute("data");
}

/* --- functions --- */

static void target_fill(struct dal_app *app, size_t index, struct dal_errors *errors)
{
	const struct dal_function *function = app->functions[index];
	struct dal_target *target = &app->targets[index];
	struct dal_error error;

	target->name = function->name;
	target->age_us = function->age_us;
	target->input_function = function->input_function;
	target->input = function->input == DAL_INPUT_DATA  ? DAL_TARGET_DATA
			: function->input == DAL_INPUT_LUA ? DAL_TARGET_LUA
							   : DAL_TARGET_EVENT;
	if (function->order && dal_path_parse(dal_slice_text(function->order),
					      &app->private_->orders[index], &error)) {
		dal_errors_add(errors, function->file, function->line, "order: %s", error.text);
	}
	target->order = app->private_->orders[index];
}

/* DALAMB_FUNC_ variables that set nothing: a name or a field is misspelt. */
static void function_variables_check(const struct dal_app *app, char *const *environment,
				     struct dal_errors *errors)
{
	size_t count = dal_rules_declaration_count(app->rules);

	for (; *environment; environment++) {
		const char *end = strchr(*environment, '=');
		bool taken = !end ||
			     !dal_slice_starts(dal_slice_text(*environment), "DALAMB_FUNC_");
		for (size_t i = 0; !taken && i < count; i++) {
			const struct dal_declaration *d = dal_rules_declaration(app->rules, i);
			taken = d->what == &dal_function_declarable &&
				dal_declaration_takes(d, *environment);
		}
		if (!taken) {
			dal_errors_add(errors, "environment", 0,
				       "%.*s sets no field of a function of this app: it is "
				       "DALAMB_FUNC_NAME_FIELD, such as DALAMB_FUNC_RESIZE_MAX",
				       (int)(end - *environment), *environment);
		}
	}
}

static void functions_read(struct dal_app *app, const struct dal_app_options *options,
			   struct dal_errors *errors)
{
	size_t count = dal_rules_declaration_count(app->rules);
	char *const *environment = options->environment ? options->environment : environ;
	const struct dal_declaration *containers = NULL;

	app->functions = dal_calloc(count + 1, sizeof(*app->functions));
	app->targets = dal_calloc(count + 1, sizeof(*app->targets));
	app->private_->orders = dal_calloc(count + 1, sizeof(*app->private_->orders));
	for (size_t i = 0; i < count; i++) {
		/* the set was made for this app alone and is not shared yet */
		struct dal_declaration *d = (struct dal_declaration *)dal_rules_declaration(
			app->rules, i);
		if (!options->offline) {
			dal_secrets_resolve(d, environment, errors);
		}
		if (d->what == &dal_function_declarable) {
			dal_declaration_environment(d, environment, errors);
		}
		if (d->what == &dal_github_declarable) {
			app->github = d;
		} else if (d->what == &dal_containers_declarable) {
			containers = d;
		} else if (d->what == &dal_function_declarable && !d->invalid) {
			struct dal_function *function = dal_function_new(
				d, options->offline ? NULL : app->folder, errors);
			if (function) {
				app->functions[app->function_count++] = function;
				target_fill(app, app->target_count++, errors);
			}
		}
	}
	function_variables_check(app, environment, errors);
	app->containers_host = dal_containers_host(containers, environment, errors);
	if (!options->offline) {
		dal_functions_pin(app->functions, app->function_count, app->containers_host,
				  errors);
	}
}

/* --- life --- */

static int rules_load(struct dal_app *app, const struct dal_app_options *options,
		      struct dal_errors *errors, struct dal_errors *warnings)
{
	struct dal_folder files = {0};
	int r;

	if (app->folder) {
		dal_folder_read(app->folder, options->rules_folder, options->tests, &files, errors);
	}
	app->file_count = files.count;
	r = dal_rules_load(&(struct dal_rules_options){.sources = files.sources,
						       .count = files.count,
						       .declarables = dal_app_declarables,
						       .call_declarable = "func",
						       .keep_invalid = true,
						       .analyse = options->analyse},
			   &app->rules, errors, warnings);
	dal_folder_deinit(&files);
	return r;
}

int dal_app_load(const struct dal_app_options *options, struct dal_app **out,
		 struct dal_errors *errors, struct dal_errors *warnings)
{
	struct dal_app *app = dal_calloc(1, sizeof(*app));
	int r = 0;

	app->private_ = dal_calloc(1, sizeof(*app->private_));
	atomic_init(&app->private_->references, 1);
	app->folder = options->folder ? absolute(options->folder) : NULL;
	app->data = data_path(options, app->folder);
	if (app->folder && access(app->folder, R_OK | X_OK) != 0) {
		dal_errors_add(
			errors, options->folder, 0,
			"there is no such folder to read (%s): name the folder of an app, or "
			"make one with `dalamb init FOLDER`",
			strerror(errno));
	} else {
		r = rules_load(app, options, errors, warnings);
	}
	if (app->rules) {
		name_read(app);
		functions_read(app, options, errors);
		dal_settings_read(app, options, errors);
	}
	if (r < 0 || errors->count > 0) {
		dal_errors_sort(errors);
		dal_app_free(app);
		return r < 0 ? r : DAL_APP_INVALID;
	}
	*out = app;
	return 0;
}

struct dal_app *dal_app_ref(struct dal_app *app)
{
	atomic_fetch_add(&app->private_->references, 1);
	return app;
}

bool dal_app_alone(const struct dal_app *app)
{
	return atomic_load(&app->private_->references) == 1;
}

void dal_app_free(struct dal_app *app)
{
	if (!app || atomic_fetch_sub(&app->private_->references, 1) > 1) {
		return;
	}
	for (size_t i = 0; i < app->function_count; i++) {
		dal_path_free(app->private_->orders[i]);
		dal_function_free(app->functions[i]);
	}
	free(app->private_->orders);
	free(app->private_);
	free(app->functions);
	free(app->targets);
	dal_settings_deinit(&app->settings);
	dal_rules_unref(app->rules);
	free(app->name);
	free(app->folder);
	free(app->data);
	free(app->containers_host);
	free(app);
}
