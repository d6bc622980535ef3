#include "functions/environment.h"

#include <stdlib.h>

#include "engine/base/memory.h"

struct list {
	char **items;
	size_t count, capacity;
};

static void add_taken(struct list *list, char *item)
{
	DAL_GROW(list->items, list->count, list->capacity);
	list->items[list->count++] = item;
}

static bool has_name(const char *variable, const char *name)
{
	size_t size = strlen(name);
	return strncmp(variable, name, size) == 0 && variable[size] == '=';
}

/* What was declared goes before what is usual. */
static void add(struct list *list, const struct dal_function *function, const char *name,
		const char *value)
{
	for (char **variable = function->environment; variable && *variable; variable++) {
		if (has_name(*variable, name)) {
			return;
		}
	}
	add_taken(list, dal_asprintf("%s=%s", name, value));
}

/* An image has its own PATH and language. */
static void add_usual(struct list *list, const struct dal_function *function)
{
	const char *path = getenv("PATH"), *home = getenv("HOME");
	if (function->sandbox || !path) {
		path = "/usr/local/bin:/usr/bin:/bin";
	}
	if (function->driver == DAL_DRIVER_PROCESS) {
		add(list, function, "PATH", path);
		add(list, function, "LANG", "C.UTF-8");
	}
	add(list, function, "HOME", function->sandbox || !home ? "/tmp" : home);
	add(list, function, "TZ", ":UTC");
	add(list, function, "AWS_REGION", "local");
	add(list, function, "AWS_DEFAULT_REGION", "local");
}

static void add_runtime(struct list *list, const struct dal_function *function,
			const char *runtime_api, uint64_t stream)
{
	const struct dal_image *image = &function->image;
	add_taken(list, dal_asprintf("AWS_LAMBDA_RUNTIME_API=%s", runtime_api));
	add_taken(list, dal_asprintf("_HANDLER=%s", function->handler ? function->handler : ""));
	add_taken(list, dal_asprintf("LAMBDA_TASK_ROOT=%s",
				     image->id ? image->task_root : function->folder));
	add_taken(list, dal_asprintf("LAMBDA_RUNTIME_DIR=%s",
				     image->id ? image->runtime_folder : function->folder));
	add_taken(list, dal_asprintf("AWS_LAMBDA_FUNCTION_NAME=%s", function->name));
	add_taken(list, dal_asprintf("AWS_LAMBDA_FUNCTION_VERSION=%s", function->version));
	add_taken(list, dal_asprintf("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=%llu",
				     (unsigned long long)(function->memory_bytes / 1000000)));
	add_taken(list, dal_asprintf("AWS_LAMBDA_LOG_GROUP_NAME=/dalamb/%s", function->name));
	add_taken(list, dal_asprintf("AWS_LAMBDA_LOG_STREAM_NAME=%s/%llu", function->version,
				     (unsigned long long)stream));
	add_taken(list, dal_strdup("AWS_LAMBDA_INITIALIZATION_TYPE=on-demand"));
	add_taken(list, dal_strdup("AWS_EXECUTION_ENV=dalamb"));
}

char **dal_environment_new(const struct dal_function *function, const char *runtime_api,
			   uint64_t stream)
{
	struct list list = {0};
	add_usual(&list, function);
	add_runtime(&list, function, runtime_api, stream);
	for (char **variable = function->environment; variable && *variable; variable++) {
		add_taken(&list, dal_strdup(*variable));
	}
	add_taken(&list, NULL);
	return list.items;
}

void dal_environment_free(char **environment)
{
	for (char **variable = environment; variable && *variable; variable++) {
		free(*variable);
	}
	free(environment);
}

bool dal_environment_reserved(struct dal_slice name)
{
	return dal_slice_is(name, "_HANDLER") || dal_slice_is(name, "AWS_EXECUTION_ENV") ||
	       dal_slice_starts(name, "AWS_LAMBDA_") || dal_slice_starts(name, "LAMBDA_");
}
