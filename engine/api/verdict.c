/*
 * POST /v1/dead/retry and /v1/dead/drop: what becomes of dead letters, as events.
 *
 * Nothing is changed here: for each row an event is appended (dalamb.dead.retried or .dropped), and
 * the worker that reads it sends the row again, or forgets it. The answer comes once the last of
 * them is folded in, so that who asks again sees what he did.
 */
#include "engine/api/api_private.h"
#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/event/json.h"
#include "state/outbox.h"

#define BY "api" /* who it was: requests carry scopes, no names */
#define FOLD_US (5ll * 1000000)

struct verdict {
	struct dal_log_append append;
	struct dal_worker_waiter waiter;
	struct dal_api *api;
	struct dal_http_request *request;
	const char *type, *done; /* "dalamb.dead.retried", "retried" */
	struct dal_json *body;
	struct dal_log_item items[DAL_LIMIT_LIST_MAX];
	struct dal_buffer events[DAL_LIMIT_LIST_MAX];
	size_t count;
	uint16_t lane; /* the row's that is looked at; later the one that is waited for */
	struct dal_buffer unknown; /* JSON strings with commas between */
	size_t unknown_count;
	bool more; /* the function has further dead letters */
};

static void verdict_free(struct verdict *v)
{
	for (size_t i = 0; i < v->count; i++) {
		dal_buffer_deinit(&v->events[i]);
	}
	dal_buffer_deinit(&v->unknown);
	dal_json_free(v->body);
	dal_api_unref(v->api);
	free(v);
}

/* --- the events --- */

static void event_build(struct verdict *v, struct dal_slice id, struct dal_slice subject)
{
	struct dal_buffer data = {0}, source = {0};
	char uuid[DAL_UUID_TEXT_BYTES], time[DAL_CLOCK_TEXT_BYTES];
	struct dal_json_writer w = {.out = &data};

	dal_uuid_random(uuid);
	dal_clock_format(dal_clock_now_us(), time);
	dal_buffer_printf(&source, "/dalamb/%s", dal_engine_name(v->api->engine));
	dal_json_begin_object(&w);
	dal_json_key(&w, "row");
	dal_json_put_slice(&w, id);
	dal_json_key(&w, "by");
	dal_json_put_text(&w, BY);
	dal_json_end_object(&w);
	struct dal_attribute attributes[] = {
		{dal_slice_text("id"), dal_slice_text(uuid), false},
		{dal_slice_text("source"), dal_buffer_slice(&source), false},
		{dal_slice_text("type"), dal_slice_text(v->type), false},
		{dal_slice_text("subject"), subject, false},
		{dal_slice_text("time"), dal_slice_text(time), false},
	};
	dal_event_build(&(struct dal_event_parts){.attributes = attributes,
						  .count = 5,
						  .data = dal_buffer_slice(&data)},
			&v->events[v->count]);
	v->items[v->count] = (struct dal_log_item){.topic = dal_slice_text(DAL_TOPIC_SYSTEM),
						   .event = dal_buffer_slice(&v->events[v->count]),
						   .placed = true,
						   .lane = v->lane};
	v->count++;
	dal_buffer_deinit(&data);
	dal_buffer_deinit(&source);
}

/* --- which rows --- */

static bool on_row(const struct dal_row *row, void *own)
{
	struct verdict *v = own;
	struct dal_buffer id = {0};

	if (v->count == DAL_LIMIT_LIST_MAX) {
		v->more = true;
		return false;
	}
	dal_row_id_format(&row->id, &id);
	event_build(v, dal_buffer_slice(&id), row->subject);
	dal_buffer_deinit(&id);
	return true;
}

static void unknown_add(struct verdict *v, struct dal_slice id)
{
	if (v->unknown_count++ > 0) {
		dal_buffer_byte(&v->unknown, ',');
	}
	dal_json_append_string(&v->unknown, id);
}

/* The partition of its cause is the row's lane. False: there is no such one. */
static bool lane_find(struct verdict *v, struct dal_slice row)
{
	struct dal_row_id id;

	if (!dal_row_id_parse(row, &id) || id.cause.partition < 0 ||
	    id.cause.partition >= dal_engine_lanes(v->api->engine)) {
		return false;
	}
	v->lane = (uint16_t)id.cause.partition;
	return true;
}

static int row_add(struct verdict *v, struct dal_slice id)
{
	struct dal_state *state = dal_engine_state(v->api->engine);
	struct dal_buffer memory = {0}, name = {0};
	enum dal_row_status status;
	struct dal_slice function;
	struct dal_row row;
	uint64_t sequence;
	int r = DAL_STATE_ABSENT;

	if (lane_find(v, id)) {
		r = dal_outbox_status(state, v->lane, id, &status, &function, &sequence, &memory);
	}
	if (r == 0 && status == DAL_ROW_DEAD) {
		dal_buffer_slice_append(&name, function); /* it is in `memory` */
		r = dal_outbox_get(state, v->lane, status, dal_buffer_slice(&name), sequence, &row,
				   &memory);
		if (r == 0) {
			event_build(v, id, row.subject);
		}
	} else if (r == 0) {
		r = DAL_STATE_ABSENT;
	}
	if (r == DAL_STATE_ABSENT) {
		unknown_add(v, id);
		r = 0;
	}
	dal_buffer_deinit(&memory);
	dal_buffer_deinit(&name);
	return r;
}

static int rows_add(struct verdict *v, uint32_t rows)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < dal_json_count(v->body, rows); i++) {
		r = row_add(v, dal_json_string(v->body, dal_json_at(v->body, rows, i)));
	}
	return r;
}

static int function_add(struct verdict *v, struct dal_slice name)
{
	struct dal_state *state = dal_engine_state(v->api->engine);
	int r = 0;

	for (v->lane = 0; r == 0 && !v->more && v->lane < dal_engine_lanes(v->api->engine);
	     v->lane++) {
		r = dal_outbox_scan(state, v->lane, DAL_ROW_DEAD, &name, 0, on_row, v);
	}
	return r;
}

static bool are_texts(const struct dal_json *json, uint32_t array)
{
	for (uint32_t i = 0; i < dal_json_count(json, array); i++) {
		if (dal_json_kind(json, dal_json_at(json, array, i)) != DAL_JSON_STRING) {
			return false;
		}
	}
	return dal_json_count(json, array) > 0;
}

static bool refuse(struct verdict *v)
{
	dal_http_problem(v->request, 400,
			 "expected {\"rows\": [ids]}, at most %d of those that GET /v1/dead "
			 "lists, or {\"function\": name}",
			 DAL_LIMIT_LIST_MAX);
	return false;
}

static bool rows_find(struct verdict *v)
{
	uint32_t rows = dal_json_find(v->body, DAL_JSON_ROOT, dal_slice_text("rows"));
	uint32_t function = dal_json_find(v->body, DAL_JSON_ROOT, dal_slice_text("function"));
	int r;

	if ((rows == DAL_JSON_NONE) == (function == DAL_JSON_NONE)) {
		return refuse(v);
	}
	if (rows != DAL_JSON_NONE) {
		if (dal_json_kind(v->body, rows) != DAL_JSON_ARRAY ||
		    dal_json_count(v->body, rows) > DAL_LIMIT_LIST_MAX ||
		    !are_texts(v->body, rows)) {
			return refuse(v);
		}
		r = rows_add(v, rows);
	} else {
		if (dal_json_kind(v->body, function) != DAL_JSON_STRING) {
			return refuse(v);
		}
		r = function_add(v, dal_json_string(v->body, function));
	}
	if (r < 0) {
		dal_api_fail(v->request, "the dead letters", r);
	}
	return r >= 0;
}

/* --- the answer --- */

static void put_unknown(struct verdict *v, struct dal_json_writer *w)
{
	if (v->unknown_count > 0) {
		dal_json_key(w, "unknown");
		dal_json_begin_array(w);
		dal_json_put_raw(w, dal_buffer_slice(&v->unknown));
		dal_json_end_array(w);
	}
}

static void reply_unknown(struct verdict *v)
{
	struct dal_buffer more = {0};

	dal_buffer_printf(&more, "\"unknown\":[%s]", dal_buffer_cstr(&v->unknown));
	dal_http_problem_with(v->request, 404,
			      "none of these rows is a dead letter: GET /v1/dead lists those that "
			      "are",
			      dal_buffer_cstr(&more));
	dal_buffer_deinit(&more);
}

static void reply_take(struct verdict *v)
{
	struct dal_buffer body = {0};
	struct dal_json_writer w = {.out = &body};

	dal_json_begin_object(&w);
	dal_json_key(&w, v->done);
	dal_json_put_integer(&w, (int64_t)v->count);
	put_unknown(v, &w);
	if (v->more) {
		dal_json_key(&w, "more"); /* ask again for the next ones */
		dal_json_put_boolean(&w, true);
	}
	dal_json_end_object(&w);
	dal_api_reply(v->request, &body);
	verdict_free(v);
}

static void wait_take(struct verdict *v);

static void on_folded(struct dal_worker_waiter *waiter, bool reached)
{
	(void)reached; /* the events are durable, whoever folds them */
	wait_take(DAL_CONTAINER(waiter, struct verdict, waiter));
}

/* The last of the events in this lane. */
static const struct dal_place *last_in(const struct verdict *v, uint16_t lane)
{
	for (size_t i = v->count; i > 0; i--) {
		if (v->items[i - 1].lane == lane) {
			return &v->items[i - 1].place;
		}
	}
	return NULL;
}

/* For one lane after the other, then it is answered. */
static void wait_take(struct verdict *v)
{
	while (v->lane < dal_engine_lanes(v->api->engine)) {
		uint16_t lane = v->lane++;
		const struct dal_place *place = last_in(v, lane);
		if (place) {
			v->waiter.place = *place;
			dal_worker_wait(dal_engine_worker(v->api->engine, lane), &v->waiter);
			return;
		}
	}
	reply_take(v);
}

static const char *reason_of(int result)
{
	switch (result) {
	case DAL_LOG_FULL:
		return "too much waits to be written: ask again in a second";
	case DAL_LOG_DISK:
		return "the disk is nearly full: make room, then ask again";
	case DAL_LOG_AWAY:
		return "no broker of the log took it in time: ask again, what is done already is "
		       "not done twice";
	case DAL_LOG_TOO_LARGE:
	case DAL_LOG_REFUSED:
		return "the log's brokers do not take it: the engine's log says why";
	default:
		return NULL;
	}
}

static void refuse_take(struct verdict *v, int result)
{
	const char *reason = reason_of(result);

	if (reason) {
		dal_http_problem(v->request, 503, "%s", reason);
	} else {
		dal_http_problem(v->request, 503,
				 "the log can't be written (%s): nothing was changed; the engine's "
				 "log says more",
				 strerror(-result));
	}
	verdict_free(v);
}

static void on_appended(struct dal_log_append *append, int result)
{
	struct verdict *v = DAL_CONTAINER(append, struct verdict, append);

	if (result != 0) {
		refuse_take(v, result);
		return;
	}
	v->waiter.deadline_us = dal_clock_monotonic_us() + FOLD_US;
	v->waiter.done = on_folded;
	v->lane = 0;
	wait_take(v);
}

static bool body_read(struct verdict *v)
{
	struct dal_json_error error;

	v->body = dal_json_new();
	if (dal_json_parse(v->body, dal_http_body_slice(v->request), 0, &error) != 0) {
		dal_http_problem(v->request, 400, "the body is no JSON: %s at byte %zu",
				 error.reason, error.position);
		return false;
	}
	return true;
}

static void append_take(struct verdict *v)
{
	int r;

	v->append = (struct dal_log_append){
		.items = v->items, .count = v->count, .urgent = true, .done = on_appended};
	r = dal_log_append(dal_engine_log(v->api->engine), &v->append);
	if (r != 0) {
		refuse_take(v, r);
	}
}

static void judge(struct dal_http_request *request, struct dal_api *api, const char *type,
		  const char *done)
{
	static const char *const names[] = {NULL};
	struct verdict *v;

	if (!dal_api_known(request, names)) {
		return;
	}
	v = dal_calloc(1, sizeof(*v));
	v->api = dal_api_ref(api);
	v->request = request;
	v->type = type;
	v->done = done;
	if (!body_read(v) || !rows_find(v)) {
		verdict_free(v);
	} else if (v->count > 0) {
		append_take(v);
	} else if (v->unknown_count > 0) {
		reply_unknown(v);
		verdict_free(v);
	} else {
		reply_take(v);
	}
}

static void post_retry(struct dal_http_request *request, void *data)
{
	judge(request, data, "dalamb.dead.retried", "retried");
}

static void post_drop(struct dal_http_request *request, void *data)
{
	judge(request, data, "dalamb.dead.dropped", "dropped");
}

static const struct dal_http_route routes[] = {
	{"POST", "/v1/dead/retry", DAL_HTTP_ADMIN, DAL_MIB, post_retry, NULL},
	{"POST", "/v1/dead/drop", DAL_HTTP_ADMIN, DAL_MIB, post_drop, NULL},
};

const struct dal_api_routes dal_api_verdict = DAL_API_ROUTES(routes);
