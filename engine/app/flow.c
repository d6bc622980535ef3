#include "engine/app/flow.h"

#include <stdlib.h>

#include "engine/base/map.h"
#include "engine/base/memory.h"
#include "engine/event/event.h"
#include "engine/event/json_write.h"
#include "rules/matcher.h"
#include "rules/partial.h"

enum { EDGES_MAX = 1000000 };

/* What is needed while it is made. */
struct making {
	struct dal_flow *flow;
	const bool *dead;
	struct dal_map *type_numbers;  /* from 1 */
	struct dal_pattern **patterns; /* what each rule asks of the type; NULL: nothing */
	struct dal_matcher *matcher;
	struct dal_matcher_scratch *scratch;
	struct dal_json *json;
	struct dal_buffer text;
};

static const struct dal_rules *rules_of(const struct making *m)
{
	return m->flow->app->rules;
}

static void edge_add(struct making *m, size_t from, size_t to)
{
	struct dal_flow *flow = m->flow;

	if (flow->edge_count == EDGES_MAX) {
		flow->complete = false;
		return;
	}
	DAL_GROW(flow->edges, flow->edge_count, flow->edge_capacity);
	flow->edges[flow->edge_count++] = (struct dal_flow_edge){(uint32_t)from, (uint32_t)to};
}

/* --- nodes --- */

static size_t type_number(struct making *m, const char *type)
{
	struct dal_flow *flow = m->flow;
	void *known = dal_map_get(m->type_numbers, dal_slice_text(type));

	if (!known) {
		DAL_GROW(flow->types, flow->type_count, flow->type_capacity);
		flow->types[flow->type_count++] = dal_strdup(type);
		known = (void *)(uintptr_t)flow->type_count;
		dal_map_set(m->type_numbers, dal_slice_text(type), known);
	}
	return (size_t)(uintptr_t)known - 1;
}

static size_t function_node(const struct dal_flow *flow, size_t function, bool succeeded)
{
	return flow->rule_count + flow->type_count + 2 * function + !succeeded;
}

static size_t every_type(const struct dal_flow *flow)
{
	return flow->node_count - 1;
}

const char *dal_flow_function(const struct dal_flow *flow, uint32_t node, bool *succeeded)
{
	size_t first = flow->rule_count + flow->type_count;

	if (node < first || node >= every_type(flow)) {
		return NULL;
	}
	*succeeded = (node - first) % 2 == 0;
	return flow->app->targets[(node - first) / 2].name;
}

/* --- from rules --- */

static void types_find(struct making *m)
{
	for (size_t i = 0; i < m->flow->rule_count; i++) {
		const struct dal_emits *emits = dal_rules_emits(rules_of(m), i);

		for (size_t k = 0; !m->dead[i] && k < emits->count; k++) {
			if (!dal_slice_starts(dal_slice_text(emits->types[k]), "dalamb.")) {
				edge_add(m, i,
					 m->flow->rule_count + type_number(m, emits->types[k]));
			}
		}
	}
}

static void calls_find(struct making *m)
{
	const struct dal_app *app = m->flow->app;
	struct dal_map *numbers = dal_map_new(); /* from 1 */

	for (size_t i = 0; i < app->target_count; i++) {
		dal_map_set(numbers, dal_slice_text(app->targets[i].name),
			    (void *)(uintptr_t)(i + 1));
	}
	for (size_t i = 0; i < m->flow->rule_count; i++) {
		const char *const *call = dal_rules_rule(rules_of(m), i)->calls;

		for (; !m->dead[i] && *call; call++) {
			size_t number = (uintptr_t)dal_map_get(numbers, dal_slice_text(*call));
			if (number > 0) {
				edge_add(m, i, function_node(m->flow, number - 1, true));
				edge_add(m, i, function_node(m->flow, number - 1, false));
			}
		}
	}
	dal_map_free(numbers);
}

/* --- to rules --- */

static bool is_fed_by(const struct dal_rule *rule, const char *topic)
{
	const char *const *named = rule->topics;

	while (*named && strcmp(*named, topic) != 0) {
		named++;
	}
	return !rule->topics[0] || *named;
}

static void matcher_make(struct making *m)
{
	struct dal_flow *flow = m->flow;

	m->patterns = dal_calloc(flow->rule_count + 1, sizeof(*m->patterns));
	for (size_t i = 0; i < flow->rule_count; i++) {
		const struct dal_rule *rule = dal_rules_rule(rules_of(m), i);
		const struct dal_pattern *pattern = dal_rules_pattern(rules_of(m), rule->pattern);

		dal_buffer_clear(&m->text);
		if (m->dead[i]) {
			continue;
		}
		if (!dal_pattern_type(pattern, &m->text)) {
			if (is_fed_by(rule, DAL_TOPIC_EVENTS)) {
				edge_add(m, every_type(flow), i);
			}
		} else {
			int r = dal_pattern_parse(dal_buffer_slice(&m->text), 0, &m->patterns[i],
						  NULL);
			DAL_ASSERT(r == 0); /* it is part of one that was accepted */
		}
	}
	m->matcher = dal_matcher_new((const struct dal_pattern *const *)m->patterns,
				     flow->rule_count);
	m->scratch = dal_matcher_scratch_new(m->matcher);
}

/* Parses an event of which so much is known; which rules its type fits. */
static size_t candidates(struct making *m, const char *type, const char *function,
			 const uint32_t **ids)
{
	struct dal_json_writer w = {.out = &m->text};

	dal_buffer_clear(&m->text);
	dal_json_begin_object(&w);
	dal_json_key(&w, "type");
	dal_json_put_text(&w, type);
	if (function) {
		dal_json_key(&w, "data");
		dal_json_begin_object(&w);
		dal_json_key(&w, "name");
		dal_json_put_text(&w, function);
		dal_json_end_object(&w);
	}
	dal_json_end_object(&w);
	if (dal_json_parse(m->json, dal_buffer_slice(&m->text), 0, NULL) != 0) {
		return 0; /* a text in the code that is no UTF-8: no type either */
	}
	return dal_matcher_match(m->matcher, m->scratch, m->json, DAL_JSON_ROOT, ids);
}

static void node_feeds(struct making *m, size_t node, const char *type, const char *function)
{
	const char *topic = function ? DAL_TOPIC_SYSTEM : DAL_TOPIC_EVENTS;
	const uint32_t *ids;
	size_t count = candidates(m, type, function, &ids);

	for (size_t i = 0; i < count; i++) {
		const struct dal_rule *rule = dal_rules_rule(rules_of(m), ids[i]);

		if (is_fed_by(rule, topic) && (!function || rule->system) &&
		    dal_pattern_may(dal_rules_pattern(rules_of(m), rule->pattern), m->json,
				    DAL_JSON_ROOT)) {
			edge_add(m, node, ids[i]);
		}
	}
}

static void feeds_find(struct making *m)
{
	struct dal_flow *flow = m->flow;

	for (size_t i = 0; i < flow->type_count && flow->complete; i++) {
		node_feeds(m, flow->rule_count + i, flow->types[i], NULL);
		edge_add(m, flow->rule_count + i, every_type(flow));
	}
	for (size_t i = 0; i < flow->app->target_count && flow->complete; i++) {
		const char *name = flow->app->targets[i].name;

		node_feeds(m, function_node(flow, i, true), "dalamb.function.succeeded", name);
		node_feeds(m, function_node(flow, i, false), "dalamb.function.failed", name);
	}
}

/* --- the whole --- */

/* Edges by `from`, in the order they came. */
static void edges_order(struct dal_flow *flow)
{
	struct dal_flow_edge *ordered = dal_calloc(flow->edge_count + 1, sizeof(*ordered));
	size_t *next;

	flow->first = dal_calloc(flow->node_count + 1, sizeof(*flow->first));
	for (size_t i = 0; i < flow->edge_count; i++) {
		flow->first[flow->edges[i].from + 1]++;
	}
	for (size_t i = 0; i < flow->node_count; i++) {
		flow->first[i + 1] += flow->first[i];
	}
	next = dal_calloc(flow->node_count + 1, sizeof(*next));
	memcpy(next, flow->first, flow->node_count * sizeof(*next));
	for (size_t i = 0; i < flow->edge_count; i++) {
		ordered[next[flow->edges[i].from]++] = flow->edges[i];
	}
	free(next);
	free(flow->edges);
	flow->edges = ordered;
}

static void making_deinit(struct making *m)
{
	dal_matcher_scratch_free(m->scratch);
	dal_matcher_free(m->matcher);
	for (size_t i = 0; i < m->flow->rule_count; i++) {
		dal_pattern_free(m->patterns[i]);
	}
	free(m->patterns);
	dal_map_free(m->type_numbers);
	dal_json_free(m->json);
	dal_buffer_deinit(&m->text);
}

struct dal_flow *dal_flow_new(const struct dal_app *app, const bool *dead)
{
	struct dal_flow *flow = dal_calloc(1, sizeof(*flow));
	struct making m = {
		.flow = flow, .dead = dead, .type_numbers = dal_map_new(), .json = dal_json_new()};

	flow->app = app;
	flow->complete = true;
	flow->rule_count = dal_rules_rule_count(app->rules);
	types_find(&m);
	flow->node_count = flow->rule_count + flow->type_count + 2 * app->target_count + 1;
	calls_find(&m);
	matcher_make(&m);
	feeds_find(&m);
	edges_order(flow);
	making_deinit(&m);
	return flow;
}

void dal_flow_free(struct dal_flow *flow)
{
	if (!flow) {
		return;
	}
	for (size_t i = 0; i < flow->type_count; i++) {
		free(flow->types[i]);
	}
	free(flow->types);
	free(flow->edges);
	free(flow->first);
	free(flow);
}
