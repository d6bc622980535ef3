/* What others wrote, printed so that a terminal takes it for text. */
#include "engine/cli/print.h"
#include "tests/unit/cli/check.h"

static void printed(const char *text, size_t most, const char *expected)
{
	char *out = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&out, &size);

	assert_non_null(to);
	dal_print_short(to, dal_slice_text(text), most);
	assert_int_equal(fclose(to), 0);
	assert_string_equal(out, expected);
	free(out);
}

static void controls_are_no_commands(void **state)
{
	(void)state;
	printed("plain \xc3\xa9 text", 100, "plain \xc3\xa9 text");
	printed("\x1b[31mred\x7f", 100, "?[31mred?");
	printed("two\nlines\tand\r", 100, "two lines and?");
	printed("\xc2\x9b"
		"31m \xc2\xa0",
		100, "?31m \xc2\xa0");
}

static void cut_between_characters(void **state)
{
	(void)state;
	printed("abc", 3, "abc");
	printed("abcd", 3, "abc...");
	printed("ab\xc3\xa9"
		"d",
		3, "ab...");
	printed("ab\xc3\xa9"
		"d",
		4, "ab\xc3\xa9...");
	printed("", 3, "");
}

static void members(void **state)
{
	struct dal_json *json = dal_json_new();

	(void)state;
	assert_int_equal(dal_json_parse(json,
					dal_slice_text("{\"t\":\"x\",\"n\":7,\"b\":true,\"z\":null,"
						       "\"o\":{\"a\":1}}"),
					0, NULL),
			 0);
	DAL_ASSERT_SLICE(dal_member_text(json, DAL_JSON_ROOT, "t"), "x");
	DAL_ASSERT_SLICE(dal_member_text(json, DAL_JSON_ROOT, "n"), "");
	assert_int_equal(dal_member_integer(json, DAL_JSON_ROOT, "n"), 7);
	assert_int_equal(dal_member_integer(json, DAL_JSON_ROOT, "t"), 0);
	assert_true(dal_member_true(json, DAL_JSON_ROOT, "b"));
	assert_false(dal_member_true(json, DAL_JSON_ROOT, "n"));
	DAL_ASSERT_SLICE(dal_member_raw(json, DAL_JSON_ROOT, "o"), "{\"a\":1}");
	DAL_ASSERT_SLICE(dal_member_raw(json, DAL_JSON_ROOT, "z"), "");
	DAL_ASSERT_SLICE(dal_member_raw(json, DAL_JSON_NONE, "t"), "");
	dal_json_free(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(controls_are_no_commands),
		cmocka_unit_test(cut_between_characters),
		cmocka_unit_test(members),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
