/* Bodies in pieces, and what comes behind them. */
#include "tests/unit/http/harness.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/memory.h"

/* --- pieces --- */

struct upload {
	struct dal_http_request *request;
	uint64_t size, sum;
	pthread_t waker;
	bool pause;
};

static void upload_free(void *own)
{
	free(own);
}

static void *resume_soon(void *data)
{
	usleep(1000);
	dal_http_resume(data);
	return NULL;
}

static struct upload *upload_of(struct dal_http_request *request)
{
	struct upload *upload = dal_http_attached(request);

	if (upload == NULL) {
		upload = dal_calloc(1, sizeof(*upload));
		dal_http_attach(request, upload, upload_free);
	}
	return upload;
}

static int take(struct dal_http_request *request, struct dal_slice piece, void *data)
{
	struct upload *upload = upload_of(request);
	pthread_t waker;

	(void)data;
	if (piece.size == 0) {
		struct dal_buffer out = {0};
		dal_buffer_printf(&out, "size %llu sum %llu", (unsigned long long)upload->size,
				  (unsigned long long)upload->sum);
		dal_http_reply_take(request, 200, "text/plain", NULL, &out);
		return 0;
	}
	upload->size += piece.size;
	for (size_t i = 0; i < piece.size; i++) {
		upload->sum = upload->sum * 31 + (unsigned char)piece.data[i];
	}
	if (upload->size % 3 == 0) {
		dal_http_resume(request); /* before the pause: not lost */
		return DAL_HTTP_PAUSE;
	}
	assert_int_equal(pthread_create(&waker, NULL, resume_soon, request), 0);
	pthread_detach(waker);
	return DAL_HTTP_PAUSE;
}

static void say_chunked(int fd, const char *body, size_t size, size_t chunk)
{
	struct dal_buffer out = {0};

	for (size_t at = 0; at < size; at += chunk) {
		size_t part = size - at < chunk ? size - at : chunk;
		dal_buffer_printf(&out, "%zx\r\n", part);
		dal_buffer_append(&out, body + at, part);
		dal_buffer_text(&out, "\r\n");
	}
	dal_buffer_text(&out, "0\r\n\r\n");
	harness_say(fd, out.data, out.size);
	dal_buffer_deinit(&out);
}

/* With a pause after every piece nothing is lost and nothing comes twice. */
static void test_body_pauses(void **state)
{
	static const struct dal_http_route route = {"POST",     "/up", DAL_HTTP_INGEST,
						    UINT64_MAX, NULL,  take};
	static const size_t chunks[] = {0, 1, 2, 7, 1000, 70000};
	struct dal_http_server *server = harness_start(NULL, &route, 1, NULL);
	char body[2000];
	uint64_t sum = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(body); i++) {
		body[i] = (char)(i * 7);
		sum = sum * 31 + (unsigned char)body[i];
	}
	int fd = harness_dial(server);
	for (size_t i = 0; i < sizeof(chunks) / sizeof(*chunks); i++) {
		size_t size = chunks[i] == 1 || chunks[i] == 2 ? 100 : sizeof(body);
		struct dal_buffer answer = {0}, expected = {0};
		uint64_t wanted = 0;

		for (size_t k = 0; k < size; k++) {
			wanted = wanted * 31 + (unsigned char)body[k];
		}
		dal_buffer_printf(&expected, "size %zu sum %llu", size, (unsigned long long)wanted);
		if (chunks[i] == 0) {
			char head[200];
			snprintf(head, sizeof(head),
				 "POST /up HTTP/1.1\r\n" HEAD "Content-Length: %zu\r\n\r\n", size);
			harness_tell(fd, head);
			harness_say(fd, body, size);
		} else {
			harness_tell(fd, "POST /up HTTP/1.1\r\n" HEAD
					 "Transfer-Encoding: chunked\r\n\r\n");
			say_chunked(fd, body, size, chunks[i]);
		}
		assert_int_equal(harness_hear(fd, &answer), 200);
		assert_true(harness_contains(&answer, dal_buffer_cstr(&expected)));
		dal_buffer_deinit(&answer);
		dal_buffer_deinit(&expected);
	}
	close(fd);
	harness_stop(server);
}

static int refuse_second(struct dal_http_request *request, struct dal_slice piece, void *data)
{
	struct upload *upload = upload_of(request);

	(void)data;
	upload->size += piece.size;
	if (upload->size > 100000) {
		dal_http_problem(request, 400, "line 7 is no event");
		return -1;
	}
	return 0;
}

/* A body without end is answered in the middle, and the client, still sending, gets to read it. */
static void test_body_refused(void **state)
{
	static const struct dal_http_route route = {"POST",     "/up", DAL_HTTP_INGEST,
						    UINT64_MAX, NULL,  refuse_second};
	struct dal_http_server *server = harness_start(NULL, &route, 1, NULL);
	struct dal_buffer answer = {0}, body = {0};
	int fd = harness_dial(server);

	(void)state;
	memset(dal_buffer_reserve(&body, 400000), 'x', 400000);
	harness_tell(fd,
		     "POST /up HTTP/1.1\r\n" HEAD "Transfer-Encoding: chunked\r\n\r\n61A80\r\n");
	harness_say(fd, body.data, 400000);
	assert_int_equal(harness_hear(fd, &answer), 400);
	assert_true(harness_contains(&answer, "line 7 is no event"));
	assert_true(harness_contains(&answer, "Connection: close"));
	close(fd);
	dal_buffer_deinit(&answer);
	dal_buffer_deinit(&body);
	harness_stop(server);
}

static void *reply_soon(void *data)
{
	usleep(20000);
	dal_http_problem(data, 503, "the log is full");
	return NULL;
}

static int pause_for_ever(struct dal_http_request *request, struct dal_slice piece, void *data)
{
	pthread_t thread;

	(void)data;
	assert_true(piece.size > 0);
	assert_int_equal(pthread_create(&thread, NULL, reply_soon, request), 0);
	pthread_detach(thread);
	return DAL_HTTP_PAUSE;
}

static void test_body_answered_in_pause(void **state)
{
	static const struct dal_http_route route = {"POST",     "/up", DAL_HTTP_INGEST,
						    UINT64_MAX, NULL,  pause_for_ever};
	struct dal_http_server *server = harness_start(NULL, &route, 1, NULL);
	struct dal_buffer answer = {0};

	(void)state;
	assert_int_equal(harness_ask(server,
				     "POST /up HTTP/1.1\r\n" HEAD
				     "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
				     &answer),
			 503);
	assert_true(harness_contains(&answer, "Retry-After: 1"));
	dal_buffer_deinit(&answer);
	harness_stop(server);
}

static void echo(struct dal_http_request *request, void *data)
{
	(void)data;
	dal_http_reply(request, 200, "text/plain", NULL, dal_http_body_slice(request));
}

static const struct dal_http_route limited = {"POST", "/x", DAL_HTTP_INGEST, 100000, echo, NULL};

static void test_limits(void **state)
{
	struct dal_http_server *server = harness_start(NULL, &limited, 1, NULL);
	struct dal_buffer body = {0}, answer = {0};
	int fd;

	(void)state;
	memset(dal_buffer_reserve(&body, 3000000), 'x', 3000000);
	/* Announced: refused before it comes, although the client sends all of it at once. */
	fd = harness_dial(server);
	harness_tell(fd, "POST /x HTTP/1.1\r\n" HEAD "Content-Length: 3000000\r\n\r\n");
	harness_say(fd, body.data, 3000000);
	assert_int_equal(harness_hear(fd, &answer), 413);
	assert_true(harness_contains(&answer, "larger than 100000 bytes"));
	close(fd);
	/* Not announced: refused at the limit. */
	fd = harness_dial(server);
	harness_tell(fd, "POST /x HTTP/1.1\r\n" HEAD "Transfer-Encoding: chunked\r\n\r\n");
	say_chunked(fd, body.data, 200000, 5000);
	assert_int_equal(harness_hear(fd, NULL), 413);
	close(fd);
	/* Exactly the limit, and waiting for a word before sending it. */
	fd = harness_dial(server);
	harness_tell(fd, "POST /x HTTP/1.1\r\n" HEAD
			 "Expect: 100-continue\r\nContent-Length: 100000\r\n\r\n");
	dal_buffer_clear(&answer);
	assert_true(harness_hear_text(fd, "HTTP/1.1 100 Continue\r\n\r\n", &answer));
	harness_say(fd, body.data, 100000);
	assert_int_equal(harness_hear(fd, NULL), 200);
	harness_tell(fd, "POST /x HTTP/1.1\r\n" HEAD
			 "Expect: 100-continue\r\nContent-Length: 100001\r\n\r\n");
	dal_buffer_clear(&answer);
	assert_int_equal(harness_hear(fd, &answer), 413);
	assert_false(harness_contains(&answer, "100 Continue"));
	assert_true(harness_closed(fd, 3000));
	close(fd);
	dal_buffer_deinit(&body);
	dal_buffer_deinit(&answer);
	harness_stop(server);
}

/* --- trailers --- */

#define CHUNKED(path) "POST " path " HTTP/1.1\r\n" HEAD "Transfer-Encoding: chunked\r\n\r\n"

static void tell_trailer(struct dal_http_request *request, void *data)
{
	struct dal_slice value;
	bool found = dal_http_trailer(request, "X-End", &value);

	(void)data;
	dal_http_reply(request, 200, "text/plain", NULL, found ? value : dal_slice_text("nothing"));
}

static int tell_trailer_at_end(struct dal_http_request *request, struct dal_slice piece, void *data)
{
	if (piece.size == 0) {
		tell_trailer(request, data);
	}
	return 0;
}

static void test_trailers(void **state)
{
	static const struct dal_http_route routes[] = {
		{"POST", "/whole", DAL_HTTP_INGEST, 1000, tell_trailer, NULL},
		{"POST", "/pieces", DAL_HTTP_INGEST, UINT64_MAX, NULL, tell_trailer_at_end},
	};
	static const char *const heads[] = {CHUNKED("/whole"), CHUNKED("/pieces")};
	static const struct {
		const char *body, *value;
	} cases[] = {
		{"3\r\nabc\r\n0\r\nX-Begin: 1\r\nx-eNd:  of it \r\n\r\n", "of it"},
		{"0\r\nX-End: of nothing\r\n\r\n", "of nothing"},
		{"3\r\nabc\r\n0\r\n\r\n", "nothing"},
		{"3\r\nabc\r\n0\r\nX-Begin: 1\r\n\r\n", "nothing"},
		{"3\r\nabc\r\n0\r\nX-End: a\x01z\r\n\r\n", "nothing"},
	};
	struct dal_http_server *server = harness_start(NULL, routes, 2, NULL);
	int fd = harness_dial(server);

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
		struct dal_buffer answer = {0};
		harness_tell(fd, heads[i % 2]);
		harness_tell(fd, cases[i / 2].body);
		assert_int_equal(harness_hear(fd, &answer), 200);
		assert_string_equal(strstr(dal_buffer_cstr(&answer), "\r\n\r\n") + 4,
				    cases[i / 2].value);
		dal_buffer_deinit(&answer);
	}
	/* A header of that name is no trailer. */
	struct dal_buffer answer = {0};
	harness_tell(fd, "POST /whole HTTP/1.1\r\n" HEAD "X-End: 1\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(harness_hear(fd, &answer), 200);
	assert_true(harness_contains(&answer, "\r\n\r\nnothing"));
	dal_buffer_deinit(&answer);
	close(fd);
	harness_stop(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_body_pauses),
		cmocka_unit_test(test_body_refused),
		cmocka_unit_test(test_body_answered_in_pause),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_trailers),
	};

	return cmocka_run_group_tests_name("http bodies", tests, NULL, NULL);
}
