#include "engine/api/openapi.h"

#include "engine/api/api_private.h"

#define JSON "application/json"
#define TEXT "text/plain"
#define RANGE "prefix from to limit cursor min-position timeout watch"

const struct dal_operation dal_operations[] = {
	{"GET", "/livez", NULL, "The process runs.", "", NULL, TEXT},
	{"GET", "/readyz", NULL, "It is ready for work; 503 with the reason if not.", "", NULL,
	 TEXT},
	{"GET", "/healthz", NULL, "The same as /readyz.", "", NULL, TEXT},
	{"GET", "/metrics", "query", "Prometheus text 0.0.4.", "", NULL, TEXT},
	{"GET", "/openapi.json", NULL, "This document.", "", NULL, JSON},
	{"POST", "/v1/events", "ingest",
	 "Appends events: CloudEvents in binary, structured or batch mode, or NDJSON. 2xx once "
	 "they are durable; the answer gives positions.",
	 "topic",
	 "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/shop\",\"type\":\"order.placed\","
	 "\"data\":{\"customer\":\"c1\",\"total\":12}}",
	 JSON},
	{"GET", "/v1/events", "query",
	 "The log, oldest first: a page, all as lines (NDJSON), or a tail (SSE, goes on behind "
	 "Last-Event-ID). `from` and `to`, which is not included, are a position, a time, a "
	 "time back from now like -1h, or so many events before the end like -20. On a log with "
	 "partitions they come merged by their append times, a count is one of each partition, "
	 "and a position reads its partition alone. Of events with the same `dedup` the first "
	 "within http.dedup counts. On Kafka some eight may read at a time: 503 beyond.",
	 "topic type subject from to limit cursor", NULL,
	 JSON " application/x-ndjson text/event-stream"},
	{"GET", "/v1/projections", "query", "The projections of the app.", "", NULL, JSON},
	{"GET", "/v1/projections/{name}", "query",
	 "Entries by key; with `watch` a stream of changes (SSE: reset, entry, gone, live). `at` "
	 "says where the lane stands: the last offset, or on a log with partitions "
	 "{\"events/3\": \"17\", \"system/3\": \"4\"}, the last one of each.",
	 RANGE, NULL, JSON " text/event-stream"},
	{"GET", "/v1/projections/{name}/{key}", "query",
	 "One entry, with an ETag; with `min-position` once that event is folded in, else 504.",
	 "min-position timeout watch", NULL, JSON " text/event-stream"},
	{"GET", "/v1/status", "query",
	 "Where all stands, by lane and partition, and under `attention` what stands still.", "",
	 NULL, JSON},
	{"GET", "/v1/rules", "query", "The rules of the app with their counters.", "limit cursor",
	 NULL, JSON},
	{"POST", "/v1/reload", "admin",
	 "Reads the app's folder again and puts it in the place of what runs, all or nothing, at a "
	 "batch boundary. 422 with `errors` (file, line, text) if the files have mistakes, 503 if "
	 "it can't be done now: what ran before still runs. A body is not needed.",
	 "", "{}", JSON},
	{"POST", "/v1/rules/explain", "query",
	 "For each rule and projection: does it match this event, or one of the log "
	 "(`position`), and if not, the first field that fails and what is nearly right. Guards "
	 "are asked on the views as they are now, and tell what they read; after a second the rest "
	 "is told as not asked. Those that match come first, then the nearest: `limit` of them "
	 "(100), or `all`.",
	 "", "{\"position\":\"events/0/17\",\"rule\":\"large-order\"}", JSON},
	{"GET", "/v1/dead", "query", "Dead letters: calls that failed for good.",
	 "function limit cursor", NULL, JSON},
	{"POST", "/v1/dead/retry", "admin",
	 "Sends dead letters again: `rows` by id, or up to 1000 of a `function`; `more` says that "
	 "there are further ones.",
	 "", "{\"function\":\"fraud-check\"}", JSON},
	{"POST", "/v1/dead/drop", "admin", "Drops dead letters, chosen in the same way.", "",
	 "{\"rows\":[\"LOG/events/0/17/large-order/fraud-check/0\"]}", JSON},
};
const size_t dal_operation_count = sizeof(dal_operations) / sizeof(dal_operations[0]);

static const struct {
	const char *name, *kind, *doc;
} parameters[] = {
	{"cursor", "string", "What the last page gave, unchanged."},
	{"from", "string", "The first key; of events a position, a time, or a count."},
	{"function", "string", "Only this function's."},
	{"limit", "integer", "1 to 1000, 100 by default."},
	{"min-position", "string",
	 "Waits until this event is folded in: events/0/17 (on the embedded log also 17)."},
	{"prefix", "string", "Only keys that begin like this."},
	{"subject", "string", "Only events with this subject."},
	{"timeout", "string", "For min-position: 5s by default, 60s at the most."},
	{"to", "string", "Behind the last key; of events a position, a time, or a count."},
	{"topic", "string", "Only this topic; events by default when appending."},
	{"type", "string", "Only events of this type."},
	{"watch", "boolean", "A stream: what is there, then each change."},
};

/* --- writing --- */

static void put(struct dal_json_writer *w, const char *key, const char *text)
{
	dal_json_key(w, key);
	dal_json_put_text(w, text);
}

static void put_parameter(struct dal_json_writer *w, struct dal_slice name, const char *in,
			  const char *kind, const char *doc)
{
	dal_json_begin_object(w);
	dal_json_key(w, "name");
	dal_json_put_slice(w, name);
	put(w, "in", in);
	dal_json_key(w, "required");
	dal_json_put_boolean(w, in[0] == 'p'); /* in the path */
	if (doc) {
		put(w, "description", doc);
	}
	dal_json_key(w, "schema");
	dal_json_begin_object(w);
	put(w, "type", kind);
	dal_json_end_object(w);
	dal_json_end_object(w);
}

/* Takes the next word of a list with spaces between; false at its end. */
static bool word_next(struct dal_slice *words, struct dal_slice *word)
{
	struct dal_slice rest;

	if (words->size == 0) {
		return false;
	}
	if (!dal_slice_cut(*words, ' ', word, &rest)) {
		*word = *words;
		rest = (struct dal_slice){0};
	}
	*words = rest;
	return true;
}

static void put_query_parameter(struct dal_json_writer *w, struct dal_slice name)
{
	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
		if (dal_slice_is(name, parameters[i].name)) {
			put_parameter(w, name, "query", parameters[i].kind, parameters[i].doc);
		}
	}
}

static void put_parameters(struct dal_json_writer *w, const struct dal_operation *operation)
{
	struct dal_slice path = dal_slice_text(operation->path), before, name, rest;
	struct dal_slice words = dal_slice_text(operation->parameters);

	dal_json_key(w, "parameters");
	dal_json_begin_array(w);
	while (dal_slice_cut(path, '{', &before, &rest) && dal_slice_cut(rest, '}', &name, &path)) {
		put_parameter(w, name, "path", "string", NULL);
	}
	while (word_next(&words, &name)) {
		put_query_parameter(w, name);
	}
	dal_json_end_array(w);
}

static void put_body(struct dal_json_writer *w, const char *example)
{
	dal_json_key(w, "requestBody");
	dal_json_begin_object(w);
	dal_json_key(w, "required");
	dal_json_put_boolean(w, true);
	dal_json_key(w, "content");
	dal_json_begin_object(w);
	dal_json_key(w, JSON);
	dal_json_begin_object(w);
	dal_json_key(w, "example");
	dal_json_put_raw(w, dal_slice_text(example));
	dal_json_end_object(w);
	dal_json_end_object(w);
	dal_json_end_object(w);
}

static void put_response(struct dal_json_writer *w, const char *status, const char *doc,
			 const char *types)
{
	struct dal_slice words = dal_slice_text(types), type;

	dal_json_key(w, status);
	dal_json_begin_object(w);
	put(w, "description", doc);
	dal_json_key(w, "content");
	dal_json_begin_object(w);
	while (word_next(&words, &type)) {
		dal_json_key_slice(w, type);
		dal_json_begin_object(w);
		dal_json_end_object(w);
	}
	dal_json_end_object(w);
	dal_json_end_object(w);
}

static void put_security(struct dal_json_writer *w, const char *scope)
{
	dal_json_key(w, "security");
	dal_json_begin_array(w);
	if (scope) {
		dal_json_begin_object(w);
		dal_json_key(w, "token");
		dal_json_begin_array(w);
		dal_json_put_text(w, scope);
		dal_json_end_array(w);
		dal_json_end_object(w);
	}
	dal_json_end_array(w);
}

static void put_operation(struct dal_json_writer *w, const struct dal_operation *operation)
{
	dal_json_key(w, operation->method[0] == 'G' ? "get" : "post");
	dal_json_begin_object(w);
	put(w, "summary", operation->summary);
	put_security(w, operation->scope);
	put_parameters(w, operation);
	if (operation->body) {
		put_body(w, operation->body);
	}
	dal_json_key(w, "responses");
	dal_json_begin_object(w);
	put_response(w, "200", "Done.", operation->answers);
	put_response(w, "default", "An error, with a remedy (RFC 9457).",
		     "application/problem+json");
	dal_json_end_object(w);
	dal_json_end_object(w);
}

/* All methods of a path stand together, where its first one is in the table. */
static bool is_first(size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (strcmp(dal_operations[i].path, dal_operations[index].path) == 0) {
			return false;
		}
	}
	return true;
}

static void put_paths(struct dal_json_writer *w)
{
	dal_json_key(w, "paths");
	dal_json_begin_object(w);
	for (size_t i = 0; i < dal_operation_count; i++) {
		if (!is_first(i)) {
			continue;
		}
		dal_json_key(w, dal_operations[i].path);
		dal_json_begin_object(w);
		for (size_t k = i; k < dal_operation_count; k++) {
			if (strcmp(dal_operations[k].path, dal_operations[i].path) == 0) {
				put_operation(w, &dal_operations[k]);
			}
		}
		dal_json_end_object(w);
	}
	dal_json_end_object(w);
}

static void get_openapi(struct dal_http_request *request, void *data)
{
	static const char security[] =
		"{\"securitySchemes\":{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\"}}}";
	struct dal_buffer body = {0};
	struct dal_json_writer w = {.out = &body};

	(void)data;
	dal_json_begin_object(&w);
	put(&w, "openapi", "3.1.0");
	dal_json_key(&w, "info");
	dal_json_begin_object(&w);
	put(&w, "title", "dalamb");
	put(&w, "version", "1");
	dal_json_end_object(&w);
	dal_json_key(&w, "components");
	dal_json_put_raw(&w, dal_slice_text(security));
	put_paths(&w);
	dal_json_end_object(&w);
	dal_api_reply(request, &body);
}

static const struct dal_http_route routes[] = {
	{"GET", "/openapi.json", DAL_HTTP_OPEN, 0, get_openapi, NULL},
};

const struct dal_api_routes dal_api_openapi = DAL_API_ROUTES(routes);
