/*
 * The inside of a matcher. Private to rules.
 *
 * - fields: a tree of the names that some pattern uses; an event is walked along it and nowhere
 * else.
 * - conditions: the distinct leaves (a field with its list of operators) of all patterns. What one
 *   says about an event is asked once, however many rules share it.
 * - atoms: the distinct single operators by which rules are entered. A field's values find the
 * atoms that they satisfy through hashes, sorted affixes, an interval tree; see matcher_index.c.
 * - rules: a rule is entered by the leaf that fewest rules share, and when an atom of it holds, its
 *   conditions are verified.
 *
 * matcher.c owns, matcher_build.c fills the tables, matcher_match.c runs an event through them.
 */
#ifndef DAL_RULES_MATCHER_TABLES_H
#define DAL_RULES_MATCHER_TABLES_H

#include "rules/matcher.h"
#include "rules/pattern_tree.h"

#define DAL_FIELD_ROOT 0u
#define DAL_ABSENT UINT32_MAX

/* An open hash table of ids; the owner of the ids compares. */
struct dal_id_table {
	uint32_t *slots;  /* id + 1, or 0 */
	uint32_t *hashes; /* of the id in the slot beside */
	uint32_t mask, count;
};

/* Texts in byte order (suffixes: in the order of their last bytes first), with the atom of each. */
struct dal_affix {
	struct dal_slice text;
	uint32_t atom;
	uint32_t parent; /* the nearest before it that its own text begins with, or DAL_ABSENT */
};

struct dal_affixes {
	struct dal_affix *items;
	uint32_t count, capacity;
};

/* Ranges by their lower bound; `highest` is the one that reaches furthest in the item's half. */
struct dal_interval {
	const struct dal_range *range;
	const struct dal_range *highest;
	uint32_t atom;
};

struct dal_intervals {
	struct dal_interval *items;
	uint32_t count, capacity;
};

struct dal_ids {
	uint32_t *items;
	size_t count, capacity;
};

struct dal_wildcards; /* matcher_wildcards.h */

/* The atoms of one field, but for those that the table of atoms finds by equality. */
struct dal_field_index {
	bool equal, folded, numbers; /* are there strings, folded strings, numbers in that table */
	struct dal_affixes prefixes, suffixes, folded_prefixes, folded_suffixes;
	struct dal_intervals intervals;
	struct dal_wildcards *wildcards; /* those that neither end helps to find; or NULL */
	struct dal_ids excluding;        /* anything-but */
	struct dal_ids literals;         /* true, false, null, exists(true) */
	struct dal_ids absent;           /* rules to be verified when the field may be missing */
};

struct dal_field {
	struct dal_slice name;
	uint32_t parent;
	uint32_t children;
	bool leaf;                     /* some condition is about it */
	struct dal_field_index *index; /* NULL: no atoms */
};

struct dal_condition {
	const struct dal_pattern_field *leaf;
	uint32_t field;
};

struct dal_atom {
	const struct dal_operator *op;
	uint32_t field;
	uint32_t shares;             /* how many leaves hold it */
	uint32_t first, entry_count; /* in `entries` */
};

/* An entry is a rule's id; this bit says that it matches, with nothing left to verify. */
#define DAL_ENTRY_SURE 0x80000000u

struct dal_matcher_rule {
	const struct dal_pattern *pattern; /* NULL: there is none */
	uint32_t first, count;             /* in `rule_conditions` */
	bool has_or;                       /* its $or is not among the conditions */
};

struct dal_matcher {
	struct dal_matcher_rule *rules;
	uint32_t rule_count;

	struct dal_field *fields;
	uint32_t field_count, field_capacity;
	struct dal_id_table field_table;

	struct dal_condition *conditions;
	uint32_t condition_count, condition_capacity;
	struct dal_ids rule_conditions;

	struct dal_atom *atoms;
	uint32_t atom_count, atom_capacity;
	struct dal_id_table atom_table;
	uint32_t *entries;

	struct dal_ids absent_fields; /* those whose index has `absent` */
};

void dal_ids_add(struct dal_ids *ids, uint32_t id);

/* matcher_table.c: hashing, and the tables by equality. */
uint32_t dal_field_hash(uint32_t parent, struct dal_slice name);
uint32_t dal_operator_hash(uint32_t field, const struct dal_operator *op);
bool dal_operator_equal(const struct dal_operator *a, const struct dal_operator *b);
void dal_id_table_add(struct dal_id_table *table, uint32_t hash, uint32_t id);
/* Walks the ids with this hash: start with *at = hash; DAL_ABSENT at the end. */
static inline uint32_t dal_id_table_next(const struct dal_id_table *table, uint32_t hash,
					 uint32_t *at)
{
	while (table->slots) {
		uint32_t slot = (*at)++ & table->mask;
		if (table->slots[slot] == 0) {
			break;
		}
		if (table->hashes[slot] == hash) {
			return table->slots[slot] - 1;
		}
	}
	return DAL_ABSENT;
}
uint32_t dal_field_find(const struct dal_matcher *matcher, uint32_t parent, struct dal_slice name);
uint32_t dal_atom_find(const struct dal_matcher *matcher, uint32_t field,
		       const struct dal_operator *op, uint32_t hash);

void dal_matcher_build(struct dal_matcher *matcher);

/* matcher_index.c */
void dal_affixes_add(struct dal_affixes *affixes, struct dal_slice text, uint32_t atom);
void dal_affixes_finish(struct dal_affixes *affixes, bool suffix);
void dal_index_add(struct dal_field_index *index, const struct dal_atom *atom, uint32_t id);
void dal_index_finish(struct dal_field_index *index);
void dal_index_free(struct dal_field_index *index); /* NULL is fine */
/* Calls `fire` for each affix that `value` begins (or ends) with. */
void dal_affixes_find(const struct dal_affixes *affixes, struct dal_slice value, bool suffix,
		      void (*fire)(void *own, uint32_t atom), void *own);
void dal_intervals_find(const struct dal_intervals *intervals, const struct dal_number *number,
			void (*fire)(void *own, uint32_t atom), void *own);

#endif
