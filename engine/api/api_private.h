/* What the files of the API share; nobody else includes it. */
#ifndef DAL_API_API_PRIVATE_H
#define DAL_API_API_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/api/api.h"
#include "engine/api/guards.h"
#include "engine/event/json_write.h"

/* A stream that sleeps until the log has advanced, or the lane has folded. */
struct dal_api_sleeper {
	struct dal_http_stream *stream;
	enum { DAL_API_ADVANCED, DAL_API_FOLDED } wants;
	atomic_bool asleep; /* set by its fill before it looks for news */
	struct dal_api_sleeper *previous, *next;
};

/*
 * Lives until the owner and all that outlives a handler (streams, waits) have let it go.
 */
struct dal_api {
	struct dal_engine *engine;
	atomic_uint references;
	struct dal_engine_listener listener;
	pthread_mutex_t lock; /* sleepers */
	struct dal_api_sleeper *sleepers;
	struct dal_guards *guards; /* asks them for people */
};

struct dal_api *dal_api_ref(struct dal_api *api);
void dal_api_unref(struct dal_api *api);
/*
 * Starts the stream and enters it in the list of sleepers, in one step: `release` of the stream
 * must call dal_api_sleeper_remove, and can't be faster.
 */
void dal_api_sleeper_start(struct dal_api *api, struct dal_api_sleeper *sleeper,
			   struct dal_http_request *request,
			   const struct dal_http_stream_options *options);
void dal_api_sleeper_remove(struct dal_api *api, struct dal_api_sleeper *sleeper);

/* One noun's routes; each file of a noun defines one of these. */
struct dal_api_routes {
	const struct dal_http_route *routes;
	size_t count;
};

#define DAL_API_ROUTES(table)                                                                      \
	{                                                                                          \
		.routes = (table), .count = sizeof(table) / sizeof((table)[0])                     \
	}

extern const struct dal_api_routes dal_api_dead, dal_api_events, dal_api_explain, dal_api_health,
	dal_api_metrics, dal_api_openapi, dal_api_projections, dal_api_reload, dal_api_rules,
	dal_api_status, dal_api_verdict;
/* All of them, and how many. */
extern const struct dal_api_routes *const dal_api_nouns[];
extern const size_t dal_api_noun_count;

/* --- lanes.c: where the lanes stand --- */

/* Is the log one sequence of offsets over all topics (embedded)? Else its places need all their
 * parts, and a lane has a mark for each topic. */
bool dal_api_one_sequence(const struct dal_api *api);
/* The caller's: dal_worker_status_deinit. */
void dal_api_worker_status(struct dal_api *api, uint16_t lane, struct dal_worker_status *status);
/* Of all lanes. */
struct dal_worker_status *dal_api_lanes_take(struct dal_api *api, uint16_t *count);
void dal_api_lanes_free(struct dal_worker_status *lanes, uint16_t count);

/* Is it ready for work: dal_engine_ready, and the log's brokers give it something to do? */
bool dal_api_ready(struct dal_api *api);

/* The next offsets of every lane, at one moment: what is read afterwards is at least as new. */
struct dal_api_stand {
	struct dal_position *lanes;
	uint16_t count;
};

void dal_api_stand_take(struct dal_api *api, struct dal_api_stand *stand);
void dal_api_stand_deinit(struct dal_api_stand *stand); /* also clears it */
bool dal_api_stand_equal(const struct dal_api_stand *a, const struct dal_api_stand *b);

/* Offsets on the log that are not folded in. */
uint64_t dal_api_lag_events(const struct dal_worker_status *status);
/* For how long the oldest of them has waited; on Kafka the bound that is known without asking the
 * brokers: since the last event that was folded in, or since it had last read all there was. */
int64_t dal_api_lag_us(struct dal_api *api, const struct dal_worker_status *status);
/* When this event was appended; 0: it can't be said without asking the brokers. */
int64_t dal_api_appended_us(struct dal_api *api, const struct dal_place *place);

/* --- answer.c: what the handlers say in one way --- */

#define DAL_API_JSON "application/json"
#define DAL_API_AWAY                                                                               \
	"no broker of the log answers: ask again once one does, GET /v1/status says since when"

/* Answers 200 with the JSON in `body`, which it takes. */
void dal_api_reply(struct dal_http_request *request, struct dal_buffer *body);
/* "events/0/17" as a value. */
void dal_api_put_place(struct dal_json_writer *writer, const struct dal_place *place);
/*
 * Where something stands. On the embedded log the last offset as text, "0" before the first; else
 * the last offset of each partition, {"events/3": "17", "system/3": "4"}: those of which nothing
 * has been read are left out.
 */
void dal_api_put_at(struct dal_json_writer *writer, const struct dal_position *next);
void dal_api_put_stand(struct dal_json_writer *writer, const struct dal_api_stand *stand);
/* For a read that failed: 500 (503 if the log's brokers are away, or too many read it), and a line
 * in the log. */
void dal_api_fail(struct dal_http_request *request, const char *what, int error);

/* --- parameters.c: query parameters, checked. False: the request has been answered. --- */

/* All that were given are among `names` (NULL-terminated). */
bool dal_api_known(struct dal_http_request *request, const char *const *names);
/* `limit`: `fallback` if it was not given; over DAL_LIMIT_LIST_MAX is cut to that. */
bool dal_api_limit(struct dal_http_request *request, size_t fallback, size_t *limit);
/* Is the text a position of this log? On the embedded one also a bare offset, which is of `events`;
 * else topic and partition must be there. False: `error` says what is expected. */
bool dal_api_place_read(const struct dal_log *log, struct dal_slice text, struct dal_place *place,
			struct dal_error *error);
/* The same of a parameter; *given false: it was not there. */
bool dal_api_position(struct dal_http_request *request, const struct dal_log *log, const char *name,
		      bool *given, struct dal_place *place);

/* `from` and `to` of events: a position, a time, a time back from now ("-1h"), or so many events
 * before the end ("-20"). */
struct dal_api_moment {
	enum { DAL_API_ANY, DAL_API_PLACE, DAL_API_TIME, DAL_API_LAST } kind;
	struct dal_place place;
	int64_t time_us;
	uint64_t last;
};

bool dal_api_moment(struct dal_http_request *request, const struct dal_log *log, const char *name,
		    struct dal_api_moment *moment);
bool dal_api_duration(struct dal_http_request *request, const char *name, int64_t fallback_us,
		      int64_t max_us, int64_t *duration_us);
/* Answers 400: this cursor can't be one of this list. False. */
bool dal_api_cursor_wrong(struct dal_http_request *request);

/* --- reload.c --- */

/* Appends "reload": how often, when, and the last one if it failed, with its errors. */
void dal_api_put_reload(struct dal_json_writer *writer, struct dal_api *api);

/* --- wait.c --- */

/*
 * Calls `answer` once the event at `min-position` is folded in (at once if there is no such
 * parameter), on the handler's thread, or `late` on the worker's: be short then. Otherwise the
 * request is answered with 504. `request` must not be touched by the caller afterwards.
 */
void dal_api_when_folded(struct dal_api *api, struct dal_http_request *request,
			 void (*answer)(struct dal_api *api, struct dal_http_request *request,
					bool late));

#endif
