#include "engine/cli/report.h"

#include <stdlib.h>

#include "engine/base/memory.h"
#include "engine/cli/trial.h"
#include "engine/event/json_write.h"
#include "state/view.h"

/* Is the event one that is told of? */
static bool told(const struct dal_report *report, const struct dal_event *event)
{
	struct dal_log_record record = {.place = event->place, .appended_us = event->appended_us};

	return !report->halted && !dal_moment_after(&report->from, &record);
}

static struct dal_report_counts *counts_of(struct dal_report *report, const char *name,
					   bool projection)
{
	struct dal_slice text = dal_slice_text(name);
	long index = projection ? dal_rules_projection_index(report->rules, text)
				: dal_rules_rule_index(report->rules, text);

	index += projection ? (long)dal_rules_rule_count(report->rules) : 0;
	return &report->counts[index];
}

/* null: no event was folded into the entry yet. */
static void put_place(struct dal_json_writer *w, const struct dal_place *place)
{
	struct dal_buffer text = {0};

	dal_json_key(w, "position");
	if (place->topic.size == 0) {
		dal_json_put_null(w);
		return;
	}
	dal_place_format(place, &text);
	dal_json_put_slice(w, dal_buffer_slice(&text));
	dal_buffer_deinit(&text);
}

static struct dal_json_writer begin(struct dal_report *report, const struct dal_event *event,
				    const char *kind, const char *name)
{
	struct dal_json_writer w = {.out = &report->line};

	dal_buffer_clear(&report->line);
	dal_json_begin_object(&w);
	put_place(&w, &event->place);
	dal_json_key(&w, "time");
	dal_json_put_time(&w, event->appended_us);
	dal_json_key(&w, kind);
	dal_json_put_text(&w, name);
	return w;
}

static void end(struct dal_report *report, struct dal_json_writer *w)
{
	dal_json_end_object(w);
	dal_buffer_byte(&report->line, '\n');
	fwrite(report->line.data, 1, report->line.size, report->out);
}

static void on_match(void *own, const struct dal_event *event, const struct dal_rule *rule,
		     bool passed)
{
	struct dal_report *report = own;
	struct dal_report_counts *counts = counts_of(report, rule->name, false);
	struct dal_json_writer w;

	if (!told(report, event)) {
		return;
	}
	counts->matched++;
	counts->passed += passed;
	if (passed) {
		w = begin(report, event, "rule", rule->name);
		dal_json_key(&w, "match");
		dal_json_put_boolean(&w, true);
		end(report, &w);
	}
}

static void on_call(void *own, const struct dal_event *event, const struct dal_rule *rule,
		    const struct dal_target *target, struct dal_slice payload,
		    struct dal_slice order)
{
	struct dal_report *report = own;
	struct dal_json_writer w;

	if (!told(report, event)) {
		return;
	}
	counts_of(report, rule->name, false)->calls++;
	w = begin(report, event, "rule", rule->name);
	dal_json_key(&w, "call");
	dal_json_put_text(&w, target->name);
	if (order.size > 0) {
		dal_json_key(&w, "order");
		dal_json_put_slice(&w, order);
	}
	dal_json_key(&w, "payload");
	dal_json_put_raw(&w, payload);
	end(report, &w);
}

static void on_emit(void *own, const struct dal_event *event, const struct dal_rule *rule,
		    uint32_t index, const struct dal_vm_emitted *emitted)
{
	struct dal_report *report = own;
	struct dal_json_writer w;

	(void)index;
	if (!told(report, event)) {
		return;
	}
	counts_of(report, rule->name, false)->emits++;
	w = begin(report, event, "rule", rule->name);
	dal_json_key(&w, "emit");
	dal_trial_put_emitted(&w, emitted);
	end(report, &w);
}

static void put_failure(struct dal_json_writer *w, const struct dal_evaluator_failure *failure)
{
	if (failure->key.size > 0) {
		dal_json_key(w, "key");
		dal_json_put_slice(w, failure->key);
	}
	dal_json_key(w, "part");
	dal_json_put_text(w, failure->part);
	dal_json_key(w, "error");
	dal_json_put_slice(w, failure->message);
	dal_json_key(w, "effect");
	dal_json_put_text(w, failure->effect);
}

static void on_fail(void *own, const struct dal_event *event,
		    const struct dal_evaluator_failure *failure)
{
	struct dal_report *report = own;
	bool halts = dal_slice_is(dal_slice_text(failure->effect), "halted");
	struct dal_json_writer w;

	if (report->halted || (!halts && !told(report, event))) {
		return; /* a halt is told wherever it is: it ends the replay */
	}
	counts_of(report, failure->declaration, failure->projection)->errors++;
	w = begin(report, event, failure->projection ? "projection" : "rule", failure->declaration);
	put_failure(&w, failure);
	end(report, &w);
	report->halted = halts;
}

static void on_fold(void *own, const struct dal_event *event,
		    const struct dal_projection *projection, struct dal_slice key)
{
	struct dal_report *report = own;

	(void)event;
	(void)key;
	if (!report->halted) {
		counts_of(report, projection->name, true)->folds++;
	}
}

const struct dal_evaluator_sink dal_report_sink = {
	.match = on_match,
	.call = on_call,
	.emit = on_emit,
	.fail = on_fail,
	.fold = on_fold,
};

void dal_report_init(struct dal_report *report, FILE *out, const struct dal_rules *rules,
		     const struct dal_moment *from)
{
	size_t count = dal_rules_rule_count(rules) + dal_rules_projection_count(rules);

	*report = (struct dal_report){.out = out, .rules = rules, .from = *from};
	report->counts = dal_calloc(count + 1, sizeof(*report->counts));
}

void dal_report_deinit(struct dal_report *report)
{
	free(report->counts);
	dal_buffer_deinit(&report->line);
}

/* --- projections --- */

struct entries {
	struct dal_report *report;
	const char *projection;
};

static bool on_entry(struct dal_slice key, const struct dal_view_entry *entry, void *own)
{
	struct entries *entries = own;
	struct dal_report *report = entries->report;
	struct dal_json_writer w = {.out = &report->line};

	dal_buffer_clear(&report->line);
	dal_json_begin_object(&w);
	dal_json_key(&w, "projection");
	dal_json_put_text(&w, entries->projection);
	dal_json_key(&w, "key");
	dal_json_put_slice(&w, key);
	dal_json_key(&w, "value");
	if (entry->json.size > 0) {
		dal_json_put_raw(&w, entry->json);
	} else {
		dal_json_put_null(&w);
	}
	put_place(&w, &entry->position);
	if (entry->parked) {
		dal_json_key(&w, "parked");
		dal_json_begin_object(&w);
		put_place(&w, &entry->parked_at);
		dal_json_key(&w, "message");
		dal_json_put_slice(&w, entry->message);
		dal_json_end_object(&w);
	}
	end(report, &w);
	return true;
}

int dal_report_projections(struct dal_report *report, struct dal_state *state)
{
	bool more;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < dal_rules_projection_count(report->rules); i++) {
		const struct dal_projection *p = dal_rules_projection(report->rules, i);
		struct dal_view_name name = {.projection = dal_slice_text(p->name),
					     .version = p->version};
		struct entries entries = {report, p->name};
		r = dal_view_scan(state, NULL, &name, &(struct dal_view_range){0}, on_entry,
				  &entries, &more);
	}
	return r;
}

/* --- summary --- */

static void summary_text(const struct dal_report *report, FILE *to, double seconds)
{
	size_t rules = dal_rules_rule_count(report->rules);

	if (rules > 0) {
		fprintf(to, "%-28s %10s %10s %10s %10s %10s\n", "rule", "matched", "passed",
			"calls", "emits", "errors");
	}
	for (size_t i = 0; i < rules; i++) {
		const struct dal_report_counts *c = &report->counts[i];
		fprintf(to, "%-28s %10llu %10llu %10llu %10llu %10llu\n",
			dal_rules_rule(report->rules, i)->name, (unsigned long long)c->matched,
			(unsigned long long)c->passed, (unsigned long long)c->calls,
			(unsigned long long)c->emits, (unsigned long long)c->errors);
	}
	for (size_t i = 0; i < dal_rules_projection_count(report->rules); i++) {
		const struct dal_report_counts *c = &report->counts[rules + i];
		fprintf(to, "projection %s: %llu folds, %llu errors\n",
			dal_rules_projection(report->rules, i)->name, (unsigned long long)c->folds,
			(unsigned long long)c->errors);
	}
	fprintf(to, "%llu events folded, %llu of them told of, in %.2f s (%.0f events/s)\n",
		(unsigned long long)report->events, (unsigned long long)report->told, seconds,
		seconds > 0 ? (double)report->events / seconds : 0);
}

static void put_counts(struct dal_json_writer *w, const char *name,
		       const struct dal_report_counts *c, bool projection)
{
	const struct {
		const char *name;
		uint64_t value;
	} members[] = {{"matched", c->matched}, {"passed", c->passed}, {"calls", c->calls},
		       {"emits", c->emits},     {"folds", c->folds},   {"errors", c->errors}};

	dal_json_key(w, name);
	dal_json_begin_object(w);
	for (size_t i = projection ? 4 : 0; i < 6; i++) {
		if (projection || i != 4) {
			dal_json_key(w, members[i].name);
			dal_json_put_integer(w, (int64_t)members[i].value);
		}
	}
	dal_json_end_object(w);
}

static void summary_json(const struct dal_report *report, FILE *to, double seconds)
{
	size_t rules = dal_rules_rule_count(report->rules);
	struct dal_buffer out = {0};
	struct dal_json_writer w = {.out = &out};

	dal_json_begin_object(&w);
	dal_json_key(&w, "events");
	dal_json_put_integer(&w, (int64_t)report->events);
	dal_json_key(&w, "told");
	dal_json_put_integer(&w, (int64_t)report->told);
	dal_json_key(&w, "seconds");
	dal_json_put_double(&w, seconds);
	dal_json_key(&w, "halted");
	dal_json_put_boolean(&w, report->halted);
	dal_json_key(&w, "rules");
	dal_json_begin_object(&w);
	for (size_t i = 0; i < rules; i++) {
		put_counts(&w, dal_rules_rule(report->rules, i)->name, &report->counts[i], false);
	}
	dal_json_end_object(&w);
	dal_json_key(&w, "projections");
	dal_json_begin_object(&w);
	for (size_t i = 0; i < dal_rules_projection_count(report->rules); i++) {
		put_counts(&w, dal_rules_projection(report->rules, i)->name,
			   &report->counts[rules + i], true);
	}
	dal_json_end_object(&w);
	dal_json_end_object(&w);
	fprintf(to, "%s\n", dal_buffer_cstr(&out));
	dal_buffer_deinit(&out);
}

void dal_report_summary(const struct dal_report *report, FILE *to, int64_t duration_us, bool json)
{
	(json ? summary_json : summary_text)(report, to, (double)duration_us / 1e6);
}
