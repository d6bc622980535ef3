/* GET /v1/events: the log, read as pages, as lines, or as a tail without end. */
#include <errno.h>

#include "engine/api/cursor.h"
#include "engine/api/reading.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"

static bool accepts(struct dal_http_request *request, const char *type)
{
	struct dal_slice accept, part, media, rest;

	if (!dal_http_header(request, "Accept", &accept)) {
		return false;
	}
	while (accept.size > 0) {
		if (!dal_slice_cut(accept, ',', &part, &rest)) {
			part = accept;
			rest = (struct dal_slice){0};
		}
		accept = rest;
		if (!dal_slice_cut(part, ';', &media, &rest)) {
			media = part;
		}
		if (dal_slice_equal_nocase(dal_slice_trim(media), dal_slice_text(type))) {
			return true;
		}
	}
	return false;
}

static enum dal_reading_form form_of(struct dal_http_request *request)
{
	if (accepts(request, "text/event-stream")) {
		return DAL_READING_TAIL;
	}
	return accepts(request, "application/x-ndjson") ? DAL_READING_NDJSON : DAL_READING_JSON;
}

static const char *type_of(enum dal_reading_form form)
{
	static const char *const types[] = {
		[DAL_READING_JSON] = DAL_API_JSON,
		[DAL_READING_NDJSON] = "application/x-ndjson",
		[DAL_READING_TAIL] = "text/event-stream",
	};

	return types[form];
}

/* Where it begins: a cursor is a page or a tail that goes on, whatever `from` it began with. */
static bool start_read(struct dal_http_request *request, struct dal_reading *reading)
{
	struct dal_log *log = dal_engine_log(reading->api->engine);
	struct dal_slice cursor;
	bool given;

	reading->next = 1;
	if (!dal_api_moment(request, log, "from", &given, &reading->next)) {
		return false;
	}
	if ((reading->form == DAL_READING_TAIL &&
	     dal_http_header(request, "Last-Event-ID", &cursor) && cursor.size > 0) ||
	    dal_http_query(request, "cursor", &cursor)) {
		return dal_cursor_read_event(cursor, dal_log_id(log), &reading->next) ||
		       dal_api_cursor_wrong(request);
	}
	return true;
}

/* Where it ends: what came after the question is not part of the answer. */
static bool end_read(struct dal_http_request *request, struct dal_reading *reading)
{
	struct dal_log *log = dal_engine_log(reading->api->engine);
	struct dal_log_mark mark = {0};
	uint64_t to;
	bool given;

	if (!dal_api_moment(request, log, "to", &given, &to)) {
		return false;
	}
	if (reading->form == DAL_READING_TAIL) {
		reading->to = UINT64_MAX;
		if (given) {
			dal_http_problem(request, 400,
					 "a tail has no end: leave out \"to\", or ask for "
					 "application/x-ndjson");
		}
		return !given;
	}
	dal_log_end(log, DAL_API_LANE, &mark, 1);
	reading->to = given && to < mark.next ? to : mark.next;
	return true;
}

static bool limit_read(struct dal_http_request *request, struct dal_reading *reading)
{
	struct dal_slice value;
	size_t limit;

	if (reading->form == DAL_READING_JSON) {
		if (!dal_api_limit(request, DAL_LIMIT_LIST_DEFAULT, &limit)) {
			return false;
		}
		reading->limit = limit;
		return true;
	}
	if (dal_http_query(request, "limit", &value) &&
	    (!dal_slice_to_u64(value, &reading->limit) || reading->limit == 0)) {
		dal_http_problem(request, 400, "parameter \"limit\" is \"%.*s\": expected a number",
				 (int)value.size, value.data);
		return false;
	}
	return true;
}

static char *text_read(struct dal_http_request *request, const char *name)
{
	struct dal_slice value;

	return dal_http_query(request, name, &value) ? dal_slice_dup(value) : NULL;
}

/* It is not in the list of sleepers yet. */
static void reading_drop(struct dal_reading *reading)
{
	free(reading->topic);
	free(reading->type);
	free(reading->subject);
	dal_api_unref(reading->api);
	free(reading);
}

static bool reading_open(struct dal_http_request *request, struct dal_reading *reading)
{
	int r;

	if (!start_read(request, reading) || !end_read(request, reading) ||
	    !limit_read(request, reading)) {
		return false;
	}
	r = dal_reading_open(reading);
	if (r == -ENOENT) {
		dal_http_problem(request, 404,
				 "there is no topic \"%s\": the app has events, system, and what "
				 "its log.topics name",
				 reading->topic);
	} else if (r < 0) {
		dal_api_fail(request, "the log", r);
	}
	return r == 0;
}

static void get_events(struct dal_http_request *request, void *data)
{
	static const char *const names[] = {"topic", "type",  "subject", "from",
					    "to",    "limit", "cursor",  NULL};
	static const struct dal_http_header_line headers[] = {{"Cache-Control", "no-store"},
							      {NULL, NULL}};
	struct dal_reading *reading;

	if (!dal_api_known(request, names)) {
		return;
	}
	reading = dal_calloc(1, sizeof(*reading));
	reading->api = dal_api_ref(data);
	reading->form = form_of(request);
	reading->topic = text_read(request, "topic");
	reading->type = text_read(request, "type");
	reading->subject = text_read(request, "subject");
	if (!reading_open(request, reading)) {
		reading_drop(reading);
		return;
	}
	dal_api_sleeper_start(reading->api, &reading->sleeper, request,
			      &(struct dal_http_stream_options){
				      .status = 200,
				      .type = type_of(reading->form),
				      .headers = headers,
				      .fill = dal_reading_fill,
				      .release = dal_reading_release,
				      .own = reading,
				      .heartbeat_ms = reading->form == DAL_READING_TAIL
							      ? DAL_LIMIT_HTTP_HEARTBEAT_MS
							      : 0,
				      .heartbeat = ": \n\n",
			      });
}

static const struct dal_http_route routes[] = {
	{"GET", "/v1/events", DAL_HTTP_QUERY, 0, get_events, NULL},
};

const struct dal_api_routes dal_api_events = DAL_API_ROUTES(routes);
