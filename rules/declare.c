/* The declaring words: rule, projection, test, and those of other folders. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "rules/canonical.h"
#include "rules/library.h"
#include "rules/loader.h"
#include "rules/userdata.h"

/* What a word declares: upvalue 1 of its function. Others are indices into the declarables. */
enum word { WORD_RULE = -1, WORD_PROJECTION = -2, WORD_TEST = -3 };

/* So many fields of a table are looked at for one that may have been meant. */
enum { SUGGESTED_MAX = 64 };

static const char *word_text(const struct dal_loader *loader, lua_Integer word)
{
	switch (word) {
	case WORD_RULE:
		return "rule";
	case WORD_PROJECTION:
		return "projection";
	case WORD_TEST:
		return "test";
	default:
		return loader->set->declarables[word]->name;
	}
}

static struct dal_loader *loader_of(lua_State *lua, lua_Integer word)
{
	struct dal_loader *loader = dal_sandbox_of(lua)->loader;
	if (loader == NULL) {
		luaL_error(lua,
			   "declarations (%s) stand at the top of a file, not in what runs for an "
			   "event",
			   word < 0 ? "rule, projection, test" : "func and the like");
	}
	return loader;
}

/* May this file write this word? Otherwise it is reported. */
static bool allowed(struct dal_loader *loader, lua_Integer word, int line)
{
	enum dal_rules_role role = dal_loader_source(loader)->role;
	const char *text = word_text(loader, word);
	if (role == DAL_RULES_LIB) {
		dal_loader_report(
			loader, line,
			"a file in lib declares nothing, it returns a value: move this '%s' to "
			"rules",
			text);
		return false;
	}
	if ((word == WORD_TEST) != (role == DAL_RULES_TESTS)) {
		dal_loader_report(loader, line,
				  word == WORD_TEST ? "'%s' belongs in a file in tests"
						    : "'%s' does not belong in a file in tests",
				  text);
		return false;
	}
	if (word < 0 || role == DAL_RULES_OPERATOR ||
	    (loader->set->declarables[word]->rights & DAL_DECLARE_RULES) != 0) {
		return true;
	}
	dal_loader_report(
		loader, line,
		"'%s' belongs in dalamb.lua%s: who writes rules doesn't thereby run programs, open "
		"networks or read secrets",
		text, loader->set->declarables[word]->named ? " or functions/*.lua" : "");
	return false;
}

void dal_declare_finish(struct dal_loader *loader)
{
	if (loader->pending.word != NULL) {
		dal_loader_report(loader, loader->pending.line,
				  "%s \"%s\" has no table behind its name: write %s \"%s\" { ... }",
				  loader->pending.word, loader->pending.name, loader->pending.word,
				  loader->pending.name);
	}
	loader->pending.word = NULL;
}

static void declare(struct dal_loader *loader, lua_Integer word, const char *name, int line,
		    int table)
{
	switch (word) {
	case WORD_RULE:
		dal_declare_rule(loader, name, line, table);
		break;
	case WORD_PROJECTION:
		dal_declare_projection(loader, name, line, table);
		break;
	case WORD_TEST:
		dal_declare_test(loader, name, line, table);
		break;
	default:
		dal_declare_foreign(loader, loader->set->declarables[word], name, line, table);
		break;
	}
}

/* The table behind a name. Upvalues: word, name, line. */
static int declare_body(lua_State *lua)
{
	lua_Integer word = lua_tointeger(lua, lua_upvalueindex(1));
	struct dal_loader *loader = loader_of(lua, word);
	const char *name = lua_tostring(lua, lua_upvalueindex(2));
	int line = (int)lua_tointeger(lua, lua_upvalueindex(3));
	loader->pending.word = NULL;
	if (lua_type(lua, 1) != LUA_TTABLE) {
		dal_loader_report(loader, line, "%s \"%s\" needs a table { ... }, not a %s",
				  word_text(loader, word), name, luaL_typename(lua, 1));
	} else {
		declare(loader, word, name, line, 1);
	}
	return 0;
}

/* Is the declarable one without fields: `app "shop"`. */
static bool is_bare(const struct dal_loader *loader, lua_Integer word)
{
	return word >= 0 && loader->set->declarables[word]->fields[0].name == NULL;
}

static bool is_named(const struct dal_loader *loader, lua_Integer word)
{
	return word < 0 || loader->set->declarables[word]->named;
}

static int ignore_body(lua_State *lua)
{
	(void)lua;
	return 0;
}

static int declare_named(lua_State *lua, struct dal_loader *loader, lua_Integer word, int line)
{
	const char *name = lua_tostring(lua, 1);
	if (name[0] == '\0') {
		dal_loader_report(loader, line, "%s: the name is empty", word_text(loader, word));
	}
	if (is_bare(loader, word)) {
		lua_newtable(lua);
		declare(loader, word, name, line, lua_gettop(lua));
		return 0;
	}
	loader->pending.word = word_text(loader, word);
	loader->pending.line = line;
	snprintf(loader->pending.name, sizeof(loader->pending.name), "%s", name);
	lua_pushinteger(lua, word);
	lua_pushvalue(lua, 1);
	lua_pushinteger(lua, line);
	lua_pushcclosure(lua, declare_body, 3);
	return 1;
}

static int declare_word(lua_State *lua)
{
	lua_Integer word = lua_tointeger(lua, lua_upvalueindex(1));
	struct dal_loader *loader = loader_of(lua, word);
	int line = dal_loader_line(lua);
	const char *text = word_text(loader, word);
	dal_declare_finish(loader);
	if (!allowed(loader, word, line)) {
		lua_pushcfunction(lua, ignore_body);
		return 1;
	}
	bool table = lua_type(lua, 1) == LUA_TTABLE;
	if (is_named(loader, word)) {
		if (lua_type(lua, 1) == LUA_TSTRING) {
			return declare_named(lua, loader, word, line);
		}
		dal_loader_report(loader, line, "%s needs a name: write %s \"name\" { ... }", text,
				  text);
	} else if (table) {
		declare(loader, word, "", line, 1);
		return 0;
	} else {
		dal_loader_report(loader, line, "%s has no name, only a table: write %s { ... }",
				  text, text);
	}
	lua_pushcfunction(lua, ignore_body);
	return 1;
}

static void add_word(lua_State *lua, lua_Integer word, const char *name)
{
	lua_pushinteger(lua, word);
	lua_pushcclosure(lua, declare_word, 1);
	dal_library_name_set(lua, -1, name);
	lua_setfield(lua, -2, name);
}

static int secret(lua_State *lua)
{
	struct dal_loader *loader = loader_of(lua, 0);
	int line = dal_loader_line(lua);
	luaL_checktype(lua, 1, LUA_TSTRING);
	if (dal_loader_source(loader)->role != DAL_RULES_OPERATOR) {
		dal_loader_report(
			loader, line,
			"'secret' belongs in dalamb.lua or functions/*.lua: who writes rules "
			"doesn't thereby read secrets");
	}
	enum dal_tag *tag = lua_newuserdatauv(lua, sizeof(*tag), 1);
	*tag = DAL_TAG_SECRET;
	lua_pushvalue(lua, 1);
	lua_setiuservalue(lua, -2, 1);
	return 1;
}

void dal_declare_open(struct dal_loader *loader, enum dal_rules_role role)
{
	lua_State *lua = loader->sandbox->lua;
	add_word(lua, WORD_RULE, "rule");
	add_word(lua, WORD_PROJECTION, "projection");
	add_word(lua, WORD_TEST, "test");
	const struct dal_declarable *const *declarables = loader->set->declarables;
	for (lua_Integer i = 0; declarables != NULL && declarables[i] != NULL; i++) {
		add_word(lua, i, declarables[i]->name);
	}
	lua_pushcfunction(lua, secret);
	dal_library_name_set(lua, -1, "secret");
	lua_setfield(lua, -2, "secret");
	if (role == DAL_RULES_TESTS) {
		dal_declare_test_open(lua);
	}
}

static bool named_only(lua_State *lua, int table)
{
	lua_pushnil(lua);
	while (lua_next(lua, table)) {
		lua_pop(lua, 1);
		if (lua_type(lua, -1) != LUA_TSTRING) {
			lua_pop(lua, 1);
			return false;
		}
	}
	return true;
}

/* Reports the name if `fields` lacks it. */
static void check_field(struct dal_loader *loader, const char *what, int line, const char *name,
			const struct dal_field *fields)
{
	const char *names[SUGGESTED_MAX], *nearest;
	size_t count = 0;
	for (size_t i = 0; fields[i].name != NULL; i++) {
		if (strcmp(fields[i].name, name) == 0) {
			return;
		}
		if (count < SUGGESTED_MAX) {
			names[count++] = fields[i].name;
		}
	}
	nearest = dal_error_suggest(name, names, count);
	dal_loader_report(loader, dal_loader_field_line(loader, line, name),
			  "%s: unknown field '%s'%s%s%s", what, name,
			  nearest ? ", did you mean '" : "", nearest ? nearest : "",
			  nearest ? "'?" : "");
}

void dal_declare_fields(struct dal_loader *loader, const char *what, int line, int table,
			const struct dal_field *fields)
{
	lua_State *lua = loader->sandbox->lua;
	if (!named_only(lua, table)) {
		dal_loader_report(loader, line,
				  "%s: a value without a field name: write name = value", what);
		return;
	}
	dal_keys_sorted(lua, table);
	int order = lua_gettop(lua), keys = order - 1;
	const struct dal_keys *sorted = lua_touserdata(lua, order);
	for (size_t i = 0; i < sorted->count; i++) {
		lua_rawgeti(lua, keys, sorted->order[i]);
		check_field(loader, what, line, lua_tostring(lua, -1), fields);
		lua_pop(lua, 1);
	}
	lua_settop(lua, keys - 1);
}

/* Is `field` a word at `at` (or a key, ["field"]), with one '=' behind it. */
static bool is_assigned(struct dal_slice line, size_t at, size_t size)
{
	const char *text = line.data;
	if (at > 0 &&
	    (text[at - 1] == '_' || text[at - 1] == '.' || (text[at - 1] | 0x20) >= 'a')) {
		return false;
	}
	size_t i = at + size;
	if (i + 1 < line.size && (text[i] == '"' || text[i] == '\'') && text[i + 1] == ']') {
		i += 2;
	}
	while (i < line.size && (text[i] == ' ' || text[i] == '\t')) {
		i++;
	}
	return i < line.size && text[i] == '=' && (i + 1 == line.size || text[i + 1] != '=');
}

/* Finds the lines of the current source, once for as long as it is the current one. */
static void index_lines(struct dal_loader *loader)
{
	if (loader->line_count > 0 && loader->lines_source == loader->source) {
		return;
	}
	struct dal_slice rest = dal_loader_source(loader)->text, head;
	loader->lines_source = loader->source;
	loader->line_count = 0;
	do {
		DAL_GROW(loader->lines, loader->line_count, loader->line_capacity);
		loader->lines[loader->line_count++] = rest.data;
	} while (dal_slice_cut(rest, '\n', &head, &rest));
}

int dal_loader_field_line(struct dal_loader *loader, int line, const char *field)
{
	if (!loader->checking || line < 1) {
		return line;
	}
	index_lines(loader);
	struct dal_slice text = dal_loader_source(loader)->text;
	const char *end = text.data + text.size;
	size_t size = strlen(field);
	for (size_t at = (size_t)line; at <= loader->line_count && at < (size_t)line + 500; at++) {
		const char *start = loader->lines[at - 1];
		const char *next = at < loader->line_count ? loader->lines[at] : end;
		struct dal_slice head = {start, (size_t)(next - start)};
		for (size_t i = 0; i + size < head.size; i++) {
			if (memcmp(start + i, field, size) == 0 && is_assigned(head, i, size)) {
				return (int)at;
			}
		}
	}
	return line;
}

static int write_canonical(lua_State *lua)
{
	dal_canonical_write(lua, 1, lua_tostring(lua, 2), DAL_LIMIT_STATE_BYTES,
			    lua_touserdata(lua, 3));
	return 0;
}

bool dal_declare_canonical(struct dal_loader *loader, int index, const char *what,
			   struct dal_buffer *json, struct dal_error *error)
{
	lua_State *lua = loader->sandbox->lua;
	index = lua_absindex(lua, index);
	lua_pushcfunction(lua, write_canonical);
	lua_pushvalue(lua, index);
	lua_pushstring(lua, what);
	lua_pushlightuserdata(lua, json);
	int status = lua_pcall(lua, 3, 0, 0);
	dal_sandbox_rethrow(lua, status);
	if (status != LUA_OK) {
		dal_sandbox_describe(lua, -1);
		dal_error_set(error, "%s", lua_tostring(lua, -1));
		lua_pop(lua, 2);
	}
	return status == LUA_OK;
}

void dal_loader_use(struct dal_loader *loader, int kind, int line, struct dal_slice name,
		    const char *what)
{
	if (!loader->checking) {
		return;
	}
	DAL_GROW(loader->uses, loader->use_count, loader->use_capacity);
	loader->uses[loader->use_count++] = (struct dal_loader_use){
		kind, loader->source, line, dal_slice_dup(name), dal_strdup(what)};
}

void dal_loader_name(struct dal_loader *loader, const char *word, const char *name, int line)
{
	if (!loader->checking) {
		return;
	}
	if (strcmp(word, "test") != 0 && name[0] != '\0' && !dal_name_valid(dal_slice_text(name))) {
		dal_loader_report(
			loader, line,
			"%s \"%s\": a name is 1 to 64 of a-z, 0-9, '.', '_', '-', and begins "
			"with a letter or digit",
			word, name);
	}
	char *key = dal_asprintf("%s %s", word, name);
	const struct dal_loader_use *first = dal_map_get(loader->names, dal_slice_text(key));
	if (first != NULL) {
		dal_loader_report(loader, line, "%s is declared twice: first at %s:%d",
				  name[0] ? key : word, loader->set->sources[first->source].name,
				  first->line);
	} else {
		struct dal_loader_use *use = dal_calloc(1, sizeof(*use));
		*use = (struct dal_loader_use){.source = loader->source, .line = line};
		dal_map_set(loader->names, dal_slice_text(key), use);
	}
	free(key);
}
