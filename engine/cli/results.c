#include "engine/cli/results.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/event/json_write.h"

/* --- running --- */

/* Is `text` as the pattern says, where "*" is any text? */
static bool is_like(const char *pattern, const char *text)
{
	const char *star = NULL, *again = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			again = text;
		} else if (*pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star;
			text = ++again;
		} else {
			return false;
		}
	}
	while (*pattern == '*') {
		pattern++;
	}
	return !*pattern;
}

static bool is_wanted(const struct dal_results_options *options, const struct dal_rules_test *test)
{
	const char *only = options->only;

	if (options->file && strcmp(options->file, test->file) != 0) {
		return false;
	}
	if (!only) {
		return true;
	}
	return strchr(only, '*') ? is_like(only, test->name) || is_like(only, test->file)
				 : strstr(test->name, only) || strstr(test->file, only);
}

int dal_results_run(struct dal_results *results, const struct dal_app *app,
		    const struct dal_results_options *options)
{
	size_t count = dal_rules_test_count(app->rules);
	struct dal_trial trial;
	int64_t since;
	int r;

	*results = (struct dal_results){.app = app};
	results->coverage = options->cover ? dal_coverage_new(app->rules) : NULL;
	r = dal_trial_init_covered(&trial, app, results->coverage);
	since = dal_clock_monotonic_us();
	for (size_t i = 0; r == 0 && i < count; i++) {
		const struct dal_rules_test *test = dal_rules_test(app->rules, i);
		if (is_wanted(options, test)) {
			DAL_GROW(results->verdicts, results->count, results->capacity);
			dal_verdict_reach(&results->verdicts[results->count], &trial, test);
			results->failed += results->verdicts[results->count++].count > 0;
		}
	}
	results->duration_us = dal_clock_monotonic_us() - since;
	dal_trial_deinit(&trial);
	return r;
}

void dal_results_deinit(struct dal_results *results)
{
	for (size_t i = 0; i < results->count; i++) {
		dal_verdict_deinit(&results->verdicts[i]);
	}
	free(results->verdicts);
	dal_coverage_free(results->coverage);
}

/* --- as text --- */

static void print_verdict(const struct dal_verdict *verdict)
{
	const struct dal_rules_test *test = verdict->test;

	printf("%s %s\n", verdict->count == 0 ? "ok  " : "FAIL", test->name);
	for (size_t i = 0; i < verdict->count; i++) {
		const struct dal_complaint *c = &verdict->complaints[i];
		struct dal_buffer text = {0};

		dal_complaint_print(c, &text);
		printf("     %s:%d: %s", test->file, c->line, dal_buffer_cstr(&text));
		dal_buffer_deinit(&text);
	}
}

void dal_results_print(const struct dal_results *results)
{
	for (size_t i = 0; i < results->count; i++) {
		print_verdict(&results->verdicts[i]);
	}
	if (results->coverage) {
		dal_coverage_print(results->coverage);
	}
	printf("%zu passed, %zu failed (%.1f ms)\n", results->count - results->failed,
	       results->failed, (double)results->duration_us / 1000);
}

/* --- as JSON --- */

static void put_raw(struct dal_json_writer *w, const char *key, const char *json)
{
	if (json) {
		dal_json_key(w, key);
		dal_json_put_raw(w, dal_slice_text(json));
	}
}

static void put_complaint(struct dal_json_writer *w, const struct dal_complaint *c)
{
	dal_json_begin_object(w);
	dal_json_key(w, "line");
	dal_json_put_integer(w, c->line);
	dal_json_key(w, "what");
	dal_json_put_text(w, c->what);
	dal_json_key(w, "differences");
	dal_json_begin_array(w);
	for (size_t i = 0; i < c->field_count; i++) {
		dal_json_begin_object(w);
		dal_json_key(w, "field");
		dal_json_put_text(w, c->fields[i].field);
		put_raw(w, "expected", c->fields[i].expected);
		put_raw(w, "found", c->fields[i].found);
		dal_json_end_object(w);
	}
	dal_json_end_array(w);
	dal_json_key(w, "notes");
	dal_json_begin_array(w);
	for (size_t i = 0; i < c->note_count; i++) {
		dal_json_put_text(w, c->notes[i]);
	}
	dal_json_end_array(w);
	dal_json_end_object(w);
}

static void put_verdict(struct dal_json_writer *w, const struct dal_verdict *verdict)
{
	dal_json_begin_object(w);
	dal_json_key(w, "name");
	dal_json_put_text(w, verdict->test->name);
	dal_json_key(w, "file");
	dal_json_put_text(w, verdict->test->file);
	dal_json_key(w, "line");
	dal_json_put_integer(w, verdict->test->line);
	dal_json_key(w, "ok");
	dal_json_put_boolean(w, verdict->count == 0);
	dal_json_key(w, "duration_ms");
	dal_json_put_double(w, (double)verdict->duration_us / 1000);
	dal_json_key(w, "failures");
	dal_json_begin_array(w);
	for (size_t i = 0; i < verdict->count; i++) {
		put_complaint(w, &verdict->complaints[i]);
	}
	dal_json_end_array(w);
	dal_json_end_object(w);
}

void dal_results_print_json(const struct dal_results *results)
{
	struct dal_buffer out = {0};
	struct dal_json_writer w = {.out = &out};

	dal_json_begin_object(&w);
	dal_json_key(&w, "tests");
	dal_json_begin_array(&w);
	for (size_t i = 0; i < results->count; i++) {
		put_verdict(&w, &results->verdicts[i]);
	}
	dal_json_end_array(&w);
	if (results->coverage) {
		dal_json_key(&w, "coverage");
		dal_coverage_put(results->coverage, &w);
	}
	dal_json_key(&w, "passed");
	dal_json_put_integer(&w, (int64_t)(results->count - results->failed));
	dal_json_key(&w, "failed");
	dal_json_put_integer(&w, (int64_t)results->failed);
	dal_json_key(&w, "duration_ms");
	dal_json_put_double(&w, (double)results->duration_us / 1000);
	dal_json_end_object(&w);
	printf("%s\n", dal_buffer_cstr(&out));
	dal_buffer_deinit(&out);
}
