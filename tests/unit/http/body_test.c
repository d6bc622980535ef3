/* Bodies in pieces, and what comes behind them. */
#include "tests/unit/http/harness.h"

#include <unistd.h>

#include "engine/base/memory.h"

/* --- trailers --- */

#define CHUNKED(path) "POST " path " HTTP/1.1\r\n" HEAD "Transfer-Encoding: chunked\r\n\r\n"

static void tell_trailer(struct dal_http_request *request, void *data)
{
	struct dal_slice value = dal_slice_text("nothing");

	(void)data;
	assert_int_equal(dal_http_trailer(request, "X-End", &value), value.size != 7);
	dal_http_reply(request, 200, "text/plain", NULL, value);
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
		cmocka_unit_test(test_trailers),
	};

	return cmocka_run_group_tests_name("http bodies", tests, NULL, NULL);
}
