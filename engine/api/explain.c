/*
 * POST /v1/rules/explain: why rules and projections take an event, or why not.
 *
 * Topic and pattern depend on the event alone. A guard reads views: it is asked on a snapshot of
 * the views as they are now, and the answer says so; what it saw when an event of the log came is
 * gone.
 */
#include <stdlib.h>
#include <unistd.h>

#include "engine/api/api_private.h"
#include "engine/api/entry.h"
#include "engine/api/explanation.h"
#include "engine/app/feeds.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/logger.h"
#include "engine/base/memory.h"

#define READ_US (2 * 1000000ll)
#define READ_PAUSE_US 5000
#define GUARDS_US 1000000 /* of one question */
#define PAUSE_MS 10       /* while others ask guards */

struct explained {
	struct dal_api *api;
	struct dal_app *app;     /* that runs; a reload leaves it be */
	struct dal_rules *rules; /* its */
	struct dal_feeds *feeds; /* what its rules may read; NULL: all */
	struct dal_http_request *request;
	struct dal_json *body, *json; /* what was asked; the event */
	struct dal_event event;
	struct dal_log_batch batch; /* holds an event of the log */
	bool stored;                /* it is one */
	struct dal_slice rule;      /* only this one; empty: all */
	size_t limit;               /* of each list */
	struct dal_buffer at;       /* where the views stand */
	struct dal_store_snapshot *snapshot;
	struct dal_explanation *explanation;
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
	e->stored = true;
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

/* --- the views --- */

static int on_load(void *own, uint32_t projection, struct dal_slice key,
		   struct dal_view_entry *entry, struct dal_buffer *memory)
{
	struct explained *e = own;
	const struct dal_projection *p = dal_rules_projection(e->rules, projection);
	int r = DAL_STATE_ABSENT;

	for (uint16_t i = 0; r == DAL_STATE_ABSENT && i < dal_engine_lanes(e->api->engine); i++) {
		struct dal_view_name name = dal_entry_view(p, i);
		r = dal_view_get(dal_engine_state(e->api->engine), e->snapshot, &name, key, entry,
				 memory);
	}
	if (r < 0) {
		dal_logger_write(DAL_LOGGER_ERROR, "api", "a view can't be read: %s", strerror(-r));
	}
	return r;
}

/* All guards see the views of one moment. Where they stand is asked before: they are as new at
 * least. */
static void views_take(struct explained *e)
{
	struct dal_json_writer w = {.out = &e->at};
	struct dal_api_stand stand;

	dal_api_stand_take(e->api, &stand);
	dal_api_put_stand(&w, &stand);
	dal_api_stand_deinit(&stand);
	e->snapshot = dal_store_snapshot_new(dal_state_store(dal_engine_state(e->api->engine)));
}

/* --- the answer --- */

static int fill(struct dal_buffer *out, void *own)
{
	struct explained *e = own;

	if (!dal_explanation_put(e->explanation, out)) {
		return DAL_HTTP_STREAM_END;
	}
	return out->size > 0 ? 0 : DAL_HTTP_STREAM_WAIT; /* its own clock wakes it */
}

static void release(void *own)
{
	struct explained *e = own;

	dal_explanation_free(e->explanation);
	if (e->snapshot) {
		dal_store_snapshot_free(dal_state_store(dal_engine_state(e->api->engine)),
					e->snapshot);
	}
	dal_buffer_deinit(&e->at);
	dal_json_free(e->body);
	dal_json_free(e->json);
	dal_log_batch_release(&e->batch);
	dal_feeds_free(e->feeds);
	dal_app_free(e->app);
	dal_api_unref(e->api);
	free(e);
}

/* A guard may read no more than it may in its lane. False: the request has been answered. */
static bool feeds_take(struct explained *e)
{
	struct dal_errors errors = {0};
	int r = dal_feeds_open(e->app, dal_engine_log(e->api->engine), &e->feeds, &errors);

	if (r != 0) { /* it runs, so what it was checked by has changed */
		dal_http_problem(e->request, 503, "%s",
				 errors.count > 0
					 ? errors.items[0].text
					 : "which topic feeds which rule can't be told now");
	}
	dal_errors_deinit(&errors);
	return r == 0;
}

static void reply(struct explained *e)
{
	views_take(e);
	e->explanation = dal_explanation_new(&(struct dal_explanation_options){
		.rules = e->rules,
		.event = &e->event,
		.stored = e->stored,
		.rule = e->rule,
		.limit = e->limit,
		.guards = e->api->guards,
		.guards_us = GUARDS_US,
		.question = {.load = on_load, .own = e, .rights = dal_feeds_rights(e->feeds)},
		.at = dal_buffer_slice(&e->at),
		.note = e->stored ? "guards were asked on today's views, not on those that the "
				    "event found"
				  : "guards were asked on the views as they are now",
	});
	dal_http_stream_start(e->request,
			      &(struct dal_http_stream_options){.status = 200,
								.type = DAL_API_JSON,
								.fill = fill,
								.release = release,
								.own = e,
								.heartbeat_ms = PAUSE_MS});
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

/* `limit` of each list, or `all`. */
static bool limit_read(struct explained *e)
{
	uint32_t limit = dal_json_find(e->body, DAL_JSON_ROOT, dal_slice_text("limit"));
	uint32_t all = dal_json_find(e->body, DAL_JSON_ROOT, dal_slice_text("all"));

	e->limit = DAL_LIMIT_LIST_DEFAULT;
	if (all != DAL_JSON_NONE && dal_json_kind(e->body, all) == DAL_JSON_TRUE) {
		e->limit = SIZE_MAX;
	}
	if (limit == DAL_JSON_NONE) {
		return true;
	}
	if (dal_json_kind(e->body, limit) != DAL_JSON_INTEGER ||
	    dal_json_integer(e->body, limit) < 1) {
		dal_http_problem(e->request, 400,
				 "member \"limit\": expected how many rules, and how many "
				 "projections, to tell of, from 1; or \"all\": true");
		return false;
	}
	e->limit = (size_t)dal_json_integer(e->body, limit);
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
	struct explained *e;

	if (!dal_api_known(request, names)) {
		return;
	}
	e = dal_calloc(1, sizeof(*e));
	e->api = dal_api_ref(data);
	e->app = dal_engine_app(e->api->engine);
	e->rules = e->app->rules;
	e->request = request;
	if (body_read(e) && rule_read(e) && limit_read(e) && event_read(e) && feeds_take(e)) {
		reply(e);
	} else {
		release(e);
	}
}

static const struct dal_http_route routes[] = {
	{"POST", "/v1/rules/explain", DAL_HTTP_QUERY, 2 * DAL_LIMIT_EVENT_BYTES, post_explain,
	 NULL},
};

const struct dal_api_routes dal_api_explain = DAL_API_ROUTES(routes);
