/* Loading the files of a set: one environment a file, every mistake reported, `require`. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "rules/chunk.h"
#include "rules/library.h"
#include "rules/loader.h"
#include "rules/userdata.h"

static const char results_key, hole_key;

const struct dal_rules_source *dal_loader_source(const struct dal_loader *loader)
{
	return &loader->set->sources[loader->source];
}

int dal_loader_line(lua_State *lua)
{
	lua_Debug frame;
	for (int level = 1; lua_getstack(lua, level, &frame); level++) {
		lua_getinfo(lua, "l", &frame);
		if (frame.currentline > 0) {
			return frame.currentline;
		}
	}
	return 0;
}

void dal_loader_report(struct dal_loader *loader, int line, const char *format, ...)
{
	if (!loader->checking) {
		return;
	}
	char text[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	dal_errors_add(loader->errors, dal_loader_source(loader)->name, line, "%s", text);
}

int64_t dal_loader_function(struct dal_loader *loader, int index, int line, const char *what)
{
	lua_State *lua = loader->sandbox->lua;
	index = lua_absindex(lua, index);
	lua_rawgetp(lua, LUA_REGISTRYINDEX, &dal_functions_key);
	lua_pushvalue(lua, index);
	lua_rawseti(lua, -2, ++loader->function_count);
	lua_pop(lua, 1);
	if (loader->checking) {
		struct dal_rules *set = loader->set;
		DAL_GROW(set->functions, set->function_count, set->function_capacity);
		set->functions[set->function_count++] = (struct dal_function_own){
			loader->source, line, dal_strdup(what)};
	}
	return loader->function_count;
}

/*
 * A Lua message begins with "chunk:line: "; the chunk's name is cut where it is long, so the file
 * is found by its tail. What has no place is given the file that is loaded.
 */
static void report_message(struct dal_loader *loader, const char *message)
{
	const struct dal_rules *set = loader->set;
	for (const char *colon = strchr(message, ':'); colon != NULL;
	     colon = strchr(colon + 1, ':')) {
		char *end;
		long line = strtol(colon + 1, &end, 10);
		if (line <= 0 || end[0] != ':' || end[1] != ' ') {
			continue;
		}
		struct dal_slice chunk = dal_slice(message, (size_t)(colon - message));
		if (dal_slice_starts(chunk, "...")) {
			chunk = dal_slice(chunk.data + 3, chunk.size - 3);
		}
		for (size_t i = 0; i < set->source_count; i++) {
			struct dal_slice name = dal_slice_text(set->sources[i].name);
			if (name.size >= chunk.size && memcmp(name.data + name.size - chunk.size,
							      chunk.data, chunk.size) == 0) {
				dal_errors_add(loader->errors, name.data, (int)line, "%s", end + 2);
				return;
			}
		}
	}
	dal_loader_report(loader, 0, "%s", message);
}

/* The value on top is an error's; it is reported and popped. */
static void report_failure(struct dal_loader *loader)
{
	lua_State *lua = loader->sandbox->lua;
	dal_sandbox_describe(lua, -1);
	if (loader->checking) {
		report_message(loader, lua_tostring(lua, -1));
	}
	lua_pop(lua, 2);
}

/* What is read instead of an unknown global: whatever is done with it gives it again. */
static int hole_again(lua_State *lua)
{
	lua_rawgetp(lua, LUA_REGISTRYINDEX, &hole_key);
	return 1;
}

static int hole_ignore(lua_State *lua)
{
	(void)lua;
	return 0;
}

static void make_hole(lua_State *lua)
{
	static const luaL_Reg functions[] = {{"__index", hole_again},     {"__call", hole_again},
					     {"__newindex", hole_ignore}, {"__add", hole_again},
					     {"__sub", hole_again},       {"__mul", hole_again},
					     {"__div", hole_again},       {"__concat", hole_again},
					     {"__unm", hole_again},       {NULL, NULL}};
	enum dal_tag *tag = lua_newuserdatauv(lua, sizeof(*tag), 0);
	*tag = DAL_TAG_HOLE;
	lua_newtable(lua);
	luaL_setfuncs(lua, functions, 0);
	lua_setmetatable(lua, -2);
	lua_rawsetp(lua, LUA_REGISTRYINDEX, &hole_key);
}

/* __index of a file's globals: upvalue 1 is the base that holds library and words. */
static int unknown_global(lua_State *lua)
{
	const struct dal_sandbox *sandbox = dal_sandbox_of(lua);
	if (sandbox->loader != NULL && sandbox->loader->checking) {
		return hole_again(lua); /* reported when the file's code was read */
	}
	return luaL_error(lua, "unknown global '%s'", dal_library_tostring(lua, 2));
}

/* __newindex of a file's environment: upvalue 1 is the table of its globals. */
static int set_global(lua_State *lua)
{
	if (dal_sandbox_of(lua)->loader == NULL) {
		return luaL_error(
			lua,
			"global '%s' can't be changed: nothing lasts from one event to the next "
			"but a projection's state",
			dal_library_tostring(lua, 2));
	}
	lua_settop(lua, 3);
	lua_rawset(lua, lua_upvalueindex(1));
	return 0;
}

/*
 * Pushes the environment of a file: an empty table before the table of globals, so that it is the
 * same to a script before and after it is frozen.
 */
static void push_environment(struct dal_loader *loader, enum dal_rules_role role)
{
	lua_State *lua = loader->sandbox->lua;
	lua_newtable(lua);
	lua_newtable(lua);
	lua_newtable(lua); /* globals */
	dal_library_globals(lua);
	lua_pushnil(lua);
	while (lua_next(lua, -2)) {
		lua_pushvalue(lua, -2);
		lua_insert(lua, -2);
		lua_rawset(lua, -5);
	}
	lua_pop(lua, 1);
	dal_declare_open(loader, role);
	lua_createtable(lua, 0, 1);
	lua_pushcfunction(lua, unknown_global);
	lua_setfield(lua, -2, "__index");
	lua_setmetatable(lua, -2);
	lua_pushvalue(lua, -1);
	lua_pushcclosure(lua, set_global, 1);
	lua_setfield(lua, -3, "__newindex");
	lua_setfield(lua, -2, "__index");
	lua_setmetatable(lua, -2);
}

struct global_check {
	struct dal_loader *loader;
	int globals; /* stack index of the table of what is known */
	struct dal_map *assigned;
};

static void note_assigned(void *own, struct dal_slice name, int line, bool write)
{
	struct global_check *check = own;
	(void)line;
	if (write) {
		dal_map_set(check->assigned, name, check);
	}
}

/* The nearest known name, or NULL. */
static const char *suggest_global(struct global_check *check, const char *name)
{
	lua_State *lua = check->loader->sandbox->lua;
	const char **names = NULL;
	size_t count = 0, capacity = 0;
	lua_pushnil(lua);
	while (lua_next(lua, check->globals)) {
		lua_pop(lua, 1);
		DAL_GROW(names, count, capacity);
		names[count++] = lua_tostring(lua, -1); /* all are strings, kept by the table */
	}
	const char *nearest = dal_error_suggest(name, names, count);
	free(names);
	return nearest;
}

static void check_global(void *own, struct dal_slice name, int line, bool write)
{
	static const char *const removed[] = {
		"load",         "loadstring",   "dofile",  "loadfile",       "debug",
		"os",           "io",           "package", "collectgarbage", "coroutine",
		"setmetatable", "getmetatable", "rawget",  "rawset",         "rawequal",
		"rawlen",       "xpcall",       "print",   "utf8",           "_G"};
	struct global_check *check = own;
	lua_State *lua = check->loader->sandbox->lua;
	lua_pushlstring(lua, name.data, name.size);
	bool known = lua_rawget(lua, check->globals) != LUA_TNIL;
	lua_pop(lua, 1);
	if (write || known || dal_map_get(check->assigned, name) != NULL) {
		return;
	}
	char *text = dal_slice_dup(name);
	const char *nearest = suggest_global(check, text);
	for (size_t i = 0; i < sizeof(removed) / sizeof(removed[0]); i++) {
		if (strcmp(removed[i], text) == 0) {
			dal_loader_report(
				check->loader, line,
				"'%s' is not offered to rules (rules/LANGUAGE.md lists what is)",
				text);
			free(text);
			return;
		}
	}
	dal_loader_report(check->loader, line, "unknown global '%s'%s%s%s", text,
			  nearest ? ": did you mean '" : "", nearest ? nearest : "",
			  nearest ? "'?" : "");
	free(text);
}

static void check_view(void *own, struct dal_slice name, int line)
{
	struct dal_loader *loader = own;
	loader->views = true;
	if (name.data != NULL) {
		dal_loader_use(loader, DAL_USE_VIEW, line, name, NULL);
	}
}

static void warn_indexed(void *own, struct dal_slice name, int line)
{
	struct dal_loader *loader = own;
	dal_errors_add(
		loader->warnings, dal_loader_source(loader)->name, line,
		"view(%s%.*s%s): a key has no entry before the projection's first event of it, "
		"and nil has no fields: look whether it is there first",
		name.data ? "\"" : "", name.data ? (int)name.size : 3,
		name.data ? name.data : "...", name.data ? "\", ..." : "");
}

/* What can be told from the code of the file on top of the stack; its globals are at `globals`. */
static void check_code(struct dal_loader *loader, int globals)
{
	struct dal_chunk chunk;
	dal_chunk_read(&chunk, loader->sandbox->lua, -1);
	struct global_check check = {loader, globals, dal_map_new()};
	dal_chunk_globals(&chunk.root, note_assigned, &check);
	dal_chunk_globals(&chunk.root, check_global, &check);
	if (dal_loader_source(loader)->role != DAL_RULES_TESTS) {
		dal_chunk_uses(&chunk.root, "view", check_view, loader);
		if (loader->analyse && loader->warnings != NULL) {
			dal_chunk_indexed(&chunk.root, "view", warn_indexed, loader);
		}
	}
	dal_map_free(check.assigned);
	dal_chunk_deinit(&chunk);
}

/* What no file may have, whatever it does. False if it was reported. */
static bool check_text(struct dal_loader *loader)
{
	struct dal_slice text = dal_loader_source(loader)->text;
	if (text.size > DAL_LIMIT_SOURCE_BYTES) {
		dal_loader_report(loader, 0, "too large: %zu bytes, at most %llu", text.size,
				  DAL_LIMIT_SOURCE_BYTES);
		return false;
	}
	if (text.size > 0 && text.data[0] == LUA_SIGNATURE[0]) {
		dal_loader_report(loader, 1, "is compiled Lua: only source text is accepted");
		return false;
	}
	const char *found = text.size > 0 ? memmem(text.data, text.size, "_ENV", 4) : NULL;
	if (found != NULL) {
		int line, column;
		dal_json_place(text, (size_t)(found - text.data), &line, &column);
		dal_loader_report(loader, line, "'_ENV' can't be used");
		return false;
	}
	return true;
}

/* The parser, alone: its errors would otherwise go through the handler of the outermost call. */
static int parse(lua_State *lua)
{
	const struct dal_rules_source *source = lua_touserdata(lua, 1);
	lua_pushfstring(lua, "@%s", source->name);
	if (luaL_loadbufferx(lua, source->text.data, source->text.size, lua_tostring(lua, -1),
			     "t") != LUA_OK) {
		lua_error(lua);
	}
	return 1;
}

/* Pushes the chunk of the current source, with its environment. False if it was reported. */
static bool compile(struct dal_loader *loader)
{
	lua_State *lua = loader->sandbox->lua;
	const struct dal_rules_source *source = dal_loader_source(loader);
	if (!check_text(loader)) {
		return false;
	}
	lua_pushcfunction(lua, parse);
	lua_pushlightuserdata(lua, (void *)source);
	int status = lua_pcall(lua, 1, 1, 0);
	if (status != LUA_OK) {
		dal_sandbox_rethrow(lua, status);
		report_failure(loader);
		return false;
	}
	push_environment(loader, source->role);
	if (loader->checking) {
		lua_getmetatable(lua, -1);
		lua_getfield(lua, -1, "__index");
		lua_pushvalue(lua, -4);
		check_code(loader, lua_gettop(lua) - 1);
		lua_pop(lua, 3);
	}
	lua_setupvalue(lua, -2, 1);
	return true;
}

/* Runs one file; its result is kept for `require`. */
static void load_source(struct dal_loader *loader, size_t source)
{
	lua_State *lua = loader->sandbox->lua;
	int top = lua_gettop(lua);
	size_t outer = loader->source;
	/* A file may be required between a name and its table. */
	struct dal_loader_pending pending = loader->pending;
	luaL_checkstack(lua, 32, "required too deep");
	loader->source = source;
	loader->pending.word = NULL;
	loader->states[source] = DAL_LIB_LOADING;
	bool done = compile(loader);
	if (done) {
		int status = lua_pcall(lua, 0, 1, 0);
		dal_sandbox_rethrow(lua, status);
		done = status == LUA_OK;
		if (!done) {
			report_failure(loader);
		}
		dal_declare_finish(loader);
	}
	if (done) {
		lua_rawgetp(lua, LUA_REGISTRYINDEX, &results_key);
		lua_pushvalue(lua, -2);
		lua_rawseti(lua, -2, (lua_Integer)source + 1);
	}
	loader->states[source] = done ? DAL_LIB_DONE : DAL_LIB_FAILED;
	loader->source = outer;
	loader->pending = pending;
	lua_settop(lua, top);
}

/* Is `name` what a file "lib/NAME.lua" is required by. */
static bool is_lib(const struct dal_rules_source *source, struct dal_slice name)
{
	struct dal_slice file = dal_slice_text(source->name);
	const char *lib = file.size > 4 ? memmem(file.data, file.size, "lib/", 4) : NULL;
	if (source->role != DAL_RULES_LIB || file.size < name.size + 4) {
		return false;
	}
	size_t start = lib != NULL ? (size_t)(lib - file.data) + 4 : 0;
	return file.size - start == name.size + 4 &&
	       memcmp(file.data + start, name.data, name.size) == 0;
}

static int require(lua_State *lua)
{
	struct dal_loader *loader = dal_sandbox_of(lua)->loader;
	struct dal_slice name;
	name.data = luaL_checklstring(lua, 1, &name.size);
	if (loader == NULL) {
		return luaL_error(
			lua,
			"require works while a file is loaded: call it at the top of the file");
	}
	size_t source = 0;
	while (source < loader->set->source_count && !is_lib(&loader->set->sources[source], name)) {
		source++;
	}
	if (source == loader->set->source_count) {
		return luaL_error(
			lua,
			"there is no lib/%s.lua: require finds files of the app's lib folder only",
			name.data);
	}
	if (loader->states[source] == DAL_LIB_NEW) {
		load_source(loader, source);
	}
	if (loader->states[source] == DAL_LIB_LOADING) {
		return luaL_error(lua, "lib/%s.lua requires itself, directly or through others",
				  name.data);
	}
	if (loader->states[source] == DAL_LIB_FAILED) {
		return luaL_error(lua, "lib/%s.lua has mistakes", name.data);
	}
	lua_rawgetp(lua, LUA_REGISTRYINDEX, &results_key);
	if (lua_rawgeti(lua, -1, (lua_Integer)source + 1) == LUA_TNIL) {
		lua_pushboolean(lua, true);
	}
	return 1;
}

static int load_all(lua_State *lua)
{
	struct dal_loader *loader = dal_sandbox_of(lua)->loader;
	lua_newtable(lua);
	lua_rawsetp(lua, LUA_REGISTRYINDEX, &results_key);
	make_hole(lua);
	dal_library_globals(lua);
	lua_pushcfunction(lua, require);
	dal_library_name_set(lua, -1, "require");
	lua_setfield(lua, -2, "require");
	dal_operators_open(lua);
	lua_pop(lua, 1);
	for (size_t i = 0; i < loader->set->source_count; i++) {
		if (loader->states[i] == DAL_LIB_NEW &&
		    (loader->checking || loader->set->sources[i].role != DAL_RULES_TESTS)) {
			load_source(loader, i);
		}
	}
	dal_reach_freeze(loader);
	if (loader->checking) {
		dal_set_names(loader);
		dal_set_digests(loader);
		dal_reads_find(loader);
	}
	return 0;
}

int dal_loader_run(struct dal_loader *loader)
{
	struct dal_sandbox *sandbox = loader->sandbox;
	loader->states = dal_calloc(loader->set->source_count + 1, sizeof(*loader->states));
	sandbox->loader = loader;
	sandbox->phase = DAL_PHASE_LOAD;
	lua_pushcfunction(sandbox->lua, load_all);
	lua_gc(sandbox->lua, LUA_GCSTOP); /* nearly all stays; where memory ends, it is collected */
	int r = dal_sandbox_call(sandbox, &dal_sandbox_load_limits, 0, 0);
	lua_gc(sandbox->lua, LUA_GCRESTART);
	if (r != 0 && loader->checking) {
		report_message(loader, dal_buffer_cstr(&sandbox->message));
	}
	sandbox->loader = NULL;
	free(loader->states);
	loader->states = NULL;
	return r;
}
