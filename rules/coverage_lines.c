#include "rules/coverage_lines.h"

#include <stdlib.h>

#include "engine/base/map.h"
#include "engine/base/memory.h"
#include "rules/chunk.h"
#include "rules/set.h"
#include "rules/sandbox.h"

/* A function as it is written; functions that begin on one line of a file share it. */
struct function {
	size_t source;
	int defined; /* its first line */
	bool *ran;   /* by line, from `defined` on */
	bool *code;  /* likewise: has the line any? */
	size_t count;
};

struct dal_coverage_lines {
	const struct dal_rules *rules;
	struct function *functions;
	size_t count, capacity;
	struct dal_map *by_place; /* "line file" to index + 1 */
	size_t last;              /* the function that was told of last */
	struct dal_buffer key;
	struct dal_coverage_line *all;
	size_t all_count, all_capacity;
};

static struct dal_slice place_key(struct dal_coverage_lines *lines, const char *file, int defined)
{
	dal_buffer_clear(&lines->key);
	dal_buffer_printf(&lines->key, "%d %s", defined, file);
	return dal_buffer_slice(&lines->key);
}

/* The index of the function, or -1. */
static long function_find(struct dal_coverage_lines *lines, const char *file, int defined)
{
	return (long)(uintptr_t)dal_map_get(lines->by_place, place_key(lines, file, defined)) - 1;
}

static struct function *function_at(struct dal_coverage_lines *lines, size_t source, int defined)
{
	const char *file = lines->rules->sources[source].name;
	long found = function_find(lines, file, defined);
	if (found < 0) {
		DAL_GROW(lines->functions, lines->count, lines->capacity);
		lines->functions[lines->count] = (struct function){.source = source,
								   .defined = defined};
		found = (long)lines->count++;
		dal_map_set(lines->by_place, place_key(lines, file, defined),
			    (void *)(uintptr_t)lines->count);
	}
	return &lines->functions[found];
}

static void line_add(struct function *function, int line)
{
	if (line < function->defined) {
		return;
	}
	size_t index = (size_t)(line - function->defined), count = function->count;
	if (index >= count) {
		function->count = index + 1;
		function->ran = dal_reallocarray(function->ran, function->count, sizeof(bool));
		function->code = dal_reallocarray(function->code, function->count, sizeof(bool));
		memset(function->ran + count, 0, function->count - count);
		memset(function->code + count, 0, function->count - count);
	}
	function->code[index] = true;
}

/*
 * The last instruction is the return that Lua adds at `end`: no line of its own. The first of a
 * function with `...` prepares it, and no hook is told.
 */
static void proto_add(struct dal_coverage_lines *lines, size_t source,
		      const struct dal_proto *proto)
{
	struct function *function = function_at(lines, source, proto->line);
	for (size_t pc = proto->vararg != 0; pc + 1 < proto->code_count; pc++) {
		line_add(function, proto->lines[pc]);
	}
	for (size_t i = 0; i < proto->proto_count; i++) {
		proto_add(lines, source, &proto->protos[i]);
	}
}

static void source_add(struct dal_coverage_lines *lines, lua_State *lua, size_t source)
{
	const struct dal_rules_source *file = &lines->rules->sources[source];
	struct dal_chunk chunk;
	int status = luaL_loadbufferx(lua, file->text.data, file->text.size, file->name, "t");
	DAL_ASSERT(status == LUA_OK); /* the set was loaded before */
	dal_chunk_read(&chunk, lua, -1);
	for (size_t i = 0; i < chunk.root.proto_count; i++) {
		proto_add(lines, source, &chunk.root.protos[i]);
	}
	dal_chunk_deinit(&chunk);
	lua_settop(lua, DAL_SLOT_COUNT);
}

struct dal_coverage_lines *dal_coverage_lines_new(const struct dal_rules *rules)
{
	struct dal_coverage_lines *lines = dal_calloc(1, sizeof(*lines));
	struct dal_sandbox sandbox;
	lines->rules = rules;
	lines->by_place = dal_map_new();
	dal_sandbox_init(&sandbox);
	for (size_t i = 0; i < rules->source_count; i++) {
		if (rules->sources[i].role != DAL_RULES_TESTS) {
			source_add(lines, sandbox.lua, i);
		}
	}
	dal_sandbox_deinit(&sandbox);
	return lines;
}

void dal_coverage_lines_free(struct dal_coverage_lines *lines)
{
	if (lines == NULL) {
		return;
	}
	for (size_t i = 0; i < lines->count; i++) {
		free(lines->functions[i].ran);
		free(lines->functions[i].code);
	}
	dal_map_free(lines->by_place);
	dal_buffer_deinit(&lines->key);
	free(lines->functions);
	free(lines->all);
	free(lines);
}

static bool is_last(const struct dal_coverage_lines *lines, const char *file, int defined)
{
	const struct function *function = &lines->functions[lines->last];
	return lines->last < lines->count && function->defined == defined &&
	       strcmp(lines->rules->sources[function->source].name, file) == 0;
}

void dal_coverage_lines_ran(struct dal_coverage_lines *lines, lua_State *lua, lua_Debug *frame)
{
	lua_getinfo(lua, "Sl", frame);
	if (frame->source[0] != '@' || frame->linedefined <= 0) {
		return; /* the file itself */
	}
	const char *file = frame->source + 1;
	if (!is_last(lines, file, frame->linedefined)) {
		long found = function_find(lines, file, frame->linedefined);
		if (found < 0) {
			return; /* of a test's file */
		}
		lines->last = (size_t)found;
	}
	struct function *function = &lines->functions[lines->last];
	size_t index = (size_t)(frame->currentline - function->defined);
	if (index < function->count) {
		function->ran[index] = true;
	}
}

static void gather(struct dal_coverage_lines *lines, const struct function *function)
{
	for (size_t i = 0; i < function->count; i++) {
		if (function->code[i]) {
			DAL_GROW(lines->all, lines->all_count, lines->all_capacity);
			lines->all[lines->all_count++] = (struct dal_coverage_line){
				lines->rules->sources[function->source].name,
				function->defined + (int)i, function->ran[i]};
		}
	}
}

static int by_line(const void *left, const void *right)
{
	const struct dal_coverage_line *a = left, *b = right;
	return a->line < b->line ? -1 : a->line > b->line;
}

/* Lines from `first` on, which are of one file: in order, each once. */
static void merge(struct dal_coverage_lines *lines, size_t first)
{
	size_t kept = first;
	if (lines->all_count > first) {
		qsort(lines->all + first, lines->all_count - first, sizeof(*lines->all), by_line);
	}
	for (size_t i = first; i < lines->all_count; i++) {
		if (kept > first && lines->all[kept - 1].line == lines->all[i].line) {
			lines->all[kept - 1].ran = lines->all[kept - 1].ran && lines->all[i].ran;
		} else {
			lines->all[kept++] = lines->all[i];
		}
	}
	lines->all_count = kept;
}

const struct dal_coverage_line *dal_coverage_lines_all(struct dal_coverage_lines *lines,
						       size_t *count)
{
	size_t first = 0;
	lines->all_count = 0;
	for (size_t i = 0; i < lines->count; i++) {
		gather(lines, &lines->functions[i]);
		if (i + 1 == lines->count ||
		    lines->functions[i + 1].source != lines->functions[i].source) {
			merge(lines, first);
			first = lines->all_count;
		}
	}
	*count = lines->all_count;
	return lines->all;
}
