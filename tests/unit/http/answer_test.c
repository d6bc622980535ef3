/* Answers that come later, bodies in pieces, streams, life of the server. */
#include "tests/unit/http/harness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/queue.h"

/* A thread that answers what it is handed, in bursts, as the log's writer does. */
struct replier {
	struct dal_queue *queue;
	pthread_t thread;
	atomic_bool quit;
	atomic_int released;
};

static void *answer_all(void *data)
{
	struct replier *replier = data;

	while (!atomic_load(&replier->quit)) {
		void *item;
		if (dal_queue_pop(replier->queue, 10000, &item) == 0) {
			struct dal_http_request *request = item;
			dal_http_reply(request, 200, "text/plain", NULL,
				       dal_http_body_slice(request));
		}
	}
	return NULL;
}

static void replier_start(struct replier *replier)
{
	*replier = (struct replier){.queue = dal_queue_new(1024)};
	assert_int_equal(pthread_create(&replier->thread, NULL, answer_all, replier), 0);
}

static void replier_stop(struct replier *replier)
{
	atomic_store(&replier->quit, true);
	pthread_join(replier->thread, NULL);
	dal_queue_free(replier->queue);
}

static void count_release(void *own)
{
	atomic_fetch_add((atomic_int *)own, 1);
}

static void defer(struct dal_http_request *request, void *data)
{
	struct replier *replier = data;

	dal_http_attach(request, &replier->released, count_release);
	assert_int_equal(dal_queue_push(replier->queue, request), 0);
}

#define CLIENTS 64
#define ROUNDS 50

struct load {
	struct dal_http_server *server;
	atomic_int answered;
	int number;
};

static void *ask_often(void *data)
{
	struct load *load = data;
	int fd = harness_dial(load->server);

	for (int i = 0; i < ROUNDS; i++) {
		struct dal_buffer answer = {0};
		char request[256], body[32];
		int size = snprintf(body, sizeof(body), "body %d %d", load->number, i);

		snprintf(request, sizeof(request),
			 "POST /later HTTP/1.1\r\n" HEAD "Content-Length: %d\r\n\r\n%s", size,
			 body);
		harness_tell(fd, request);
		if (harness_hear(fd, &answer) == 200 && harness_contains(&answer, body)) {
			atomic_fetch_add(&load->answered, 1);
		}
		dal_buffer_deinit(&answer);
	}
	close(fd);
	return NULL;
}

/* Replies race with handlers that have not returned, and with connections that are going to sleep.
 */
static void test_deferred(void **state)
{
	static const struct dal_http_route route = {"POST", "/later", DAL_HTTP_INGEST,
						    1000,   defer,    NULL};
	struct replier replier;
	struct load loads[CLIENTS];
	pthread_t threads[CLIENTS];
	int answered = 0;

	(void)state;
	replier_start(&replier);
	struct dal_http_server *server = harness_start(NULL, &route, 1, &replier);
	for (int i = 0; i < CLIENTS; i++) {
		loads[i] = (struct load){.server = server, .number = i};
		pthread_create(&threads[i], NULL, ask_often, &loads[i]);
	}
	for (int i = 0; i < CLIENTS; i++) {
		pthread_join(threads[i], NULL);
		answered += atomic_load(&loads[i].answered);
	}
	assert_int_equal(answered, CLIENTS * ROUNDS);
	harness_stop(server);
	assert_int_equal(atomic_load(&replier.released), CLIENTS * ROUNDS);
	replier_stop(&replier);
}

static _Atomic(struct dal_http_request *) held;

static void hold(struct dal_http_request *request, void *data)
{
	(void)data;
	atomic_store(&held, request);
}

static struct dal_http_request *wait_held(void)
{
	struct dal_http_request *request;

	while ((request = atomic_exchange(&held, NULL)) == NULL) {
		usleep(1000);
	}
	return request;
}

/* A client that hangs up must not free the request under whoever is to answer it. */
static void test_client_gone(void **state)
{
	static const struct dal_http_route route = {"POST", "/hold", DAL_HTTP_INGEST,
						    1000,   hold,    NULL};
	struct dal_http_server *server = harness_start(NULL, &route, 1, NULL);
	atomic_int released = 0;

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct dal_http_request *request;
		int fd = harness_dial(server);

		harness_tell(fd, "POST /hold HTTP/1.1\r\n" HEAD
				 "X-A: kept\r\nContent-Length: 4\r\n\r\nbody");
		request = wait_held();
		usleep(1000); /* the handler returns */
		dal_http_attach(request, &released, count_release);
		assert_false(dal_http_gone(request));
		close(fd);
		for (int wait = 0; wait < 3000 && !dal_http_gone(request); wait++) {
			usleep(1000);
		}
		assert_true(dal_http_gone(request));
		struct dal_slice value;
		assert_true(dal_http_header(request, "x-a", &value));
		assert_true(dal_slice_is(value, "kept"));
		assert_true(dal_slice_is(dal_http_body_slice(request), "body"));
		assert_int_equal(atomic_load(&released), i);
		dal_http_reply(request, 200, "text/plain", NULL, dal_slice_text("late"));
		for (int wait = 0; wait < 3000 && atomic_load(&released) == i; wait++) {
			usleep(1000);
		}
		assert_int_equal(atomic_load(&released), i + 1);
	}
	harness_stop(server);
}

static void *stop(void *data)
{
	dal_http_server_stop(data, 10000);
	return NULL;
}

static void test_grace(void **state)
{
	static const struct dal_http_route route = {"GET", "/hold", DAL_HTTP_QUERY, 0, hold, NULL};
	struct dal_http_server *server = harness_start(NULL, &route, 1, NULL);
	int open = harness_dial(server), idle = harness_dial(server);
	struct dal_buffer answer = {0};
	pthread_t stopper;

	(void)state;
	harness_tell(open, "GET /hold HTTP/1.1\r\n" HEAD "\r\n");
	struct dal_http_request *request = wait_held();
	assert_int_equal(pthread_create(&stopper, NULL, stop, server), 0);
	assert_true(harness_closed(idle, 3000));
	dal_http_reply(request, 200, "text/plain", NULL, dal_slice_text("in time"));
	assert_int_equal(harness_hear(open, &answer), 200);
	assert_true(harness_contains(&answer, "Connection: close"));
	assert_true(harness_contains(&answer, "in time"));
	pthread_join(stopper, NULL);
	dal_http_server_free(server);
	dal_buffer_deinit(&answer);
	close(open);
	close(idle);
}

/* After the grace the client is cut, but the request is still its owner's. */
static void test_grace_over(void **state)
{
	static const struct dal_http_route route = {"GET", "/hold", DAL_HTTP_QUERY, 0, hold, NULL};
	struct dal_http_server *server = harness_start(NULL, &route, 1, NULL);
	int fd = harness_dial(server);

	(void)state;
	harness_tell(fd, "GET /hold HTTP/1.1\r\n" HEAD "\r\n");
	struct dal_http_request *request = wait_held();
	dal_http_server_stop(server, 50);
	assert_true(harness_closed(fd, 1000));
	assert_true(dal_slice_is(dal_http_target(request), "/hold"));
	dal_http_reply(request, 200, NULL, NULL, dal_slice(NULL, 0));
	dal_http_server_free(server);
	close(fd);
}

static void at_once(struct dal_http_request *request, void *data)
{
	static const struct dal_http_header_line lines[] = {
		{"X-One", "1"}, {"X-Two", "2"}, {NULL, NULL}};
	struct dal_buffer body = {0};

	(void)data;
	dal_buffer_text(&body, "hello");
	dal_http_reply_take(request, 201, "text/plain", lines, &body);
	assert_null(body.data);
}

static void no_content(struct dal_http_request *request, void *data)
{
	(void)data;
	dal_http_reply(request, 204, NULL, NULL, dal_slice(NULL, 0));
}

static void problem(struct dal_http_request *request, void *data)
{
	(void)data;
	dal_http_problem_with(request, 503, "a \"quote\", a \\, a \n, \xff and \xc3\xbc",
			      "\"position\":17");
}

static void test_replies(void **state)
{
	static const struct dal_http_route routes[] = {
		{"GET", "/a", DAL_HTTP_QUERY, 0, at_once, NULL},
		{"GET", "/n", DAL_HTTP_QUERY, 0, no_content, NULL},
		{"GET", "/p", DAL_HTTP_QUERY, 0, problem, NULL},
	};
	struct dal_http_server *server = harness_start(NULL, routes, 3, NULL);
	struct dal_buffer answer = {0};
	int fd = harness_dial(server);

	(void)state;
	/* All at once: each is answered, in order. */
	harness_tell(fd, "GET /a HTTP/1.1\r\n" HEAD "\r\nHEAD /a HTTP/1.1\r\n" HEAD
			 "\r\nGET /n HTTP/1.1\r\n" HEAD "\r\nGET /p HTTP/1.1\r\n" HEAD
			 "Connection: close\r\n\r\n");
	assert_true(harness_hear_text(fd, "\"position\":17}\n", &answer));
	assert_true(harness_closed(fd, 2000));
	assert_true(harness_contains(&answer, "HTTP/1.1 201 Created\r\n"));
	assert_true(harness_contains(&answer, "X-One: 1\r\nX-Two: 2\r\n"));
	assert_true(harness_contains(&answer, "\r\n\r\nhelloHTTP/1.1 201"));
	assert_true(harness_contains(&answer, "\r\n\r\nHTTP/1.1 204 No Content\r\n"));
	assert_true(harness_contains(&answer, "Retry-After: 1\r\n"));
	assert_true(harness_contains(
		&answer,
		"{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
		"\"detail\":\"a \\\"quote\\\", a \\\\, a \\u000a, ? and \xc3\xbc\","
		"\"position\":17}\n"));
	close(fd);
	dal_buffer_deinit(&answer);
	harness_stop(server);
}

static void show(struct dal_http_request *request, void *data)
{
	struct dal_slice one = dal_http_parameter(request, "one"),
			 two = dal_http_parameter(request, "two");
	struct dal_slice q = {NULL, 0}, none = dal_http_parameter(request, "three");
	struct dal_buffer out = {0};

	(void)data;
	assert_false(dal_http_query(request, "absent", &q));
	assert_true(dal_http_query(request, "q", &q));
	dal_buffer_printf(&out, "[%.*s][%.*s][%.*s][%zu][%.*s][%.*s]", (int)one.size, one.data,
			  (int)two.size, two.data, (int)q.size, q.data, none.size,
			  (int)dal_http_peer(request).size, dal_http_peer(request).data,
			  (int)dal_http_method(request).size, dal_http_method(request).data);
	dal_http_reply_take(request, 200, "text/plain", NULL, &out);
}

static void test_parameters(void **state)
{
	static const struct dal_http_route route = {
		"GET", "/s/{one}/{two}", DAL_HTTP_QUERY, 0, show, NULL};
	struct dal_http_server *server = harness_start(NULL, &route, 1, NULL);
	struct dal_buffer answer = {0};

	(void)state;
	assert_int_equal(harness_ask(server,
				     "GET /s/a%2Fb/c+%C3%BC?q=d+e%26&q=2 HTTP/1.1\r\n" HEAD "\r\n",
				     &answer),
			 200);
	assert_true(harness_contains(&answer, "[a/b][c+\xc3\xbc][d e&][0][127.0.0.1][GET]"));
	dal_buffer_deinit(&answer);
	harness_stop(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deferred), cmocka_unit_test(test_client_gone),
		cmocka_unit_test(test_grace),    cmocka_unit_test(test_grace_over),
		cmocka_unit_test(test_replies),  cmocka_unit_test(test_parameters),
	};

	return cmocka_run_group_tests_name("http answers", tests, NULL, NULL);
}
