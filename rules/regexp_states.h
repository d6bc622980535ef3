/*
 * The automaton of regular expressions, and its simulation. Private to rules/regexp*.c.
 *
 * States that read a character, and states that only lead on, to one or two others. A simulation
 * knows the states that are reached by what was read so far; each character costs one visit of
 * each state at the most, whatever the expression.
 */
#ifndef DAL_RULES_REGEXP_STATES_H
#define DAL_RULES_REGEXP_STATES_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"

#define DAL_REGEXP_NONE UINT32_MAX

struct dal_regexp_class;
struct dal_regexp_node;
struct dal_regexp_place;

enum dal_regexp_state_kind {
	DAL_REGEXP_STATE_CHARACTER, /* reads `character`, leads to `next` */
	DAL_REGEXP_STATE_CLASS,     /* reads one of `class`, leads to `next` */
	DAL_REGEXP_STATE_SPLIT,     /* leads to `next` and to `other`, if they are there */
	DAL_REGEXP_STATE_END,       /* what was read so far matches; leads to `other` like SPLIT */
};

struct dal_regexp_state {
	enum dal_regexp_state_kind kind;
	uint32_t next;
	union {
		uint32_t character;
		uint32_t other;
	};
	uint32_t chain; /* the next state of those that are freed together, or that are free */
	union {
		const struct dal_regexp_class *class;
		struct dal_regexp_place *place; /* of an END in a set: whose end */
	};
};

struct dal_regexp_states {
	struct dal_regexp_state *items;
	uint32_t count, capacity;
	uint32_t free;     /* the first free one below count */
	uint32_t chain;    /* the newest; the owner sets it to NONE to begin another chain */
	bool copy_classes; /* the trees don't live as long as the states */
};

void dal_regexp_states_init(struct dal_regexp_states *states);
void dal_regexp_states_deinit(struct dal_regexp_states *states);
uint32_t dal_regexp_states_add(struct dal_regexp_states *states, struct dal_regexp_state state);
/* The states of a tree, which lead to `next`; gives the one to enter by. */
uint32_t dal_regexp_states_add_node(struct dal_regexp_states *states,
				    const struct dal_regexp_node *node, uint32_t next);
void dal_regexp_states_free_chain(struct dal_regexp_states *states, uint32_t first);

/* A set of states that were reached: first those that are an END, then those that read; each part
 * in ascending order. A zeroed struct is an empty one. */
struct dal_regexp_walk {
	uint32_t *items;
	uint32_t count, ends;
	uint64_t *marks; /* a bit for each state, 0 between two steps */
	uint32_t *stack;
	uint32_t capacity;  /* of each, in states */
	uint32_t low, high; /* words of marks that were touched */
	bool ended;         /* an END was reached in this step */
};

/* The character at `*at`, which is passed. A byte that is no UTF-8 is taken as U+FFFD. */
uint32_t dal_regexp_next(struct dal_slice value, size_t *at);

void dal_regexp_walk_deinit(struct dal_regexp_walk *walk);
/* To where `start` leads without reading. */
void dal_regexp_walk_start(struct dal_regexp_walk *walk, const struct dal_regexp_states *states,
			   uint32_t start);
/* To where `from` leads by reading `character`, once the states were started. `from` may be
 * walk->items. */
void dal_regexp_walk_step(struct dal_regexp_walk *walk, const struct dal_regexp_states *states,
			  const uint32_t *from, uint32_t count, uint32_t character);

#endif
