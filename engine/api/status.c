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

static void put_log(struct dal_json_writer *w, struct dal_api *api, uint64_t end)
{
	struct dal_log *log = dal_engine_log(api->engine);

	dal_json_key(w, "log");
	dal_json_begin_object(w);
	dal_json_key(w, "id");
	dal_json_put_slice(w, dal_log_id(log));
	dal_json_key(w, "end");
	dal_api_put_at(w, end);
	put_integer(w, "bytes", dal_log_bytes(log));
	dal_json_end_object(w);
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
	dal_json_put_text(w, DAL_REMEDY_HALTED);
	dal_json_end_object(w);
}

static void put_lane(struct dal_json_writer *w, struct dal_api *api,
		     const struct dal_worker_status *status)
{
	dal_json_key(w, "lane");
	dal_json_begin_object(w);
	dal_json_key(w, "at");
	dal_api_put_at(w, status->next);
	put_integer(w, "events", status->events);
	put_integer(w, "lag_events", dal_api_lag_events(status));
	dal_json_key(w, "lag_seconds");
	dal_json_put_double(w, (double)dal_api_lag_us(api, status) / 1e6);
	put_boolean(w, "caught_up", status->caught_up);
	put_boolean(w, "paused", status->paused);
	if (status->building) {
		put_building(w, status);
	}
	if (status->halted) {
		put_halted(w, &status->halt);
	}
	dal_json_end_object(w);
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
	dal_view_parked_scan(dal_engine_state(api->engine), DAL_API_LANE, on_parked, &parked);
	dal_json_end_array(w);
}

static void put_app(struct dal_json_writer *w, struct dal_api *api)
{
	int64_t started_us = dal_engine_started_us(api->engine);
	int64_t up_us = dal_clock_now_us() - started_us;

	dal_json_key(w, "app");
	dal_json_put_text(w, api->app->name);
	dal_json_key(w, "generation");
	dal_json_put_text(w, dal_rules_digest(api->app->rules));
	dal_json_key(w, "started");
	dal_json_put_time(w, started_us);
	put_integer(w, "uptime_seconds", up_us > 0 ? (uint64_t)up_us / 1000000 : 0);
	put_boolean(w, "ready", dal_engine_ready(api->engine));
}

static void get_status(struct dal_http_request *request, void *data)
{
	static const char *const names[] = {NULL};
	struct dal_api *api = data;
	struct dal_worker_status status;
	struct dal_buffer body = {0};
	struct dal_json_writer w = {.out = &body};

	if (!dal_api_known(request, names)) {
		return;
	}
	dal_api_worker_status(api, &status);
	dal_json_begin_object(&w);
	put_app(&w, api);
	put_log(&w, api, status.end);
	put_lane(&w, api, &status);
	put_functions(&w, api);
	put_integer(&w, "undelivered_rows", status.undelivered);
	put_integer(&w, "dead_rows", status.dead);
	put_parked(&w, api);
	dal_attention_put(&w, api, &status);
	dal_json_end_object(&w);
	dal_api_reply(request, &body);
}

static const struct dal_http_route routes[] = {
	{"GET", "/v1/status", DAL_HTTP_QUERY, 0, get_status, NULL},
};

const struct dal_api_routes dal_api_status = DAL_API_ROUTES(routes);
