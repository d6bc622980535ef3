/*
 * POST /v1/rules/explain: why a rule or projection did not match an event.
 *
 * It judges topic and pattern, which depend on the event alone. A guard reads the views as they
 * were before the event, so that its answer can't be given for a single event of the past.
 */
#include <stdlib.h>
#include <unistd.h>

#include "engine/api/api_private.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"

#define READ_US (2 * 1000000ll)
#define READ_PAUSE_US 5000

struct explained {
	struct dal_api *api;
	struct dal_rules *rules; /* a reference */
	struct dal_http_request *request;
	struct dal_json *body, *json; /* what was asked; the event */
	struct dal_event event;
	struct dal_log_batch batch; /* holds an event of the log */
	struct dal_slice rule;      /* only this one; empty: all */
	struct dal_json_writer w;
	size_t missed, left_out;
};

/* A rule's or a projection's, as far as it says what feeds it. */
struct feed {
	const char *kind, *name, *file;
	int line;
	const char *const *topics;
	bool system;
	uint32_t pattern;
};

/* --- the event --- */

/* False: it is no object. */
static bool event_parse(struct explained *e, struct dal_slice text, unsigned flags)
{
	e->json = dal_json_new();
	if (dal_json_parse(e->json, text, flags, NULL) != 0 ||
	    dal_json_kind(e->json, DAL_JSON_ROOT) != DAL_JSON_OBJECT) {
		return false;
	}
	dal_event_view(&e->event, e->json);
	return true;
}

static bool event_given(struct explained *e, uint32_t node)
{
	uint32_t topic = dal_json_find(e->body, DAL_JSON_ROOT, dal_slice_text("topic"));

	if (!event_parse(e, dal_json_raw(e->body, node), DAL_JSON_TRUSTED)) {
		dal_http_problem(e->request, 400,
				 "member \"event\": expected a CloudEvent, a JSON object");
		return false;
	}
	e->event.place.topic = dal_slice_text(DAL_TOPIC_EVENTS);
	if (topic != DAL_JSON_NONE && dal_json_kind(e->body, topic) == DAL_JSON_STRING) {
		e->event.place.topic = dal_json_string(e->body, topic);
	}
	return true;
}

/* The event that stands there. DAL_LOG_END: there is none. What is on a broker takes a moment to
 * come. */
static int record_read(struct explained *e, const struct dal_place *place)
{
	struct dal_position from = {0};
	struct dal_log_reader *reader;
	int64_t deadline_us = dal_clock_monotonic_us() + READ_US;
	char *topic = dal_api_one_sequence(e->api) ? NULL : dal_slice_dup(place->topic);
	int r;

	dal_position_set(&from, dal_slice_text(topic ? topic : DAL_POSITION_ALL_TOPICS),
			 place->partition, place->offset);
	r = dal_log_browse(dal_engine_log(e->api->engine), (uint16_t)place->partition, &from, topic,
			   &reader);
	if (r == 0) {
		r = dal_log_read(reader, 1, 1, &e->batch);
		while (r == DAL_LOG_END && topic && !dal_position_has(&e->batch.position, place) &&
		       dal_clock_monotonic_us() < deadline_us) {
			usleep(READ_PAUSE_US);
			r = dal_log_read(reader, 1, 1, &e->batch);
		}
		dal_log_reader_free(reader);
	}
	if (r == 0 && e->batch.records[0].place.offset != place->offset) {
		r = DAL_LOG_END;
	}
	dal_position_deinit(&from);
	free(topic);
	return r;
}

/* What others wrote to Kafka may be no event: the worker says so, too. */
static bool event_accept(struct explained *e, const struct dal_log_record *record)
{
	struct dal_error why = {.text = "it is not JSON"};
	bool ok = record->refused.size == 0, halt;

	if (!ok) {
		dal_error_set(&why, "%.*s", (int)record->refused.size, record->refused.data);
	}
	ok = ok && event_parse(e, record->event,
			       DAL_JSON_PADDED |
				       (record->untrusted ? DAL_JSON_LAST_WINS : DAL_JSON_TRUSTED));
	e->event.place = record->place;
	ok = ok && (!record->untrusted ||
		    dal_log_accept(dal_engine_log(e->api->engine), record, &e->event, &halt, &why));
	if (!ok) {
		dal_http_problem(e->request, 404, "what stands there is no event: %s", why.text);
	}
	return ok;
}

static bool event_stored(struct explained *e, uint32_t node)
{
	struct dal_log *log = dal_engine_log(e->api->engine);
	struct dal_slice text = {0};
	struct dal_place place;
	struct dal_error error;
	int r;

	if (dal_json_kind(e->body, node) == DAL_JSON_STRING) {
		text = dal_json_string(e->body, node);
	}
	if (!dal_api_place_read(log, text, &place, &error)) {
		dal_http_problem(e->request, 400, "member \"position\": %s", error.text);
		return false;
	}
	r = record_read(e, &place);
	if (r < 0) {
		dal_api_fail(e->request, "the log", r);
		return false;
	}
	if (r != 0) {
		dal_http_problem(e->request, 404, "there is no event at %.*s", (int)text.size,
				 text.data);
		return false;
	}
	return event_accept(e, &e->batch.records[0]);
}

/* --- the verdicts --- */

static bool is_fed(const struct explained *e, const struct feed *feed)
{
	if (!feed->topics || !feed->topics[0]) {
		return true;
	}
	for (const char *const *topic = feed->topics; *topic; topic++) {
		if (dal_slice_is(e->event.place.topic, *topic)) {
			return true;
		}
	}
	return false;
}

static void put_miss(struct dal_json_writer *w, const char *field, struct dal_slice found,
		     struct dal_slice expected, struct dal_slice hint)
{
	dal_json_key(w, "field");
	dal_json_put_text(w, field);
	dal_json_key(w, "found");
	if (found.size > 0) {
		dal_json_put_raw(w, found);
	} else {
		dal_json_put_null(w);
		hint = hint.size > 0 ? hint : dal_slice_text("the event has no such field");
	}
	dal_json_key(w, "expected");
	dal_json_put_slice(w, expected);
	if (hint.size > 0) {
		dal_json_key(w, "hint");
		dal_json_put_slice(w, hint);
	}
}

static void put_topic_miss(struct explained *e, const struct feed *feed)
{
	struct dal_buffer found = {0}, expected = {0};

	dal_json_append_string(&found, e->event.place.topic);
	for (size_t i = 0; feed->topics[i]; i++) {
		dal_buffer_printf(&expected, "%s%s", i > 0 ? " or " : "topic ", feed->topics[i]);
	}
	put_miss(&e->w, "topic", dal_buffer_slice(&found), dal_buffer_slice(&expected),
		 (struct dal_slice){0});
	dal_buffer_deinit(&found);
	dal_buffer_deinit(&expected);
}

static void put_reserved_miss(struct explained *e)
{
	struct dal_buffer found = {0};

	dal_json_append_string(&found, e->event.type);
	put_miss(&e->w, "type", dal_buffer_slice(&found),
		 dal_slice_text("a type that is not dalamb's own"),
		 dal_slice_text("dalamb's own events are seen only by a pattern that names a type "
				"beginning with \"dalamb.\""));
	dal_buffer_deinit(&found);
}

static bool put_pattern(struct explained *e, const struct feed *feed)
{
	const struct dal_pattern *pattern = dal_rules_pattern(e->rules, feed->pattern);
	struct dal_pattern_miss miss = {0};
	bool matched = dal_pattern_explain(pattern, e->json, DAL_JSON_ROOT, &miss);

	dal_json_key(&e->w, "matched");
	dal_json_put_boolean(&e->w, matched);
	if (!matched) {
		put_miss(&e->w, dal_buffer_cstr(&miss.field), dal_buffer_slice(&miss.found),
			 dal_buffer_slice(&miss.expected), dal_buffer_slice(&miss.hint));
	}
	dal_pattern_miss_deinit(&miss);
	return matched;
}

static void put_unfed(struct explained *e, const struct feed *feed)
{
	dal_json_key(&e->w, "matched");
	dal_json_put_boolean(&e->w, false);
	if (dal_event_is_system(&e->event) && !feed->system) {
		put_reserved_miss(e);
	} else {
		put_topic_miss(e, feed);
	}
}

static void put_verdict(struct explained *e, const struct feed *feed)
{
	size_t begun = e->w.out->size;
	bool comma = e->w.comma, matched = false;

	if (e->rule.size > 0 && !dal_slice_is(e->rule, feed->name)) {
		return;
	}
	dal_json_begin_object(&e->w);
	dal_json_key(&e->w, feed->kind);
	dal_json_put_text(&e->w, feed->name);
	dal_json_key(&e->w, "file");
	dal_json_put_text(&e->w, feed->file);
	dal_json_key(&e->w, "line");
	dal_json_put_integer(&e->w, feed->line);
	if ((dal_event_is_system(&e->event) && !feed->system) || !is_fed(e, feed)) {
		put_unfed(e, feed);
	} else {
		matched = put_pattern(e, feed);
	}
	dal_json_end_object(&e->w);
	if (!matched && e->missed++ >= DAL_LIMIT_LIST_MAX) {
		e->w.out->size = begun;
		e->w.comma = comma;
		e->left_out++;
	}
}

static void put_rules(struct explained *e)
{
	struct dal_rules *rules = e->rules;

	dal_json_key(&e->w, "rules");
	dal_json_begin_array(&e->w);
	for (size_t i = 0; i < dal_rules_rule_count(rules); i++) {
		const struct dal_rule *rule = dal_rules_rule(rules, i);
		put_verdict(e, &(struct feed){"rule", rule->name, rule->file, rule->line,
					      rule->topics, rule->system, rule->pattern});
	}
	dal_json_end_array(&e->w);
}

static void put_projections(struct explained *e)
{
	struct dal_rules *rules = e->rules;

	dal_json_key(&e->w, "projections");
	dal_json_begin_array(&e->w);
	for (size_t i = 0; i < dal_rules_projection_count(rules); i++) {
		const struct dal_projection *p = dal_rules_projection(rules, i);
		put_verdict(e, &(struct feed){"projection", p->name, p->file, p->line, p->topics,
					      p->system, p->pattern});
	}
	dal_json_end_array(&e->w);
}

static void reply(struct explained *e)
{
	struct dal_buffer body = {0};

	e->w = (struct dal_json_writer){.out = &body};
	dal_json_begin_object(&e->w);
	put_rules(e);
	put_projections(e);
	if (e->left_out > 0) {
		dal_json_key(&e->w, "left_out"); /* that did not match: name one with "rule" */
		dal_json_put_integer(&e->w, (int64_t)e->left_out);
	}
	dal_json_end_object(&e->w);
	dal_api_reply(e->request, &body);
}

/* --- the request --- */

static bool rule_read(struct explained *e)
{
	uint32_t node = dal_json_find(e->body, DAL_JSON_ROOT, dal_slice_text("rule"));
	struct dal_rules *rules = e->rules;

	if (node == DAL_JSON_NONE) {
		return true;
	}
	if (dal_json_kind(e->body, node) == DAL_JSON_STRING) {
		e->rule = dal_json_string(e->body, node);
	}
	if (dal_rules_rule_index(rules, e->rule) < 0 &&
	    dal_rules_projection_index(rules, e->rule) < 0) {
		dal_http_problem(e->request, 404,
				 "member \"rule\": there is no rule or projection \"%.*s\"; GET "
				 "/v1/rules lists them",
				 (int)e->rule.size, e->rule.data);
		return false;
	}
	return true;
}

static bool event_read(struct explained *e)
{
	uint32_t event = dal_json_find(e->body, DAL_JSON_ROOT, dal_slice_text("event"));
	uint32_t position = dal_json_find(e->body, DAL_JSON_ROOT, dal_slice_text("position"));

	if ((event == DAL_JSON_NONE) == (position == DAL_JSON_NONE)) {
		dal_http_problem(e->request, 400,
				 "expected {\"event\": {...}} or {\"position\": \"events/0/17\"}, "
				 "and \"rule\" with a name if only one is asked for");
		return false;
	}
	return event != DAL_JSON_NONE ? event_given(e, event) : event_stored(e, position);
}

static bool body_read(struct explained *e)
{
	struct dal_json_error error;

	e->body = dal_json_new();
	if (dal_json_parse(e->body, dal_http_body_slice(e->request), DAL_JSON_TRUSTED, &error) !=
	    0) {
		dal_http_problem(e->request, 400, "the body is no JSON: %s at byte %zu",
				 error.reason, error.position);
		return false;
	}
	return true;
}

static void post_explain(struct dal_http_request *request, void *data)
{
	static const char *const names[] = {NULL};
	struct explained e = {.api = data, .request = request};

	e.rules = dal_engine_rules(e.api->engine);
	if (dal_api_known(request, names) && body_read(&e) && rule_read(&e) && event_read(&e)) {
		reply(&e);
	}
	dal_json_free(e.body);
	dal_json_free(e.json);
	dal_rules_unref(e.rules);
	dal_log_batch_release(&e.batch);
}

static const struct dal_http_route routes[] = {
	{"POST", "/v1/rules/explain", DAL_HTTP_QUERY, 2 * DAL_LIMIT_EVENT_BYTES, post_explain,
	 NULL},
};

const struct dal_api_routes dal_api_explain = DAL_API_ROUTES(routes);
