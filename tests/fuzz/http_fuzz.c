/*
 * Our part of reading a request: guards, target, query, router, on the head of a raw request.
 *
 * What libmicrohttpd 0.9.75 hands over is made here as it does it: lines end at CR LF or at a bare
 * LF, are cut in place with NULs, and values are C strings. The layout guard must then say yes
 * exactly when a strict reader of the same bytes does (but for NULs beside a line's end).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/http/client.h"
#include "engine/http/guard.h"
#include "engine/http/router.h"
#include "engine/http/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADERS 64

struct head {
	char *method, *uri, *version, *end;
	struct dal_http_pair headers[HEADERS];
	size_t count;
};

/* The next line, with its end cut off by NULs; NULL if there is no whole one. */
static char *next_line(char **at, char *end, size_t *size)
{
	char *line = *at, *feed = line < end ? memchr(line, '\n', (size_t)(end - line)) : NULL;

	if (feed == NULL) {
		return NULL;
	}
	*at = feed + 1;
	*feed = 0;
	*size = (size_t)(feed - line);
	if (feed > line && feed[-1] == '\r') {
		feed[-1] = 0;
		(*size)--;
	}
	return line;
}

static bool cut_request_line(struct head *head, char *line, size_t size)
{
	char *space = memchr(line, ' ', size), *last = memrchr(line, ' ', size);

	if (space == NULL || last == space) {
		return false;
	}
	*space = *last = 0;
	head->method = line;
	head->uri = space + 1;
	head->version = last + 1;
	return dal_slice_is(dal_slice(last + 1, (size_t)(line + size - last) - 1), "HTTP/1.1");
}

static bool cut_header(struct head *head, char *line)
{
	char *colon = strchr(line, ':'), *value;

	if (colon == NULL || head->count == HEADERS) {
		return false;
	}
	*colon = 0;
	value = colon + 1 + strspn(colon + 1, " \t");
	head->headers[head->count++] = (struct dal_http_pair){dal_slice_text(line),
							      dal_slice_text(value)};
	return true;
}

static bool cut(struct head *head, char *bytes, size_t size)
{
	size_t line_size;
	char *at = bytes, *line = next_line(&at, bytes + size, &line_size);

	if (line == NULL || !cut_request_line(head, line, line_size)) {
		return false;
	}
	while ((line = next_line(&at, bytes + size, &line_size)) != NULL && line[0] != 0) {
		/* A folded line would be joined to the one before, in another place. */
		if (line[0] == ' ' || line[0] == '\t') {
			return false;
		}
		if (!cut_header(head, line)) {
			return false;
		}
	}
	head->end = at;
	return line != NULL;
}

/* Are all lines of this head ended by CR LF, without a NUL. */
static bool is_strict(const char *from, const char *end)
{
	for (const char *at = from; at < end; at++) {
		if (*at == 0 || (*at == '\n' && (at == from || at[-1] != '\r'))) {
			return false;
		}
	}
	return true;
}

/* A NUL beside a line's end: the one thing that the guard can't tell from CR LF. */
static bool has_hidden_nul(const char *from, const char *end)
{
	size_t size = (size_t)(end - from);

	return memmem(from, size, "\0\r", 2) != NULL || memmem(from, size, "\0\n", 2) != NULL ||
	       memmem(from, size, "\n\0", 2) != NULL;
}

static void nothing(struct dal_http_request *request, void *data)
{
	(void)request;
	(void)data;
}

static struct dal_http_router *make_router(void)
{
	static const struct dal_http_route routes[] = {
		{"POST", "/v1/events", DAL_HTTP_INGEST, 0, nothing, NULL},
		{"GET", "/v1/projections/{name}/{key}", DAL_HTTP_QUERY, 0, nothing, NULL},
		{"GET", "/v1/projections/{name}/all", DAL_HTTP_QUERY, 0, nothing, NULL},
		{"GET", "/{a}/{b}/{c}/{d}/{e}", DAL_HTTP_QUERY, 0, nothing, NULL},
	};
	struct dal_http_router *router = dal_http_router_new();

	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
		DAL_ASSERT(dal_http_router_add(router, &routes[i], NULL, NULL) == 0);
	}
	return router;
}

static void try_route(struct dal_slice method, struct dal_slice path)
{
	static struct dal_http_router *router;
	struct dal_http_match match;
	struct dal_buffer decoded = {0}, coded = {0}, again = {0};

	if (router == NULL) {
		router = make_router();
	}
	if (dal_http_router_find(router, method, path, &match) == 0) {
		for (size_t i = 0; i < match.count; i++) {
			DAL_ASSERT(match.raw[i].size > 0 && match.raw[i].data > path.data);
			DAL_ASSERT(match.raw[i].data + match.raw[i].size <= path.data + path.size);
			DAL_ASSERT(memchr(match.raw[i].data, '/', match.raw[i].size) == NULL);
			dal_buffer_clear(&decoded);
			dal_buffer_clear(&coded);
			dal_buffer_clear(&again);
			if (dal_http_decode(match.raw[i], false, &decoded)) {
				dal_http_encode(dal_buffer_slice(&decoded), &coded);
				DAL_ASSERT(dal_http_decode(dal_buffer_slice(&coded), true, &again));
				DAL_ASSERT(dal_slice_equal(dal_buffer_slice(&decoded),
							   dal_buffer_slice(&again)));
			}
		}
	}
	dal_http_router_allow(router, path, &coded);
	dal_buffer_deinit(&decoded);
	dal_buffer_deinit(&coded);
	dal_buffer_deinit(&again);
}

static void try_target(const struct head *head)
{
	struct dal_http_target target = {.pair_count = 0};

	if (dal_http_target_parse(&target, dal_slice_text(head->uri)) == NULL) {
		DAL_ASSERT(target.path.data[0] == '/' || dal_slice_is(target.path, "*"));
		for (size_t i = 0; i < target.pair_count; i++) {
			const struct dal_http_pair *pair = &target.pairs[i];
			DAL_ASSERT(pair->name.data >= target.decoded.data);
			DAL_ASSERT(pair->value.data + pair->value.size <=
				   target.decoded.data + target.decoded.size);
		}
		try_route(dal_slice_text(head->method), target.path);
	}
	dal_http_target_deinit(&target);
}

static void try_headers(const struct head *head)
{
	struct dal_http_refusal refusal = dal_http_guard_headers(head->headers, head->count, true);
	struct dal_slice value, token;

	DAL_ASSERT((refusal.status == 0) == (refusal.text == NULL));
	if (refusal.status == 0) {
		DAL_ASSERT(dal_http_guard_find(head->headers, head->count, "host", &value));
		dal_http_guard_origin(head->headers, head->count, dal_slice(NULL, 0), "10.0.0.1");
	}
	if (dal_http_guard_find(head->headers, head->count, "Authorization", &value) &&
	    dal_http_guard_bearer(value, &token)) {
		DAL_ASSERT(token.size > 0 && token.data > value.data);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *bytes = malloc(size + 1);
	struct head head = {.count = 0};

	memcpy(bytes, data, size);
	bytes[size] = 0;
	if (cut(&head, bytes, size)) {
		const char *raw = (const char *)data + (head.version - bytes);
		const char *raw_end = (const char *)data + (head.end - bytes);
		bool layout = dal_http_guard_layout(head.version + 8, head.end, head.headers,
						    head.count);

		if (layout != is_strict(raw, raw_end)) {
			DAL_ASSERT(layout && has_hidden_nul(raw, raw_end));
		}
		try_target(&head);
		try_headers(&head);
	}
	free(bytes);
	return 0;
}
