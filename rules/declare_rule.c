/* rule and projection: their tables, field by field; every mistake is reported and none stops. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/event/event.h"
#include "rules/loader.h"
#include "rules/userdata.h"
#include "rules/words.h"

/* A declaration's table, and what to call it in messages. */
struct declaring {
	struct dal_loader *loader;
	lua_State *lua;
	const char *what; /* `rule "x"` */
	int line, table;
};

/* Pushes the field; false (and nothing on the stack) if it is not written. */
static bool field(const struct declaring *d, const char *name)
{
	lua_pushstring(d->lua, name);
	if (lua_rawget(d->lua, d->table) == LUA_TNIL ||
	    dal_userdata_tag(d->lua, -1) == DAL_TAG_HOLE) {
		lua_pop(d->lua, 1);
		return false;
	}
	return true;
}

static int line_of(const struct declaring *d, const char *name)
{
	return dal_loader_field_line(d->loader, d->line, name);
}

/* Reports the value on top. */
static void wrong(const struct declaring *d, const char *name, const char *expected)
{
	dal_loader_report(d->loader, line_of(d, name), "%s: '%s' is a %s, expected %s", d->what,
			  name, dal_is_null(d->lua, -1) ? "null" : luaL_typename(d->lua, -1),
			  expected);
}

static int64_t function_field(const struct declaring *d, const char *name)
{
	int64_t function = 0;
	if (!field(d, name)) {
		return 0;
	}
	if (lua_type(d->lua, -1) == LUA_TFUNCTION) {
		function = dal_loader_function(d->loader, -1, line_of(d, name), d->what);
	} else {
		wrong(d, name, "a function");
	}
	lua_pop(d->lua, 1);
	return function;
}

static enum dal_on_error on_error_field(const struct declaring *d, enum dal_on_error fallback)
{
	static const char *const words[] = {"skip", "park", "halt"};
	if (!field(d, "on_error")) {
		return fallback;
	}
	const char *text = lua_type(d->lua, -1) == LUA_TSTRING ? lua_tostring(d->lua, -1) : "";
	bool rule = fallback == DAL_ON_ERROR_SKIP;
	for (int i = 0; i < 3; i++) {
		if (strcmp(text, words[i]) == 0 && !(rule && i == DAL_ON_ERROR_PARK)) {
			lua_pop(d->lua, 1);
			return (enum dal_on_error)i;
		}
	}
	dal_loader_report(d->loader, line_of(d, "on_error"), "%s: 'on_error' is %s, expected %s",
			  d->what, text[0] ? text : luaL_typename(d->lua, -1),
			  rule ? "\"skip\" or \"halt\" (a rule has no key to park)"
			       : "\"skip\", \"park\" or \"halt\"");
	lua_pop(d->lua, 1);
	return fallback;
}

static const struct dal_path *path_value(const struct declaring *d, const char *name)
{
	struct dal_slice text;
	struct dal_path *path = NULL;
	struct dal_error error;
	text.data = lua_tolstring(d->lua, -1, &text.size);
	if (dal_path_parse(text, &path, &error) != 0) {
		dal_loader_report(d->loader, line_of(d, name), "%s: '%s' is no path: %s", d->what,
				  name, error.text);
	}
	return path;
}

static const struct dal_path *path_field(const struct declaring *d, const char *name)
{
	const struct dal_path *path = NULL;
	if (!field(d, name)) {
		return NULL;
	}
	if (lua_type(d->lua, -1) == LUA_TSTRING) {
		path = path_value(d, name);
	} else {
		wrong(d, name, "a path such as \"data.customer\"");
	}
	lua_pop(d->lua, 1);
	return path;
}

static void warn_never(const struct declaring *d, const struct dal_pattern *pattern)
{
	struct dal_errors *warnings = d->loader->warnings;
	const char *name = pattern != NULL ? dal_pattern_never(pattern) : NULL;
	if (name != NULL && warnings != NULL) {
		dal_errors_add(warnings, dal_loader_source(d->loader)->name,
			       dal_loader_field_line(d->loader, line_of(d, "on"), name),
			       "%s can never match: '%s' is text in every event, and is compared "
			       "with none",
			       d->what, name);
	}
}

/* dalamb's own events are in the topic `system`, and nothing else is. */
static void warn_unfed(const struct declaring *d, const struct dal_pattern *pattern,
		       const char *const *topics)
{
	bool system = false, other = topics[0] == NULL;
	for (size_t i = 0; topics[i] != NULL; i++) {
		bool is = strcmp(topics[i], DAL_TOPIC_SYSTEM) == 0;
		system = system || is;
		other = other || !is;
	}
	bool lost = system && !other && !dal_pattern_names_system(pattern);
	bool misled = topics[0] != NULL && !system && dal_pattern_only_system(pattern);
	if ((lost || misled) && d->loader->warnings != NULL) {
		dal_errors_add(
			d->loader->warnings, dal_loader_source(d->loader)->name, line_of(d, "on"),
			"%s can never match: the topic \"system\" has the events whose types "
			"begin with \"dalamb.\", and %s",
			d->what, lost ? "no others" : "no other topic has them");
	}
}

static struct dal_pattern *on_field(const struct declaring *d, const char *const **topics)
{
	*topics = dal_calloc(1, sizeof(**topics));
	if (!field(d, "on")) {
		dal_loader_report(
			d->loader, d->line,
			"%s: 'on' is missing: the pattern of the events that it is for, such as "
			"on = { type = \"order.placed\" }",
			d->what);
		return NULL;
	}
	free((void *)*topics);
	struct dal_pattern *pattern = dal_operators_pattern(d->loader, d->what, line_of(d, "on"),
							    lua_gettop(d->lua), topics);
	warn_never(d, pattern);
	if (pattern != NULL) {
		warn_unfed(d, pattern, *topics);
	}
	lua_pop(d->lua, 1);
	return pattern;
}

static void call_name(const struct declaring *d, const char ***calls, size_t *count)
{
	struct dal_slice name;
	if (lua_type(d->lua, -1) != LUA_TSTRING) {
		wrong(d, "call", "a function's name or a list of names");
		return;
	}
	name.data = lua_tolstring(d->lua, -1, &name.size);
	dal_loader_use(d->loader, DAL_USE_CALL, line_of(d, "call"), name, d->what);
	*calls = dal_reallocarray((void *)*calls, *count + 2, sizeof(**calls));
	(*calls)[(*count)++] = dal_slice_dup(name);
	(*calls)[*count] = NULL;
}

static const char *const *call_field(const struct declaring *d)
{
	const char **calls = dal_calloc(1, sizeof(*calls));
	size_t count = 0;
	if (!field(d, "call")) {
		return calls;
	}
	if (lua_type(d->lua, -1) == LUA_TTABLE) {
		lua_Integer size = (lua_Integer)lua_rawlen(d->lua, -1);
		if (size == 0) {
			wrong(d, "call", "a function's name or a list of names");
		}
		for (lua_Integer i = 1; i <= size; i++) {
			lua_rawgeti(d->lua, -1, i);
			call_name(d, &calls, &count);
			lua_pop(d->lua, 1);
		}
	} else {
		call_name(d, &calls, &count);
	}
	lua_pop(d->lua, 1);
	return calls;
}

static bool too_many(const struct declaring *d)
{
	const struct dal_rules *set = d->loader->set;
	if (set->rule_count + set->projection_count + set->declaration_count <
	    DAL_LIMIT_DECLARATIONS) {
		return false;
	}
	luaL_error(d->lua, "too many declarations: %d at the most", DAL_LIMIT_DECLARATIONS);
	return true;
}

static char *what_text(const char *word, const char *name)
{
	return dal_asprintf("%s \"%.64s\"", word, name);
}

static void rule_fields(const struct declaring *d, struct dal_rule_own *own)
{
	dal_declare_fields(d->loader, d->what, d->line, d->table, dal_rule_declarable.fields);
	own->pattern = on_field(d, &own->rule.topics);
	own->rule.by = path_field(d, "by");
	own->rule.calls = call_field(d);
	own->rule.on_error = on_error_field(d, DAL_ON_ERROR_SKIP);
	own->rule.system = own->pattern != NULL && dal_pattern_names_system(own->pattern);
	own->rule.system_only = own->pattern != NULL && dal_pattern_only_system(own->pattern);
}

void dal_declare_rule(struct dal_loader *loader, const char *name, int line, int table)
{
	char *what = what_text("rule", name);
	struct declaring d = {loader, loader->sandbox->lua, what, line, table};
	struct dal_rule_own own = {0};
	own.when = function_field(&d, "when"); /* in one order, checked or not: they are numbered */
	own.emit = function_field(&d, "emit");
	if (loader->checking && !too_many(&d)) {
		struct dal_rules *set = loader->set;
		dal_loader_name(loader, "rule", name, line);
		own.rule.name = dal_strdup(name);
		own.rule.file = dal_loader_source(loader)->name;
		own.rule.line = line;
		own.rule.has_when = own.when != 0;
		own.rule.has_emit = own.emit != 0;
		rule_fields(&d, &own);
		DAL_GROW(set->rules, set->rule_count, set->rule_capacity);
		set->rules[set->rule_count++] = own;
	}
	free(what);
}

static void version_field(const struct declaring *d, struct dal_projection *projection)
{
	projection->version = 1;
	if (!field(d, "version")) {
		return;
	}
	lua_Integer version = lua_isinteger(d->lua, -1) ? lua_tointeger(d->lua, -1) : 0;
	if (version < 1 || version > 1000000000) {
		wrong(d, "version", "a whole number from 1");
	} else {
		projection->version = (uint32_t)version;
	}
	lua_pop(d->lua, 1);
}

static void init_field(const struct declaring *d, struct dal_projection_own *own)
{
	struct dal_buffer json = {0};
	struct dal_error error;
	if (!field(d, "init")) {
		return;
	}
	if (!dal_declare_canonical(d->loader, -1, "init", &json, &error)) {
		dal_loader_report(d->loader, line_of(d, "init"), "%s: %s", d->what, error.text);
	}
	own->init = json.data;
	own->projection.init = dal_buffer_slice(&json);
	lua_pop(d->lua, 1);
}

static void projection_fields(const struct declaring *d, struct dal_projection_own *own)
{
	dal_declare_fields(d->loader, d->what, d->line, d->table, dal_projection_declarable.fields);
	own->pattern = on_field(d, &own->projection.topics);
	own->projection.system = own->pattern != NULL && dal_pattern_names_system(own->pattern);
	own->projection.system_only = own->pattern != NULL && dal_pattern_only_system(own->pattern);
	own->projection.on_error = on_error_field(d, DAL_ON_ERROR_PARK);
	version_field(d, &own->projection);
	init_field(d, own);
	if (own->fold == 0 && !field(d, "fold")) {
		dal_loader_report(
			d->loader, d->line,
			"%s: 'fold' is missing: function(state, event) that gives the new state",
			d->what);
	}
	if (own->key != 0) {
		return;
	}
	if (!field(d, "key")) {
		dal_loader_report(
			d->loader, d->line,
			"%s: 'key' is missing: a path such as \"data.customer\", or a function",
			d->what);
		return;
	}
	if (lua_type(d->lua, -1) == LUA_TSTRING) {
		own->projection.key = path_value(d, "key");
	} else {
		wrong(d, "key", "a path such as \"data.customer\", or a function");
	}
}

/* `key` may be a path: only a function is numbered. */
static int64_t key_function(const struct declaring *d)
{
	lua_pushliteral(d->lua, "key");
	bool function = lua_rawget(d->lua, d->table) == LUA_TFUNCTION;
	lua_pop(d->lua, 1);
	return function ? function_field(d, "key") : 0;
}

void dal_declare_projection(struct dal_loader *loader, const char *name, int line, int table)
{
	char *what = what_text("projection", name);
	struct declaring d = {loader, loader->sandbox->lua, what, line, table};
	struct dal_projection_own own = {0};
	int top = lua_gettop(d.lua);
	own.key = key_function(&d);
	own.fold = function_field(&d, "fold");
	if (loader->checking && !too_many(&d)) {
		struct dal_rules *set = loader->set;
		dal_loader_name(loader, "projection", name, line);
		own.projection.name = dal_strdup(name);
		own.projection.file = dal_loader_source(loader)->name;
		own.projection.line = line;
		projection_fields(&d, &own);
		DAL_GROW(set->projections, set->projection_count, set->projection_capacity);
		set->projections[set->projection_count++] = own;
	}
	lua_settop(d.lua, top);
	free(what);
}
