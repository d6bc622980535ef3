#include "tests/unit/http/harness.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct dal_http_server *harness_start(const struct dal_http_options *options,
				      const struct dal_http_route *routes, size_t count, void *data)
{
	struct dal_http_options chosen = {.descriptor = -1};
	struct dal_http_server *server = NULL;
	struct dal_error error;

	if (options != NULL) {
		chosen = *options;
		chosen.descriptor = -1;
	}
	if (chosen.listen == NULL) {
		chosen.listen = "127.0.0.1:0";
	}
	error.text[0] = 0;
	if (dal_http_server_new(&chosen, &server, &error) != 0 ||
	    dal_http_server_add(server, routes, count, data, &error) != 0 ||
	    dal_http_server_start(server, &error) != 0) {
		fail_msg("%s", error.text);
	}
	return server;
}

void harness_stop(struct dal_http_server *server)
{
	dal_http_server_stop(server, 1000);
	dal_http_server_free(server);
}

int harness_dial(struct dal_http_server *server)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)dal_http_server_port(server)),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval patience = {5, 0};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

void harness_say(int fd, const void *text, size_t size)
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

void harness_tell(int fd, const char *text)
{
	harness_say(fd, text, strlen(text));
}

static bool is_whole(struct dal_buffer *got)
{
	const char *text = dal_buffer_cstr(got), *end = strstr(text, "\r\n\r\n"), *length;

	if (end == NULL) {
		return false;
	}
	if (strncmp(text, "HTTP/1.1 100", 12) == 0) {
		size_t interim = (size_t)(end - text) + 4;
		memmove(got->data, got->data + interim, got->size - interim);
		got->size -= interim;
		return is_whole(got);
	}
	length = strstr(text, "Content-Length: ");
	return length != NULL && length < end &&
	       got->size >= (size_t)(end - text) + 4 + strtoul(length + 16, NULL, 10);
}

int harness_hear(int fd, struct dal_buffer *out)
{
	struct dal_buffer got = {0};
	char byte;
	int status = 0;

	while (!is_whole(&got) && recv(fd, &byte, 1, 0) == 1) {
		dal_buffer_byte(&got, byte);
	}
	if (strncmp(dal_buffer_cstr(&got), "HTTP/1.1 ", 9) == 0) {
		status = (int)strtol(got.data + 9, NULL, 10);
	}
	if (out != NULL) {
		dal_buffer_append(out, got.data, got.size);
	}
	dal_buffer_deinit(&got);
	return status;
}

bool harness_hear_text(int fd, const char *text, struct dal_buffer *out)
{
	char byte;

	while (!harness_contains(out, text)) {
		if (recv(fd, &byte, 1, 0) != 1) {
			return false;
		}
		dal_buffer_byte(out, byte);
	}
	return true;
}

bool harness_closed(int fd, int wait_ms)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	char bytes[4096];

	while (poll(&poller, 1, wait_ms) == 1) {
		if (recv(fd, bytes, sizeof(bytes), 0) <= 0) {
			return true;
		}
	}
	return false;
}

int harness_ask(struct dal_http_server *server, const char *text, struct dal_buffer *out)
{
	int fd = harness_dial(server), status;

	harness_tell(fd, text);
	status = harness_hear(fd, out);
	close(fd);
	return status;
}

bool harness_contains(const struct dal_buffer *buffer, const char *text)
{
	return buffer->size > 0 && memmem(buffer->data, buffer->size, text, strlen(text)) != NULL;
}
