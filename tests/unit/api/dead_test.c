/* Dead letters: listed with their reasons, sent again, dropped; always by events. */
#include "tests/unit/api/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/memory.h"

/* Programs that end at once: each try fails, the only one there is. */
static const char functions[] =
	"func \"lost\" { command = { \"/bin/false\" }, sandbox = false, attempts = 1, max = 1 }\n"
	"func \"other\" { command = { \"/bin/false\" }, sandbox = false, attempts = 1, max = 1 }\n";
static const char rules[] = "rule \"call-it\" { on = { type = \"go\" }, call = \"lost\" }\n"
			    "rule \"call-other\" { on = { type = \"go\" }, call = \"other\" }\n";

static int setup(void **state)
{
	(void)state;
	harness_start(functions, rules);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	harness_stop();
	return 0;
}

/* Waits until so many are listed; then the last answer has them. */
static void dead_wait(const char *target, uint32_t count)
{
	for (int i = 0;; i++) {
		harness_get(target, 200);
		if (dal_json_count(harness_json(), harness_member(DAL_JSON_ROOT, "dead")) ==
		    count) {
			return;
		}
		assert_true(i < 2000);
		usleep(10000);
	}
}

static uint32_t dead_at(uint32_t index)
{
	return dal_json_at(harness_json(), harness_member(DAL_JSON_ROOT, "dead"), index);
}

static char *row_at(uint32_t index)
{
	return dal_slice_dup(
		dal_json_string(harness_json(), harness_member(dead_at(index), "row")));
}

static void a_call_that_failed_is_listed_with_its_reason(void **state)
{
	uint64_t offset = harness_event("go", "{\"n\":1}");
	char *cause = dal_asprintf("events/0/%llu", (unsigned long long)offset);
	uint32_t row, error;

	(void)state;
	dead_wait("/v1/dead?function=lost", 1);
	row = dead_at(0);
	harness_expect_text(harness_member(row, "function"), "lost");
	harness_expect_text(harness_member(row, "rule"), "call-it");
	harness_expect_text(harness_member(row, "cause"), cause);
	harness_expect_text(harness_member(row, "reason"), "attempts");
	error = harness_member(row, "error");
	assert_int_not_equal(harness_member(error, "message"), DAL_JSON_NONE);
	harness_expect_text(harness_member(harness_member(row, "payload"), "type"), "go");
	free(cause);
	dead_wait("/v1/dead", 2);
	assert_non_null(strstr(harness_get("/v1/status", 200), "\"dead_rows\":2"));
	assert_non_null(strstr(harness_get("/v1/status", 200), "2 calls failed for good"));
	harness_get("/v1/dead?function=none", 200);
	harness_get("/v1/dead?row=1", 400);
}

static void pages_are_the_whole(void **state)
{
	struct dal_buffer seen = {0}, whole = {0};
	char *cursor = NULL;

	(void)state;
	for (int i = 0; i < 5; i++) {
		harness_event("go", "1");
	}
	dead_wait("/v1/dead", 10);
	for (uint32_t i = 0; i < 10; i++) {
		char *row = row_at(i);
		dal_buffer_printf(&whole, "%s\n", row);
		free(row);
	}
	do {
		char *target = dal_asprintf("/v1/dead?limit=3%s%s", cursor ? "&cursor=" : "",
					    cursor ? cursor : ""),
		     *row;
		uint32_t node;
		harness_get(target, 200);
		free(target);
		free(cursor);
		for (uint32_t i = 0; dead_at(i) != DAL_JSON_NONE; i++) {
			row = row_at(i);
			dal_buffer_printf(&seen, "%s\n", row);
			free(row);
		}
		node = harness_member(DAL_JSON_ROOT, "cursor");
		cursor = node == DAL_JSON_NONE
				 ? NULL
				 : dal_slice_dup(dal_json_string(harness_json(), node));
	} while (cursor);
	assert_string_equal(dal_buffer_cstr(&seen), dal_buffer_cstr(&whole));
	dal_buffer_deinit(&seen);
	dal_buffer_deinit(&whole);
}

static void a_row_is_sent_again_and_dropped(void **state)
{
	char *row, *body;

	(void)state;
	harness_event("go", "1");
	dead_wait("/v1/dead?function=lost", 1);
	row = row_at(0);
	body = dal_asprintf("{\"rows\":[\"%s\",\"nothing/like/it\"]}", row);
	assert_string_equal(harness_post("/v1/dead/retry", body, 200),
			    "{\"retried\":1,\"unknown\":[\"nothing/like/it\"]}\n");
	/* It failed again: the same row, which says how often it came back. */
	for (int i = 0;; i++) {
		dead_wait("/v1/dead?function=lost", 1);
		if (dal_json_integer(harness_json(), harness_member(dead_at(0), "revived")) == 1) {
			break;
		}
		assert_true(i < 1000);
		usleep(10000);
	}
	harness_expect_text(harness_member(dead_at(0), "row"), row);
	assert_string_equal(harness_post("/v1/dead/drop", body, 200),
			    "{\"dropped\":1,\"unknown\":[\"nothing/like/it\"]}\n");
	/* The answer came once it was folded in. */
	harness_get("/v1/dead?function=lost", 200);
	assert_int_equal(dead_at(0), DAL_JSON_NONE);
	assert_non_null(strstr(harness_post("/v1/dead/drop", body, 404), "\"unknown\":["));
	assert_non_null(strstr(harness_get("/v1/events?type=dalamb.dead.retried", 200), row));
	assert_non_null(
		strstr(harness_get("/v1/events?type=dalamb.dead.dropped", 200), "\"by\":\"api\""));
	free(row);
	free(body);
}

static void all_of_a_function_are_dropped(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		harness_event("go", "1");
	}
	dead_wait("/v1/dead", 8);
	assert_string_equal(harness_post("/v1/dead/drop", "{\"function\":\"lost\"}", 200),
			    "{\"dropped\":4}\n");
	dead_wait("/v1/dead?function=lost", 0);
	dead_wait("/v1/dead", 4);
	assert_string_equal(harness_post("/v1/dead/retry", "{\"function\":\"lost\"}", 200),
			    "{\"retried\":0}\n");
}

static void mistakes_are_told(void **state)
{
	static const char *const bodies[] = {
		"",
		"{",
		"[]",
		"{}",
		"{\"rows\":[]}",
		"{\"rows\":[1]}",
		"{\"rows\":1}",
		"{\"function\":[\"a\"]}",
		"{\"rows\":[\"a\"],\"function\":\"b\"}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		harness_post("/v1/dead/retry", bodies[i], 400);
		harness_post("/v1/dead/drop", bodies[i], 400);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_call_that_failed_is_listed_with_its_reason),
		TEST(pages_are_the_whole),
		TEST(a_row_is_sent_again_and_dropped),
		TEST(all_of_a_function_are_dropped),
		TEST(mistakes_are_told),
	};

	return cmocka_run_group_tests_name("api dead", tests, harness_begin, harness_end);
}
