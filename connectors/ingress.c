/* The routes of /v1/events, and what the head of a request says its body is. */
#include "connectors/ingress_private.h"

#include <errno.h>

#include "engine/base/memory.h"

#define PATH "/v1/events"
#define ACCEPTED                                                                                   \
	"application/cloudevents+json, application/cloudevents-batch+json or "                     \
	"application/x-ndjson; or any type, with the attributes as ce- headers"

/* --- the head --- */

static struct dal_slice header(const struct dal_http_request *request, const char *name)
{
	struct dal_slice value = {0};

	dal_http_header(request, name, &value);
	return dal_slice_trim(value);
}

/* A batch before a single event: one media type begins with the other's name. */
static bool choose_mode(struct dal_http_request *request, enum dal_post_mode *mode)
{
	struct dal_media media = dal_media_read(header(request, "content-type"));
	struct dal_slice version;

	if (dal_media_is(&media, "application/cloudevents-batch+json")) {
		*mode = DAL_POST_BATCH;
	} else if (dal_media_is(&media, "application/cloudevents+json")) {
		*mode = DAL_POST_STRUCTURED;
	} else if (dal_media_is(&media, "application/x-ndjson") ||
		   dal_media_is(&media, "application/ndjson")) {
		*mode = DAL_POST_NDJSON;
	} else if (media.type.size >= 23 &&
		   dal_slice_equal_nocase(dal_slice(media.type.data, 23),
					  dal_slice_text("application/cloudevents"))) {
		dal_http_problem(request, 415, "\"%.*s\" is not understood: send %s",
				 (int)media.type.size, media.type.data, ACCEPTED);
		return false;
	} else if (dal_http_header(request, "ce-specversion", &version)) {
		*mode = DAL_POST_BINARY;
	} else if (dal_media_is(&media, "application/json")) {
		*mode = DAL_POST_JSON;
	} else {
		dal_http_problem(request, 415, "%s: send %s",
				 media.type.size ? "this Content-Type is no event without a "
						   "ce-specversion header"
						 : "no Content-Type and no ce-specversion header",
				 ACCEPTED);
		return false;
	}
	/* Of binary mode's other types the bytes are kept as they are. */
	if (!dal_media_is_utf8(&media) && (*mode != DAL_POST_BINARY || dal_media_is_json(&media))) {
		dal_http_problem(request, 415, "charset \"%.*s\": JSON is sent as UTF-8",
				 (int)media.charset.size, media.charset.data);
		return false;
	}
	return true;
}

static bool check_encoding(struct dal_http_request *request)
{
	struct dal_slice encoding = header(request, "content-encoding");

	if (encoding.size == 0 || dal_slice_equal_nocase(encoding, dal_slice_text("identity"))) {
		return true;
	}
	dal_http_problem(request, 415, "Content-Encoding \"%.*s\": send the body uncompressed",
			 (int)encoding.size, encoding.data);
	return false;
}

static bool choose_topic(struct dal_ingress *ingress, struct dal_http_request *request,
			 struct dal_slice *topic)
{
	const struct dal_sink *sink = &ingress->sink;

	*topic = dal_slice_text(DAL_TOPIC_EVENTS);
	if (!dal_http_query(request, "topic", topic)) {
		return true;
	}
	if (dal_slice_is(*topic, DAL_TOPIC_SYSTEM)) {
		dal_http_problem(request, 400,
				 "topic \"" DAL_TOPIC_SYSTEM
				 "\" belongs to dalamb: send to another, or leave ?topic= out");
		return false;
	}
	if (!sink->has_topic(sink->own, *topic)) {
		dal_http_problem(
			request, 400,
			"topic \"%.*s\" is not declared: name it in log { topics = { ... } } "
			"of dalamb.lua, or leave ?topic= out",
			(int)(topic->size < DAL_LIMIT_NAME_BYTES ? topic->size
								 : DAL_LIMIT_NAME_BYTES),
			topic->data);
		return false;
	}
	return true;
}

static bool choose_key(struct dal_http_request *request, struct dal_slice *key)
{
	struct dal_slice value;

	*key = dal_slice(NULL, 0);
	if (!dal_http_header(request, "idempotency-key", &value)) {
		return true;
	}
	*key = dal_slice_trim(value);
	if (key->size == 0 || key->size > DAL_INGRESS_KEY_BYTES) {
		dal_http_problem(request, 400, "Idempotency-Key: expected 1 to %d bytes",
				 DAL_INGRESS_KEY_BYTES);
		return false;
	}
	return true;
}

/* --- the body --- */

static void post_release(void *own)
{
	struct dal_post *post = own;

	if (post->ndjson != NULL) {
		dal_ndjson_release(post->ndjson);
	}
	dal_gather_release(&post->ingress->gatherer, &post->gathered);
	dal_buffer_deinit(&post->event);
	dal_buffer_deinit(&post->dedup);
	free(post->many);
	free(post);
}

static struct dal_post *post_new(struct dal_ingress *ingress, struct dal_http_request *request)
{
	struct dal_slice topic, key;
	enum dal_post_mode mode;

	if (!check_encoding(request) || !choose_mode(request, &mode) ||
	    !choose_topic(ingress, request, &topic) || !choose_key(request, &key)) {
		return NULL;
	}
	struct dal_post *post = dal_calloc(1, sizeof(*post));
	*post = (struct dal_post){
		.ingress = ingress,
		.request = request,
		.mode = mode,
		.topic = topic,
		.idempotency_key = key,
	};
	dal_http_attach(request, post, post_release);
	if (mode == DAL_POST_NDJSON) {
		post->ndjson = dal_ndjson_new(ingress, request, topic, key);
	} else if (!dal_gather_begin(&ingress->gatherer, &post->gathered, request)) {
		return NULL;
	}
	return post;
}

static void post_finish(struct dal_post *post)
{
	struct dal_slice text = dal_post_text(post);

	switch (post->mode) {
	case DAL_POST_NDJSON:
		dal_ndjson_end(post->ndjson);
		break;
	case DAL_POST_BINARY:
		dal_post_binary(post);
		break;
	case DAL_POST_BATCH:
		dal_post_batch(post);
		break;
	case DAL_POST_STRUCTURED:
		dal_post_structured(post);
		break;
	case DAL_POST_JSON:
		if (text.size > 0 && text.data[0] == '[') {
			dal_post_batch(post);
		} else {
			dal_post_structured(post);
		}
		break;
	}
}

static int refused(const struct dal_ingress *ingress)
{
	dal_metric_add(ingress->counts.refused, 1);
	return -EINVAL;
}

static int on_post(struct dal_http_request *request, struct dal_slice piece, void *data)
{
	struct dal_ingress *ingress = data;
	struct dal_post *post = dal_http_attached(request);

	if (post == NULL) {
		post = post_new(ingress, request);
	}
	if (post == NULL) {
		return refused(ingress);
	}
	if (piece.size == 0) {
		post_finish(post);
		return 0;
	}
	if (post->mode == DAL_POST_NDJSON) {
		return dal_ndjson_take(post->ndjson, piece);
	}
	return dal_gather_take(&ingress->gatherer, &post->gathered, request, piece)
		       ? 0
		       : refused(ingress);
}

/*
 * The handshake of "HTTP 1.1 Web Hooks for Event Delivery", section 4. Permission is always given
 * in the answer: a callback's address comes from outside, and is never called.
 */
static void on_options(struct dal_http_request *request, void *data)
{
	struct dal_slice origin = header(request, "webhook-request-origin");
	char *name = dal_slice_dup(origin);
	struct dal_http_header_line lines[] = {
		{"Allow", "POST, OPTIONS"},
		{origin.size ? "WebHook-Allowed-Origin" : NULL, name},
		{"WebHook-Allowed-Rate", "*"},
		{NULL, NULL},
	};

	(void)data;
	dal_http_reply(request, 200, NULL, lines, dal_slice(NULL, 0));
	free(name);
}

static const struct dal_http_route routes[] = {
	{"POST", PATH, DAL_HTTP_INGEST, UINT64_MAX, NULL, on_post},
	{"OPTIONS", PATH, DAL_HTTP_OPEN, 0, on_options, NULL},
};

/* --- life --- */

struct dal_ingress *dal_ingress_new(const struct dal_ingress_options *options)
{
	struct dal_ingress *ingress = dal_calloc(1, sizeof(*ingress));

	ingress->sink = options->sink;
	ingress->event_bytes = options->event_bytes ? options->event_bytes : DAL_LIMIT_EVENT_BYTES;
	ingress->gatherer.body_bytes = options->body_bytes ? options->body_bytes
							   : DAL_LIMIT_BODY_BYTES;
	ingress->gatherer.held_bytes = options->held_bytes ? options->held_bytes : DAL_GATHER_BYTES;
	ingress->gatherer.too_large = " (limits.body): send fewer events at once, or "
				      "application/x-ndjson, which may have any length";
	dal_counts_init(&ingress->counts, "http");
	pthread_mutex_init(&ingress->lock, NULL);
	dal_pacer_start(ingress);
	return ingress;
}

void dal_ingress_free(struct dal_ingress *ingress)
{
	if (ingress == NULL) {
		return;
	}
	dal_pacer_stop(ingress);
	for (size_t i = 0; i < ingress->parser_count; i++) {
		dal_json_free(ingress->parsers[i]);
	}
	pthread_mutex_destroy(&ingress->lock);
	free(ingress);
}

int dal_ingress_routes(struct dal_ingress *ingress, struct dal_http_server *server,
		       struct dal_error *error)
{
	return dal_http_server_add(server, routes, sizeof(routes) / sizeof(*routes), ingress,
				   error);
}

struct dal_json *dal_ingress_parser(struct dal_ingress *ingress)
{
	struct dal_json *json = NULL;

	pthread_mutex_lock(&ingress->lock);
	if (ingress->parser_count > 0) {
		json = ingress->parsers[--ingress->parser_count];
	}
	pthread_mutex_unlock(&ingress->lock);
	return json != NULL ? json : dal_json_new();
}

void dal_ingress_parser_done(struct dal_ingress *ingress, struct dal_json *json)
{
	pthread_mutex_lock(&ingress->lock);
	if (ingress->parser_count < DAL_INGRESS_PARSERS) {
		ingress->parsers[ingress->parser_count++] = json;
		json = NULL;
	}
	pthread_mutex_unlock(&ingress->lock);
	dal_json_free(json);
}
