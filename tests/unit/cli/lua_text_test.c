#include "tests/unit/cli/check.h"

#include "engine/cli/lua_text.h"

static void assert_lua(const char *text, const char *but, const char *expected)
{
	struct dal_json *json = dal_json_new();
	struct dal_buffer out = {0};

	assert_int_equal(dal_json_parse(json, dal_slice_text(text), 0, NULL), 0);
	dal_lua_put(&out, json, DAL_JSON_ROOT, 0, but);
	assert_string_equal(dal_buffer_cstr(&out), expected);
	dal_buffer_deinit(&out);
	dal_json_free(json);
}

static void test_values(void **state)
{
	(void)state;
	assert_lua("null", NULL, "null");
	assert_lua("-9223372036854775808", NULL, "-9223372036854775808");
	assert_lua("1.50", NULL, "1.50");
	assert_lua("\"a\\\"\\\\\\n\\u0001\\u00e9\"", NULL, "\"a\\\"\\\\\\n\\x01\xC3\xA9\"");
	assert_lua("{}", NULL, "{}");
	assert_lua("[]", NULL, "{}");
	assert_lua("[1, [true], {\"a\": null}]", NULL, "{ 1, { true }, { a = null } }");
}

static void test_keys(void **state)
{
	(void)state;
	assert_lua("{\"_a1\": 1, \"end\": 2, \"a b\": 3, \"1\": 4, \"\": 5}", NULL,
		   "{ _a1 = 1, [\"end\"] = 2, [\"a b\"] = 3, [\"1\"] = 4, [\"\"] = 5 }");
	assert_lua("{\"type\": 1, \"data\": {\"type\": 2}}", "type", "{ data = { type = 2 } }");
	assert_lua("{\"type\": 1}", "type", "{}");
}

static void test_long_values_go_over_lines(void **state)
{
	(void)state;
	assert_lua("{\"a\": \"0123456789012345678901234567890123456789\", \"b\": "
		   "\"0123456789012345678901234567890123456789\", \"c\": {\"d\": 1}}",
		   NULL,
		   "{\n\ta = \"0123456789012345678901234567890123456789\",\n"
		   "\tb = \"0123456789012345678901234567890123456789\",\n\tc = { d = 1 },\n}");
}

static bool is_exact(const char *text)
{
	struct dal_json *json = dal_json_new();
	bool exact;

	assert_int_equal(dal_json_parse(json, dal_slice_text(text), 0, NULL), 0);
	exact = dal_lua_is_exact(json, DAL_JSON_ROOT);
	dal_json_free(json);
	return exact;
}

static void test_what_lua_holds(void **state)
{
	(void)state;
	assert_true(is_exact("{\"a\": [1, 2.50, -1e30, 9223372036854775807], \"b\": {}}"));
	assert_false(is_exact("{\"a\": {\"b\": []}}"));
	assert_false(is_exact("[1, 0.1234567890123456789]"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_long_values_go_over_lines),
		cmocka_unit_test(test_what_lua_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
