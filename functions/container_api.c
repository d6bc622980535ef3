#include "functions/container_api.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/http/client.h"
#include "functions/limits.h"

#define VERSION "/v1.41"
#define HEAD_BYTES 4096
#define REMEDY "is the container engine running (systemctl start podman.socket)?"

struct dal_container_api {
	char *socket;
	uint64_t timeout_ms;
	pthread_mutex_t lock;
	pthread_cond_t returned;
	struct dal_http_client *idle[DAL_LIMIT_CONTAINER_REQUESTS];
	size_t idle_count;
};

/* --- life --- */

static const char *socket_path(const char *host)
{
	const char *path = strncmp(host, "unix://", 7) == 0 ? host + 7 : host;
	return path[0] == '/' && strlen(path) < sizeof(((struct sockaddr_un *)0)->sun_path) ? path
											    : NULL;
}

static struct dal_http_client *connect_new(const struct dal_container_api *api)
{
	struct dal_http_client *client;
	struct dal_error error;
	int result = dal_http_client_new(
		&(struct dal_http_client_options){.base = "http://container-engine",
						  .unix_socket = api->socket,
						  .remedy = REMEDY,
						  .timeout_ms = api->timeout_ms},
		&client, &error);
	DAL_ASSERT(result == 0);
	return client;
}

int dal_container_api_new(const char *host, uint64_t timeout_ms, struct dal_container_api **out,
			  struct dal_error *error)
{
	const char *path = socket_path(host);
	if (!path) {
		dal_error_set(error,
			      "the container engine's address %s is no Unix socket: expected "
			      "\"unix:///run/podman/podman.sock\" or the like",
			      host);
		return -EINVAL;
	}
	struct dal_container_api *api = dal_calloc(1, sizeof(*api));
	api->socket = dal_strdup(path);
	api->timeout_ms = timeout_ms;
	(void)pthread_mutex_init(&api->lock, NULL);
	(void)pthread_cond_init(&api->returned, NULL);
	for (size_t i = 0; i < DAL_LIMIT_CONTAINER_REQUESTS; i++) {
		api->idle[api->idle_count++] = connect_new(api);
	}
	*out = api;
	return 0;
}

void dal_container_api_free(struct dal_container_api *api)
{
	if (!api) {
		return;
	}
	for (size_t i = 0; i < api->idle_count; i++) {
		dal_http_client_free(api->idle[i]);
	}
	(void)pthread_cond_destroy(&api->returned);
	(void)pthread_mutex_destroy(&api->lock);
	free(api->socket);
	free(api);
}

static struct dal_http_client *take(struct dal_container_api *api)
{
	(void)pthread_mutex_lock(&api->lock);
	while (api->idle_count == 0) {
		(void)pthread_cond_wait(&api->returned, &api->lock);
	}
	struct dal_http_client *client = api->idle[--api->idle_count];
	(void)pthread_mutex_unlock(&api->lock);
	return client;
}

static void give_back(struct dal_container_api *api, struct dal_http_client *client)
{
	(void)pthread_mutex_lock(&api->lock);
	api->idle[api->idle_count++] = client;
	(void)pthread_cond_signal(&api->returned);
	(void)pthread_mutex_unlock(&api->lock);
}

/* --- asking --- */

static int judge(int status, struct dal_slice body, struct dal_error *error)
{
	char message[512];
	if (status / 100 == 2 || status == 101 || status == 304) {
		return 0;
	}
	dal_container_read_message(body, message, sizeof(message));
	dal_error_set(error, "the container engine refuses (status %d): %s", status, message);
	return status == 404 ? DAL_CONTAINER_MISSING : DAL_CONTAINER_REFUSED;
}

/* Takes the target. The answer is the caller's to deinit, whatever comes of it. */
static int ask_take(struct dal_container_api *api, const char *method, char *target,
		    struct dal_slice body, struct dal_http_answer *answer, struct dal_error *error)
{
	struct dal_http_client *client = take(api);
	struct dal_http_ask ask = {
		.method = method, .target = target, .type = "application/json", .body = body};
	int result = dal_http_client_ask(client, &ask, answer, error);
	give_back(api, client);
	free(target);
	return result != 0 ? DAL_CONTAINER_AWAY
			   : judge(answer->status, dal_buffer_slice(&answer->body), error);
}

static int get_take(struct dal_container_api *api, char *target, struct dal_http_answer *answer,
		    struct dal_error *error)
{
	return ask_take(api, "GET", target, dal_slice(NULL, 0), answer, error);
}

/* An answer that can't be read is the engine's fault, in its own words or not. */
static int finish(int result, const char *what, struct dal_http_answer *answer,
		  struct dal_error *error)
{
	if (result < 0) {
		dal_error_set(error, "the container engine's answer about %s can't be read", what);
		result = DAL_CONTAINER_REFUSED;
	}
	dal_http_answer_deinit(answer);
	return result;
}

int dal_container_api_engine(struct dal_container_api *api, struct dal_container_engine *engine,
			     struct dal_error *error)
{
	struct dal_http_answer answer;
	int result = get_take(api, dal_strdup(VERSION "/version"), &answer, error);
	if (result == 0) {
		result = dal_container_read_engine(dal_buffer_slice(&answer.body), engine);
	}
	return finish(result, "its version", &answer, error);
}

int dal_container_api_image(struct dal_container_api *api, const char *name,
			    struct dal_image *image, struct dal_error *error)
{
	struct dal_http_answer answer;
	int result = get_take(api, dal_asprintf(VERSION "/images/%s/json", name), &answer, error);
	if (result == 0) {
		result = dal_container_read_image(dal_buffer_slice(&answer.body), name, image);
	}
	return finish(result, "an image", &answer, error);
}

int dal_container_api_list(struct dal_container_api *api, const char *data_id, char ***ids,
			   struct dal_error *error)
{
	struct dal_http_answer answer;
	struct dal_buffer filter = {0}, target = {0};
	dal_buffer_printf(&filter, "{\"label\":[\"" DAL_CONTAINER_LABEL "=%s\"]}", data_id);
	dal_buffer_text(&target, VERSION "/containers/json?all=1&filters=");
	dal_http_encode(dal_buffer_slice(&filter), &target);
	int result = get_take(api, dal_strdup(dal_buffer_cstr(&target)), &answer, error);
	dal_buffer_deinit(&filter);
	dal_buffer_deinit(&target);
	*ids = NULL;
	if (result == 0) {
		result = dal_container_read_ids(dal_buffer_slice(&answer.body), ids);
	}
	return finish(result, "its containers", &answer, error);
}

int dal_container_api_create(struct dal_container_api *api, const char *name, struct dal_slice spec,
			     char id[65], struct dal_error *error)
{
	struct dal_http_answer answer;
	char warning[512] = "";
	int result = ask_take(api, "POST", dal_asprintf(VERSION "/containers/create?name=%s", name),
			      spec, &answer, error);
	if (result == 0) {
		result = dal_container_read_created(dal_buffer_slice(&answer.body), id, warning,
						    sizeof(warning));
	}
	if (warning[0] != '\0') { /* a wall that would not stand */
		dal_error_set(error,
			      "the container engine leaves a limit out (%s): give this machine the "
			      "control groups it lacks",
			      warning);
		result = DAL_CONTAINER_REFUSED;
	}
	return finish(result, "a new container", &answer, error);
}

int dal_container_api_start(struct dal_container_api *api, const char *id, struct dal_error *error)
{
	struct dal_http_answer answer;
	int result = ask_take(api, "POST", dal_asprintf(VERSION "/containers/%s/start", id),
			      dal_slice(NULL, 0), &answer, error);
	return finish(result, "a start", &answer, error);
}

int dal_container_api_state(struct dal_container_api *api, const char *id,
			    struct dal_container_state *state, struct dal_error *error)
{
	struct dal_http_answer answer;
	int result = get_take(api, dal_asprintf(VERSION "/containers/%s/json", id), &answer, error);
	if (result == 0) {
		result = dal_container_read_state(dal_buffer_slice(&answer.body), state);
	}
	return finish(result, "a container", &answer, error);
}

int dal_container_api_remove(struct dal_container_api *api, const char *id, struct dal_error *error)
{
	struct dal_http_answer answer;
	int result = ask_take(api, "DELETE",
			      dal_asprintf(VERSION "/containers/%s?force=true&v=true", id),
			      dal_slice(NULL, 0), &answer, error);
	result = result == DAL_CONTAINER_MISSING ? 0 : result;
	return finish(result, "a removal", &answer, error);
}

/* --- attach: the connection stays, and what follows its head is no HTTP --- */

static int connect_stream(const struct dal_container_api *api)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", api->socket);
	int stream = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (stream < 0) {
		return -errno;
	}
	/* A busy engine's queue may be full. */
	struct timeval time = {(time_t)(api->timeout_ms / 1000),
			       (suseconds_t)(api->timeout_ms % 1000 * 1000)};
	(void)setsockopt(stream, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time));
	if (connect(stream, (struct sockaddr *)&address, sizeof(address)) != 0) {
		int result = -errno;
		(void)close(stream);
		return result;
	}
	return stream;
}

/* As recv, but not after `until_us`, however slowly bytes drip. */
static ssize_t receive(int stream, int64_t until_us, char *to, size_t size)
{
	int64_t left_ms = (until_us - dal_clock_monotonic_us()) / 1000;
	struct pollfd readable = {.fd = stream, .events = POLLIN};
	if (left_ms <= 0 || poll(&readable, 1, (int)left_ms) != 1) {
		return -1;
	}
	return recv(stream, to, size, 0);
}

/* Up to the empty line and no byte further: the container's output may follow at once. */
static bool read_head(int stream, int64_t until_us, char head[HEAD_BYTES])
{
	size_t size = 0;
	while (size < HEAD_BYTES - 1 && receive(stream, until_us, head + size, 1) == 1) {
		head[++size] = '\0';
		if (size >= 4 && strcmp(head + size - 4, "\r\n\r\n") == 0) {
			return true;
		}
	}
	return false;
}

/* The JSON document of a refusal, wherever it begins in what follows the head. */
static int refuse(int stream, int64_t until_us, int status, struct dal_error *error)
{
	char body[HEAD_BYTES] = "";
	size_t size = 0;
	ssize_t part = 1;
	while (part > 0 && size < sizeof(body) - 1 && !strchr(body, '}')) {
		part = receive(stream, until_us, body + size, sizeof(body) - 1 - size);
		size += part > 0 ? (size_t)part : 0;
		body[size] = '\0';
	}
	char *begin = strchr(body, '{'), *end = strrchr(body, '}');
	struct dal_slice message = dal_slice_text("it gives no reason");
	if (begin && end && end > begin) {
		message = dal_slice(begin, (size_t)(end - begin) + 1);
	}
	return judge(status, message, error);
}

static int open_stream(const struct dal_container_api *api, const char *id, int *out,
		       struct dal_error *error)
{
	char head[HEAD_BYTES];
	unsigned long status = 0;
	int64_t until_us = dal_clock_monotonic_us() + (int64_t)api->timeout_ms * 1000;
	int stream = connect_stream(api);
	if (stream < 0) {
		dal_error_set(error, "could not reach unix:%s: %s; " REMEDY, api->socket,
			      strerror(-stream));
		return DAL_CONTAINER_AWAY;
	}
	char *request = dal_asprintf("POST " VERSION
				     "/containers/%s/attach?stream=1&stdout=1&stderr=1 HTTP/1.1\r\n"
				     "Host: container-engine\r\nConnection: Upgrade\r\n"
				     "Upgrade: tcp\r\nContent-Length: 0\r\n\r\n",
				     id);
	size_t size = strlen(request);
	bool answered = send(stream, request, size, MSG_NOSIGNAL) == (ssize_t)size &&
			read_head(stream, until_us, head);
	free(request);
	if (answered && strncmp(head, "HTTP/1.", 7) == 0) {
		status = strtoul(head + 8, NULL, 10);
	}
	int result = 0;
	if (status == 0) {
		dal_error_set(error, "unix:%s did not answer an attach; " REMEDY, api->socket);
		result = DAL_CONTAINER_AWAY;
	} else if (status != 101 && status != 200) {
		result = refuse(stream, until_us, (int)status, error);
	}
	if (result != 0) {
		(void)close(stream);
		return result;
	}
	*out = stream;
	return 0;
}

int dal_container_api_attach(struct dal_container_api *api, const char *id, int *stream,
			     struct dal_error *error)
{
	struct dal_http_client *turn = take(api);
	int result = open_stream(api, id, stream, error);
	give_back(api, turn);
	return result;
}
