/* POST /v1/rules/explain: fields, guards on the views of a running engine, events of the log. */
#include "tests/unit/api/harness.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "engine/api/explanation.h"
#include "engine/app/app.h"
#include "engine/base/memory.h"

static const char rules[] =
	"rule \"large\" {\n"
	"  on = { type = \"placed\", data = { total = numeric(\">=\", 1000),\n"
	"                                 country = { \"FR\", \"DE\" } } },\n"
	"  emit = function(event) return { type = \"large\", data = event.data.total } end,\n"
	"}\n"
	"rule \"orders-only\" { on = { topic = \"orders\", type = \"placed\" },\n"
	"  emit = function() end }\n"
	"rule \"regular\" { on = { type = \"placed\" }, emit = function() end,\n"
	"  when = function(event)\n"
	"    local seen = view(\"seen\", event.subject)\n"
	"    return seen and seen.count > 1\n"
	"  end }\n"
	"rule \"broken\" { on = { type = \"placed\" }, emit = function() end,\n"
	"  when = function(event)\n"
	"    local function deep(x) return x.a.b end\n"
	"    return deep(event) and true\n"
	"  end }\n"
	"rule \"endless\" { on = { type = \"endless\" }, emit = function() end,\n"
	"  when = function() while true do end end }\n"
	"rule \"typed\" { on = { type = \"typed\" }, emit = function() end,\n"
	"  when = function(event)\n"
	"    local x = event.data\n"
	"    return x == 1 and nil or x == 2 and 2.5 or x == 3 and \"t\" or x == 4 and {} or\n"
	"           x == 5 and event or x == 6 and null or x == 7 and string.rep(\"x\", 300) or\n"
	"           x == 8 and \"\\xff\" or x == 9 and error({ message = \"nine\" })\n"
	"  end }\n"
	"rule \"stopped\" { on = { type = \"stopped\" }, emit = function() end,\n"
	"  when = function(event) return view(\"parked\", event.subject) end }\n"
	"projection \"seen\" { version = 1, on = { type = \"placed\" }, key = \"subject\",\n"
	"  init = { count = 0 },\n"
	"  fold = function(state) state.count = state.count + 1 return state end }\n"
	"projection \"parked\" { version = 1, on = { type = \"park\" }, key = \"subject\",\n"
	"  fold = function() error(\"no\") end }\n";

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

static void explain(const char *body, const char *expected)
{
	const char *answer = harness_post("/v1/rules/explain", body, 200);

	if (!strstr(answer, expected)) {
		fail_msg("%s\nhas no %s", answer, expected);
	}
}

/* Of the last answer. */
static void says(const char *expected)
{
	struct dal_slice text = dal_json_raw(harness_json(), DAL_JSON_ROOT);

	if (!memmem(text.data, text.size, expected, strlen(expected))) {
		fail_msg("%.*s\nhas no %s", (int)text.size, text.data, expected);
	}
}

static void it_names_the_field(void **state)
{
	uint64_t offset = harness_event("placed", "{\"total\":999,\"country\":\"FR\"}");
	char *stored = dal_asprintf("{\"position\":\"events/0/%" PRIu64 "\",\"rule\":\"large\"}",
				    offset);
	char *place = dal_asprintf("\"position\":\"events/0/%" PRIu64 "\"", offset);

	(void)state;
	explain(stored, "\"matched\":false,\"field\":\"data.total\",\"found\":999,\"expected\":"
			"\"a number >= 1000\",\"hint\":\"is only 1 too small\",\"near\":true,"
			"\"failed\":1,\"conditions\":3}");
	says(place);
	explain("{\"event\":{\"type\":\"placed\",\"data\":{\"total\":1000,\"country\":\"FR\"}},"
		"\"rule\":\"large\"}",
		"\"rules\":[{\"rule\":\"large\",\"file\":\"rules/test.lua\",\"line\":1,"
		"\"matched\":true,\"passed\":true}],\"projections\":[],"
		"\"counts\":{\"rules\":1,\"rules_matched\":1,\"projections\":0,"
		"\"projections_matched\":0,\"passed\":1}");
	explain("{\"event\":{\"type\":\"placed\",\"data\":{\"total\":1000}},\"rule\":\"large\"}",
		"\"field\":\"data.country\",\"found\":null,\"missing\":true,");
	explain("{\"event\":{\"type\":\"placed\"},\"rule\":\"orders-only\"}",
		"\"field\":\"topic\",\"found\":\"events\",\"expected\":\"topic orders\"");
	says("\"failed\":1,\"conditions\":2");
	explain("{\"event\":{\"type\":\"placed\"},\"topic\":\"orders\",\"rule\":\"orders-only\"}",
		"\"matched\":true");
	explain("{\"event\":{\"type\":\"dalamb.app.loaded\"},\"rule\":\"large\"}",
		"dalamb's own events");
	explain("{\"event\":{\"type\":\"placed\",\"dalambhops\":17},\"rule\":\"large\"}",
		"\"field\":\"dalambhops\",\"found\":17,\"expected\":\"at most 16\"");
	free(stored);
	free(place);
}

static void a_value_that_is_cut_is_told_as_text(void **state)
{
	struct dal_buffer body = {0};

	(void)state;
	dal_buffer_text(&body, "{\"rule\":\"large\",\"event\":{\"type\":\"placed\",\"data\":{"
			       "\"country\":\"FR\",\"total\":\"");
	for (int i = 0; i < 400; i++) {
		dal_buffer_byte(&body, 'x');
	}
	dal_buffer_text(&body, "\"}}}");
	explain(dal_buffer_cstr(&body), "xxx...\",\"cut\":true");
	dal_buffer_deinit(&body);
}

static const char *name_at(const char *list, const char *kind, uint32_t index)
{
	uint32_t item = dal_json_at(harness_json(), harness_member(DAL_JSON_ROOT, list), index);
	static char name[64];
	struct dal_slice text = dal_json_string(harness_json(), harness_member(item, kind));

	memcpy(name, text.data, text.size);
	name[text.size] = '\0';
	return name;
}

static void the_nearest_come_first(void **state)
{
	(void)state;
	explain("{\"event\":{\"type\":\"placed\",\"subject\":\"s\",\"data\":{\"country\":\"FR\"}},"
		"\"limit\":4}",
		"\"rules\":[{\"rule\":\"regular\"");
	assert_string_equal(name_at("rules", "rule", 1), "broken");
	assert_string_equal(name_at("rules", "rule", 2), "large"); /* one of three fails */
	assert_string_equal(name_at("rules", "rule", 3), "orders-only");
	assert_int_equal(dal_json_count(harness_json(), harness_member(DAL_JSON_ROOT, "rules")), 4);
	says("\"counts\":{\"rules\":7,\"rules_matched\":2,\"projections\":2,"
	     "\"projections_matched\":1,\"passed\":1}");
	assert_string_equal(name_at("projections", "projection", 0), "seen");
	explain("{\"event\":{\"type\":\"placed\"},\"all\":true}", "\"rule\":\"endless\"");
	assert_int_equal(dal_json_count(harness_json(), harness_member(DAL_JSON_ROOT, "rules")), 7);
}

/* --- guards --- */

static void a_guard_is_asked_on_the_views_as_they_are(void **state)
{
	static const char ask[] = "{\"event\":{\"type\":\"placed\",\"subject\":\"s0\"},"
				  "\"rule\":\"regular\"}";
	uint64_t first;
	char *stored;

	(void)state;
	explain(ask, "\"guard\":{\"answer\":\"no\",\"returned\":\"nil\",\"views\":[{"
		     "\"projection\":\"seen\",\"key\":\"s0\",\"value\":null}]},\"passed\":false");
	says("\"asked\":1,\"at\":");
	says("\"note\":\"guards were asked on the views as they are now\"");
	first = harness_event("placed", "{}"); /* of subject s0 */
	harness_settle();
	explain(ask, "\"answer\":\"no\",\"returned\":\"false\",\"views\":[{"
		     "\"projection\":\"seen\",\"key\":\"s0\",\"value\":{\"count\":1}}]");
	for (int i = 0; i < 10; i++) {
		harness_event("placed", "{}");
	}
	harness_settle();
	/* An old event, on today's views; nothing was there when it came. */
	stored = dal_asprintf("{\"position\":\"events/0/%" PRIu64 "\",\"rule\":\"regular\"}",
			      first);
	explain(stored, "\"answer\":\"yes\",\"returned\":\"true\",\"views\":[{"
			"\"projection\":\"seen\",\"key\":\"s0\",\"value\":{\"count\":2}}]},"
			"\"passed\":true");
	says("guards were asked on today's views, not on those that the event found");
	free(stored);
}

static void a_guard_that_fails_gives_its_traceback(void **state)
{
	(void)state;
	explain("{\"event\":{\"type\":\"placed\",\"subject\":\"s\"},\"rule\":\"broken\"}",
		"\"guard\":{\"answer\":\"error\",\"message\":\"rules/test.lua:15: attempt to index "
		"a nil value (field 'a')\",\"traceback\":\"stack traceback:\\n\\trules/"
		"test.lua:15: in local 'deep'\\n\\trules/test.lua:16: in function "
		"<rules/test.lua:14>\",\"views\":[]},\"passed\":false");
	explain("{\"event\":{\"type\":\"endless\"},\"rule\":\"endless\"}", "\"answer\":\"error\"");
	says("instructions");
	/* The machine is as good as before. */
	explain("{\"event\":{\"type\":\"placed\",\"subject\":\"s\"},\"rule\":\"regular\"}",
		"\"answer\":\"no\"");
}

static void what_a_guard_returns_is_told_in_words(void **state)
{
	static const struct {
		int data;
		const char *expected;
	} cases[] = {
		{1, "\"no\",\"returned\":\"false\""},
		{2, "\"yes\",\"returned\":\"2.5\""},
		{3, "\"yes\",\"returned\":\"\\\"t\\\"\""},
		{4, "\"yes\",\"returned\":\"a table\""},
		{5, "\"returned\":\"a part of the event\""},
		{6, "\"returned\":\"null\""},
		{7, "xxx\\\"...\""},
		{8, "a string that is not UTF-8"},
		{9, "\"answer\":\"error\",\"message\":\"nine\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *body = dal_asprintf("{\"event\":{\"type\":\"typed\",\"data\":%d},"
					  "\"rule\":\"typed\"}",
					  cases[i].data);
		explain(body, cases[i].expected);
		free(body);
	}
}

static void a_parked_key_raises_in_the_guard(void **state)
{
	(void)state;
	harness_event("park", "{}"); /* of subject s0 */
	harness_settle();
	explain("{\"event\":{\"type\":\"stopped\",\"subject\":\"s0\"},\"rule\":\"stopped\"}",
		"view: parked is parked: this key is parked since events/0/");
	explain("{\"event\":{\"type\":\"stopped\",\"subject\":\"s1\"},\"rule\":\"stopped\"}",
		"\"answer\":\"no\"");
}

/* --- many at once, many rules --- */

static void *ask_many(void *own)
{
	struct dal_http_client *client;
	struct dal_error error = {0};
	char *base = harness_base();

	assert_int_equal(dal_http_client_new(&(struct dal_http_client_options){.base = base},
					     &client, &error),
			 0);
	for (int i = 0; i < 20; i++) {
		struct dal_http_answer answer = {0};
		struct dal_slice body = dal_slice_text("{\"event\":{\"type\":\"placed\","
						       "\"subject\":\"s0\"}}");
		assert_int_equal(
			dal_http_client_ask(client,
					    &(struct dal_http_ask){.method = "POST",
								   .target = "/v1/rules/explain",
								   .type = "application/json",
								   .body = body},
					    &answer, &error),
			0);
		assert_int_equal(answer.status, 200);
		assert_non_null(strstr(dal_buffer_cstr(&answer.body), "\"returned\":\"false\""));
		dal_http_answer_deinit(&answer);
	}
	dal_http_client_free(client);
	free(base);
	return own;
}

static void several_ask_at_a_time(void **state)
{
	pthread_t threads[4];

	(void)state;
	harness_event("placed", "{}");
	harness_settle();
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, ask_many, NULL), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
	}
}

/* No thread waits for the guards of another. */
static void while_others_ask_guards_nothing_comes(void **state)
{
	struct dal_app *app = dal_engine_app(harness_engine());
	struct dal_guards *guards = dal_guards_new();
	struct dal_json *json = dal_json_new();
	struct dal_explanation *explanation;
	struct dal_buffer out = {0};
	struct dal_event event;
	size_t size;

	(void)state;
	assert_int_equal(dal_json_parse(json, dal_slice_text("{\"type\":\"typed\",\"data\":3}"), 0,
					NULL),
			 0);
	dal_event_view(&event, json);
	event.place.topic = dal_slice_text("events");
	explanation = dal_explanation_new(
		&(struct dal_explanation_options){.rules = app->rules,
						  .event = &event,
						  .rule = dal_slice_text("typed"),
						  .limit = SIZE_MAX,
						  .guards = guards,
						  .guards_us = 1000000});
	assert_true(dal_guards_take(guards));
	assert_false(dal_guards_take(guards));
	assert_true(dal_explanation_put(explanation, &out));
	size = out.size;
	assert_true(dal_explanation_put(explanation, &out));
	assert_int_equal(out.size, size);
	dal_guards_release(guards, 3600 * 1000000ll); /* and rests for an hour */
	assert_true(dal_explanation_put(explanation, &out));
	assert_int_equal(out.size, size);
	dal_explanation_free(explanation);
	assert_false(dal_guards_take(guards));
	dal_guards_free(guards);
	dal_json_free(json);
	dal_buffer_deinit(&out);
	dal_app_free(app);
}

static void thousands_of_rules_come_in_pieces(void **state)
{
	struct dal_buffer many = {0};

	(void)state;
	for (int i = 0; i < 3000; i++) {
		dal_buffer_printf(&many,
				  "rule \"r%d\" { on = { type = \"t%d\", data = { x = %d } },\n"
				  "  emit = function() end, when = function(event) return %s end "
				  "}\n",
				  i, i % 30, i, i % 60 == 7 ? "event.a.b" : "event.data.x > 1000");
	}
	harness_restart(dal_buffer_cstr(&many));
	explain("{\"event\":{\"type\":\"t7\",\"data\":{\"x\":1507}},\"all\":true}",
		"\"rules\":[{\"rule\":\"r1507\"");
	assert_int_equal(dal_json_count(harness_json(), harness_member(DAL_JSON_ROOT, "rules")),
			 3000);
	assert_string_equal(name_at("rules", "rule", 1), "r7");
	explain("{\"event\":{\"type\":\"t7\",\"data\":{\"x\":1507}}}", "\"rules_matched\":1,");
	assert_int_equal(dal_json_count(harness_json(), harness_member(DAL_JSON_ROOT, "rules")),
			 100);
	dal_buffer_deinit(&many);
}

static void mistakes_are_told(void **state)
{
	static const struct {
		const char *body;
		int status;
	} cases[] = {
		{"{", 400},
		{"[]", 400},
		{"{}", 400},
		{"{\"event\":1}", 400},
		{"{\"event\":{},\"position\":\"1\"}", 400},
		{"{\"event\":{},\"limit\":0}", 400},
		{"{\"event\":{},\"limit\":\"all\"}", 400},
		{"{\"position\":1}", 400},
		{"{\"position\":\"here\"}", 400},
		{"{\"position\":\"1000000\"}", 404},
		{"{\"event\":{},\"rule\":\"none\"}", 404},
		{"{\"event\":{},\"rule\":1}", 404},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		harness_post("/v1/rules/explain", cases[i].body, cases[i].status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(it_names_the_field),
		TEST(a_value_that_is_cut_is_told_as_text),
		TEST(the_nearest_come_first),
		TEST(a_guard_is_asked_on_the_views_as_they_are),
		TEST(a_guard_that_fails_gives_its_traceback),
		TEST(what_a_guard_returns_is_told_in_words),
		TEST(a_parked_key_raises_in_the_guard),
		TEST(several_ask_at_a_time),
		TEST(while_others_ask_guards_nothing_comes),
		TEST(thousands_of_rules_come_in_pieces),
		TEST(mistakes_are_told),
	};

	return cmocka_run_group_tests_name("api explain", tests, harness_begin, harness_end);
}
