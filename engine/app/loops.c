/* Loops in the flow of events: knots (strongly connected components), and a short way round each.
 */
#include <stdlib.h>

#include "engine/app/flow.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"

#define NONE UINT32_MAX
#define RULES_SHOWN 3

struct knots {
	const struct dal_flow *flow;
	bool certain;    /* leave out what a guard or a branch may stop */
	uint32_t *order; /* in which nodes were met, from 1; 0: not yet */
	uint32_t *low;   /* the earliest node that is reached */
	bool *open;      /* it is on `met` */
	uint32_t *met;   /* a stack of nodes whose knot isn't known yet */
	size_t met_count;
	uint32_t *path;     /* the walk */
	size_t *at;         /* the edge that each node of the walk is at */
	uint32_t *knot;     /* by node */
	uint32_t *previous; /* of a way round */
	uint32_t count;
};

/* May the node's effects come or not come, as its code says? */
static bool is_certain(const struct dal_flow *flow, uint32_t from, uint32_t to)
{
	const struct dal_rules *rules = flow->app->rules;
	const struct dal_emits *emits;

	if (!dal_flow_is_rule(flow, from)) {
		return true;
	}
	emits = dal_rules_emits(rules, from);
	return !dal_rules_rule(rules, from)->has_when &&
	       (!dal_flow_type(flow, to) || (!emits->any && !emits->branches));
}

static bool is_taken(const struct knots *k, const struct dal_flow_edge *edge)
{
	return !k->certain || is_certain(k->flow, edge->from, edge->to);
}

/* --- Tarjan's algorithm, without recursion --- */

static void knot_close(struct knots *k, uint32_t root)
{
	uint32_t node;

	do {
		node = k->met[--k->met_count];
		k->open[node] = false;
		k->knot[node] = k->count;
	} while (node != root);
	k->count++;
}

static void node_meet(struct knots *k, uint32_t node, size_t depth, uint32_t *met)
{
	k->order[node] = k->low[node] = ++*met;
	k->open[node] = true;
	k->met[k->met_count++] = node;
	k->path[depth] = node;
	k->at[depth] = k->flow->first[node];
}

static void lower(struct knots *k, uint32_t node, uint32_t to)
{
	k->low[node] = to < k->low[node] ? to : k->low[node];
}

static void walk(struct knots *k, uint32_t start, uint32_t *met)
{
	size_t depth = 0;

	node_meet(k, start, 0, met);
	for (;;) {
		uint32_t node = k->path[depth];
		const struct dal_flow_edge *edge = &k->flow->edges[k->at[depth]];

		if (k->at[depth] == k->flow->first[node + 1]) {
			if (k->low[node] == k->order[node]) {
				knot_close(k, node);
			}
			if (depth == 0) {
				return;
			}
			lower(k, k->path[--depth], k->low[node]);
			continue;
		}
		k->at[depth]++;
		if (!is_taken(k, edge)) {
			continue;
		}
		if (k->order[edge->to] == 0) {
			node_meet(k, edge->to, ++depth, met);
		} else if (k->open[edge->to]) {
			lower(k, node, k->order[edge->to]);
		}
	}
}

/* --- a way round --- */

/* The shortest way from the rule to itself, within its knot: `previous` tells it backwards. False:
 * there is none. */
static bool way_find(struct knots *k, uint32_t rule)
{
	const struct dal_flow *flow = k->flow;
	uint32_t *queue = k->met;
	size_t head = 0, tail = 0;

	for (size_t i = 0; i < flow->node_count; i++) {
		k->previous[i] = NONE;
	}
	queue[tail++] = rule;
	while (head < tail) {
		uint32_t node = queue[head++];

		for (size_t e = flow->first[node]; e < flow->first[node + 1]; e++) {
			uint32_t to = flow->edges[e].to;
			if (k->knot[to] != k->knot[rule] || k->previous[to] != NONE ||
			    !is_taken(k, &flow->edges[e])) {
				continue;
			}
			k->previous[to] = node;
			if (to == rule) {
				return true;
			}
			queue[tail++] = to;
		}
	}
	return false;
}

/* `it` or `rule "b" (rules/b.lua:3)`, by what the way round begins with. */
static void rule_print(const struct dal_flow *flow, uint32_t node, uint32_t start,
		       struct dal_buffer *out)
{
	const struct dal_rule *rule = dal_rules_rule(flow->app->rules, node);

	if (node == start) {
		dal_buffer_text(out, "it");
	} else {
		dal_buffer_printf(out, "rule \"%s\" (%s:%d)", rule->name, rule->file, rule->line);
	}
}

static void step_print(const struct dal_flow *flow, uint32_t via, struct dal_buffer *out)
{
	const char *type = dal_flow_type(flow, via);
	bool succeeded = false;
	const char *function = dal_flow_function(flow, via, &succeeded);

	if (type) {
		dal_buffer_printf(out, "emits \"%s\", which ", type);
	} else if (function) {
		dal_buffer_printf(out, "calls \"%s\", whose dalamb.function.%s ", function,
				  succeeded ? "succeeded" : "failed");
	}
}

/* The way that was found, forwards; of a long one, its first rules. */
static void way_print(const struct knots *k, uint32_t start, struct dal_buffer *out)
{
	const struct dal_flow *flow = k->flow;
	uint32_t *way = NULL, node = start;
	size_t count = 0, capacity = 0, rules = 0, shown = 0;

	do {
		DAL_GROW(way, count, capacity);
		way[count++] = node;
		rules += dal_flow_is_rule(flow, node);
		node = k->previous[node];
	} while (node != start);
	dal_buffer_text(out, "it ");
	for (size_t i = count; i-- > 0;) {
		if (!dal_flow_is_rule(flow, way[i])) {
			step_print(flow, way[i], out);
			continue;
		}
		rule_print(flow, way[i], start, out);
		dal_buffer_text(out, " matches");
		if (++shown == RULES_SHOWN && i > 0 && rules > RULES_SHOWN + 1) {
			dal_buffer_printf(out, "; and so on over %zu rules, back to it", rules);
			break;
		}
		dal_buffer_text(out, i > 0 ? "; that one " : "");
	}
	free(way);
}

static void knot_tell(struct knots *k, uint32_t rule, struct dal_errors *errors)
{
	const struct dal_rule *of = dal_rules_rule(k->flow->app->rules, rule);
	struct dal_buffer text = {0};

	way_print(k, rule, &text);
	if (k->certain) {
		dal_errors_add(errors, of->file, of->line,
			       "rule \"%s\" may feed itself: %s. Nothing but the bound of %d hops "
			       "ends that: tell such events apart in 'on', or end it in 'when'",
			       of->name, dal_buffer_cstr(&text), DAL_LIMIT_HOPS);
	} else {
		dal_errors_add(errors, of->file, of->line,
			       "rule \"%s\" may feed itself: %s. It ends where 'when' or 'emit' "
			       "says so, or after %d hops",
			       of->name, dal_buffer_cstr(&text), DAL_LIMIT_HOPS);
	}
	dal_buffer_deinit(&text);
}

/* --- the whole --- */

static void knots_init(struct knots *k, const struct dal_flow *flow, bool certain)
{
	size_t count = flow->node_count + 1;

	*k = (struct knots){.flow = flow, .certain = certain};
	k->order = dal_calloc(count, sizeof(*k->order));
	k->low = dal_calloc(count, sizeof(*k->low));
	k->open = dal_calloc(count, sizeof(*k->open));
	k->met = dal_calloc(count, sizeof(*k->met));
	k->path = dal_calloc(count, sizeof(*k->path));
	k->at = dal_calloc(count, sizeof(*k->at));
	k->knot = dal_calloc(count, sizeof(*k->knot));
	k->previous = dal_calloc(count, sizeof(*k->previous));
}

static void knots_deinit(struct knots *k)
{
	free(k->order);
	free(k->low);
	free(k->open);
	free(k->met);
	free(k->path);
	free(k->at);
	free(k->knot);
	free(k->previous);
}

/* Tells of each knot that has a loop, by its first rule, unless a rule of it was told of before. */
static void knots_tell(struct knots *k, bool *told, struct dal_errors *errors)
{
	const struct dal_flow *flow = k->flow;
	size_t *sizes = dal_calloc(k->count + 1, sizeof(*sizes));
	bool *done = dal_calloc(k->count + 1, sizeof(*done));

	for (uint32_t i = 0; i < flow->node_count; i++) {
		sizes[k->knot[i]]++;
		done[k->knot[i]] = done[k->knot[i]] || (dal_flow_is_rule(flow, i) && told[i]);
	}
	for (uint32_t i = 0; i < flow->rule_count; i++) {
		if (sizes[k->knot[i]] > 1 && !done[k->knot[i]] && way_find(k, i)) {
			knot_tell(k, i, errors);
			done[k->knot[i]] = true;
		}
	}
	for (uint32_t i = 0; i < flow->rule_count; i++) {
		told[i] = told[i] || (sizes[k->knot[i]] > 1 && done[k->knot[i]]);
	}
	free(sizes);
	free(done);
}

static void tell(const struct dal_flow *flow, bool certain, bool *told, struct dal_errors *errors)
{
	struct knots knots;
	uint32_t met = 0;

	knots_init(&knots, flow, certain);
	for (uint32_t i = 0; i < flow->node_count; i++) {
		if (knots.order[i] == 0) {
			walk(&knots, i, &met);
		}
	}
	knots_tell(&knots, told, errors);
	knots_deinit(&knots);
}

void dal_flow_loops(const struct dal_flow *flow, struct dal_errors *warnings,
		    struct dal_errors *notes)
{
	bool *told = dal_calloc(flow->rule_count + 1, sizeof(*told));

	tell(flow, true, told, warnings);
	tell(flow, false, told, notes);
	free(told);
}
