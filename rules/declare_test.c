/* test "name" { given, events, expect }: what tests/x.lua declare. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "rules/canonical.h"
#include "rules/library.h"
#include "rules/loader.h"
#include "rules/userdata.h"
#include "rules/words.h"

/* call("name", { ... }), view(projection, key, value) ... as a value; user values 1-3: arguments.
 */
struct expectation {
	enum dal_tag tag;
	int kind; /* into `kinds` */
	int line;
	int arguments;
};

static const struct {
	const char *name;
	int kind;
	const char *usage;
	int least, most;
} kinds[] = {
	{"call", DAL_EXPECT_CALL, "call(function) or call(function, { fields of the payload })", 1,
	 2},
	{"emit", DAL_EXPECT_EMIT, "emit(type) or emit(type, { fields of the event })", 1, 2},
	{"view", DAL_EXPECT_VIEW, "view(projection, key, value); nil: there is no entry", 2, 3},
	{"match", DAL_EXPECT_MATCH, "match(rule)", 1, 1},
	{"no_match", DAL_EXPECT_NO_MATCH, "no_match(rule)", 1, 1},
	{"no_call", DAL_EXPECT_NO_CALL, "no_call() or no_call(function)", 0, 1},
	{"no_emit", DAL_EXPECT_NO_EMIT, "no_emit() or no_emit(type)", 0, 1},
	{"failure", DAL_EXPECT_ERROR, "failure(rule or projection)", 1, 1},
};

enum { KIND_VIEW = 2 };

static int make_expectation(lua_State *lua)
{
	int kind = (int)lua_tointeger(lua, lua_upvalueindex(1)), count = lua_gettop(lua);
	struct dal_loader *loader = dal_sandbox_of(lua)->loader;
	if (loader == NULL) {
		return luaL_error(lua, "%s is for the tables of a test", kinds[kind].name);
	}
	lua_settop(lua, 3);
	struct expectation *expectation = lua_newuserdatauv(lua, sizeof(*expectation), 3);
	*expectation = (struct expectation){DAL_TAG_EXPECT, kind, dal_loader_line(lua), count};
	for (int i = 1; i <= 3; i++) {
		lua_pushvalue(lua, i);
		lua_setiuservalue(lua, -2, i);
	}
	return 1;
}

void dal_declare_test_open(lua_State *lua)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		lua_pushinteger(lua, (lua_Integer)i);
		lua_pushcclosure(lua, make_expectation, 1);
		lua_setfield(lua, -2, kinds[i].name);
	}
}

void dal_rules_test_deinit(struct dal_rules_test *test)
{
	for (size_t i = 0; i < test->given_count; i++) {
		free((void *)test->given[i].projection);
		free((void *)test->given[i].key);
		free((void *)test->given[i].json.data);
	}
	for (size_t i = 0; i < test->expect_count; i++) {
		free((void *)test->expect[i].name);
		free((void *)test->expect[i].key);
		free((void *)test->expect[i].json.data);
	}
	free((void *)test->given);
	free((void *)test->expect);
	free((void *)test->name);
	free((void *)test->events_file);
	free((void *)test->events.data);
}

struct testing {
	struct dal_loader *loader;
	lua_State *lua;
	const char *what;
	int line;
	struct dal_rules_test *test;
};

/* The text of argument i, or NULL where it is nil; anything else is reported. */
static char *text_argument(struct testing *t, const struct expectation *e, int index, int i)
{
	char *text = NULL;
	lua_getiuservalue(t->lua, index, i);
	if (lua_type(t->lua, -1) == LUA_TSTRING || lua_isinteger(t->lua, -1) ||
	    lua_isboolean(t->lua, -1)) {
		dal_library_tostring(t->lua, -1);
		text = dal_strdup(lua_tostring(t->lua, -1));
		lua_pop(t->lua, 1);
	} else if (i <= kinds[e->kind].least || !lua_isnil(t->lua, -1)) {
		dal_loader_report(t->loader, e->line, "%s: write %s", t->what,
				  kinds[e->kind].usage);
	}
	lua_pop(t->lua, 1);
	return text;
}

/* The plain value of argument i as JSON; empty for nil. */
static struct dal_slice json_argument(struct testing *t, const struct expectation *e, int index,
				      int i)
{
	struct dal_buffer json = {0};
	struct dal_error error;
	lua_getiuservalue(t->lua, index, i);
	if (!lua_isnil(t->lua, -1) &&
	    !dal_declare_canonical(t->loader, -1, kinds[e->kind].name, &json, &error)) {
		dal_loader_report(t->loader, e->line, "%s: %s", t->what, error.text);
	}
	lua_pop(t->lua, 1);
	return dal_buffer_slice(&json);
}

/* The expectation at the top of the stack, or NULL: reported. */
static const struct expectation *expectation_at(struct testing *t, const char *field)
{
	if (dal_userdata_tag(t->lua, -1) != DAL_TAG_EXPECT) {
		dal_loader_report(
			t->loader, t->line, "%s: '%s' has a %s in it, expected %s", t->what, field,
			luaL_typename(t->lua, -1),
			field[0] == 'g'
				? kinds[KIND_VIEW].usage
				: "call(...), emit(...), view(...), match(...), no_match(...), "
				  "no_call(...), no_emit(...) or failure(...)");
		return NULL;
	}
	const struct expectation *e = lua_touserdata(t->lua, -1);
	if (e->arguments < kinds[e->kind].least || e->arguments > kinds[e->kind].most) {
		dal_loader_report(t->loader, e->line, "%s: write %s", t->what,
				  kinds[e->kind].usage);
		return NULL;
	}
	return e;
}

static void take_given(struct testing *t)
{
	const struct expectation *e = expectation_at(t, "given");
	if (e == NULL) {
		return;
	}
	if (e->kind != KIND_VIEW) {
		dal_loader_report(t->loader, e->line, "%s: 'given' holds %s", t->what,
				  kinds[KIND_VIEW].usage);
		return;
	}
	struct dal_rules_test_view *given = dal_reallocarray(
		(void *)t->test->given, t->test->given_count + 1, sizeof(*given));
	int index = lua_gettop(t->lua);
	t->test->given = given;
	given += t->test->given_count++;
	*given = (struct dal_rules_test_view){
		.projection = text_argument(t, e, index, 1),
		.key = text_argument(t, e, index, 2),
		.json = json_argument(t, e, index, 3),
	};
	if (given->projection != NULL) {
		dal_loader_use(t->loader, DAL_USE_VIEW, e->line, dal_slice_text(given->projection),
			       t->what);
	}
}

static void take_expect(struct testing *t)
{
	const struct expectation *e = expectation_at(t, "expect");
	if (e == NULL) {
		return;
	}
	struct dal_rules_test_expect *expect = dal_reallocarray(
		(void *)t->test->expect, t->test->expect_count + 1, sizeof(*expect));
	int index = lua_gettop(t->lua);
	t->test->expect = expect;
	expect += t->test->expect_count++;
	*expect = (struct dal_rules_test_expect){.kind = kinds[e->kind].kind, .line = e->line};
	expect->name = text_argument(t, e, index, 1);
	if (e->kind == KIND_VIEW) {
		expect->key = text_argument(t, e, index, 2);
	}
	if (kinds[e->kind].most > 1) {
		expect->json = json_argument(t, e, index, kinds[e->kind].most);
	}
	if (e->kind == KIND_VIEW && expect->name != NULL) {
		dal_loader_use(t->loader, DAL_USE_VIEW, e->line, dal_slice_text(expect->name),
			       t->what);
	}
}

static void each(struct testing *t, int table, const char *field, void (*take)(struct testing *))
{
	lua_pushstring(t->lua, field);
	int type = lua_rawget(t->lua, table);
	if (type == LUA_TTABLE) {
		lua_Integer size = (lua_Integer)lua_rawlen(t->lua, -1);
		for (lua_Integer i = 1; i <= size; i++) {
			lua_rawgeti(t->lua, -1, i);
			take(t);
			lua_pop(t->lua, 1);
		}
	} else if (type != LUA_TNIL) {
		dal_loader_report(t->loader, t->line, "%s: '%s' is a %s, expected a list { ... }",
				  t->what, field, luaL_typename(t->lua, -1));
	}
	lua_pop(t->lua, 1);
}

static void take_events(struct testing *t, int table)
{
	struct dal_buffer json = {0};
	struct dal_error error;
	lua_pushliteral(t->lua, "events");
	int type = lua_rawget(t->lua, table);
	if (type == LUA_TSTRING) {
		t->test->events_file = dal_strdup(lua_tostring(t->lua, -1));
	} else if (type != LUA_TTABLE || lua_rawlen(t->lua, -1) == 0) {
		dal_loader_report(
			t->loader, t->line,
			"%s: 'events' is missing: a list of events, or the name of a file of "
			"recorded events",
			t->what);
	} else if (!dal_declare_canonical(t->loader, -1, "events", &json, &error)) {
		dal_loader_report(t->loader, t->line, "%s: %s", t->what, error.text);
	}
	t->test->events = dal_buffer_slice(&json);
	lua_pop(t->lua, 1);
}

void dal_declare_test(struct dal_loader *loader, const char *name, int line, int table)
{
	if (!loader->checking) {
		return;
	}
	struct dal_rules_test test = {
		.name = dal_strdup(name), .file = dal_loader_source(loader)->name, .line = line};
	char *what = dal_asprintf("test \"%.100s\"", name);
	struct testing t = {loader, loader->sandbox->lua, what, line, &test};
	dal_declare_fields(loader, what, line, table, dal_test_declarable.fields);
	dal_loader_name(loader, "test", name, line);
	each(&t, table, "given", take_given);
	each(&t, table, "expect", take_expect);
	take_events(&t, table);
	if (test.expect_count == 0) {
		dal_loader_report(loader, line,
				  "%s: 'expect' is missing: what should come of the events", what);
	}
	struct dal_rules *set = loader->set;
	DAL_GROW(set->tests, set->test_count, set->test_capacity);
	set->tests[set->test_count++] = test;
	free(what);
}
