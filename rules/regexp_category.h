/*
 * Unicode general categories, for \p{Lu} and \P{L}. Private to rules.
 *
 * A set of categories is a mask, bit i for the name i. Each code point is in exactly one category,
 * so the complement of a set is the complement of its mask.
 */
#ifndef DAL_RULES_REGEXP_CATEGORY_H
#define DAL_RULES_REGEXP_CATEGORY_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/slice.h"

#define DAL_REGEXP_CATEGORIES 30
#define DAL_REGEXP_ALL_CATEGORIES ((1u << DAL_REGEXP_CATEGORIES) - 1)

extern const char dal_regexp_category_names[DAL_REGEXP_CATEGORIES][3];
/* The first code point of a run << 5 | its category; sorted, the first run begins at 0. */
extern const uint32_t dal_regexp_category_runs[];
extern const size_t dal_regexp_category_run_count;

/* The mask of the one category that the character is in. */
uint32_t dal_regexp_category(uint32_t character);
/* The mask of "Lu", or of all in "L"; 0: RFC 9485 knows no such name (it leaves out Cs). */
uint32_t dal_regexp_category_named(struct dal_slice name);

#endif
