/*
 * A request as libmicrohttpd brings it: line, headers, pieces of the body, end; and what a handler
 * may ask of it.
 *
 * libmicrohttpd calls `request_handle` once when the headers are there, then for each piece of the
 * body, then once more when the request is whole, and again whenever a suspended connection wakes.
 */
#include "engine/http/internal.h"

#include <poll.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"

#define KEEP_BYTES (256 * DAL_KIB) /* of memory kept for the connection's next request */

static void reuse(struct dal_buffer *buffer)
{
	if (buffer->capacity > KEEP_BYTES) {
		dal_buffer_deinit(buffer);
		*buffer = (struct dal_buffer){0};
	}
	dal_buffer_clear(buffer);
}

static void reset(struct dal_http_request *request)
{
	atomic_store(&request->gate.state, 0);
	reuse(&request->raw);
	reuse(&request->decoded);
	reuse(&request->body);
	reply_reset(&request->reply);
	request->header_count = 0;
	request->match.route = NULL;
	request->match.count = 0;
	request->received = request->expected = 0;
	request->begun = request->handled = request->paused = request->held = false;
	request->discard = request->close = request->has_expect = request->has_body = false;
	request->stream = NULL;
	request->own = NULL;
	request->release = NULL;
}

void request_deinit(struct dal_http_request *request)
{
	dal_buffer_deinit(&request->raw);
	dal_buffer_deinit(&request->decoded);
	dal_buffer_deinit(&request->body);
	dal_http_target_deinit(&request->target);
	reply_deinit(&request->reply);
	free(request->headers);
}

void *request_begin(void *server, const char *uri, struct MHD_Connection *mhd)
{
	struct connection *connection =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
	struct dal_http_request *request = &connection->request;

	reset(request);
	request->mhd = mhd;
	request->uri = uri;
	request->begun_us = dal_clock_monotonic_us();
	dal_buffer_text(&request->raw, uri ? uri : "");
	atomic_store(&connection->deadline_us, deadline_after(server, 0));
	atomic_store(&connection->phase, PHASE_READING);
	return request;
}

void request_end(void *data, struct MHD_Connection *mhd, void **context,
		 enum MHD_RequestTerminationCode code)
{
	struct dal_http_server *server = data;
	struct dal_http_request *request = *context;
	struct dal_http_stream *stream;

	(void)mhd;
	(void)code;
	if (request == NULL) {
		return;
	}
	stream = request->stream;
	if (stream != NULL) {
		/* The acceptor must not find it any more. */
		pthread_mutex_lock(&server->lock);
		atomic_store(&request->connection->beat_us, DAL_HTTP_NEVER);
		request->stream = NULL;
		pthread_mutex_unlock(&server->lock);
		stream_end(stream);
	}
	if (request->release != NULL) {
		request->release(request->own);
		request->release = NULL;
	}
	if (atomic_load(&request->connection->phase) == PHASE_ANSWERING) {
		atomic_store(&request->connection->deadline_us,
			     server->idle_timeout_us == DAL_HTTP_NEVER
				     ? DAL_HTTP_NEVER
				     : dal_clock_monotonic_us() + server->idle_timeout_us);
		atomic_store(&request->connection->phase, PHASE_IDLE);
	}
}

bool request_stop_reading(struct dal_http_request *request)
{
	int reading = PHASE_READING;

	if (!atomic_compare_exchange_strong(&request->connection->phase, &reading,
					    PHASE_ANSWERING)) {
		return false;
	}
	atomic_store(&request->connection->deadline_us, DAL_HTTP_NEVER);
	return true;
}

/* A body of any length has a rate: each byte buys time, which is saved up to one time-out. */
static void extend_deadline(struct dal_http_request *request, size_t bytes)
{
	struct dal_http_server *server = request->connection->server;
	int64_t deadline = atomic_load(&request->connection->deadline_us);
	int64_t most = deadline_after(server, 0);

	if (request->match.route == NULL || request->match.route->on_body == NULL) {
		if (request->received > request->expected) {
			int64_t spent = dal_clock_monotonic_us() - request->begun_us;
			deadline = deadline_after(server, request->received) - spent;
			atomic_store(&request->connection->deadline_us, deadline);
		}
		return;
	}
	if (most != DAL_HTTP_NEVER) {
		deadline += (int64_t)(bytes * 1000000 / DAL_LIMIT_HTTP_MIN_RATE);
		atomic_store(&request->connection->deadline_us, deadline < most ? deadline : most);
	}
}

/* The piece goes to the route's own function, or is gathered. False: it has been replied to. */
static bool take_piece(struct dal_http_request *request, struct dal_slice piece, bool *pause)
{
	const struct dal_http_route *route = request->match.route;
	int result;

	request->received += piece.size;
	if (request->received > route->body_limit) {
		dal_http_problem(request, 413, "the body is larger than %llu bytes",
				 (unsigned long long)route->body_limit);
		return false;
	}
	extend_deadline(request, piece.size);
	if (route->on_body == NULL) {
		dal_buffer_slice_append(&request->body, piece);
		return true;
	}
	atomic_fetch_and(&request->gate.state, ~(unsigned)GATE_RESUMED);
	result = route->on_body(request, piece, request->match.data);
	*pause = result == DAL_HTTP_PAUSE;
	DAL_ASSERT(result >= 0 || (atomic_load(&request->gate.state) & GATE_REPLIED) != 0);
	return result >= 0;
}

static void pause_body(struct dal_http_request *request)
{
	/* While it sleeps the client is not to blame. */
	atomic_store(&request->connection->deadline_us, DAL_HTTP_NEVER);
	request->paused = true;
	gate_sleep(&request->gate, request->mhd);
}

/*
 * One byte of a piece is held back over a pause: libmicrohttpd calls again for it when the
 * connection wakes, and without it only when the client sends more.
 */
static enum MHD_Result handle_piece(struct dal_http_request *request, unsigned seen,
				    const char *data, size_t *size)
{
	struct dal_slice piece = dal_slice(data + request->held, *size - request->held);
	bool pause = false;

	if (request->discard || atomic_load(&request->connection->phase) == PHASE_LINGER) {
		*size = 0;
		return MHD_YES;
	}
	if (request->paused && (seen & (GATE_RESUMED | GATE_REPLIED)) == 0) {
		gate_sleep(&request->gate, request->mhd);
		return MHD_YES;
	}
	if (request->paused) {
		request->paused = false;
		atomic_store(&request->connection->deadline_us,
			     deadline_after(request->connection->server, 0));
	}
	request->held = false;
	*size = 0;
	if ((seen & GATE_REPLIED) != 0 || (piece.size > 0 && !take_piece(request, piece, &pause))) {
		reply_send_early(request);
	} else if (pause) {
		request->held = true;
		*size = 1;
		pause_body(request);
	}
	return MHD_YES;
}

static enum MHD_Result handle_whole(struct dal_http_request *request, unsigned seen)
{
	const struct dal_http_route *route = request->match.route;

	if (atomic_load(&request->connection->phase) == PHASE_LINGER) {
		return MHD_NO;
	}
	if (!request->handled) {
		request->handled = true;
		if (!request_stop_reading(request)) {
			return MHD_NO;
		}
		if ((seen & GATE_REPLIED) == 0) {
			if (route->on_body != NULL) {
				route->on_body(request, dal_slice(NULL, 0), request->match.data);
			} else {
				route->handler(request, request->match.data);
			}
			seen = gate_enter(&request->gate);
		}
	}
	if ((seen & GATE_REPLIED) != 0) {
		return reply_queue(request);
	}
	gate_sleep(&request->gate, request->mhd);
	return MHD_YES;
}

enum MHD_Result request_handle(void *server, struct MHD_Connection *mhd, const char *url,
			       const char *method, const char *version, const char *data,
			       size_t *size, void **context)
{
	struct dal_http_request *request = *context;
	unsigned seen;

	(void)server;
	(void)mhd;
	(void)url;
	if (!request->begun) {
		request->begun = true;
		if (!request_admit(request, method, version)) {
			reply_send_early(request);
		}
		return MHD_YES;
	}
	seen = gate_enter(&request->gate);
	return *size > 0 ? handle_piece(request, seen, data, size) : handle_whole(request, seen);
}

/* --- what a handler asks --- */

struct dal_slice dal_http_method(const struct dal_http_request *request)
{
	return request->method;
}

struct dal_slice dal_http_target(const struct dal_http_request *request)
{
	return dal_buffer_slice(&request->raw);
}

struct dal_slice dal_http_peer(const struct dal_http_request *request)
{
	return dal_slice_text(request->connection->peer);
}

void *dal_http_tag(const struct dal_http_request *request)
{
	return request->connection->listener->tag;
}

struct dal_slice dal_http_parameter(const struct dal_http_request *request, const char *name)
{
	for (size_t i = 0; i < request->match.count; i++) {
		if (dal_slice_is(request->match.names[i], name)) {
			return request->parameters[i];
		}
	}
	return dal_slice(NULL, 0);
}

bool dal_http_query(const struct dal_http_request *request, const char *name,
		    struct dal_slice *value)
{
	for (size_t i = 0; i < request->target.pair_count; i++) {
		if (dal_slice_is(request->target.pairs[i].name, name)) {
			*value = request->target.pairs[i].value;
			return true;
		}
	}
	return false;
}

bool dal_http_query_at(const struct dal_http_request *request, size_t index, struct dal_slice *name,
		       struct dal_slice *value)
{
	if (index >= request->target.pair_count) {
		return false;
	}
	*name = request->target.pairs[index].name;
	*value = request->target.pairs[index].value;
	return true;
}

bool dal_http_header(const struct dal_http_request *request, const char *name,
		     struct dal_slice *value)
{
	return dal_http_guard_find(request->headers, request->header_count, name, value);
}

bool dal_http_header_at(const struct dal_http_request *request, size_t index,
			struct dal_slice *name, struct dal_slice *value)
{
	if (index >= request->header_count) {
		return false;
	}
	*name = request->headers[index].name;
	*value = request->headers[index].value;
	return true;
}

bool dal_http_trailer(const struct dal_http_request *request, const char *name,
		      struct dal_slice *value)
{
	const char *found;
	size_t size;

	if (MHD_lookup_connection_value_n(request->mhd, MHD_FOOTER_KIND, name, strlen(name), &found,
					  &size) != MHD_YES ||
	    found == NULL || !dal_http_guard_value(dal_slice(found, size))) {
		return false;
	}
	*value = dal_slice_trim(dal_slice(found, size));
	return true;
}

struct dal_slice dal_http_body_slice(const struct dal_http_request *request)
{
	return dal_buffer_slice(&request->body);
}

bool dal_http_gone(const struct dal_http_request *request)
{
	struct pollfd poller = {.fd = request->connection->fd, .events = POLLRDHUP};

	return poll(&poller, 1, 0) == 1;
}

void dal_http_attach(struct dal_http_request *request, void *own, void (*release)(void *own))
{
	request->own = own;
	request->release = release;
}

void *dal_http_attached(const struct dal_http_request *request)
{
	return request->own;
}

void dal_http_resume(struct dal_http_request *request)
{
	gate_wake(&request->gate, GATE_RESUMED, request->mhd);
}
