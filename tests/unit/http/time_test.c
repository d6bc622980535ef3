/* Requests that take too long, and connections that do nothing. */
#include "tests/unit/http/harness.h"

#include <stdio.h>
#include <unistd.h>

#include "engine/base/clock.h"

static void echo(struct dal_http_request *request, void *data)
{
	(void)data;
	dal_http_reply(request, 200, "text/plain", NULL, dal_http_body_slice(request));
}

static const struct dal_http_route limited = {"POST", "/x", DAL_HTTP_INGEST, 100000, echo, NULL};

static void test_slow_header(void **state)
{
	struct dal_http_options options = {.read_timeout_ms = 300};
	struct dal_http_server *server = harness_start(&options, &limited, 1, NULL);
	struct dal_buffer answer = {0};
	int silent = harness_dial(server), slow = harness_dial(server);
	int64_t start = dal_clock_monotonic_us();

	(void)state;
	harness_tell(slow, "POST /x HTTP/1.1\r\nHost: loc");
	/* A byte now and then keeps no connection alive. */
	for (int i = 0; i < 200 && !harness_closed(silent, 0); i++) {
		harness_say(slow, "a", 1);
		usleep(20000);
	}
	assert_true(harness_closed(silent, 1000));
	assert_int_equal(harness_hear(slow, &answer), 408);
	assert_true(harness_contains(&answer, "not read whole in time"));
	assert_true(dal_clock_monotonic_us() - start >= 300000);
	close(silent);
	close(slow);
	dal_buffer_deinit(&answer);
	harness_stop(server);
}

static void test_slow_body(void **state)
{
	struct dal_http_options options = {.read_timeout_ms = 300};
	struct dal_http_server *server = harness_start(&options, &limited, 1, NULL);
	int fd = harness_dial(server), status;

	(void)state;
	harness_tell(fd, "POST /x HTTP/1.1\r\n" HEAD "Content-Length: 1000\r\n\r\n");
	for (int i = 0; i < 30; i++) {
		harness_say(fd, "a", 1);
		usleep(20000);
	}
	status = harness_hear(fd, NULL);
	assert_int_equal(status, 408);
	assert_true(harness_closed(fd, 5000));
	close(fd);
	harness_stop(server);
}

static void test_idle(void **state)
{
	struct dal_http_options options = {.read_timeout_ms = 100, .idle_timeout_ms = 600};
	struct dal_http_options patient = {.read_timeout_ms = 100, .idle_timeout_ms = UINT64_MAX};
	struct dal_http_server *server = harness_start(&options, &limited, 1, NULL);
	struct dal_http_server *other = harness_start(&patient, &limited, 1, NULL);
	static const char request[] = "POST /x HTTP/1.1\r\n" HEAD "Content-Length: 1\r\n\r\na";
	int fd = harness_dial(server), kept = harness_dial(other);

	(void)state;
	for (int i = 0; i < 2; i++) {
		harness_tell(fd, request);
		harness_tell(kept, request);
		assert_int_equal(harness_hear(fd, NULL), 200);
		assert_int_equal(harness_hear(kept, NULL), 200);
		usleep(300000); /* idle for longer than a request may take */
	}
	assert_true(harness_closed(fd, 5000));
	usleep(500000);
	harness_tell(kept, request);
	assert_int_equal(harness_hear(kept, NULL), 200);
	close(fd);
	close(kept);
	harness_stop(server);
	harness_stop(other);
}

static int swallow(struct dal_http_request *request, struct dal_slice piece, void *data)
{
	(void)data;
	if (piece.size == 0) {
		dal_http_reply(request, 200, NULL, NULL, dal_slice(NULL, 0));
	}
	return 0;
}

/* A body of any length: as long as it likes at the minimum rate, not below. */
static void test_minimum_rate(void **state)
{
	static const struct dal_http_route route = {"POST",     "/up", DAL_HTTP_INGEST,
						    UINT64_MAX, NULL,  swallow};
	struct dal_http_options options = {.read_timeout_ms = 300};
	struct dal_http_server *server = harness_start(&options, &route, 1, NULL);
	int fast = harness_dial(server), slow = harness_dial(server);
	static const char head[] = "POST /up HTTP/1.1\r\n" HEAD
				   "Transfer-Encoding: chunked\r\n\r\n";

	(void)state;
	harness_tell(fast, head);
	harness_tell(slow, head);
	for (int i = 0; i < 40; i++) {
		char chunk[128];
		snprintf(chunk, sizeof(chunk), "64\r\n%0100d\r\n", i);
		harness_tell(fast, chunk); /* 5 KB/s */
		harness_tell(slow, i % 10 ? "" : "1\r\na\r\n");
		usleep(20000);
	}
	harness_tell(fast, "0\r\n\r\n");
	assert_int_equal(harness_hear(fast, NULL), 200);
	assert_int_equal(harness_hear(slow, NULL), 408);
	close(fast);
	close(slow);
	harness_stop(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slow_header),
		cmocka_unit_test(test_slow_body),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_minimum_rate),
	};

	return cmocka_run_group_tests_name("http time", tests, NULL, NULL);
}
