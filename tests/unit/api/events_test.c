/* The log over HTTP: pages, lines and tails give each event once, in order. */
#include "tests/unit/api/harness.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/api/cursor.h"
#include "engine/base/memory.h"
#include "tests/unit/api/tail.h"

static const char rules[] = "projection \"count\" {\n"
			    "  version = 1, on = { type = \"a\" }, key = \"subject\",\n"
			    "  init = { n = 0 },\n"
			    "  fold = function(state) state.n = state.n + 1 return state end,\n"
			    "}\n";

static int setup(void **state)
{
	(void)state;
	harness_start("log { topics = { \"orders\" } }\n", rules);
	for (int i = 0; i < 60; i++) {
		char *data = dal_asprintf("{\"n\":%d,\n\r\"text\":\"a\\nb\"}", i);
		harness_event(i % 3 ? "a" : "b", data);
		free(data);
	}
	harness_settle();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	harness_stop();
	return 0;
}

/* --- pages and lines --- */

static uint32_t positions_collect(const char *target, struct dal_buffer *positions, char **cursor)
{
	const struct dal_json *json;
	uint32_t events, node;

	harness_get(target, 200);
	json = harness_json();
	events = harness_member(DAL_JSON_ROOT, "events");
	for (uint32_t i = 0; i < dal_json_count(json, events); i++) {
		node = harness_member(dal_json_at(json, events, i), "position");
		dal_buffer_slice_append(positions, dal_json_string(json, node));
		dal_buffer_byte(positions, ' ');
	}
	node = harness_member(DAL_JSON_ROOT, "cursor");
	*cursor = node == DAL_JSON_NONE ? NULL : dal_slice_dup(dal_json_string(json, node));
	return dal_json_count(json, events);
}

static void pages_collect(const char *query, uint32_t limit, struct dal_buffer *positions)
{
	char *cursor = NULL, *target;
	uint32_t count;

	do {
		target = dal_asprintf("/v1/events?limit=%u%s%s%s", limit, query,
				      cursor ? "&cursor=" : "", cursor ? cursor : "");
		free(cursor);
		count = positions_collect(target, positions, &cursor);
		free(target);
		/* A page that says that there is more is full, and the next one isn't empty. */
		assert_true(cursor ? count == limit : count <= limit);
	} while (cursor);
}

static void lines_collect(const char *query, struct dal_buffer *positions)
{
	char *target = dal_asprintf("/v1/events?%s", query + 1), *line, *text, *save = NULL;

	text = dal_strdup(harness_get_with(target, "Accept", "application/x-ndjson", 200));
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *start = line + strlen("{\"position\":\"");
		assert_int_equal(strncmp(line, "{\"position\":\"", strlen("{\"position\":\"")), 0);
		assert_int_equal(line[strlen(line) - 1], '}');
		dal_buffer_append(positions, start, strcspn(start, "\""));
		dal_buffer_byte(positions, ' ');
	}
	free(text);
	free(target);
}

static void pages_and_lines_are_the_whole(void **state)
{
	static const struct {
		const char *query;
		uint32_t count;
	} cases[] = {
		{"&topic=events", 60},
		{"&topic=events&type=a", 40},
		{"&topic=events&type=b&subject=s3", 2},
		{"&topic=orders", 0},
		{"&type=none", 0},
		{"&from=events/0/10&to=20", 10},
		{"&from=-1h&topic=events", 60},
		{"&from=2001-01-01T00:00:00Z&to=-1h", 0},
		{"&topic=events&to=2999-01-01T00:00:00Z", 60},
		{"&from=1000000", 0},
	};
	static const uint32_t limits[] = {1, 7, 60};

	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		struct dal_buffer whole = {0}, lines = {0};
		uint32_t count = 0;
		pages_collect(cases[c].query, 1000, &whole);
		lines_collect(cases[c].query, &lines);
		assert_string_equal(dal_buffer_cstr(&lines), dal_buffer_cstr(&whole));
		for (size_t i = 0; i < whole.size; i++) {
			count += whole.data[i] == ' ';
		}
		assert_int_equal(count, cases[c].count);
		for (size_t l = 0; l < 3; l++) {
			struct dal_buffer pages = {0};
			pages_collect(cases[c].query, limits[l], &pages);
			assert_string_equal(dal_buffer_cstr(&pages), dal_buffer_cstr(&whole));
			dal_buffer_deinit(&pages);
		}
		dal_buffer_deinit(&whole);
		dal_buffer_deinit(&lines);
	}
}

static void mistakes_are_told(void **state)
{
	(void)state;
	assert_non_null(strstr(harness_get("/v1/events?topic=nothing", 404), "log.topics"));
	assert_non_null(strstr(harness_get("/v1/events?since=-1h", 400), "from"));
	assert_non_null(strstr(harness_get("/v1/events?from=yesterday", 400), "-1h"));
	harness_get("/v1/events?from=events/3/17", 400);
	harness_get("/v1/events?cursor=abc", 400);
	harness_get("/v1/events?limit=-1", 400);
	harness_get_with("/v1/events?limit=0", "Accept", "application/x-ndjson", 400);
	harness_get_with("/v1/events?to=9", "Accept", "text/event-stream", 400);
	harness_get_with("/v1/events", "Last-Event-ID", "9", 200); /* of a tail alone */
}

/* --- tails --- */

static void a_tail_gives_what_comes(void **state)
{
	struct tail *tail = tail_start("/v1/events?type=a&topic=events&from=-0s", NULL, 4,
				       PATIENCE_MS);
	struct dal_buffer positions = {0}, expected = {0};

	(void)state;
	tail_wait(tail, 1); /* it is connected, and has nothing */
	for (int i = 0; i < 3; i++) {
		uint64_t offset = harness_event("a", "{\"late\":true}");
		dal_buffer_printf(&expected, "events/0/%" PRIu64 " ", offset);
		harness_event("b", "1");
		tail_wait(tail, (unsigned)i + 2); /* each one as it comes */
	}
	free(tail_end(tail, &positions));
	assert_string_equal(dal_buffer_cstr(&positions), dal_buffer_cstr(&expected));
	dal_buffer_deinit(&positions);
	dal_buffer_deinit(&expected);
}

static atomic_bool posting;
static atomic_uint connections;

/* Until clients have come and gone often enough. */
static void *post_many(void *own)
{
	(void)own;
	for (int i = 0; i < 150 || atomic_load(&connections) < 20; i++) {
		harness_event("a", "null");
	}
	atomic_store(&posting, false);
	return NULL;
}

/* A client that comes back with the id it got last misses nothing and gets nothing twice, while
 * events come. */
static void a_tail_goes_on_without_gap_or_repeat(void **state)
{
	struct dal_buffer positions = {0}, expected = {0};
	char *id = NULL, *next;
	pthread_t poster;

	(void)state;
	atomic_store(&connections, 0);
	atomic_store(&posting, true);
	assert_int_equal(pthread_create(&poster, NULL, post_many, NULL), 0);
	do {
		unsigned wanted = 4 + atomic_fetch_add(&connections, 1) % 5;
		next = tail_end(tail_start("/v1/events?topic=events", id, wanted, 500), &positions);
		if (next) {
			free(id);
			id = next;
		}
	} while (atomic_load(&posting) || next);
	pthread_join(poster, NULL);
	pages_collect("&topic=events", 1000, &expected);
	assert_string_equal(dal_buffer_cstr(&positions), dal_buffer_cstr(&expected));
	free(id);
	dal_buffer_deinit(&positions);
	dal_buffer_deinit(&expected);
}

/* The id of a log that is no more would point at other events of this one. */
static void an_id_of_another_log_is_refused(void **state)
{
	struct dal_slice mine = dal_log_id(dal_engine_log(harness_engine()));
	struct dal_buffer id = {0}, positions = {0};
	char *target;

	(void)state;
	dal_cursor_write_position(dal_slice_text("another"), DAL_LOG_ALL_LANES, DAL_POSITION_AT(7),
				  &id);
	target = dal_asprintf("/v1/events?cursor=%s", dal_buffer_cstr(&id));
	harness_get_with(target, "Accept", "text/event-stream", 400);
	free(target);
	dal_buffer_clear(&id);
	dal_cursor_write_position(mine, DAL_LOG_ALL_LANES, DAL_POSITION_AT(7), &id);
	free(tail_end(tail_start("/v1/events", dal_buffer_cstr(&id), 3, PATIENCE_MS), &positions));
	assert_int_equal(strncmp(dal_buffer_cstr(&positions), "events/0/7 events/0/8 ", 22), 0);
	dal_buffer_deinit(&id);
	dal_buffer_deinit(&positions);
}

/* The engine stops while clients hang on it: they are let go. */
static void tails_end_with_the_engine(void **state)
{
	struct tail *tails[8];
	struct dal_buffer positions = {0};

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		tails[i] = tail_start(i % 2 ? "/v1/events?from=-0s"
					    : "/v1/projections/count?watch=true",
				      NULL, 100000, PATIENCE_MS);
	}
	for (size_t i = 0; i < 8; i++) {
		tail_wait(tails[i], 1);
	}
	harness_restart(rules);
	for (size_t i = 0; i < 8; i++) {
		free(tail_end(tails[i], &positions));
	}
	dal_buffer_deinit(&positions);
}

/* --- watches --- */

static void a_watch_gives_a_snapshot_and_then_changes(void **state)
{
	/* reset, ten entries, live, one change */
	struct tail *range = tail_start("/v1/projections/count?watch", NULL, 1 + 10 + 1 + 1,
					PATIENCE_MS);
	struct tail *key = tail_start("/v1/projections/count/s1?watch", NULL, 1 + 1 + 1 + 1,
				      PATIENCE_MS);

	(void)state;
	tail_wait(range, 12);
	tail_wait(key, 3);
	for (int i = 0; i < 10; i++) {
		harness_event("a", "1"); /* each subject once */
	}
	tail_join(key);
	tail_join(range);
	assert_int_equal(tail_count(key, "event: reset\n"), 1);
	assert_int_equal(tail_count(key, "event: entry\ndata: {\"key\":\"s1\","), 2);
	assert_int_equal(tail_count(key, "event: entry\n"), 2);
	assert_int_equal(tail_count(range, "event: live\n"), 1);
	assert_true(tail_count(range, "event: entry\n") >= 11);
	for (int i = 0; i < 10; i++) {
		char *entry = dal_asprintf("data: {\"key\":\"s%d\",", i);
		assert_true(tail_count(range, entry) >= 1);
		free(entry);
	}
	tail_free(key);
	tail_free(range);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(pages_and_lines_are_the_whole),
		TEST(mistakes_are_told),
		TEST(a_tail_gives_what_comes),
		TEST(a_tail_goes_on_without_gap_or_repeat),
		TEST(a_watch_gives_a_snapshot_and_then_changes),
		TEST(an_id_of_another_log_is_refused),
		TEST(tails_end_with_the_engine),
	};

	return cmocka_run_group_tests_name("api events", tests, harness_begin, harness_end);
}
