/* Router, targets, guards: the parts that need no socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/http/client.h"
#include "engine/http/guard.h"
#include "engine/http/router.h"
#include "engine/http/target.h"

static void nothing(struct dal_http_request *request, void *data)
{
	(void)request;
	(void)data;
}

static const struct dal_http_route routes[] = {
	{"GET", "/", 0, 0, nothing, NULL},
	{"GET", "/v1/events", 0, 0, nothing, NULL},
	{"POST", "/v1/events", 0, 0, nothing, NULL},
	{"GET", "/v1/projections", 0, 0, nothing, NULL},
	{"GET", "/v1/projections/{name}", 0, 0, nothing, NULL},
	{"GET", "/v1/projections/{name}/{key}", 0, 0, nothing, NULL},
	{"DELETE", "/v1/projections/{projection}/{entry}", 0, 0, nothing, NULL},
	{"GET", "/v1/projections/special/list", 0, 0, nothing, NULL},
	{"POST", "/a/{x}/c", 0, 0, nothing, NULL},
	{"POST", "/a/b/d", 0, 0, nothing, NULL},
};

#define ROUTES (sizeof(routes) / sizeof(*routes))

static struct dal_http_router *make_router(void)
{
	struct dal_http_router *router = dal_http_router_new();

	for (size_t i = 0; i < ROUTES; i++) {
		assert_int_equal(dal_http_router_add(router, &routes[i], NULL, NULL), 0);
	}
	return router;
}

static int find(struct dal_http_router *router, const char *method, const char *path,
		struct dal_http_match *match)
{
	return dal_http_router_find(router, dal_slice_text(method), dal_slice_text(path), match);
}

static void test_router_finds(void **state)
{
	static const struct {
		const char *method, *path;
		int route; /* index, or -outcome */
	} cases[] = {
		{"GET", "/", 0},
		{"HEAD", "/v1/events", 1},
		{"POST", "/v1/events", 2},
		{"GET", "/v1/projections/orders", 4},
		{"GET", "/v1/projections/orders/17", 5},
		{"DELETE", "/v1/projections/orders/17", 6},
		{"GET", "/v1/projections/special/list", 7},
		{"GET", "/v1/projections/special/other", 5},
		{"GET", "/v1/projections/a%2Fb/c%2Fd", 5},
		{"POST", "/a/b/c", 8}, /* back out of the literal "b" */
		{"POST", "/a/b/d", 9},
		{"GET", "", -DAL_HTTP_NO_PATH},
		{"GET", "//", -DAL_HTTP_NO_PATH},
		{"GET", "/v1", -DAL_HTTP_NO_PATH},
		{"GET", "/v1/events/", -DAL_HTTP_NO_PATH},
		{"GET", "/v1//events", -DAL_HTTP_NO_PATH},
		{"GET", "/v1/projections//17", -DAL_HTTP_NO_PATH},
		{"GET", "/v1/../v1/events", -DAL_HTTP_NO_PATH},
		{"GET", "/v1/projections/a/b/c", -DAL_HTTP_NO_PATH},
		{"GET", "/V1/events", -DAL_HTTP_NO_PATH},
		{"PUT", "/v1/events", -DAL_HTTP_NO_METHOD},
		{"get", "/v1/events", -DAL_HTTP_NO_METHOD},
		{"DELETE", "/v1/projections/special/list", -DAL_HTTP_NO_METHOD},
	};
	struct dal_http_router *router = make_router();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct dal_http_match match;
		int outcome = find(router, cases[i].method, cases[i].path, &match);
		if (cases[i].route < 0) {
			assert_int_equal(outcome, -cases[i].route);
		} else {
			assert_int_equal(outcome, 0);
			assert_ptr_equal(match.route, &routes[cases[i].route]);
		}
	}
	dal_http_router_free(router);
}

static void test_router_parameters(void **state)
{
	struct dal_http_router *router = make_router();
	struct dal_http_match match;
	struct dal_buffer allow = {0};

	(void)state;
	assert_int_equal(find(router, "DELETE", "/v1/projections/a%2Fb/c", &match), 0);
	assert_int_equal(match.count, 2);
	assert_true(dal_slice_is(match.names[0], "projection"));
	assert_true(dal_slice_is(match.raw[0], "a%2Fb"));
	assert_true(dal_slice_is(match.names[1], "entry"));
	assert_true(dal_slice_is(match.raw[1], "c"));
	dal_http_router_allow(router, dal_slice_text("/v1/projections/a/b"), &allow);
	assert_string_equal(dal_buffer_cstr(&allow), "GET, HEAD, DELETE");
	dal_buffer_deinit(&allow);
	dal_http_router_free(router);
}

static void test_router_refuses(void **state)
{
	static const struct dal_http_route bad[] = {
		{"GET", "/v1/events", 0, 0, nothing, NULL},
		{"GET", "/v1/projections/{other}", 0, 0, nothing, NULL},
		{"GET", "no/slash", 0, 0, nothing, NULL},
		{"GET", "", 0, 0, nothing, NULL},
		{"GET", "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}", 0, 0, nothing, NULL},
	};
	struct dal_http_router *router = make_router();

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct dal_error error = {.text = ""};
		assert_true(dal_http_router_add(router, &bad[i], NULL, &error) < 0);
		assert_non_null(strstr(error.text, bad[i].path));
	}
	dal_http_router_free(router);
}

static void test_decode(void **state)
{
	static const struct {
		const char *text, *plain, *query; /* NULL: refused */
	} cases[] = {
		{"", "", ""},
		{"abc", "abc", "abc"},
		{"a+b", "a+b", "a b"},
		{"a%2Bb%20c", "a+b c", "a+b c"},
		{"%2f%2F%25", "//%", "//%"},
		{"%C3%BC", "\xc3\xbc", "\xc3\xbc"},
		{"%", NULL, NULL},
		{"%4", NULL, NULL},
		{"%4g", NULL, NULL},
		{"%00", NULL, NULL},
		{"a%00b", NULL, NULL},
		{"%01", "\001", "\001"},
		{"%10", "\020", "\020"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (int plus = 0; plus < 2; plus++) {
			const char *expected = plus ? cases[i].query : cases[i].plain;
			struct dal_buffer out = {0};
			bool done = dal_http_decode(dal_slice_text(cases[i].text), plus, &out);
			assert_int_equal(done, expected != NULL);
			if (expected != NULL) {
				assert_string_equal(dal_buffer_cstr(&out), expected);
			}
			dal_buffer_deinit(&out);
		}
	}
}

static void test_encode_decode(void **state)
{
	struct dal_buffer all = {0}, coded = {0}, back = {0};

	(void)state;
	for (int c = 1; c < 256; c++) {
		dal_buffer_byte(&all, (char)c);
	}
	dal_http_encode(dal_buffer_slice(&all), &coded);
	for (size_t i = 0; i < coded.size; i++) {
		assert_true(coded.data[i] > ' ' && coded.data[i] < 127);
	}
	assert_true(dal_http_decode(dal_buffer_slice(&coded), true, &back));
	assert_true(dal_slice_equal(dal_buffer_slice(&all), dal_buffer_slice(&back)));
	dal_buffer_deinit(&all);
	dal_buffer_deinit(&coded);
	dal_buffer_deinit(&back);
}

static void test_query(void **state)
{
	static const char *const expected[][2] = {
		{"a", "1"}, {"b", ""}, {"c", ""}, {"a", "2=3"}, {"\xc3\xbc x", "&"}, {"", "v"},
	};
	struct dal_http_target target = {.pair_count = 0};
	const char *text = "/p?a=1&b&&c=&a=2=3&%C3%BC+x=%26&=v";

	(void)state;
	assert_null(dal_http_target_parse(&target, dal_slice_text(text)));
	assert_true(dal_slice_is(target.path, "/p"));
	assert_int_equal(target.pair_count, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_true(dal_slice_is(target.pairs[i].name, expected[i][0]));
		assert_true(dal_slice_is(target.pairs[i].value, expected[i][1]));
	}
	dal_http_target_deinit(&target);
}

static void test_query_count(void **state)
{
	struct dal_http_target target = {.pair_count = 0};
	struct dal_buffer text = {0};

	(void)state;
	dal_buffer_text(&text, "/?");
	for (int i = 0; i < 64; i++) {
		dal_buffer_printf(&text, "k%d=%d&", i, i);
	}
	assert_null(dal_http_target_parse(&target, dal_buffer_slice(&text)));
	assert_int_equal(target.pair_count, 64);
	assert_true(dal_slice_is(target.pairs[63].value, "63"));
	dal_buffer_text(&text, "x");
	assert_non_null(dal_http_target_parse(&target, dal_buffer_slice(&text)));
	dal_buffer_deinit(&text);
	dal_http_target_deinit(&target);
}

static void test_absolute(void **state)
{
	struct dal_http_target target = {.pair_count = 0};

	(void)state;
	assert_null(dal_http_target_parse(&target, dal_slice_text("http://host:1/p?a=http://x/")));
	assert_true(dal_slice_is(target.authority, "host:1"));
	assert_true(dal_slice_is(target.path, "/p"));
	assert_null(dal_http_target_parse(&target, dal_slice_text("http://host")));
	assert_true(dal_slice_is(target.path, "/"));
	assert_null(dal_http_target_parse(&target, dal_slice_text("https://h?q")));
	assert_int_equal(target.pair_count, 1);
	assert_non_null(dal_http_target_parse(&target, dal_slice_text("http://")));
	assert_non_null(dal_http_target_parse(&target, dal_slice_text("ftp://host/")));
	assert_non_null(dal_http_target_parse(&target, dal_slice_text("")));
	dal_http_target_deinit(&target);
}

static void test_bearer(void **state)
{
	struct dal_slice token;

	(void)state;
	assert_true(dal_http_guard_bearer(dal_slice_text("Bearer abc"), &token));
	assert_true(dal_slice_is(token, "abc"));
	assert_true(dal_http_guard_bearer(dal_slice_text(" bEARER   abc "), &token));
	assert_true(dal_slice_is(token, "abc"));
	assert_false(dal_http_guard_bearer(dal_slice_text("Bearer"), &token));
	assert_false(dal_http_guard_bearer(dal_slice_text("Bearer "), &token));
	assert_false(dal_http_guard_bearer(dal_slice_text("Bearerabc def"), &token));
	assert_false(dal_http_guard_bearer(dal_slice_text(""), &token));
}

static void test_own_host(void **state)
{
	static const struct {
		const char *host, *own;
		int status;
	} cases[] = {
		{"10.0.0.1:8080", "10.0.0.1", 0},
		{"10.0.0.2", "10.0.0.1", 403},
		{"engine.local", "ENGINE.local", 0},
		{"[fe80::1]:80", "[fe80::1]", 0},
		{":8080", "", 403},
		{"localhost:80:80", NULL, 403},
		{"[::1]", NULL, 0},
		{"127.0.0.1:1", NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct dal_http_pair host = {DAL_SLICE_LITERAL("Host"),
					     dal_slice_text(cases[i].host)};
		struct dal_http_refusal refusal = dal_http_guard_origin(
			&host, 1, dal_slice(NULL, 0), cases[i].own);
		assert_int_equal(refusal.status, cases[i].status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_router_finds),   cmocka_unit_test(test_router_parameters),
		cmocka_unit_test(test_router_refuses), cmocka_unit_test(test_decode),
		cmocka_unit_test(test_encode_decode),  cmocka_unit_test(test_query),
		cmocka_unit_test(test_query_count),    cmocka_unit_test(test_absolute),
		cmocka_unit_test(test_bearer),         cmocka_unit_test(test_own_host),
	};

	return cmocka_run_group_tests_name("http pure parts", tests, NULL, NULL);
}
