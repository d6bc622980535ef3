/* The rule set as a whole: made by a load, read by all. */
#include "rules/rules.h"

#include <stdlib.h>

#include "engine/base/digest.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "rules/loader.h"

static void hex(struct dal_digest digest, char out[2 * DAL_DIGEST_BYTES + 1])
{
	struct dal_buffer text = {0};
	dal_hex_encode(dal_slice(digest.bytes, sizeof(digest.bytes)), &text);
	memcpy(out, dal_buffer_cstr(&text), 2 * DAL_DIGEST_BYTES + 1);
	dal_buffer_deinit(&text);
}

void dal_set_names(struct dal_loader *loader)
{
	struct dal_rules *set = loader->set;
	for (size_t i = 0; i < set->rule_count; i++) {
		dal_map_set(set->rule_names, dal_slice_text(set->rules[i].rule.name),
			    (void *)(i + 1));
	}
	for (size_t i = 0; i < set->projection_count; i++) {
		dal_map_set(set->projection_names,
			    dal_slice_text(set->projections[i].projection.name), (void *)(i + 1));
	}
}

void dal_set_digests(struct dal_loader *loader)
{
	static const char on_error[] = {'s', 'p', 'h'};
	for (size_t i = 0; i < loader->set->projection_count; i++) {
		struct dal_projection_own *own = &loader->set->projections[i];
		struct dal_buffer pattern = {0};
		if (own->pattern == NULL || own->fold == 0) {
			continue; /* it was wrong, and nobody will ask */
		}
		struct dal_digester *digester = dal_digester_new();
		dal_pattern_print(own->pattern, &pattern);
		dal_digester_add(digester, dal_buffer_slice(&pattern));
		dal_buffer_deinit(&pattern);
		for (size_t t = 0; own->projection.topics[t] != NULL; t++) {
			dal_digester_add(digester, dal_slice_text(own->projection.topics[t]));
		}
		dal_digester_add(digester, own->projection.init);
		dal_digester_add(digester, dal_slice(&on_error[own->projection.on_error], 1));
		if (own->key != 0) {
			dal_reach_digest(loader, own->key, digester);
		} else if (own->projection.key != NULL) {
			dal_digester_add(digester, dal_path_text(own->projection.key));
		}
		dal_reach_digest(loader, own->fold, digester);
		hex(dal_digester_finish_take(digester), own->digest);
		own->projection.digest = own->digest;
	}
}

static struct dal_rules *set_new(const struct dal_rules_options *options)
{
	struct dal_rules *set = dal_calloc(1, sizeof(*set));
	struct dal_digester *digester = dal_digester_new();
	atomic_init(&set->references, 1);
	set->declarables = options->declarables;
	set->call_declarable = options->call_declarable;
	set->source_count = options->count;
	set->sources = dal_calloc(options->count + 1, sizeof(*set->sources));
	set->rule_names = dal_map_new();
	set->projection_names = dal_map_new();
	for (size_t i = 0; i < options->count; i++) {
		const struct dal_rules_source *source = &options->sources[i];
		set->sources[i] = (struct dal_rules_source){dal_strdup(source->name),
							    {dal_slice_dup(source->text),
							     source->text.size},
							    source->role};
		dal_digester_add(digester, dal_slice_text(source->name));
		dal_digester_add(digester, source->text);
	}
	hex(dal_digester_finish_take(digester), set->digest);
	return set;
}

static void strings_free(const char *const *strings)
{
	for (size_t i = 0; strings != NULL && strings[i] != NULL; i++) {
		free((void *)strings[i]);
	}
	free((void *)strings);
}

static void declared_free(struct dal_rules *set)
{
	for (size_t i = 0; i < set->rule_count; i++) {
		struct dal_rule_own *own = &set->rules[i];
		free((void *)own->rule.name);
		strings_free(own->rule.topics);
		strings_free(own->rule.calls);
		free(own->reads.projections);
		dal_path_free((struct dal_path *)own->rule.by);
		dal_pattern_free(own->pattern);
	}
	for (size_t i = 0; i < set->projection_count; i++) {
		struct dal_projection_own *own = &set->projections[i];
		free((void *)own->projection.name);
		strings_free(own->projection.topics);
		dal_path_free((struct dal_path *)own->projection.key);
		dal_pattern_free(own->pattern);
		free(own->init);
	}
	for (size_t i = 0; i < set->declaration_count; i++) {
		dal_declaration_deinit(&set->declarations[i]);
	}
	for (size_t i = 0; i < set->other_count; i++) {
		dal_pattern_free(set->others[i]);
	}
	for (size_t i = 0; i < set->function_count; i++) {
		free(set->functions[i].what);
		free(set->functions[i].reads.projections);
		for (size_t k = 0; k < set->functions[i].emits.count; k++) {
			free((void *)set->functions[i].emits.types[k]);
		}
		free((void *)set->functions[i].emits.types);
	}
	for (size_t i = 0; i < set->test_count; i++) {
		dal_rules_test_deinit(&set->tests[i]);
	}
}

static void set_free(struct dal_rules *set)
{
	declared_free(set);
	for (size_t i = 0; i < set->source_count; i++) {
		free((void *)set->sources[i].name);
		free((void *)set->sources[i].text.data);
	}
	dal_matcher_free(set->matcher);
	dal_map_free(set->rule_names);
	dal_map_free(set->projection_names);
	free(set->sources);
	free(set->rules);
	free(set->projections);
	free(set->others);
	free((void *)set->patterns);
	free(set->functions);
	free(set->declarations);
	free(set->tests);
	free(set);
}

/* Ids: rules, then projections, then patterns of other declarations. */
static void build_matcher(struct dal_rules *set)
{
	size_t count = 0;
	set->pattern_count = set->rule_count + set->projection_count + set->other_count;
	set->patterns = dal_calloc(set->pattern_count + 1, sizeof(*set->patterns));
	for (size_t i = 0; i < set->rule_count; i++) {
		set->rules[i].rule.pattern = (uint32_t)count;
		set->patterns[count++] = set->rules[i].pattern;
	}
	for (size_t i = 0; i < set->projection_count; i++) {
		set->projections[i].projection.pattern = (uint32_t)count;
		set->patterns[count++] = set->projections[i].pattern;
	}
	for (size_t i = 0; i < set->other_count; i++) {
		set->patterns[count++] = set->others[i];
	}
	set->matcher = dal_matcher_new(set->patterns, set->pattern_count);
}

/* Patterns in other folders' values were counted among themselves; now their ids are known. */
static void number_patterns(struct dal_value *values, size_t count, size_t first)
{
	for (size_t i = 0; i < count; i++) {
		if (values[i].set && values[i].kind == DAL_FIELD_PATTERN) {
			values[i].number += (int64_t)first;
		}
		number_patterns(values[i].items, values[i].count, first);
	}
}

static void number_declarations(struct dal_rules *set)
{
	for (size_t i = 0; i < set->declaration_count; i++) {
		number_patterns(set->declarations[i].values, set->declarations[i].count,
				set->rule_count + set->projection_count);
	}
}

struct names {
	const char **items;
	size_t count, capacity;
	struct dal_map *known;
};

static void add_name(struct names *names, const char *name)
{
	DAL_GROW(names->items, names->count, names->capacity);
	names->items[names->count++] = name;
	dal_map_set(names->known, dal_slice_text(name), names);
}

static void check_use(struct dal_loader *loader, const struct dal_loader_use *use,
		      const struct names *callable, const struct names *projections)
{
	bool call = use->kind == DAL_USE_CALL;
	const struct names *names = call ? callable : projections;
	if (call && loader->set->call_declarable == NULL) {
		return;
	}
	if (dal_map_get(names->known, dal_slice_text(use->name)) != NULL) {
		return;
	}
	const char *nearest = dal_error_suggest(use->name, names->items, names->count);
	dal_errors_add(loader->errors, loader->set->sources[use->source].name, use->line,
		       "%s%s%s is no %s of this app%s%s%s", use->what ? use->what : "view",
		       call ? ": call: " : ": ", use->name, call ? "function" : "projection",
		       nearest ? ", did you mean '" : "", nearest ? nearest : "",
		       nearest ? "'?" : "");
}

static void warn_uncalled(struct dal_loader *loader)
{
	const struct dal_rules *set = loader->set;
	struct dal_map *called = dal_map_new();
	for (size_t i = 0; i < loader->use_count; i++) {
		if (loader->uses[i].kind == DAL_USE_CALL) {
			dal_map_set(called, dal_slice_text(loader->uses[i].name), called);
		}
	}
	for (size_t i = 0; i < set->declaration_count; i++) {
		const struct dal_declaration *declaration = &set->declarations[i];
		if (strcmp(declaration->what->name, set->call_declarable) == 0 &&
		    dal_map_get(called, dal_slice_text(declaration->name)) == NULL) {
			dal_errors_add(loader->warnings, declaration->file, declaration->line,
				       "%s \"%s\" is called by no rule", declaration->what->name,
				       declaration->name);
		}
	}
	dal_map_free(called);
}

static void check_uses(struct dal_loader *loader)
{
	const struct dal_rules *set = loader->set;
	struct names callable = {.known = dal_map_new()}, projections = {.known = dal_map_new()};
	for (size_t i = 0; i < set->declaration_count; i++) {
		if (set->call_declarable != NULL &&
		    strcmp(set->declarations[i].what->name, set->call_declarable) == 0) {
			add_name(&callable, set->declarations[i].name);
		}
	}
	for (size_t i = 0; i < set->projection_count; i++) {
		add_name(&projections, set->projections[i].projection.name);
	}
	for (size_t i = 0; i < loader->use_count; i++) {
		check_use(loader, &loader->uses[i], &callable, &projections);
	}
	if (loader->warnings != NULL && set->call_declarable != NULL) {
		warn_uncalled(loader);
	}
	dal_map_free(callable.known);
	dal_map_free(projections.known);
	free(callable.items);
	free(projections.items);
}

static void loader_deinit(struct dal_loader *loader)
{
	size_t cursor = 0;
	struct dal_slice key;
	void *use;
	while (dal_map_next(loader->names, &cursor, &key, &use)) {
		free(use);
	}
	dal_map_free(loader->names);
	for (size_t i = 0; i < loader->use_count; i++) {
		free(loader->uses[i].name);
		free(loader->uses[i].what);
	}
	free(loader->uses);
	free((void *)loader->lines);
	dal_reading_free(loader->reading);
}

static void load(struct dal_rules *set, bool analyse, struct dal_errors *errors,
		 struct dal_errors *warnings)
{
	struct dal_sandbox sandbox;
	struct dal_loader loader = {.sandbox = &sandbox,
				    .set = set,
				    .checking = true,
				    .analyse = analyse,
				    .errors = errors,
				    .warnings = warnings,
				    .names = dal_map_new()};
	dal_sandbox_init(&sandbox);
	dal_loader_run(&loader);
	check_uses(&loader);
	loader_deinit(&loader);
	dal_sandbox_deinit(&sandbox);
}

int dal_rules_load(const struct dal_rules_options *options, struct dal_rules **rules,
		   struct dal_errors *errors, struct dal_errors *warnings)
{
	*rules = NULL;
	if (options->count > DAL_LIMIT_SOURCE_FILES) {
		dal_errors_add(errors, "", 0, "too many files: %zu, at most %d", options->count,
			       DAL_LIMIT_SOURCE_FILES);
		return DAL_RULES_INVALID;
	}
	size_t before = errors->count + errors->dropped;
	struct dal_rules *set = set_new(options);
	load(set, options->analyse, errors, warnings);
	dal_errors_sort(errors);
	if (warnings != NULL) {
		dal_errors_sort(warnings);
	}
	if (errors->count + errors->dropped > before) {
		if (options->keep_invalid) {
			*rules = set;
		} else {
			set_free(set);
		}
		return DAL_RULES_INVALID;
	}
	build_matcher(set);
	number_declarations(set);
	*rules = set;
	return 0;
}

struct dal_rules *dal_rules_ref(struct dal_rules *rules)
{
	atomic_fetch_add_explicit(&rules->references, 1, memory_order_relaxed);
	return rules;
}

void dal_rules_unref(struct dal_rules *rules)
{
	if (rules != NULL &&
	    atomic_fetch_sub_explicit(&rules->references, 1, memory_order_acq_rel) == 1) {
		set_free(rules);
	}
}

const char *dal_rules_digest(const struct dal_rules *rules)
{
	return rules->digest;
}

size_t dal_rules_rule_count(const struct dal_rules *rules)
{
	return rules->rule_count;
}

const struct dal_rule *dal_rules_rule(const struct dal_rules *rules, size_t index)
{
	DAL_ASSERT(index < rules->rule_count);
	return &rules->rules[index].rule;
}

size_t dal_rules_projection_count(const struct dal_rules *rules)
{
	return rules->projection_count;
}

const struct dal_projection *dal_rules_projection(const struct dal_rules *rules, size_t index)
{
	DAL_ASSERT(index < rules->projection_count);
	return &rules->projections[index].projection;
}

long dal_rules_projection_index(const struct dal_rules *rules, struct dal_slice name)
{
	return (long)(uintptr_t)dal_map_get(rules->projection_names, name) - 1;
}

long dal_rules_rule_index(const struct dal_rules *rules, struct dal_slice name)
{
	return (long)(uintptr_t)dal_map_get(rules->rule_names, name) - 1;
}

const struct dal_reads *dal_rules_reads(const struct dal_rules *rules, size_t rule)
{
	DAL_ASSERT(rule < rules->rule_count);
	return &rules->rules[rule].reads;
}

const struct dal_reads *dal_rules_function_reads(const struct dal_rules *rules, int64_t function)
{
	DAL_ASSERT(function >= 1 && (size_t)function <= rules->function_count);
	return &rules->functions[function - 1].reads;
}

const struct dal_emits *dal_rules_emits(const struct dal_rules *rules, size_t rule)
{
	static const struct dal_emits none;
	DAL_ASSERT(rule < rules->rule_count);
	int64_t emit = rules->rules[rule].emit;
	return emit != 0 ? &rules->functions[emit - 1].emits : &none;
}

const struct dal_matcher *dal_rules_matcher(const struct dal_rules *rules)
{
	return rules->matcher;
}

const struct dal_pattern *dal_rules_pattern(const struct dal_rules *rules, uint32_t id)
{
	DAL_ASSERT(id < rules->pattern_count);
	return rules->patterns[id];
}

size_t dal_rules_declaration_count(const struct dal_rules *rules)
{
	return rules->declaration_count;
}

const struct dal_declaration *dal_rules_declaration(const struct dal_rules *rules, size_t index)
{
	DAL_ASSERT(index < rules->declaration_count);
	return &rules->declarations[index];
}

size_t dal_rules_test_count(const struct dal_rules *rules)
{
	return rules->test_count;
}

const struct dal_rules_test *dal_rules_test(const struct dal_rules *rules, size_t index)
{
	DAL_ASSERT(index < rules->test_count);
	return &rules->tests[index];
}
