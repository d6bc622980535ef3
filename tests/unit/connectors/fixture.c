#include "tests/unit/connectors/fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"

/* --- the log --- */

static void keep_item(struct fake_log *log, struct dal_sink_item *item)
{
	uintptr_t offset = item->dedup.size ? (uintptr_t)dal_map_get(log->ids, item->dedup) : 0;

	item->repeated = offset != 0;
	if (offset == 0) {
		offset = log->count + 1;
		if (item->dedup.size > 0 && !log->forget) {
			dal_map_set(log->ids, item->dedup, (void *)offset); /* NOLINT */
		}
		if (!log->forget) {
			if (log->count == log->capacity) {
				log->capacity = log->capacity ? 2 * log->capacity : 64;
				log->events = dal_reallocarray(log->events, log->capacity,
							       sizeof(*log->events));
				log->topics = dal_reallocarray(log->topics, log->capacity,
							       sizeof(*log->topics));
			}
			log->events[log->count] = (struct dal_buffer){0};
			dal_buffer_slice_append(&log->events[log->count], item->event);
			log->topics[log->count] = dal_slice_dup(item->topic);
		}
		log->count++;
	}
	item->place = (struct dal_place){item->topic, 0, offset};
}

/* A request's key: the digest of its body and the first offset, as one text. */
static int keep_request(struct fake_log *log, struct dal_sink_batch *batch)
{
	char *known = batch->request_key.size ? dal_map_get(log->requests, batch->request_key)
					      : NULL;

	if (known == NULL) {
		for (size_t i = 0; i < batch->count; i++) {
			keep_item(log, &batch->items[i]);
		}
		if (batch->request_key.size > 0) {
			known = dal_malloc(batch->request_body.size + sizeof(uint64_t));
			memcpy(known, &batch->items[0].place.offset, sizeof(uint64_t));
			memcpy(known + sizeof(uint64_t), batch->request_body.data,
			       batch->request_body.size);
			dal_map_set(log->requests, batch->request_key, known);
		}
		return 0;
	}
	if (memcmp(known + sizeof(uint64_t), batch->request_body.data, batch->request_body.size) !=
	    0) {
		return DAL_SINK_CONFLICT;
	}
	for (size_t i = 0; i < batch->count; i++) {
		uint64_t first;
		memcpy(&first, known, sizeof(first));
		batch->items[i].repeated = true;
		batch->items[i].place = (struct dal_place){batch->items[i].topic, 0, first + i};
	}
	return 0;
}

static void *writer_run(void *data)
{
	struct fake_log *log = data;

	pthread_mutex_lock(&log->lock);
	for (;;) {
		while ((log->queued == 0 || log->held) && !log->quit) {
			pthread_cond_wait(&log->changed, &log->lock);
		}
		if (log->queued == 0) {
			break;
		}
		struct dal_sink_batch *batch = log->queue[0];
		int result = 0;
		memmove(log->queue, log->queue + 1, --log->queued * sizeof(*log->queue));
		if (log->refuse_done_times > 0) {
			log->refuse_done_times--;
			result = log->refuse_done;
			batch->reason = result == DAL_SINK_REFUSED ? "as the log says" : NULL;
		} else {
			result = keep_request(log, batch);
		}
		pthread_cond_broadcast(&log->changed);
		pthread_mutex_unlock(&log->lock);
		batch->done(batch, result);
		pthread_mutex_lock(&log->lock);
	}
	pthread_mutex_unlock(&log->lock);
	return NULL;
}

static int log_append(void *own, struct dal_sink_batch *batch)
{
	struct fake_log *log = own;
	int result = 0;

	pthread_mutex_lock(&log->lock);
	log->appends++;
	if (log->refusals > 0) {
		log->refusals -= log->refusals != SIZE_MAX;
		result = log->refuse_append;
	} else if (log->queued == 64) {
		result = DAL_SINK_FULL;
	} else {
		log->queue[log->queued++] = batch;
		log->most_queued = log->queued > log->most_queued ? log->queued : log->most_queued;
		pthread_cond_broadcast(&log->changed);
	}
	pthread_mutex_unlock(&log->lock);
	return result;
}

static bool log_has_topic(void *own, struct dal_slice topic)
{
	(void)own;
	return dal_slice_is(topic, "events") || dal_slice_is(topic, "system") ||
	       dal_slice_is(topic, "orders");
}

void log_hold(struct fake_log *log, bool held)
{
	pthread_mutex_lock(&log->lock);
	log->held = held;
	pthread_cond_broadcast(&log->changed);
	pthread_mutex_unlock(&log->lock);
}

void log_refuse(struct fake_log *log, int result, size_t times)
{
	pthread_mutex_lock(&log->lock);
	log->refuse_append = result;
	log->refusals = times;
	pthread_mutex_unlock(&log->lock);
}

void log_refuse_done(struct fake_log *log, int result, size_t times)
{
	pthread_mutex_lock(&log->lock);
	log->refuse_done = result;
	log->refuse_done_times = times;
	pthread_mutex_unlock(&log->lock);
}

size_t log_count(struct fake_log *log)
{
	pthread_mutex_lock(&log->lock);
	size_t count = log->count;
	pthread_mutex_unlock(&log->lock);
	return count;
}

const char *log_event(struct fake_log *log, size_t index)
{
	pthread_mutex_lock(&log->lock);
	assert_true(index < log->count);
	const char *text = dal_buffer_cstr(&log->events[index]);
	pthread_mutex_unlock(&log->lock);
	return text;
}

void log_wait(struct fake_log *log, size_t count)
{
	int64_t until = dal_clock_monotonic_us() + 10 * 1000 * 1000;

	while (log_count(log) < count) {
		assert_true(dal_clock_monotonic_us() < until);
		nanosleep(&(struct timespec){0, 1000 * 1000}, NULL);
	}
}

static void log_free(struct fake_log *log)
{
	struct dal_slice key;
	size_t cursor = 0;
	void *value;

	pthread_mutex_lock(&log->lock);
	log->quit = true;
	pthread_cond_broadcast(&log->changed);
	pthread_mutex_unlock(&log->lock);
	pthread_join(log->writer, NULL);
	for (size_t i = 0; i < log->count && !log->forget; i++) {
		dal_buffer_deinit(&log->events[i]);
		free(log->topics[i]);
	}
	while (dal_map_next(log->requests, &cursor, &key, &value)) {
		free(value);
	}
	free(log->events);
	free(log->topics);
	dal_map_free(log->ids);
	dal_map_free(log->requests);
}

/* --- the house --- */

struct house *house_new(void)
{
	struct house *house = dal_calloc(1, sizeof(*house));
	struct dal_value secret = {0};
	struct dal_error error;

	pthread_mutex_init(&house->log.lock, NULL);
	pthread_cond_init(&house->log.changed, NULL);
	house->log.ids = dal_map_new();
	house->log.requests = dal_map_new();
	assert_int_equal(pthread_create(&house->log.writer, NULL, writer_run, &house->log), 0);
	house->options.sink = (struct dal_sink){log_append, log_has_topic, &house->log};
	dal_declaration_init(&house->declared, &dal_github_declarable, "", "dalamb.lua", 3);
	for (size_t i = 0; i < house->declared.count; i++) {
		const struct dal_field *field = &dal_github_declarable.fields[i];
		if (strcmp(field->name, "secret") == 0) {
			assert_int_equal(dal_value_parse(field, dal_slice_text("another," SECRET),
							 &secret, &error),
					 0);
			house->declared.values[i] = secret;
		}
	}
	return house;
}

void house_open(struct house *house)
{
	struct dal_http_options options = {.listen = "127.0.0.1:0", .descriptor = -1};
	struct dal_errors errors = {0};
	struct dal_error error = {.text = ""};

	dal_declaration_complete(&house->declared, &errors);
	house->ingress = dal_ingress_new(&house->options);
	house->github = dal_github_new(&house->declared, &house->options.sink, &errors);
	if (house->github == NULL) {
		fail_msg("%s", errors.items[0].text);
	}
	if (dal_http_server_new(&options, &house->server, &error) != 0 ||
	    dal_ingress_routes(house->ingress, house->server, &error) != 0 ||
	    dal_github_routes(house->github, house->server, &error) != 0 ||
	    dal_http_server_start(house->server, &error) != 0) {
		fail_msg("%s", error.text);
	}
	dal_errors_deinit(&errors);
}

void house_free(struct house *house)
{
	log_hold(&house->log, false);
	if (house->server != NULL) {
		dal_http_server_stop(house->server, 1000);
		dal_http_server_free(house->server);
	}
	dal_ingress_free(house->ingress);
	dal_github_free(house->github);
	dal_declaration_deinit(&house->declared);
	log_free(&house->log);
	free(house);
}

int house_setup(void **state)
{
	struct house *house = house_new();

	house_open(house);
	*state = house;
	return 0;
}

int house_teardown(void **state)
{
	house_free(*state);
	return 0;
}

/* --- HTTP by hand --- */

int dial(struct house *house)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)dal_http_server_port(house->server)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval patience = {20, 0};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

void say(int fd, const void *text, size_t size)
{
	const char *at = text;

	while (size > 0) {
		ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
		if (sent <= 0) {
			return; /* refused in the middle: the answer tells */
		}
		at += sent;
		size -= (size_t)sent;
	}
}

void tell(int fd, const char *text)
{
	say(fd, text, strlen(text));
}

static bool is_whole(struct dal_buffer *got)
{
	const char *text = dal_buffer_cstr(got), *end = strstr(text, "\r\n\r\n"), *length;

	if (end == NULL) {
		return false;
	}
	length = strstr(text, "Content-Length: ");
	return length != NULL && length < end &&
	       got->size >= (size_t)(end - text) + 4 + strtoul(length + 16, NULL, 10);
}

int hear(int fd, struct dal_buffer *out)
{
	struct dal_buffer got = {0};
	char bytes[4096];
	ssize_t n;
	int status = 0;

	while (!is_whole(&got) && (n = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
		dal_buffer_append(&got, bytes, (size_t)n);
	}
	if (strncmp(dal_buffer_cstr(&got), "HTTP/1.1 ", 9) == 0) {
		status = (int)strtol(got.data + 9, NULL, 10);
	}
	if (out != NULL) {
		dal_buffer_slice_append(out, dal_buffer_slice(&got));
	}
	dal_buffer_deinit(&got);
	return status;
}

int post_bytes(struct house *house, const char *path, const char *headers, const void *body,
	       size_t size, struct dal_buffer *out)
{
	struct dal_buffer request = {0};
	int fd = dial(house);

	dal_buffer_printf(&request,
			  "POST %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n",
			  path, headers, size);
	dal_buffer_append(&request, body, size);
	say(fd, request.data, request.size);
	int status = hear(fd, out);
	close(fd);
	dal_buffer_deinit(&request);
	return status;
}

int post(struct house *house, const char *path, const char *headers, const char *body,
	 struct dal_buffer *out)
{
	return post_bytes(house, path, headers, body, strlen(body), out);
}

void expect(struct house *house, const char *path, const char *headers, const char *body,
	    int status, const char *text)
{
	struct dal_buffer out = {0};
	int got = post(house, path, headers, body, &out);

	if (got != status || (text != NULL && !holds(&out, text))) {
		fail_msg("expected %d with %s, got %s", status, text ? text : "anything",
			 dal_buffer_cstr(&out));
	}
	dal_buffer_deinit(&out);
}

bool holds(const struct dal_buffer *buffer, const char *text)
{
	return buffer->size > 0 && memmem(buffer->data, buffer->size, text, strlen(text)) != NULL;
}
