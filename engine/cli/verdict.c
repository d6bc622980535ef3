#include "engine/cli/verdict.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/cli/difference.h"
#include "engine/cli/input.h"
#include "engine/cli/reason.h"
#include "engine/cli/recorded.h"
#include "engine/cli/trial.h"

enum { NOTES_MAX = 5 };

struct judging {
	struct dal_verdict *verdict;
	struct dal_trial *trial;
	struct dal_recorded events;
};

static struct dal_complaint *complain(struct judging *j, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static struct dal_complaint *complain(struct judging *j, int line, const char *format, ...)
{
	struct dal_verdict *v = j->verdict;
	struct dal_buffer what = {0};
	va_list args;

	va_start(args, format);
	dal_buffer_vprintf(&what, format, args);
	va_end(args);
	DAL_GROW(v->complaints, v->count, v->capacity);
	v->complaints[v->count] = (struct dal_complaint){
		.line = line, .what = dal_slice_dup(dal_buffer_slice(&what))};
	dal_buffer_deinit(&what);
	return &v->complaints[v->count++];
}

static void note(struct dal_complaint *complaint, struct dal_buffer *text)
{
	if (text->size > 0 && complaint->note_count < NOTES_MAX) {
		DAL_GROW(complaint->notes, complaint->note_count, complaint->note_capacity);
		complaint->notes[complaint->note_count++] = dal_slice_dup(dal_buffer_slice(text));
	}
	dal_buffer_clear(text);
}

static char *dup_or_null(struct dal_slice slice)
{
	return slice.size > 0 ? dal_slice_dup(slice) : NULL;
}

static void on_difference(void *own, struct dal_slice field, struct dal_slice expected,
			  struct dal_slice found)
{
	struct dal_complaint *c = own;

	DAL_GROW(c->fields, c->field_count, c->field_capacity);
	c->fields[c->field_count++] = (struct dal_complaint_field){
		.field = dal_slice_dup(field),
		.expected = dup_or_null(expected),
		.found = dup_or_null(found),
	};
}

/* --- why a rule did nothing --- */

static void note_rule(struct judging *j, struct dal_complaint *complaint, size_t index)
{
	struct dal_buffer text = {0};

	for (size_t i = 0; i < j->events.count; i++) {
		dal_reason_rule(j->trial, index, &j->events.records[i], i, j->events.count > 1,
				&text);
		note(complaint, &text);
	}
	dal_buffer_deinit(&text);
}

static bool calls(const struct dal_rule *rule, const char *function)
{
	for (const char *const *name = rule->calls; name && *name; name++) {
		if (strcmp(*name, function) == 0) {
			return true;
		}
	}
	return false;
}

/* What happened instead: other calls, other emits. */
static void note_others(struct judging *j, struct dal_complaint *complaint,
			enum dal_effect_kind kind)
{
	struct dal_buffer text = {0};

	for (size_t i = 0; i < j->trial->count; i++) {
		const struct dal_effect *effect = &j->trial->effects[i];
		if (effect->kind == kind && kind != DAL_EFFECT_MATCH && !effect->used) {
			dal_buffer_printf(&text, "rule \"%s\" did this: %s(\"%s\", %s)",
					  effect->rule, kind == DAL_EFFECT_CALL ? "call" : "emit",
					  effect->name, effect->json);
			note(complaint, &text);
		}
	}
	dal_buffer_deinit(&text);
}

/* Why the rules that could have did not. */
static void note_rules(struct judging *j, struct dal_complaint *complaint,
		       const struct dal_rules_test_expect *expect)
{
	const struct dal_rules *rules = j->trial->app->rules;
	bool any = false;

	for (size_t i = 0; i < dal_rules_rule_count(rules); i++) {
		const struct dal_rule *rule = dal_rules_rule(rules, i);
		if ((expect->kind == DAL_EXPECT_CALL && calls(rule, expect->name)) ||
		    (expect->kind == DAL_EXPECT_EMIT && rule->has_emit) ||
		    (expect->kind == DAL_EXPECT_MATCH && strcmp(rule->name, expect->name) == 0)) {
			note_rule(j, complaint, i);
			any = true;
		}
	}
	if (!any) {
		struct dal_buffer text = {0};
		dal_buffer_printf(&text, expect->kind == DAL_EXPECT_CALL
						 ? "no rule calls a function of this name"
					 : expect->kind == DAL_EXPECT_EMIT
						 ? "no rule emits anything"
						 : "there is no rule of this name");
		note(complaint, &text);
		dal_buffer_deinit(&text);
	}
}

/* --- expectations --- */

static const char *const words[] = {
	[DAL_EXPECT_CALL] = "call",         [DAL_EXPECT_EMIT] = "emit",
	[DAL_EXPECT_MATCH] = "match",       [DAL_EXPECT_NO_CALL] = "no_call",
	[DAL_EXPECT_NO_MATCH] = "no_match", [DAL_EXPECT_NO_EMIT] = "no_emit",
	[DAL_EXPECT_ERROR] = "failure",
};

static enum dal_effect_kind effect_of(const struct dal_rules_test_expect *expect)
{
	switch (expect->kind) {
	case DAL_EXPECT_CALL:
	case DAL_EXPECT_NO_CALL:
		return DAL_EFFECT_CALL;
	case DAL_EXPECT_EMIT:
	case DAL_EXPECT_NO_EMIT:
		return DAL_EFFECT_EMIT;
	case DAL_EXPECT_ERROR:
		return DAL_EFFECT_FAIL;
	default:
		return DAL_EFFECT_MATCH;
	}
}

/* Is the effect of the expectation's kind and name? */
static bool is_named(const struct dal_effect *effect, const struct dal_rules_test_expect *expect)
{
	bool by_rule = effect->kind == DAL_EFFECT_MATCH || effect->kind == DAL_EFFECT_FAIL;

	if (effect->kind != effect_of(expect) ||
	    (effect->kind == DAL_EFFECT_MATCH && !effect->passed)) {
		return false;
	}
	return !expect->name || strcmp(by_rule ? effect->rule : effect->name, expect->name) == 0;
}

/* The effect that is nearest to what is expected, among those that no other expectation took. */
static struct dal_effect *nearest(struct judging *j, const struct dal_rules_test_expect *expect,
				  size_t *differences)
{
	struct dal_effect *best = NULL;

	for (size_t i = 0; i < j->trial->count; i++) {
		struct dal_effect *effect = &j->trial->effects[i];
		size_t count;
		if (effect->used || !is_named(effect, expect)) {
			continue;
		}
		count = expect->json.size > 0
				? dal_difference(expect->json, dal_slice_text(effect->json), true,
						 NULL, NULL)
				: 0;
		if (!best || count < *differences) {
			best = effect;
			*differences = count;
		}
	}
	return best;
}

static void judge_effect(struct judging *j, const struct dal_rules_test_expect *expect)
{
	const char *word = words[expect->kind];
	size_t differences = 0;
	struct dal_effect *effect = nearest(j, expect, &differences);
	struct dal_complaint *complaint;

	if (!effect) {
		complaint = complain(j, expect->line, "%s(\"%s\"): it did not happen", word,
				     expect->name);
		if (expect->kind != DAL_EXPECT_ERROR) {
			note_rules(j, complaint, expect);
			note_others(j, complaint, effect_of(expect));
		}
		return;
	}
	effect->used = true;
	if (differences > 0) {
		complaint = complain(j, expect->line, "%s(\"%s\"): it happened, but differs", word,
				     expect->name);
		dal_difference(expect->json, dal_slice_text(effect->json), true, on_difference,
			       complaint);
	}
}

static void judge_absence(struct judging *j, const struct dal_rules_test_expect *expect)
{
	for (size_t i = 0; i < j->trial->count; i++) {
		const struct dal_effect *effect = &j->trial->effects[i];
		if (!is_named(effect, expect)) {
			continue;
		}
		complain(j, expect->line,
			 "%s(%s%s%s): it happened, by rule \"%s\" on event %zu%s%s",
			 words[expect->kind], expect->name ? "\"" : "",
			 expect->name ? expect->name : "", expect->name ? "\"" : "", effect->rule,
			 effect->event + 1, effect->json ? ": " : "",
			 effect->json ? effect->json : "");
		return;
	}
}

static void judge_view(struct judging *j, const struct dal_rules_test_expect *expect)
{
	struct dal_slice found = dal_trial_entry(j->trial, expect->name, expect->key);
	struct dal_complaint *complaint;

	if (expect->json.size == 0 && found.size == 0) {
		return;
	}
	if (expect->json.size == 0 || found.size == 0) {
		complaint = complain(j, expect->line, "view(\"%s\", \"%s\"): %s", expect->name,
				     expect->key,
				     found.size > 0 ? "there is an entry" : "there is no entry");
		on_difference(complaint, (struct dal_slice){0}, expect->json, found);
		return;
	}
	if (dal_difference(expect->json, found, false, NULL, NULL) > 0) {
		complaint = complain(j, expect->line, "view(\"%s\", \"%s\"): it differs",
				     expect->name, expect->key);
		dal_difference(expect->json, found, false, on_difference, complaint);
	}
}

static void judge_failures(struct judging *j)
{
	for (size_t i = 0; i < j->trial->count; i++) {
		const struct dal_effect *effect = &j->trial->effects[i];
		if (effect->kind == DAL_EFFECT_FAIL && !effect->used) {
			complain(j, j->verdict->test->line,
				 "\"%s\" failed in its %s on event %zu: %s", effect->rule,
				 effect->name, effect->event + 1, effect->json);
		}
	}
}

static void judge(struct judging *j)
{
	const struct dal_rules_test *test = j->verdict->test;

	for (size_t i = 0; i < test->expect_count; i++) {
		const struct dal_rules_test_expect *expect = &test->expect[i];
		switch (expect->kind) {
		case DAL_EXPECT_VIEW:
			judge_view(j, expect);
			break;
		case DAL_EXPECT_NO_CALL:
		case DAL_EXPECT_NO_EMIT:
		case DAL_EXPECT_NO_MATCH:
			judge_absence(j, expect);
			break;
		default:
			judge_effect(j, expect);
		}
	}
	judge_failures(j);
}

/* --- events --- */

static void event_add(struct judging *j, struct dal_slice json, const char *file, size_t number)
{
	struct dal_error error;

	if (dal_recorded_add(&j->events, json, j->trial->app->name, &error) != 0) {
		complain(j, j->verdict->test->line, "%s%sevent %zu: %s", file ? file : "",
			 file ? ", " : "", number, error.text);
	}
}

static void events_list(struct judging *j, struct dal_slice list)
{
	struct dal_json *json = dal_json_new();
	uint32_t node = DAL_JSON_ROOT + 1;

	if (dal_json_parse(json, list, 0, NULL) == 0) {
		for (uint32_t i = 0; i < dal_json_count(json, DAL_JSON_ROOT); i++) {
			event_add(j, dal_json_raw(json, node), NULL, i + 1);
			node = dal_json_next(json, node);
		}
	}
	dal_json_free(json);
}

/* A file of recorded events stands beside the test. */
static void events_file(struct judging *j, const char *name)
{
	const struct dal_rules_test *test = j->verdict->test;
	const char *slash = strrchr(test->file, '/');
	char *path = dal_asprintf("%s/%.*s%s", j->trial->app->folder,
				  slash ? (int)(slash - test->file + 1) : 0, test->file, name);
	struct dal_input lines;
	struct dal_slice line;
	int r = dal_input_open(&lines, path);

	if (r < 0) {
		complain(j, test->line, "the events %s can't be read: %s", path, strerror(-r));
	} else {
		while (dal_input_next(&lines, &line)) {
			event_add(j, line, name, lines.number);
		}
		dal_input_close(&lines);
	}
	free(path);
}

static int run(struct judging *j)
{
	const struct dal_rules_test *test = j->verdict->test;
	struct dal_log_batch batch;
	int r;

	for (size_t i = 0; i < test->given_count; i++) {
		dal_trial_given(j->trial, test->given[i].projection, test->given[i].key,
				test->given[i].json);
	}
	if (test->events_file) {
		events_file(j, test->events_file);
	} else {
		events_list(j, test->events);
	}
	if (j->verdict->count > 0) {
		return 0; /* an event is wrong */
	}
	batch = dal_recorded_batch(&j->events);
	r = dal_trial_run(j->trial, &batch);
	if (r >= 0) {
		judge(j);
	}
	return r < 0 ? r : 0;
}

void dal_verdict_reach(struct dal_verdict *verdict, struct dal_trial *trial,
		       const struct dal_rules_test *test)
{
	int64_t since = dal_clock_monotonic_us();
	struct judging j = {.verdict = verdict, .trial = trial};
	int r;

	*verdict = (struct dal_verdict){.test = test};
	dal_trial_clear(trial);
	r = run(&j);
	if (r < 0) {
		verdict->broken = true;
		complain(&j, test->line, "this test can't be run: %s", strerror(-r));
	}
	dal_recorded_deinit(&j.events);
	verdict->duration_us = dal_clock_monotonic_us() - since;
}

void dal_verdict_deinit(struct dal_verdict *verdict)
{
	for (size_t i = 0; i < verdict->count; i++) {
		struct dal_complaint *c = &verdict->complaints[i];
		for (size_t k = 0; k < c->field_count; k++) {
			free(c->fields[k].field);
			free(c->fields[k].expected);
			free(c->fields[k].found);
		}
		for (size_t k = 0; k < c->note_count; k++) {
			free(c->notes[k]);
		}
		free(c->fields);
		free(c->notes);
		free(c->what);
	}
	free(verdict->complaints);
}

void dal_complaint_print(const struct dal_complaint *c, struct dal_buffer *out)
{
	dal_buffer_printf(out, "%s\n", c->what);
	for (size_t i = 0; i < c->field_count; i++) {
		const struct dal_complaint_field *field = &c->fields[i];
		dal_buffer_printf(out, "        %s%sexpected %s, found %s\n", field->field,
				  field->field[0] ? ": " : "",
				  field->expected ? field->expected : "nothing",
				  field->found ? field->found : "nothing");
	}
	for (size_t i = 0; i < c->note_count; i++) {
		dal_buffer_printf(out, "        %s\n", c->notes[i]);
	}
}
