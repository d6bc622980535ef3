/* Answers without end: asleep until there is something to send. */
#include "engine/http/internal.h"

#include "engine/base/clock.h"
#include "engine/base/memory.h"

#define BLOCK_BYTES (16 * DAL_KIB)

struct dal_http_stream {
	struct dal_http_request *request;
	struct dal_http_stream_options options;
	char *heartbeat;
	struct dal_buffer out;
	size_t sent;        /* bytes of `out` */
	bool ended, broken; /* by its fill */
	atomic_bool beat;   /* a heartbeat is due */
};

struct dal_http_stream *dal_http_stream_start(struct dal_http_request *request,
					      const struct dal_http_stream_options *options)
{
	struct dal_http_stream *stream = dal_calloc(1, sizeof(*stream));

	stream->request = request;
	stream->options = *options;
	stream->options.headers = NULL;
	stream->heartbeat = dal_strdup(options->heartbeat ? options->heartbeat : "");
	request->stream = stream;
	reply_keep_head(request, options->status, options->type, options->headers);
	gate_wake(&request->gate, GATE_REPLIED, request->mhd);
	return stream;
}

void dal_http_stream_wake(struct dal_http_stream *stream)
{
	gate_wake(&stream->request->gate, 0, stream->request->mhd);
}

void stream_beat(struct dal_http_stream *stream)
{
	atomic_store(&stream->beat, true);
	dal_http_stream_wake(stream);
}

void stream_end(struct dal_http_stream *stream)
{
	if (stream->options.release != NULL) {
		stream->options.release(stream->options.own);
	}
	dal_buffer_deinit(&stream->out);
	free(stream->heartbeat);
	free(stream);
}

static void sleep_until_woken(struct dal_http_stream *stream)
{
	struct dal_http_request *request = stream->request;
	uint64_t beat_ms = stream->options.heartbeat_ms;

	/* Also without heartbeats it can be found, to be ended when the server stops. */
	atomic_store(&request->connection->beat_us,
		     beat_ms ? dal_clock_monotonic_us() + (int64_t)beat_ms * 1000
			     : DAL_HTTP_NEVER - 1);
	gate_sleep(&request->gate, request->mhd);
}

static bool is_over(const struct dal_http_stream *stream)
{
	const struct connection *connection = stream->request->connection;

	return stream->ended || atomic_load(&connection->cut) ||
	       atomic_load(&connection->server->stopping);
}

/*
 * An answer that stops half-way must not look whole: its client is cut, so that libmicrohttpd can't
 * send the last chunk (its own way to say so, END_WITH_ERROR, leaves the connection lying about).
 * One with heartbeats has no end of its own, and may end when the server stops.
 */
static ssize_t end(struct dal_http_stream *stream)
{
	bool endless = stream->options.heartbeat_ms > 0 && stream->options.heartbeat != NULL;

	if (stream->ended ? stream->broken : !endless) {
		shutdown(stream->request->connection->fd, SHUT_RDWR);
	}
	return MHD_CONTENT_READER_END_OF_STREAM;
}

/* Fills `out`; false if there is nothing to send now. */
static bool refill(struct dal_http_stream *stream)
{
	dal_buffer_clear(&stream->out);
	stream->sent = 0;
	switch (stream->options.fill(&stream->out, stream->options.own)) {
	case 0:
		break;
	case DAL_HTTP_STREAM_WAIT:
		if (stream->out.size == 0 && atomic_exchange(&stream->beat, false)) {
			dal_buffer_text(&stream->out, stream->heartbeat);
		}
		break;
	case DAL_HTTP_STREAM_END:
		stream->ended = true;
		break;
	default:
		stream->ended = stream->broken = true;
		break;
	}
	return stream->out.size > 0;
}

static ssize_t read_some(void *data, uint64_t position, char *to, size_t size)
{
	struct dal_http_stream *stream = data;
	struct dal_http_request *request = stream->request;
	size_t left = stream->out.size - stream->sent;

	(void)position;
	gate_enter(&request->gate);
	atomic_store(&request->connection->beat_us, DAL_HTTP_NEVER);
	if (left == 0) {
		if (is_over(stream)) {
			return end(stream);
		}
		if (!refill(stream)) {
			if (is_over(stream)) {
				return end(stream);
			}
			sleep_until_woken(stream);
			return 0;
		}
		left = stream->out.size;
	}
	left = left < size ? left : size;
	memcpy(to, stream->out.data + stream->sent, left);
	stream->sent += left;
	return (ssize_t)left;
}

struct MHD_Response *stream_response(struct dal_http_stream *stream)
{
	return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_some, stream,
						 NULL);
}
