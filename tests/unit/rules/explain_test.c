/* Why a pattern does not match: the field, what was expected, and what is nearly right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rules/pattern.h"

static struct dal_pattern_miss miss;

static bool ask(const char *text, const char *event)
{
	struct dal_pattern *pattern = NULL;
	struct dal_json *json = dal_json_new();
	struct dal_error error = {0};
	bool matched;

	if (dal_pattern_parse(dal_slice_text(text), 0, &pattern, &error) != 0) {
		fail_msg("%s: %s", text, error.text);
	}
	assert_int_equal(dal_json_parse(json, dal_slice_text(event), 0, NULL), 0);
	matched = dal_pattern_explain(pattern, json, DAL_JSON_ROOT, &miss);
	assert_int_equal(matched, dal_pattern_test(pattern, json, DAL_JSON_ROOT));
	dal_json_free(json);
	dal_pattern_free(pattern);
	return matched;
}

static int clean(void **state)
{
	(void)state;
	dal_pattern_miss_deinit(&miss);
	miss = (struct dal_pattern_miss){0};
	return 0;
}

static void the_first_field_that_failed_is_named(void **state)
{
	static const struct {
		const char *text, *event, *field, *found, *expected;
	} cases[] = {
		{"{\"type\":[\"a\"],\"data\":{\"total\":[{\"numeric\":[\">=\",1000]}]}}",
		 "{\"type\":\"a\",\"data\":{\"total\":5}}", "data.total", "5", "a number >= 1000"},
		{"{\"data\":{\"total\":[{\"numeric\":[\">\",1,\"<\",2]}]}}",
		 "{\"data\":{\"total\":3}}", "data.total", "3", "a number > 1 and < 2"},
		{"{\"data\":{\"country\":[\"FR\",\"DE\"]}}", "{\"data\":{\"country\":\"IT\"}}",
		 "data.country", "\"IT\"", "one of \"FR\", \"DE\""},
		{"{\"data\":{\"total\":[5]},\"type\":[\"a\"]}", "{\"type\":\"b\",\"data\":{}}",
		 "type", "\"b\"", "\"a\""},
		{"{\"data\":{\"country\":[\"FR\"]}}", "{\"data\":1}", "data", "1", "an object"},
		{"{\"a\":[{\"prefix\":\"Ab\"},{\"suffix\":\"z\"}]}", "{\"a\":\"x\"}", "a", "\"x\"",
		 "a string that begins with \"Ab\", or a string that ends with \"z\""},
		{"{\"a\":[{\"prefix\":{\"equals-ignore-case\":\"Ab\"}}]}", "{\"a\":\"x\"}", "a",
		 "\"x\"", "a string that begins with \"Ab\" in any case"},
		{"{\"a\":[{\"equals-ignore-case\":\"Ab\"}]}", "{\"a\":\"x\"}", "a", "\"x\"",
		 "\"Ab\" in any case"},
		{"{\"a\":[{\"wildcard\":\"A*b\"}]}", "{\"a\":\"x\"}", "a", "\"x\"",
		 "a string like \"A*b\""},
		{"{\"a\":[{\"anything-but\":[\"x\",\"y\"]}]}", "{\"a\":\"y\"}", "a", "\"y\"",
		 "anything but \"x\" or \"y\""},
		{"{\"a\":[{\"exists\":false}]}", "{\"a\":1}", "a", "1", "no such field"},
		{"{\"a\":[{\"exists\":true}]}", "{\"b\":1}", "a", "", "any value"},
		{"{\"a\":[1,2,3,4,5,6,7,8,9,10]}", "{\"a\":0}", "a", "0",
		 "one of 1, 2, 3, 4, 5, 6, 7, 8, one of 2 more"},
		{"{\"i\":{\"k\":[\"x\"],\"n\":[1]}}",
		 "{\"i\":[{\"k\":\"q\"},{\"k\":\"x\",\"n\":2}]}", "i[1].n", "2", "1"},
		{"{\"i\":{\"k\":[\"x\"]}}", "{\"i\":[{\"k\":\"q\"}]}", "i.k", "\"q\"", "\"x\""},
		{"{\"$or\":[{\"a\":[1],\"b\":[1]},{\"c\":[1]}]}", "{\"a\":1,\"b\":2}", "b", "2",
		 "1"},
		{"{\"$or\":[{\"c\":[1]},{\"a\":[1],\"b\":[1]}]}", "{\"a\":1,\"b\":2}", "b", "2",
		 "1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_false(ask(cases[i].text, cases[i].event));
		assert_string_equal(dal_buffer_cstr(&miss.field), cases[i].field);
		assert_string_equal(dal_buffer_cstr(&miss.found), cases[i].found);
		assert_string_equal(dal_buffer_cstr(&miss.expected), cases[i].expected);
	}
	assert_true(ask("{\"a\":[1]}", "{\"a\":1}"));
	assert_int_equal(miss.field.size + miss.expected.size + miss.hint.size, 0);
}

static void hints(const char *text, const char *event, bool near, const char *hint)
{
	assert_false(ask(text, event));
	if (strcmp(dal_buffer_cstr(&miss.hint), hint) != 0 || miss.near != near) {
		fail_msg("%s on %s: %s \"%s\", and not %s \"%s\"", text, event,
			 miss.near ? "near" : "far", dal_buffer_cstr(&miss.hint),
			 near ? "near" : "far", hint);
	}
}

static void a_string_that_is_nearly_right_is_told(void **state)
{
	(void)state;
	hints("{\"a\":[\"order.placed\"]}", "{\"a\":\"Order.Placed\"}", true, "differs in case");
	hints("{\"a\":[\"FR\",\"DE\"]}", "{\"a\":\"de\"}", true, "differs in case from \"DE\"");
	hints("{\"a\":[\"\u00c9t\u00e9\"]}", "{\"a\":\"\u00e9T\u00c9\"}", true, "differs in case");
	hints("{\"a\":[{\"prefix\":\"Ab\"},{\"suffix\":\"z\"}]}", "{\"a\":\"abc\"}", true,
	      "differs in case");
	hints("{\"a\":[{\"suffix\":\".PNG\"}]}", "{\"a\":\"x.png\"}", true, "differs in case");
	hints("{\"a\":[\"x\"]}", "{\"a\":\"x \"}", true, "differs in spaces at its ends");
	hints("{\"a\":[\"order.placed\"]}", "{\"a\":\"order.plced\"}", true,
	      "is one character away");
	hints("{\"a\":[\"order.placed\"]}", "{\"a\":\"order.palced\"}", true,
	      "is one character away");
	hints("{\"a\":[\"order.placed\"]}", "{\"a\":\"orders.placed\"}", true,
	      "is one character away");
	hints("{\"a\":[\"cr\u00e9ation\",\"q\"]}", "{\"a\":\"creation\"}", true,
	      "is one character away from \"cr\u00e9ation\"");
	hints("{\"a\":[\"order.placed\"]}", "{\"a\":\"order.shipped\"}", false, "");
	hints("{\"a\":[\"abc\"]}", "{\"a\":\"abd\"}", false, "");
	/* Another number is another thing, not a slip. */
	hints("{\"a\":[\"order-17\"]}", "{\"a\":\"order-18\"}", false, "");
	hints("{\"a\":[\"order-17\"]}", "{\"a\":\"order-1\"}", false, "");
	/* The near one counts, wherever in the list it stands. */
	hints("{\"a\":[5,\"order.placed\"]}", "{\"a\":\"order.Placed\"}", true,
	      "differs in case from \"order.placed\"");
	hints("{\"a\":[\"order.placed\"]}", "{\"a\":[null,\"order.Placed\"]}", true,
	      "differs in case");
}

static void a_value_of_another_kind_is_told(void **state)
{
	(void)state;
	hints("{\"a\":[{\"numeric\":[\">=\",1000]}]}", "{\"a\":\"1200\"}", true,
	      "is a string, not a number");
	hints("{\"a\":[{\"numeric\":[\">=\",1000]}]}", "{\"a\":\"12\"}", false,
	      "is a string, not a number");
	hints("{\"a\":[12]}", "{\"a\":\"-x\"}", false, "is no number");
	hints("{\"a\":[12]}", "{\"a\":\"x\"}", false, "is no number");
	hints("{\"a\":[\"5\"]}", "{\"a\":5}", true, "is a number, not a string");
	hints("{\"a\":[\"x\"]}", "{\"a\":5}", false, "is a number, not a string");
	hints("{\"a\":[true]}", "{\"a\":\"true\"}", true, "is a string");
	hints("{\"a\":[\"true\"]}", "{\"a\":true}", true, "is a boolean, not a string");
	hints("{\"a\":[\"x\"]}", "{\"a\":null}", false, "is null");
	hints("{\"a\":[{\"exists\":false}]}", "{\"a\":null}", true, "is null, which is a value");
	hints("{\"a\":[\"x\"]}", "{\"a\":{\"b\":1}}", false, "is an object: name its fields");
	hints("{\"a\":[\"x\"]}", "{\"a\":[]}", false, "is an empty list, which counts as missing");
	hints("{\"a\":{\"b\":[1]}}", "{\"a\":[5]}", false, "is no object, so \"b\" is missing");
}

static void our_own_operators_are_told_in_words(void **state)
{
	static const struct {
		const char *operator, * value, *expected, *hint;
		bool near;
	} cases[] = {
		{"{\"cidr\":\"10.0.0.0/24\"}", "\"10.0.1.7\"", "an address in 10.0.0.0/24", "",
		 false},
		{"{\"cidr\":\"10.0.0.0/24\"}", "\"home\"", "an address in 10.0.0.0/24",
		 "is no IP address", false},
		{"{\"cidr\":\"10.0.0.0/24\"}", "\"::1\"", "an address in 10.0.0.0/24",
		 "is an address of IPv6, not of IPv4", false},
		{"{\"cidr\":\"10.0.0.0/24\"}", "167772161", "an address in 10.0.0.0/24",
		 "is a number, not a string", false},
		{"{\"before\":\"2026-01-01T00:00:00Z\"}", "\"2026-01-01T01:00:00+01:00\"",
		 "a time before 2026-01-01T00:00:00Z", "is that very moment", true},
		{"{\"after\":\"2026-01-01T01:00:00+01:00\"}", "\"2025-12-31\"",
		 "a time after 2026-01-01T00:00:00Z",
		 "is no RFC 3339 time, like 2026-01-01T00:00:00Z", false},
		{"{\"all-of\":[\"a\",\"b\",[\"c\",\"d\"]]}", "[\"a\",\"c\"]",
		 "an array that holds \"a\" and \"b\" and one of \"c\", \"d\"", "lacks \"b\"",
		 true},
		{"{\"all-of\":[\"a\",\"b\",\"c\"]}", "[\"a\"]",
		 "an array that holds \"a\" and \"b\" and \"c\"", "lacks \"b\", and \"c\"", false},
		{"{\"regexp\":\"[a-z]+\"}", "\"A1\"", "a string that matches the regexp \"[a-z]+\"",
		 "", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dal_buffer pattern = {0}, event = {0};
		dal_buffer_printf(&pattern, "{\"a\":[%s]}", cases[i].operator);
		dal_buffer_printf(&event, "{\"a\":%s}", cases[i].value);
		hints(dal_buffer_cstr(&pattern), dal_buffer_cstr(&event), cases[i].near,
		      cases[i].hint);
		assert_string_equal(dal_buffer_cstr(&miss.expected), cases[i].expected);
		dal_buffer_deinit(&pattern);
		dal_buffer_deinit(&event);
	}
}

static void a_number_just_outside_is_told(void **state)
{
	(void)state;
	hints("{\"a\":[{\"numeric\":[\">=\",1000]}]}", "{\"a\":999}", true, "is only 1 too small");
	hints("{\"a\":[{\"numeric\":[\"<\",1000]}]}", "{\"a\":1000.5}", true,
	      "is only 0.5 too large");
	hints("{\"a\":[{\"numeric\":[\">\",1000]}]}", "{\"a\":1e3}", true,
	      "is the bound itself, which is not inside");
	hints("{\"a\":[{\"numeric\":[\">=\",1000]}]}", "{\"a\":900}", false, "");
	hints("{\"a\":[{\"numeric\":[\">\",1,\"<\",2]}]}", "{\"a\":3}", false, "");
	hints("{\"a\":[{\"numeric\":[\">\",10,\"<\",20]}]}", "{\"a\":[5,21]}", true,
	      "is only 1 too large");
	hints("{\"a\":[{\"numeric\":[\">\",1e300]}]}", "{\"a\":3}", false, "");
}

static void a_field_under_another_name_is_told(void **state)
{
	(void)state;
	hints("{\"data\":{\"total\":[5]}}", "{\"data\":{\"Total\":5}}", true,
	      "there is data.Total, whose value would do");
	hints("{\"data\":{\"total\":[5]}}", "{\"data\":{\"Total\":6}}", false,
	      "there is data.Total");
	hints("{\"data\":{\"customer_id\":[5]}}", "{\"data\":{\"customerId\":5}}", true,
	      "there is data.customerId, whose value would do");
	hints("{\"data\":{\"country\":[\"FR\"]}}", "{\"data\":{\"contry\":\"FR\"}}", true,
	      "there is data.contry, whose value would do");
	/* Elsewhere in the event. */
	hints("{\"data\":{\"total\":[5]}}", "{\"data\":{\"order\":[{\"total\":5}]}}", true,
	      "there is data.order.total, whose value would do");
	hints("{\"detail\":{\"total\":[5]}}", "{\"data\":{\"total\":5}}", true,
	      "there is data.total, whose value would do");
	/* The one that would do is preferred, then the one beside it. */
	hints("{\"data\":{\"total\":[5]}}", "{\"Total\":1,\"x\":{\"total\":5},\"data\":{}}", true,
	      "there is x.total, whose value would do");
	hints("{\"data\":{\"total\":[5]}}", "{\"total\":1,\"data\":{\"Total\":1}}", false,
	      "there is data.Total");
	hints("{\"data\":{\"total\":[5]}}", "{\"data\":{\"sum\":5}}", false, "");
}

static void elements_that_fulfil_it_only_together_are_told(void **state)
{
	(void)state;
	hints("{\"i\":{\"sku\":[\"A\"],\"n\":[2]}}",
	      "{\"i\":[{\"sku\":\"A\",\"n\":1},{\"sku\":\"B\",\"n\":2}]}", true,
	      "the elements of i fulfil all of it together, but none of them alone");
	assert_string_equal(dal_buffer_cstr(&miss.field), "i[0].n");
	hints("{\"i\":{\"sku\":[\"A\"],\"n\":[3]}}",
	      "{\"i\":[{\"sku\":\"A\",\"n\":1},{\"sku\":\"B\",\"n\":2}]}", false, "");
	hints("{\"$or\":[{\"a\":[1],\"b\":[1]},{\"c\":[1]}]}", "{\"a\":1,\"b\":2}", false,
	      "one of the 2 alternatives of $or would do, this one came nearest");
}

static void what_fails_is_counted(void **state)
{
	static const struct {
		const char *text, *event;
		uint32_t conditions, failed;
	} cases[] = {
		{"{\"a\":[1],\"b\":{\"c\":[1],\"d\":[1]}}", "{\"a\":1,\"b\":{\"c\":1,\"d\":2}}", 3,
		 1},
		{"{\"a\":[1],\"b\":{\"c\":[1],\"d\":[1]}}", "{}", 3, 3},
		{"{\"a\":[1],\"$or\":[{\"b\":[1],\"c\":[1]},{\"d\":[1]}]}", "{\"b\":1}", 3, 2},
		{"{\"i\":{\"k\":[1],\"n\":[1],\"m\":[1]}}", "{\"i\":[{\"k\":1},{\"k\":1,\"n\":1}]}",
		 3, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_false(ask(cases[i].text, cases[i].event));
		assert_int_equal(miss.conditions, cases[i].conditions);
		assert_int_equal(miss.failed, cases[i].failed);
	}
}

/* An object so wide that its fields are looked up in a table. */
static void wide_objects_are_explained_likewise(void **state)
{
	struct dal_buffer event = {0};

	(void)state;
	dal_buffer_text(&event, "{\"data\":{\"Total\":5");
	for (int i = 0; i < 500; i++) {
		dal_buffer_printf(&event, ",\"field%d\":{\"x\":%d}", i, i);
	}
	dal_buffer_text(&event, "}}");
	assert_true(ask("{\"data\":{\"field499\":{\"x\":[499]},\"field0\":{\"x\":[0]}}}",
			dal_buffer_cstr(&event)));
	hints("{\"data\":{\"field77\":{\"x\":[\"77\"]}}}", dal_buffer_cstr(&event), true,
	      "is a number, not a string");
	hints("{\"data\":{\"field77\":{\"x\":[77]},\"total\":[5]}}", dal_buffer_cstr(&event), true,
	      "there is data.Total, whose value would do");
	hints("{\"data\":{\"fieldd77\":[5]}}", dal_buffer_cstr(&event), false,
	      "there is data.field77");
	dal_buffer_deinit(&event);
}

static void a_long_value_is_cut_between_characters(void **state)
{
	struct dal_buffer event = {0};

	(void)state;
	dal_buffer_text(&event, "{\"a\":\"");
	for (int i = 0; i < 300; i++) {
		dal_buffer_text(&event, "\u00e9");
	}
	dal_buffer_text(&event, "\"}");
	assert_false(ask("{\"a\":[\"x\"]}", dal_buffer_cstr(&event)));
	assert_int_equal(miss.found.size, 1 + 254 + 3);
	assert_string_equal(dal_buffer_cstr(&miss.found) + 253, "\u00e9...");
	dal_buffer_deinit(&event);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_first_field_that_failed_is_named, clean),
		cmocka_unit_test_teardown(a_string_that_is_nearly_right_is_told, clean),
		cmocka_unit_test_teardown(a_value_of_another_kind_is_told, clean),
		cmocka_unit_test_teardown(our_own_operators_are_told_in_words, clean),
		cmocka_unit_test_teardown(a_number_just_outside_is_told, clean),
		cmocka_unit_test_teardown(a_field_under_another_name_is_told, clean),
		cmocka_unit_test_teardown(elements_that_fulfil_it_only_together_are_told, clean),
		cmocka_unit_test_teardown(what_fails_is_counted, clean),
		cmocka_unit_test_teardown(wide_objects_are_explained_likewise, clean),
		cmocka_unit_test_teardown(a_long_value_is_cut_between_characters, clean),
	};
	return cmocka_run_group_tests_name("rules explain", tests, NULL, NULL);
}
