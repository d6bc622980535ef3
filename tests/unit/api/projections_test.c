/* Queries: one's own write read, ranges and pages, what is absent, held, parked or mistyped. */
#include "tests/unit/api/harness.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/api/cursor.h"
#include "engine/api/entry.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"

static const char rules[] = "projection \"totals\" {\n"
			    "  version = 1,\n"
			    "  on = { type = \"placed\" },\n"
			    "  key = \"data.customer\",\n"
			    "  init = { orders = 0, total = 0 },\n"
			    "  fold = function(state, event)\n"
			    "    if event.data.total == 13 then error(\"unlucky\") end\n"
			    "    if event.data.total == 0 then return nil end\n"
			    "    state.orders = state.orders + 1\n"
			    "    state.total = state.total + event.data.total\n"
			    "    return state\n"
			    "  end,\n"
			    "}\n";

static int setup(void **state)
{
	(void)state;
	harness_start(NULL, rules);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	harness_stop();
	return 0;
}

static uint64_t place(const char *customer, int total)
{
	char *data = dal_asprintf("{\"customer\":\"%s\",\"total\":%d}", customer, total);
	uint64_t offset = harness_event("placed", data);

	free(data);
	return offset;
}

/* Each event is asked for at once: the answer waits until it is folded in. */
static void a_producer_reads_its_own_write(void **state)
{
	char *target, *text;

	(void)state;
	for (int i = 1; i <= 200; i++) {
		uint64_t offset = place("own", 1);
		target = dal_asprintf(
			i % 2 ? "/v1/projections/totals/own?min-position=%" PRIu64
			      : "/v1/projections/totals/own?min-position=events/0/%" PRIu64,
			offset);
		text = dal_asprintf("\"value\":{\"orders\":%d,\"total\":%d},"
				    "\"position\":\"events/0/%" PRIu64 "\"",
				    i, i, offset);
		assert_non_null(strstr(harness_get(target, 200), text));
		free(target);
		free(text);
	}
}

/* The same for a range, whose answer is then written on another thread than the worker's. */
static void a_range_waits_too(void **state)
{
	(void)state;
	for (int i = 1; i <= 50; i++) {
		char *target = dal_asprintf("/v1/projections/totals?min-position=%" PRIu64,
					    place("range", 1));
		char *text = dal_asprintf("{\"orders\":%d,", i);
		assert_non_null(strstr(harness_get(target, 200), text));
		free(target);
		free(text);
	}
}

static void what_does_not_come_is_a_504(void **state)
{
	int64_t begun = dal_clock_monotonic_us(), took;

	(void)state;
	harness_get("/v1/projections/totals/x?min-position=1000000&timeout=300ms", 504);
	took = dal_clock_monotonic_us() - begun;
	assert_true(took >= 300000 && took < 5000000);
	harness_get("/v1/projections/totals/x?min-position=1000000&timeout=0", 504);
	harness_get("/v1/projections/totals/x?min-position=orders/1/7", 400);
	harness_get("/v1/projections/totals/x?min-position=1&timeout=soon", 400);
}

/* --- pages --- */

static void keys_collect(const char *target, struct dal_buffer *keys, char **cursor)
{
	const struct dal_json *json;
	uint32_t entries, node;

	harness_get(target, 200);
	json = harness_json();
	entries = harness_member(DAL_JSON_ROOT, "entries");
	for (uint32_t i = 0; i < dal_json_count(json, entries); i++) {
		node = harness_member(dal_json_at(json, entries, i), "key");
		dal_buffer_slice_append(keys, dal_json_string(json, node));
		dal_buffer_byte(keys, ' ');
	}
	node = harness_member(DAL_JSON_ROOT, "cursor");
	*cursor = node == DAL_JSON_NONE ? NULL : dal_slice_dup(dal_json_string(json, node));
}

static void pages_collect(const char *query, int limit, struct dal_buffer *keys)
{
	char *cursor = NULL, *target;
	int pages = 0;

	do {
		target = dal_asprintf("/v1/projections/totals?limit=%d%s%s%s", limit, query,
				      cursor ? "&cursor=" : "", cursor ? cursor : "");
		free(cursor);
		keys_collect(target, keys, &cursor);
		free(target);
		assert_true(pages++ < 100);
	} while (cursor);
}

static void pages_are_the_whole(void **state)
{
	static const char *const queries[] = {"", "&prefix=k1", "&from=k05&to=k20", "&prefix=none"};
	static const int limits[] = {1, 3, 7, 1000};

	(void)state;
	for (int i = 0; i < 30; i++) {
		char *customer = dal_asprintf("k%02d", i);
		place(customer, i + 20);
		free(customer);
	}
	place("\xc3\xa9t\xc3\xa9/a b", 1);
	harness_settle();
	for (size_t q = 0; q < 4; q++) {
		struct dal_buffer whole = {0};
		pages_collect(queries[q], 500, &whole);
		for (size_t l = 0; l < 4; l++) {
			struct dal_buffer pages = {0};
			pages_collect(queries[q], limits[l], &pages);
			assert_string_equal(dal_buffer_cstr(&pages), dal_buffer_cstr(&whole));
			dal_buffer_deinit(&pages);
		}
		assert_int_equal(whole.size > 0, q != 3);
		dal_buffer_deinit(&whole);
	}
	harness_get("/v1/projections/totals/%C3%A9t%C3%A9%2Fa%20b", 200);
}

static void a_cursor_of_another_list_is_refused(void **state)
{
	struct dal_buffer cursor = {0};
	char *target;

	(void)state;
	dal_cursor_write_number(DAL_CURSOR_EVENT, 7, &cursor);
	target = dal_asprintf("/v1/projections/totals?cursor=%s", dal_buffer_cstr(&cursor));
	harness_get(target, 400);
	harness_get("/v1/projections/totals?cursor=", 400);
	harness_get("/v1/projections/totals?cursor=%00", 400);
	free(target);
	dal_buffer_deinit(&cursor);
}

/* --- absent, held, parked, mistyped --- */

static void an_absent_key_is_a_404_that_says_where_the_lane_stands(void **state)
{
	(void)state;
	place("gone", 5);
	place("gone", 0);
	harness_settle();
	harness_get("/v1/projections/totals/gone", 404);
	harness_expect_text(harness_member(DAL_JSON_ROOT, "title"), "Not Found");
	assert_int_not_equal(harness_member(DAL_JSON_ROOT, "at"), DAL_JSON_NONE);
	harness_get("/v1/projections/nothing/gone", 404);
	harness_get("/v1/projections/nothing", 404);
}

static void what_the_client_holds_is_not_sent_again(void **state)
{
	struct dal_projection projection = {.version = 1};
	struct dal_view_entry entry = {
		.position = {.topic = dal_slice_text("events"), .offset = place("held", 5)}};
	struct dal_buffer text = {0};
	const char *etag;
	char *both;

	(void)state;
	harness_settle();
	dal_entry_etag(&projection, &entry, dal_engine_log(harness_engine()), &text);
	etag = dal_buffer_cstr(&text);
	both = dal_asprintf("\"other\", %s", etag + 2);
	harness_get_with("/v1/projections/totals/held", "If-None-Match", etag, 304);
	harness_get_with("/v1/projections/totals/held", "If-None-Match", both, 304);
	harness_get_with("/v1/projections/totals/held", "If-None-Match", "*", 304);
	harness_get_with("/v1/projections/totals/held", "If-None-Match", "\"1\"", 200);
	place("held", 5);
	harness_settle();
	harness_get_with("/v1/projections/totals/held", "If-None-Match", etag, 200);
	free(both);
	dal_buffer_deinit(&text);
}

static void a_parked_key_says_why_and_keeps_its_value(void **state)
{
	uint64_t good = place("parked", 5), bad = place("parked", 13);
	char *text = dal_asprintf(
		"\"value\":{\"orders\":1,\"total\":5},\"position\":\"events/0/%" PRIu64 "\"", good);
	char *at = dal_asprintf("events/0/%" PRIu64, bad);
	const char *answer;

	(void)state;
	place("parked", 6);
	harness_settle();
	answer = harness_get("/v1/projections/totals/parked", 200);
	assert_non_null(strstr(answer, text));
	harness_expect_text(harness_member(harness_member(DAL_JSON_ROOT, "parked"), "position"),
			    at);
	harness_expect_text(harness_member(harness_member(DAL_JSON_ROOT, "parked"), "message"),
			    "rules/test.lua:7: unlucky");
	answer = harness_get("/v1/status", 200);
	assert_non_null(strstr(answer, "\"key\":\"parked\""));
	assert_non_null(strstr(answer, "key \\\"parked\\\" of projection \\\"totals\\\""));
	free(text);
	free(at);
}

static void unknown_parameters_are_named(void **state)
{
	(void)state;
	assert_non_null(strstr(harness_get("/v1/projections/totals?prefx=a", 400), "prefix"));
	assert_non_null(strstr(harness_get("/v1/projections/totals?limit=0", 400), "1 to 1000"));
	harness_get("/v1/projections/totals?limit=1000000", 200);
	assert_non_null(strstr(harness_get("/v1/projections/totals?watch&limit=3", 400), "prefix"));
	assert_non_null(strstr(harness_get("/v1/projections/totals/a?watch&timeout=1s", 400),
			       "takes watch"));
	assert_non_null(strstr(harness_get("/v1/projections?x=1", 400), "none"));
	assert_non_null(strstr(harness_get("/v1/projections", 200),
			       "\"name\":\"totals\",\"version\":1,\"file\":\"rules/test.lua\","
			       "\"line\":1,\"built\":true"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_producer_reads_its_own_write),
		TEST(a_range_waits_too),
		TEST(what_does_not_come_is_a_504),
		TEST(pages_are_the_whole),
		TEST(a_cursor_of_another_list_is_refused),
		TEST(an_absent_key_is_a_404_that_says_where_the_lane_stands),
		TEST(what_the_client_holds_is_not_sent_again),
		TEST(a_parked_key_says_why_and_keeps_its_value),
		TEST(unknown_parameters_are_named),
	};

	return cmocka_run_group_tests_name("api projections", tests, harness_begin, harness_end);
}
