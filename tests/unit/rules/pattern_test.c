/* In this order: cmocka.h wants them before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rules/casefold.h"
#include "rules/number.h"
#include "rules/pattern.h"

static struct dal_pattern *parse(const char *text, int flags)
{
	struct dal_pattern *pattern = NULL;
	struct dal_error error = {0};
	if (dal_pattern_parse(dal_slice_text(text), flags, &pattern, &error) != 0) {
		fail_msg("%s: %s", text, error.text);
	}
	return pattern;
}

static bool matches(const char *text, int flags, const char *event)
{
	struct dal_pattern *pattern = parse(text, flags);
	struct dal_json *json = dal_json_new();
	assert_int_equal(dal_json_parse(json, dal_slice_text(event), 0, NULL), 0);
	bool is = dal_pattern_test(pattern, json, DAL_JSON_ROOT);
	dal_json_free(json);
	dal_pattern_free(pattern);
	return is;
}

static void reads_eventbridge_names_at_the_top_only(void **state)
{
	(void)state;
	const char *event = "{\"type\":\"t\",\"data\":{\"detail\":\"d\"}}";
	const char *text = "{\"detail-type\":[\"t\"],\"detail\":{\"detail\":[\"d\"]}}";
	assert_true(matches(text, DAL_PATTERN_EVENTBRIDGE, event));
	assert_false(matches(text, 0, event));
	assert_true(matches("{\"detail.detail\":[\"d\"]}", DAL_PATTERN_EVENTBRIDGE, event));
	assert_true(matches("{\"$or\":[{\"detail-type\":[\"t\"]},{\"a\":[1]}]}",
			    DAL_PATTERN_EVENTBRIDGE, event));
}

static void takes_dots_literally_when_asked(void **state)
{
	(void)state;
	assert_true(matches("{\"a.b\":[1]}", DAL_PATTERN_LITERAL_DOTS, "{\"a.b\":1}"));
	assert_false(matches("{\"a.b\":[1]}", DAL_PATTERN_LITERAL_DOTS, "{\"a\":{\"b\":1}}"));
	assert_false(matches("{\"a.b\":[1]}", 0, "{\"a.b\":1}"));
	assert_true(matches("{\"a.b\":[1]}", 0, "{\"a\":{\"b\":1}}"));
	assert_true(matches("{\".\":[1]}", DAL_PATTERN_LITERAL_DOTS, "{\".\":1}"));
}

static void names_the_place_of_a_mistake(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int line, column;
		const char *message;
	} cases[] = {
		{"{\n  \"a\": [\"x\"],\n  \"b\": {\"c\": []}\n}", 3, 14,
		 "b.c: an empty list matches nothing; name a value, or leave the field out"},
		{"{\"a\":[{\"exists\":1}]}", 1, 17, "a: exists is true or false"},
		{"{\"a\":[\n\"x\",\n\t{\"cidr\":\"::\"}]}", 3, 10,
		 "a: cidr wants a block; of one address write \"::/128\""},
		{"{\"a\"\n:", 2, 2, "not a pattern: the text ends too early"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dal_pattern *pattern;
		struct dal_error error = {0};
		assert_int_equal(dal_pattern_parse(dal_slice_text(cases[i].text), 0, &pattern,
						   &error),
				 DAL_PATTERN_INVALID);
		assert_string_equal(error.text, cases[i].message);
		assert_int_equal(error.line, cases[i].line);
		assert_int_equal(error.column, cases[i].column);
		assert_int_equal(dal_pattern_parse(dal_slice_text(cases[i].text), 0, &pattern,
						   NULL),
				 DAL_PATTERN_INVALID);
	}
}

static void prints_one_canonical_form(void **state)
{
	(void)state;
	static const struct {
		const char *text, *printed;
	} cases[] = {
		{"{\"b\": [\"y\", \"x\", \"x\"], \"a\": [300.0, 3e2]}",
		 "{\"a\":[300],\"b\":[\"x\",\"y\"]}"},
		{"{\"a.b\":[null,true],\"a.c\":[false]}",
		 "{\"a\":{\"b\":[null,true],\"c\":[false]}}"},
		{"{\"a\":[{\"numeric\":[\"<=\",5,\">\",-0.50]}]}",
		 "{\"a\":[{\"numeric\":[\">\",-0.5,\"<=\",5]}]}"},
		{"{\"a\":[{\"numeric\":[\"=\",1e2]}]}", "{\"a\":[{\"numeric\":[\"=\",100]}]}"},
		{"{\"a\":[{\"anything-but\":\"x\"}]}", "{\"a\":[{\"anything-but\":[\"x\"]}]}"},
		{"{\"a\":[{\"anything-but\":{\"prefix\":{\"equals-ignore-case\":\"X\"}}}]}",
		 "{\"a\":[{\"anything-but\":{\"prefix\":[{\"equals-ignore-case\":\"X\"}]}}]}"},
		{"{\"$or\":[{\"b\":[1]},{\"a\":[{\"exists\":false}]}],"
		 "\"z\":[{\"wildcard\":\"\\\\**\"}]}",
		 "{\"$or\":[{\"a\":[{\"exists\":false}]},{\"b\":[1]}],"
		 "\"z\":[{\"wildcard\":\"\\\\**\"}]}"},
		{"{\"a\":[{\"cidr\":\"10.9.8.7/12\"},{\"cidr\":\"2001:DB8:0:0:0:0:0:1/127\"}]}",
		 "{\"a\":[{\"cidr\":\"10.0.0.0/12\"},{\"cidr\":\"2001:db8::/127\"}]}"},
		{"{\"a\":[{\"cidr\":\"::/0\"},{\"cidr\":\"1:0:0:2:0:0:0:3/128\"},"
		 "{\"cidr\":\"0:1:0:1:0:1:0:1/128\"},{\"cidr\":\"::ffff:1.2.3.4/128\"}]}",
		 "{\"a\":[{\"cidr\":\"0:1:0:1:0:1:0:1/128\"},{\"cidr\":\"1:0:0:2::3/128\"},"
		 "{\"cidr\":\"::/0\"},{\"cidr\":\"::ffff:102:304/128\"}]}"},
		{"{\"a\":[{\"before\":\"2026-01-01t01:00:00.120+02:00\"},"
		 "{\"after\":\"2016-12-31T23:59:60Z\"}]}",
		 "{\"a\":[{\"after\":\"2017-01-01T00:00:00Z\"},"
		 "{\"before\":\"2025-12-31T23:00:00.12Z\"}]}"},
		{"{\"a\":[{\"before\":\"1969-12-31T23:59:59.0000000019Z\"}]}",
		 "{\"a\":[{\"before\":\"1969-12-31T23:59:59.000000001Z\"}]}"},
		{"{\"a\":[{\"regexp\":\"a\\\\.b+\"}]}", "{\"a\":[{\"regexp\":\"a\\\\.b+\"}]}"},
		{"{\"a\":[{\"all-of\":[[\"c\",\"b\",\"c\"],3e0,[\"a\",\"a\"],\"a\"]}]}",
		 "{\"a\":[{\"all-of\":[\"a\",3,[\"b\",\"c\"]]}]}"},
		{"{\"a\":[0.00125,-12.5,1e300,9007199254740993]}",
		 "{\"a\":[-12.5,0.125e-2,0.1e301,9007199254740993]}"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dal_buffer out = {0};
		struct dal_pattern *pattern = parse(cases[i].text, 0);
		dal_pattern_print(pattern, &out);
		assert_string_equal(dal_buffer_cstr(&out), cases[i].printed);
		dal_pattern_free(pattern);
		pattern = parse(cases[i].printed, 0);
		dal_buffer_clear(&out);
		dal_pattern_print(pattern, &out);
		assert_string_equal(dal_buffer_cstr(&out), cases[i].printed);
		dal_pattern_free(pattern);
		dal_buffer_deinit(&out);
	}
}

static void knows_who_names_system_events(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool names;
	} cases[] = {
		{"{\"type\":[\"dalamb.dead\"]}", true},
		{"{\"type\":[\"order.placed\",\"dalamb.dead\"]}", true},
		{"{\"type\":[{\"prefix\":\"dalamb.function.\"}]}", true},
		{"{\"type\":[{\"wildcard\":\"dalamb.*.failed\"}]}", true},
		{"{\"type\":[{\"equals-ignore-case\":\"Dalamb.dead\"}]}", true},
		{"{\"$or\":[{\"type\":[\"x\"]},{\"type\":[\"dalamb.dead\"]}]}", true},
		{"{\"type\":[{\"regexp\":\"dalamb\\\\.(x|y)\"}]}", true},
		{"{\"type\":[{\"all-of\":[{\"suffix\":\"d\"},{\"prefix\":\"dalamb.\"}]}]}", true},
		{"{\"type\":[{\"regexp\":\".*\"}]}", false},
		{"{\"type\":[{\"regexp\":\"dalamb.*\"}]}", false},
		{"{\"type\":[{\"regexp\":\"dalamb\\\\.?x\"}]}", false},
		{"{\"type\":[{\"all-of\":[{\"suffix\":\"d\"},{\"prefix\":\"dal\"}]}]}", false},
		{"{\"type\":[\"order.placed\"]}", false},
		{"{\"type\":[{\"prefix\":\"dal\"}]}", false},
		{"{\"type\":[{\"anything-but\":\"dalamb.dead\"}]}", false},
		{"{\"data\":{\"type\":[\"dalamb.dead\"]}}", false},
		{"{\"source\":[\"dalamb.dead\"]}", false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dal_pattern *pattern = parse(cases[i].text, 0);
		assert_int_equal(dal_pattern_names_system(pattern), cases[i].names);
		dal_pattern_free(pattern);
	}
}

static void knows_who_wants_system_events_only(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool only;
	} cases[] = {
		{"{\"type\":[\"dalamb.a\",{\"wildcard\":\"dalamb.*\"}]}", true},
		{"{\"type\":[\"dalamb.a\",\"x\"]}", false},
		{"{\"type\":[{\"equals-ignore-case\":\"dalamb.a\"}]}", false},
		{"{\"type\":[{\"regexp\":\"dalamb\\\\.[ab]\"}]}", true},
		{"{\"type\":[{\"regexp\":\"dalamb\\\\.a|b\"}]}", false},
		{"{\"type\":[{\"all-of\":[{\"suffix\":\"d\"},{\"prefix\":\"dalamb.\"}]}]}", true},
		{"{\"type\":[{\"all-of\":[[\"x\",\"dalamb.y\"],{\"suffix\":\"y\"}]}]}", false},
		{"{\"$or\":[{\"type\":[\"dalamb.a\"]},{\"type\":[\"x\"]}]}", false},
		{"{\"$or\":[{\"type\":[\"dalamb.a\"]},{\"type\":[\"dalamb.b\"]}]}", true},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dal_pattern *pattern = parse(cases[i].text, 0);
		assert_int_equal(dal_pattern_only_system(pattern), cases[i].only);
		dal_pattern_free(pattern);
	}
}

/* The columns of errors inside of strings count what was written, escapes included. */
static void places_mistakes_inside_strings(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int column;
	} cases[] = {
		{"{\"a\":[{\"wildcard\":\"ab**\"}]}", 22},
		{"{\"a\":[{\"wildcard\":\"\\u00e9**\"}]}", 26},
		{"{\"a\":[{\"wildcard\":\"\\ud83d\\ude00**\"}]}", 32},
		{"{\"a\":[{\"wildcard\":\"\\u4e2d\\n\\u0041**\"}]}", 34},
		{"{\"a\":[{\"wildcard\":\"\303\251**\"}]}", 22},
		{"{\"a\":[{\"wildcard\":\"\\u002a*\"}]}", 20},
		{"{\"a\":[{\"wildcard\":\"a\\\\\"}]}", 21},
		{"{\"a\":[{\"regexp\":\"a\\t(\"}]}", 21},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dal_pattern *pattern;
		struct dal_error error = {0};
		assert_int_equal(dal_pattern_parse(dal_slice_text(cases[i].text), 0, &pattern,
						   &error),
				 DAL_PATTERN_INVALID);
		if (error.column != cases[i].column) {
			fail_msg("%s: %d: %s", cases[i].text, error.column, error.text);
		}
	}
}

static void orders_numbers_by_value(void **state)
{
	(void)state;
	static const char *const ascending[] = {"-1e300",
						"-12345678901234567890.6",
						"-12345678901234567890.5",
						"-2.5",
						"-1",
						"-1e-5",
						"0",
						"1e-400",
						"5e-324",
						"0.09999999999999999999999",
						"0.1",
						"0.1000000000000000000001",
						"1",
						"9007199254740992",
						"9007199254740993",
						"12345678901234567890.5",
						"1e300"};
	enum { COUNT = sizeof(ascending) / sizeof(ascending[0]) };
	for (int i = 0; i < COUNT; i++) {
		for (int j = 0; j < COUNT; j++) {
			struct dal_number a = dal_number_read(dal_slice_text(ascending[i]));
			struct dal_number b = dal_number_read(dal_slice_text(ascending[j]));
			int order = dal_number_compare(&a, &b);
			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
		}
	}
}

static void folds_one_character_to_one(void **state)
{
	(void)state;
	assert_int_equal(dal_casefold('A'), 'a');
	assert_int_equal(dal_casefold('a'), 'a');
	assert_int_equal(dal_casefold('['), '[');
	assert_int_equal(dal_casefold(0x100), 0x101);
	assert_int_equal(dal_casefold(0x101), 0x101);
	assert_int_equal(dal_casefold(0x130), 0x130);
	assert_int_equal(dal_casefold(0x1E9E), 0xDF);
	assert_int_equal(dal_casefold(0x1F88), 0x1F80);
	assert_int_equal(dal_casefold(0xAB70), 0x13A0);
	assert_int_equal(dal_casefold(0x1E900), 0x1E922);
	assert_int_equal(dal_casefold(0x10FFFF), 0x10FFFF);
	for (uint32_t code = 0; code < 0x110000; code++) {
		uint32_t folded = dal_casefold(code);
		assert_int_equal(dal_casefold(folded), folded);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_eventbridge_names_at_the_top_only),
		cmocka_unit_test(takes_dots_literally_when_asked),
		cmocka_unit_test(names_the_place_of_a_mistake),
		cmocka_unit_test(prints_one_canonical_form),
		cmocka_unit_test(knows_who_names_system_events),
		cmocka_unit_test(knows_who_wants_system_events_only),
		cmocka_unit_test(places_mistakes_inside_strings),
		cmocka_unit_test(orders_numbers_by_value),
		cmocka_unit_test(folds_one_character_to_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
