/* dalamb match: grep for JSON events; no engine, no app. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/memory.h"
#include "engine/cli/cli.h"
#include "engine/cli/input.h"
#include "engine/event/json_write.h"
#include "rules/rules.h"

struct matching {
	const struct dal_command *command;
	struct dal_rules *rules;    /* of a .lua file, or NULL */
	struct dal_pattern **owned; /* else these, one a name */
	const struct dal_pattern **patterns;
	char **names;
	size_t count;
	uint64_t *hits; /* by pattern */
	struct dal_matcher *matcher;
	struct dal_matcher_scratch *scratch;
	struct dal_json *json;
	bool names_wanted, count_wanted, as_json;
	bool matched, broken;
};

/* --- the rules --- */

static void pattern_add(struct matching *m, struct dal_slice name,
			const struct dal_pattern *pattern)
{
	m->names = dal_reallocarray(m->names, m->count + 1, sizeof(*m->names));
	m->patterns = dal_reallocarray(m->patterns, m->count + 1, sizeof(*m->patterns));
	m->names[m->count] = dal_slice_dup(name);
	m->patterns[m->count++] = pattern;
}

static int parse_one(struct matching *m, const char *file, struct dal_slice name,
		     struct dal_slice text)
{
	struct dal_pattern *pattern;
	struct dal_error error = {0};

	if (dal_pattern_parse(text, 0, &pattern, &error) != 0) {
		return dal_fail(m->command, DAL_EXIT_USAGE, "%s%s%.*s%s%s", file, ": ",
				(int)name.size, name.data, name.size > 0 ? ": " : "", error.text);
	}
	m->owned = dal_reallocarray(m->owned, m->count + 1, sizeof(*m->owned));
	m->owned[m->count] = pattern;
	pattern_add(m, name, pattern);
	return 0;
}

static int parse_named(struct matching *m, const char *file, struct dal_slice text)
{
	struct dal_json_error error;
	uint32_t node = DAL_JSON_ROOT + 1;
	int r = 0;

	if (dal_json_parse(m->json, text, 0, &error) != 0) {
		return dal_fail(m->command, DAL_EXIT_USAGE, "%s: %s at byte %zu", file,
				error.reason, error.position);
	}
	if (dal_json_kind(m->json, DAL_JSON_ROOT) != DAL_JSON_OBJECT) {
		return dal_fail(m->command, DAL_EXIT_USAGE,
				"%s: --named takes an object: {\"name\": pattern, ...}", file);
	}
	for (uint32_t i = 0; r == 0 && i < dal_json_count(m->json, DAL_JSON_ROOT); i++) {
		r = parse_one(m, file, dal_json_string(m->json, node),
			      dal_json_raw(m->json, node + 1));
		node = dal_json_next(m->json, node + 1);
	}
	return r;
}

static int load_lua(struct matching *m, const char *path, struct dal_slice text)
{
	struct dal_rules_source source = {path, text, DAL_RULES_RULES};
	struct dal_errors errors = {0};
	int r = dal_rules_load(&(struct dal_rules_options){.sources = &source, .count = 1},
			       &m->rules, &errors, NULL);

	dal_errors_print(&errors, "");
	dal_errors_deinit(&errors);
	if (r != 0) {
		return DAL_EXIT_USAGE;
	}
	for (size_t i = 0; i < dal_rules_rule_count(m->rules); i++) {
		const struct dal_rule *rule = dal_rules_rule(m->rules, i);
		pattern_add(m, dal_slice_text(rule->name),
			    dal_rules_pattern(m->rules, rule->pattern));
	}
	for (size_t i = 0; i < dal_rules_projection_count(m->rules); i++) {
		const struct dal_projection *p = dal_rules_projection(m->rules, i);
		pattern_add(m, dal_slice_text(p->name), dal_rules_pattern(m->rules, p->pattern));
	}
	return 0;
}

static bool is_lua(const char *path)
{
	size_t size = strlen(path);

	return size > 4 && strcmp(path + size - 4, ".lua") == 0;
}

static int rules_load(struct matching *m, const char *rules, bool named)
{
	bool inline_json = rules[strspn(rules, " \t\n")] == '{';
	const char *name = inline_json ? "RULES" : rules;
	struct dal_buffer text = {0};
	int r = 0;

	if (inline_json) {
		dal_buffer_text(&text, rules);
	} else {
		r = dal_input_read(rules, &text);
	}
	if (r < 0) {
		r = dal_fail(m->command, DAL_EXIT_USAGE,
			     "%s: %s; RULES is a .lua file, or a pattern as JSON (or a file of it)",
			     rules, strerror(-r));
	} else if (!inline_json && is_lua(rules)) {
		r = load_lua(m, rules, dal_buffer_slice(&text));
	} else if (named) {
		r = parse_named(m, name, dal_buffer_slice(&text));
	} else {
		r = parse_one(m, name, (struct dal_slice){0}, dal_buffer_slice(&text));
	}
	dal_buffer_deinit(&text);
	return r;
}

/* --- the events --- */

static void print_names(const struct matching *m, const uint32_t *ids, size_t count,
			struct dal_slice event)
{
	struct dal_buffer out = {0};
	struct dal_json_writer w = {.out = &out};

	if (m->as_json) {
		dal_json_begin_object(&w);
		dal_json_key(&w, "names");
		dal_json_begin_array(&w);
		for (size_t i = 0; i < count; i++) {
			dal_json_put_text(&w, m->names[ids[i]]);
		}
		dal_json_end_array(&w);
		dal_json_key(&w, "event");
		dal_json_put_raw(&w, event);
		dal_json_end_object(&w);
		printf("%s\n", dal_buffer_cstr(&out));
		dal_buffer_deinit(&out);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		printf("%s%s", i > 0 ? "," : "", m->names[ids[i]]);
	}
	printf("\t%.*s\n", (int)event.size, event.data);
}

static void match_line(struct matching *m, const struct dal_input *lines, struct dal_slice line)
{
	struct dal_json_error error;
	const uint32_t *ids;
	const char *wrong = NULL;
	size_t count;

	if (dal_json_parse(m->json, line, 0, &error) != 0) {
		wrong = error.reason;
	} else if (dal_json_kind(m->json, DAL_JSON_ROOT) != DAL_JSON_OBJECT) {
		wrong = "an event is a JSON object";
	}
	if (wrong) {
		fprintf(stderr, "%s:%zu: %s\n", lines->name, lines->number, wrong);
		m->broken = true;
		return;
	}
	count = dal_matcher_match(m->matcher, m->scratch, m->json, DAL_JSON_ROOT, &ids);
	if (count == 0) {
		return;
	}
	m->matched = true;
	for (size_t i = 0; i < count; i++) {
		m->hits[ids[i]]++;
	}
	if (m->count_wanted) {
		return;
	}
	if (m->names_wanted) {
		print_names(m, ids, count, line);
	} else {
		fwrite(line.data, 1, line.size, stdout);
		putchar('\n');
	}
}

static void match_file(struct matching *m, const char *path)
{
	struct dal_input lines;
	struct dal_slice line;
	int r = dal_input_open(&lines, path);

	if (r < 0) {
		dal_fail(m->command, 0, "%s: %s", path, strerror(-r));
		m->broken = true;
		return;
	}
	while (dal_input_next(&lines, &line)) {
		match_line(m, &lines, line);
	}
	if (ferror(lines.file)) {
		dal_fail(m->command, 0, "%s can't be read to its end", lines.name);
		m->broken = true;
	}
	dal_input_close(&lines);
}

static void print_counts(const struct matching *m)
{
	struct dal_buffer out = {0};
	struct dal_json_writer w = {.out = &out};

	if (!m->as_json) {
		for (size_t i = 0; i < m->count; i++) {
			printf("%llu%s%s\n", (unsigned long long)m->hits[i],
			       m->names[i][0] ? "\t" : "", m->names[i]);
		}
		return;
	}
	dal_json_begin_object(&w);
	for (size_t i = 0; i < m->count; i++) {
		dal_json_key(&w, m->names[i][0] ? m->names[i] : "matched");
		dal_json_put_integer(&w, (int64_t)m->hits[i]);
	}
	dal_json_end_object(&w);
	printf("%s\n", dal_buffer_cstr(&out));
	dal_buffer_deinit(&out);
}

static void deinit(struct matching *m)
{
	dal_matcher_scratch_free(m->scratch);
	dal_matcher_free(m->matcher);
	for (size_t i = 0; i < m->count; i++) {
		if (m->owned) {
			dal_pattern_free(m->owned[i]);
		}
		free(m->names[i]);
	}
	free(m->owned);
	free(m->patterns);
	free(m->names);
	free(m->hits);
	dal_rules_unref(m->rules);
	dal_json_free(m->json);
}

static int match_all(struct matching *m, char **files, int count)
{
	m->matcher = dal_matcher_new(m->patterns, m->count);
	m->scratch = dal_matcher_scratch_new(m->matcher);
	m->hits = dal_calloc(m->count + 1, sizeof(*m->hits));
	for (int i = 0; i < count; i++) {
		match_file(m, files[i]);
	}
	if (count == 0) {
		match_file(m, "-");
	}
	if (m->count_wanted) {
		print_counts(m);
	}
	if (m->broken) {
		return DAL_EXIT_USAGE;
	}
	return m->matched ? DAL_EXIT_DONE : DAL_EXIT_NO;
}

static int run(const struct dal_command *command, int argc, char **argv)
{
	const char *named = NULL, *names = NULL, *count = NULL, *format = NULL;
	struct dal_option options[] = {
		{"named", NULL, "RULES is an object of name to pattern", &named},
		{"names", NULL, "prints which rules match, a tab, and the event", &names},
		{"count", NULL, "prints only how many events each rule matches", &count},
		{"format", "json", "of --names and --count", &format},
		{0},
	};
	struct matching m = {.command = command};
	int status;

	if (dal_options_parse(command, options, &argc, argv) < 0 ||
	    dal_format_parse(command, format, &m.as_json) < 0) {
		return DAL_EXIT_USAGE;
	}
	if (argc < 2) {
		return dal_usage(command, "give RULES: a .lua file, or a pattern as JSON");
	}
	m.names_wanted = names != NULL;
	m.count_wanted = count != NULL;
	m.json = dal_json_new();
	status = rules_load(&m, argv[1], named != NULL);
	if (status == DAL_EXIT_DONE) {
		status = match_all(&m, argv + 2, argc - 2);
	}
	deinit(&m);
	return status;
}

const struct dal_command dal_command_match = {
	.name = "match",
	.arguments = "RULES [FILE...]",
	.summary = "grep for JSON events (NDJSON files or stdin), by rules or one pattern",
	.example = "  dalamb match '{\"data\": {\"total\": [{\"numeric\": [\">=\", 1000]}]}}' "
		   "events.ndjson\n"
		   "  dalamb match rules/orders.lua --count < events.ndjson\n",
	.run = run,
};
