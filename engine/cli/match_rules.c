/* RULES of dalamb match: a .lua file, a pattern as JSON, or an object of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/app/settings.h"
#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/cli/input.h"
#include "engine/cli/match.h"
#include "engine/event/json_write.h"

static void add(struct dal_match_rules *rules, struct dal_slice name,
		const struct dal_pattern *pattern)
{
	size_t count = rules->count++;
	struct dal_buffer quoted = {0};

	rules->names = dal_reallocarray(rules->names, count + 1, sizeof(*rules->names));
	rules->quoted = dal_reallocarray(rules->quoted, count + 1, sizeof(*rules->quoted));
	rules->patterns = dal_reallocarray(rules->patterns, count + 1, sizeof(*rules->patterns));
	dal_json_append_string(&quoted, name);
	rules->names[count] = dal_slice_dup(name);
	rules->quoted[count] = dal_slice_dup(dal_buffer_slice(&quoted));
	rules->patterns[count] = pattern;
	dal_buffer_deinit(&quoted);
}

/* A pattern in `text`, which stands at `start` in the file's. */
static void parse_one(struct dal_match_rules *rules, const char *file, struct dal_slice whole,
		      struct dal_slice name, size_t start, size_t size, struct dal_errors *errors)
{
	struct dal_pattern *pattern;
	struct dal_error error = {0};
	int line, column;

	if (dal_pattern_parse(dal_slice(whole.data + start, size), 0, &pattern, &error) != 0) {
		dal_json_place(whole, start, &line, &column);
		column += error.column - 1;
		if (error.line > 1) {
			line += error.line - 1;
			column = error.column;
		}
		dal_errors_add(errors, file, line, "column %d: %.*s%s%s", column, (int)name.size,
			       name.size > 0 ? name.data : "", name.size > 0 ? ": " : "",
			       error.text);
		return;
	}
	rules->own = dal_reallocarray(rules->own, rules->count + 1, sizeof(*rules->own));
	rules->own[rules->count] = pattern;
	add(rules, name, pattern);
}

static bool is_plain(struct dal_slice name)
{
	for (size_t i = 0; i < name.size; i++) {
		unsigned char c = (unsigned char)name.data[i];
		if (c < ' ' || c == 0x7f || c == ',') {
			return false;
		}
	}
	return name.size > 0;
}

/* An object of name to pattern. */
static void parse_members(struct dal_match_rules *rules, const char *file,
			  const struct dal_json *json, struct dal_errors *errors)
{
	struct dal_slice whole = dal_slice(json->text, json->size);
	uint32_t node = DAL_JSON_ROOT + 1;

	for (uint32_t i = 0; i < dal_json_count(json, DAL_JSON_ROOT); i++) {
		struct dal_slice name = dal_json_string(json, node);
		struct dal_slice pattern = dal_json_raw(json, node + 1);
		size_t start = (size_t)(pattern.data - json->text);
		int line, column;
		if (is_plain(name)) {
			parse_one(rules, file, whole, name, start, pattern.size, errors);
		} else {
			dal_json_place(whole, start, &line, &column);
			dal_errors_add(errors, file, line,
				       "a name is empty or has a comma or a control character: "
				       "--names could not print it");
		}
		node = dal_json_next(json, node + 1);
	}
}

static void parse_named(struct dal_match_rules *rules, const char *file, struct dal_slice text,
			struct dal_errors *errors)
{
	struct dal_json *json = dal_json_new();
	struct dal_json_error error;
	int line, column;

	if (dal_json_parse(json, text, 0, &error) != 0) {
		dal_json_place(text, error.position, &line, &column);
		dal_errors_add(errors, file, line, "column %d: %s", column, error.reason);
	} else if (dal_json_kind(json, DAL_JSON_ROOT) != DAL_JSON_OBJECT ||
		   dal_json_count(json, DAL_JSON_ROOT) == 0) {
		dal_errors_add(errors, file, 0,
			       "--named takes an object: {\"name\": pattern, ...}");
	} else {
		parse_members(rules, file, json, errors);
	}
	dal_json_free(json);
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? dal_slice_dup(dal_slice(path, (size_t)(slash - path + 1))) : dal_strdup("");
}

/* Is it an operator's file, which may declare functions and the like beside rules? */
static bool is_operators(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strcmp(slash ? slash + 1 : path, "dalamb.lua") == 0;
}

/* The file itself and, for its `require`, those of the app's lib. Names and texts are owned. */
struct sources {
	struct dal_rules_source *items;
	size_t count;
};

static void source_add(struct sources *sources, char *name, char *text, size_t size,
		       enum dal_rules_role role)
{
	sources->items = dal_reallocarray(sources->items, sources->count + 1,
					  sizeof(*sources->items));
	sources->items[sources->count++] = (struct dal_rules_source){name, dal_slice(text, size),
								     role};
}

static void lib_add(struct sources *sources, const char *lib, const char *name,
		    struct dal_errors *errors)
{
	char *path = dal_asprintf("%s/%s", lib, name);
	struct dal_buffer text = {0};
	int r = dal_file_read(path, DAL_LIMIT_SOURCE_BYTES, &text);

	if (r == 0) {
		source_add(sources, dal_asprintf("lib/%s", name), text.data, text.size,
			   DAL_RULES_LIB);
	} else {
		dal_errors_add(errors, path, 0, "can't be read: %s", strerror(-r));
		dal_buffer_deinit(&text);
	}
	free(path);
}

/* Of APP/dalamb.lua APP/lib, of APP/rules/x.lua too. */
static void libs_add(struct sources *sources, const char *path, struct dal_errors *errors)
{
	char *folder = folder_of(path);
	char *lib = dal_asprintf("%s%slib", folder, is_operators(path) ? "" : "../");
	char **names = NULL;
	size_t count = 0;

	if (dal_folder_list(lib, ".lua", &names, &count) != 0) {
		count = 0;
	}
	for (size_t i = 0; i < count; i++) {
		lib_add(sources, lib, names[i], errors);
		free(names[i]);
	}
	free(names);
	free(lib);
	free(folder);
}

static void sources_deinit(struct sources *sources)
{
	for (size_t i = 0; i < sources->count; i++) {
		free((void *)sources->items[i].name);
		free((void *)sources->items[i].text.data);
	}
	free(sources->items);
}

static void take_patterns(struct dal_match_rules *rules)
{
	for (size_t i = 0; i < dal_rules_rule_count(rules->loaded); i++) {
		const struct dal_rule *rule = dal_rules_rule(rules->loaded, i);
		add(rules, dal_slice_text(rule->name),
		    dal_rules_pattern(rules->loaded, rule->pattern));
	}
	for (size_t i = 0; i < dal_rules_projection_count(rules->loaded); i++) {
		const struct dal_projection *p = dal_rules_projection(rules->loaded, i);
		add(rules, dal_slice_text(p->name), dal_rules_pattern(rules->loaded, p->pattern));
	}
}

static void load_lua(struct dal_match_rules *rules, const char *path, struct dal_slice text,
		     struct dal_errors *errors)
{
	struct sources sources = {0};

	source_add(&sources, dal_strdup(path), dal_slice_dup(text), text.size,
		   is_operators(path) ? DAL_RULES_OPERATOR : DAL_RULES_RULES);
	libs_add(&sources, path, errors);
	if (dal_rules_load(&(struct dal_rules_options){.sources = sources.items,
						       .count = sources.count,
						       .declarables = dal_app_declarables},
			   &rules->loaded, errors, NULL) == 0) {
		take_patterns(rules);
		rules->matcher = dal_rules_matcher(rules->loaded);
		if (rules->count == 0) {
			dal_errors_add(errors, path, 0, "declares no rule and no projection");
		}
	}
	sources_deinit(&sources);
}

static bool is_lua(const char *path)
{
	size_t size = strlen(path);

	return size > 4 && strcmp(path + size - 4, ".lua") == 0;
}

/* The text, and what it is called in messages; NULL after one of its own. */
static const char *read_rules(const struct dal_command *command, const char *where,
			      struct dal_buffer *text)
{
	int r;

	if (where[strspn(where, " \t\r\n")] == '{') {
		dal_buffer_text(text, where);
		return "RULES";
	}
	r = dal_input_read(where, text);
	if (r < 0) {
		dal_fail(command, 0,
			 "%s: %s; RULES is a .lua file, or a pattern as JSON (or a file of it)",
			 where, strerror(-r));
	}
	return r < 0 ? NULL : where;
}

int dal_match_rules_load(struct dal_match_rules *rules, const struct dal_command *command,
			 const char *where, bool named)
{
	struct dal_buffer text = {0};
	struct dal_errors errors = {0};
	const char *file = read_rules(command, where, &text);
	struct dal_slice bytes = dal_buffer_slice(&text);
	bool wrong;

	if (file && is_lua(where) && file == where) {
		load_lua(rules, file, bytes, &errors);
	} else if (file && named) {
		parse_named(rules, file, bytes, &errors);
	} else if (file) {
		parse_one(rules, file, bytes, (struct dal_slice){0}, 0, bytes.size, &errors);
	}
	dal_buffer_deinit(&text);
	dal_errors_print(&errors, "");
	wrong = !file || errors.count > 0;
	dal_errors_deinit(&errors);
	if (!wrong && !rules->matcher) {
		rules->own_matcher = dal_matcher_new(rules->patterns, rules->count);
		rules->matcher = rules->own_matcher;
	}
	return wrong ? DAL_EXIT_USAGE : DAL_EXIT_DONE;
}

void dal_match_rules_deinit(struct dal_match_rules *rules)
{
	dal_matcher_free(rules->own_matcher);
	for (size_t i = 0; i < rules->count; i++) {
		if (rules->own) {
			dal_pattern_free(rules->own[i]);
		}
		free(rules->names[i]);
		free(rules->quoted[i]);
	}
	free(rules->own);
	free(rules->patterns);
	free(rules->names);
	free(rules->quoted);
	dal_rules_unref(rules->loaded);
	*rules = (struct dal_match_rules){0};
}
