/*
 * Answers on stdout what is asked on stdin, one line each, for tests that know the right answer:
 *
 *	P PATTERN   ok, or "error LINE:COLUMN: text"
 *	E EVENT     a digit for each pattern so far: 1 matched, 0 not, - the pattern is invalid
 *	X N EVENT   field, found, expected, hint, between tabs: why pattern N (from 0) is none
 *	C PATTERN   its canonical form, or as P
 *	L LUA       the same of a pattern as a rule file spells it
 *	R           forgets all patterns (no answer)
 *
 * An event is run through each pattern alone (dal_pattern_test), through a matcher of its own,
 * through one matcher of all, parsed and scanned, and through one to which patterns are added and
 * from which they are taken as the questions come; where they differ, the digit is '!'.
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/memory.h"
#include "rules/matcher.h"
#include "rules/rules.h"

struct set {
	struct dal_pattern **patterns; /* NULL: invalid */
	struct dal_matcher **alone;
	size_t count, capacity, alone_capacity;
	struct dal_matcher *all, *changing;
	struct dal_matcher_scratch *changing_scratch;
	bool *absent; /* by pattern: it is not in `changing` at the moment */
	size_t turn;
	struct dal_json *json, *selected;
	struct dal_buffer padded;
};

/* Every question takes a pattern out of the changing matcher, or puts it back. */
static void change(struct set *set)
{
	size_t at = set->turn++ * 7 % set->count;
	if (!set->patterns[at]) {
		return;
	}
	if (set->absent[at]) {
		dal_matcher_add(set->changing, (uint32_t)at, set->patterns[at]);
	} else {
		dal_matcher_remove(set->changing, (uint32_t)at);
	}
	set->absent[at] = !set->absent[at];
}

static void forget(struct set *set)
{
	dal_matcher_scratch_free(set->changing_scratch);
	dal_matcher_free(set->changing);
	set->changing = dal_matcher_new(NULL, 0);
	set->changing_scratch = dal_matcher_scratch_new(set->changing);
	for (size_t i = 0; i < set->count; i++) {
		dal_matcher_free(set->alone[i]);
		dal_pattern_free(set->patterns[i]);
	}
	dal_matcher_free(set->all);
	set->all = NULL;
	set->count = 0;
}

static void add(struct set *set, struct dal_slice text)
{
	struct dal_error error;
	struct dal_pattern *pattern = NULL;
	if (dal_pattern_parse(text, 0, &pattern, &error) == 0) {
		puts("ok");
	} else {
		printf("error %d:%d: %s\n", error.line, error.column, error.text);
	}
	if (set->count == set->capacity) {
		set->capacity = set->capacity ? set->capacity * 2 : 64;
		set->patterns = dal_reallocarray(set->patterns, set->capacity,
						 sizeof(*set->patterns));
		set->alone = dal_reallocarray(set->alone, set->capacity, sizeof(*set->alone));
		set->absent = dal_reallocarray(set->absent, set->capacity, sizeof(*set->absent));
	}
	if (pattern) {
		dal_matcher_add(set->changing, (uint32_t)set->count, pattern);
	}
	set->absent[set->count] = false;
	const struct dal_pattern *const one[] = {pattern};
	set->patterns[set->count] = pattern;
	set->alone[set->count++] = dal_matcher_new(one, 1);
	dal_matcher_free(set->all);
	set->all = NULL;
}

static bool matches_alone(const struct dal_matcher *matcher, const struct dal_json *json)
{
	const uint32_t *ids;
	struct dal_matcher_scratch *scratch = dal_matcher_scratch_new(matcher);
	size_t count = dal_matcher_match(matcher, scratch, json, DAL_JSON_ROOT, &ids);
	dal_matcher_scratch_free(scratch);
	return count == 1;
}

/* The answer of one matcher: which patterns match, taken one by one in their order. */
struct answer {
	const uint32_t *ids;
	size_t left;
};

static bool take(struct answer *answer, size_t id)
{
	bool matches = answer->left > 0 && *answer->ids == id;
	if (matches) { /* an answer without any may have no list */
		answer->ids++;
		answer->left--;
	}
	return matches;
}

static struct answer scan(struct set *set, struct dal_matcher_scratch *scratch,
			  struct dal_slice text)
{
	struct answer answer = {NULL, 0};
	dal_buffer_clear(&set->padded);
	dal_buffer_slice_append(&set->padded, text);
	dal_buffer_reserve(&set->padded, DAL_JSON_PADDING);
	if (dal_matcher_scan(set->all, scratch, set->selected, dal_buffer_slice(&set->padded),
			     &answer.ids, &answer.left) != 0) {
		answer.left = SIZE_MAX; /* then nothing fits */
	}
	return answer;
}

static void ask(struct set *set, struct dal_slice text)
{
	struct answer all, scanned, changing;
	if (dal_json_parse(set->json, text, 0, NULL) != 0) {
		puts("error");
		return;
	}
	if (!set->all) {
		set->all = dal_matcher_new((const struct dal_pattern *const *)set->patterns,
					   set->count);
	}
	if (set->count > 0) {
		change(set);
	}
	struct dal_matcher_scratch *scratch = dal_matcher_scratch_new(set->all);
	struct dal_matcher_scratch *other = dal_matcher_scratch_new(set->all);
	all.left = dal_matcher_match(set->all, scratch, set->json, DAL_JSON_ROOT, &all.ids);
	changing.left = dal_matcher_match(set->changing, set->changing_scratch, set->json,
					  DAL_JSON_ROOT, &changing.ids);
	scanned = scan(set, other, text);
	for (size_t i = 0; i < set->count; i++) {
		if (!set->patterns[i]) {
			putchar('-');
			continue;
		}
		bool test = dal_pattern_test(set->patterns[i], set->json, DAL_JSON_ROOT);
		bool same = take(&all, i) == test;
		same &= take(&scanned, i) == test;
		same &= take(&changing, i) == (test && !set->absent[i]);
		same &= matches_alone(set->alone[i], set->json) == test;
		putchar(!same ? '!' : test ? '1' : '0');
	}
	puts(all.left + scanned.left + changing.left > 0 ? "!" : "");
	dal_matcher_scratch_free(scratch);
	dal_matcher_scratch_free(other);
}

static void explain(struct set *set, char *text)
{
	struct dal_pattern_miss miss = {0};
	unsigned long index = strtoul(text, &text, 10);
	if (index >= set->count || !set->patterns[index] ||
	    dal_json_parse(set->json, dal_slice_text(text), 0, NULL) != 0) {
		puts("error");
		return;
	}
	if (dal_pattern_explain(set->patterns[index], set->json, DAL_JSON_ROOT, &miss)) {
		puts("match");
	} else {
		printf("%s\t%s\t", dal_buffer_cstr(&miss.field), dal_buffer_cstr(&miss.found));
		printf("%s\t%s\n", dal_buffer_cstr(&miss.expected), dal_buffer_cstr(&miss.hint));
	}
	dal_pattern_miss_deinit(&miss);
}

static void print(const struct dal_pattern *pattern)
{
	struct dal_buffer out = {0};
	dal_pattern_print(pattern, &out);
	puts(dal_buffer_cstr(&out));
	dal_buffer_deinit(&out);
}

static void canonical(struct dal_slice text)
{
	struct dal_error error;
	struct dal_pattern *pattern;
	if (dal_pattern_parse(text, 0, &pattern, &error) != 0) {
		printf("error %d:%d: %s\n", error.line, error.column, error.text);
		return;
	}
	print(pattern);
	dal_pattern_free(pattern);
}

static void canonical_of_lua(const char *text)
{
	struct dal_errors errors = {0};
	struct dal_rules *rules;
	char *file = dal_asprintf("rule \"r\" { call = \"f\", on = %s }", text);
	const struct dal_rules_source source = {"r.lua", dal_slice_text(file), DAL_RULES_RULES};
	struct dal_rules_options options = {.sources = &source, .count = 1};
	if (dal_rules_load(&options, &rules, &errors, NULL) == 0) {
		print(dal_rules_pattern(rules, 0));
		dal_rules_unref(rules);
	} else {
		printf("error %d: %s\n", errors.items[0].line, errors.items[0].text);
	}
	dal_errors_deinit(&errors);
	free(file);
}

int main(void)
{
	struct set set = {.json = dal_json_new(), .selected = dal_json_new()};
	char *line = NULL;
	size_t capacity = 0;
	ssize_t size;

	forget(&set);
	while ((size = getline(&line, &capacity, stdin)) > 0) {
		line[size - 1] = line[size - 1] == '\n' ? '\0' : line[size - 1];
		struct dal_slice text = dal_slice_text(size > 2 ? line + 2 : "");
		switch (line[0]) {
		case 'P':
			add(&set, text);
			break;
		case 'E':
			ask(&set, text);
			break;
		case 'X':
			explain(&set, line + 2);
			break;
		case 'C':
			canonical(text);
			break;
		case 'L':
			canonical_of_lua(line + 2);
			break;
		case 'R':
			forget(&set);
			break;
		default:
			fprintf(stderr, "a line begins with P, E, X, C, L or R: %s\n", line);
			return 2;
		}
	}
	forget(&set);
	dal_matcher_scratch_free(set.changing_scratch);
	dal_matcher_free(set.changing);
	free(set.patterns);
	free(set.alone);
	free(set.absent);
	dal_json_free(set.json);
	dal_json_free(set.selected);
	dal_buffer_deinit(&set.padded);
	free(line);
	return 0;
}
