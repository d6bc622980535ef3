/* GET /metrics: what every folder counts, and what only the whole engine knows. */
#include "engine/api/api_private.h"

#include "engine/base/metrics.h"

static void set(const char *name, const char *help, uint64_t value)
{
	dal_metric_set(dal_metric_gauge(name, help, NULL), (int64_t)value);
}

static void set_lane(struct dal_api *api)
{
	struct dal_worker_status status;

	dal_worker_status(dal_engine_worker(api->engine), &status);
	set("dalamb_lane_next_offset", "The first offset that is not folded in yet.", status.next);
	set("dalamb_lane_lag_events", "Events on the log that are not folded in yet.",
	    dal_api_lag_events(&status));
	set("dalamb_outbox_undelivered_rows", "Calls that wait for their function.",
	    status.undelivered);
}

static void get_metrics(struct dal_http_request *request, void *data)
{
	struct dal_api *api = data;
	struct dal_buffer page = {0};

	set_lane(api);
	dal_metrics_print(&page);
	dal_http_reply_take(request, 200, "text/plain; version=0.0.4; charset=utf-8", NULL, &page);
}

static const struct dal_http_route routes[] = {
	{"GET", "/metrics", DAL_HTTP_QUERY, 0, get_metrics, NULL},
};

const struct dal_api_routes dal_api_metrics = DAL_API_ROUTES(routes);
