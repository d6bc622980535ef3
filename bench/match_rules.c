#include "bench/match_rules.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/memory.h"

struct reader {
	FILE *file;
	struct dal_buffer text; /* of one member: "name": {...} */
	struct dal_json *json, *pattern;
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "RULES: %s\n", what);
	exit(2);
}

static inline void put(struct dal_buffer *text, int c)
{
	if (text->size == text->capacity) {
		dal_buffer_reserve(text, 256);
	}
	text->data[text->size++] = (char)c;
}

/* Up to the comma or brace that ends the member; false: there are no more. */
static bool read_member(struct reader *reader)
{
	int depth = 0, c;
	bool string = false;
	dal_buffer_clear(&reader->text);
	put(&reader->text, '{');
	while ((c = getc_unlocked(reader->file)) != EOF) {
		if (string && c == '\\') {
			put(&reader->text, c);
			c = getc_unlocked(reader->file);
		} else if (c == '"') {
			string = !string;
		} else if (!string && (c == '{' || c == '[')) {
			depth++;
		} else if (!string && (c == '}' || c == ']') && depth-- == 0) {
			break;
		} else if (!string && c == ',' && depth == 0) {
			break;
		}
		put(&reader->text, c);
	}
	put(&reader->text, '}');
	return reader->text.size > 2;
}

static void add(struct bench_rules *rules, struct reader *reader)
{
	struct dal_error error;
	struct dal_json *json = reader->json;
	if (dal_json_parse(json, dal_buffer_slice(&reader->text), 0, NULL) != 0) {
		fail("not a JSON object");
	}
	if (dal_json_count(json, DAL_JSON_ROOT) == 0) {
		return;
	}
	DAL_GROW(rules->patterns, rules->count, rules->capacity);
	size_t count = rules->count;
	DAL_GROW(rules->names, count, rules->names_capacity);
	rules->names[count] = dal_slice_dup(dal_json_string(json, DAL_JSON_ROOT + 1));
	if (dal_pattern_parse_with(reader->pattern, dal_json_raw(json, DAL_JSON_ROOT + 2), 0,
				   &rules->patterns[count], &error) != 0) {
		fprintf(stderr, "%s: %s\n", rules->names[count], error.text);
		exit(2);
	}
	rules->count++;
}

void bench_rules_read(struct bench_rules *rules, const char *path)
{
	struct reader reader = {
		.file = fopen(path, "re"), .json = dal_json_new(), .pattern = dal_json_new()};
	int c = reader.file ? getc(reader.file) : EOF;
	while (c == ' ' || c == '\n') {
		c = getc(reader.file);
	}
	if (c != '{') {
		fail("can't be read as a JSON object");
	}
	while (read_member(&reader)) {
		add(rules, &reader);
	}
	fclose(reader.file);
	dal_buffer_deinit(&reader.text);
	dal_json_free(reader.json);
	dal_json_free(reader.pattern);
}

void bench_rules_free(struct bench_rules *rules)
{
	for (size_t i = 0; i < rules->count; i++) {
		dal_pattern_free(rules->patterns[i]);
		free(rules->names[i]);
	}
	free(rules->patterns);
	free(rules->names);
}
