/* What operators and rule writers ask: health, metrics, status, rules. */
#include "tests/unit/api/harness.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/memory.h"

static const char rules[] =
	"rule \"large\" {\n"
	"  on = { type = \"placed\", data = { total = numeric(\">=\", 1000),\n"
	"                                 country = { \"FR\", \"DE\" } } },\n"
	"  emit = function(event) return { type = \"large\", data = event.data.total } end,\n"
	"}\n"
	"rule \"orders-only\" { on = { topic = \"orders\", type = \"placed\" },\n"
	"  emit = function() end }\n"
	"rule \"failed\" { on = { type = \"dalamb.rule.failed\" }, emit = function() end }\n"
	"rule \"halting\" { on = { type = \"stop\" }, on_error = \"halt\",\n"
	"  emit = function() error(\"no further\") end }\n"
	"projection \"seen\" { version = 1, on = { type = \"placed\" }, key = \"subject\",\n"
	"  fold = function(state) return { seen = true } end }\n";

static int setup(void **state)
{
	(void)state;
	harness_start("log { topics = { \"orders\" } }\n", rules);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	harness_stop();
	return 0;
}

static void it_is_alive_and_becomes_ready(void **state)
{
	(void)state;
	harness_settle();
	assert_string_equal(harness_get("/livez", 200), "ok\n");
	assert_string_equal(harness_get("/readyz", 200), "ok\n");
	assert_string_equal(harness_get("/healthz", 200), "ok\n");
	harness_post("/livez", "", 405);
	harness_get("/v1/nothing", 404);
}

static void a_full_disk_is_told(void **state)
{
	const char *answer;
	uint32_t first;

	(void)state;
	harness_stop();
	harness_start("limits { disk_free = \"1000TB\" }\n", "");
	answer = harness_get("/v1/status", 200);
	first = dal_json_at(harness_json(), harness_member(DAL_JSON_ROOT, "attention"), 0);
	harness_expect_text(harness_member(first, "remedy"),
			    "make room on the disk of the data folder, or lower limits.disk_free");
	assert_non_null(strstr(answer, "\"ready\":false"));
	assert_non_null(strstr(harness_get("/readyz", 503), "limits.disk_free is 953674316 MiB"));
	harness_get("/livez", 200);
	harness_post_as("/v1/events", "application/cloudevents+json",
			"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/t\",\"type\":\"a\"}",
			503);
}

/* --- metrics --- */

static int promtool(const char *page)
{
	FILE *file = tmpfile();
	int status = 0;
	pid_t child;

	assert_non_null(file);
	assert_int_equal(fputs(page, file) >= 0 && fflush(file) == 0, 1);
	rewind(file);
	child = fork();
	if (child == 0) {
		dup2(fileno(file), 0);
		execlp("promtool", "promtool", "check", "metrics", (char *)NULL);
		_exit(127);
	}
	waitpid(child, &status, 0);
	fclose(file);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void metrics_are_valid(void **state)
{
	static const char *const names[] = {
		"\ndalamb_lane_lag_events 0\n",        "\ndalamb_outbox_dead_rows 0\n",
		"\nprocess_resident_memory_bytes ",    "\nprocess_cpu_seconds_total ",
		"\ndalamb_log_appended_events_total ", "\ndalamb_rule_matches_total{rule=\"large\"",
	};
	const char *page;
	int code, tries = 0;

	(void)state;
	harness_event("placed", "{\"total\":1000,\"country\":\"FR\"}");
	do { /* what it leads to comes to the log after it */
		harness_settle();
		page = harness_get("/metrics", 200);
	} while (!strstr(page, names[0]) && tries++ < 1000);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strstr(page, names[i])) {
			fail_msg("no %s in %s", names[i], page);
		}
	}
	code = promtool(page);
	if (code == 127) {
		print_message("promtool is not installed: the page was not checked with it\n");
		skip();
	}
	assert_int_equal(code, 0);
}

/* --- status --- */

static void a_halted_lane_says_what_to_do(void **state)
{
	uint64_t offset;
	char *at;
	uint32_t halted;

	(void)state;
	offset = harness_event("stop", "1");
	at = dal_asprintf("events/0/%" PRIu64, offset);
	harness_event("placed", "{}");
	for (int i = 0; !strstr(harness_get("/v1/status", 200), "\"halted\""); i++) {
		assert_true(i < 2000);
		usleep(1000);
	}
	halted = harness_member(harness_member(DAL_JSON_ROOT, "lane"), "halted");
	harness_expect_text(harness_member(halted, "position"), at);
	harness_expect_text(harness_member(halted, "declaration"), "halting");
	assert_int_not_equal(harness_member(halted, "remedy"), DAL_JSON_NONE);
	assert_int_equal(dal_json_count(harness_json(), harness_member(DAL_JSON_ROOT, "attention")),
			 1);
	assert_non_null(strstr(harness_get("/v1/projections/seen?min-position=100&timeout=0", 504),
			       "halted"));
	free(at);
}

static void status_says_where_all_stands(void **state)
{
	(void)state;
	harness_event("placed", "{}");
	harness_settle();
	harness_get("/v1/status", 200);
	assert_int_equal(dal_json_kind(harness_json(), harness_member(DAL_JSON_ROOT, "ready")),
			 DAL_JSON_TRUE);
	assert_int_equal(dal_json_count(harness_json(), harness_member(DAL_JSON_ROOT, "attention")),
			 0);
	assert_true(dal_slice_equal(
		dal_json_string(harness_json(),
				harness_member(harness_member(DAL_JSON_ROOT, "log"), "end")),
		dal_json_string(harness_json(),
				harness_member(harness_member(DAL_JSON_ROOT, "lane"), "at"))));
	harness_get("/v1/status?verbose", 400);
}

/* --- rules --- */

static void rules_are_counted(void **state)
{
	(void)state;
	harness_event("placed", "{\"total\":1000,\"country\":\"FR\"}");
	harness_event("placed", "{\"total\":999,\"country\":\"FR\"}");
	harness_settle();
	assert_non_null(strstr(harness_get("/v1/rules?limit=1", 200),
			       "\"name\":\"large\",\"file\":\"rules/test.lua\",\"line\":1,"));
	assert_non_null(
		strstr(harness_get("/v1/rules?limit=1", 200),
		       "\"matched\":1,\"passed\":1,\"refused\":0,\"failed\":0}],\"cursor\":"));
	assert_int_equal(dal_json_count(harness_json(), harness_member(DAL_JSON_ROOT, "rules")), 1);
	harness_get("/v1/rules", 200);
	assert_int_equal(dal_json_count(harness_json(), harness_member(DAL_JSON_ROOT, "rules")), 4);
	assert_int_equal(harness_member(DAL_JSON_ROOT, "cursor"), DAL_JSON_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(it_is_alive_and_becomes_ready),
		TEST(a_full_disk_is_told),
		TEST(metrics_are_valid),
		TEST(a_halted_lane_says_what_to_do),
		TEST(status_says_where_all_stands),
		TEST(rules_are_counted),
	};

	return cmocka_run_group_tests_name("api operations", tests, harness_begin, harness_end);
}
