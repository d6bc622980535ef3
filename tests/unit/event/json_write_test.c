#include "tests/unit/event/check.h"

#include <float.h>
#include <locale.h>

#include "engine/event/json_write.h"

static struct dal_buffer out;

static int empty(void **state)
{
	(void)state;
	dal_buffer_deinit(&out);
	out = (struct dal_buffer){0};
	return 0;
}

static void commas_and_colons_are_set(void **state)
{
	(void)state;
	struct dal_json_writer w = {.out = &out};
	dal_json_begin_object(&w);
	dal_json_key(&w, "position");
	dal_json_put_text(&w, "events/0/17");
	dal_json_key(&w, "list");
	dal_json_begin_array(&w);
	dal_json_put_integer(&w, -1);
	dal_json_put_double(&w, 1);
	dal_json_put_boolean(&w, true);
	dal_json_put_boolean(&w, false);
	dal_json_put_null(&w);
	dal_json_put_text(&w, NULL);
	dal_json_begin_object(&w);
	dal_json_end_object(&w);
	dal_json_begin_array(&w);
	dal_json_end_array(&w);
	dal_json_put_raw(&w, dal_slice_text("{\"a\": 1}"));
	dal_json_end_array(&w);
	dal_json_key_slice(&w, dal_slice_text("k\"x"));
	dal_json_put_slice(&w, dal_slice_text(""));
	dal_json_key(&w, "time");
	dal_json_put_time(&w, 0);
	dal_json_end_object(&w);
	assert_slice(dal_buffer_slice(&out),
		     "{\"position\":\"events/0/17\",\"list\":[-1,1.0,true,false,null,null,{},[],"
		     "{\"a\": 1}],\"k\\\"x\":\"\",\"time\":\"1970-01-01T00:00:00Z\"}");
}

static void strings_are_escaped(void **state)
{
	(void)state;
	dal_json_append_string(&out, dal_slice("a\"b\\c/\b\f\n\r\t\x01\x1f\x7f\0z", 16));
	assert_slice(dal_buffer_slice(&out),
		     "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\\u0000z\"");
}

#define FFFD "\xEF\xBF\xBD"

static void what_is_not_utf8_is_replaced(void **state)
{
	(void)state;
	dal_json_append_string(&out, dal_slice_text(
					     "ok \xC3\xA9 \xF0\x9F\x98\x80 \x80 \xC3( \xED\xA0\x80 "
					     "\xF4\x90\x80\x80 \xE2\x82"));
	assert_slice(dal_buffer_slice(&out),
		     "\"ok \xC3\xA9 \xF0\x9F\x98\x80 " FFFD " " FFFD "( " FFFD FFFD FFFD
		     " " FFFD FFFD FFFD FFFD " " FFFD FFFD "\"");
}

static void integers_reach_both_ends(void **state)
{
	(void)state;
	static const int64_t values[] = {0, 7, -7, 10, INT64_MAX, INT64_MIN};
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		dal_json_append_integer(&out, values[i]);
		dal_buffer_byte(&out, ' ');
	}
	assert_slice(dal_buffer_slice(&out), "0 7 -7 10 9223372036854775807 -9223372036854775808 ");
}

static void doubles_are_shortest(void **state)
{
	(void)state;
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{0.0, "0.0"},
		{-0.0, "-0.0"},
		{1, "1.0"},
		{-1.5, "-1.5"},
		{100, "100.0"},
		{0.1, "0.1"},
		{0.1 + 0.2, "0.30000000000000004"},
		{123456.789, "123456.789"},
		{300000, "300000.0"},
		{1e20, "100000000000000000000.0"},
		{123456789012345680000.0, "123456789012345680000.0"},
		{1e21, "1e+21"},
		{1.5e300, "1.5e+300"},
		{0.000001, "0.000001"},
		{0.00000123, "0.00000123"},
		{1e-7, "1e-7"},
		{1.23e-7, "1.23e-7"},
		{DBL_MAX, "1.7976931348623157e+308"},
		{DBL_MIN, "2.2250738585072014e-308"},
		{5e-324, "5e-324"},
		{9007199254740993.0, "9007199254740992.0"},
		{1e23, "1e+23"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		dal_buffer_clear(&out);
		dal_json_append_double(&out, cases[i].value);
		assert_slice(dal_buffer_slice(&out), cases[i].text);
	}
}

static void doubles_know_no_locale(void **state)
{
	(void)state;
	const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"};
	bool set = false;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names) && !set; i++) {
		set = setlocale(LC_ALL, names[i]) != NULL;
	}
	if (!set) {
		skip(); /* no locale with a decimal comma on this machine */
	}
	dal_json_append_double(&out, 1.5);
	setlocale(LC_ALL, "C");
	assert_slice(dal_buffer_slice(&out), "1.5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(commas_and_colons_are_set, empty, empty),
		cmocka_unit_test_setup_teardown(strings_are_escaped, empty, empty),
		cmocka_unit_test_setup_teardown(what_is_not_utf8_is_replaced, empty, empty),
		cmocka_unit_test_setup_teardown(integers_reach_both_ends, empty, empty),
		cmocka_unit_test_setup_teardown(doubles_are_shortest, empty, empty),
		cmocka_unit_test_setup_teardown(doubles_know_no_locale, empty, empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
