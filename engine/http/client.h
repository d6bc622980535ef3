/*
 * HTTP asked: libcurl, blocking, for the command line and for whoever has a thread to wait on.
 *
 * HTTP/1.1 to a TCP or Unix socket. A client keeps its connection and is used by one thread at a
 * time. No redirects are followed. Times are total deadlines.
 */
#ifndef DAL_HTTP_CLIENT_H
#define DAL_HTTP_CLIENT_H

#include "engine/base/error.h"
#include "engine/base/slice.h"
#include "engine/http/http.h"

struct dal_http_client;

struct dal_http_client_options {
	const char *base;        /* "http://127.0.0.1:8080" */
	const char *unix_socket; /* a path, or NULL */
	const char *token;       /* bearer, or NULL */
	uint64_t timeout_ms;     /* a whole exchange; 0: 30,000; UINT64_MAX: none (streams) */
	const char *remedy; /* what to do when nobody answers; static text; NULL: of an engine */
};

struct dal_http_ask {
	const char *method;
	const char *target;                         /* "/v1/status?x=y", already encoded */
	const char *type;                           /* of the body, or NULL */
	const struct dal_http_header_line *headers; /* ends with a NULL name, or NULL */
	struct dal_slice body;
	/* Reads a body of any length, or NULL: up to `size` bytes into `to`; 0 at the end, negative
	 * aborts. */
	long (*read)(char *to, size_t size, void *own);
	/* Gets the answer's body as it comes (only of 2xx answers), or NULL: it is gathered.
	 * Non-zero ends it. */
	int (*write)(struct dal_slice piece, void *own);
	void *own;
};

struct dal_http_answer {
	int status;
	struct dal_buffer body;
	struct dal_buffer type; /* its Content-Type */
};

int dal_http_client_new(const struct dal_http_client_options *options,
			struct dal_http_client **client, struct dal_error *error);
void dal_http_client_free(struct dal_http_client *client);
enum { DAL_HTTP_UNREACHABLE = 1 };
/* 0 with any status, or DAL_HTTP_UNREACHABLE: `error` says what was tried and what to do. */
int dal_http_client_ask(struct dal_http_client *client, const struct dal_http_ask *ask,
			struct dal_http_answer *answer, struct dal_error *error);
void dal_http_answer_deinit(struct dal_http_answer *answer);
/* Percent-encodes one path segment or query value (all but unreserved characters). Appends. */
void dal_http_encode(struct dal_slice text, struct dal_buffer *out);

#endif
