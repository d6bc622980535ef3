#include "tests/unit/event/check.h"

#include <stdlib.h>

#include "engine/base/limits.h"
#include "engine/event/path.h"

static void steps_are_keys(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *steps[4];
	} cases[] = {
		{"subject", {"subject"}},
		{"data.customer", {"data", "customer"}},
		{"data[\"a.b\"].c", {"data", "a.b", "c"}},
		{"[\"x y\"][\"\"]", {"x y", ""}},
		{"data[\"\\u00e9\\\"]\"]", {"data", "\xC3\xA9\"]"}},
		{"_a-1.B2", {"_a-1", "B2"}},
		{"data.schl\xC3\xBCssel", {"data", "schl\xC3\xBCssel"}},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct dal_path *path;
		size_t count = 0;
		assert_int_equal(dal_path_parse(dal_slice_text(cases[i].text), &path, NULL), 0);
		for (; cases[i].steps[count]; count++) {
			assert_slice(dal_path_step(path, count), cases[i].steps[count]);
		}
		assert_int_equal(dal_path_steps(path), count);
		assert_slice(dal_path_text(path), cases[i].text);
		dal_path_free(path);
	}
	dal_path_free(NULL);
}

static void mistakes_are_shown_with_their_place(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int column;
	} cases[] = {
		{"", 1},           {".", 1},         {"a.", 3},        {"a..b", 3},
		{".a", 1},         {"a b", 2},       {"a[0]", 3},      {"a[b]", 3},
		{"a[\"b", 3},      {"a[\"b\"", 3},   {"a[\"b\"]c", 7}, {"a[\"\\ud800\"]", 4},
		{"a[\"\\q\"]", 4}, {"a.[\"b\"]", 3}, {"a[", 3},        {"a[\"b\\", 3},
		{"a/b", 2},        {"$.a", 1},       {"a[]", 3},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct dal_path *path;
		struct dal_error error = {0};
		if (dal_path_parse(dal_slice_text(cases[i].text), &path, &error) !=
		    DAL_PATH_INVALID) {
			fail_msg("\"%s\" was taken", cases[i].text);
		}
		if (error.column != cases[i].column) {
			fail_msg("\"%s\": column %d: %s", cases[i].text, error.column, error.text);
		}
		assert_non_null(strstr(error.text, " at character "));
	}
}

static void paths_have_a_largest_size(void **state)
{
	(void)state;
	struct dal_path *path;
	struct dal_error error = {0};
	struct dal_buffer text = {0};
	while (text.size <= DAL_LIMIT_KEY_BYTES) {
		dal_buffer_byte(&text, 'a');
	}
	assert_int_equal(dal_path_parse(dal_buffer_slice(&text), &path, &error), DAL_PATH_INVALID);
	assert_int_equal(error.column, DAL_LIMIT_KEY_BYTES + 1);
	text.size--;
	assert_int_equal(dal_path_parse(dal_buffer_slice(&text), &path, &error), 0);
	dal_path_free(path);
	dal_buffer_clear(&text);
	for (int i = 0; i < DAL_LIMIT_JSON_DEPTH; i++) {
		dal_buffer_text(&text, i ? ".a" : "a");
	}
	assert_int_equal(dal_path_parse(dal_buffer_slice(&text), &path, &error), 0);
	dal_path_free(path);
	dal_buffer_text(&text, ".a");
	assert_int_equal(dal_path_parse(dal_buffer_slice(&text), &path, &error), DAL_PATH_INVALID);
	dal_buffer_deinit(&text);
}

static void paths_find_nodes(void **state)
{
	(void)state;
	struct dal_json *json = dal_json_new();
	assert_int_equal(
		dal_json_parse(json,
			       dal_slice_text("{\"subject\":\"s\",\"data\":{\"a.b\":{\"c\":1},"
					      "\"list\":[{\"x\":2}],\"\\u0061\":null}}"),
			       0, NULL),
		0);
	static const struct {
		const char *path, *raw; /* NULL: nothing */
	} cases[] = {
		{"subject", "\"s\""},     {"data[\"a.b\"].c", "1"}, {"data.a", "null"},
		{"data.a.b", NULL},       {"data.list.x", NULL},    {"data.list", "[{\"x\":2}]"},
		{"subject.length", NULL}, {"nothing.at.all", NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct dal_path *path;
		assert_int_equal(dal_path_parse(dal_slice_text(cases[i].path), &path, NULL), 0);
		uint32_t node = dal_path_find(path, json, DAL_JSON_ROOT);
		assert_int_equal(node == DAL_JSON_NONE, cases[i].raw == NULL);
		if (cases[i].raw) {
			assert_slice(dal_json_raw(json, node), cases[i].raw);
		}
		assert_int_equal(dal_path_find(path, json, DAL_JSON_NONE), DAL_JSON_NONE);
		dal_path_free(path);
	}
	dal_json_free(json);
}

static void values_become_keys(void **state)
{
	(void)state;
	static const struct {
		const char *json;
		int result;
		const char *text;
	} cases[] = {
		{"\"c-1\"", 0, "c-1"},
		{"\"\\u00e9\"", 0, "\xC3\xA9"},
		{"\"\"", 0, ""},
		{"42", 0, "42"},
		{"-9223372036854775808", 0, "-9223372036854775808"},
		{"true", 0, "true"},
		{"false", 0, "false"},
		{"42.0", 0, "42"},
		{"-1e3", 0, "-1000"},
		{"-0", 0, "0"},
		{"1e19", 0, "10000000000000000000"},
		{"1.5", DAL_KEY_INVALID, ""},
		{"null", DAL_KEY_ABSENT, ""},
		{"[1]", DAL_KEY_INVALID, ""},
		{"{}", DAL_KEY_INVALID, ""},
	};
	struct dal_json *json = dal_json_new();
	struct dal_buffer out = {0};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		dal_buffer_clear(&out);
		assert_int_equal(dal_json_parse(json, dal_slice_text(cases[i].json), 0, NULL), 0);
		assert_int_equal(dal_key_text(json, DAL_JSON_ROOT, &out), cases[i].result);
		assert_slice(dal_buffer_slice(&out), cases[i].text);
	}
	assert_int_equal(dal_key_text(json, DAL_JSON_NONE, &out), DAL_KEY_ABSENT);
	dal_buffer_deinit(&out);
	dal_json_free(json);
}

static void keys_have_a_largest_size(void **state)
{
	(void)state;
	struct dal_json *json = dal_json_new();
	struct dal_buffer text = {0}, out = {0};
	dal_buffer_byte(&text, '"');
	while (text.size <= DAL_LIMIT_KEY_BYTES) {
		dal_buffer_byte(&text, 'k');
	}
	dal_buffer_byte(&text, '"');
	assert_int_equal(dal_json_parse(json, dal_buffer_slice(&text), 0, NULL), 0);
	assert_int_equal(dal_key_text(json, DAL_JSON_ROOT, &out), 0);
	assert_int_equal(out.size, DAL_LIMIT_KEY_BYTES);
	text.data[text.size - 1] = 'k';
	dal_buffer_byte(&text, '"');
	assert_int_equal(dal_json_parse(json, dal_buffer_slice(&text), 0, NULL), 0);
	assert_int_equal(dal_key_text(json, DAL_JSON_ROOT, &out), DAL_KEY_INVALID);
	assert_int_equal(out.size, DAL_LIMIT_KEY_BYTES);
	dal_buffer_deinit(&text);
	dal_buffer_deinit(&out);
	dal_json_free(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_are_keys),
		cmocka_unit_test(mistakes_are_shown_with_their_place),
		cmocka_unit_test(paths_have_a_largest_size),
		cmocka_unit_test(paths_find_nodes),
		cmocka_unit_test(values_become_keys),
		cmocka_unit_test(keys_have_a_largest_size),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
