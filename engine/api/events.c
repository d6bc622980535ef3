/* GET /v1/events: the log, read as pages, as lines, or as a tail without end. */
#include <errno.h>
#include <stdlib.h>

#include "engine/api/cursor.h"
#include "engine/api/reading.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"

#define POLL_MS 100 /* looks again whether records have come, also without being woken */

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

/* --- the range --- */

/* Positions of the log as far as the reading goes: its lane, its topic. */
static void narrow(const struct dal_reading *reading, struct dal_position *position)
{
	struct dal_position kept = {0};

	for (size_t i = 0; i < position->count; i++) {
		const struct dal_mark *mark = &position->marks[i];
		if (!reading->topic || dal_slice_is(mark->topic, DAL_POSITION_ALL_TOPICS) ||
		    dal_slice_is(mark->topic, reading->topic)) {
			dal_position_set(&kept, mark->topic, mark->partition, mark->next);
		}
	}
	dal_position_deinit(position);
	*position = kept;
}

/* Moves every mark that lies behind the other's back to it. */
static void bound(struct dal_position *position, const struct dal_position *end)
{
	for (size_t i = 0; i < position->count; i++) {
		struct dal_mark *mark = &position->marks[i];
		uint64_t most = dal_position_next(end, mark->topic, mark->partition);
		mark->next = mark->next > most ? most : mark->next;
	}
}

/* So many before the end, in each partition; not before the start. */
static void step_back(struct dal_position *position, const struct dal_position *start,
		      uint64_t count)
{
	for (size_t i = 0; i < position->count; i++) {
		struct dal_mark *mark = &position->marks[i];
		uint64_t least = dal_position_next(start, mark->topic, mark->partition);
		mark->next = mark->next > least + count ? mark->next - count : least;
	}
}

/* The end that the log has now, which is not before what is folded in: brokers are asked for it now
 * and then only. */
static void end_take(const struct dal_reading *reading, struct dal_position *end)
{
	struct dal_api *api = reading->api;
	struct dal_position folded = {0};

	dal_log_end(dal_engine_log(api->engine), reading->lane, end);
	for (uint16_t i = 0; i < dal_engine_lanes(api->engine); i++) {
		if (reading->lane == i || reading->lane == DAL_LOG_ALL_LANES) {
			dal_worker_position(dal_engine_worker(api->engine, i), &folded);
			dal_position_advance(end, &folded);
		}
	}
	dal_position_deinit(&folded);
}

/* What a moment means; DAL_API_ANY leaves the position as it is. 0 or negative. */
static int moment_find(const struct dal_reading *reading, const struct dal_api_moment *moment,
		       struct dal_position *position)
{
	struct dal_log *log = dal_engine_log(reading->api->engine);
	const struct dal_place *place = &moment->place;
	struct dal_position start = {0};
	int r = 0;

	switch (moment->kind) {
	case DAL_API_ANY:
		break;
	case DAL_API_PLACE:
		dal_position_set(position, place->topic, place->partition, place->offset);
		break;
	case DAL_API_TIME:
		r = dal_log_at(log, reading->lane, moment->time_us, position);
		break;
	case DAL_API_LAST:
		dal_log_start(log, reading->lane, &start);
		end_take(reading, position);
		step_back(position, &start, moment->last);
		dal_position_deinit(&start);
		break;
	}
	narrow(reading, position);
	return r;
}

/* On a log with partitions a position is one of a partition: that one alone is read. */
static bool scope_read(struct dal_http_request *request, struct dal_reading *reading,
		       const struct dal_api_moment *moment)
{
	const struct dal_place *place = &moment->place;

	if (moment->kind != DAL_API_PLACE || dal_api_one_sequence(reading->api)) {
		return true;
	}
	if ((reading->topic && !dal_slice_is(place->topic, reading->topic)) ||
	    (reading->lane != DAL_LOG_ALL_LANES && reading->lane != place->partition)) {
		dal_http_problem(request, 400,
				 "a position as \"from\" or \"to\" reads its partition alone, here "
				 "%.*s/%d: another topic or partition can't be asked for with it",
				 (int)place->topic.size, place->topic.data, place->partition);
		return false;
	}
	reading->lane = (uint16_t)place->partition;
	if (!reading->topic) {
		reading->topic = dal_slice_dup(place->topic);
	}
	return true;
}

static int compare_marks(const void *a, const void *b)
{
	const struct dal_mark *left = a, *right = b;
	int order = dal_slice_compare(left->topic, right->topic);

	return order != 0 ? order
			  : (left->partition > right->partition) -
				    (left->partition < right->partition);
}

/* A page or a tail that goes on, whatever `from` it began with. */
static bool cursor_read(struct dal_http_request *request, struct dal_reading *reading)
{
	struct dal_slice cursor, topic;

	if (!(reading->form == DAL_READING_TAIL &&
	      dal_http_header(request, "Last-Event-ID", &cursor) && cursor.size > 0) &&
	    !dal_http_query(request, "cursor", &cursor)) {
		return true;
	}
	if (!dal_cursor_read_position(cursor, dal_log_id(dal_engine_log(reading->api->engine)),
				      dal_api_one_sequence(reading->api), &reading->lane,
				      &reading->next)) {
		return dal_api_cursor_wrong(request);
	}
	if (reading->lane != DAL_LOG_ALL_LANES && !dal_api_one_sequence(reading->api)) {
		if (reading->next.count != 1 ||
		    reading->lane >= dal_engine_lanes(reading->api->engine)) {
			return dal_api_cursor_wrong(request);
		}
		topic = reading->next.marks[0].topic;
		free(reading->topic);
		reading->topic = dal_slice_dup(topic);
	}
	return true;
}

/* Where it ends: what came after the question is not part of the answer. */
static int end_find(struct dal_reading *reading, const struct dal_api_moment *to)
{
	struct dal_position end = {0};
	int r;

	end_take(reading, &end);
	narrow(reading, &end);
	dal_position_copy(&reading->to, &end);
	r = moment_find(reading, to, &reading->to);
	bound(&reading->to, &end);
	if (!dal_api_one_sequence(reading->api)) {
		bound(&reading->next, &end); /* offsets behind the end are none yet */
	}
	dal_position_deinit(&end);
	return r;
}

static bool range_read(struct dal_http_request *request, struct dal_reading *reading)
{
	struct dal_log *log = dal_engine_log(reading->api->engine);
	struct dal_api_moment from, to;
	int r;

	reading->lane = DAL_LOG_ALL_LANES;
	if (!dal_api_moment(request, log, "from", &from) ||
	    !dal_api_moment(request, log, "to", &to) || !scope_read(request, reading, &from) ||
	    !scope_read(request, reading, &to)) {
		return false;
	}
	if (to.kind != DAL_API_ANY && reading->form == DAL_READING_TAIL) {
		dal_http_problem(request, 400,
				 "a tail has no end: leave out \"to\", or ask for "
				 "application/x-ndjson");
		return false;
	}
	dal_log_start(log, reading->lane, &reading->next);
	r = moment_find(reading, &from, &reading->next);
	if (r == 0 && !cursor_read(request, reading)) {
		return false;
	}
	r = r == 0 ? end_find(reading, &to) : r;
	if (r < 0) {
		dal_api_fail(request, "the log", r);
		return false;
	}
	if (reading->next.count > 1) {
		qsort(reading->next.marks, reading->next.count, sizeof(*reading->next.marks),
		      compare_marks);
	}
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

/* What could not be read would be noticed in the middle of the answer only. */
static int log_check(const struct dal_reading *reading)
{
	struct dal_log_status status;

	dal_log_status(dal_engine_log(reading->api->engine), &status);
	return status.away ? -EHOSTUNREACH : 0;
}

static bool reading_open(struct dal_http_request *request, struct dal_reading *reading)
{
	int r;

	if (!range_read(request, reading) || !limit_read(request, reading)) {
		return false;
	}
	r = log_check(reading);
	r = r == 0 ? dal_reading_open(reading) : r;
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

/* What is on the embedded log is there at once; from a broker it has yet to come. */
static uint64_t clock_of(const struct dal_reading *reading)
{
	if (reading->form == DAL_READING_TAIL) {
		return DAL_LIMIT_HTTP_HEARTBEAT_MS;
	}
	return dal_api_one_sequence(reading->api) ? 0 : POLL_MS;
}

static void stream_start(struct dal_http_request *request, struct dal_reading *reading)
{
	static const struct dal_http_header_line headers[] = {{"Cache-Control", "no-store"},
							      {NULL, NULL}};

	dal_api_sleeper_start(reading->api, &reading->sleeper, request,
			      &(struct dal_http_stream_options){
				      .status = 200,
				      .type = type_of(reading->form),
				      .headers = headers,
				      .fill = dal_reading_fill,
				      .release = dal_reading_release,
				      .own = reading,
				      .heartbeat_ms = clock_of(reading),
				      .heartbeat = reading->form == DAL_READING_TAIL ? ": \n\n"
										     : NULL,
			      });
}

static void get_events(struct dal_http_request *request, void *data)
{
	static const char *const names[] = {"topic", "type",  "subject", "from",
					    "to",    "limit", "cursor",  NULL};
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
		dal_reading_drop(reading);
		return;
	}
	stream_start(request, reading);
}

static const struct dal_http_route routes[] = {
	{"GET", "/v1/events", DAL_HTTP_QUERY, 0, get_events, NULL},
};

const struct dal_api_routes dal_api_events = DAL_API_ROUTES(routes);
