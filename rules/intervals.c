#include "rules/intervals.h"

#include "engine/base/digest.h"
#include "engine/base/error.h"
#include "engine/base/memory.h"

struct node {
	struct dal_order lower, upper;
	struct dal_order reach; /* the furthest upper end of it and all below */
	uint32_t left, right;   /* or DAL_ABSENT */
	uint32_t id;
	uint32_t priority; /* not less than those below have */
};

struct dal_intervals {
	struct node *nodes;
	uint32_t count, capacity;
	uint32_t free; /* the first of those that are free, linked by `left` */
	uint32_t root;
	uint64_t secret; /* nobody can choose ranges that unbalance the tree */
};

struct dal_intervals *dal_intervals_new(void)
{
	struct dal_intervals *intervals = dal_calloc(1, sizeof(*intervals));
	intervals->root = intervals->free = DAL_ABSENT;
	dal_random(&intervals->secret, sizeof(intervals->secret));
	return intervals;
}

void dal_intervals_free(struct dal_intervals *intervals)
{
	if (intervals) {
		free(intervals->nodes);
		free(intervals);
	}
}

static uint32_t new_node(struct dal_intervals *intervals, struct node node)
{
	uint32_t at = intervals->free;
	if (at != DAL_ABSENT) {
		intervals->free = intervals->nodes[at].left;
	} else {
		DAL_GROW(intervals->nodes, intervals->count, intervals->capacity);
		at = intervals->count++;
	}
	intervals->nodes[at] = node;
	return at;
}

static void set_reach(struct dal_intervals *intervals, struct node *node)
{
	const uint32_t below[] = {node->left, node->right};
	node->reach = node->upper;
	for (int i = 0; i < 2; i++) {
		if (below[i] != DAL_ABSENT &&
		    dal_order_before(node->reach, intervals->nodes[below[i]].reach)) {
			node->reach = intervals->nodes[below[i]].reach;
		}
	}
}

static bool stands_before(const struct node *node, struct dal_order lower, uint32_t id)
{
	if (dal_order_before(node->lower, lower)) {
		return true;
	}
	return !dal_order_before(lower, node->lower) && node->id < id;
}

/* Parts a tree at a place: what stands before it, and the rest. */
static void part(struct dal_intervals *intervals, uint32_t tree, struct dal_order lower,
		 uint32_t id, uint32_t *before, uint32_t *rest)
{
	if (tree == DAL_ABSENT) {
		*before = *rest = DAL_ABSENT;
		return;
	}
	struct node *node = &intervals->nodes[tree];
	if (stands_before(node, lower, id)) {
		part(intervals, node->right, lower, id, &node->right, rest);
		*before = tree;
	} else {
		part(intervals, node->left, lower, id, before, &node->left);
		*rest = tree;
	}
	set_reach(intervals, node);
}

static uint32_t join(struct dal_intervals *intervals, uint32_t left, uint32_t right)
{
	if (left == DAL_ABSENT || right == DAL_ABSENT) {
		return left == DAL_ABSENT ? right : left;
	}
	struct node *a = &intervals->nodes[left], *b = &intervals->nodes[right];
	if (a->priority >= b->priority) {
		a->right = join(intervals, a->right, right);
		set_reach(intervals, a);
		return left;
	}
	b->left = join(intervals, left, b->left);
	set_reach(intervals, b);
	return right;
}

void dal_intervals_add(struct dal_intervals *intervals, struct dal_order lower,
		       struct dal_order upper, uint32_t id)
{
	uint32_t before, rest;
	uint32_t new = new_node(intervals,
				(struct node){
					.lower = lower,
					.upper = upper,
					.reach = upper,
					.left = DAL_ABSENT,
					.right = DAL_ABSENT,
					.id = id,
					.priority = (uint32_t)dal_mix(id, intervals->secret),
				});
	part(intervals, intervals->root, lower, id, &before, &rest);
	intervals->root = join(intervals, join(intervals, before, new), rest);
}

void dal_intervals_remove(struct dal_intervals *intervals, struct dal_order lower, uint32_t id)
{
	uint32_t before, rest, one;
	part(intervals, intervals->root, lower, id, &before, &rest);
	part(intervals, rest, lower, id + 1, &one, &rest);
	DAL_ASSERT(one != DAL_ABSENT && intervals->nodes[one].id == id);
	intervals->root = join(intervals, before, rest);
	intervals->nodes[one].left = intervals->free;
	intervals->free = one;
}

static void find(const struct dal_intervals *intervals, uint32_t tree, struct dal_order point,
		 void (*fire)(void *own, uint32_t id), void *own)
{
	while (tree != DAL_ABSENT) {
		const struct node *node = &intervals->nodes[tree];
		if (dal_order_before(node->reach, point)) {
			return;
		}
		find(intervals, node->left, point, fire, own);
		if (dal_order_before(point, node->lower)) {
			return;
		}
		if (!dal_order_before(node->upper, point)) {
			fire(own, node->id);
		}
		tree = node->right;
	}
}

void dal_intervals_find(const struct dal_intervals *intervals, struct dal_order point,
			void (*fire)(void *own, uint32_t id), void *own)
{
	find(intervals, intervals->root, point, fire, own);
}
