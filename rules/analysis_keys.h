/*
 * Keys by which a pattern finds those that may cover it. Private to rules/analysis*.c.
 *
 * A key is a field's path and what is asked of it: a value, the begin or the end of a text, a part
 * of it, or something else. A wide pattern is entered under the keys of all operators of one leaf,
 * or of one leaf of each alternative of a `$or`. If it covers a narrow one, the lookups of the
 * narrow one, all of whose leaves are looked up, meet it.
 */
#ifndef DAL_RULES_ANALYSIS_KEYS_H
#define DAL_RULES_ANALYSIS_KEYS_H

#include "rules/analysis_tree.h"
#include "rules/intervals.h"

/* Numbers and times are found by where they lie, too: a wide key has the ends of its range, of a
 * lookup both are a point that must be inside. */
struct dal_key {
	struct dal_slice text;
	bool ordered;
	struct dal_order lower, upper;
};

/* The path of a field, behind that of what it is in; gives the size to go back to. */
size_t dal_keys_enter(struct dal_buffer *path, struct dal_slice name);

/* The keys of a wide pattern's leaf. `path` has the leaf's own name at its end. */
void dal_leaf_keys(struct dal_slice path, const struct dal_pattern_field *leaf,
		   void (*each)(void *own, const struct dal_key *key), void *own);
/* What a narrow pattern is to look up. */
void dal_pattern_lookups(const struct dal_pattern *pattern,
			 void (*each)(void *own, const struct dal_key *key), void *own);

#endif
