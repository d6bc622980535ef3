/* What rules may emit, told from their code; and what part of an event a pattern may match. */
#include "rules/partial.h"
#include "tests/unit/rules/support.h"

struct loaded {
	struct dal_rules *rules;
	struct dal_errors errors;
};

static void loaded_init(struct loaded *l, const char *lib, const char *text)
{
	struct dal_rules_source sources[] = {
		{"lib/make.lua", dal_slice_text(lib), DAL_RULES_LIB},
		{"rules/t.lua", dal_slice_text(text), DAL_RULES_RULES},
	};
	*l = (struct loaded){0};
	struct dal_rules_options options = {.sources = sources, .count = 2, .analyse = true};
	assert_int_equal(dal_rules_load(&options, &l->rules, &l->errors, NULL), 0);
}

static void loaded_deinit(struct loaded *l)
{
	dal_rules_unref(l->rules);
	dal_errors_deinit(&l->errors);
}

/* Of the first rule: its types with a blank between, "?" if others may come, "/" if it branches. */
static void assert_emits(const char *lib, const char *rules, const char *expected)
{
	struct loaded l;
	struct dal_buffer text = {0};
	loaded_init(&l, lib, rules);
	const struct dal_emits *emits = dal_rules_emits(l.rules, 0);
	for (size_t i = 0; i < emits->count; i++) {
		dal_buffer_printf(&text, "%s%s", i > 0 ? " " : "", emits->types[i]);
	}
	dal_buffer_printf(&text, "%s%s", emits->any ? "?" : "", emits->branches ? "/" : "");
	assert_string_equal(dal_buffer_cstr(&text), expected);
	dal_buffer_deinit(&text);
	loaded_deinit(&l);
}

#define RULE(emit) "rule \"r\" { on = { type = \"x\" }, emit = " emit " }"

static void test_literal_types(void **state)
{
	(void)state;
	assert_emits("", "rule \"r\" { on = { type = \"x\" } }", "");
	assert_emits("", RULE("function(e) return nil end"), "");
	assert_emits("", RULE("function(e) return { type = \"a\" } end"), "a");
	assert_emits("", RULE("function(e) return { { type = \"b\" }, { type = \"a\" } } end"),
		     "a b");
	assert_emits("", RULE("function(e) local x = {} x.type = \"a\" return x end"), "a");
	assert_emits("", RULE("function(e) if e.data then return { type = \"a\" } end end"), "a/");
	assert_emits("", RULE("function(e) return { subject = \"a\", source = \"b\" } end"), "");
}

static void test_types_that_are_made(void **state)
{
	(void)state;
	assert_emits("", RULE("function(e) return { type = e.data.kind } end"), "data kind type?");
	assert_emits("", RULE("function(e) return { type = e.subject or \"a\" } end"),
		     "a subject type?/");
}

static void test_types_in_what_is_reached(void **state)
{
	(void)state;
	assert_emits("", "local t = { type = \"a\" }\n" RULE("function(e) return t end"), "a");
	assert_emits("",
		     "local function f() return { type = \"a\" } end\n" RULE(
			     "function(e) return f() end"),
		     "a");
	assert_emits(
		"", "function f() return { type = \"a\" } end\n" RULE("function(e) return f() end"),
		"a");
	assert_emits(
		"return { a = function() return { type = \"a\" } end, b = function() return { type "
		"= \"b\" } end }",
		"local make = require \"make\"\n" RULE("function(e) return make.a() end"), "a");
	assert_emits("return { f = function(t) return { type = t } end }",
		     "local make = require \"make\"\n" RULE("function(e) return make.f(\"a\") end"),
		     "a f type?");
}

static void test_nothing_is_told_unasked(void **state)
{
	struct fixture f;
	(void)state;
	fixture_load(&f, RULE("function(e) return { type = \"a\" } end"));
	assert_int_equal(dal_rules_emits(f.rules, 0)->count, 0);
	fixture_free(&f);
}

/* --- a part of an event --- */

static bool may(const char *pattern, const char *part)
{
	struct dal_pattern *compiled;
	struct dal_json *json = dal_json_new();
	struct dal_error error;
	assert_int_equal(dal_pattern_parse(dal_slice_text(pattern), 0, &compiled, &error), 0);
	assert_int_equal(dal_json_parse(json, dal_slice_text(part), 0, NULL), 0);
	bool result = dal_pattern_may(compiled, json, DAL_JSON_ROOT);
	dal_pattern_free(compiled);
	dal_json_free(json);
	return result;
}

static void test_what_a_part_may_match(void **state)
{
	(void)state;
	const char *pattern =
		"{\"type\":[\"a\"],\"data\":{\"name\":[{\"anything-but\":\"f\"}],\"n\":[1]}}";
	assert_true(may(pattern, "{}"));
	assert_true(may(pattern, "{\"type\":\"a\"}"));
	assert_false(may(pattern, "{\"type\":\"b\"}"));
	assert_true(may(pattern, "{\"type\":\"a\",\"data\":{\"name\":\"g\"}}"));
	assert_false(may(pattern, "{\"type\":\"a\",\"data\":{\"name\":\"f\"}}"));
	assert_false(may(pattern, "{\"data\":{\"n\":2}}"));
	assert_false(may(pattern, "{\"data\":5}"));
	pattern = "{\"$or\":[{\"type\":[\"a\"]},{\"data\":{\"n\":[1]}}],\"source\":[\"s\"]}";
	assert_true(may(pattern, "{\"type\":\"b\"}"));
	assert_false(may(pattern, "{\"type\":\"b\",\"data\":{\"n\":2}}"));
	assert_true(may(pattern, "{\"type\":\"a\",\"data\":{\"n\":2}}"));
	assert_false(may(pattern, "{\"source\":\"r\"}"));
	assert_true(may("{\"data\":{\"n\":[{\"exists\":false}]}}", "{\"data\":{}}"));
}

static void assert_type(const char *pattern, const char *expected)
{
	struct dal_pattern *compiled;
	struct dal_buffer text = {0};
	struct dal_error error;
	assert_int_equal(dal_pattern_parse(dal_slice_text(pattern), 0, &compiled, &error), 0);
	assert_int_equal(dal_pattern_type(compiled, &text), expected != NULL);
	if (expected) {
		assert_string_equal(dal_buffer_cstr(&text), expected);
	}
	dal_buffer_deinit(&text);
	dal_pattern_free(compiled);
}

static void test_what_is_asked_of_the_type(void **state)
{
	(void)state;
	assert_type("{\"data\":{\"type\":[\"a\"]}}", NULL);
	assert_type("{\"type\":[\"a\",{\"prefix\":\"b\"}],\"data\":{\"n\":[1]}}",
		    "{\"type\":[\"a\",{\"prefix\":\"b\"}]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_literal_types),
		cmocka_unit_test(test_types_that_are_made),
		cmocka_unit_test(test_types_in_what_is_reached),
		cmocka_unit_test(test_nothing_is_told_unasked),
		cmocka_unit_test(test_what_a_part_may_match),
		cmocka_unit_test(test_what_is_asked_of_the_type),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
