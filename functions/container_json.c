#include "functions/container_json.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/memory.h"
#include "engine/event/json.h"
#include "engine/event/json_write.h"
#include "functions/limits.h"

/* --- the template --- */

static void put_strings(struct dal_json_writer *w, const char *key, char *const *list)
{
	dal_json_key(w, key);
	dal_json_begin_array(w);
	for (; list && *list; list++) {
		dal_json_put_text(w, *list);
	}
	dal_json_end_array(w);
}

static void put_text(struct dal_json_writer *w, const char *key, const char *text)
{
	dal_json_key(w, key);
	dal_json_put_text(w, text);
}

static void put_number(struct dal_json_writer *w, const char *key, uint64_t number)
{
	dal_json_key(w, key);
	dal_json_put_integer(w, (int64_t)number);
}

static void put_limit(struct dal_json_writer *w, const char *name, uint64_t value)
{
	dal_json_begin_object(w);
	put_text(w, "Name", name);
	put_number(w, "Soft", value);
	put_number(w, "Hard", value);
	dal_json_end_object(w);
}

/*
 * The root is read-only, but engines leave places in it that are not: Podman /run and /var/tmp, an
 * image its volumes, both of them message queues. Each is covered by an empty file system that
 * can't be written. /dev/shm is left out by IpcMode.
 */
static void put_file_systems(struct dal_json_writer *w, const struct dal_function *function)
{
	static const char closed[] = "ro,nosuid,nodev,noexec,size=4096,notmpcopyup";
	static const char *const covered[] = {"/run", "/var/tmp", "/dev/mqueue", NULL};
	struct dal_buffer tmp = {0};
	dal_buffer_printf(&tmp, "rw,nosuid,nodev,mode=1777,notmpcopyup,size=%llu",
			  (unsigned long long)function->tmp_bytes);
	dal_json_key(w, "Tmpfs");
	dal_json_begin_object(w);
	put_text(w, "/tmp", dal_buffer_cstr(&tmp));
	for (const char *const *path = covered; *path; path++) {
		put_text(w, *path, closed);
	}
	for (char **path = function->image.volumes; path && *path; path++) {
		if (strcmp(*path, "/tmp") != 0) {
			put_text(w, *path, closed);
		}
	}
	dal_json_end_object(w);
	dal_buffer_deinit(&tmp);
}

static void put_limits(struct dal_json_writer *w, const struct dal_container_spec *spec)
{
	const struct dal_function *function = spec->function;
	put_number(w, "Memory", function->memory_bytes);
	put_number(w, "MemorySwap", function->memory_bytes); /* both together: no swap */
	put_number(w, "PidsLimit", DAL_LIMIT_FUNCTION_PROCESSES);
	if (function->cpu > 0) {
		put_number(w, "NanoCpus", (uint64_t)(function->cpu * 1e9));
	}
	dal_json_key(w, "Ulimits");
	dal_json_begin_array(w);
	put_limit(w, "nofile", spec->files);
	put_limit(w, "nproc", spec->user_processes);
	put_limit(w, "core", 0);
	dal_json_end_array(w);
}

static void put_host_config(struct dal_json_writer *w, const struct dal_container_spec *spec)
{
	struct dal_buffer network = {0}, filter = {0};
	dal_buffer_printf(&network, "ns:%s", spec->namespace_path);
	dal_buffer_printf(&filter, "seccomp=%s", spec->filter_path);
	const char *all[] = {"ALL", NULL};
	const char *security[] = {"no-new-privileges", dal_buffer_cstr(&filter), NULL};
	dal_json_key(w, "HostConfig");
	dal_json_begin_object(w);
	put_text(w, "NetworkMode", dal_buffer_cstr(&network));
	put_strings(w, "CapDrop", (char *const *)all);
	put_strings(w, "SecurityOpt", (char *const *)security);
	dal_json_key(w, "ReadonlyRootfs");
	dal_json_put_boolean(w, true);
	put_text(w, "IpcMode", "none");
	put_text(w, "CgroupnsMode", "private");
	put_file_systems(w, spec->function);
	put_limits(w, spec);
	/* Output is read from the container as it comes; nothing of it stays with the engine. */
	dal_json_key(w, "LogConfig");
	dal_json_begin_object(w);
	put_text(w, "Type", "none");
	dal_json_end_object(w);
	dal_json_end_object(w);
	dal_buffer_deinit(&network);
	dal_buffer_deinit(&filter);
}

void dal_container_write_spec(const struct dal_container_spec *spec, struct dal_buffer *out)
{
	struct dal_json_writer writer = {.out = out}, *w = &writer;
	const struct dal_function *function = spec->function;
	dal_json_begin_object(w);
	put_text(w, "Image", function->image.id);
	put_text(w, "User", function->image.user);
	put_text(w, "Hostname", spec->host_name);
	put_strings(w, "Env", spec->environment);
	if (function->command[0]) {
		put_strings(w, "Cmd", function->command);
	}
	put_number(w, "StopTimeout", 0); /* an orphan is not waited for */
	/* What an image runs now and then to look after itself would be one more program in here.
	 */
	static const char *const none[] = {"NONE", NULL};
	dal_json_key(w, "Healthcheck");
	dal_json_begin_object(w);
	put_strings(w, "Test", (char *const *)none);
	dal_json_end_object(w);
	dal_json_key(w, "Labels");
	dal_json_begin_object(w);
	put_text(w, DAL_CONTAINER_LABEL, spec->data_id);
	put_text(w, "dalamb.function", function->name);
	put_text(w, "dalamb.version", function->version);
	dal_json_end_object(w);
	put_host_config(w, spec);
	dal_json_end_object(w);
}

/* --- answers --- */

static uint32_t member(const struct dal_json *json, uint32_t object, const char *key,
		       enum dal_json_kind kind)
{
	uint32_t node = dal_json_find(json, object, dal_slice_text(key));
	return node != DAL_JSON_NONE && dal_json_kind(json, node) == kind ? node : DAL_JSON_NONE;
}

/* A copy, or NULL if there is no such text. */
static char *text_of(const struct dal_json *json, uint32_t object, const char *key)
{
	uint32_t node = member(json, object, key, DAL_JSON_STRING);
	return node == DAL_JSON_NONE ? NULL : dal_slice_dup(dal_json_string(json, node));
}

static int64_t number_of(const struct dal_json *json, uint32_t object, const char *key)
{
	uint32_t node = member(json, object, key, DAL_JSON_INTEGER);
	return node == DAL_JSON_NONE ? 0 : dal_json_integer(json, node);
}

/* NULL if it is no object or array of that kind. */
static struct dal_json *parse(struct dal_slice body, enum dal_json_kind kind)
{
	struct dal_json *json = dal_json_new();
	if (dal_json_parse(json, body, DAL_JSON_LAST_WINS, NULL) == 0 &&
	    dal_json_kind(json, DAL_JSON_ROOT) == kind) {
		return json;
	}
	dal_json_free(json);
	return NULL;
}

/* {"Components":[{"Name":"Podman Engine","Version":"4.3.1"...}...]}; Docker's is "Engine". */
int dal_container_read_engine(struct dal_slice body, struct dal_container_engine *engine)
{
	struct dal_json *json = parse(body, DAL_JSON_OBJECT);
	if (!json) {
		return -EBADMSG;
	}
	uint32_t parts = member(json, DAL_JSON_ROOT, "Components", DAL_JSON_ARRAY);
	uint32_t first = parts == DAL_JSON_NONE ? DAL_JSON_NONE : dal_json_at(json, parts, 0);
	char *name = text_of(json, first, "Name");
	char *version = text_of(json, DAL_JSON_ROOT, "Version");
	int result = name && version ? 0 : -EBADMSG;
	if (result == 0) {
		engine->podman = strncmp(name, "Podman", 6) == 0;
		(void)snprintf(engine->text, sizeof(engine->text), "%s %s", name, version);
	}
	free(name);
	free(version);
	dal_json_free(json);
	return result;
}

/* "NAME=value" of the image's environment: the value, owned; or NULL. */
static char *variable_of(const struct dal_json *json, uint32_t config, const char *name)
{
	uint32_t list = member(json, config, "Env", DAL_JSON_ARRAY);
	uint32_t count = list == DAL_JSON_NONE ? 0 : dal_json_count(json, list);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t node = dal_json_at(json, list, i);
		struct dal_slice key, value;
		if (dal_json_kind(json, node) == DAL_JSON_STRING &&
		    dal_slice_cut(dal_json_string(json, node), '=', &key, &value) &&
		    dal_slice_is(key, name)) {
			return dal_slice_dup(value);
		}
	}
	return NULL;
}

/*
 * A number that is not root's is kept, with its group if that is a number too; a name is known to
 * the image's own /etc/passwd alone, which may say that it is root: it gives way to nobody.
 */
static char *choose_user(const char *named)
{
	struct dal_slice user = dal_slice_text(named), group = {0};
	uint64_t uid, gid;
	(void)dal_slice_cut(user, ':', &user, &group);
	if (!dal_slice_to_u64(user, &uid) || uid == 0 || uid >= UINT32_MAX) {
		uid = DAL_CONTAINER_USER;
	}
	if (!dal_slice_to_u64(group, &gid) || gid == 0 || gid >= UINT32_MAX) {
		gid = DAL_CONTAINER_USER;
	}
	return dal_asprintf("%llu:%llu", (unsigned long long)uid, (unsigned long long)gid);
}

/* {"Volumes":{"/data":{}}}: its keys. */
static char **volumes_of(const struct dal_json *json, uint32_t config)
{
	uint32_t object = member(json, config, "Volumes", DAL_JSON_OBJECT);
	uint32_t count = object == DAL_JSON_NONE ? 0 : dal_json_count(json, object);
	char **list = dal_calloc(count + 1, sizeof(*list));
	uint32_t node = object + 1;
	for (uint32_t i = 0; i < count; i++) {
		list[i] = dal_slice_dup(dal_json_string(json, node));
		node = dal_json_next(json, dal_json_next(json, node));
	}
	return list;
}

static char *either_take(char *first, const char *second)
{
	return first ? first : dal_strdup(second);
}

int dal_container_read_image(struct dal_slice body, const char *name, struct dal_image *image)
{
	struct dal_json *json = parse(body, DAL_JSON_OBJECT);
	*image = (struct dal_image){0};
	uint32_t config = json ? member(json, DAL_JSON_ROOT, "Config", DAL_JSON_OBJECT)
			       : DAL_JSON_NONE;
	if (config == DAL_JSON_NONE) {
		dal_json_free(json);
		return -EBADMSG;
	}
	char *user = text_of(json, config, "User"), *folder = text_of(json, config, "WorkingDir");
	const char *place = folder && folder[0] != '\0' ? folder : "/";
	image->name = dal_strdup(name);
	image->id = text_of(json, DAL_JSON_ROOT, "Id");
	image->architecture = either_take(text_of(json, DAL_JSON_ROOT, "Architecture"), "?");
	image->system = either_take(text_of(json, DAL_JSON_ROOT, "Os"), "?");
	image->user = choose_user(user ? user : "");
	image->volumes = volumes_of(json, config);
	image->task_root = either_take(variable_of(json, config, "LAMBDA_TASK_ROOT"), place);
	image->runtime_folder = either_take(variable_of(json, config, "LAMBDA_RUNTIME_DIR"), place);
	free(user);
	free(folder);
	dal_json_free(json);
	if (!image->id) {
		dal_image_deinit(image);
		return -EBADMSG;
	}
	return 0;
}

static void put_line(struct dal_slice from, char *text, size_t size)
{
	(void)snprintf(text, size, "%.*s", (int)from.size, from.data ? from.data : "");
	for (char *at = text; *at; at++) {
		if (iscntrl((unsigned char)*at)) {
			*at = ' ';
		}
	}
}

static bool copy_id(const struct dal_json *json, uint32_t object, char id[65])
{
	char *text = text_of(json, object, "Id");
	bool good = text && strlen(text) == 64;
	if (good) {
		memcpy(id, text, 65);
	}
	free(text);
	return good;
}

/* {"Id":"...","Warnings":[]}: without the list, or with null in its place, there are none. */
int dal_container_read_created(struct dal_slice body, char id[65], char *warning, size_t size)
{
	struct dal_json *json = parse(body, DAL_JSON_OBJECT);
	int result = json && copy_id(json, DAL_JSON_ROOT, id) ? 0 : -EBADMSG;
	uint32_t list = result == 0 ? member(json, DAL_JSON_ROOT, "Warnings", DAL_JSON_ARRAY)
				    : DAL_JSON_NONE;
	warning[0] = '\0';
	if (list != DAL_JSON_NONE && dal_json_count(json, list) > 0) {
		put_line(dal_json_raw(json, dal_json_at(json, list, 0)), warning, size);
	}
	dal_json_free(json);
	return result;
}

int dal_container_read_ids(struct dal_slice body, char ***ids)
{
	struct dal_json *json = parse(body, DAL_JSON_ARRAY);
	uint32_t count = json ? dal_json_count(json, DAL_JSON_ROOT) : 0;
	char **list = dal_calloc(count + 1, sizeof(*list));
	size_t found = 0;
	for (uint32_t i = 0; i < count; i++) {
		char id[65];
		if (copy_id(json, dal_json_at(json, DAL_JSON_ROOT, i), id)) {
			list[found++] = dal_strdup(id);
		}
	}
	int result = json && found == count ? 0 : -EBADMSG;
	dal_json_free(json);
	*ids = list;
	return result;
}

int dal_container_read_state(struct dal_slice body, struct dal_container_state *state)
{
	struct dal_json *json = parse(body, DAL_JSON_OBJECT);
	uint32_t node = json ? member(json, DAL_JSON_ROOT, "State", DAL_JSON_OBJECT)
			     : DAL_JSON_NONE;
	int result = node == DAL_JSON_NONE ? -EBADMSG : 0;
	if (result == 0) {
		state->running = member(json, node, "Running", DAL_JSON_TRUE) != DAL_JSON_NONE;
		state->pid = (int)number_of(json, node, "Pid");
		state->exit_code = (int)number_of(json, node, "ExitCode");
	}
	dal_json_free(json);
	return result;
}

void dal_container_read_message(struct dal_slice body, char *text, size_t size)
{
	struct dal_json *json = parse(body, DAL_JSON_OBJECT);
	char *message = json ? text_of(json, DAL_JSON_ROOT, "message") : NULL;
	put_line(message ? dal_slice_text(message) : body, text, size);
	free(message);
	dal_json_free(json);
}
