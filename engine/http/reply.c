/* Answers: kept in the request by whoever replies, sent by the pool's thread. */
#include "engine/http/internal.h"

#include <stdio.h>

#include "engine/base/clock.h"
#include "engine/base/metrics.h"

#define KEEP_BYTES (256 * DAL_KIB)

void reply_deinit(struct reply *reply)
{
	dal_buffer_deinit(&reply->type);
	dal_buffer_deinit(&reply->headers);
	dal_buffer_deinit(&reply->body);
}

void reply_reset(struct reply *reply)
{
	if (reply->body.capacity > KEEP_BYTES) {
		dal_buffer_deinit(&reply->body);
		reply->body = (struct dal_buffer){0};
	}
	dal_buffer_clear(&reply->type);
	dal_buffer_clear(&reply->headers);
	dal_buffer_clear(&reply->body);
	reply->status = 0;
}

void reply_keep_head(struct dal_http_request *request, int status, const char *type,
		     const struct dal_http_header_line *headers)
{
	struct reply *reply = &request->reply;

	DAL_ASSERT(reply->status == 0); /* one answer a request */
	reply->status = status;
	if (type != NULL) {
		dal_buffer_append(&reply->type, type, strlen(type) + 1);
	}
	for (; headers != NULL && headers->name != NULL; headers++) {
		dal_buffer_append(&reply->headers, headers->name, strlen(headers->name) + 1);
		dal_buffer_append(&reply->headers, headers->value, strlen(headers->value) + 1);
	}
}

void dal_http_reply(struct dal_http_request *request, int status, const char *type,
		    const struct dal_http_header_line *headers, struct dal_slice body)
{
	reply_keep_head(request, status, type, headers);
	dal_buffer_slice_append(&request->reply.body, body);
	gate_wake(&request->gate, GATE_REPLIED, request->mhd);
}

void dal_http_reply_take(struct dal_http_request *request, int status, const char *type,
			 const struct dal_http_header_line *headers, struct dal_buffer *body)
{
	reply_keep_head(request, status, type, headers);
	dal_buffer_deinit(&request->reply.body);
	request->reply.body = *body;
	*body = (struct dal_buffer){0};
	gate_wake(&request->gate, GATE_REPLIED, request->mhd);
}

/* A JSON string; bytes that are no valid UTF-8 are shown as "?", they may come from a request. */
static size_t utf8_size(const unsigned char *at, size_t left)
{
	unsigned char c = at[0];
	size_t size = c < 0x80                ? 1
		      : c >= 0xc2 && c < 0xe0 ? 2
		      : c >= 0xe0 && c < 0xf0 ? 3
		      : c >= 0xf0 && c < 0xf5 ? 4
					      : 0;

	if (size == 0 || size > left) {
		return 0;
	}
	for (size_t i = 1; i < size; i++) {
		if ((at[i] & 0xc0) != 0x80) {
			return 0;
		}
	}
	bool overlong = (c == 0xe0 && at[1] < 0xa0) || (c == 0xf0 && at[1] < 0x90);
	bool beyond = (c == 0xed && at[1] >= 0xa0) || (c == 0xf4 && at[1] >= 0x90);
	return overlong || beyond ? 0 : size;
}

static void write_string(struct dal_slice text, struct dal_buffer *out)
{
	dal_buffer_byte(out, '"');
	for (size_t i = 0; i < text.size;) {
		unsigned char c = (unsigned char)text.data[i];
		size_t size = utf8_size((const unsigned char *)text.data + i, text.size - i);
		if (c == '"' || c == '\\') {
			dal_buffer_byte(out, '\\');
			dal_buffer_byte(out, (char)c);
		} else if (c < 0x20 || c == 0x7f) {
			dal_buffer_printf(out, "\\u%04x", c);
		} else if (size == 0) {
			dal_buffer_byte(out, '?');
		} else {
			dal_buffer_append(out, text.data + i, size);
		}
		i += size ? size : 1;
	}
	dal_buffer_byte(out, '"');
}

void reply_problem_text(int status, const char *detail, const char *more, struct dal_buffer *out)
{
	dal_buffer_text(out, "{\"type\":\"about:blank\",\"title\":");
	write_string(dal_slice_text(MHD_get_reason_phrase_for((unsigned)status)), out);
	dal_buffer_printf(out, ",\"status\":%d,\"detail\":", status);
	write_string(dal_slice_text(detail), out);
	if (more != NULL) {
		dal_buffer_byte(out, ',');
		dal_buffer_text(out, more);
	}
	dal_buffer_text(out, "}\n");
}

void dal_http_problem_with(struct dal_http_request *request, int status, const char *detail,
			   const char *more)
{
	static const struct dal_http_header_line later[] = {{"Retry-After", "1"}, {NULL, NULL}};
	struct dal_buffer body = {0};

	reply_problem_text(status, detail, more, &body);
	dal_http_reply_take(request, status, "application/problem+json",
			    status == 429 || status == 503 ? later : NULL, &body);
}

void dal_http_problem(struct dal_http_request *request, int status, const char *format, ...)
{
	struct dal_buffer detail = {0};
	va_list args;

	va_start(args, format);
	dal_buffer_vprintf(&detail, format, args);
	va_end(args);
	dal_http_problem_with(request, status, dal_buffer_cstr(&detail), NULL);
	dal_buffer_deinit(&detail);
}

static struct dal_metric *answered[6];
static pthread_once_t metrics_once = PTHREAD_ONCE_INIT;

static void metrics_register(void)
{
	for (int i = 1; i < 6; i++) {
		char label[32];
		snprintf(label, sizeof(label), "code=\"%dxx\"", i);
		answered[i] = dal_metric_counter("dalamb_http_answers_total",
						 "HTTP requests answered, by class of status.",
						 label);
	}
}

static void count_answer(int status)
{
	pthread_once(&metrics_once, metrics_register);
	if (status >= 100 && status < 600) {
		dal_metric_add(answered[status / 100], 1);
	}
}

static void add_lines(struct MHD_Response *response, const struct dal_buffer *headers)
{
	for (size_t at = 0; at < headers->size;) {
		const char *name = headers->data + at, *value = name + strlen(name) + 1;
		MHD_add_response_header(response, name, value);
		at += strlen(name) + 1 + strlen(value) + 1;
	}
}

static void add_headers(struct MHD_Response *response, const struct dal_http_request *request)
{
	if (request->reply.type.size > 0) {
		MHD_add_response_header(response, "Content-Type", request->reply.type.data);
	}
	add_lines(response, &request->reply.headers);
	if (request->close || atomic_load(&request->connection->server->stopping)) {
		MHD_add_response_header(response, "Connection", "close");
	}
}

enum MHD_Result reply_queue(struct dal_http_request *request)
{
	struct reply *reply = &request->reply;
	struct MHD_Response *response = request->stream
						? stream_response(request->stream)
						: MHD_create_response_from_buffer(
							  reply->body.size, reply->body.data,
							  MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result;

	if (response == NULL) {
		return MHD_NO;
	}
	count_answer(reply->status);
	add_headers(response, request);
	result = MHD_queue_response(request->mhd, (unsigned)reply->status, response);
	MHD_destroy_response(response);
	return result;
}

static void head_text(struct dal_http_request *request, struct dal_buffer *out)
{
	const struct dal_buffer *headers = &request->reply.headers;

	if (request->reply.type.size > 0) {
		dal_buffer_printf(out, "Content-Type: %s\r\n", request->reply.type.data);
	}
	for (size_t at = 0; at < headers->size;) {
		const char *name = headers->data + at, *value = name + strlen(name) + 1;
		dal_buffer_printf(out, "%s: %s\r\n", name, value);
		at += strlen(name) + 1 + strlen(value) + 1;
	}
}

/*
 * The request has been replied to before its body was read. libmicrohttpd answers only before the
 * body or after it, and closes the socket with the rest unread, which makes the kernel reset the
 * connection and the client lose the answer. So: a short body is read and dropped, and the
 * connection kept; a client that waits for "100 Continue" has sent none, and is answered at once;
 * for all others the answer goes out past libmicrohttpd, and what still comes is dropped for a
 * while.
 */
void reply_send_early(struct dal_http_request *request)
{
	struct connection *connection = request->connection;
	int reading = PHASE_READING;
	struct dal_buffer head = {0};

	if (!request->has_body) {
		return;
	}
	if (request->received == 0 && request->has_expect) {
		if (request_stop_reading(request)) {
			reply_queue(request);
		}
		return;
	}
	if (!request->close && request->expected > 0 &&
	    request->expected <= DAL_HTTP_SWALLOW_BYTES) {
		request->discard = true;
		return;
	}
	if (!atomic_compare_exchange_strong(&connection->phase, &reading, PHASE_LINGER)) {
		return;
	}
	count_answer(request->reply.status);
	head_text(request, &head);
	atomic_store(&connection->deadline_us, dal_clock_monotonic_us() + DAL_HTTP_LINGER_US);
	connection_send_last(connection, request->reply.status, dal_buffer_slice(&head),
			     dal_buffer_slice(&request->reply.body));
	dal_buffer_deinit(&head);
}
