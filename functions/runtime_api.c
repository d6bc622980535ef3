/*
 * The AWS Lambda Runtime API, version 2018-06-01: how a program asks for work and answers it.
 *
 * Each instance has a listening socket of its own, so the socket says who speaks: the tag is the
 * instance's number, looked up again in each request. Bodies are gathered here and not by the
 * server, so that a result that is too large ends its invocation, and not only its request.
 */
#include <stdio.h>

#include "engine/base/digest.h"
#include "engine/base/memory.h"
#include "engine/event/json.h"
#include "engine/event/json_write.h"
#include "functions/pool.h"

#define API "/2018-06-01/runtime"
#define ERROR_TYPE "Lambda-Runtime-Function-Error-Type"
#define ERROR_BODY "Lambda-Runtime-Function-Error-Body"

enum { ACCEPTED = 202, BAD = 400, FORBIDDEN = 403, GONE = 410, TOO_LARGE = 413 };

static void reply_error(struct dal_http_request *request, int status, const char *type,
			const char *message)
{
	struct dal_buffer body = {0};
	struct dal_json_writer writer = {.out = &body};
	dal_json_begin_object(&writer);
	dal_json_key(&writer, "errorMessage");
	dal_json_put_text(&writer, message);
	dal_json_key(&writer, "errorType");
	dal_json_put_text(&writer, type);
	dal_json_end_object(&writer);
	dal_http_reply_take(request, status, "application/json", NULL, &body);
	dal_buffer_deinit(&body);
}

static void reply_accepted(struct dal_http_request *request)
{
	dal_http_reply(request, ACCEPTED, "application/json", NULL,
		       dal_slice_text("{\"status\":\"OK\"}\n"));
}

void dal_runtime_api_dismiss(struct dal_http_request *asking)
{
	reply_error(asking, GONE, "Runtime.Stopping", "this instance is being stopped");
}

static struct dal_instance *speaker(struct dal_functions *pool,
				    const struct dal_http_request *request)
{
	return dal_instance_find(pool, *(const uint64_t *)dal_http_tag(request));
}

/* --- next --- */

/* traceparent (W3C) as X-Ray writes the same: Root=1-8-24;Parent=16;Sampled=1. False if it is none.
 */
static bool write_trace(struct dal_slice trace, char out[80])
{
	const char *t = trace.data;
	if (trace.size != 55 || t[2] != '-' || t[35] != '-' || t[52] != '-') {
		return false;
	}
	(void)snprintf(out, 80, "Root=1-%.8s-%.24s;Parent=%.16s;Sampled=%d", t + 3, t + 11, t + 36,
		       (t[54] & 1) != 0);
	return true;
}

/* A header is one line. */
static char *header_text(struct dal_slice text)
{
	char *copy = dal_slice_dup(text);
	for (char *at = copy; *at; at++) {
		if ((unsigned char)*at < ' ') {
			*at = ' ';
		}
	}
	return copy;
}

void dal_runtime_api_give(struct dal_instance *instance, const struct dal_invocation *invocation)
{
	const struct dal_function *function = instance->revision->function;
	char deadline[32], trace[80], *context = header_text(invocation->client_context);
	char *arn = dal_asprintf("arn:aws:lambda:local:000000000000:function:%s", function->name);
	struct dal_http_header_line headers[7] = {
		{"Lambda-Runtime-Aws-Request-Id", instance->request},
		{"Lambda-Runtime-Deadline-Ms", deadline},
		{"Lambda-Runtime-Invoked-Function-Arn", arn},
		{"Lambda-Runtime-Invocation-Id", instance->nonce},
	};
	size_t count = 4;
	(void)snprintf(deadline, sizeof(deadline), "%lld",
		       (long long)((invocation->started_us + function->timeout_us) / 1000));
	if (write_trace(invocation->trace, trace)) {
		headers[count++] = (struct dal_http_header_line){"Lambda-Runtime-Trace-Id", trace};
	}
	if (context[0] != '\0') {
		headers[count++] = (struct dal_http_header_line){"Lambda-Runtime-Client-Context",
								 context};
	}
	dal_http_reply(instance->asking, 200, "application/json", headers, invocation->payload);
	free(context);
	free(arn);
}

static void handle_next(struct dal_http_request *request, void *data)
{
	struct dal_functions *pool = data;
	(void)pthread_mutex_lock(&pool->lock);
	struct dal_instance *instance = speaker(pool, request);
	if (!instance || instance->state == DAL_INSTANCE_STOPPING) {
		dal_runtime_api_dismiss(request);
	} else if (instance->state == DAL_INSTANCE_BUSY) {
		reply_error(request, FORBIDDEN, "InvalidStateTransition",
			    "answer the invocation that you have before you ask for the next");
	} else {
		if (instance->asking) { /* its client gave up on that one and asks again */
			reply_error(instance->asking, FORBIDDEN, "InvalidStateTransition",
				    "there is a newer request for the next invocation");
		}
		instance->asking = request;
		dal_instance_idle(pool, instance);
	}
	(void)pthread_mutex_unlock(&pool->lock);
}

/* --- bodies --- */

struct upload {
	struct dal_buffer body;
	bool over; /* the limit; the rest is read and dropped */
};

static void release_upload(void *own)
{
	struct upload *upload = own;
	dal_buffer_deinit(&upload->body);
	free(upload);
}

/* The upload when it is whole; NULL while pieces come. */
static struct upload *gather(struct dal_http_request *request, struct dal_slice piece)
{
	struct upload *upload = dal_http_attached(request);
	if (!upload) {
		upload = dal_calloc(1, sizeof(*upload));
		dal_http_attach(request, upload, release_upload);
	}
	if (piece.size == 0) {
		return upload;
	}
	if (upload->body.size + piece.size > DAL_LIMIT_RESULT_BYTES) {
		upload->over = true;
		dal_buffer_deinit(&upload->body);
		upload->body = (struct dal_buffer){0};
	} else if (!upload->over) {
		dal_buffer_slice_append(&upload->body, piece);
	}
	return NULL;
}

/* --- errors that programs report --- */

static void append_start(struct dal_slice text, size_t most, struct dal_buffer *out)
{
	dal_buffer_append(out, text.data, text.size < most ? text.size : most);
}

static void take_member(const struct dal_json *json, const char *name, size_t most,
			struct dal_buffer *out)
{
	uint32_t node = dal_json_find(json, DAL_JSON_ROOT, dal_slice_text(name));
	if (node != DAL_JSON_NONE && dal_json_kind(json, node) == DAL_JSON_STRING) {
		append_start(dal_json_string(json, node), most, out);
	}
}

/* Node calls the stack trace `trace`, the others `stackTrace`. */
static void take_trace(const struct dal_json *json, const char *name, struct dal_buffer *out)
{
	uint32_t node = dal_json_find(json, DAL_JSON_ROOT, dal_slice_text(name));
	if (out->size == 0 && node != DAL_JSON_NONE &&
	    dal_json_kind(json, node) == DAL_JSON_ARRAY &&
	    dal_json_raw(json, node).size <= DAL_LIMIT_ERROR_TRACE_BYTES) {
		dal_buffer_slice_append(out, dal_json_raw(json, node));
	}
}

/*
 * {"errorMessage", "errorType", "stackTrace"}; what is no such document is a message. `type` is for
 * one that names none.
 */
static void read_error(struct dal_slice body, struct dal_slice type, struct dal_answer *answer)
{
	struct dal_json *json = dal_json_new();
	if (dal_json_parse(json, body, 0, NULL) == 0 &&
	    dal_json_kind(json, DAL_JSON_ROOT) == DAL_JSON_OBJECT) {
		take_member(json, "errorType", DAL_LIMIT_ERROR_TYPE_BYTES, &answer->type);
		take_member(json, "errorMessage", DAL_LIMIT_ERROR_MESSAGE_BYTES, &answer->message);
		take_trace(json, "stackTrace", &answer->trace);
		take_trace(json, "trace", &answer->trace);
	} else {
		append_start(body, DAL_LIMIT_ERROR_MESSAGE_BYTES, &answer->message);
	}
	if (answer->type.size == 0) {
		append_start(type, DAL_LIMIT_ERROR_TYPE_BYTES, &answer->type);
	}
	dal_json_free(json);
}

static void read_posted_error(struct dal_http_request *request, const struct upload *upload,
			      struct dal_answer *answer)
{
	struct dal_slice type = {0};
	(void)dal_http_header(request, ERROR_TYPE, &type);
	read_error(dal_buffer_slice(&upload->body), type, answer);
}

/*
 * A streamed result that failed half-way says so in trailers: the type, and the document in base64.
 * False: there are none, the result is whole.
 */
static bool read_streamed_error(struct dal_http_request *request, struct dal_answer *answer)
{
	struct dal_slice type = {0}, encoded = {0};
	struct dal_buffer body = {0};
	(void)dal_http_trailer(request, ERROR_TYPE, &type);
	(void)dal_http_trailer(request, ERROR_BODY, &encoded);
	if (type.size == 0 && encoded.size == 0) {
		return false;
	}
	if (!dal_base64_decode(encoded, &body)) {
		dal_buffer_clear(&body);
		dal_buffer_text(&body, "the result ended with an error, whose text is no base64");
	}
	read_error(dal_buffer_slice(&body), type, answer);
	dal_buffer_deinit(&body);
	return true;
}

/* --- response and error --- */

/* May this instance answer this invocation now? If not, it has been told why. */
static bool may_answer(const struct dal_instance *instance, struct dal_http_request *request)
{
	struct dal_slice nonce, id = dal_http_parameter(request, "id");
	if (!instance || !dal_slice_is(id, instance->request)) {
		reply_error(request, BAD, "InvalidRequestID",
			    "this instance was not given an invocation with that id");
	} else if (dal_http_header(request, "Lambda-Runtime-Invocation-Id", &nonce) &&
		   !dal_slice_is(nonce, instance->nonce)) {
		reply_error(request, GONE, "InvalidInvocationID",
			    "that was an earlier try of the same invocation");
	} else if (instance->state == DAL_INSTANCE_STOPPING) {
		reply_error(request, GONE, "Sandbox.Timedout",
			    "the deadline of the invocation has passed");
	} else if (instance->state != DAL_INSTANCE_BUSY) {
		reply_error(request, FORBIDDEN, "InvalidStateTransition",
			    "the invocation has been answered already");
	} else {
		return true;
	}
	return false;
}

static void answer_take(struct dal_functions *pool, struct dal_http_request *request,
			struct upload *upload, struct dal_answer *answer)
{
	bool over = upload->over;
	(void)pthread_mutex_lock(&pool->lock);
	struct dal_instance *instance = speaker(pool, request);
	if (may_answer(instance, request)) {
		if (over) {
			reply_error(request, TOO_LARGE, "RequestEntityTooLarge",
				    "a result may have 6291456 bytes");
		} else {
			reply_accepted(request);
		}
		dal_instance_answer_take(pool, instance, answer);
	}
	(void)pthread_mutex_unlock(&pool->lock);
	dal_answer_deinit(answer);
}

static int take_response(struct dal_http_request *request, struct dal_slice piece, void *data)
{
	struct upload *upload = gather(request, piece);
	if (upload) {
		struct dal_answer answer = {.outcome = DAL_INVOKE_SUCCEEDED};
		if (upload->over) {
			answer.outcome = DAL_INVOKE_TOO_LARGE;
			dal_buffer_text(&answer.type, "Function.ResponseSizeTooLarge");
			dal_buffer_printf(&answer.message, "the result has more than %llu bytes",
					  DAL_LIMIT_RESULT_BYTES);
		} else if (read_streamed_error(request, &answer)) {
			answer.outcome = DAL_INVOKE_FAILED;
		} else {
			answer.result = upload->body;
			upload->body = (struct dal_buffer){0};
		}
		answer_take(data, request, upload, &answer);
	}
	return 0;
}

static int take_error(struct dal_http_request *request, struct dal_slice piece, void *data)
{
	struct upload *upload = gather(request, piece);
	if (upload) {
		struct dal_answer answer = {.outcome = DAL_INVOKE_FAILED};
		read_posted_error(request, upload, &answer);
		answer_take(data, request, upload, &answer);
	}
	return 0;
}

static int take_init_error(struct dal_http_request *request, struct dal_slice piece, void *data)
{
	struct dal_functions *pool = data;
	struct upload *upload = gather(request, piece);
	if (!upload) {
		return 0;
	}
	struct dal_answer answer = {0};
	read_posted_error(request, upload, &answer);
	(void)pthread_mutex_lock(&pool->lock);
	struct dal_instance *instance = speaker(pool, request);
	if (!instance || instance->state != DAL_INSTANCE_STARTING) {
		reply_error(request, FORBIDDEN, "InvalidStateTransition", "the init is over");
	} else {
		reply_accepted(request);
		instance->refusal = answer;
		answer = (struct dal_answer){0};
		dal_instance_stop(pool, instance, false);
	}
	(void)pthread_mutex_unlock(&pool->lock);
	dal_answer_deinit(&answer);
	return 0;
}

static const struct dal_http_route routes[] = {
	{"GET", API "/invocation/next", DAL_HTTP_OPEN, 0, handle_next, NULL},
	{"POST", API "/invocation/{id}/response", DAL_HTTP_OPEN, UINT64_MAX, NULL, take_response},
	{"POST", API "/invocation/{id}/error", DAL_HTTP_OPEN, UINT64_MAX, NULL, take_error},
	{"POST", API "/init/error", DAL_HTTP_OPEN, UINT64_MAX, NULL, take_init_error},
};

int dal_runtime_api_start(struct dal_functions *pool, struct dal_error *error)
{
	/* Programs compute between their requests, and upload as they can: `timeout` is their
	 * limit. */
	struct dal_http_options options = {.descriptor = -1,
					   .trusted = true,
					   .read_timeout_ms = UINT64_MAX,
					   .idle_timeout_ms = UINT64_MAX};
	int result = dal_http_server_new(&options, &pool->server, error);
	if (result == 0) {
		result = dal_http_server_add(pool->server, routes,
					     sizeof(routes) / sizeof(routes[0]), pool, error);
	}
	return result == 0 ? dal_http_server_start(pool->server, error) : result;
}
