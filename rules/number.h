/*
 * Numbers by their exact decimal value: 300 = 300.0 = 3e2, and 9007199254740993 is not ...992.
 *
 * What binary64 can't hold is told apart all the same, since nothing is ever converted to it. A
 * number refers to the JSON text that it was read from only if it has more than 19 digits. Private
 * to rules.
 */
#ifndef DAL_RULES_NUMBER_H
#define DAL_RULES_NUMBER_H

#include <stdint.h>

#include "engine/base/slice.h"

/* sign * 0.MANTISSA TAIL * 10^exponent */
struct dal_number {
	int8_t sign; /* -1, 0, 1; of zero nothing else is set */
	int32_t exponent;
	uint64_t
		mantissa; /* the first 19 digits, filled up with zeros behind; the first is not 0 */
	struct dal_slice
		tail; /* the digits behind, perhaps with a '.' among them, no 0 at the end */
};

/* `text` is a JSON number, already checked. */
struct dal_number dal_number_read(struct dal_slice text);
/* <0, 0, >0 */
int dal_number_compare(const struct dal_number *a, const struct dal_number *b);
/* The same for all texts of one value. */
uint64_t dal_number_hash(const struct dal_number *number, uint64_t seed);
/* Appends it as JSON: one text for all texts of one value. */
void dal_number_print(const struct dal_number *number, struct dal_buffer *out);

#endif
