/* Which views a rule may read, as its code tells; and patterns of dalamb's own events alone. */
#include "tests/unit/rules/support.h"

#define FOLD "fold = function(state, event) return state end }\n"
#define PROJECTIONS                                                                                \
	"projection \"orders\" { on = { type = \"o\" }, key = \"subject\", " FOLD                  \
	"projection \"clicks\" { on = { type = \"c\" }, key = \"subject\", " FOLD

static const char lib[] = "local h = {}\n"
			  "function h.orders(event) return view(\"orders\", event.subject) end\n"
			  "function h.named(name, event) return view(name, event.subject) end\n"
			  "function h.none(event) return event.subject end\n"
			  "return h\n";

static const char *const other_lib = "return { \"orders\" }\n";

/* "orders", "orders,clicks", with "?" behind where a name can't be told. */
static void reads_print(const struct dal_rules *rules, const struct dal_reads *reads,
			struct dal_buffer *out)
{
	for (size_t i = 0; i < reads->count; i++) {
		dal_buffer_printf(out, "%s%s", i ? "," : "",
				  dal_rules_projection(rules, reads->projections[i])->name);
	}
	dal_buffer_text(out, reads->any ? "?" : "");
}

static void load(struct fixture *f, const char *text)
{
	struct dal_rules_source sources[] = {
		{"rules/t.lua", dal_slice_text(text), DAL_RULES_RULES},
		{"lib/h.lua", dal_slice_text(lib), DAL_RULES_LIB},
		{"lib/names.lua", dal_slice_text(other_lib), DAL_RULES_LIB},
	};
	int r = fixture_try(f, sources, 3, NULL, NULL);
	if (r != 0) {
		print_error("%s:%d: %s\n", f->errors.items[0].file, f->errors.items[0].line,
			    f->errors.items[0].text);
	}
	assert_int_equal(r, 0);
}

/* Of the first rule of `text`, behind the two projections. */
static void expect(const char *text, const char *expected)
{
	char *all = dal_asprintf("%s%s", PROJECTIONS, text);
	struct dal_buffer found = {0};
	struct fixture f;
	load(&f, all);
	reads_print(f.rules, dal_rules_reads(f.rules, 0), &found);
	if (strcmp(dal_buffer_cstr(&found), expected) != 0) {
		fail_msg("\"%s\", expected \"%s\", in %s", dal_buffer_cstr(&found), expected, text);
	}
	dal_buffer_deinit(&found);
	fixture_free(&f);
	free(all);
}

#define WHEN(body) "rule \"r\" { on = { type = \"o\" }, when = function(event) " body " end }\n"

static void test_names(void **state)
{
	(void)state;
	expect("rule \"r\" { on = { type = \"o\" } }", "");
	expect(WHEN("return event.data.orders == \"orders\""), "");
	expect(WHEN("return view(\"orders\", event.subject)"), "orders");
	expect(WHEN("local a = view(\"clicks\", 1) return a and view(\"orders\", a.n)"),
	       "orders,clicks");
	expect(WHEN("return view(\"orders\", view(\"clicks\", event.subject).to)"),
	       "orders,clicks");
	expect(WHEN("return view(\"orders\", event.a and event.b or { 1 }) ~= nil"), "orders");
	expect(WHEN("local ok, entry = pcall(view, \"orders\", event.id) return ok"), "orders");
	expect(WHEN("return (function() return view(\"clicks\", 1) end)()"), "clicks");
	expect("rule \"r\" { on = { type = \"o\" }, when = function() return view(\"orders\", 1) "
	       "end, emit = function() return view(\"clicks\", 1) end }",
	       "orders,clicks");
	/* what another rule of the file reads is its own */
	expect(WHEN("return event.subject") "rule \"s\" { on = { type = \"o\" }, when = "
					    "function() return view(\"orders\", 1) end }",
	       "");
	expect("rule \"r\" { on = { type = \"o\" }, when = tostring }\n"
	       "rule \"s\" { on = { type = \"o\" }, when = function() return view(\"orders\", 1) "
	       "end }",
	       "");
}

static void test_helpers(void **state)
{
	(void)state;
	expect("local h = require \"h\"\n" WHEN("return h.none(event)"), "");
	expect("local h = require \"h\"\n" WHEN(
		       "local function f() return h.orders(event) end return f()"),
	       "orders");
	expect("local h = require \"h\"\n" WHEN("return h[event.data.name](event)"), "orders?");
	expect("local h = require \"h\"\n" WHEN(
		       "local function f() return h end return f().none(event)"),
	       "orders?");
	expect("h = require \"h\"\n" WHEN("return h.none(event)"), "orders?");
	expect("local f = (require \"h\").none\n" WHEN("return f(event)"), "");
	expect("local f = (require \"h\").orders\n" WHEN("return f(event)"), "orders");
	expect("local f = (require \"h\").named\n" WHEN("return f(\"clicks\", event)"), "clicks?");
	expect("function helper(e) return view(\"clicks\", e.id) end\n" WHEN(
		       "return helper(event)"),
	       "clicks");
	expect("function helper(e) return view(\"clicks\", e.id) end\n" WHEN("return event.id"),
	       "");
	expect("local function a(n) return n > 0 and b(n - 1) or view(\"orders\", n) end\n"
	       "function b(n) return a(n) end\n" WHEN("return b(3)"),
	       "orders");
	/* one's own `view` is not the library's */
	expect("function view(name) return name end\n" WHEN("return view(\"orders\", 1)"), "");
}

static void test_untold(void **state)
{
	(void)state;
	expect(WHEN("return view(event.data.name, 1)"), "?");
	expect(WHEN("return view(\"or\" .. event.data.rest, 1)"), "?");
	expect(WHEN("return view(event.a and \"orders\" or \"clicks\", 1)"), "orders,clicks?");
	expect(WHEN("local v = view return v(\"orders\", 1)"), "orders?");
	expect(WHEN("local v, n = view, \"orders\" n = event.id return v(n, 1)"), "orders?");
	expect("local v = view\n" WHEN("return v(event.id, 1)"), "?");
	expect("local t = { read = view, name = \"clicks\" }\n" WHEN("return t.read(t.name, 1)"),
	       "clicks?");
	expect("local names = require \"names\"\n" WHEN("return view(names[1], 1)"), "orders?");
	expect(WHEN("return event.f(view, \"orders\")"), "orders?");
}

/* More constants than an instruction can name: globals are fetched another way. */
static void test_many_constants(void **state)
{
	(void)state;
	struct dal_buffer text = {0}, write = {0};
	struct fixture f;
	dal_buffer_text(&text, "local t = {");
	for (int i = 0; i < 300; i++) {
		dal_buffer_printf(&text, "\"k%d\",", i);
	}
	dal_buffer_text(&text, "} ");
	dal_buffer_printf(&write, "rule \"r\" { on = { type = \"o\" }, when = function(event) %s",
			  dal_buffer_cstr(&text));
	dal_buffer_text(&text, "return view(\"clicks\", t[1])");
	char *rule = dal_asprintf("rule \"r\" { on = { type = \"o\" }, when = function(event) %s "
				  "end }\n",
				  dal_buffer_cstr(&text));
	expect(rule, "clicks");
	free(rule);

	/* and are seen to be unknown, and to be changed */
	dal_buffer_text(&write, "glob = 5 return hepler(t) end }\n");
	struct dal_rules_source source = {"rules/t.lua", dal_buffer_slice(&write), DAL_RULES_RULES};
	assert_int_equal(fixture_try(&f, &source, 1, NULL, NULL), DAL_RULES_INVALID);
	assert_int_equal(f.errors.count, 2);
	assert_non_null(strstr(f.errors.items[0].text, "unknown global 'hepler'"));
	assert_non_null(strstr(f.errors.items[1].text, "changes the global 'glob'"));
	fixture_free(&f);
	dal_buffer_deinit(&text);
	dal_buffer_deinit(&write);
}

/* A name that is put together is no name that lacks. */
static void test_a_name_put_together_is_not_unknown(void **state)
{
	(void)state;
	struct fixture f;
	load(&f, PROJECTIONS WHEN("return view(\"ord\" .. event.data.rest, 1)"));
	fixture_free(&f);
}

static void test_functions_of_others(void **state)
{
	(void)state;
	static const struct dal_field fields[] = {
		{.name = "input", .kind = DAL_FIELD_FUNCTION},
		{0},
	};
	static const struct dal_declarable func = {"func", true, DAL_DECLARE_OPERATOR, fields,
						   "A function."};
	static const struct dal_declarable *const declarables[] = {&func, NULL};
	struct dal_rules_source source = {
		"dalamb.lua",
		dal_slice_text(PROJECTIONS "func \"f\" { input = function(event) return "
					   "view(\"orders\", event.id) end }\n"),
		DAL_RULES_OPERATOR};
	struct dal_buffer found = {0};
	struct fixture f;
	assert_int_equal(fixture_try(&f, &source, 1, declarables, "func"), 0);
	const struct dal_value *input = dal_declaration_get(dal_rules_declaration(f.rules, 0),
							    "input");
	reads_print(f.rules, dal_rules_function_reads(f.rules, input->number), &found);
	assert_string_equal(dal_buffer_cstr(&found), "orders");
	dal_buffer_deinit(&found);
	fixture_free(&f);
}

static void test_only_system(void **state)
{
	(void)state;
	static const struct {
		const char *pattern;
		bool names, only;
	} cases[] = {
		{"{\"type\":[\"dalamb.function.failed\"]}", true, true},
		{"{\"type\":[{\"prefix\":\"dalamb.\"},\"dalamb.x\"]}", true, true},
		{"{\"type\":[{\"wildcard\":\"dalamb.*.failed\"}]}", true, true},
		{"{\"type\":[\"dalamb.x\",\"order\"]}", true, false},
		{"{\"type\":[{\"equals-ignore-case\":\"dalamb.x\"}]}", true, false},
		{"{\"type\":[\"order\"]}", false, false},
		{"{\"data\":{\"type\":[\"dalamb.x\"]}}", false, false},
		{"{\"type\":[{\"anything-but\":\"dalamb.x\"}]}", false, false},
		{"{\"subject\":[\"a\"],\"$or\":[{\"type\":[\"dalamb.x\"]},"
		 "{\"type\":[\"dalamb.y\"],\"id\":[\"1\"]}]}",
		 true, true},
		{"{\"$or\":[{\"type\":[\"dalamb.x\"]},{\"subject\":[\"b\"]}]}", true, false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dal_pattern *pattern;
		struct dal_error error;
		assert_int_equal(dal_pattern_parse(dal_slice_text(cases[i].pattern), 0, &pattern,
						   &error),
				 0);
		if (dal_pattern_names_system(pattern) != cases[i].names ||
		    dal_pattern_only_system(pattern) != cases[i].only) {
			fail_msg("%s", cases[i].pattern);
		}
		dal_pattern_free(pattern);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_helpers),
		cmocka_unit_test(test_untold),
		cmocka_unit_test(test_many_constants),
		cmocka_unit_test(test_a_name_put_together_is_not_unknown),
		cmocka_unit_test(test_functions_of_others),
		cmocka_unit_test(test_only_system),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
