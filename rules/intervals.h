/*
 * Ranges of a field, found together: those that a point lies in. Private to rules.
 *
 * A search tree of their lower ends, in which each node knows how far the ranges below it reach: a
 * point costs as many steps as the tree is deep and ranges are found. It is a treap, balanced by a
 * secret hash of the ids, so that ranges come and go in place.
 *
 * Ends are orders: what compares as the values do. A value that an order can't hold exactly has the
 * order of a neighbour, and open ends are as closed ones: what is found is still to be asked.
 */
#ifndef DAL_RULES_INTERVALS_H
#define DAL_RULES_INTERVALS_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/id_table.h"

struct dal_order {
	int64_t high;
	uint64_t low;
};

#define DAL_ORDER_LOWEST ((struct dal_order){INT64_MIN, 0})
#define DAL_ORDER_HIGHEST ((struct dal_order){INT64_MAX, UINT64_MAX})

static inline bool dal_order_before(struct dal_order a, struct dal_order b)
{
	return a.high != b.high ? a.high < b.high : a.low < b.low;
}

struct dal_intervals;

struct dal_intervals *dal_intervals_new(void);
void dal_intervals_free(struct dal_intervals *intervals); /* NULL is fine */
void dal_intervals_add(struct dal_intervals *intervals, struct dal_order lower,
		       struct dal_order upper, uint32_t id);
/* As it was added. */
void dal_intervals_remove(struct dal_intervals *intervals, struct dal_order lower, uint32_t id);
void dal_intervals_find(const struct dal_intervals *intervals, struct dal_order point,
			void (*fire)(void *own, uint32_t id), void *own);

#endif
