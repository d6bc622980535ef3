#include "rules/matcher.h"

#include "engine/base/error.h"
#include "engine/base/memory.h"
#include "rules/matcher_scratch.h"

struct dal_matcher *dal_matcher_new(const struct dal_pattern *const *patterns, size_t count)
{
	struct dal_matcher *matcher = dal_calloc(1, sizeof(*matcher));

	DAL_ASSERT(count < DAL_ENTRY_SURE);
	matcher->rule_count = (uint32_t)count;
	matcher->rules = dal_calloc(count + 1, sizeof(*matcher->rules));
	for (size_t i = 0; i < count; i++) {
		matcher->rules[i].pattern = patterns[i];
	}
	dal_matcher_build(matcher);
	return matcher;
}

void dal_matcher_free(struct dal_matcher *matcher)
{
	if (!matcher) {
		return;
	}
	for (uint32_t i = 0; i < matcher->field_count; i++) {
		dal_index_free(matcher->fields[i].index);
	}
	free(matcher->rules);
	free(matcher->fields);
	free(matcher->field_table.slots);
	free(matcher->field_table.hashes);
	free(matcher->conditions);
	free(matcher->rule_conditions.items);
	free(matcher->atoms);
	free(matcher->atom_table.slots);
	free(matcher->atom_table.hashes);
	free(matcher->entries);
	free(matcher->absent_fields.items);
	free(matcher);
}

struct dal_matcher_scratch *dal_matcher_scratch_new(const struct dal_matcher *matcher)
{
	struct dal_matcher_scratch *scratch = dal_calloc(1, sizeof(*scratch));

	scratch->fields = dal_calloc(matcher->field_count, sizeof(*scratch->fields));
	scratch->conditions = dal_calloc(matcher->condition_count + 1,
					 sizeof(*scratch->conditions));
	scratch->rules = dal_calloc(matcher->rule_count + 1, sizeof(*scratch->rules));
	scratch->bits = dal_calloc(matcher->rule_count / 64 + 1, sizeof(*scratch->bits));
	scratch->used = dal_calloc(matcher->rule_count / 4096 + 1, sizeof(*scratch->used));
	return scratch;
}

void dal_matcher_scratch_free(struct dal_matcher_scratch *scratch)
{
	if (scratch) {
		free(scratch->fields);
		free(scratch->conditions);
		free(scratch->rules);
		free(scratch->bits);
		free(scratch->used);
		free(scratch->candidates.items);
		free(scratch->matched.items);
		dal_buffer_deinit(&scratch->folded);
		dal_wildcard_scratch_deinit(&scratch->wildcards);
		free(scratch);
	}
}
