/* What the annotations name is what the loader offers, and nothing else. */
#include "tests/unit/rules/support.h"

#include <lauxlib.h>

#include "rules/annotations.h"
#include "rules/library.h"
#include "rules/loader.h"
#include "rules/words.h"

static const struct dal_field inner_fields[] = {
	{.name = "size", .kind = DAL_FIELD_SIZE, .fallback = "4096", .doc = "How large."},
	{0},
};
static const char *const choices[] = {"one", "two", NULL};
static const struct dal_field fields[] = {
	{.name = "text", .kind = DAL_FIELD_STRING, .required = true, .doc = "Some text."},
	{.name = "choice", .kind = DAL_FIELD_STRING, .choices = choices, .doc = "One of two."},
	{.name = "order",
	 .kind = DAL_FIELD_PATH,
	 .or_kind = DAL_FIELD_BOOLEAN,
	 .doc = "A path or false."},
	{.name = "inner", .kind = DAL_FIELD_TABLE, .fields = inner_fields, .doc = "A table."},
	{.name = "many", .kind = DAL_FIELD_TABLES, .fields = inner_fields, .doc = "Tables."},
	{.name = "input", .kind = DAL_FIELD_FUNCTION, .doc = "A function."},
	{0},
};
static const struct dal_field none[] = {{0}};
static const struct dal_declarable named = {"func", true, DAL_DECLARE_OPERATOR, fields, "A func."},
				   single = {"http", false, DAL_DECLARE_OPERATOR, inner_fields,
					     "A listener."},
				   bare = {"app", true, DAL_DECLARE_OPERATOR, none, "A name."};
static const struct dal_declarable *const declarables[] = {&named, &single, &bare, NULL};

static struct dal_buffer text;

static int set_up(void **state)
{
	(void)state;
	dal_annotations_write(declarables, &text);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dal_buffer_deinit(&text);
	return 0;
}

/* A state without any library that has run the annotations: what they name are its globals. */
static lua_State *annotated(void)
{
	lua_State *lua = luaL_newstate();
	assert_int_equal(luaL_loadbuffer(lua, text.data, text.size, "dalamb.d.lua"), LUA_OK);
	assert_int_equal(lua_pcall(lua, 0, 0, 0), LUA_OK);
	lua_pushglobaltable(lua);
	return lua;
}

/* Each name of the table on top of `offered` is in the one on top of `known`. */
static void assert_within(lua_State *offered, lua_State *known, const char *what)
{
	int table = lua_gettop(offered), in = lua_gettop(known);
	for (lua_pushnil(offered); lua_next(offered, table); lua_pop(offered, 1)) {
		const char *name = lua_tostring(offered, -2);
		int type = lua_getfield(known, in, name);
		lua_pop(known, 1);
		if (type == LUA_TNIL && strcmp(name, "_G") != 0) {
			print_error("%s%s is not %s\n", lua_istable(offered, -1) ? "table " : "",
				    name, what);
			fail();
		}
	}
}

/* The fields of a class's @field lines, of LuaLS's own making (math.pi). */
static bool has_field(const char *class, const char *name)
{
	char *line = dal_asprintf("---@class %s\n", class);
	const char *at = strstr(dal_buffer_cstr(&text), line), *end;
	bool found = false;
	if (at == NULL) {
		print_error("no %s", line);
		fail();
	}
	end = strstr(at, "\n\n");
	for (at += strlen(line); !found && strncmp(at, "---@field ", 10) == 0 && at < end;) {
		size_t size = strcspn(at + 10, "? ");
		found = size == strlen(name) && memcmp(at + 10, name, size) == 0;
		at = strchr(at, '\n') + 1;
	}
	free(line);
	return found;
}

/* Pushes what a file of tests, and of others, may use. */
static void push_offered(struct dal_sandbox *sandbox)
{
	static struct dal_rules set = {.declarables = declarables};
	static struct dal_loader loader = {.set = &set, .checking = true};
	loader.sandbox = sandbox;
	dal_library_globals(sandbox->lua);
	dal_operators_open(sandbox->lua);
	dal_declare_open(&loader, DAL_RULES_TESTS);
}

static void names_all_that_is_offered_and_nothing_else(void **state)
{
	struct dal_sandbox sandbox;
	lua_State *known = annotated();
	(void)state;
	dal_sandbox_init(&sandbox);
	push_offered(&sandbox);
	assert_within(sandbox.lua, known, "annotated");
	lua_pushboolean(sandbox.lua, true);
	lua_setfield(sandbox.lua, -2, "require"); /* load.c adds it */
	assert_within(known, sandbox.lua, "offered");
	lua_close(known);
	dal_sandbox_deinit(&sandbox);
}

static void names_all_of_each_library(void **state)
{
	static const char *const libraries[][2] = {{"string", "stringlib"},
						   {"table", "tablelib"},
						   {"math", "mathlib"},
						   {"json", "dalamb.json"},
						   {"time", "dalamb.time"}};
	struct dal_sandbox sandbox;
	lua_State *known = annotated();
	(void)state;
	dal_sandbox_init(&sandbox);
	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
		dal_library_globals(sandbox.lua);
		lua_getfield(sandbox.lua, -1, libraries[i][0]);
		dal_frozen_raw(sandbox.lua, -1);
		lua_getfield(known, -1, libraries[i][0]);
		assert_within(known, sandbox.lua, "offered");
		int table = lua_gettop(sandbox.lua);
		for (lua_pushnil(sandbox.lua); lua_next(sandbox.lua, table);
		     lua_pop(sandbox.lua, 1)) {
			const char *name = lua_tostring(sandbox.lua, -2);
			if (!lua_isfunction(sandbox.lua, -1)) {
				assert_true(has_field(libraries[i][1], name));
			} else if (lua_getfield(known, -1, name) == LUA_TNIL) {
				print_error("%s.%s is not annotated\n", libraries[i][0], name);
				fail();
			} else {
				lua_pop(known, 1);
			}
		}
		lua_pop(known, 1);
		lua_settop(sandbox.lua, table - 3);
	}
	lua_close(known);
	dal_sandbox_deinit(&sandbox);
}

static void assert_class(const char *path, const struct dal_field *of)
{
	char *class = dal_asprintf("(exact) dalamb.%s", path);
	for (; of->name; of++) {
		if (!has_field(class, of->name)) {
			print_error("%s lacks %s\n", class, of->name);
			fail();
		}
		assert_non_null(of->doc);
		if (of->fields) {
			char *inner = dal_asprintf("%s.%s", path, of->name);
			assert_class(inner, of->fields);
			free(inner);
		}
	}
	free(class);
}

static void names_each_field_of_what_is_declared(void **state)
{
	(void)state;
	assert_class("rule", dal_rule_declarable.fields);
	assert_class("projection", dal_projection_declarable.fields);
	assert_class("test", dal_test_declarable.fields);
	assert_class("func", fields);
	assert_class("http", inner_fields);
}

static void tells_kinds_defaults_and_what_is_required(void **state)
{
	static const char *const lines[] = {
		"\n---@field text string Some text.\n",
		"\n---@field choice? \"one\"|\"two\" One of two.\n",
		"\n---@field order? string|boolean A path or false.\n",
		"\n---@field inner? dalamb.func.inner A table.\n",
		"\n---@field many? string|string[]|table<string, dalamb.func.many> Tables.\n",
		"\n---@field size? string|number How large. Default: `4096`.\n",
		"\n---@return fun(fields: dalamb.func)\nfunction func(name) end\n",
		"\n---@param fields dalamb.http\nfunction http(fields) end\n",
		"\n---@param name string\nfunction app(name) end\n",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (strstr(dal_buffer_cstr(&text), lines[i]) == NULL) {
			print_error("no %s", lines[i]);
			fail();
		}
	}
	assert_true(strncmp(text.data, "---@meta\n", 9) == 0);
}

/* An event that has all has no nil among them. */
static void names_fields_that_events_have(void **state)
{
	static const char *const attributes[] = {"id",   "source", "type",      "subject", "time",
						 "data", "topic",  "partition", "offset"};
	struct dal_buffer rule = {0};
	struct fixture f;
	(void)state;
	dal_buffer_text(&rule, "rule \"r\" { on = { type = \"a\" }, call = \"f\",\n"
			       "when = function(event) return true");
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		assert_true(has_field("dalamb.Event", attributes[i]));
		dal_buffer_printf(&rule, " and event.%s ~= nil", attributes[i]);
	}
	dal_buffer_text(&rule, " end }");
	fixture_load(&f, dal_buffer_cstr(&rule));
	fixture_event(&f, "{\"id\":\"1\",\"source\":\"/s\",\"type\":\"a\",\"subject\":\"x\","
			  "\"time\":\"2026-01-01T00:00:00Z\",\"data\":1}");
	assert_int_equal(dal_vm_when(f.vm, 0), 0);
	fixture_free(&f);
	dal_buffer_deinit(&rule);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_all_that_is_offered_and_nothing_else),
		cmocka_unit_test(names_all_of_each_library),
		cmocka_unit_test(names_each_field_of_what_is_declared),
		cmocka_unit_test(tells_kinds_defaults_and_what_is_required),
		cmocka_unit_test(names_fields_that_events_have),
	};
	return cmocka_run_group_tests_name("annotations", tests, set_up, tear_down);
}
