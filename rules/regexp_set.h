/*
 * The inside of a set of regular expressions. Private to rules/regexp*.c.
 *
 * An expression is a sequence of pieces: characters, classes, groups, each with its quantifier.
 * The set is a tree whose edges are pieces, so that expressions that begin alike share states:
 * `.*a.*b` and `.*a.*c` go their ways behind `.*a.*`. A place in that tree is an END or a SPLIT
 * state, which leads to a SPLIT state for each child, one after the other, and from there to the
 * states of the child's piece, which lead to the child's place.
 */
#ifndef DAL_RULES_REGEXP_SET_H
#define DAL_RULES_REGEXP_SET_H

#include "engine/base/map.h"
#include "rules/regexp_bits.h"

/* An expression in the set; those with the same pieces are in one list. */
struct dal_regexp_member {
	uint32_t id;
	const struct dal_regexp *regexp;
	struct dal_regexp_place *place; /* where it ends */
	struct dal_regexp_member *next;
};

struct dal_regexp_place {
	struct dal_regexp_place *parent, *first_child, *next, *previous;
	struct dal_regexp_member *members; /* those that end here */
	uint32_t uses;                     /* members here and below */
	uint32_t serial;                   /* its name in keys, never used twice */
	uint32_t state;                    /* END if there are members, else SPLIT */
	uint32_t link;                     /* the SPLIT among the parent's children */
	uint32_t chain;                    /* all its states */
};

struct dal_regexps {
	struct dal_regexp_states states;
	struct dal_regexp_place root;
	struct dal_map *places;  /* by the parent's serial and the piece */
	struct dal_map *members; /* by id */
	uint32_t serials;
	struct dal_regexp_cost alone; /* of all members, each loaded and asked alone */
	uint64_t serial;              /* no other set of this process has or had it */
	uint64_t generation;          /* another after each change, likewise */
};

#endif
