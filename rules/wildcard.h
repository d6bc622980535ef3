/*
 * Wildcards: literal text with `*` for any run of characters, none included. Private to rules.
 *
 * The pieces between the stars are found from left to right, each at its first place: that finds a
 * match if there is one, in one pass.
 */
#ifndef DAL_RULES_WILDCARD_H
#define DAL_RULES_WILDCARD_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"

/* pieces[0] begins the value, pieces[count - 1] ends it; both may be empty, the others not. */
struct dal_wildcard {
	struct dal_slice *pieces;
	uint32_t count; /* stars + 1 */
};

bool dal_wildcard_matches(const struct dal_wildcard *wildcard, struct dal_slice value);

#endif
