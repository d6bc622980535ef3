/* dalamb explain: why rules and projections match an event, or the first field that failed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/cli/input.h"
#include "engine/cli/print.h"
#include "engine/cli/reason.h"
#include "engine/cli/recorded.h"
#include "engine/cli/remote.h"

struct asked {
	const struct dal_command *command;
	const char *event, *app, *rule, *url;
	bool json;
};

/* --- the answer, in the engine's shape, printed --- */

/* Only --app knows: an engine's views have moved on since the event. */
static void print_guard(struct dal_slice guard)
{
	if (guard.size > 0) {
		printf("      its guard (when), asked with empty projections, says ");
		dal_print(stdout, guard);
		printf("\n");
	}
}

static bool print_one(const struct dal_json *json, uint32_t node, const char *kind)
{
	bool matched = dal_member_true(json, node, "matched");
	struct dal_slice found = dal_member_raw(json, node, "found");
	struct dal_slice hint = dal_member_text(json, node, "hint");

	printf("%s %s ", matched ? "yes" : "no ", kind);
	dal_print(stdout, dal_member_text(json, node, kind));
	printf(" (");
	dal_print(stdout, dal_member_text(json, node, "file"));
	printf(":%lld)\n", (long long)dal_member_integer(json, node, "line"));
	if (matched) {
		print_guard(dal_member_text(json, node, "guard"));
		return true;
	}
	printf("      ");
	dal_print(stdout, dal_member_text(json, node, "field"));
	printf(found.size > 0 ? " is " : " is missing");
	dal_print_short(stdout, found, 200);
	printf(", expected ");
	dal_print(stdout, dal_member_text(json, node, "expected"));
	printf("\n");
	if (hint.size > 0 && found.size > 0) {
		printf("      hint: ");
		dal_print(stdout, hint);
		printf("\n");
	}
	return false;
}

static size_t print_list(const struct dal_json *json, const char *list, const char *kind,
			 bool silent)
{
	uint32_t array = dal_json_find(json, DAL_JSON_ROOT, dal_slice_text(list));
	size_t matched = 0;

	for (uint32_t i = 0; array != DAL_JSON_NONE && i < dal_json_count(json, array); i++) {
		uint32_t node = dal_json_at(json, array, i);
		matched += silent ? dal_member_true(json, node, "matched")
				  : print_one(json, node, kind);
	}
	return matched;
}

static int print(const struct asked *asked, struct dal_slice answer)
{
	struct dal_json *json = dal_json_new();
	size_t matched;
	int64_t left;

	if (dal_json_parse(json, answer, DAL_JSON_TRUSTED, NULL) != 0) {
		dal_json_free(json);
		return dal_fail(asked->command, DAL_EXIT_UNREACHABLE, "the answer is no JSON");
	}
	if (asked->json) {
		dal_print_document(stdout, dal_json_raw(json, DAL_JSON_ROOT));
	}
	matched = print_list(json, "rules", "rule", asked->json) +
		  print_list(json, "projections", "projection", asked->json);
	left = dal_member_integer(json, DAL_JSON_ROOT, "left_out");
	if (left > 0 && !asked->json) {
		printf("... and %lld more that did not match: name one with --rule\n",
		       (long long)left);
	}
	dal_json_free(json);
	return matched > 0 ? DAL_EXIT_DONE : DAL_EXIT_NO;
}

/* --- without an engine --- */

struct feed {
	const char *kind, *name, *file;
	int line;
	uint32_t pattern;
	const char *const *topics;
	bool system;
	const char *guard; /* what it answers; NULL: there is none */
};

static void put_text(struct dal_json_writer *w, const char *key, struct dal_slice text)
{
	dal_json_key(w, key);
	dal_json_put_slice(w, text);
}

static void put_field(struct dal_json_writer *w, const struct dal_pattern_miss *miss)
{
	put_text(w, "field", dal_buffer_slice(&miss->field));
	dal_json_key(w, "found");
	if (miss->found.size > 0) {
		dal_json_put_raw(w, dal_buffer_slice(&miss->found));
	} else {
		dal_json_put_null(w);
	}
	put_text(w, "expected", dal_buffer_slice(&miss->expected));
	put_text(w, "hint", dal_buffer_slice(&miss->hint));
}

static void put_other(struct dal_json_writer *w, const struct dal_reason *reason,
		      const struct feed *feed, const struct dal_event *event)
{
	bool topic = reason->kind == DAL_REASON_TOPIC;
	struct dal_buffer text = {0};

	put_text(w, "field", dal_slice_text(topic ? "topic" : "type"));
	put_text(w, "found", topic ? event->place.topic : event->type);
	for (size_t i = 0; topic && feed->topics[i]; i++) {
		dal_buffer_printf(&text, "%s%s", i > 0 ? " or " : "topic ", feed->topics[i]);
	}
	put_text(w, "expected",
		 topic ? dal_buffer_slice(&text) : dal_slice_text("a type that rules see"));
	dal_buffer_clear(&text);
	dal_reason_print(reason, &text);
	put_text(w, "hint", dal_buffer_slice(&text));
	dal_buffer_deinit(&text);
}

static void put_feed(struct dal_json_writer *w, const struct dal_rules *rules,
		     const struct feed *feed, const struct dal_event *event)
{
	struct dal_reason reason;

	dal_reason_find(&reason, rules, feed->pattern, feed->topics, feed->system, event);
	dal_json_begin_object(w);
	put_text(w, feed->kind, dal_slice_text(feed->name));
	put_text(w, "file", dal_slice_text(feed->file));
	dal_json_key(w, "line");
	dal_json_put_integer(w, feed->line);
	dal_json_key(w, "matched");
	dal_json_put_boolean(w, reason.kind == DAL_REASON_MATCHED);
	if (reason.kind == DAL_REASON_MATCHED && feed->guard) {
		put_text(w, "guard", dal_slice_text(feed->guard));
	}
	if (reason.kind == DAL_REASON_FIELD) {
		put_field(w, &reason.miss);
	} else if (reason.kind != DAL_REASON_MATCHED) {
		put_other(w, &reason, feed, event);
	}
	dal_json_end_object(w);
	dal_reason_deinit(&reason);
}

static bool wanted(const struct asked *asked, const char *name)
{
	return !asked->rule || strcmp(asked->rule, name) == 0;
}

static const char *guard_of(const struct dal_trial *trial, const struct dal_rule *rule)
{
	for (size_t i = 0; rule->has_when && i < trial->count; i++) {
		const struct dal_effect *effect = &trial->effects[i];
		if (strcmp(effect->rule, rule->name) != 0) {
			continue;
		}
		if (effect->kind == DAL_EFFECT_MATCH) {
			return effect->passed ? "yes" : "no";
		}
		if (effect->kind == DAL_EFFECT_FAIL) {
			return effect->json;
		}
	}
	return NULL;
}

static void put_all(const struct asked *asked, const struct dal_trial *trial,
		    const struct dal_event *event, struct dal_buffer *out)
{
	const struct dal_rules *rules = trial->app->rules;
	struct dal_json_writer w = {.out = out};

	dal_json_begin_object(&w);
	dal_json_key(&w, "rules");
	dal_json_begin_array(&w);
	for (size_t i = 0; i < dal_rules_rule_count(rules); i++) {
		const struct dal_rule *r = dal_rules_rule(rules, i);
		if (wanted(asked, r->name)) {
			put_feed(&w, rules,
				 &(struct feed){"rule", r->name, r->file, r->line, r->pattern,
						r->topics, r->system, guard_of(trial, r)},
				 event);
		}
	}
	dal_json_end_array(&w);
	dal_json_key(&w, "projections");
	dal_json_begin_array(&w);
	for (size_t i = 0; i < dal_rules_projection_count(rules); i++) {
		const struct dal_projection *p = dal_rules_projection(rules, i);
		if (wanted(asked, p->name)) {
			put_feed(&w, rules,
				 &(struct feed){"projection", p->name, p->file, p->line, p->pattern,
						p->topics, p->system, NULL},
				 event);
		}
	}
	dal_json_end_array(&w);
	dal_json_end_object(&w);
}

static int event_load(const struct asked *asked, const char *app, struct dal_recorded *recorded)
{
	struct dal_buffer text = {0};
	struct dal_error error;
	int r = dal_input_read(asked->event, &text);

	if (r < 0) {
		r = dal_fail(asked->command, DAL_EXIT_UNREACHABLE, "%s: %s", asked->event,
			     strerror(-r));
	} else if (dal_recorded_add(recorded, dal_buffer_slice(&text), app, &error) != 0) {
		r = dal_fail(asked->command, DAL_EXIT_USAGE, "%s: %s", asked->event, error.text);
	}
	dal_buffer_deinit(&text);
	DAL_ASSERT(r != DAL_EXIT_DONE || recorded->count > 0);
	return r;
}

static int explain_with(const struct asked *asked, const struct dal_app *app)
{
	struct dal_recorded recorded = {0};
	struct dal_json *json = dal_json_new();
	struct dal_buffer out = {0};
	struct dal_log_batch batch;
	struct dal_trial trial = {0};
	struct dal_event event;
	int status;

	if (asked->rule && dal_rules_rule_index(app->rules, dal_slice_text(asked->rule)) < 0 &&
	    dal_rules_projection_index(app->rules, dal_slice_text(asked->rule)) < 0) {
		dal_json_free(json);
		return dal_fail(asked->command, DAL_EXIT_NO, "%s has no rule or projection \"%s\"",
				asked->app, asked->rule);
	}
	status = event_load(asked, app->name, &recorded);
	if (status == DAL_EXIT_DONE &&
	    dal_json_parse(json, recorded.records[0].event, DAL_JSON_PADDED, NULL) == 0) {
		dal_event_view(&event, json);
		event.place = recorded.records[0].place;
		batch = dal_recorded_batch(&recorded);
		if (dal_trial_init(&trial, app) == 0 && dal_trial_run(&trial, &batch) >= 0) {
			put_all(asked, &trial, &event, &out);
			status = print(asked, dal_buffer_slice(&out));
		} else {
			status = dal_fail(asked->command, DAL_EXIT_UNREACHABLE,
					  "the rules can't be run");
		}
		dal_trial_deinit(&trial);
	}
	dal_buffer_deinit(&out);
	dal_recorded_deinit(&recorded);
	dal_json_free(json);
	return status;
}

static int explain_alone(const struct asked *asked)
{
	struct dal_errors errors = {0};
	struct dal_app *app = NULL;
	int status = DAL_EXIT_NO;

	if (dal_app_load(&(struct dal_app_options){.folder = asked->app, .offline = true}, &app,
			 &errors, NULL) == 0) {
		status = explain_with(asked, app);
	}
	dal_errors_print(&errors, "");
	dal_errors_deinit(&errors);
	dal_app_free(app);
	return status;
}

/* --- by an engine --- */

static int question(const struct asked *asked, bool position, struct dal_buffer *out)
{
	struct dal_json_writer w = {.out = out};
	struct dal_recorded recorded = {0};
	int status = DAL_EXIT_DONE;

	dal_json_begin_object(&w);
	if (asked->rule) {
		put_text(&w, "rule", dal_slice_text(asked->rule));
	}
	if (position) {
		put_text(&w, "position", dal_slice_text(asked->event));
	} else {
		status = event_load(asked, "app", &recorded);
		if (status == DAL_EXIT_DONE) {
			put_text(&w, "topic", recorded.records[0].place.topic);
			dal_json_key(&w, "event");
			dal_json_put_raw(&w, recorded.records[0].event);
		}
	}
	dal_json_end_object(&w);
	dal_recorded_deinit(&recorded);
	return status;
}

static int explain_there(const struct asked *asked, bool position)
{
	struct dal_http_answer answer;
	struct dal_buffer body = {0};
	struct dal_remote remote;
	int status = question(asked, position, &body);

	if (status == DAL_EXIT_DONE) {
		status = dal_remote_open(&remote, asked->command, asked->url, 0);
		if (status == DAL_EXIT_DONE) {
			status = dal_remote_post(&remote, "/v1/rules/explain",
						 dal_buffer_slice(&body), &answer);
		}
		if (status == DAL_EXIT_DONE) {
			status = print(asked, dal_buffer_slice(&answer.body));
			dal_http_answer_deinit(&answer);
		}
		dal_remote_close(&remote);
	}
	dal_buffer_deinit(&body);
	return status;
}

static int run(const struct dal_command *command, int argc, char **argv)
{
	struct asked asked = {.command = command};
	const char *format = NULL;
	struct dal_option options[] = {
		{"app", "APP", "its rules, without an engine", &asked.app},
		{"rule", "NAME", "only this rule or projection", &asked.rule},
		{"url", DAL_REMOTE_OPTION, DAL_REMOTE_HELP, &asked.url},
		{"format", "json", "instead of text", &format},
		{0},
	};
	struct dal_place place;
	bool position;

	if (dal_options_parse(command, options, &argc, argv) < 0 ||
	    dal_format_parse(command, format, &asked.json) < 0) {
		return DAL_EXIT_USAGE;
	}
	if (argc != 2) {
		return dal_usage(command, "name one event: a file, - or a position");
	}
	asked.event = argv[1];
	position = access(asked.event, F_OK) != 0 &&
		   dal_place_parse(dal_slice_text(asked.event), DAL_TOPIC_EVENTS, &place);
	if (position && asked.app) {
		return dal_usage(command,
				 "a position is one of a running engine: leave out --app, or save "
				 "the event to a file (dalamb tail --format json)");
	}
	return asked.app ? explain_alone(&asked) : explain_there(&asked, position);
}

const struct dal_command dal_command_explain = {
	.name = "explain",
	.arguments = "EVENT",
	.summary = "says why rules and projections match an event, or the first field that failed",
	.example = "  echo '{\"type\": \"order.placed\", \"data\": {\"total\": 900}}' |\n"
		   "    dalamb explain - --app examples/shop --rule large-order\n"
		   "  dalamb explain events/0/17\n",
	.run = run,
};
