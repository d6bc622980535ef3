/* GET /v1/status: where everything stands, and what stands still. */
#include "engine/api/api_private.h"
#include "engine/api/attention.h"
#include "engine/api/figures.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "state/view.h"

#define PARKED_MAX 100

static void put_integer(struct dal_json_writer *w, const char *key, uint64_t value)
{
	dal_json_key(w, key);
	dal_json_put_integer(w, (int64_t)value);
}

static void put_boolean(struct dal_json_writer *w, const char *key, bool value)
{
	dal_json_key(w, key);
	dal_json_put_boolean(w, value);
}

static void put_time(struct dal_json_writer *w, const char *key, int64_t time_us)
{
	if (time_us > 0) {
		dal_json_key(w, key);
		dal_json_put_time(w, time_us);
	}
}

static void put_log(struct dal_json_writer *w, struct dal_api *api,
		    const struct dal_worker_status *lanes, uint16_t count)
{
	struct dal_log *log = dal_engine_log(api->engine);
	struct dal_position end = {0};
	struct dal_log_status status;

	dal_log_end(log, DAL_LOG_ALL_LANES, &end);
	for (uint16_t i = 0; i < count; i++) {
		dal_position_advance(&end, &lanes[i].end);
	}
	dal_log_status(log, &status);
	dal_json_key(w, "log");
	dal_json_begin_object(w);
	dal_json_key(w, "kind");
	dal_json_put_text(w, dal_api_one_sequence(api) ? "embedded" : "kafka");
	dal_json_key(w, "id");
	dal_json_put_slice(w, dal_log_id(log));
	dal_json_key(w, "end");
	dal_api_put_at(w, &end);
	if (dal_api_one_sequence(api)) {
		put_integer(w, "bytes", dal_log_bytes(log));
	} else {
		put_boolean(w, "away", status.away);
		put_time(w, "away_since", status.away ? status.away_us : 0);
		put_boolean(w, "paused", status.paused);
	}
	if (status.obstacle[0]) {
		dal_json_key(w, "obstacle");
		dal_json_put_text(w, status.obstacle);
	}
	dal_json_end_object(w);
	dal_position_deinit(&end);
}

static void put_building(struct dal_json_writer *w, const struct dal_worker_status *status)
{
	dal_json_key(w, "building");
	dal_json_begin_object(w);
	dal_json_key(w, "projection");
	dal_json_put_text(w, status->projection);
	put_integer(w, "done", status->build_done);
	put_integer(w, "end", status->build_end);
	dal_json_end_object(w);
}

static void put_halted(struct dal_json_writer *w, const struct dal_lane_halt *halt)
{
	dal_json_key(w, "halted");
	dal_json_begin_object(w);
	dal_json_key(w, "position");
	dal_api_put_place(w, &halt->place);
	dal_json_key(w, "declaration");
	dal_json_put_text(w, halt->declaration);
	dal_json_key(w, "message");
	dal_json_put_text(w, halt->message);
	dal_json_key(w, "since");
	dal_json_put_time(w, halt->since_us);
	dal_json_key(w, "remedy");
	dal_json_put_text(w, dal_attention_remedy(halt));
	dal_json_end_object(w);
}

/* A partition of a lane: where it stands. It has waited for as long as its lane, at the most. */
static void put_partition(struct dal_json_writer *w, const struct dal_worker_status *status,
			  const struct dal_mark *end, double lag_seconds)
{
	uint64_t next = dal_position_next(&status->next, end->topic, end->partition);
	uint64_t lag = end->next > next ? end->next - next : 0;
	struct dal_buffer text = {0};

	dal_json_begin_object(w);
	dal_json_key(w, "topic");
	dal_json_put_slice(w, end->topic);
	put_integer(w, "partition", (uint64_t)end->partition);
	dal_json_key(w, "next");
	dal_buffer_printf(&text, "%llu", (unsigned long long)next);
	dal_json_put_slice(w, dal_buffer_slice(&text));
	dal_json_key(w, "end");
	dal_buffer_clear(&text);
	dal_buffer_printf(&text, "%llu", (unsigned long long)end->next);
	dal_json_put_slice(w, dal_buffer_slice(&text));
	put_integer(w, "lag_events", lag);
	dal_json_key(w, "lag_seconds");
	dal_json_put_double(w, lag > 0 ? lag_seconds : 0);
	dal_json_end_object(w);
	dal_buffer_deinit(&text);
}

static void put_partitions(struct dal_json_writer *w, const struct dal_worker_status *status,
			   double lag_seconds)
{
	put_integer(w, "refused", status->refused);
	put_integer(w, "repeats", status->repeats);
	dal_json_key(w, "partitions");
	dal_json_begin_array(w);
	for (size_t i = 0; i < status->end.count; i++) {
		put_partition(w, status, &status->end.marks[i], lag_seconds);
	}
	dal_json_end_array(w);
}

static void put_lane(struct dal_json_writer *w, struct dal_api *api,
		     const struct dal_worker_status *status)
{
	double lag_seconds = (double)dal_api_lag_us(api, status) / 1e6;

	dal_json_key(w, "at");
	dal_api_put_at(w, &status->next);
	put_integer(w, "events", status->events);
	put_integer(w, "lag_events", dal_api_lag_events(status));
	dal_json_key(w, "lag_seconds");
	dal_json_put_double(w, lag_seconds);
	put_boolean(w, "caught_up", status->caught_up);
	put_boolean(w, "paused", status->paused);
	if (status->building) {
		put_building(w, status);
	}
	if (status->halted) {
		put_halted(w, &status->halt);
	}
	if (!dal_api_one_sequence(api)) {
		put_partitions(w, status, lag_seconds);
	}
}

/* `lane` is the embedded log's only one; `lanes` are all of any log. */
static void put_lanes(struct dal_json_writer *w, struct dal_api *api,
		      const struct dal_worker_status *lanes, uint16_t count)
{
	if (dal_api_one_sequence(api)) {
		dal_json_key(w, "lane");
		dal_json_begin_object(w);
		put_lane(w, api, &lanes[0]);
		dal_json_end_object(w);
	}
	dal_json_key(w, "lanes");
	dal_json_begin_array(w);
	for (uint16_t i = 0; i < count; i++) {
		dal_json_begin_object(w);
		put_integer(w, "lane", i);
		put_lane(w, api, &lanes[i]);
		dal_json_end_object(w);
	}
	dal_json_end_array(w);
}

static void put_function(struct dal_json_writer *w, const struct dal_figures *f)
{
	dal_json_begin_object(w);
	dal_json_key(w, "name");
	dal_json_put_text(w, f->name);
	if (f->version[0]) {
		dal_json_key(w, "version");
		dal_json_put_text(w, f->version);
	}
	put_integer(w, "instances", f->instances);
	put_integer(w, "busy", f->busy);
	put_integer(w, "waiting", f->waiting);
	put_integer(w, "running", f->running);
	put_integer(w, "retrying", f->retrying);
	put_boolean(w, "more_on_disk", f->more);
	put_integer(w, "invocations", f->invocations);
	put_integer(w, "failures", f->failures);
	put_integer(w, "cold_starts", f->cold_starts);
	if (f->oldest_us > 0) {
		dal_json_key(w, "oldest");
		dal_json_put_time(w, f->oldest_us);
	}
	if (f->obstacle[0]) {
		dal_json_key(w, "obstacle");
		dal_json_put_text(w, f->obstacle);
	}
	dal_json_end_object(w);
}

static void put_functions(struct dal_json_writer *w, struct dal_api *api)
{
	struct dal_figures *list;
	size_t count = dal_figures_get(api, &list);

	dal_json_key(w, "functions");
	dal_json_begin_array(w);
	for (size_t i = 0; i < count; i++) {
		put_function(w, &list[i]);
	}
	dal_json_end_array(w);
	free(list);
}

struct parked {
	struct dal_json_writer *w;
	size_t count;
};

static bool on_parked(const struct dal_view_name *name, struct dal_slice key,
		      const struct dal_view_entry *entry, void *own)
{
	struct parked *parked = own;
	struct dal_json_writer *w = parked->w;

	dal_json_begin_object(w);
	dal_json_key(w, "projection");
	dal_json_put_slice(w, name->projection);
	put_integer(w, "version", name->version);
	dal_json_key(w, "key");
	dal_json_put_slice(w, key);
	dal_json_key(w, "position");
	dal_api_put_place(w, &entry->parked_at);
	dal_json_key(w, "message");
	dal_json_put_slice(w, entry->message);
	dal_json_key(w, "remedy");
	dal_json_put_text(w, DAL_REMEDY_PARKED);
	dal_json_end_object(w);
	return ++parked->count < PARKED_MAX;
}

static void put_parked(struct dal_json_writer *w, struct dal_api *api)
{
	struct parked parked = {w, 0};

	dal_json_key(w, "parked");
	dal_json_begin_array(w);
	for (uint16_t i = 0; i < dal_engine_lanes(api->engine) && parked.count < PARKED_MAX; i++) {
		dal_view_parked_scan(dal_engine_state(api->engine), i, on_parked, &parked);
	}
	dal_json_end_array(w);
}

static void put_app(struct dal_json_writer *w, struct dal_api *api)
{
	int64_t started_us = dal_engine_started_us(api->engine);
	int64_t up_us = dal_clock_now_us() - started_us;
	struct dal_app *app = dal_engine_app(api->engine);

	dal_json_key(w, "app");
	dal_json_put_text(w, app->name);
	dal_json_key(w, "generation");
	dal_json_put_text(w, dal_rules_digest(app->rules));
	put_integer(w, "generation_number", app->number);
	dal_app_free(app);
	dal_json_key(w, "started");
	dal_json_put_time(w, started_us);
	put_integer(w, "uptime_seconds", up_us > 0 ? (uint64_t)up_us / 1000000 : 0);
	put_boolean(w, "ready", dal_api_ready(api));
}

static void put_totals(struct dal_json_writer *w, const struct dal_worker_status *lanes,
		       uint16_t count)
{
	uint64_t undelivered = 0, dead = 0, lag = 0;

	for (uint16_t i = 0; i < count; i++) {
		undelivered += lanes[i].undelivered;
		dead += lanes[i].dead;
		lag += dal_api_lag_events(&lanes[i]);
	}
	put_integer(w, "lag_events", lag);
	put_integer(w, "undelivered_rows", undelivered);
	put_integer(w, "dead_rows", dead);
}

static void get_status(struct dal_http_request *request, void *data)
{
	static const char *const names[] = {NULL};
	struct dal_api *api = data;
	struct dal_worker_status *lanes;
	struct dal_buffer body = {0};
	struct dal_json_writer w = {.out = &body};
	uint16_t count;

	if (!dal_api_known(request, names)) {
		return;
	}
	lanes = dal_api_lanes_take(api, &count);
	dal_json_begin_object(&w);
	put_app(&w, api);
	dal_api_put_reload(&w, api);
	put_log(&w, api, lanes, count);
	put_lanes(&w, api, lanes, count);
	put_functions(&w, api);
	put_totals(&w, lanes, count);
	put_parked(&w, api);
	dal_attention_put(&w, api, lanes, count);
	dal_json_end_object(&w);
	dal_api_lanes_free(lanes, count);
	dal_api_reply(request, &body);
}

static const struct dal_http_route routes[] = {
	{"GET", "/v1/status", DAL_HTTP_QUERY, 0, get_status, NULL},
};

const struct dal_api_routes dal_api_status = DAL_API_ROUTES(routes);
