/*
 * Hostile scripts, tests/cases/hostile/x.lua: each ends as its second line promises, and the next
 * event goes on. The first line says what runs it: load, guard, fold, emit or key. What is written
 * as a guard may run as other kinds, too: `call` is any function, `any` also a file that is loaded.
 */
#include <unistd.h>

#include "engine/base/file.h"
#include "tests/unit/rules/support.h"

#define EVENT                                                                                      \
	"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"order.placed\","       \
	"\"data\":{\"customer\":\"c1\",\"total\":1200,\"tags\":[\"x\",{\"y\":1.5},[]]}}"

static const char healthy[] =
	"rule \"ok\" { on = { type = \"order.placed\" }, when = function(event) return "
	"event.data.total == 1200 end }\n"
	"projection \"ok\" { on = { type = \"order.placed\" }, key = \"data.customer\", init = { "
	"n = 0, deep = { n = 1 }, list = { 1 } },\n"
	"  fold = function(state) state.n = state.n + 1 return state end }\n";

struct hostile {
	const char *name;
	struct dal_buffer text;
	char run[16]; /* then the kind that runs it now */
	char expect[256];
};

enum { KINDS = 6, LOADED = KINDS - 1 };

/* In front of a script: what makes another kind of its guard. */
static const struct kind {
	const char *name, *head;
} kinds[KINDS] = {
	{"guard", ""},
	{"emit", "local declare = rule local function rule(name) return function(t) "
		 "declare(name) { on = t.on, emit = t.when } end end "},
	{"fold", "local function rule(name) return function(t) local f = t.when "
		 "projection(name) { on = t.on, key = 'data.customer', init = {}, "
		 "fold = function(_, event) return f(event) end } end end "},
	{"key", "local function rule(name) return function(t) projection(name) { on = t.on, "
		"key = t.when, init = {}, fold = function(state) return state end } end end "},
	{"input", "local function rule(name) return function(t) func(name) { input = t.when } "
		  "end end "},
	{"load", "local function rule(name) return function(t) t.when { type = 'order.placed', "
		 "data = { customer = 'c1', total = 1200, tags = { 'x', { y = 1.5 }, {} } } } "
		 "end end "},
};

static const struct dal_field func_fields[] = {
	{"input", DAL_FIELD_STRING, DAL_FIELD_FUNCTION, "event", false, NULL, NULL, "Payload."},
	{NULL},
};
static const struct dal_declarable func = {"func", true, DAL_DECLARE_OPERATOR, func_fields,
					   "A function."};
static const struct dal_declarable *const declarables[] = {&func, NULL};

/* The comment "-- NAME: value" of a script. */
static void read_comment(const struct hostile *script, const char *name, char *out, size_t size)
{
	char label[32];
	snprintf(label, sizeof(label), "-- %s: ", name);
	const char *found = memmem(script->text.data, script->text.size, label, strlen(label));
	assert_non_null(found);
	found += strlen(label);
	size_t length = strcspn(found, "\n");
	assert_true(length < size);
	memcpy(out, found, length);
	out[length] = '\0';
}

/* A machine whose view() gives a folded entry of the healthy projection. */
static void prepare(struct fixture *f, struct dal_vm_entry **entry)
{
	long projection = dal_rules_projection_index(f->rules, dal_slice_text("ok"));
	fixture_machine(f, true); /* what a slow build takes is not what is tested */
	fixture_event(f, EVENT);
	f->seen = dal_vm_entry_new(f->vm, (uint32_t)projection);
	assert_int_equal(dal_vm_fold(f->vm, (uint32_t)projection, f->seen), 0);
	*entry = NULL;
}

static int run_input(struct fixture *f)
{
	const struct dal_declaration *declared = dal_rules_declaration(f->rules, 0);
	struct dal_buffer json = {0};
	int r = dal_vm_call(f->vm, dal_declaration_get(declared, "input")->number, &json);
	dal_buffer_deinit(&json);
	return r;
}

static int run(struct fixture *f, const struct hostile *script, struct dal_vm_entry **entry)
{
	long rule = dal_rules_rule_index(f->rules, dal_slice_text("hostile"));
	long projection = dal_rules_projection_index(f->rules, dal_slice_text("hostile"));
	const struct dal_vm_emitted *emitted;
	const struct dal_slice *keys;
	size_t count;
	if (strcmp(script->run, "guard") == 0) {
		return dal_vm_when(f->vm, (uint32_t)rule);
	}
	if (strcmp(script->run, "emit") == 0) {
		return dal_vm_emit(f->vm, (uint32_t)rule, &emitted, &count);
	}
	if (strcmp(script->run, "key") == 0) {
		return dal_vm_keys(f->vm, (uint32_t)projection, &keys, &count);
	}
	if (strcmp(script->run, "input") == 0) {
		return run_input(f);
	}
	assert_string_equal(script->run, "fold");
	*entry = dal_vm_entry_new(f->vm, (uint32_t)projection);
	return dal_vm_fold(f->vm, (uint32_t)projection, *entry);
}

static bool ends_as_promised(struct fixture *f, const struct hostile *script, int r,
			     const struct dal_vm_entry *entry)
{
	if (strcmp(script->expect, "limit") == 0) {
		return r == DAL_VM_LIMIT;
	}
	if (strncmp(script->expect, "error: ", 7) == 0) {
		struct dal_slice message = dal_vm_failure(f->vm).message;
		return r == DAL_VM_ERROR && memmem(message.data, message.size, script->expect + 7,
						   strlen(script->expect + 7)) != NULL;
	}
	if (entry != NULL) {
		struct dal_buffer json = {0};
		if (r == 0) {
			dal_vm_entry_encode(entry, &json);
		}
		bool equal = dal_slice_is(dal_buffer_slice(&json), script->expect + 4);
		dal_buffer_deinit(&json);
		return equal;
	}
	return r == (strcmp(script->expect, "ok: yes") == 0 ? 0 : DAL_VM_NO);
}

static void assert_healthy(struct fixture *f)
{
	fixture_event(f, EVENT);
	long rule = dal_rules_rule_index(f->rules, dal_slice_text("ok"));
	long projection = dal_rules_projection_index(f->rules, dal_slice_text("ok"));
	assert_int_equal(dal_vm_when(f->vm, (uint32_t)rule), 0);
	assert_int_equal(dal_vm_fold(f->vm, (uint32_t)projection, f->seen), 0);
}

/* Twice: in a machine that ran it before, and in a fresh one. */
static bool check_run(struct fixture *f, const struct hostile *script)
{
	bool good = true;
	for (int fresh = 0; fresh < 2; fresh++) {
		struct dal_vm_entry *entry;
		prepare(f, &entry);
		for (int again = 0; again < 2; again++) {
			int r = run(f, script, &entry);
			if (!ends_as_promised(f, script, r, entry)) {
				struct dal_slice message = dal_vm_failure(f->vm).message;
				print_error("%s: expected %s, got %d %.*s\n", script->name,
					    script->expect, r,
					    message.size > 200 ? 200 : (int)message.size,
					    message.data);
				good = false;
			}
			dal_vm_entry_free(entry);
			assert_healthy(f);
		}
		dal_vm_entry_free(f->seen);
		f->seen = NULL;
		dal_vm_free(f->vm);
		f->vm = NULL;
	}
	return good;
}

/* Which wall a file meets first is the machine's to say. */
static bool is_promised(const char *text, const char *expected)
{
	bool wall = strcmp(expected, "too many instructions") == 0 ||
		    strcmp(expected, "not enough memory") == 0;
	return strstr(text, expected) != NULL ||
	       (wall && strstr(text, "too much CPU time") != NULL);
}

static bool check_load(const struct fixture *f, const struct hostile *script, int r)
{
	if (strncmp(script->expect, "load: ", 6) != 0) {
		if (r != 0) {
			print_error("%s:%d: %s: expected %s\n", script->name,
				    f->errors.items[0].line, f->errors.items[0].text,
				    script->expect);
		}
		return r == 0;
	}
	for (size_t i = 0; i < f->errors.count; i++) {
		if (is_promised(f->errors.items[i].text, script->expect + 6)) {
			return r == DAL_RULES_INVALID;
		}
	}
	print_error("%s: expected %s, got %s\n", script->name, script->expect,
		    f->errors.count > 0 ? f->errors.items[0].text : "no error");
	return false;
}

static bool check_text(const struct hostile *script, struct dal_slice text)
{
	struct fixture f;
	bool input = strcmp(script->run, "input") == 0;
	struct dal_rules_source sources[] = {
		{input ? "dalamb.lua" : "rules/hostile.lua", text,
		 input ? DAL_RULES_OPERATOR : DAL_RULES_RULES},
		{"rules/ok.lua", dal_slice_text(healthy), DAL_RULES_RULES},
	};
	alarm(120); /* bounded means that it ends */
	int r = fixture_try(&f, sources, 2, declarables, NULL);
	bool good = check_load(&f, script, r);
	if (r == 0 && strcmp(script->run, "load") != 0) {
		good = check_run(&f, script) && good;
	}
	fixture_free(&f);
	alarm(0);
	if (!good) {
		print_error("%s: as %s\n", script->name, script->run);
	}
	return good;
}

/* What a call's error or limit is when a file is loaded. */
static void expect_load(struct hostile *script)
{
	char what[sizeof(script->expect) - 16];
	bool limit = strcmp(script->expect, "limit") == 0;
	snprintf(what, sizeof(what), "%s", limit ? "not enough memory" : script->expect + 7);
	snprintf(script->expect, sizeof(script->expect), "load: %s", what);
}

static bool check_as(struct hostile *script, const struct kind *kind, size_t counts[KINDS])
{
	struct dal_buffer text = {0};
	dal_buffer_text(&text, kind->head);
	dal_buffer_slice_append(&text, dal_buffer_slice(&script->text));
	snprintf(script->run, sizeof(script->run), "%s", kind->name);
	if (kind == &kinds[LOADED]) {
		expect_load(script);
	}
	counts[kind - kinds]++;
	bool good = check_text(script, dal_buffer_slice(&text));
	dal_buffer_deinit(&text);
	return good;
}

static bool check(struct hostile *script, size_t counts[KINDS])
{
	bool good = true;
	read_comment(script, "run", script->run, sizeof(script->run));
	read_comment(script, "expect", script->expect, sizeof(script->expect));
	bool any = strcmp(script->run, "any") == 0, call = strcmp(script->run, "call") == 0;
	for (size_t i = 0; (any || call) && i < (any ? KINDS : LOADED); i++) {
		good = check_as(script, &kinds[i], counts) && good;
	}
	if (any || call) {
		return good;
	}
	for (size_t i = 0; i < KINDS; i++) {
		counts[i] += strcmp(script->run, kinds[i].name) == 0;
	}
	return check_text(script, dal_buffer_slice(&script->text));
}

static void test_hostile(void **state)
{
	(void)state;
	char **names;
	size_t count, counts[KINDS] = {0};
	bool good = true;
	assert_int_equal(dal_folder_list(HOSTILE, ".lua", &names, &count), 0);
	assert_true(count >= 150);
	for (size_t i = 0; i < count; i++) {
		char path[512];
		struct hostile script = {.name = names[i]};
		snprintf(path, sizeof(path), "%s/%s", HOSTILE, names[i]);
		assert_int_equal(dal_file_read(path, 1 << 24, &script.text), 0);
		good = check(&script, counts) && good;
		dal_buffer_deinit(&script.text);
		free(names[i]);
	}
	free(names);
	print_message("%zu scripts", count);
	for (size_t i = 0; i < KINDS; i++) {
		print_message(", %zu as %s", counts[i], kinds[i].name);
		assert_true(counts[i] >= 40);
	}
	print_message("\n");
	assert_true(good);
}

/* What costs time and no fuel: equal strings compared byte by byte, chosen keys that collide. */
static void test_time(void **state)
{
	(void)state;
	static const char *const bodies[] = {
		"local a, b, n = string.rep(\"x\", 1 << 20), string.rep(\"x\", 1 << 20), 0\n"
		"pcall(function() for i = 1, 150000 do if a == b then n = n + 1 end end end)\n"
		"return true",
		"local function f(...) return f(1, ...) end\nreturn f()",
		/* all keys in one chain of a table of 65,536 */
		"local t = {}\nfor i = 1, 65536 do t[i * 65535] = i end\nreturn true",
	};
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		char text[1024];
		struct fixture f;
		snprintf(text, sizeof(text),
			 "rule \"slow\" { on = { type = \"x\" }, when = function()\n%s\nend }\n",
			 bodies[i]);
		fixture_load(&f, text);
		fixture_event(&f, EVENT);
		assert_int_equal(dal_vm_when(f.vm, 0), DAL_VM_LIMIT);
		assert_failure(&f, "too much CPU time");
		fixture_free(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
