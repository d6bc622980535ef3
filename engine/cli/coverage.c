#include "engine/cli/coverage.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/memory.h"
#include "rules/partial.h"

/* --- gathering --- */

/* What the fields are of: rules by index, then projections. */
static struct dal_coverage_fields *fields_of(const struct dal_coverage *c, size_t subject)
{
	size_t rules = dal_rules_rule_count(c->rules);

	return subject < rules ? c->by_rule[subject].fields
			       : c->by_projection[subject - rules].fields;
}

static void subject_add(struct dal_coverage_subjects *subjects, size_t subject)
{
	DAL_GROW(subjects->items, subjects->count, subjects->capacity);
	subjects->items[subjects->count++] = subject;
}

static bool all_texts(const struct dal_json *json, uint32_t list)
{
	for (uint32_t node = list + 1; node < dal_json_next(json, list); node++) {
		if (dal_json_kind(json, node) != DAL_JSON_STRING) {
			return false;
		}
	}
	return true;
}

/* Under its types, if its pattern names them; else it is asked of each event. */
static void subject_place(struct dal_coverage *c, const struct dal_pattern *pattern, size_t subject,
			  struct dal_json *json)
{
	struct dal_buffer type = {0};
	uint32_t list = DAL_JSON_NONE;

	if (dal_pattern_type(pattern, &type) &&
	    dal_json_parse(json, dal_buffer_slice(&type), 0, NULL) == 0) {
		list = dal_json_find(json, DAL_JSON_ROOT, dal_slice_text("type"));
	}
	if (list == DAL_JSON_NONE || !all_texts(json, list)) {
		subject_add(&c->others, subject);
		list = DAL_JSON_NONE;
	}
	for (uint32_t i = 0; list != DAL_JSON_NONE && i < dal_json_count(json, list); i++) {
		struct dal_slice name = dal_json_string(json, dal_json_at(json, list, i));
		struct dal_coverage_subjects *of = dal_map_get(c->by_type, name);
		if (!of) {
			of = dal_calloc(1, sizeof(*of));
			dal_map_set(c->by_type, name, of);
		}
		subject_add(of, subject);
	}
	dal_buffer_deinit(&type);
}

struct dal_coverage *dal_coverage_new(struct dal_rules *rules)
{
	struct dal_coverage *c = dal_calloc(1, sizeof(*c));
	size_t rule_count = dal_rules_rule_count(rules);
	size_t projection_count = dal_rules_projection_count(rules);
	struct dal_json *json = dal_json_new();

	c->rules = dal_rules_ref(rules);
	c->lines = dal_coverage_lines_new(rules);
	c->by_rule = dal_calloc(rule_count + 1, sizeof(*c->by_rule));
	c->by_projection = dal_calloc(projection_count + 1, sizeof(*c->by_projection));
	c->by_type = dal_map_new();
	for (size_t i = 0; i < rule_count; i++) {
		const struct dal_pattern *pattern = dal_rules_pattern(
			rules, dal_rules_rule(rules, i)->pattern);
		c->by_rule[i].fields = dal_coverage_fields_new(pattern);
		subject_place(c, pattern, i, json);
	}
	for (size_t i = 0; i < projection_count; i++) {
		const struct dal_pattern *pattern = dal_rules_pattern(
			rules, dal_rules_projection(rules, i)->pattern);
		c->by_projection[i].fields = dal_coverage_fields_new(pattern);
		subject_place(c, pattern, rule_count + i, json);
	}
	dal_json_free(json);
	return c;
}

void dal_coverage_free(struct dal_coverage *c)
{
	struct dal_slice type;
	size_t cursor = 0;
	void *subjects;

	if (!c) {
		return;
	}
	for (size_t i = 0; i < dal_rules_rule_count(c->rules); i++) {
		dal_coverage_fields_free(c->by_rule[i].fields);
	}
	for (size_t i = 0; i < dal_rules_projection_count(c->rules); i++) {
		dal_coverage_fields_free(c->by_projection[i].fields);
	}
	while (dal_map_next(c->by_type, &cursor, &type, &subjects)) {
		free(((struct dal_coverage_subjects *)subjects)->items);
		free(subjects);
	}
	dal_map_free(c->by_type);
	free(c->others.items);
	dal_coverage_lines_free(c->lines);
	dal_rules_unref(c->rules);
	free(c->by_rule);
	free(c->by_projection);
	free(c);
}

static bool feeds(const struct dal_event *event, const char *const *topics, bool system)
{
	if (dal_event_is_system(event) && !system) {
		return false;
	}
	if (!topics || !topics[0]) {
		return true;
	}
	for (; *topics; topics++) {
		if (dal_slice_is(event->place.topic, *topics)) {
			return true;
		}
	}
	return false;
}

static void subjects_ask(struct dal_coverage *c, const struct dal_coverage_subjects *subjects,
			 const struct dal_event *event)
{
	size_t rules = dal_rules_rule_count(c->rules);

	for (size_t i = 0; i < subjects->count; i++) {
		size_t subject = subjects->items[i];
		const struct dal_rule *r = subject < rules ? dal_rules_rule(c->rules, subject)
							   : NULL;
		const struct dal_projection *p = r ? NULL
						   : dal_rules_projection(c->rules,
									  subject - rules);
		if (feeds(event, r ? r->topics : p->topics, r ? r->system : p->system)) {
			dal_coverage_fields_ask(fields_of(c, subject), event->json, DAL_JSON_ROOT);
		}
	}
}

void dal_coverage_event(struct dal_coverage *c, const struct dal_event *event)
{
	const struct dal_coverage_subjects *named = dal_map_get(c->by_type, event->type);

	if (named) {
		subjects_ask(c, named, event);
	}
	subjects_ask(c, &c->others, event);
}

void dal_coverage_match(struct dal_coverage *c, const struct dal_rule *rule, bool passed)
{
	long index = dal_rules_rule_index(c->rules, dal_slice_text(rule->name));

	*(passed ? &c->by_rule[index].passed : &c->by_rule[index].refused) += 1;
}

void dal_coverage_fold(struct dal_coverage *c, const struct dal_projection *projection)
{
	long index = dal_rules_projection_index(c->rules, dal_slice_text(projection->name));

	c->by_projection[index].folded++;
}

/* --- as text --- */

struct sum {
	size_t covered, all;
};

static void sum_add(struct sum *sum, bool covered)
{
	sum->all++;
	sum->covered += covered;
}

/* Fields are told of only where the pattern has matched once: else that is what to test first. */
static void print_fields(const struct dal_coverage_fields *fields, const char *file, int line,
			 const char *what, bool reached, struct sum *sum)
{
	size_t count;
	const struct dal_coverage_field *field = dal_coverage_fields_all(fields, &count);

	for (size_t i = 0; i < count; i++, field++) {
		const char *lacks = dal_coverage_field_lacks(field);

		sum_add(sum, lacks == NULL);
		if (reached && lacks) {
			printf("%s:%d: %s: no test has %s %s\n", file, line, what, field->path,
			       lacks);
		}
	}
}

static void print_rules(const struct dal_coverage *c, struct sum *rules, struct sum *fields)
{
	for (size_t i = 0; i < dal_rules_rule_count(c->rules); i++) {
		const struct dal_rule *rule = dal_rules_rule(c->rules, i);
		const struct dal_coverage_rule *of = &c->by_rule[i];
		char *what = dal_asprintf("rule \"%s\"", rule->name);
		const char *lacks = of->passed + of->refused == 0 ? "is matched by no test"
				    : of->passed == 0 ? "is let through by its guard in no test"
				    : rule->has_when && of->refused == 0
					    ? "is refused by its guard in no test"
					    : NULL;

		sum_add(rules, of->passed > 0);
		if (lacks) {
			printf("%s:%d: %s %s\n", rule->file, rule->line, what, lacks);
		}
		print_fields(of->fields, rule->file, rule->line, what, of->passed + of->refused > 0,
			     fields);
		free(what);
	}
}

static void print_projections(const struct dal_coverage *c, struct sum *projections,
			      struct sum *fields)
{
	for (size_t i = 0; i < dal_rules_projection_count(c->rules); i++) {
		const struct dal_projection *p = dal_rules_projection(c->rules, i);
		const struct dal_coverage_projection *of = &c->by_projection[i];
		char *what = dal_asprintf("projection \"%s\"", p->name);

		sum_add(projections, of->folded > 0);
		if (of->folded == 0) {
			printf("%s:%d: %s is fed by no test\n", p->file, p->line, what);
		}
		print_fields(of->fields, p->file, p->line, what, of->folded > 0, fields);
		free(what);
	}
}

static void print_lines(const struct dal_coverage *c, struct sum *sum)
{
	size_t count;
	const struct dal_coverage_line *lines = dal_coverage_lines_all(c->lines, &count);

	for (size_t i = 0; i < count; i++) {
		size_t last = i;

		sum_add(sum, lines[i].ran);
		if (lines[i].ran) {
			continue;
		}
		while (last + 1 < count && !lines[last + 1].ran &&
		       strcmp(lines[last + 1].file, lines[i].file) == 0) {
			sum_add(sum, lines[++last].ran);
		}
		if (last == i) {
			printf("%s:%d: never runs\n", lines[i].file, lines[i].line);
		} else {
			printf("%s:%d: never runs, up to line %d\n", lines[i].file, lines[i].line,
			       lines[last].line);
		}
		i = last;
	}
}

static void print_sum(const char *what, const struct sum *sum)
{
	if (sum->all > 0) {
		printf("  %-15s %zu of %zu (%zu %%)\n", what, sum->covered, sum->all,
		       100 * sum->covered / sum->all);
	}
}

void dal_coverage_print(const struct dal_coverage *c)
{
	struct sum rules = {0}, projections = {0}, fields = {0}, lines = {0};

	printf("not covered:\n");
	print_rules(c, &rules, &fields);
	print_projections(c, &projections, &fields);
	print_lines(c, &lines);
	printf("covered:\n");
	print_sum("rules", &rules);
	print_sum("projections", &projections);
	print_sum("pattern fields", &fields);
	print_sum("lines", &lines);
}

/* --- as JSON --- */

static void put_text(struct dal_json_writer *w, const char *key, const char *text)
{
	dal_json_key(w, key);
	dal_json_put_text(w, text);
}

static void put_number(struct dal_json_writer *w, const char *key, uint64_t number)
{
	dal_json_key(w, key);
	dal_json_put_integer(w, (int64_t)number);
}

static void put_place(struct dal_json_writer *w, const char *name, const char *file, int line)
{
	put_text(w, "name", name);
	put_text(w, "file", file);
	put_number(w, "line", (uint64_t)line);
}

static void put_fields(struct dal_json_writer *w, const struct dal_coverage_fields *fields)
{
	size_t count;
	const struct dal_coverage_field *field = dal_coverage_fields_all(fields, &count);

	dal_json_key(w, "fields");
	dal_json_begin_array(w);
	for (size_t i = 0; i < count; i++, field++) {
		dal_json_begin_object(w);
		put_text(w, "field", field->path);
		put_number(w, "held", field->held);
		put_number(w, "failed", field->failed);
		dal_json_key(w, "covered");
		dal_json_put_boolean(w, dal_coverage_field_lacks(field) == NULL);
		dal_json_end_object(w);
	}
	dal_json_end_array(w);
}

static void put_rules(const struct dal_coverage *c, struct dal_json_writer *w)
{
	dal_json_key(w, "rules");
	dal_json_begin_array(w);
	for (size_t i = 0; i < dal_rules_rule_count(c->rules); i++) {
		const struct dal_rule *rule = dal_rules_rule(c->rules, i);
		dal_json_begin_object(w);
		put_place(w, rule->name, rule->file, rule->line);
		put_number(w, "passed", c->by_rule[i].passed);
		put_number(w, "refused", c->by_rule[i].refused);
		put_fields(w, c->by_rule[i].fields);
		dal_json_end_object(w);
	}
	dal_json_end_array(w);
}

static void put_projections(const struct dal_coverage *c, struct dal_json_writer *w)
{
	dal_json_key(w, "projections");
	dal_json_begin_array(w);
	for (size_t i = 0; i < dal_rules_projection_count(c->rules); i++) {
		const struct dal_projection *p = dal_rules_projection(c->rules, i);
		dal_json_begin_object(w);
		put_place(w, p->name, p->file, p->line);
		put_number(w, "folded", c->by_projection[i].folded);
		put_fields(w, c->by_projection[i].fields);
		dal_json_end_object(w);
	}
	dal_json_end_array(w);
}

static void put_file(struct dal_json_writer *w, const struct dal_coverage_line *lines, size_t count,
		     bool ran)
{
	dal_json_key(w, ran ? "ran" : "missed");
	dal_json_begin_array(w);
	for (size_t i = 0; i < count; i++) {
		if (lines[i].ran == ran) {
			dal_json_put_integer(w, lines[i].line);
		}
	}
	dal_json_end_array(w);
}

static void put_files(const struct dal_coverage *c, struct dal_json_writer *w)
{
	size_t count, many;
	const struct dal_coverage_line *lines = dal_coverage_lines_all(c->lines, &count);

	dal_json_key(w, "files");
	dal_json_begin_array(w);
	for (; count > 0; lines += many, count -= many) {
		many = 1;
		while (many < count && strcmp(lines[many].file, lines->file) == 0) {
			many++;
		}
		dal_json_begin_object(w);
		put_text(w, "file", lines->file);
		put_file(w, lines, many, true);
		put_file(w, lines, many, false);
		dal_json_end_object(w);
	}
	dal_json_end_array(w);
}

void dal_coverage_put(const struct dal_coverage *c, struct dal_json_writer *w)
{
	dal_json_begin_object(w);
	put_rules(c, w);
	put_projections(c, w);
	put_files(c, w);
	dal_json_end_object(w);
}
