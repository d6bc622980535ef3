/* What the files of the API share; nobody else includes it. */
#ifndef DAL_API_API_PRIVATE_H
#define DAL_API_API_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/api/api.h"
#include "engine/event/json_write.h"

#define DAL_API_LANE 0 /* the embedded log has one */

struct dal_api {
	struct dal_engine *engine;
	const struct dal_app *app;
};

/* One noun's routes; each file of a noun defines one of these. */
struct dal_api_routes {
	const struct dal_http_route *routes;
	size_t count;
};

#define DAL_API_ROUTES(table)                                                                      \
	{                                                                                          \
		.routes = (table), .count = sizeof(table) / sizeof((table)[0])                     \
	}

extern const struct dal_api_routes dal_api_health, dal_api_metrics, dal_api_projections,
	dal_api_status;

/* Events on the log that are not folded in. */
static inline uint64_t dal_api_lag_events(const struct dal_worker_status *status)
{
	return status->end > status->next ? status->end - status->next : 0;
}

/* --- answer.c: what the handlers say in one way --- */

/* Answers 200 with the JSON in `body`, which it takes. */
void dal_api_reply(struct dal_http_request *request, struct dal_buffer *body);
/* "events/0/17" as a value. */
void dal_api_put_place(struct dal_json_writer *writer, const struct dal_place *place);
/* Where a lane stands whose next offset is this: the last offset as text, "0" before the first. */
void dal_api_put_at(struct dal_json_writer *writer, uint64_t next);
/* For a read that failed: 500, and a line in the log. */
void dal_api_fail(struct dal_http_request *request, const char *what, int error);

/* --- parameters.c: query parameters, checked. False: the request has been answered. --- */

/* All that were given are among `names` (NULL-terminated). */
bool dal_api_known(struct dal_http_request *request, const char *const *names);

#endif
