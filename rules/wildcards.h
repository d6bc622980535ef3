/*
 * Many wildcards over one field, asked together. Private to rules.
 *
 * The literal pieces between their stars are kept in a tree: `*a*b*` and `*a*c*` share the node of
 * `a`. One pass over a value finds where each piece occurs; then the tree is descended, each piece
 * at its first place behind the one before. A node is visited once at the most, and only if all
 * pieces above it occur in order, so the cost is bounded by the tree and in general far below it.
 * Wildcards come and go in place.
 */
#ifndef DAL_RULES_WILDCARDS_H
#define DAL_RULES_WILDCARDS_H

#include "rules/id_table.h"
#include "rules/wildcard.h"

struct dal_wildcards;

struct dal_occurrence {
	uint32_t piece, place;
};

/* Where a piece is in one value: a bit a place if the value has up to 64 bytes, else a list. */
union dal_places {
	uint64_t bits;
	struct {
		uint32_t first, count; /* in `places`; of pieces that don't occur 0, 0 */
	};
};

/* Where the pieces of one value are; for one thread, used again and again. */
struct dal_wildcard_scratch {
	struct dal_occurrence *found; /* in the order of places */
	size_t found_count, found_capacity;
	uint32_t *places; /* the same, piece by piece */
	size_t places_capacity;
	uint32_t *pieces; /* the distinct ones that occur */
	size_t piece_count, pieces_capacity;
	union dal_places *spans; /* by piece; all 0 between values */
	size_t span_count;
};

struct dal_wildcards *dal_wildcards_new(void);
void dal_wildcards_free(struct dal_wildcards *wildcards); /* NULL is fine */
/* The wildcard must outlive its stay; the id is the caller's, different for each. */
void dal_wildcards_add(struct dal_wildcards *wildcards, const struct dal_wildcard *wildcard,
		       uint32_t id);
void dal_wildcards_remove(struct dal_wildcards *wildcards, const struct dal_wildcard *wildcard,
			  uint32_t id);
void dal_wildcards_find(const struct dal_wildcards *wildcards, struct dal_wildcard_scratch *scratch,
			struct dal_slice value, void (*fire)(void *own, uint32_t id), void *own);
void dal_wildcard_scratch_deinit(struct dal_wildcard_scratch *scratch);

#endif
