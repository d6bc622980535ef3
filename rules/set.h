/* The rule set as it is inside. Private to rules. */
#ifndef DAL_RULES_SET_H
#define DAL_RULES_SET_H

#include <stdatomic.h>

#include "engine/base/map.h"
#include "rules/rules.h"

struct dal_rule_own {
	struct dal_rule rule;
	struct dal_pattern *pattern;
	int64_t when, emit; /* functions by number; 0: none */
	struct dal_reads reads;
};

struct dal_projection_own {
	struct dal_projection projection;
	struct dal_pattern *pattern;
	int64_t key, fold;
	char *init; /* what projection.init points at */
	char digest[2 * 32 + 1];
};

struct dal_function_own {
	size_t source;
	int line;
	char *what;    /* `rule "x"` */
	bool is_short; /* its instructions need not be counted: dal_chunk_is_short */
	struct dal_reads reads;
	struct dal_emits emits;
};

struct dal_rules {
	atomic_uint references;
	struct dal_rules_source *sources;
	size_t source_count;
	const struct dal_declarable *const *declarables;
	const char *call_declarable;
	char digest[2 * 32 + 1];

	struct dal_rule_own *rules;
	size_t rule_count, rule_capacity;
	struct dal_projection_own *projections;
	size_t projection_count, projection_capacity;
	struct dal_map *rule_names, *projection_names; /* to index + 1 */
	struct dal_pattern **others;                   /* of other folders' declarations */
	size_t other_count, other_capacity;
	const struct dal_pattern **patterns; /* all, by id */
	size_t pattern_count;
	struct dal_matcher *matcher;

	struct dal_function_own *functions; /* by number - 1 */
	size_t function_count, function_capacity;
	struct dal_declaration *declarations;
	size_t declaration_count, declaration_capacity;
	struct dal_rules_test *tests;
	size_t test_count, test_capacity;
};

void dal_rules_test_deinit(struct dal_rules_test *test);

#endif
