/*
 * One expression simulated by sets of bits. Private to rules/regexp*.c.
 *
 * A bit for each state that reads, and for the end. What a set of states leads to is looked up for
 * four states at a time: so a character costs the same few hundred instructions, however many
 * states were reached. To load an expression costs as much as some hundred characters of a walk:
 * it pays for long values in which many states are reached.
 */
#ifndef DAL_RULES_REGEXP_BITS_H
#define DAL_RULES_REGEXP_BITS_H

#include "rules/regexp_tree.h"

struct dal_regexp_bits;

struct dal_regexp_bits *dal_regexp_bits_new(void);
void dal_regexp_bits_free(struct dal_regexp_bits *bits); /* NULL is fine */

/* In place of what was loaded before. */
void dal_regexp_bits_load(struct dal_regexp_bits *bits, const struct dal_regexp *regexp);
/* The expression that was loaded last, which must still be there. */
bool dal_regexp_bits_match(struct dal_regexp_bits *bits, struct dal_slice value);

/* In visits of a state by a walk, roughly. */
struct dal_regexp_cost {
	uint64_t load;
	uint64_t step; /* each character */
};

struct dal_regexp_cost dal_regexp_bits_cost(const struct dal_regexp *regexp);

#endif
