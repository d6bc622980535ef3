/*
 * What a thread remembers while it matches one event. Private to rules.
 *
 * Nothing is cleared between events: what was written for an earlier one carries its stamp.
 */
#ifndef DAL_RULES_MATCHER_SCRATCH_H
#define DAL_RULES_MATCHER_SCRATCH_H

#include "rules/matcher_wildcards.h"

struct dal_field_state {
	uint32_t stamp;
	uint32_t node; /* the field's value */
	bool several;  /* in more than one element of an array: `node` is only one of them */
	bool scalar;   /* some value holds a scalar, so the field exists */
};

struct dal_matcher_scratch {
	uint32_t stamp;                 /* of this event; the highest bit stays free */
	struct dal_field_state *fields; /* by field */
	uint32_t *conditions;           /* by condition: stamp << 1 | whether it holds */
	uint32_t *rules;                /* by rule: stamp once it is a candidate, or matched */
	struct dal_ids candidates;      /* to be verified */
	struct dal_ids matched;
	uint64_t *bits, *used; /* by rule, by 64 rules; all 0: see sort_matched() */
	struct dal_buffer folded;
	struct dal_wildcard_scratch wildcards;
};

#endif
