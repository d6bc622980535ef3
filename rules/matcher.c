#include "rules/matcher.h"

#include "engine/base/error.h"
#include "engine/base/memory.h"
#include "rules/matcher_scratch.h"

static void take_rule(struct dal_matcher *matcher, uint32_t id, const struct dal_pattern *pattern)
{
	while (matcher->rule_count <= id) {
		DAL_GROW(matcher->rules, matcher->rule_count, matcher->rule_capacity);
		matcher->rules[matcher->rule_count++] = (struct dal_matcher_rule){0};
	}
	DAL_ASSERT(!matcher->rules[id].pattern);
	matcher->rules[id].pattern = pattern;
	dal_rule_count(matcher, id);
}

/* All are counted before the first one is entered, so that each knows what is rare. */
struct dal_matcher *dal_matcher_new(const struct dal_pattern *const *patterns, size_t count)
{
	struct dal_matcher *matcher = dal_calloc(1, sizeof(*matcher));

	DAL_ASSERT(count < DAL_ENTRY_VERIFY);
	matcher->names = dal_json_names_new();
	matcher->field_count = matcher->field_capacity = 1;
	matcher->fields = dal_calloc(1, sizeof(*matcher->fields)); /* the root */
	for (uint32_t i = 0; i < count; i++) {
		if (patterns[i]) {
			take_rule(matcher, i, patterns[i]);
		}
	}
	for (uint32_t i = 0; i < matcher->rule_count; i++) {
		if (matcher->rules[i].pattern) {
			dal_rule_enter(matcher, i);
		}
	}
	return matcher;
}

void dal_matcher_free(struct dal_matcher *matcher)
{
	if (!matcher) {
		return;
	}
	for (uint32_t i = 0; i < matcher->rule_count; i++) {
		free(matcher->rules[i].conditions.items);
		free(matcher->rules[i].entered.items);
	}
	for (uint32_t i = 0; i < matcher->field_count; i++) {
		dal_field_index_free(matcher->fields[i].index);
	}
	for (uint32_t i = 0; i < matcher->atom_count; i++) {
		dal_atom_deinit(&matcher->atoms[i]);
	}
	free(matcher->rules);
	free(matcher->fields);
	free(matcher->conditions);
	free(matcher->atoms);
	free(matcher->free_conditions.items);
	free(matcher->free_atoms.items);
	free(matcher->absent_fields.items);
	dal_id_table_deinit(&matcher->condition_table);
	dal_id_table_deinit(&matcher->atom_table);
	dal_json_names_free(matcher->names);
	free(matcher);
}

void dal_matcher_add(struct dal_matcher *matcher, uint32_t id, const struct dal_pattern *pattern)
{
	take_rule(matcher, id, pattern);
	dal_rule_enter(matcher, id);
}

void dal_matcher_remove(struct dal_matcher *matcher, uint32_t id)
{
	dal_rule_drop(matcher, id);
}

struct dal_matcher_scratch *dal_matcher_scratch_new(const struct dal_matcher *matcher)
{
	(void)matcher;
	struct dal_matcher_scratch *scratch = dal_calloc(1, sizeof(*scratch));
	scratch->regexps = dal_regexp_scratch_new();
	return scratch;
}

void dal_matcher_scratch_free(struct dal_matcher_scratch *scratch)
{
	if (scratch) {
		free(scratch->marks);
		free(scratch->conditions);
		free(scratch->bits);
		free(scratch->used);
		for (uint32_t i = 0; i < scratch->field_capacity; i++) {
			free(scratch->fields[i].pending.items);
		}
		free(scratch->fields);
		free(scratch->asked);
		free(scratch->seen.slots);
		free(scratch->fired.items);
		free(scratch->matched.items);
		dal_buffer_deinit(&scratch->folded);
		dal_wildcard_scratch_deinit(&scratch->wildcards);
		dal_regexp_scratch_free(scratch->regexps);
		free(scratch);
	}
}
