/* dalamb explain: why rules and projections match an event, or the first field that failed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/api/explanation.h"
#include "engine/app/app.h"
#include "engine/cli/explained.h"
#include "engine/cli/input.h"
#include "engine/cli/print.h"
#include "engine/cli/recorded.h"
#include "engine/cli/remote.h"
#include "engine/event/json_write.h"

struct asked {
	const struct dal_command *command;
	const char *event, *app, *rule, *url, *all;
	bool json;
};

enum { SHOWN = 20 }; /* rules, and projections, to a person who did not ask for all */

static bool is_whole(const struct asked *asked)
{
	return asked->all || asked->json;
}

/* --- the answer --- */

static int print(const struct asked *asked, struct dal_slice answer)
{
	struct dal_json *json = dal_json_new();
	int status;

	if (dal_json_parse(json, answer, DAL_JSON_TRUSTED, NULL) != 0) {
		dal_json_free(json);
		return dal_fail(asked->command, DAL_EXIT_UNREACHABLE, "the answer is no JSON");
	}
	if (asked->json) {
		dal_print_document(stdout, dal_json_raw(json, DAL_JSON_ROOT));
	} else {
		dal_explained_print(stdout, json);
	}
	status = dal_explained_taken(json) ? DAL_EXIT_DONE : DAL_EXIT_NO;
	dal_json_free(json);
	return status;
}

/* --- without an engine --- */

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

static int answer(const struct asked *asked, const struct dal_app *app,
		  const struct dal_event *event)
{
	struct dal_guards *guards = dal_guards_new();
	struct dal_buffer out = {0};
	struct dal_explanation *explanation = dal_explanation_new(
		&(struct dal_explanation_options){.rules = app->rules,
						  .event = event,
						  .rule = dal_slice_text(asked->rule),
						  .limit = is_whole(asked) ? SIZE_MAX : SHOWN,
						  .guards = guards,
						  .note = "guards were asked with empty "
							  "projections: no engine was asked"});
	int status;

	while (dal_explanation_put(explanation, &out)) {
	}
	dal_explanation_free(explanation);
	dal_guards_free(guards);
	status = print(asked, dal_buffer_slice(&out));
	dal_buffer_deinit(&out);
	return status;
}

static int explain_with(const struct asked *asked, const struct dal_app *app)
{
	struct dal_recorded recorded = {0};
	struct dal_json *json;
	struct dal_event event;
	int status;

	if (asked->rule && dal_rules_rule_index(app->rules, dal_slice_text(asked->rule)) < 0 &&
	    dal_rules_projection_index(app->rules, dal_slice_text(asked->rule)) < 0) {
		return dal_fail(asked->command, DAL_EXIT_NO, "%s has no rule or projection \"%s\"",
				asked->app, asked->rule);
	}
	json = dal_json_new();
	status = event_load(asked, app->name, &recorded);
	if (status == DAL_EXIT_DONE) {
		status = dal_json_parse(json, recorded.records[0].event, DAL_JSON_PADDED, NULL);
		DAL_ASSERT(status == 0); /* it was just read */
		dal_event_view(&event, json);
		event.place = recorded.records[0].place;
		status = answer(asked, app, &event);
	}
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

static void put_text(struct dal_json_writer *w, const char *key, struct dal_slice text)
{
	dal_json_key(w, key);
	dal_json_put_slice(w, text);
}

static int question(const struct asked *asked, bool position, struct dal_buffer *out)
{
	struct dal_json_writer w = {.out = out};
	struct dal_recorded recorded = {0};
	int status = DAL_EXIT_DONE;

	dal_json_begin_object(&w);
	if (asked->rule) {
		put_text(&w, "rule", dal_slice_text(asked->rule));
	}
	dal_json_key(&w, is_whole(asked) ? "all" : "limit");
	if (is_whole(asked)) {
		dal_json_put_boolean(&w, true);
	} else {
		dal_json_put_integer(&w, SHOWN);
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
		{"all", NULL, "all of them, not only the nearest 20", &asked.all},
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
	.summary =
		"says why rules take an event or not: the field that failed, near misses, guards",
	.example = "  echo '{\"type\": \"order.placed\", \"data\": {\"total\": 900}}' |\n"
		   "    dalamb explain - --app examples/shop --rule large-order\n"
		   "  dalamb explain events/0/17\n",
	.run = run,
};
