#include "engine/app/findings.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/app/flow.h"
#include "engine/base/map.h"
#include "engine/base/memory.h"
#include "engine/event/event.h"
#include "rules/analysis.h"
#include "rules/partial.h"

/* What dalamb itself says (events.md); the first two tell of a function. */
static const char *const system_types[] = {"dalamb.function.succeeded", "dalamb.function.failed",
					   "dalamb.dead.retried",       "dalamb.dead.dropped",
					   "dalamb.rule.failed",        "dalamb.record.refused",
					   "dalamb.app.loaded",         "dalamb.outbox.checkpoint"};

enum { SYSTEM_TYPES = sizeof(system_types) / sizeof(system_types[0]), FUNCTION_TYPES = 2 };
enum { EQUAL_SEEN = 32 };

/* A rule or a projection. */
struct subject {
	const char *word, *name, *file;
	int line;
	uint32_t pattern;
	const char *const *topics;
	bool system_only;
};

struct finding {
	const struct dal_app *app;
	const struct dal_rules *rules;
	struct dal_errors *warnings, *notes;
	size_t rule_count, projection_count;
	bool *dead;                /* by subject: it matches nothing */
	struct dal_json **results; /* what is known of the results of functions that are called */
	size_t result_count;
};

static struct subject subject_at(const struct finding *f, size_t index)
{
	if (index < f->rule_count) {
		const struct dal_rule *r = dal_rules_rule(f->rules, index);
		return (struct subject){"rule",     r->name,   r->file,       r->line,
					r->pattern, r->topics, r->system_only};
	}
	const struct dal_projection *p = dal_rules_projection(f->rules, index - f->rule_count);
	return (struct subject){"projection", p->name,   p->file,       p->line,
				p->pattern,   p->topics, p->system_only};
}

/* --- what never matches --- */

static struct dal_json *event_known(const char *type, const char *function)
{
	struct dal_json *json = dal_json_new();
	char *text = function ? dal_asprintf("{\"type\":\"%s\",\"data\":{\"name\":\"%s\"}}", type,
					     function)
			      : dal_asprintf("{\"type\":\"%s\"}", type);
	int r = dal_json_parse(json, dal_slice_text(text), 0, NULL);

	DAL_ASSERT(r == 0); /* names of functions are plain */
	free(text);
	return json;
}

/* Events that dalamb may write: of functions, the results of those that rules call. */
static void results_make(struct finding *f)
{
	struct dal_map *called = dal_map_new();
	size_t capacity = SYSTEM_TYPES + FUNCTION_TYPES * f->app->target_count;

	f->results = dal_calloc(capacity, sizeof(struct dal_json *));
	for (size_t i = 0; i < f->rule_count; i++) {
		const char *const *call = dal_rules_rule(f->rules, i)->calls;
		for (; *call; call++) {
			dal_map_set(called, dal_slice_text(*call), called);
		}
	}
	for (size_t i = 0; i < f->app->target_count; i++) {
		const char *name = f->app->targets[i].name;
		for (size_t k = 0; dal_map_get(called, dal_slice_text(name)) && k < FUNCTION_TYPES;
		     k++) {
			f->results[f->result_count++] = event_known(system_types[k], name);
		}
	}
	for (size_t i = FUNCTION_TYPES; i < SYSTEM_TYPES; i++) {
		f->results[f->result_count++] = event_known(system_types[i], NULL);
	}
	dal_map_free(called);
}

static bool may_any(const struct finding *f, const struct dal_pattern *pattern)
{
	for (size_t i = 0; i < f->result_count; i++) {
		if (dal_pattern_may(pattern, f->results[i], DAL_JSON_ROOT)) {
			return true;
		}
	}
	return false;
}

/* Is there a type of dalamb's that fits, were the functions right? */
static bool type_exists(const struct dal_pattern *pattern)
{
	bool exists = false;

	for (size_t i = 0; i < SYSTEM_TYPES && !exists; i++) {
		struct dal_json *json = event_known(system_types[i], NULL);
		exists = dal_pattern_may(pattern, json, DAL_JSON_ROOT);
		dal_json_free(json);
	}
	return exists;
}

static bool check_impossible(struct finding *f, const struct subject *s,
			     const struct dal_pattern *pattern)
{
	struct dal_buffer field = {0}, why = {0};
	bool impossible = dal_pattern_impossible(pattern, &field, &why);

	if (impossible && !dal_pattern_never(pattern)) {
		dal_errors_add(f->warnings, s->file, s->line, "%s \"%s\" can never match: %s %s",
			       s->word, s->name, dal_buffer_cstr(&field), dal_buffer_cstr(&why));
	}
	dal_buffer_deinit(&field);
	dal_buffer_deinit(&why);
	return impossible;
}

static bool check_system(struct finding *f, const struct subject *s,
			 const struct dal_pattern *pattern)
{
	if (!s->system_only || may_any(f, pattern)) {
		return false;
	}
	dal_errors_add(f->warnings, s->file, s->line,
		       type_exists(pattern)
			       ? "%s \"%s\" can never match: it waits for the result of a function "
				 "that no rule calls (data.name)"
			       : "%s \"%s\" can never match: dalamb writes no event of such a "
				 "type; those of functions are dalamb.function.succeeded and "
				 "dalamb.function.failed",
		       s->word, s->name);
	return true;
}

static void check_dead(struct finding *f)
{
	size_t count = f->rule_count + f->projection_count;

	f->dead = dal_calloc(count + 1, sizeof(*f->dead));
	for (size_t i = 0; i < count; i++) {
		struct subject s = subject_at(f, i);
		const struct dal_pattern *pattern = dal_rules_pattern(f->rules, s.pattern);

		f->dead[i] = check_impossible(f, &s, pattern) || check_system(f, &s, pattern);
	}
}

/* --- views --- */

/* `reads` of a rule, or of a function's input; `what` names it. */
static void reads_mark(struct finding *f, const struct dal_reads *reads, const char *file, int line,
		       const char *what, bool *read)
{
	for (size_t i = 0; i < reads->count; i++) {
		uint32_t p = reads->projections[i];

		if (!read[p] && f->dead[f->rule_count + p]) {
			const struct dal_projection *of = dal_rules_projection(f->rules, p);
			dal_errors_add(f->warnings, file, line,
				       "%s reads projection \"%s\" (%s:%d), which nothing ever "
				       "feeds: there is never an entry",
				       what, of->name, of->file, of->line);
		}
		read[p] = true;
	}
}

static bool rules_read(struct finding *f, bool *read)
{
	bool any = false;

	for (size_t i = 0; i < f->rule_count; i++) {
		const struct dal_rule *rule = dal_rules_rule(f->rules, i);
		const struct dal_reads *reads = dal_rules_reads(f->rules, i);
		char *what = dal_asprintf("rule \"%s\"", rule->name);

		reads_mark(f, reads, rule->file, rule->line, what, read);
		any = any || reads->any;
		free(what);
	}
	return any;
}

static bool functions_read(struct finding *f, bool *read)
{
	bool any = false;

	for (size_t i = 0; i < f->app->target_count; i++) {
		const struct dal_target *target = &f->app->targets[i];
		const struct dal_function *of = f->app->functions[i];
		const struct dal_reads *reads;
		char *what;

		if (target->input != DAL_TARGET_LUA) {
			continue;
		}
		reads = dal_rules_function_reads(f->rules, target->input_function);
		what = dal_asprintf("func \"%s\"", target->name);
		reads_mark(f, reads, of->file, of->line, what, read);
		any = any || reads->any;
		free(what);
	}
	return any;
}

/* Where a name is made as it runs, nobody can tell what is not read. */
static void check_views(struct finding *f)
{
	bool *read = dal_calloc(f->projection_count + 1, sizeof(*read));
	bool any = rules_read(f, read);

	any = functions_read(f, read) || any;
	for (size_t i = 0; !any && i < f->projection_count; i++) {
		const struct dal_projection *p = dal_rules_projection(f->rules, i);
		if (!read[i]) {
			dal_errors_add(f->notes, p->file, p->line,
				       "projection \"%s\" is read by no rule and no function: it "
				       "is there for queries only",
				       p->name);
		}
	}
	free(read);
}

/* --- rules that do the same twice --- */

/* Does each topic that feeds `narrow` feed `wide`? */
static bool is_fed_alike(const struct dal_rule *wide, const struct dal_rule *narrow)
{
	if (!wide->topics[0]) {
		return true;
	}
	for (const char *const *n = narrow->topics; *n; n++) {
		const char *const *w = wide->topics;
		while (*w && strcmp(*w, *n) != 0) {
			w++;
		}
		if (!*w) {
			return false;
		}
	}
	return narrow->topics[0] != NULL;
}

/* A function that both call for the same events, or NULL. */
static const char *both_call(const struct dal_rule *a, const struct dal_rule *b)
{
	for (const char *const *x = a->calls; !a->has_when && !b->has_when && *x; x++) {
		for (const char *const *y = b->calls; *y; y++) {
			if (strcmp(*x, *y) == 0) {
				return *x;
			}
		}
	}
	return NULL;
}

/* `alike`: "is on the same events as", ... */
static void tell_pair(struct finding *f, const struct dal_rule *rule, const char *alike,
		      const struct dal_rule *other)
{
	const char *function = both_call(rule, other);

	if (function) {
		dal_errors_add(f->warnings, rule->file, rule->line,
			       "rule \"%s\" %s rule \"%s\" (%s:%d), and both call \"%s\": it is "
			       "called twice for them",
			       rule->name, alike, other->name, other->file, other->line, function);
	} else {
		dal_errors_add(f->notes, rule->file, rule->line,
			       "rule \"%s\" %s rule \"%s\" (%s:%d)", rule->name, alike, other->name,
			       other->file, other->line);
	}
}

static const struct dal_pattern **rule_patterns(const struct finding *f)
{
	const struct dal_pattern **patterns = dal_calloc(f->rule_count + 1, sizeof(*patterns));

	for (size_t i = 0; i < f->rule_count; i++) {
		patterns[i] = f->dead[i] ? NULL
					 : dal_rules_pattern(f->rules,
							     dal_rules_rule(f->rules, i)->pattern);
	}
	return patterns;
}

/* The pairs of rules, as they are found. */
struct pairs {
	struct finding *f;
	const uint32_t *first; /* by rule: the first on the same events */
	uint32_t narrow;       /* that was told of last */
};

/* Of those that call a function, all wider ones are looked at: one may call it, too. */
static bool on_shadowed(void *own, uint32_t narrow, uint32_t wide)
{
	struct pairs *p = own;
	const struct dal_rule *rule = dal_rules_rule(p->f->rules, narrow);
	const struct dal_rule *other = dal_rules_rule(p->f->rules, wide);
	bool twice = both_call(rule, other) != NULL;
	bool known = p->narrow == narrow || p->first[narrow] != narrow;

	if (!is_fed_alike(other, rule)) {
		return false;
	}
	if (twice || !known) {
		tell_pair(p->f, rule, "is shadowed: all its events are matched, too, by", other);
		p->narrow = narrow;
	}
	return twice || !rule->calls[0] || rule->has_when;
}

/* The rule before it on the same events that calls what it calls; else the first. */
static size_t equal_before(const struct finding *f, const uint32_t *first, size_t index)
{
	const struct dal_rule *rule = dal_rules_rule(f->rules, index);

	for (size_t i = index, seen = 0; i-- > first[index] && seen < EQUAL_SEEN;) {
		if (first[i] == first[index]) {
			if (both_call(rule, dal_rules_rule(f->rules, i))) {
				return i;
			}
			seen++;
		}
	}
	return first[index];
}

static void check_pairs(struct finding *f)
{
	const struct dal_pattern **patterns = rule_patterns(f);
	uint32_t *first = dal_calloc(f->rule_count + 1, sizeof(*first));
	struct pairs pairs = {f, first, UINT32_MAX};

	dal_patterns_equal(patterns, f->rule_count, first);
	for (size_t i = 0; i < f->rule_count; i++) {
		const struct dal_rule *rule = dal_rules_rule(f->rules, i), *other;
		if (!patterns[i] || first[i] == i) {
			continue;
		}
		other = dal_rules_rule(f->rules, equal_before(f, first, i));
		if (is_fed_alike(other, rule) && is_fed_alike(rule, other)) {
			tell_pair(f, rule, "is on the same events as", other);
		}
	}
	if (!dal_patterns_shadowed(patterns, f->rule_count, on_shadowed, &pairs)) {
		dal_errors_add(f->notes, "", 0,
			       "these rules are too much alike to compare them all: others may be "
			       "shadowed, too");
	}
	free((void *)patterns);
	free(first);
}

/* --- the whole --- */

static void check_flow(struct finding *f)
{
	struct dal_flow *flow = dal_flow_new(f->app, f->dead);

	dal_flow_loops(flow, f->warnings, f->notes);
	if (!flow->complete) {
		dal_errors_add(f->notes, "", 0,
			       "these rules feed each other in too many ways to follow them all: "
			       "there may be other loops");
	}
	dal_flow_free(flow);
}

void dal_findings(const struct dal_app *app, struct dal_errors *warnings, struct dal_errors *notes)
{
	struct finding f = {.app = app,
			    .rules = app->rules,
			    .warnings = warnings,
			    .notes = notes,
			    .rule_count = dal_rules_rule_count(app->rules),
			    .projection_count = dal_rules_projection_count(app->rules)};

	results_make(&f);
	check_dead(&f);
	check_views(&f);
	check_pairs(&f);
	check_flow(&f);
	dal_errors_sort(warnings);
	dal_errors_sort(notes);
	for (size_t i = 0; i < f.result_count; i++) {
		dal_json_free(f.results[i]);
	}
	free(f.results);
	free(f.dead);
}
