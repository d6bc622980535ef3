/* GET /v1/status: where everything stands, and what stands still. */
#include "engine/api/api_private.h"

#include "engine/base/clock.h"

static void put_log(struct dal_json_writer *w, struct dal_api *api, uint64_t end)
{
	struct dal_log *log = dal_engine_log(api->engine);

	dal_json_key(w, "log");
	dal_json_begin_object(w);
	dal_json_key(w, "id");
	dal_json_put_slice(w, dal_log_id(log));
	dal_json_key(w, "end");
	dal_api_put_at(w, end);
	dal_json_key(w, "bytes");
	dal_json_put_integer(w, (int64_t)dal_log_bytes(log));
	dal_json_end_object(w);
}

static void put_lane(struct dal_json_writer *w, const struct dal_worker_status *status)
{
	dal_json_key(w, "lane");
	dal_json_begin_object(w);
	dal_json_key(w, "at");
	dal_api_put_at(w, status->next);
	dal_json_key(w, "lag_events");
	dal_json_put_integer(w, (int64_t)dal_api_lag_events(status));
	dal_json_key(w, "caught_up");
	dal_json_put_boolean(w, status->caught_up);
	dal_json_key(w, "paused");
	dal_json_put_boolean(w, status->paused);
	dal_json_end_object(w);
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
	dal_worker_status(dal_engine_worker(api->engine), &status);
	dal_json_begin_object(&w);
	dal_json_key(&w, "app");
	dal_json_put_text(&w, api->app->name);
	dal_json_key(&w, "generation");
	dal_json_put_text(&w, dal_rules_digest(api->app->rules));
	dal_json_key(&w, "started");
	dal_json_put_time(&w, dal_engine_started_us(api->engine));
	put_log(&w, api, status.end);
	put_lane(&w, &status);
	dal_json_end_object(&w);
	dal_api_reply(request, &body);
}

static const struct dal_http_route routes[] = {
	{"GET", "/v1/status", DAL_HTTP_QUERY, 0, get_status, NULL},
};

const struct dal_api_routes dal_api_status = DAL_API_ROUTES(routes);
