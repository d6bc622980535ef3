/* What is checked of an envelope is shown by tests/cases/event; this is the rest of event.h. */
#include "tests/unit/event/check.h"

#include "engine/event/event.h"

static struct dal_json *json;

static int set_up(void **state)
{
	(void)state;
	json = dal_json_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dal_json_free(json);
	return 0;
}

static struct dal_event viewed(const char *text)
{
	struct dal_event event;
	assert_int_equal(dal_json_parse(json, dal_slice_text(text), DAL_JSON_TRUSTED, NULL), 0);
	dal_event_view(&event, json);
	return event;
}

static void a_view_of_anything_is_harmless(void **state)
{
	(void)state;
	static const char *const texts[] = {"1", "[]", "{}", "\"x\"", "{\"id\":1,\"type\":null}"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct dal_event event = viewed(texts[i]);
		assert_int_equal(event.id.size + event.type.size + event.source.size, 0);
		assert_int_equal(event.data, DAL_JSON_NONE);
		assert_int_equal(event.data_base64, DAL_JSON_NONE);
		assert_false(event.reserved);
		assert_int_equal(dal_event_attribute(&event, dal_slice_text("type")),
				 DAL_JSON_NONE);
	}
	assert_int_equal(dal_json_parse(json, dal_slice_text("{"), 0, NULL), DAL_JSON_INVALID);
	struct dal_event event;
	dal_event_view(&event, json);
	assert_int_equal(event.data, DAL_JSON_NONE);
}

static void the_view_is_on_the_tape(void **state)
{
	(void)state;
	struct dal_event event = viewed(
		"{\"specversion\":\"1.0\",\"id\":\"a\\u002fb\",\"source\":\"/s\","
		"\"type\":\"t\",\"data\":{\"n\":[1]},\"dalambhops\":3,\"x\":true}");
	assert_slice(event.id, "a/b");
	assert_slice(dal_json_raw(json, event.data), "{\"n\":[1]}");
	assert_int_equal(event.hops, 3);
	assert_true(event.reserved);
	uint32_t x = dal_event_attribute(&event, dal_slice_text("x"));
	assert_int_equal(dal_json_kind(json, x), DAL_JSON_TRUE);
	assert_int_equal(dal_event_attribute(&event, dal_slice_text("data")), DAL_JSON_NONE);
	assert_int_equal(dal_event_attribute(&event, dal_slice_text("y")), DAL_JSON_NONE);
}

static void the_key_is_partitionkey_or_subject(void **state)
{
	(void)state;
	struct dal_event event = viewed("{\"subject\":\"s\",\"partitionkey\":\"p\"}");
	assert_slice(dal_event_key(&event), "p");
	event = viewed("{\"subject\":\"s\",\"partitionkey\":null}");
	assert_slice(dal_event_key(&event), "s");
	event = viewed("{}");
	assert_slice(dal_event_key(&event), "");
}

static const struct dal_attribute attributes[] = {
	{DAL_SLICE_LITERAL("id"), DAL_SLICE_LITERAL("1\"2"), false},
	{DAL_SLICE_LITERAL("source"), DAL_SLICE_LITERAL("/s"), false},
	{DAL_SLICE_LITERAL("type"), DAL_SLICE_LITERAL("t"), false},
	{DAL_SLICE_LITERAL("subject"), {NULL, 0}, false},
	{DAL_SLICE_LITERAL("dalambhops"), DAL_SLICE_LITERAL("2"), true},
};

#define HEAD                                                                                       \
	"{\"specversion\":\"1.0\",\"id\":\"1\\\"2\",\"source\":\"/s\",\"type\":\"t\","             \
	"\"dalambhops\":2"

static void what_is_built_reads_back(void **state)
{
	(void)state;
	struct dal_event_parts parts = {.attributes = attributes, .count = 5};
	struct dal_buffer out = {0};
	struct dal_event event;
	dal_event_build(&parts, &out);
	assert_slice(dal_buffer_slice(&out), HEAD "}");

	dal_buffer_clear(&out);
	parts.data = dal_slice_text("{\"a\": [1]}");
	dal_event_build(&parts, &out);
	assert_slice(dal_buffer_slice(&out), HEAD ",\"data\":{\"a\": [1]}}");

	dal_buffer_clear(&out);
	parts.data = (struct dal_slice){0};
	parts.binary = dal_slice("\0\1\2\xff", 4);
	parts.has_binary = true;
	dal_event_build(&parts, &out);
	assert_slice(dal_buffer_slice(&out), HEAD ",\"data_base64\":\"AAEC/w==\"}");
	assert_int_equal(dal_json_parse(json, dal_buffer_slice(&out), 0, NULL), 0);
	assert_int_equal(dal_event_read(&event, json, NULL), 0);
	assert_slice(event.id, "1\"2");
	assert_slice(dal_json_string(json, event.data_base64), "AAEC/w==");
	assert_int_equal(event.data, DAL_JSON_NONE);
	dal_buffer_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_view_of_anything_is_harmless, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_view_is_on_the_tape, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_key_is_partitionkey_or_subject, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_is_built_reads_back, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
