/* Loading: mistakes of all files at once, rights, names, freezing, digests, other folders' tables.
 */
#include "tests/unit/rules/support.h"

/* Joins the errors as people see them. */
static char *errors_text(const struct dal_errors *errors)
{
	struct dal_buffer out = {0};
	for (size_t i = 0; i < errors->count; i++) {
		dal_buffer_printf(&out, "%s:%d: %s\n", errors->items[i].file, errors->items[i].line,
				  errors->items[i].text);
	}
	char *text = dal_strdup(dal_buffer_cstr(&out));
	dal_buffer_deinit(&out);
	return text;
}

static void test_all_mistakes_at_once(void **state)
{
	(void)state;
	struct dal_rules_source sources[] = {
		{"rules/a.lua",
		 dal_slice_text(
			 "rule \"one\" {\n  on = { type = \"x\" },\n  whn = function() end,\n  "
			 "cal = \"f\",\n}\n"
			 "rul \"two\" {}\nrule \"one\" { on = { type = \"y\" } }\n"),
		 DAL_RULES_RULES},
		{"rules/b.lua",
		 dal_slice_text("rule \"three\" {\n  on = { type = \"x\" }\n  when = 1\n}\n"),
		 DAL_RULES_RULES},
		{"rules/c.lua",
		 dal_slice_text(
			 "projection \"p\" {\n  on = { type = wildcard \"a**b\" },\n  key = 5,\n "
			 " version = 0,\n}\n"),
		 DAL_RULES_RULES},
	};
	struct fixture f;
	assert_int_equal(fixture_try(&f, sources, 3, NULL, NULL), DAL_RULES_INVALID);
	assert_null(f.rules);
	char *text = errors_text(&f.errors);
	static const char *const expected[] = {
		"rules/a.lua:3: rule \"one\": unknown field 'whn', did you mean 'when'?",
		"rules/a.lua:4: rule \"one\": unknown field 'cal', did you mean 'call'?",
		"rules/a.lua:6: unknown global 'rul': did you mean 'rule'?",
		"rules/a.lua:7: rule one is declared twice: first at rules/a.lua:1",
		"rules/b.lua:3: '}' expected (to close '{' at line 1) near 'when'",
		"rules/c.lua:2: projection \"p\": on:",
		"rules/c.lua:3: projection \"p\": 'key' is a number",
		"rules/c.lua:4: projection \"p\": 'version' is a number, expected a whole number",
		"rules/c.lua:1: projection \"p\": 'fold' is missing",
	};
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		if (strstr(text, expected[i]) == NULL) {
			print_error("missing: %s\nin: %s", expected[i], text);
			fail();
		}
	}
	free(text);
	fixture_free(&f);
}

static const struct dal_field batch_fields[] = {
	{"size", DAL_FIELD_INTEGER, DAL_FIELD_NONE, "100", false, NULL, NULL, "How many."},
	{"wait", DAL_FIELD_DURATION, DAL_FIELD_NONE, "200ms", false, NULL, NULL, "How long."},
	{NULL},
};
static const char *const drivers[] = {"process", "container", NULL};
static const struct dal_field func_fields[] = {
	{"command", DAL_FIELD_STRINGS, DAL_FIELD_NONE, NULL, true, NULL, NULL, "The program."},
	{"driver", DAL_FIELD_STRING, DAL_FIELD_NONE, "process", false, drivers, NULL, "Where."},
	{"timeout", DAL_FIELD_DURATION, DAL_FIELD_NONE, "10s", false, NULL, NULL, "How long."},
	{"env", DAL_FIELD_MAP, DAL_FIELD_NONE, NULL, false, NULL, NULL, "Environment."},
	{"order", DAL_FIELD_PATH, DAL_FIELD_BOOLEAN, "subject", false, NULL, NULL, "Order key."},
	{"batch", DAL_FIELD_TABLE, DAL_FIELD_NONE, NULL, false, NULL, batch_fields, "Batches."},
	{"input", DAL_FIELD_STRING, DAL_FIELD_FUNCTION, "event", false, NULL, NULL, "Payload."},
	{NULL},
};
static const struct dal_declarable func = {"func", true, DAL_DECLARE_OPERATOR, func_fields,
					   "A function."};
static const struct dal_field http_fields[] = {
	{"listen", DAL_FIELD_STRING, DAL_FIELD_NONE, "127.0.0.1:8080", false, NULL, NULL, "Where."},
	{NULL},
};
static const struct dal_declarable http = {"http", false, DAL_DECLARE_OPERATOR, http_fields,
					   "The server."};
static const struct dal_declarable *const declarables[] = {&func, &http, NULL};

static const char operator_file[] =
	"http { listen = \"127.0.0.1:1\" }\n"
	"func \"check\" {\n  command = { \"python3\", \"app.py\" },\n  timeout = \"5s\",\n"
	"  env = { MODE = \"fast\", TOKEN = secret \"T\", N = 5 },\n  order = false,\n"
	"  batch = { size = 7 },\n  input = function(event) return { id = event.id, t = "
	"event.data } end,\n}\n";

static void test_foreign(void **state)
{
	(void)state;
	struct dal_rules_source sources[] = {
		{"dalamb.lua", dal_slice_text(operator_file), DAL_RULES_OPERATOR},
		{"rules/a.lua",
		 dal_slice_text("rule \"r\" { on = { type = \"x\" }, call = \"check\" }"),
		 DAL_RULES_RULES},
	};
	struct fixture f;
	int r = fixture_try(&f, sources, 2, declarables, "func");
	if (r != 0) {
		print_error("%s", errors_text(&f.errors));
	}
	assert_int_equal(r, 0);
	assert_int_equal(f.warnings.count, 0);
	assert_int_equal(dal_rules_declaration_count(f.rules), 2);
	const struct dal_declaration *d = dal_rules_declaration(f.rules, 1);
	assert_string_equal(d->name, "check");
	assert_string_equal(d->file, "dalamb.lua");
	assert_int_equal(d->line, 2);
	assert_int_equal(dal_declaration_get(d, "command")->count, 2);
	assert_string_equal(dal_declaration_get(d, "command")->items[1].text, "app.py");
	assert_int_equal(dal_declaration_get(d, "timeout")->number, 5000000);
	assert_int_equal(dal_declaration_get(d, "timeout")->line, 4);
	assert_string_equal(dal_declaration_get(d, "driver")->text, "process");
	assert_false(dal_declaration_get(d, "driver")->written);
	const struct dal_value *env = dal_declaration_get(d, "env");
	assert_int_equal(env->count, 3); /* by name: MODE, N, TOKEN */
	assert_string_equal(env->items[0].key, "MODE");
	assert_string_equal(env->items[1].text, "5");
	assert_true(env->items[2].secret);
	assert_string_equal(env->items[2].text, "T");
	assert_int_equal(dal_declaration_get(d, "order")->kind, DAL_FIELD_BOOLEAN);
	assert_false(dal_declaration_get(d, "order")->boolean);
	const struct dal_value *batch = dal_declaration_get(d, "batch");
	assert_int_equal(dal_value_get(batch, batch_fields, "size")->number, 7);
	assert_int_equal(dal_value_get(batch, batch_fields, "wait")->number, 200000);
	const struct dal_value *input = dal_declaration_get(d, "input");
	assert_int_equal(input->kind, DAL_FIELD_FUNCTION);

	fixture_machine(&f, false);
	fixture_event(&f, "{\"id\":\"7\",\"data\":{\"b\":[1,2.0],\"a\":null}}");
	struct dal_buffer json = {0};
	dal_buffer_text(&json, "kept ");
	assert_int_equal(dal_vm_call(f.vm, input->number, &json), 0);
	assert_slice(dal_buffer_slice(&json),
		     "kept {\"id\":\"7\",\"t\":{\"a\":null,\"b\":[1,2.0]}}");
	dal_buffer_deinit(&json);
	fixture_free(&f);
}

static void test_foreign_mistakes(void **state)
{
	(void)state;
	struct dal_rules_source sources[] = {
		{"dalamb.lua",
		 dal_slice_text(
			 "func \"a\" {\n  command = 5,\n  driver = \"proces\",\n  timeout = \"5 "
			 "s\",\n  env = { X = {} },\n"
			 "  order = \"a..b\",\n  batch = { sise = 1 },\n  memry = 1,\n}\nfunc "
			 "\"a\" { command = \"x\" }\n"
			 "http { listen = secret \"S\" }\nhttp {}\nfunc { }\nfunc \"late\"\n"),
		 DAL_RULES_OPERATOR},
		{"rules/a.lua",
		 dal_slice_text(
			 "func \"x\" { command = \"y\" }\nhttp {}\nrule \"r\" {\n  on = { type = "
			 "\"x\" },\n  call = { \"chek\", \"a\" },\n"
			 "  when = function(event) return view(\"totls\", 1) end,\n}\n"
			 "projection \"totals\" { on = { type = \"x\" }, key = \"data\", fold = "
			 "function(s) return s end }\n"
			 "local s = secret \"S\"\n"),
		 DAL_RULES_RULES},
		{"lib/l.lua", dal_slice_text("rule \"l\" { on = { type = \"x\" } }\n"),
		 DAL_RULES_LIB},
	};
	struct fixture f;
	assert_int_equal(fixture_try(&f, sources, 3, declarables, "func"), DAL_RULES_INVALID);
	char *text = errors_text(&f.errors);
	static const char *const expected[] = {
		"dalamb.lua:2: func \"a\": 'command' is a number, expected",
		"dalamb.lua:3: func \"a\": driver: expected \"process\" or \"container\"",
		"dalamb.lua:4: func \"a\": timeout: expected a duration",
		"dalamb.lua:5: func \"a\": 'env.X' is a table, expected a string, number, "
		"boolean or secret",
		"dalamb.lua:6: func \"a\": 'order' is no path",
		"dalamb.lua:7: func \"a\" batch: unknown field 'sise', did you mean 'size'?",
		"dalamb.lua:8: func \"a\": unknown field 'memry'",
		"dalamb.lua:10: func a is declared twice: first at dalamb.lua:1",
		"dalamb.lua:11: http: 'listen' is a secret, expected a string",
		"dalamb.lua:12: http is declared twice",
		"dalamb.lua:13: func needs a name",
		"dalamb.lua:14: func \"late\" has no table behind its name",
		"lib/l.lua:1: a file in lib declares nothing",
		"rules/a.lua:1: 'func' belongs in dalamb.lua or functions/*.lua: who writes "
		"rules doesn't",
		"rules/a.lua:2: 'http' belongs in dalamb.lua:",
		"rules/a.lua:5: rule \"r\": call: chek is no function of this app",
		"rules/a.lua:6: view: totls is no projection of this app, did you mean 'totals'?",
		"rules/a.lua:9: 'secret' belongs in dalamb.lua",
	};
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		if (strstr(text, expected[i]) == NULL) {
			print_error("missing: %s\nin: %s", expected[i], text);
			fail();
		}
	}
	free(text);
	fixture_free(&f);
}

/* lib/kinds.lua is loaded between the rule's name and its table. */
static void test_require_inside_a_table(void **state)
{
	struct dal_rules_source sources[] = {
		{"rules/a.lua",
		 dal_slice_text("rule \"r\" { on = { type = require(\"kinds\") }, call = \"f\" }\n"
				"rule \"left\""),
		 DAL_RULES_RULES},
		{"lib/kinds.lua", dal_slice_text("return { \"a\" }"), DAL_RULES_LIB},
	};
	struct fixture f;
	(void)state;
	assert_int_equal(fixture_try(&f, sources, 2, NULL, NULL), DAL_RULES_INVALID);
	assert_int_equal(f.errors.count, 1);
	assert_non_null(strstr(f.errors.items[0].text, "rule \"left\" has no table"));
	assert_int_equal(f.errors.items[0].line, 2);
	fixture_free(&f);
}

/* The digest of the one projection of a file and a library. */
static char *digest(const char *rules, const char *lib)
{
	struct dal_rules_source sources[] = {
		{"rules/a.lua", dal_slice_text(rules), DAL_RULES_RULES},
		{"lib/money.lua", dal_slice_text(lib), DAL_RULES_LIB},
	};
	struct fixture f;
	int r = fixture_try(&f, sources, 2, NULL, NULL);
	if (r != 0) {
		print_error("%s", errors_text(&f.errors));
	}
	assert_int_equal(r, 0);
	char *text = dal_strdup(dal_rules_projection(f.rules, 0)->digest);
	fixture_free(&f);
	return text;
}

#define PROJECTION(on, init, fold)                                                                 \
	"local money = require \"money\"\nlocal factor = { eur = 100 }\n"                          \
	"function helper(x) return x + 1 end\n"                                                    \
	"projection \"p\" { on = { type = " on " }, key = \"data.c\", init = " init                \
	", fold = function(state, event)\n" fold "\nend }\n"
#define LIB "return { add = function(a, b) return a + b end }"

static void test_digest(void **state)
{
	(void)state;
	static const struct {
		const char *rules, *lib;
		bool same;
	} cases[] = {
		{PROJECTION("\"x\"", "{ n = 0 }",
			    "state.n = money.add(helper(state.n), factor.eur) return state"),
		 LIB, true},
		/* comments and lines don't count */
		{"-- a comment\n\n" PROJECTION(
			 "\"x\"", "{ n = 0 }",
			 "-- here too\n\n state.n = money.add(helper(state.n), factor.eur) "
			 "return state"),
		 "-- there\n" LIB, true},
		{"local unused = 1\n" PROJECTION(
			 "\"x\"", "{ n = 0 }",
			 "state.n = money.add(helper(state.n), factor.eur) return state"),
		 LIB, true},
		{PROJECTION("{ \"x\" }", "{ n = 0 }",
			    "state.n = money.add(helper(state.n), factor.eur) return state"),
		 LIB, true},
		{PROJECTION("\"y\"", "{ n = 0 }",
			    "state.n = money.add(helper(state.n), factor.eur) return state"),
		 LIB, false},
		{PROJECTION("\"x\"", "{ n = 1 }",
			    "state.n = money.add(helper(state.n), factor.eur) return state"),
		 LIB, false},
		{PROJECTION("\"x\"", "{ n = 0 }",
			    "state.n = money.add(helper(state.n), factor.usd) return state"),
		 LIB, false},
		{PROJECTION("\"x\"", "{ n = 0 }",
			    "state.n = money.add(helper(state.n), factor.eur) return state"),
		 "return { add = function(a, b) return a - b end }", false},
		{"local money = require \"money\"\nlocal factor = { eur = 101 }\nfunction "
		 "helper(x) return x + 1 end\n"
		 "projection \"p\" { on = { type = \"x\" }, key = \"data.c\", init = { n = 0 }, "
		 "fold = function(state, event)\n"
		 "state.n = money.add(helper(state.n), factor.eur) return state\nend }\n",
		 LIB, false},
		{"local money = require \"money\"\nlocal factor = { eur = 100 }\nfunction "
		 "helper(x) return x + 2 end\n"
		 "projection \"p\" { on = { type = \"x\" }, key = \"data.c\", init = { n = 0 }, "
		 "fold = function(state, event)\n"
		 "state.n = money.add(helper(state.n), factor.eur) return state\nend }\n",
		 LIB, false},
	};
	char *first = digest(cases[0].rules, cases[0].lib);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *other = digest(cases[i].rules, cases[i].lib);
		if ((strcmp(first, other) == 0) != cases[i].same) {
			print_error("digest case %zu\n", i);
			fail();
		}
		free(other);
	}
	free(first);
}

static void test_tests(void **state)
{
	(void)state;
	struct dal_rules_source sources[] = {
		{"rules/a.lua",
		 dal_slice_text("projection \"p\" { on = { type = \"x\" }, key = \"data\", fold = "
				"function(s) return s end }"),
		 DAL_RULES_RULES},
		{"tests/a_test.lua",
		 dal_slice_text(
			 "test \"a large order\" {\n  given = { view(\"p\", \"c1\", { n = 3 }) },\n"
			 "  events = { { type = \"x\", data = { n = 1 } } },\n"
			 "  expect = { call(\"f\"), call(\"f\", { id = 1 }), view(\"p\", \"c1\", "
			 "nil), no_call(), match(\"r\") },\n}\n"
			 "test \"recorded\" { events = \"x.ndjson\", expect = { emit(\"y\") } }\n"),
		 DAL_RULES_TESTS},
	};
	struct fixture f;
	int r = fixture_try(&f, sources, 2, NULL, NULL);
	if (r != 0) {
		print_error("%s", errors_text(&f.errors));
	}
	assert_int_equal(r, 0);
	assert_int_equal(dal_rules_test_count(f.rules), 2);
	const struct dal_rules_test *test = dal_rules_test(f.rules, 0);
	assert_string_equal(test->name, "a large order");
	assert_slice(test->given[0].json, "{\"n\":3}");
	assert_slice(test->events, "[{\"data\":{\"n\":1},\"type\":\"x\"}]");
	assert_int_equal(test->expect_count, 5);
	assert_slice(test->expect[1].json, "{\"id\":1}");
	assert_int_equal(test->expect[2].kind, DAL_EXPECT_VIEW);
	assert_string_equal(test->expect[2].key, "c1");
	assert_int_equal(test->expect[2].json.size, 0);
	assert_null(test->expect[3].name);
	assert_int_equal(test->expect[3].line, 4);
	assert_string_equal(dal_rules_test(f.rules, 1)->events_file, "x.ndjson");
	fixture_free(&f);
}

static void test_what_never_matches(void **state)
{
	(void)state;
	static const char rules[] =
		"rule \"a\" {\n  on = { type = \"x\",\n    subject = { 5, true } } }\n"
		"projection \"b\" { on = { time = numeric(\">\", 0) }, key = \"subject\",\n"
		"  fold = function() end }\n"
		"rule \"c\" { on = { type = \"x\", subject = { 5, \"5\" } } }\n"
		"rule \"d\" { on = { type = \"x\", subject = null, data = { type = 5 } } }\n"
		"rule \"e\" { on = { type = anything_but(5), size = 5, id = exists(false) } }\n";
	struct fixture f;
	fixture_load(&f, rules);
	assert_int_equal(f.warnings.count, 2);
	assert_int_equal(f.warnings.items[0].line, 3);
	assert_non_null(strstr(f.warnings.items[0].text, "rule \"a\" can never match: 'subject'"));
	assert_int_equal(f.warnings.items[1].line, 4);
	assert_non_null(strstr(f.warnings.items[1].text, "projection \"b\" can never match"));
	fixture_free(&f);
}

static void test_what_no_topic_has(void **state)
{
	(void)state;
	static const char rules[] =
		"rule \"a\" {\n  on = { type = \"x\", topic = \"system\" } }\n"
		"rule \"b\" { on = { type = \"dalamb.x\", topic = { \"events\", \"o\" } } }\n"
		"rule \"c\" { on = { type = \"dalamb.x\", topic = { \"events\", \"system\" } } }\n"
		"rule \"d\" { on = { type = { \"dalamb.x\", \"y\" }, topic = \"events\" } }\n"
		"rule \"e\" { on = { type = prefix \"dalamb.\", topic = \"system\" } }\n"
		"rule \"f\" { on = { type = \"dalamb.x\" } }\n"
		"rule \"g\" { on = { type = \"x\", topic = { \"system\", \"o\" } } }\n";
	struct fixture f;
	fixture_load(&f, rules);
	assert_int_equal(f.warnings.count, 2);
	assert_int_equal(f.warnings.items[0].line, 2);
	assert_non_null(strstr(f.warnings.items[0].text, "rule \"a\" can never match: the topic"));
	assert_int_equal(f.warnings.items[1].line, 3);
	assert_non_null(strstr(f.warnings.items[1].text, "and no other topic has them"));
	fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_mistakes_at_once),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_foreign_mistakes),
		cmocka_unit_test(test_require_inside_a_table),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_tests),
		cmocka_unit_test(test_what_never_matches),
		cmocka_unit_test(test_what_no_topic_has),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
