/*
 * The API on a log with several lanes: what is one there is looked for in all of them.
 */
#include "tests/unit/api/harness.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/api/cursor.h"
#include "engine/base/memory.h"
#include "tests/unit/api/lanes.h"

static const char operator_file[] =
	"func \"lost\" { command = { \"/bin/false\" }, sandbox = false, attempts = 1, max = 1 }\n"
	"func \"other\" { command = { \"/bin/false\" }, sandbox = false, attempts = 1, max = 1 }\n";
static const char rules[] = "projection \"counts\" {\n"
			    "  version = 1,\n"
			    "  on = { type = \"seen\" },\n"
			    "  key = \"subject\",\n"
			    "  init = { n = 0 },\n"
			    "  fold = function(state, event)\n"
			    "    if event.data == 13 then error(\"unlucky\") end\n"
			    "    if event.data == 0 then return nil end\n"
			    "    state.n = state.n + 1\n"
			    "    return state\n"
			    "  end,\n"
			    "}\n"
			    "rule \"call-it\" { on = { type = \"go\" }, call = \"lost\" }\n";

static int setup(void **state)
{
	(void)state;
	harness_start(operator_file, rules);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	harness_stop();
	return 0;
}

/* --- entries --- */

static void a_producer_reads_its_own_write_in_any_lane(void **state)
{
	bool seen[LANES] = {false};

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		char *key = dal_asprintf("key-%u", i % 20),
		     *at = lanes_post("events", "seen", key, 1);
		char *target = dal_asprintf("/v1/projections/counts/%s?min-position=%s", key, at);
		char *text = dal_asprintf("\"value\":{\"n\":%u},\"position\":\"%s\",\"at\":{",
					  i / 20 + 1, at);
		seen[lanes_of(at)] = true;
		if (!strstr(harness_get(target, 200), text)) {
			fail_msg("no %s in %s", text, harness_get(target, 200));
		}
		free(key);
		free(at);
		free(target);
		free(text);
	}
	for (int i = 0; i < LANES; i++) {
		assert_true(seen[i]);
	}
}

static void positions_that_are_none_are_told(void **state)
{
	(void)state;
	assert_non_null(
		strstr(harness_get("/v1/projections/counts/a?min-position=1", 400), "events/0/17"));
	assert_non_null(strstr(harness_get("/v1/projections/counts/a?min-position=none/0/1", 400),
			       "no topic \\\"none\\\""));
	assert_non_null(strstr(harness_get("/v1/projections/counts/a?min-position=events/3/1", 400),
			       "partitions 0 to 2"));
	assert_non_null(strstr(
		harness_get("/v1/projections/counts/a?min-position=clicks/2/5&timeout=0", 504),
		"clicks/2/5"));
}

static void keys_collect(const char *query, struct dal_buffer *keys, char **cursor)
{
	char *target = dal_asprintf("/v1/projections/counts?%s%s%s", query,
				    *cursor ? "&cursor=" : "", *cursor ? *cursor : "");
	uint32_t entries, node;

	harness_get(target, 200);
	entries = harness_member(DAL_JSON_ROOT, "entries");
	for (uint32_t i = 0; i < dal_json_count(harness_json(), entries); i++) {
		node = harness_member(dal_json_at(harness_json(), entries, i), "key");
		dal_buffer_slice_append(keys, dal_json_string(harness_json(), node));
		dal_buffer_byte(keys, ' ');
	}
	free(*cursor);
	node = harness_member(DAL_JSON_ROOT, "cursor");
	*cursor = node == DAL_JSON_NONE ? NULL
					: dal_slice_dup(dal_json_string(harness_json(), node));
	free(target);
}

static void lists_are_merged_in_key_order(void **state)
{
	struct dal_buffer expected = {0};

	(void)state;
	lanes_post_keys(30, NULL);
	harness_settle();
	for (unsigned i = 0; i < 30; i++) {
		dal_buffer_printf(&expected, "k%02u ", i);
	}
	for (int limit = 1; limit < 40; limit += 6) {
		char *query = dal_asprintf("limit=%d", limit), *cursor = NULL;
		struct dal_buffer keys = {0};
		do {
			keys_collect(query, &keys, &cursor);
		} while (cursor);
		assert_string_equal(dal_buffer_cstr(&keys), dal_buffer_cstr(&expected));
		dal_buffer_deinit(&keys);
		free(query);
	}
	assert_non_null(strstr(harness_get("/v1/projections/counts?from=k07&to=k09", 200),
			       "\"key\":\"k07\""));
	assert_int_equal(dal_json_count(harness_json(), harness_member(DAL_JSON_ROOT, "entries")),
			 2);
	dal_buffer_deinit(&expected);
}

/* `at` names each partition of which something has been read, and what is held is not sent. */
static void an_entry_says_where_its_lane_stands(void **state)
{
	char *position = lanes_post("events", "seen", "one", 1), *at;
	uint32_t node;

	(void)state;
	harness_settle();
	harness_get("/v1/projections/counts/one", 200);
	node = harness_member(DAL_JSON_ROOT, "at");
	assert_int_equal(dal_json_kind(harness_json(), node), DAL_JSON_OBJECT);
	at = dal_asprintf("events/%u", lanes_of(position));
	harness_expect_text(harness_member(node, at), strrchr(position, '/') + 1);
	harness_get("/v1/projections/counts/none", 404);
	assert_int_equal(dal_json_kind(harness_json(), harness_member(DAL_JSON_ROOT, "at")),
			 DAL_JSON_OBJECT);
	free(at);
	free(position);
}

/* The same offset of another topic of the lane is another event: the ETag tells them apart. */
static void an_etag_names_the_place(void **state)
{
	char *first = lanes_post("events", "seen", "one", 1), *second, *etag;

	(void)state;
	harness_settle();
	etag = dal_asprintf("W/\"1.%s.0.lanes-test\"", first);
	harness_get_with("/v1/projections/counts/one", "If-None-Match", etag, 304);
	second = lanes_post("clicks", "seen", "one", 1);
	assert_string_equal(strchr(first, '/'), strchr(second, '/'));
	harness_settle();
	harness_get_with("/v1/projections/counts/one", "If-None-Match", etag, 200);
	free(etag);
	free(first);
	free(second);
}

/* --- events --- */

/* The positions of all pages, a line each. */
static void pages_collect(const char *query, struct dal_buffer *out)
{
	char *cursor = NULL, *target;
	uint32_t events, node;

	do {
		target = dal_asprintf("/v1/events?%s%s%s", query, cursor ? "&cursor=" : "",
				      cursor ? cursor : "");
		harness_get(target, 200);
		events = harness_member(DAL_JSON_ROOT, "events");
		for (uint32_t i = 0; i < dal_json_count(harness_json(), events); i++) {
			node = harness_member(dal_json_at(harness_json(), events, i), "position");
			dal_buffer_slice_append(out, dal_json_string(harness_json(), node));
			dal_buffer_byte(out, '\n');
		}
		assert_true(!cursor || dal_json_count(harness_json(), events) > 0);
		free(target);
		free(cursor);
		node = harness_member(DAL_JSON_ROOT, "cursor");
		cursor = node == DAL_JSON_NONE
				 ? NULL
				 : dal_slice_dup(dal_json_string(harness_json(), node));
	} while (cursor);
	dal_buffer_cstr(out);
}

static void pages_list_each_event_once(void **state)
{
	static const char *const queries[] = {"topic=events&limit=1", "topic=events&limit=7",
					      "type=seen&limit=10", "type=seen&limit=1000",
					      "topic=events&from=-1h&limit=4"};
	struct dal_buffer expected = {0};

	(void)state;
	lanes_post_keys(25, &expected);
	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		struct dal_buffer found = {0};
		pages_collect(queries[i], &found);
		assert_string_equal(found.data, dal_buffer_cstr(&expected));
		dal_buffer_deinit(&found);
	}
	dal_buffer_deinit(&expected);
}

static void a_position_reads_its_partition_alone(void **state)
{
	struct dal_buffer positions = {0}, expected = {0}, found = {0};
	char *position, *save = NULL, *query, *from = NULL;

	(void)state;
	lanes_post_keys(30, &positions);
	for (position = strtok_r((char *)dal_buffer_cstr(&positions), "\n", &save); position;
	     position = strtok_r(NULL, "\n", &save)) {
		if (lanes_of(position) == 1) {
			from = !from && expected.size > 0 ? position : from;
			dal_buffer_printf(&expected, "%s\n", position);
		}
	}
	assert_non_null(from);
	query = dal_asprintf("from=%s&limit=3", from);
	pages_collect(query, &found);
	assert_string_equal(found.data, strchr(dal_buffer_cstr(&expected), '\n') + 1);
	free(query);
	dal_buffer_clear(&found);
	query = dal_asprintf("from=events/1/0&to=%s", from);
	pages_collect(query, &found);
	*(char *)(strchr(dal_buffer_cstr(&expected), '\n') + 1) = '\0';
	assert_string_equal(found.data, expected.data);
	harness_get("/v1/events?from=events/1/0&topic=system", 400);
	harness_get("/v1/events?from=events/1/0&to=events/2/9", 400);
	harness_get("/v1/events?from=17", 400);
	harness_get("/v1/events?from=events/3/17", 400);
	harness_get("/v1/events?topic=nothing", 404);
	free(query);
	dal_buffer_deinit(&positions);
	dal_buffer_deinit(&expected);
	dal_buffer_deinit(&found);
}

static size_t lines(const struct dal_buffer *text)
{
	size_t count = 0;

	for (size_t i = 0; i < text->size; i++) {
		count += text->data[i] == '\n';
	}
	return count;
}

static void the_last_of_each_partition(void **state)
{
	struct dal_buffer found = {0};

	(void)state;
	lanes_post_keys(30, NULL);
	pages_collect("topic=events&from=-2", &found);
	assert_in_range(lines(&found), LANES, 2 * LANES);
	dal_buffer_clear(&found);
	pages_collect("topic=events&from=-1000", &found);
	assert_int_equal(lines(&found), 30);
	dal_buffer_deinit(&found);
}

static void a_cursor_of_another_log_is_refused(void **state)
{
	struct dal_position next = {0};
	struct dal_buffer cursor = {0};

	(void)state;
	dal_position_set(&next, dal_slice_text("events"), 0, 1);
	for (int i = 0; i < 3; i++) {
		char *target;
		dal_buffer_clear(&cursor);
		dal_cursor_write_position(dal_slice_text(i == 0 ? "lanes-test" : "another"),
					  DAL_LOG_ALL_LANES, i < 2 ? &next : DAL_POSITION_AT(1),
					  &cursor);
		target = dal_asprintf("/v1/events?cursor=%s", dal_buffer_cstr(&cursor));
		harness_get(target, i == 0 ? 200 : 400);
		free(target);
	}
	harness_get("/v1/events?cursor=abc", 400);
	dal_position_deinit(&next);
	dal_buffer_deinit(&cursor);
}

/* Whatever bytes a cursor has, it is refused or means something. */
static void broken_cursors_are_refused(void **state)
{
	struct dal_position next = {0}, read = {0};
	struct dal_buffer whole = {0};
	struct dal_slice log = dal_slice_text("lanes-test");
	uint16_t lane;

	(void)state;
	for (int i = 0; i < 5; i++) {
		dal_position_set(&next, dal_slice_text("events"), i, (uint64_t)i * 1000000);
	}
	dal_position_set(&next, dal_slice_text("system"), 2, UINT64_MAX);
	dal_cursor_write_position(log, 7, &next, &whole);
	assert_true(dal_cursor_read_position(dal_buffer_slice(&whole), log, false, &lane, &read));
	assert_int_equal(lane, 7);
	assert_int_equal(read.count, next.count);
	assert_true(dal_position_equal(&read, &next));
	assert_false(dal_cursor_read_position(dal_buffer_slice(&whole), log, true, &lane, &read));
	for (size_t i = 0; i < whole.size; i++) {
		dal_cursor_read_position(dal_slice(whole.data, i), log, false, &lane, &read);
	}
	dal_position_deinit(&next);
	dal_position_deinit(&read);
	dal_buffer_deinit(&whole);
}

/* What others write is told as it is: not at all, if it is no event. */
static void what_is_no_event_is_not_listed(void **state)
{
	static const char good[] = "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/x\","
				   "\"type\":\"seen\",\"subject\":\"s\",\n\"data\":1}";
	static const char twice[] = "{\"specversion\":\"1.0\",\"id\":\"o2\",\"source\":\"/x\","
				    "\"type\":\"seen\",\"subject\":\"a\",\"subject\":\"b\"}";
	struct dal_buffer found = {0};
	char *body;
	uint64_t offset;

	(void)state;
	lanes_log_write(lanes_log(), "clicks", 0, "{\"type\":", NULL);
	lanes_log_write(lanes_log(), "clicks", 0, "{\"type\":\"seen\"}", NULL);
	lanes_log_write(lanes_log(), "clicks", 0, "", "too large");
	offset = lanes_log_write(lanes_log(), "clicks", 0, good, NULL);
	pages_collect("topic=clicks", &found);
	body = dal_asprintf("clicks/0/%" PRIu64 "\n", offset);
	assert_string_equal(found.data, body);
	free(body);
	harness_settle();
	assert_non_null(strstr(harness_get("/v1/status", 200), "\"refused\":3"));
	harness_post("/v1/rules/explain", "{\"position\":\"clicks/0/0\"}", 404);
	harness_post("/v1/rules/explain", "{\"position\":\"clicks/0/1\"}", 404);
	assert_non_null(
		strstr(harness_post("/v1/rules/explain", "{\"position\":\"clicks/0/2\"}", 404),
		       "too large"));
	body = dal_asprintf("{\"position\":\"clicks/0/%" PRIu64 "\"}", offset);
	assert_non_null(strstr(harness_post("/v1/rules/explain", body, 200), "\"matched\":true"));
	free(body);
	/* of a key that is there twice the last one counts, as it does for rules and folds */
	offset = lanes_log_write(lanes_log(), "clicks", 0, twice, NULL);
	body = dal_asprintf("{\"position\":\"clicks/0/%" PRIu64 "\"}", offset);
	harness_settle();
	assert_non_null(strstr(harness_post("/v1/rules/explain", body, 200), "\"matched\":true"));
	assert_non_null(strstr(harness_get_with("/v1/events?topic=clicks&subject=b", "Accept",
						"application/x-ndjson", 200),
			       "\"id\":\"o2\""));
	assert_non_null(strstr(harness_get("/v1/status", 200), "\"refused\":3"));
	harness_post("/v1/rules/explain", "{\"position\":\"clicks/0/900\"}", 404);
	harness_post("/v1/rules/explain", "{\"position\":\"clicks/9/0\"}", 400);
	harness_post("/v1/rules/explain", "{\"position\":\"7\"}", 400);
	free(body);
	dal_buffer_deinit(&found);
}

static void too_many_who_read_are_told_so(void **state)
{
	char *at, *body;

	(void)state;
	at = lanes_post("events", "seen", "crowded", 1);
	body = dal_asprintf("{\"position\":\"%s\"}", at);
	lanes_log_busy(lanes_log(), true);
	assert_non_null(strstr(harness_get("/v1/events", 503), "end a tail"));
	assert_non_null(strstr(harness_get_with("/v1/events", "Accept", "text/event-stream", 503),
			       "end a tail"));
	assert_non_null(strstr(harness_post("/v1/rules/explain", body, 503), "end a tail"));
	lanes_log_busy(lanes_log(), false);
	harness_get("/v1/events", 200);
	harness_post("/v1/rules/explain", body, 200);
	free(at);
	free(body);
}

/* --- dead letters --- */

static void dead_wait(uint32_t count)
{
	for (int i = 0;; i++) {
		harness_get("/v1/dead?limit=1000", 200);
		if (dal_json_count(harness_json(), harness_member(DAL_JSON_ROOT, "dead")) ==
		    count) {
			return;
		}
		assert_true(i < 2000);
		usleep(10000);
	}
}

enum { CALLS = LANES };

/* One in each lane; more take long, as a program that ends at once is started ever more slowly. */
static void calls_post(void)
{
	static const char *const keys[] = {"k00", "k01", "k08"};
	bool seen[LANES] = {false};

	for (size_t i = 0; i < CALLS; i++) {
		char *position = lanes_post("events", "go", keys[i], 1);
		assert_false(seen[lanes_of(position)]);
		seen[lanes_of(position)] = true;
		free(position);
	}
}

static void dead_letters_of_all_lanes(void **state)
{
	struct dal_buffer rows = {0}, paged = {0};
	char *cursor = NULL;
	uint32_t list;

	(void)state;
	calls_post();
	dead_wait(CALLS);
	dal_buffer_text(&rows, "{\"rows\":[");
	do {
		char *target = dal_asprintf("/v1/dead?limit=2%s%s", cursor ? "&cursor=" : "",
					    cursor ? cursor : "");
		harness_get(target, 200);
		list = harness_member(DAL_JSON_ROOT, "dead");
		for (uint32_t i = 0; i < dal_json_count(harness_json(), list); i++) {
			uint32_t row = harness_member(dal_json_at(harness_json(), list, i), "row");
			dal_buffer_printf(&rows, "%s\"", paged.size > 0 ? "," : "");
			dal_buffer_slice_append(&rows, dal_json_string(harness_json(), row));
			dal_buffer_text(&rows, "\"");
			dal_buffer_byte(&paged, '\n');
		}
		free(target);
		free(cursor);
		list = harness_member(DAL_JSON_ROOT, "cursor");
		cursor = list == DAL_JSON_NONE
				 ? NULL
				 : dal_slice_dup(dal_json_string(harness_json(), list));
	} while (cursor);
	dal_buffer_text(&rows, ",\"lanes-test/events/9/0/call-it/lost/0\"]}");
	assert_int_equal(paged.size, CALLS);
	assert_string_equal(harness_post("/v1/dead/drop", dal_buffer_cstr(&rows), 200),
			    "{\"dropped\":3,\"unknown\":[\"lanes-test/events/9/0/call-it/lost/0\"]}"
			    "\n");
	dead_wait(0); /* at once: the answer came when they were folded in */
	dal_buffer_deinit(&rows);
	dal_buffer_deinit(&paged);
}

static void a_function_is_sent_again_in_all_lanes(void **state)
{
	(void)state;
	calls_post();
	dead_wait(CALLS);
	assert_string_equal(harness_post("/v1/dead/retry", "{\"function\":\"lost\"}", 200),
			    "{\"retried\":3}\n");
	dead_wait(CALLS);
	assert_non_null(strstr(harness_get("/v1/dead", 200), "\"revived\":1"));
}

/* --- status --- */

static void status_and_metrics_tell_of_each_lane(void **state)
{
	const char *page;
	uint32_t lanes;

	(void)state;
	lanes_post_keys(10, NULL);
	harness_settle();
	harness_get("/v1/status", 200);
	assert_int_equal(harness_member(DAL_JSON_ROOT, "lane"), DAL_JSON_NONE);
	lanes = harness_member(DAL_JSON_ROOT, "lanes");
	assert_int_equal(dal_json_count(harness_json(), lanes), LANES);
	lanes = harness_member(dal_json_at(harness_json(), lanes, 2), "partitions");
	assert_int_equal(dal_json_count(harness_json(), lanes), 3);
	harness_expect_text(harness_member(harness_member(DAL_JSON_ROOT, "log"), "kind"), "kafka");
	page = harness_get("/metrics", 200);
	assert_non_null(strstr(page, "\ndalamb_lane_lag_events{lane=\"2\"} 0\n"));
	assert_non_null(strstr(
		page, "\ndalamb_partition_lag_events{topic=\"clicks\",partition=\"1\"} 0\n"));
	assert_non_null(strstr(page, "\ndalamb_log_away 0\n"));
}

static void ready_wait(void)
{
	for (int i = 0; strcmp(harness_ask("/readyz"), "ok\n") != 0; i++) {
		assert_true(i < 2000);
		usleep(1000);
	}
}

static void a_broker_that_is_away_is_told(void **state)
{
	static const char event[] = "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/t\","
				    "\"type\":\"seen\",\"subject\":\"a\"}";
	const char *page;

	(void)state;
	ready_wait();
	lanes_log_away(lanes_log(), true);
	assert_non_null(
		strstr(harness_post_as("/v1/events", "application/cloudevents+json", event, 503),
		       "counts once"));
	assert_non_null(strstr(harness_post_as("/v1/events", "application/x-ndjson", event, 503),
			       "counts once"));
	assert_non_null(strstr(harness_get("/readyz", 503), "no broker"));
	harness_get("/livez", 200);
	harness_get("/v1/events?from=-1h", 503);
	harness_get("/v1/events", 503);
	page = harness_get("/v1/status", 200);
	assert_non_null(strstr(page, "\"away\":true,\"away_since\":\""));
	assert_non_null(strstr(page, "\"what\":\"no broker of the log answers"));
	lanes_log_away(lanes_log(), false);
	harness_post_as("/v1/events", "application/cloudevents+json", event, 200);
	harness_get("/readyz", 200);
}

static void a_parked_key_is_told_in_any_lane(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		char *key = dal_asprintf("bad-%d", i);
		free(lanes_post("events", "seen", key, 13));
		free(key);
	}
	harness_settle();
	harness_get("/v1/status", 200);
	assert_int_equal(dal_json_count(harness_json(), harness_member(DAL_JSON_ROOT, "parked")),
			 6);
	assert_int_equal(dal_json_count(harness_json(), harness_member(DAL_JSON_ROOT, "attention")),
			 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_producer_reads_its_own_write_in_any_lane),
		TEST(positions_that_are_none_are_told),
		TEST(lists_are_merged_in_key_order),
		TEST(an_entry_says_where_its_lane_stands),
		TEST(an_etag_names_the_place),
		TEST(pages_list_each_event_once),
		TEST(a_position_reads_its_partition_alone),
		TEST(the_last_of_each_partition),
		TEST(a_cursor_of_another_log_is_refused),
		TEST(broken_cursors_are_refused),
		TEST(what_is_no_event_is_not_listed),
		TEST(too_many_who_read_are_told_so),
		TEST(dead_letters_of_all_lanes),
		TEST(a_function_is_sent_again_in_all_lanes),
		TEST(status_and_metrics_tell_of_each_lane),
		TEST(a_broker_that_is_away_is_told),
		TEST(a_parked_key_is_told_in_any_lane),
	};

	return cmocka_run_group_tests_name("api lanes", tests, harness_begin, harness_end);
}
