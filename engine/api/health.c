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

static void get_ready(struct dal_http_request *request, void *data)
{
	struct dal_api *api = data;
	struct dal_worker_status status;
	struct dal_log_room room;

	dal_api_worker_status(api, &status);
	if (dal_engine_ready(api->engine)) {
		reply_ok(request);
	} else if (status.building) {
		refuse_building(request, &status);
	} else if (!dal_engine_broken(api->engine)) {
		dal_log_has_room(dal_engine_log(api->engine), &room);
		refuse_full(request, &room);
	} else {
		dal_http_problem(request, 503,
				 "a write failed and the engine is stopping: it recovers by "
				 "restart, its log says what failed");
	}
}

static const struct dal_http_route routes[] = {
	{"GET", "/livez", DAL_HTTP_OPEN, 0, get_live, NULL},
	{"GET", "/readyz", DAL_HTTP_OPEN, 0, get_ready, NULL},
	{"GET", "/healthz", DAL_HTTP_OPEN, 0, get_ready, NULL},
};

const struct dal_api_routes dal_api_health = DAL_API_ROUTES(routes);
