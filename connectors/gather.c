#include "connectors/gather.h"

#include "engine/base/clock.h"
#include "engine/event/json.h"

static bool refuse_size(const struct dal_gatherer *gatherer, struct dal_http_request *request)
{
	dal_http_problem(request, 413, "the body is larger than %llu bytes%s",
			 (unsigned long long)gatherer->body_bytes, gatherer->too_large);
	return false;
}

bool dal_gather_begin(struct dal_gatherer *gatherer, struct dal_gathered *gathered,
		      struct dal_http_request *request)
{
	struct dal_slice header;
	uint64_t length;

	gathered->begun_us = dal_clock_monotonic_us();
	dal_buffer_reserve(&gathered->body, DAL_JSON_PADDING);
	return !dal_http_header(request, "content-length", &header) ||
	       !dal_slice_to_u64(dal_slice_trim(header), &length) ||
	       length <= gatherer->body_bytes || refuse_size(gatherer, request);
}

/* As the server does where it gathers itself. */
static bool in_time(const struct dal_gathered *gathered)
{
	uint64_t allowed_ms = DAL_LIMIT_HTTP_READ_MS +
			      DAL_LIMIT_HTTP_READ_MS * gathered->body.size / DAL_MIB;

	return dal_clock_monotonic_us() - gathered->begun_us <= (int64_t)allowed_ms * 1000;
}

bool dal_gather_take(struct dal_gatherer *gatherer, struct dal_gathered *gathered,
		     struct dal_http_request *request, struct dal_slice piece)
{
	if (gathered->body.size + piece.size > gatherer->body_bytes) {
		return refuse_size(gatherer, request);
	}
	if (!in_time(gathered)) {
		dal_http_problem(request, 408, "the body did not come in time");
		return false;
	}
	if (atomic_fetch_add(&gatherer->held, piece.size) + piece.size > gatherer->held_bytes) {
		atomic_fetch_sub(&gatherer->held, piece.size);
		dal_http_problem(request, 503,
				 "too many bodies are being read: try again in a second");
		return false;
	}
	dal_buffer_reserve(&gathered->body, piece.size + DAL_JSON_PADDING);
	dal_buffer_slice_append(&gathered->body, piece);
	return true;
}

void dal_gather_release(struct dal_gatherer *gatherer, struct dal_gathered *gathered)
{
	atomic_fetch_sub(&gatherer->held, gathered->body.size);
	dal_buffer_deinit(&gathered->body);
}
