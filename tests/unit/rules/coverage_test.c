/* What tests exercised: lines of functions, fields of patterns. */
#include "tests/unit/rules/support.h"

#include "rules/coverage_fields.h"
#include "rules/coverage_lines.h"

/* --- fields --- */

struct asked {
	struct dal_pattern *pattern;
	struct dal_coverage_fields *fields;
	struct dal_json *json;
};

static void asked_init(struct asked *a, const char *pattern)
{
	struct dal_error error = {0};
	int r = dal_pattern_parse(dal_slice_text(pattern), 0, &a->pattern, &error);
	if (r != 0) {
		fail_msg("%s", error.text);
	}
	a->fields = dal_coverage_fields_new(a->pattern);
	a->json = dal_json_new();
}

static void asked_deinit(struct asked *a)
{
	dal_coverage_fields_free(a->fields);
	dal_pattern_free(a->pattern);
	dal_json_free(a->json);
}

/* Says the same as the pattern's own test. */
static bool ask(struct asked *a, const char *event)
{
	assert_int_equal(dal_json_parse(a->json, dal_slice_text(event), 0, NULL), 0);
	bool holds = dal_coverage_fields_ask(a->fields, a->json, DAL_JSON_ROOT);
	assert_int_equal(holds, dal_pattern_test(a->pattern, a->json, DAL_JSON_ROOT));
	return holds;
}

static void assert_field(const struct asked *a, const char *path, uint64_t held, uint64_t failed)
{
	size_t count;
	const struct dal_coverage_field *field = dal_coverage_fields_all(a->fields, &count);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(field[i].path, path) == 0) {
			assert_int_equal(field[i].held, held);
			assert_int_equal(field[i].failed, failed);
			return;
		}
	}
	fail_msg("there is no field %s", path);
}

static void test_every_field_is_asked(void **state)
{
	struct asked a;
	(void)state;
	asked_init(&a,
		   "{\"type\": [\"t\"], \"data\": {\"x\": [1], \"y\": [2], \"z\": {\"w\": [3]}}}");
	assert_false(
		ask(&a, "{\"type\": \"t\", \"data\": {\"x\": 0, \"y\": 0, \"z\": {\"w\": 3}}}"));
	assert_field(&a, "type", 1, 0);
	assert_field(&a, "data.x", 0, 1);
	assert_field(&a, "data.y", 0, 1);
	assert_field(&a, "data.z.w", 1, 0);
	assert_true(
		ask(&a, "{\"type\": \"t\", \"data\": {\"x\": 1, \"y\": 2, \"z\": {\"w\": 3}}}"));
	assert_field(&a, "data.x", 1, 1);
	assert_field(&a, "data.z.w", 2, 0);
	asked_deinit(&a);
}

static void test_events_of_another_kind_say_nothing_of_data(void **state)
{
	struct asked a;
	(void)state;
	asked_init(&a, "{\"source\": [\"s\"], \"type\": [\"t\"], \"data\": {\"x\": [1]}}");
	assert_false(ask(&a, "{\"type\": \"u\", \"source\": \"s\", \"data\": {\"x\": 0}}"));
	assert_field(&a, "source", 0, 0);
	assert_field(&a, "type", 0, 1);
	assert_field(&a, "data.x", 0, 0);
	assert_false(ask(&a, "{\"type\": \"t\", \"source\": \"r\", \"data\": {\"x\": 0}}"));
	assert_field(&a, "source", 0, 1);
	assert_field(&a, "data.x", 0, 0);
	asked_deinit(&a);
}

static void test_what_a_field_lacks(void **state)
{
	const struct dal_coverage_field none = {.path = "data.x"}, held = {"data.x", 1, 0, false},
					type = {"type", 1, 0, true}, failed = {"type", 0, 1, true},
					both = {"data.x", 1, 1, false};
	(void)state;
	assert_string_equal(dal_coverage_field_lacks(&none), "hold");
	assert_string_equal(dal_coverage_field_lacks(&held), "fail");
	assert_null(dal_coverage_field_lacks(&type));
	assert_string_equal(dal_coverage_field_lacks(&failed), "hold");
	assert_null(dal_coverage_field_lacks(&both));
}

static void test_alternatives_are_told_apart(void **state)
{
	struct asked a;
	(void)state;
	asked_init(
		&a,
		"{\"type\": [\"t\"], \"$or\": [{\"data\": {\"x\": [1]}}, {\"data\": {\"y\": [2], "
		"\"$or\": [{\"a\": [1]}, {\"b\": [1]}]}}]}");
	assert_true(ask(&a, "{\"type\": \"t\", \"data\": {\"x\": 1, \"y\": 2, \"b\": 1}}"));
	assert_field(&a, "any_of[1].data.x", 1, 0);
	assert_field(&a, "any_of[2].data.y", 1, 0);
	assert_field(&a, "any_of[2].data.any_of[1].a", 0, 1);
	assert_field(&a, "any_of[2].data.any_of[2].b", 1, 0);
	assert_true(ask(&a, "{\"type\": \"t\", \"data\": {\"y\": 2, \"a\": 1}}"));
	assert_field(&a, "any_of[1].data.x", 1, 1);
	assert_false(ask(&a, "{\"type\": \"t\"}"));
	asked_deinit(&a);
}

static void test_elements_of_arrays(void **state)
{
	struct asked a;
	(void)state;
	asked_init(&a, "{\"data\": {\"items\": {\"k\": [1], \"v\": [{\"exists\": false}]}}}");
	assert_false(ask(&a, "{\"data\": {\"items\": [{\"k\": 1, \"v\": 0}, {\"k\": 2}]}}"));
	assert_field(&a, "data.items.k", 1, 1);
	assert_field(&a, "data.items.v", 1, 1);
	assert_true(ask(&a, "{\"data\": {\"items\": [[{\"k\": 2}, {\"k\": 1}], {\"k\": 3}]}}"));
	assert_field(&a, "data.items.k", 2, 2);
	assert_false(ask(&a, "{\"data\": {\"items\": []}}"));
	assert_false(ask(&a, "{}"));
	assert_field(&a, "data.items.k", 2, 4);
	asked_deinit(&a);
}

/* --- lines --- */

static const char rules_text[] = "local function twice(n)\n" /* 1 */
				 "  return 2 * n\n"
				 "end\n"
				 "local limit = twice(5)\n"
				 "rule \"a\" {\n" /* 5 */
				 "  on = { type = \"t\" },\n"
				 "  when = function(event)\n"
				 "    if event.data.n > limit then\n"
				 "      return false\n"
				 "    end\n" /* 10 */
				 "    for i = 1, 2 do\n"
				 "      local unused = function(...)\n"
				 "        return ...\n"
				 "      end\n"
				 "    end\n" /* 15 */
				 "    if twice(event.data.n) > 2 then\n"
				 "      return twice(1) == 2\n"
				 "    end\n"
				 "  end,\n"
				 "  emit = function(e) return { type = \"x\" } end,\n"
				 "}\n";

struct covered {
	struct fixture f;
	struct dal_coverage_lines *lines;
};

static void covered_init(struct covered *c)
{
	struct dal_rules_source source = {"rules/t.lua", dal_slice_text(rules_text),
					  DAL_RULES_RULES};
	assert_int_equal(fixture_try(&c->f, &source, 1, NULL, NULL), 0);
	c->lines = dal_coverage_lines_new(c->f.rules);
	struct dal_vm_options options = {.rules = c->f.rules, .lines = c->lines};
	assert_int_equal(dal_vm_new(&options, &c->f.vm), 0);
}

static void covered_deinit(struct covered *c)
{
	fixture_free(&c->f);
	dal_coverage_lines_free(c->lines);
}

/* The lines as text: those that ran, then those that did not. */
static void assert_lines(struct covered *c, const char *expected)
{
	struct dal_buffer text = {0};
	size_t count;
	const struct dal_coverage_line *line = dal_coverage_lines_all(c->lines, &count);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(line[i].file, "rules/t.lua");
		dal_buffer_printf(&text, "%s%s%d", i > 0 ? " " : "", line[i].ran ? "" : "-",
				  line[i].line);
	}
	assert_string_equal(dal_buffer_cstr(&text), expected);
	dal_buffer_deinit(&text);
}

static void test_lines_of_functions(void **state)
{
	struct covered c;
	const struct dal_vm_emitted *list;
	size_t count;
	(void)state;
	covered_init(&c);
	assert_lines(&c, "2 -8 -9 -11 -13 -14 -16 -17 -20");
	fixture_event(&c.f, "{\"type\": \"t\", \"data\": {\"n\": 50}}");
	assert_int_equal(dal_vm_when(c.f.vm, 0), DAL_VM_NO);
	assert_lines(&c, "2 8 9 -11 -13 -14 -16 -17 -20");
	fixture_event(&c.f, "{\"type\": \"t\", \"data\": {\"n\": 1}}");
	assert_int_equal(dal_vm_when(c.f.vm, 0), DAL_VM_NO);
	assert_int_equal(dal_vm_emit(c.f.vm, 0, &list, &count), 0);
	assert_lines(&c, "2 8 9 11 -13 14 16 -17 20");
	covered_deinit(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_field_is_asked),
		cmocka_unit_test(test_events_of_another_kind_say_nothing_of_data),
		cmocka_unit_test(test_what_a_field_lacks),
		cmocka_unit_test(test_alternatives_are_told_apart),
		cmocka_unit_test(test_elements_of_arrays),
		cmocka_unit_test(test_lines_of_functions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
