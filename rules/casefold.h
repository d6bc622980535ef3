/*
 * Unicode simple case folding (CaseFolding.txt, status C and S), all planes. Private to rules.
 *
 * One character becomes one character, so that prefixes and suffixes keep their meaning; only the
 * size in bytes may change (at most from 2 to 3).
 */
#ifndef DAL_RULES_CASEFOLD_H
#define DAL_RULES_CASEFOLD_H

#include <stdint.h>

#include "engine/base/slice.h"

/* Characters first, first + stride ... last fold to themselves plus delta. Sorted, no overlaps. */
struct dal_casefold_range {
	uint32_t first, last;
	int32_t delta;
	uint32_t stride;
};

extern const struct dal_casefold_range dal_casefold_ranges[];
extern const size_t dal_casefold_range_count;

uint32_t dal_casefold(uint32_t character);
/* Appends `text`, which is valid UTF-8, folded. */
void dal_casefold_append(struct dal_buffer *out, struct dal_slice text);

/* Of `value` folded, without memory: is it `folded`, does it begin or end with it? */
bool dal_casefold_equal(struct dal_slice value, struct dal_slice folded);
bool dal_casefold_starts(struct dal_slice value, struct dal_slice folded);
bool dal_casefold_ends(struct dal_slice value, struct dal_slice folded);

#endif
