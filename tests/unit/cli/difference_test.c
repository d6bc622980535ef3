/* Two values compared: where they differ, and what does not count as a difference. */
#include "engine/cli/difference.h"
#include "tests/unit/cli/check.h"

static void on_difference(void *own, struct dal_slice field, struct dal_slice expected,
			  struct dal_slice found)
{
	dal_buffer_printf(own, "%.*s:%.*s:%.*s\n", (int)field.size, field.data ? field.data : "",
			  (int)expected.size, expected.data ? expected.data : "", (int)found.size,
			  found.data ? found.data : "");
}

static void compare(const char *expected, const char *found, bool part, const char *lines)
{
	struct dal_buffer out = {0};
	size_t count = dal_difference(dal_slice_text(expected), dal_slice_text(found), part,
				      on_difference, &out),
	       wanted = 0;

	assert_string_equal(dal_buffer_cstr(&out), lines);
	for (const char *c = lines; *c; c++) {
		wanted += *c == '\n';
	}
	assert_int_equal(count, wanted);
	assert_int_equal(dal_difference(dal_slice_text(expected), dal_slice_text(found), part, NULL,
					NULL),
			 wanted);
	dal_buffer_deinit(&out);
}

static void equal_values(void **state)
{
	(void)state;
	compare("{\"a\":1,\"b\":[true,null,\"x\"]}", "{\"b\":[true,null,\"x\"],\"a\":1}", false,
		"");
	compare("\"\\u0041\"", "\"A\"", false, "");
	compare("{}", "[]", false, "");
	compare("{\"a\":[]}", "{\"a\":{}}", false, "");
}

static void numbers_by_value(void **state)
{
	(void)state;
	compare("375", "375.0", false, "");
	compare("1e2", "100", false, "");
	compare("9007199254740993", "9007199254740992", false,
		":9007199254740993:9007199254740992\n");
	compare("1", "\"1\"", false, ":1:\"1\"\n");
}

static void each_place_is_told(void **state)
{
	(void)state;
	compare("{\"a\":1,\"b\":{\"c\":[1,2,3]},\"d\":\"x\"}",
		"{\"a\":2,\"b\":{\"c\":[1,5]},\"e\":null}", false,
		"a:1:2\nb.c[2]:2:5\nb.c[3]:3:\nd:\"x\":\ne::null\n");
	compare("[1]", "{\"1\":1}", false, ":[1]:{\"1\":1}\n");
}

static void parts_leave_out_what_was_not_named(void **state)
{
	(void)state;
	compare("{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1,\"c\":2},\"d\":3}", true, "");
	compare("{\"a\":{\"b\":1}}", "{\"d\":3}", true, "a:{\"b\":1}:\n");
	compare("{\"list\":[1]}", "{\"list\":[1,2]}", true, "list[2]::2\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_values),
		cmocka_unit_test(numbers_by_value),
		cmocka_unit_test(each_place_is_told),
		cmocka_unit_test(parts_leave_out_what_was_not_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
