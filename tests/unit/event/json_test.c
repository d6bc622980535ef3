#include "tests/unit/event/check.h"

#include "engine/event/json.h"

static struct dal_json *parsed(const char *text, int flags)
{
	struct dal_json *json = dal_json_new();
	assert_int_equal(dal_json_parse(json, dal_slice_text(text), flags, NULL), 0);
	return json;
}

static void nodes_lie_as_the_header_says(void **state)
{
	(void)state;
	struct dal_json *json = parsed("{\"a\": [1, \"x\"], \"b\": null}", 0);
	assert_int_equal(json->count, 7);
	assert_int_equal(dal_json_kind(json, DAL_JSON_ROOT), DAL_JSON_OBJECT);
	assert_int_equal(dal_json_count(json, DAL_JSON_ROOT), 2);
	assert_int_equal(dal_json_next(json, DAL_JSON_ROOT), 7);
	assert_slice(dal_json_raw(json, 1), "\"a\"");
	assert_slice(dal_json_raw(json, 2), "[1, \"x\"]");
	assert_int_equal(dal_json_next(json, 2), 5);
	assert_slice(dal_json_raw(json, 4), "\"x\"");
	assert_slice(dal_json_string(json, 5), "b");
	assert_int_equal(dal_json_kind(json, 6), DAL_JSON_NULL);
	assert_int_equal(dal_json_count(json, 5), 0);
	dal_json_free(json);
}

static void find_knows_keys_by_their_decoded_text(void **state)
{
	(void)state;
	struct dal_json *json = parsed("{\"\\u0061\\n\":1,\"\":2,\"a\":{\"x\":3},\"ab\":4}", 0);
	assert_int_equal(dal_json_find(json, 0, dal_slice_text("a\n")), 2);
	assert_int_equal(dal_json_find(json, 0, dal_slice_text("")), 4);
	uint32_t a = dal_json_find(json, 0, dal_slice_text("a"));
	assert_int_equal(dal_json_integer(json, dal_json_find(json, a, dal_slice_text("x"))), 3);
	assert_int_equal(dal_json_find(json, 0, dal_slice_text("x")), DAL_JSON_NONE);
	assert_int_equal(dal_json_find(json, 2, dal_slice_text("x")), DAL_JSON_NONE);
	assert_int_equal(dal_json_find(json, DAL_JSON_NONE, dal_slice_text("x")), DAL_JSON_NONE);
	dal_json_free(json);
}

static void at_counts_elements(void **state)
{
	(void)state;
	struct dal_json *json = parsed("[[1,2],{\"a\":3},4]", 0);
	assert_int_equal(dal_json_at(json, 0, 0), 1);
	assert_slice(dal_json_raw(json, dal_json_at(json, 0, 1)), "{\"a\":3}");
	assert_int_equal(dal_json_integer(json, dal_json_at(json, 0, 2)), 4);
	assert_int_equal(dal_json_at(json, 0, 3), DAL_JSON_NONE);
	assert_int_equal(dal_json_at(json, 4, 0), DAL_JSON_NONE);
	dal_json_free(json);
}

static void slices_stay_until_the_next_parse(void **state)
{
	(void)state;
	struct dal_json *json = parsed("[\"\\u00e9\",\"plain\",\"a\\tb\",\"\\\\\"]", 0);
	struct dal_slice first = dal_json_string(json, 1), plain = dal_json_string(json, 2);
	struct dal_slice tab = dal_json_string(json, 3), last = dal_json_string(json, 4);
	assert_slice(first, "\xC3\xA9");
	assert_slice(plain, "plain");
	assert_slice(tab, "a\tb");
	assert_slice(last, "\\");
	assert_ptr_equal(dal_json_string(json, 1).data, first.data);
	assert_int_equal(dal_json_count(json, 1), 0);
	dal_json_free(json);
}

static void the_text_is_copied_unless_padded(void **state)
{
	(void)state;
	struct dal_json *json = dal_json_new();
	char text[4 + DAL_JSON_PADDING] = "\"ab\"";
	assert_int_equal(dal_json_parse(json, dal_slice(text, 4), 0, NULL), 0);
	text[1] = 'x';
	assert_slice(dal_json_string(json, 0), "ab");
	assert_int_equal(dal_json_parse(json, dal_slice(text, 4), DAL_JSON_PADDED, NULL), 0);
	assert_ptr_equal(json->text, text);
	assert_slice(dal_json_string(json, 0), "xb");
	dal_json_free(json);
}

static void what_lies_behind_the_text_is_not_read_as_text(void **state)
{
	(void)state;
	struct dal_json *json = dal_json_new();
	char text[DAL_JSON_PADDING + 8];
	memset(text, '7', sizeof(text));
	assert_int_equal(dal_json_parse(json, dal_slice(text, 2), DAL_JSON_PADDED, NULL), 0);
	assert_int_equal(dal_json_integer(json, 0), 77);
	memset(text, '"', sizeof(text));
	assert_int_equal(dal_json_parse(json, dal_slice(text, 1), DAL_JSON_PADDED, NULL),
			 DAL_JSON_INVALID);
	dal_json_free(json);
}

static void numbers_are_exact(void **state)
{
	(void)state;
	struct dal_json *json = parsed("[9223372036854775807,-9223372036854775808,0,-0,0.1,1e23,"
				       "9007199254740993,8.5e-3]",
				       0);
	assert_true(dal_json_integer(json, 1) == INT64_MAX);
	assert_true(dal_json_integer(json, 2) == INT64_MIN);
	assert_true(dal_json_integer(json, 3) == 0);
	assert_int_equal(dal_json_kind(json, 4), DAL_JSON_FLOAT);
	assert_true(dal_json_double(json, 4) == 0 && 1 / dal_json_double(json, 4) < 0);
	assert_true(dal_json_double(json, 5) == 0.1);
	assert_true(dal_json_double(json, 6) == 1e23);
	assert_true(dal_json_double(json, 7) == 9007199254740992.0);
	assert_true(dal_json_double(json, 8) == 8.5e-3);
	dal_json_free(json);
}

static void the_last_of_two_keys_wins(void **state)
{
	(void)state;
	struct dal_json *json = parsed(
		"{\"a\":{\"b\":1,\"b\":[2,3]},\"c\":[{\"d\":4}],\"\\u0061\":5,"
		"\"c\":{\"e\":6,\"e\":7},\"f\":8}",
		DAL_JSON_LAST_WINS);
	assert_int_equal(dal_json_count(json, 0), 3);
	assert_int_equal(dal_json_next(json, 0), json->count);
	assert_int_equal(json->count, 9);
	assert_slice(dal_json_string(json, 1), "a");
	assert_int_equal(dal_json_integer(json, 2), 5);
	uint32_t c = dal_json_find(json, 0, dal_slice_text("c"));
	assert_int_equal(dal_json_count(json, c), 1);
	assert_int_equal(dal_json_integer(json, dal_json_find(json, c, dal_slice_text("e"))), 7);
	assert_int_equal(dal_json_integer(json, dal_json_find(json, 0, dal_slice_text("f"))), 8);
	dal_json_free(json);
}

static void trusted_skips_what_was_checked(void **state)
{
	(void)state;
	struct dal_json *json = parsed("{\"a\":1,\"a\":2,\"b\":\"\\ud800\\q\\u12\"}",
				       DAL_JSON_TRUSTED);
	assert_int_equal(dal_json_count(json, 0), 3);
	assert_slice(dal_json_string(json, 6), "\xEF\xBF\xBD?q?u12");
	dal_json_free(json);
}

static void a_refusal_empties_the_tape(void **state)
{
	(void)state;
	struct dal_json *json = parsed("[1,2]", 0);
	struct dal_json_error error;
	assert_int_equal(dal_json_parse(json, dal_slice_text("[1,x]"), 0, &error),
			 DAL_JSON_INVALID);
	assert_int_equal(json->count, 0);
	assert_int_equal(error.position, 3);
	assert_string_equal(error.reason, "expected a value");
	assert_int_equal(dal_json_find(json, 0, dal_slice_text("a")), DAL_JSON_NONE);
	assert_int_equal(dal_json_at(json, 0, 0), DAL_JSON_NONE);
	dal_json_free(json);
}

static void place_gives_line_and_column(void **state)
{
	(void)state;
	struct dal_slice text = dal_slice_text("ab\ncd\n");
	static const int expected[][2] = {{1, 1}, {1, 2}, {1, 3}, {2, 1},
					  {2, 2}, {2, 3}, {3, 1}, {3, 1}};
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		int line, column;
		dal_json_place(text, i, &line, &column);
		assert_int_equal(line, expected[i][0]);
		assert_int_equal(column, expected[i][1]);
	}
}

static void free_takes_null(void **state)
{
	(void)state;
	dal_json_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_lie_as_the_header_says),
		cmocka_unit_test(find_knows_keys_by_their_decoded_text),
		cmocka_unit_test(at_counts_elements),
		cmocka_unit_test(slices_stay_until_the_next_parse),
		cmocka_unit_test(the_text_is_copied_unless_padded),
		cmocka_unit_test(what_lies_behind_the_text_is_not_read_as_text),
		cmocka_unit_test(numbers_are_exact),
		cmocka_unit_test(the_last_of_two_keys_wins),
		cmocka_unit_test(trusted_skips_what_was_checked),
		cmocka_unit_test(a_refusal_empties_the_tape),
		cmocka_unit_test(place_gives_line_and_column),
		cmocka_unit_test(free_takes_null),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
