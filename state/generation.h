/*
 * A generation of an app's rules, as the state and its rows keep it: a number that people count by,
 * and the digest that tells what was loaded. As text: number, '-', digest; what was written before
 * there were numbers is the digest alone, number 0. Thread: none.
 */
#ifndef DAL_STATE_GENERATION_H
#define DAL_STATE_GENERATION_H

#include <stdint.h>

#include "engine/base/slice.h"

struct dal_generation {
	uint64_t number;
	struct dal_slice digest;
};

/* Appended. */
void dal_generation_format(const struct dal_generation *generation, struct dal_buffer *out);
/* A slice of `text`; nothing for nothing. */
struct dal_generation dal_generation_parse(struct dal_slice text);

#endif
