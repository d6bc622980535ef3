#include "tests/unit/functions/harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/base/file.h"
#include "engine/base/memory.h"

#define WAIT_US (30 * 1000 * 1000)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static int order;

static void on_line(void *own, const char *function, const char *request, struct dal_slice line)
{
	struct app *app = own;
	(void)function;
	(void)pthread_mutex_lock(&lock);
	dal_buffer_printf(&app->lines, "%s %.*s\n", request[0] ? request : "-", (int)line.size,
			  line.data);
	(void)pthread_mutex_unlock(&lock);
}

char *app_lines(struct app *app)
{
	(void)pthread_mutex_lock(&lock);
	char *copy = dal_strdup(dal_buffer_cstr(&app->lines));
	(void)pthread_mutex_unlock(&lock);
	return copy;
}

static void make_pool(struct app *app, uint32_t instances, uint64_t memory_bytes, int64_t grace_us)
{
	struct dal_error error;
	struct dal_functions_options options = {
		.spawner = app->spawner,
		.data_folder = app->folder,
		.containers_host = app->containers,
		.instances = instances,
		.memory_bytes = memory_bytes,
		.grace_us = grace_us,
		.on_line = on_line,
		.own = app,
	};
	if (dal_functions_new(&options, &app->functions, &error) != 0) {
		fail_msg("%s", error.text);
	}
	dal_buffer_clear(&app->lines);
}

void app_renew(struct app *app, uint32_t instances, uint64_t memory_bytes, int64_t grace_us)
{
	dal_functions_free(app->functions);
	make_pool(app, instances, memory_bytes, grace_us);
}

struct app *app_fresh(void **state)
{
	struct app *app = *state;
	app_renew(app, 0, 0, 5000000);
	return app;
}

int app_set_up(void **state)
{
	struct app *app = dal_calloc(1, sizeof(*app));
	struct dal_error error;
	char folder[] = "/tmp/dalamb-functions-XXXXXX";
	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(dal_spawner_start(&app->spawner, &error), 0); /* before the first thread */
	app->folder = dal_strdup(mkdtemp(folder));
	assert_int_equal(chmod(app->folder, 0755), 0);
	make_pool(app, 0, 0, 5000000);
	struct dal_function *trial = app_function(app, "trial", (struct field[]){{0}});
	const struct dal_function *list[] = {trial};
	assert_int_equal(dal_functions_configure(app->functions, list, 1), 0);
	app->walls = !dal_functions_obstacle(app->functions, dal_slice_text("trial"), &error);
	if (!app->walls) {
		print_message("no sandbox here: %s\n", error.text);
	}
	dal_function_free(trial);
	*state = app;
	return 0;
}

static int remove_one(const char *path, const struct stat *stat_of, int kind, struct FTW *place)
{
	(void)stat_of;
	(void)kind;
	(void)place;
	return remove(path);
}

int app_tear_down(void **state)
{
	struct app *app = *state;
	dal_functions_free(app->functions);
	dal_spawner_stop(app->spawner);
	(void)nftw(app->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	dal_buffer_deinit(&app->lines);
	free(app->folder);
	free(app);
	return 0;
}

void app_write(struct app *app, const char *name, const char *file, const char *text, unsigned mode)
{
	char *folder = dal_asprintf("%s/functions/%s", app->folder, name);
	char *path = dal_asprintf("%s/%s", folder, file);
	assert_int_equal(dal_folder_make(folder, 0755), 0);
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
	free(path);
	free(folder);
}

static const struct dal_field *find_field(const char *name)
{
	const struct dal_field *field = dal_function_declarable.fields;
	while (field->name && strcmp(field->name, name) != 0) {
		field++;
	}
	assert_non_null(field->name);
	return field;
}

static void add_variable(struct dal_value *env, const char *text)
{
	struct dal_slice name, value;
	assert_true(dal_slice_cut(dal_slice_text(text), '=', &name, &value));
	env->kind = DAL_FIELD_MAP;
	env->set = env->written = true;
	env->items = dal_reallocarray(env->items, env->count + 1, sizeof(*env->items));
	env->items[env->count++] = (struct dal_value){
		.kind = DAL_FIELD_STRING,
		.set = true,
		.key = dal_slice_dup(name),
		.text = dal_slice_dup(value),
		.text_size = value.size,
	};
}

static void set_field(struct dal_declaration *declaration, const struct field *from)
{
	const struct dal_field *field = find_field(from->name);
	struct dal_value *value = &declaration->values[field - dal_function_declarable.fields];
	struct dal_error error;
	if (field->kind == DAL_FIELD_MAP) {
		add_variable(value, from->text);
		return;
	}
	dal_value_deinit(value);
	if (dal_value_parse(field, dal_slice_text(from->text), value, &error) != 0) {
		fail_msg("%s: %s", from->name, error.text);
	}
	value->set = value->written = true;
	value->line = declaration->line + 1;
}

struct dal_function *app_declare(struct app *app, const char *name, const struct field *fields,
				 char text[1024])
{
	struct dal_declaration declaration;
	struct dal_errors errors = {0};
	dal_declaration_init(&declaration, &dal_function_declarable, name, "dalamb.lua", 7);
	for (; fields->name; fields++) {
		set_field(&declaration, fields);
	}
	dal_declaration_complete(&declaration, &errors);
	assert_int_equal(errors.count, 0);
	struct dal_function *function = dal_function_new(&declaration, app->folder, &errors);
	assert_int_equal(function == NULL, errors.count > 0);
	if (!function) {
		(void)snprintf(text, 1024, "%.100s:%d: %.900s", errors.items[0].file,
			       errors.items[0].line, errors.items[0].text);
	}
	dal_errors_deinit(&errors);
	dal_declaration_deinit(&declaration);
	return function;
}

struct dal_function *app_function(struct app *app, const char *name, const struct field *fields)
{
	char text[1024] = "";
	struct dal_buffer client = {0};
	struct field all[32] = {{"command", "/usr/bin/python3,-u,client.py"}};
	size_t count = 1;
	for (; fields->name; fields++) {
		all[count++] = *fields;
	}
	assert_int_equal(dal_file_read(CLIENT, 1 << 20, &client), 0);
	app_write(app, name, "client.py", dal_buffer_cstr(&client), 0644);
	dal_buffer_deinit(&client);
	struct dal_function *function = app_declare(app, name, all, text);
	if (!function) {
		fail_msg("%s", text);
	}
	return function;
}

void app_configure(struct app *app, struct dal_function *function)
{
	const struct dal_function *list[] = {function};
	assert_int_equal(dal_functions_configure(app->functions, list, 1), 0);
	dal_function_free(function);
}

/* --- calls --- */

static void done(struct dal_invocation *invocation)
{
	struct call *call = invocation->own;
	(void)pthread_mutex_lock(&lock);
	call->outcome = invocation->outcome;
	call->result = dal_slice_dup(invocation->result);
	call->type = dal_slice_dup(invocation->error_type);
	call->message = dal_slice_dup(invocation->error_message);
	call->trace = dal_slice_dup(invocation->error_trace);
	call->ended_us = dal_clock_monotonic_us();
	call->order = ++order;
	call->done = true;
	(void)pthread_cond_broadcast(&ended);
	(void)pthread_mutex_unlock(&lock);
}

struct call *call_start(struct app *app, const char *name, const char *payload)
{
	struct call *call = dal_calloc(1, sizeof(*call));
	dal_uuid_random(call->request);
	(void)snprintf(call->name, sizeof(call->name), "%s", name);
	call->payload = dal_strdup(payload);
	call->invocation = (struct dal_invocation){
		.function = dal_slice_text(call->name),
		.request = call->request,
		.payload = dal_slice_text(call->payload),
		.client_context = dal_slice_text("{\"custom\":{\"idempotency_key\":\"a/b/1\"}}"),
		.trace = dal_slice_text("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
		.done = done,
		.own = call,
	};
	dal_functions_invoke(app->functions, &call->invocation);
	return call;
}

bool call_ended(struct call *call)
{
	(void)pthread_mutex_lock(&lock);
	bool is_done = call->done;
	(void)pthread_mutex_unlock(&lock);
	return is_done;
}

void call_wait(struct call *call)
{
	struct timespec until;
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_US / 1000000;
	int result = 0;
	(void)pthread_mutex_lock(&lock);
	while (!call->done && result == 0) {
		result = pthread_cond_timedwait(&ended, &lock, &until);
	}
	(void)pthread_mutex_unlock(&lock);
	if (result != 0) {
		fail_msg("%s %s did not end", call->name, call->payload);
	}
}

void call_free(struct call *call)
{
	free(call->payload);
	free(call->result);
	free(call->type);
	free(call->message);
	free(call->trace);
	free(call);
}

struct call *call_expect(struct app *app, const char *name, const char *payload,
			 enum dal_invoke_outcome outcome)
{
	struct call *call = call_start(app, name, payload);
	call_wait(call);
	if (call->outcome != outcome) {
		char *lines = app_lines(app);
		fail_msg("outcome %d, not %d: %s %s; result %s; lines:\n%s", call->outcome, outcome,
			 call->type, call->message, call->result, lines);
	}
	return call;
}

void call_returns(struct app *app, const char *name, const char *payload, const char *result)
{
	struct call *call = call_expect(app, name, payload, DAL_INVOKE_SUCCEEDED);
	assert_string_equal(call->result, result);
	call_free(call);
}

void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part)) {
		fail_msg("no \"%s\" in \"%s\"", part, text);
	}
}

/* --- looking at the pool --- */

struct looking {
	const char *name;
	struct dal_function_status found;
};

static void look(const struct dal_function_status *status, void *own)
{
	struct looking *looking = own;
	if (strcmp(status->name, looking->name) == 0) {
		looking->found = *status;
	}
}

struct dal_function_status app_status(struct app *app, const char *name)
{
	struct looking looking = {.name = name};
	dal_functions_status(app->functions, look, &looking);
	return looking.found;
}

void app_wait_instances(struct app *app, const char *name, uint32_t count)
{
	int64_t until_us = dal_clock_monotonic_us() + WAIT_US;
	while (app_status(app, name).instances != count) {
		if (dal_clock_monotonic_us() > until_us) {
			fail_msg("%s has %u instances, not %u", name,
				 app_status(app, name).instances, count);
		}
		(void)usleep(5000);
	}
}

void app_wait_busy(struct app *app, const char *name, uint32_t count)
{
	int64_t until_us = dal_clock_monotonic_us() + WAIT_US;
	while (app_status(app, name).busy != count) {
		if (dal_clock_monotonic_us() > until_us) {
			fail_msg("%s has %u busy, not %u", name, app_status(app, name).busy, count);
		}
		(void)usleep(1000);
	}
}

int count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;
	while (readdir(folder)) {
		count++;
	}
	(void)closedir(folder);
	return count;
}
