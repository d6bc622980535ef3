#include "functions/function.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/memory.h"
#include "functions/environment.h"
#include "functions/limits.h"

/* One declaration on its way to a function. */
struct reading {
	const struct dal_declaration *declaration;
	struct dal_errors *errors;
	struct dal_function *function;
	bool failed;
};

static const struct dal_value *get(const struct reading *reading, const char *field)
{
	return dal_declaration_get(reading->declaration, field);
}

static void report(struct reading *reading, const char *field, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* At the field's line, or the declaration's if nobody wrote the field. */
static void report(struct reading *reading, const char *field, const char *format, ...)
{
	const struct dal_value *value = field ? get(reading, field) : NULL;
	struct dal_buffer text = {0};
	va_list arguments;
	va_start(arguments, format);
	dal_buffer_vprintf(&text, format, arguments);
	va_end(arguments);
	dal_errors_add(reading->errors, reading->declaration->file,
		       value && value->line ? value->line : reading->declaration->line,
		       "func \"%s\": %s", reading->declaration->name, dal_buffer_cstr(&text));
	dal_buffer_deinit(&text);
	reading->failed = true;
}

static char **list_of(const struct dal_value *value)
{
	char **list = dal_calloc(value->count + 1, sizeof(*list));
	for (size_t i = 0; i < value->count; i++) {
		list[i] = dal_strdup(value->items[i].text);
	}
	return list;
}

static bool is_text(const struct dal_value *value, const char *text)
{
	return value->set && value->text && strcmp(value->text, text) == 0;
}

/* What the plan has and this version has not. */
static void refuse_later_fields(struct reading *reading)
{
	static const char *const not_yet[] = {"url", "batch"};
	for (size_t i = 0; i < sizeof(not_yet) / sizeof(not_yet[0]); i++) {
		if (get(reading, not_yet[i])->written) {
			report(reading, not_yet[i],
			       "`%s` isn't supported yet: declare an `image`, or a process with "
			       "`command`",
			       not_yet[i]);
		}
	}
	if (!is_text(get(reading, "contract"), "lambda")) {
		report(reading, "contract",
		       "the contract \"%s\" isn't supported yet: use \"lambda\"",
		       get(reading, "contract")->text);
	}
	if (!is_text(get(reading, "network"), "none")) {
		report(reading, "network",
		       "networks aren't supported yet: use \"none\", or a process with `sandbox = "
		       "false` for a program that you trust");
	}
	if (get(reading, "per_instance")->number != 1) {
		report(reading, "per_instance",
		       "more than one invocation at once isn't supported yet: raise `max` instead");
	}
	const struct dal_value *input = get(reading, "input");
	if (input->kind == DAL_FIELD_STRING && !is_text(input, "event") &&
	    !is_text(input, "data")) {
		report(reading, "input",
		       "the input \"%s\" isn't supported yet: use \"event\", \"data\" or a "
		       "function",
		       input->text);
	}
}

/* An image makes it a container, a command alone a process. */
static void read_driver(struct reading *reading)
{
	const struct dal_value *driver = get(reading, "driver");
	bool image = get(reading, "image")->written;
	reading->function->driver = image ? DAL_DRIVER_CONTAINER : DAL_DRIVER_PROCESS;
	if (!driver->set) {
		return;
	}
	if (is_text(driver, "sandbox") || is_text(driver, "remote")) {
		report(reading, "driver",
		       "the driver \"%s\" isn't supported yet: use \"process\" or \"container\"",
		       driver->text);
	} else if (is_text(driver, "process") && image) {
		report(reading, "driver",
		       "the driver \"process\" can't run an image: leave `driver` out");
	} else if (is_text(driver, "container") && !image) {
		report(reading, "driver", "the driver \"container\" needs an `image`");
	}
}

static void read_number(struct reading *reading, const char *field, int64_t least, int64_t most,
			uint32_t *out)
{
	int64_t number = get(reading, field)->number;
	if (number < least || number > most) {
		report(reading, field, "`%s` must be from %lld to %lld, not %lld", field,
		       (long long)least, (long long)most, (long long)number);
		return;
	}
	*out = (uint32_t)number;
}

static void read_duration(struct reading *reading, const char *field, int64_t least_us,
			  int64_t *out)
{
	*out = get(reading, field)->number;
	if (*out < least_us) {
		report(reading, field, "`%s` must be at least %lld ms", field,
		       (long long)least_us / 1000);
	}
}

static void read_size(struct reading *reading, const char *field, uint64_t least, uint64_t *out)
{
	*out = (uint64_t)get(reading, field)->number;
	if (get(reading, field)->number < (int64_t)least) {
		report(reading, field, "`%s` must be at least %llu bytes", field,
		       (unsigned long long)least);
	}
}

static void read_pool(struct reading *reading)
{
	struct dal_function *function = reading->function;
	read_duration(reading, "timeout", 1000, &function->timeout_us);
	read_duration(reading, "idle", 0, &function->idle_us);
	read_duration(reading, "age", 1000, &function->age_us);
	read_duration(reading, "backoff", 0, &function->backoff_us);
	read_size(reading, "memory", 1000 * 1000, &function->memory_bytes);
	read_size(reading, "tmp", 4096, &function->tmp_bytes);
	read_number(reading, "max", 1, DAL_LIMIT_FUNCTION_INSTANCES, &function->max);
	read_number(reading, "min", 0, DAL_LIMIT_FUNCTION_INSTANCES, &function->min);
	read_number(reading, "attempts", 1, 1000, &function->attempts);
	function->per_instance = 1;
	function->rate = get(reading, "rate")->set ? get(reading, "rate")->real : 0;
	if (get(reading, "rate")->set && function->rate <= 0) {
		report(reading, "rate", "`rate` must be more than nothing");
	}
	if (function->min > function->max) {
		report(reading, "min", "`min` is %u, more than `max`, which is %u", function->min,
		       function->max);
	}
}

static void read_delivery(struct reading *reading)
{
	struct dal_function *function = reading->function;
	const struct dal_value *order = get(reading, "order"), *input = get(reading, "input");
	function->final = list_of(get(reading, "final"));
	if (order->kind == DAL_FIELD_PATH) {
		function->order = dal_strdup(order->text);
	} else if (order->boolean) {
		report(reading, "order", "`order` is a path such as \"data.customer\", or false");
	}
	if (input->kind == DAL_FIELD_FUNCTION) {
		function->input = DAL_INPUT_LUA;
		function->input_function = input->number;
	} else {
		function->input = is_text(input, "data") ? DAL_INPUT_DATA : DAL_INPUT_EVENT;
	}
}

static bool variable_name_valid(const char *name)
{
	size_t size = strspn(name,
			     "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");
	return size > 0 && name[size] == '\0' && (name[0] < '0' || name[0] > '9');
}

static void read_environment(struct reading *reading)
{
	const struct dal_value *env = get(reading, "env");
	char **list = dal_calloc(env->count + 1, sizeof(*list));
	reading->function->environment = list;
	for (size_t i = 0; i < env->count; i++) {
		const struct dal_value *item = &env->items[i];
		if (!variable_name_valid(item->key)) {
			report(reading, "env",
			       "`%s` is no name for an environment variable: letters, "
			       "digits and _",
			       item->key);
		} else if (dal_environment_reserved(dal_slice_text(item->key))) {
			report(reading, "env", "`%s` is set by dalamb: choose another name",
			       item->key);
		} else if (strlen(item->text) != item->text_size) {
			report(reading, "env", "`%s` has a NUL byte, which no environment can hold",
			       item->key);
		} else {
			*list++ = dal_asprintf("%s=%s", item->key, item->text);
		}
	}
}

/* Relative ones are meant from the app's folder. */
static void read_paths(struct reading *reading, const char *app_folder)
{
	const struct dal_value *paths = get(reading, "paths");
	char **list = dal_calloc(paths->count + 1, sizeof(*list));
	reading->function->paths = list;
	if (paths->count > DAL_LIMIT_FUNCTION_PATHS) {
		report(reading, "paths", "there are %zu paths, %d is the most", paths->count,
		       DAL_LIMIT_FUNCTION_PATHS);
	}
	for (size_t i = 0; i < paths->count; i++) {
		const char *text = paths->items[i].text;
		char *path = text[0] == '/' ? dal_strdup(text)
					    : dal_asprintf("%s/%s", app_folder, text);
		char *real = realpath(path, NULL);
		if (!real) {
			report(reading, "paths", "the path %s: %s", path, strerror(errno));
		} else if (strcmp(real, "/") == 0) {
			report(reading, "paths",
			       "the path / would show all of the machine: name what is "
			       "needed, or set `sandbox = false`");
		} else {
			*list++ = path;
			path = NULL;
		}
		free(real);
		free(path);
	}
}

static bool read_folder(struct reading *reading, const char *app_folder)
{
	struct stat stat_of;
	struct dal_function *function = reading->function;
	function->folder = dal_asprintf("%s/functions/%s", app_folder, function->name);
	if (stat(function->folder, &stat_of) != 0 || !S_ISDIR(stat_of.st_mode)) {
		report(reading, NULL, "there is no folder %s: make it and put the program there",
		       function->folder);
		return false;
	}
	/* A sandboxed program of a root engine runs as nobody. */
	if (function->sandbox && geteuid() == 0 && (stat_of.st_mode & 0005) != 0005) {
		report(reading, NULL,
		       "the folder %s is closed to others, and sandboxed programs run as "
		       "nobody: chmod -R go+rX %s",
		       function->folder, function->folder);
	}
	return true;
}

static void read_command(struct reading *reading, const char *app_folder)
{
	struct dal_function *function = reading->function;
	struct dal_error error;
	if (get(reading, "cpu")->set) {
		report(reading, "cpu", "`cpu` isn't supported yet for processes: leave it out");
	}
	if (app_folder) {
		read_paths(reading, app_folder);
	}
	if (!function->command[0] || function->command[0][0] == '\0') {
		if (!get(reading, "url")->written) {
			report(reading, "command",
			       "`command` is required: the program and its arguments, "
			       "such as { \"python3\", \"-m\", \"awslambdaric\", "
			       "\"app.handler\" }; or an `image`");
		}
	} else if (app_folder && read_folder(reading, app_folder) && !reading->failed &&
		   dal_program_check(function, &error) != 0) {
		report(reading, "command", "%s", error.text);
	}
}

static void read_image(struct reading *reading)
{
	struct dal_function *function = reading->function;
	const char *name = get(reading, "image")->text;
	const struct dal_value *cpu = get(reading, "cpu");
	function->image.name = dal_strdup(name);
	function->cpu = cpu->set ? cpu->real : 0;
	if (name[0] == '\0' || name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
						 "uvwxyz0123456789._-/:@")] != '\0') {
		report(reading, "image",
		       "\"%s\" is no name of an image, such as \"localhost/thumbnail:1\"", name);
	}
	if (cpu->set && (function->cpu < 0.01 || function->cpu > 1024)) {
		report(reading, "cpu", "`cpu` must be from 0.01 to 1024 cores");
	}
	if (get(reading, "paths")->count > 0) {
		report(reading, "paths",
		       "`paths` are shown to processes only: put the files into the image");
	}
	if (!function->sandbox) {
		report(reading, "sandbox",
		       "an image always runs behind walls: leave `sandbox` out, or declare a "
		       "process with `command`");
	}
	if (function->memory_bytes < DAL_LIMIT_CONTAINER_MEMORY_MIN_BYTES) {
		report(reading, "memory", "a container needs a `memory` of at least 16 MB");
	}
}

static void read_program(struct reading *reading, const char *app_folder)
{
	struct dal_function *function = reading->function;
	function->sandbox = get(reading, "sandbox")->boolean;
	function->command = list_of(get(reading, "command"));
	function->handler = dal_strdup(get(reading, "handler")->text);
	read_environment(reading);
	read_driver(reading);
	if (function->driver == DAL_DRIVER_CONTAINER) {
		read_image(reading);
	} else {
		read_command(reading, app_folder);
	}
}

static size_t list_size(char *const *list)
{
	size_t size = 0;
	for (; list && *list; list++) {
		size += strlen(*list) + 1;
	}
	return size;
}

static void check_size(struct reading *reading)
{
	const struct dal_function *function = reading->function;
	size_t size = list_size(function->command) + list_size(function->paths) +
		      list_size(function->environment);
	if (size > DAL_LIMIT_FUNCTION_ENVIRONMENT_BYTES) {
		report(reading, NULL,
		       "command, paths and env have %zu bytes together, %llu is the most", size,
		       DAL_LIMIT_FUNCTION_ENVIRONMENT_BYTES);
	}
}

struct dal_function *dal_function_new(const struct dal_declaration *declaration,
				      const char *app_folder, struct dal_errors *errors)
{
	struct dal_function *function = dal_calloc(1, sizeof(*function));
	struct reading reading = {declaration, errors, function, false};
	char *root = app_folder ? realpath(app_folder, NULL) : NULL;
	function->name = dal_strdup(declaration->name);
	function->file = dal_strdup(declaration->file);
	function->line = declaration->line;
	refuse_later_fields(&reading);
	read_pool(&reading);
	read_delivery(&reading);
	read_program(&reading, root ? root : app_folder);
	check_size(&reading);
	free(root);
	if (!reading.failed && app_folder) {
		int result = dal_function_digest(function, declaration);
		if (result != 0) {
			report(&reading, NULL, "the folder %s can't be read: %s", function->folder,
			       strerror(-result));
		}
	}
	if (reading.failed) {
		dal_function_free(function);
		return NULL;
	}
	return function;
}

struct dal_function *dal_function_copy(const struct dal_function *function)
{
	struct dal_function *copy = dal_malloc(sizeof(*copy));
	*copy = *function;
	copy->name = dal_strdup(function->name);
	copy->file = dal_strdup(function->file);
	copy->folder = dal_strdup(function->folder);
	copy->image = dal_image_copy(&function->image);
	copy->handler = dal_strdup(function->handler);
	copy->order = dal_strdup(function->order);
	copy->command = dal_list_copy(function->command);
	copy->paths = dal_list_copy(function->paths);
	copy->environment = dal_list_copy(function->environment);
	copy->final = dal_list_copy(function->final);
	return copy;
}

void dal_function_free(struct dal_function *function)
{
	if (!function) {
		return;
	}
	for (char **variable = function->environment; variable && *variable; variable++) {
		explicit_bzero(*variable, strlen(*variable));
	}
	free(function->name);
	free(function->file);
	free(function->folder);
	dal_image_deinit(&function->image);
	free(function->handler);
	free(function->order);
	dal_list_free(function->command);
	dal_list_free(function->paths);
	dal_list_free(function->environment);
	dal_list_free(function->final);
	free(function);
}
