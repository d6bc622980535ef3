/*
 * How events flow between an app's rules: what a rule emits, or what comes of a function that it
 * calls, and which rules match that. As far as their code and patterns tell. Private to app.
 *
 * A graph of nodes: rules by index, then types that are emitted, then two a function (it has
 * succeeded, it has failed), then one for all types at once. Made once, then constant.
 */
#ifndef DAL_APP_FLOW_H
#define DAL_APP_FLOW_H

#include "engine/app/app.h"

struct dal_flow_edge {
	uint32_t from, to;
};

struct dal_flow {
	const struct dal_app *app;
	char **types; /* by number */
	size_t rule_count, type_count, type_capacity;
	size_t node_count;
	struct dal_flow_edge *edges; /* by `from` */
	size_t edge_count, edge_capacity;
	size_t *first; /* of each node, and of one behind the last, its first edge */
	bool complete; /* false: there were too many edges, and some are left out */
};

/* The app was loaded with `analyse`. `dead`: by rule, those that match nothing. */
struct dal_flow *dal_flow_new(const struct dal_app *app, const bool *dead);
void dal_flow_free(struct dal_flow *flow); /* NULL is fine */

/* What a node is. */
static inline bool dal_flow_is_rule(const struct dal_flow *flow, uint32_t node)
{
	return node < flow->rule_count;
}

/* The type that the node stands for, or NULL. */
static inline const char *dal_flow_type(const struct dal_flow *flow, uint32_t node)
{
	return node >= flow->rule_count && node < flow->rule_count + flow->type_count
		       ? flow->types[node - flow->rule_count]
		       : NULL;
}

/* The function of a node, and whether it has succeeded; NULL for others. */
const char *dal_flow_function(const struct dal_flow *flow, uint32_t node, bool *succeeded);

/* Loops, one of each knot of rules: warnings where nothing in their code ends them, else notes. */
void dal_flow_loops(const struct dal_flow *flow, struct dal_errors *warnings,
		    struct dal_errors *notes);

#endif
