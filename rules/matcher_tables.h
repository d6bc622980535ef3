/*
 * The inside of a matcher. Private to rules.
 *
 * - fields: a tree of the names that some pattern uses; an event is walked along it and nowhere
 *   else.
 * - atoms: the distinct operators of each field. A field's value finds those that it satisfies
 *   through a hash, radix trees, trees of intervals, automata, and marks them. Those by equality
 *   are always found so, others only while some rule is entered by them.
 * - conditions: the distinct leaves (a field with its list of operators) of all patterns. What one
 *   says about an event is asked once, however many rules share it, and only if somebody asks.
 * - rules: a rule is entered by the leaf that fewest rules share. When an atom of it holds, what
 *   else the rule wants is verified: marks of atoms where that is enough, conditions otherwise.
 *
 * matcher.c owns, matcher_atom.c and matcher_rule.c fill the tables, matcher_find.c takes a value
 * to its atoms, matcher_match.c an event to its rules.
 */
#ifndef DAL_RULES_MATCHER_TABLES_H
#define DAL_RULES_MATCHER_TABLES_H

#include "engine/event/json_select.h"
#include "rules/affixes.h"
#include "rules/intervals.h"
#include "rules/matcher.h"
#include "rules/pattern_tree.h"
#include "rules/regexp.h"
#include "rules/wildcards.h"

struct dal_ids {
	uint32_t *items;
	uint32_t count, capacity;
};

/* How a field's value finds its atoms; NULL: there are none of that kind. */
struct dal_field_index {
	struct dal_id_table equal; /* strings, folded ones, numbers, blocks */
	uint64_t lengths;          /* of its strings: bit n, the last for all longer ones */
	uint32_t numbers, folded;  /* how many of those it has */
	uint32_t blocks[2][129];   /* how many of each version by bits */
	uint32_t blocks_count;
	uint32_t literals[DAL_OPERATOR_TRUE + 1]; /* null, false, true, or DAL_ABSENT */
	uint32_t exists;                          /* or DAL_ABSENT */
	struct dal_affixes *prefixes, *suffixes, *folded_prefixes, *folded_suffixes;
	struct dal_intervals *ranges, *times;
	struct dal_wildcards *wildcards;
	struct dal_regexps *regexps;
	struct dal_ids others; /* to be asked one by one: anything-but */
	struct dal_ids absent; /* rules that may match when the field is missing */
};

struct dal_field {
	bool leaf;                     /* some pattern looks at its own value */
	struct dal_field_index *index; /* NULL: no atoms */
};

struct dal_condition {
	const struct dal_pattern_field *leaf; /* NULL: free */
	uint32_t field;
	uint32_t uses;
	uint32_t hash;
};

/* What remains to be verified of a rule: an atom that must be marked, or with this bit a condition
 * that must hold. */
#define DAL_REST_CONDITION 0x80000000u

/* A rule that is entered by an atom. */
#define DAL_ENTRY_VERIFY 0x80000000u /* its pattern has more to say than `rest` */

struct dal_entry {
	uint32_t rule;    /* perhaps with DAL_ENTRY_VERIFY */
	uint32_t rest[2]; /* or DAL_ABSENT */
};

struct dal_atom {
	const struct dal_operator *op; /* NULL: free */
	uint32_t field;
	uint32_t uses; /* leaves that hold it, and entries */
	uint32_t entry_count, entry_capacity;
	struct dal_entry *entries;
	bool made; /* no pattern wrote it: the operator is the matcher's own */
};

struct dal_matcher_rule {
	const struct dal_pattern *pattern; /* NULL: there is none */
	struct dal_ids conditions;         /* those outside of $or */
	struct dal_ids entered;            /* its atoms, or fields with DAL_ENTERED_ABSENT */
	bool has_or;
};

#define DAL_ENTERED_ABSENT 0x80000000u

struct dal_matcher {
	struct dal_matcher_rule *rules;
	uint32_t rule_count, rule_capacity;

	struct dal_json_names *names;
	struct dal_field *fields; /* by name's id */
	uint32_t field_count, field_capacity;

	struct dal_condition *conditions;
	uint32_t condition_count, condition_capacity;
	struct dal_id_table condition_table;
	struct dal_ids free_conditions;

	struct dal_atom *atoms;
	uint32_t atom_count, atom_capacity;
	struct dal_id_table atom_table; /* those that no field's `equal` has */
	struct dal_ids free_atoms;

	struct dal_ids absent_fields; /* those whose index has `absent` */
};

void dal_ids_add(struct dal_ids *ids, uint32_t id);
void dal_ids_remove(struct dal_ids *ids, uint32_t id); /* the order is not kept */

static inline bool dal_operator_by_equality(const struct dal_operator *op)
{
	switch (op->kind) {
	case DAL_OPERATOR_NULL:
	case DAL_OPERATOR_FALSE:
	case DAL_OPERATOR_TRUE:
	case DAL_OPERATOR_EXISTS:
	case DAL_OPERATOR_STRING:
	case DAL_OPERATOR_NUMBER:
	case DAL_OPERATOR_FOLDED:
	case DAL_OPERATOR_CIDR:
		return true;
	default:
		return false;
	}
}

/* matcher_atom.c */
uint32_t dal_operator_hash(const struct dal_operator *op);
bool dal_operator_equal(const struct dal_operator *a, const struct dal_operator *b);
/* The atom, made if it is new, with one use more. */
uint32_t dal_atom_use(struct dal_matcher *matcher, uint32_t field, const struct dal_operator *op);
/* The same of an operator that no pattern wrote: the end of a wildcard. It is copied, its text not.
 */
uint32_t dal_atom_make(struct dal_matcher *matcher, uint32_t field, struct dal_operator op);
uint32_t dal_atom_find(const struct dal_matcher *matcher, uint32_t field,
		       const struct dal_operator *op);
void dal_atom_drop(struct dal_matcher *matcher, uint32_t atom);
void dal_atom_deinit(struct dal_atom *atom);
void dal_atom_enter(struct dal_matcher *matcher, uint32_t atom, struct dal_entry entry);
/* Takes out one of the rule's entries. */
void dal_atom_leave(struct dal_matcher *matcher, uint32_t atom, uint32_t rule);
void dal_field_index_free(struct dal_field_index *index); /* NULL is fine */
struct dal_field_index *dal_field_index(struct dal_matcher *matcher, uint32_t field);

struct dal_order dal_number_order(const struct dal_number *number);
struct dal_order dal_instant_order(const struct dal_instant *instant);

/* matcher_rule.c */
void dal_rule_count(struct dal_matcher *matcher, uint32_t rule);
void dal_rule_enter(struct dal_matcher *matcher, uint32_t rule);
void dal_rule_drop(struct dal_matcher *matcher, uint32_t rule);

#endif
