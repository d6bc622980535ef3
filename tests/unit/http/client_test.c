/* The client against our own server. */
#include "tests/unit/http/harness.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/http/client.h"

static void echo(struct dal_http_request *request, void *data)
{
	struct dal_slice type = {NULL, 0}, extra = {NULL, 0};
	char text[64];
	struct dal_http_header_line lines[] = {{"X-Extra", text}, {NULL, NULL}};

	(void)data;
	dal_http_header(request, "Content-Type", &type);
	dal_http_header(request, "X-Extra", &extra);
	snprintf(text, sizeof(text), "%.*s", (int)extra.size, extra.data);
	char *copy = dal_slice_dup(type);
	dal_http_reply(request, 200, copy, lines, dal_http_body_slice(request));
	free(copy);
}

static void refuse(struct dal_http_request *request, void *data)
{
	(void)data;
	dal_http_problem(request, 429, "too many");
}

static _Atomic(struct dal_http_request *) hanging;

static void hang(struct dal_http_request *request, void *data)
{
	(void)data;
	atomic_store(&hanging, request);
}

static int authorize(struct dal_slice token, void *data)
{
	(void)data;
	return dal_slice_is(token, "secret") ? DAL_HTTP_INGEST | DAL_HTTP_QUERY : 0;
}

static const struct dal_http_route routes[] = {
	{"POST", "/echo", DAL_HTTP_INGEST, 20000000, echo, NULL},
	{"GET", "/refuse", DAL_HTTP_QUERY, 0, refuse, NULL},
	{"GET", "/hang", DAL_HTTP_QUERY, 0, hang, NULL},
	{"POST", "/small", DAL_HTTP_INGEST, 10, echo, NULL},
};

static struct dal_http_client *make_client(struct dal_http_server *server, const char *token,
					   uint64_t timeout_ms)
{
	char base[64];
	struct dal_http_client_options options = {
		.base = base, .token = token, .timeout_ms = timeout_ms};
	struct dal_http_client *client = NULL;
	struct dal_error error;

	snprintf(base, sizeof(base), "http://127.0.0.1:%d/", dal_http_server_port(server));
	assert_int_equal(dal_http_client_new(&options, &client, &error), 0);
	return client;
}

static int ask(struct dal_http_client *client, const struct dal_http_ask *request,
	       struct dal_http_answer *answer)
{
	struct dal_error error = {.text = ""};

	if (dal_http_client_ask(client, request, answer, &error) != 0) {
		fail_msg("%s", error.text);
	}
	return answer->status;
}

struct source {
	size_t left;
};

static long read_source(char *to, size_t size, void *own)
{
	struct source *source = own;
	size_t part = size < source->left ? size : source->left;

	memset(to, 'y', part);
	source->left -= part;
	return (long)part;
}

static int write_sink(struct dal_slice piece, void *own)
{
	struct dal_buffer *sink = own;

	dal_buffer_slice_append(sink, piece);
	return sink->size > 1000000;
}

static void test_ask(void **state)
{
	struct dal_http_options options = {.authorize = authorize};
	struct dal_http_server *server = harness_start(&options, routes, 4, NULL);
	struct dal_http_client *client = make_client(server, "secret", 0);
	static const struct dal_http_header_line lines[] = {{"X-Extra", "more"}, {NULL, NULL}};
	struct dal_http_answer answer;
	struct dal_buffer big = {0}, sink = {0};

	(void)state;
	struct dal_http_ask request = {.method = "POST",
				       .target = "/echo",
				       .type = "application/json",
				       .headers = lines,
				       .body = dal_slice("{\"a\":\0}", 7)};
	assert_int_equal(ask(client, &request, &answer), 200);
	assert_true(dal_slice_equal(dal_buffer_slice(&answer.body), request.body));
	assert_string_equal(dal_buffer_cstr(&answer.type), "application/json");
	dal_http_answer_deinit(&answer);
	/* Over 1 MiB curl waits for "100 Continue". */
	memset(dal_buffer_reserve(&big, 5000000), 'x', 5000000);
	big.size = 5000000;
	request.body = dal_buffer_slice(&big);
	assert_int_equal(ask(client, &request, &answer), 200);
	assert_int_equal(answer.body.size, 5000000);
	dal_http_answer_deinit(&answer);
	/* Refused before it is sent. */
	request.target = "/small";
	assert_int_equal(ask(client, &request, &answer), 413);
	assert_true(harness_contains(&answer.body, "larger than 10 bytes"));
	dal_http_answer_deinit(&answer);
	/* Both directions in pieces. */
	struct source source = {.left = 300000};
	request = (struct dal_http_ask){.method = "POST",
					.target = "/echo",
					.type = "text/plain",
					.read = read_source,
					.write = write_sink,
					.own = &source};
	request.write = NULL;
	assert_int_equal(ask(client, &request, &answer), 200);
	assert_int_equal(answer.body.size, 300000);
	dal_http_answer_deinit(&answer);
	request = (struct dal_http_ask){.method = "POST",
					.target = "/echo",
					.body = dal_buffer_slice(&big),
					.write = write_sink,
					.own = &sink};
	assert_int_equal(ask(client, &request, &answer), 200); /* ended by the caller after 1 MB */
	assert_in_range(sink.size, 1000001, 2000000);
	dal_http_answer_deinit(&answer);
	request = (struct dal_http_ask){
		.method = "GET", .target = "/refuse", .write = write_sink, .own = &sink};
	assert_int_equal(ask(client, &request, &answer), 429);
	assert_true(harness_contains(&answer.body, "too many"));
	dal_http_answer_deinit(&answer);
	dal_buffer_deinit(&big);
	dal_buffer_deinit(&sink);
	dal_http_client_free(client);
	client = make_client(server, "wrong", 0);
	assert_int_equal(ask(client, &request, &answer), 401);
	dal_http_answer_deinit(&answer);
	dal_http_client_free(client);
	harness_stop(server);
}

static void test_unreachable(void **state)
{
	struct dal_http_server *server = harness_start(NULL, routes, 4, NULL);
	struct dal_http_client *client = make_client(server, NULL, 200), *other;
	struct dal_http_ask request = {.method = "GET", .target = "/hang"};
	struct dal_http_answer answer;
	struct dal_error error;

	(void)state;
	assert_int_equal(dal_http_client_ask(client, &request, &answer, &error),
			 DAL_HTTP_UNREACHABLE);
	assert_non_null(strstr(error.text, "did not answer GET /hang in 200 ms"));
	dal_http_reply(atomic_load(&hanging), 200, NULL, NULL, dal_slice(NULL, 0));
	harness_stop(server);
	assert_int_equal(dal_http_client_ask(client, &request, &answer, &error),
			 DAL_HTTP_UNREACHABLE);
	assert_non_null(strstr(error.text, "could not reach http://127.0.0.1:"));
	assert_non_null(strstr(
		error.text, "onnection refused; is `dalamb run` running? use --url or DALAMB_URL"));
	dal_http_client_free(client);
	struct dal_http_client_options options = {.base = "http://localhost",
						  .unix_socket = "/nowhere/socket"};
	assert_int_equal(dal_http_client_new(&options, &other, &error), 0);
	assert_int_equal(dal_http_client_ask(other, &request, &answer, &error),
			 DAL_HTTP_UNREACHABLE);
	assert_non_null(strstr(error.text, "unix:/nowhere/socket"));
	dal_http_client_free(other);
	options.base = "localhost:8080";
	assert_true(dal_http_client_new(&options, &other, &error) < 0);
	assert_non_null(strstr(error.text, "expected http://HOST:PORT"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ask),
		cmocka_unit_test(test_unreachable),
	};

	return cmocka_run_group_tests_name("http client", tests, NULL, NULL);
}
