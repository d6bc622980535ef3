/* May it live, may it get work: for orchestrators, load balancers and scripts. No token is asked.
 */
#include "engine/api/attention.h"
#include "engine/base/limits.h"

static void reply_ok(struct dal_http_request *request)
{
	dal_http_reply(request, 200, "text/plain; charset=utf-8", NULL, dal_slice_text("ok\n"));
}

static void get_live(struct dal_http_request *request, void *data)
{
	(void)data;
	reply_ok(request);
}

static void refuse_building(struct dal_http_request *request,
			    const struct dal_worker_status *status)
{
	if (status->projection[0] == '\0') {
		dal_http_problem(request, 503, "the worker is starting: ask again in a second");
		return;
	}
	dal_http_problem(request, 503,
			 "projection \"%s\" is being built for the first time, %llu of %llu events "
			 "are folded in: ask again, or follow it in GET /v1/status",
			 status->projection, (unsigned long long)status->build_done,
			 (unsigned long long)status->build_end);
}

static void refuse_full(struct dal_http_request *request, const struct dal_log_room *room)
{
	dal_http_problem(request, 503, DAL_DISK_FULL ": " DAL_REMEDY_DISK,
			 (unsigned long long)(room->free_bytes / DAL_MIB),
			 (unsigned long long)(room->mark_bytes / DAL_MIB));
}

static void refuse_log(struct dal_http_request *request, const struct dal_log_status *log)
{
	if (log->away) {
		dal_http_problem(request, 503, DAL_LOG_IS_AWAY ": " DAL_REMEDY_AWAY "%s%s",
				 log->obstacle[0] ? "; " : "", log->obstacle);
	} else {
		dal_http_problem(request, 503, DAL_LOG_IS_PAUSED ": %s", log->obstacle);
	}
}

/* The first lane that builds. False: none does. */
static bool building_find(struct dal_api *api, struct dal_worker_status *status)
{
	for (uint16_t i = 0; i < dal_engine_lanes(api->engine); i++) {
		dal_api_worker_status(api, i, status);
		if (status->building) {
			return true;
		}
		dal_worker_status_deinit(status);
	}
	return false;
}

/* What needs somebody first. What stood in the way when dal_api_ready looked may be gone. */
static void refuse_ready(struct dal_http_request *request, struct dal_api *api)
{
	struct dal_log *log = dal_engine_log(api->engine);
	struct dal_worker_status status;
	struct dal_log_status state;
	struct dal_log_room room;

	dal_log_status(log, &state);
	if (dal_engine_broken(api->engine)) {
		dal_http_problem(request, 503,
				 "a write failed and the engine is stopping: it recovers by "
				 "restart, its log says what failed");
	} else if (state.away || state.paused) {
		refuse_log(request, &state);
	} else if (!dal_log_has_room(log, &room)) {
		refuse_full(request, &room);
	} else if (building_find(api, &status)) {
		refuse_building(request, &status);
		dal_worker_status_deinit(&status);
	} else {
		reply_ok(request);
	}
}

static void get_ready(struct dal_http_request *request, void *data)
{
	if (dal_api_ready(data)) {
		reply_ok(request);
	} else {
		refuse_ready(request, data);
	}
}

static const struct dal_http_route routes[] = {
	{"GET", "/livez", DAL_HTTP_OPEN, 0, get_live, NULL},
	{"GET", "/readyz", DAL_HTTP_OPEN, 0, get_ready, NULL},
	{"GET", "/healthz", DAL_HTTP_OPEN, 0, get_ready, NULL},
};

const struct dal_api_routes dal_api_health = DAL_API_ROUTES(routes);
