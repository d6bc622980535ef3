/*
 * What the rule tests of an app exercised, and what they did not: rules, the fields of their
 * patterns, projections, lines of guards, emits, keys, folds and their helpers. Main thread.
 *
 *	struct dal_coverage *coverage = dal_coverage_new(app->rules);
 *	dal_trial_init_covered(&trial, app, coverage);
 *	... tests ...
 *	dal_coverage_print(coverage);
 */
#ifndef DAL_CLI_COVERAGE_H
#define DAL_CLI_COVERAGE_H

#include "engine/base/map.h"
#include "engine/event/event.h"
#include "engine/event/json_write.h"
#include "rules/coverage_fields.h"
#include "rules/coverage_lines.h"
#include "rules/rules.h"

struct dal_coverage_rule {
	struct dal_coverage_fields *fields; /* of its pattern */
	uint64_t passed, refused;           /* it matched; then its guard says no */
};

struct dal_coverage_projection {
	struct dal_coverage_fields *fields;
	uint64_t folded;
};

/* Rules by index, then projections. */
struct dal_coverage_subjects {
	size_t *items;
	size_t count, capacity;
};

struct dal_coverage {
	struct dal_rules *rules; /* a reference */
	struct dal_coverage_lines *lines;
	struct dal_coverage_rule *by_rule;             /* by index */
	struct dal_coverage_projection *by_projection; /* by index */
	struct dal_map *by_type;             /* type: the subjects whose patterns name it */
	struct dal_coverage_subjects others; /* whose patterns say more of types, or nothing */
};

struct dal_coverage *dal_coverage_new(struct dal_rules *rules);
void dal_coverage_free(struct dal_coverage *coverage); /* NULL is fine */

/* An event is about to run: the patterns that its topic feeds are asked. */
void dal_coverage_event(struct dal_coverage *coverage, const struct dal_event *event);
void dal_coverage_match(struct dal_coverage *coverage, const struct dal_rule *rule, bool passed);
void dal_coverage_fold(struct dal_coverage *coverage, const struct dal_projection *projection);

/* What was not exercised, as file:line: text, and the sums. */
void dal_coverage_print(const struct dal_coverage *coverage);
/* The same, and what was, as one JSON object. */
void dal_coverage_put(const struct dal_coverage *coverage, struct dal_json_writer *writer);

#endif
