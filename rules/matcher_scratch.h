/*
 * What a thread remembers while it matches one event. Private to rules.
 *
 * Nothing is cleared between events: what was written for an earlier one carries its stamp.
 */
#ifndef DAL_RULES_MATCHER_SCRATCH_H
#define DAL_RULES_MATCHER_SCRATCH_H

#include "rules/matcher_tables.h"

struct dal_field_state {
	uint32_t stamp;
	uint32_t node; /* the field's value */
	bool several;  /* in more than one element of an array: `node` is only one of them */
	bool exists;   /* some value holds a scalar */
	bool read;     /* `scalar` is what `node` says: it is a scalar itself */
	struct dal_scalar scalar;
	uint32_t values;        /* how many scalars were found so far */
	struct dal_ids pending; /* from the second one on: atoms that are still to be asked */
};

/* Values of fields in this event. */
struct dal_seen_slot {
	uint32_t stamp; /* of another event: the slot is free */
	uint32_t hash, field, node;
};

struct dal_seen {
	struct dal_seen_slot *slots;
	uint32_t mask, count, stamp;
};

struct dal_matcher_scratch {
	uint32_t stamp;  /* of this event; the highest bit stays free */
	uint32_t *marks; /* by atom: stamp << 1 | whether it holds in one of several elements */
	uint32_t *conditions;  /* by condition: stamp << 1 | whether it holds */
	uint32_t *asked;       /* by rule: the stamp of the event whose whole pattern was asked */
	uint64_t *bits, *used; /* by rule, by 64 rules; all 0: see sort_matched() */
	struct dal_field_state *fields; /* by field */
	uint32_t atom_capacity, condition_capacity, rule_capacity, field_capacity;
	struct dal_ids fired; /* atoms that rules are entered by */
	struct dal_ids matched;
	struct dal_buffer folded;
	struct dal_seen seen;
	struct dal_wildcard_scratch wildcards;
	struct dal_regexp_scratch *regexps;
};

/* One event on its way through a matcher. */
struct dal_matching {
	const struct dal_matcher *matcher;
	struct dal_matcher_scratch *scratch;
	const struct dal_json *json;
	struct dal_scalar scalar; /* the one in work */
	uint32_t mark;            /* what its atoms are marked with */
};

/* matcher_find.c: marks the atoms of a field that the scalar in work satisfies. */
void dal_matching_find(struct dal_matching *matching, uint32_t field);
/* matcher_seen.c: had the field this value before? Then it is remembered. */
bool dal_seen_before(struct dal_seen *seen, const struct dal_json *json, uint32_t stamp,
		     uint32_t field, uint32_t node);

#endif
