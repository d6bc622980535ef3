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

static char **copy_list(char *const *list)
{
	size_t count = 0;
	while (list && list[count]) {
		count++;
	}
	char **copy = dal_calloc(count + 1, sizeof(*copy));
	for (size_t i = 0; i < count; i++) {
		copy[i] = dal_strdup(list[i]);
	}
	return copy;
}

static void free_list(char **list)
{
	for (char **item = list; item && *item; item++) {
		free(*item);
	}
	free(list);
}

static bool is_text(const struct dal_value *value, const char *text)
{
	return value->set && value->text && strcmp(value->text, text) == 0;
}

/* What the plan has and this version has not. */
static void refuse_later_fields(struct reading *reading)
{
	static const char *const not_yet[] = {"image", "url", "batch"};
	for (size_t i = 0; i < sizeof(not_yet) / sizeof(not_yet[0]); i++) {
		if (get(reading, not_yet[i])->written) {
			report(reading, not_yet[i],
			       "`%s` isn't supported yet: declare a process with `command`",
			       not_yet[i]);
		}
	}
	const struct dal_value *driver = get(reading, "driver");
	if (driver->set && !is_text(driver, "process")) {
		report(reading, "driver", "the driver \"%s\" isn't supported yet: use \"process\"",
		       driver->text);
	}
	if (!is_text(get(reading, "contract"), "lambda")) {
		report(reading, "contract",
		       "the contract \"%s\" isn't supported yet: use \"lambda\"",
		       get(reading, "contract")->text);
	}
	if (!is_text(get(reading, "network"), "none")) {
		report(reading, "network",
		       "networks need the container driver, which isn't supported yet: use "
		       "\"none\", or `sandbox = false` for a program that you trust");
	}
	if (get(reading, "cpu")->set) {
		report(reading, "cpu", "`cpu` isn't supported yet for processes: leave it out");
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

static void read_program(struct reading *reading, const char *app_folder)
{
	struct dal_function *function = reading->function;
	struct dal_error error;
	function->sandbox = get(reading, "sandbox")->boolean;
	function->command = list_of(get(reading, "command"));
	function->handler = dal_strdup(get(reading, "handler")->text);
	if (app_folder) {
		read_paths(reading, app_folder);
	}
	read_environment(reading);
	if (!function->command[0] || function->command[0][0] == '\0') {
		if (!get(reading, "image")->written && !get(reading, "url")->written) {
			report(reading, "command",
			       "`command` is required: the program and its arguments, "
			       "such as { \"python3\", \"-m\", \"awslambdaric\", "
			       "\"app.handler\" }");
		}
	} else if (app_folder && read_folder(reading, app_folder) && !reading->failed &&
		   dal_program_check(function, &error) != 0) {
		report(reading, "command", "%s", error.text);
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
	copy->handler = dal_strdup(function->handler);
	copy->order = dal_strdup(function->order);
	copy->command = copy_list(function->command);
	copy->paths = copy_list(function->paths);
	copy->environment = copy_list(function->environment);
	copy->final = copy_list(function->final);
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
	free(function->handler);
	free(function->order);
	free_list(function->command);
	free_list(function->paths);
	free_list(function->environment);
	free_list(function->final);
	free(function);
}
