/*
 * HTTP served: libmicrohttpd behind one router. (HTTP asked is client.h.)
 *
 * Whoever offers routes hands over a table: method, raw path template, scope, limits, handler.
 * Routing and authorisation work on the raw request target; path segments are percent-decoded
 * after that ("%2F" stays inside its segment). A handler answers at once, or later from any thread:
 * the connection is suspended until `dal_http_reply`. Nothing is answered by the library itself but
 * errors, as application/problem+json (RFC 9457).
 * Refused here, for all routes: requests with both Content-Length and Transfer-Encoding, two Hosts,
 * differing lengths, NUL or bare control bytes; headers over DAL_LIMIT_HTTP_HEADER_BYTES; bodies
 * over the route's limit (413); requests not read whole within their deadline (408, closed); a
 * foreign Host or cross-site Origin where there are no tokens (403); a missing or wrong token
 * (401), a lacking scope (403).
 *
 * Life: new, add routes, start, ... stop (no new connections, running answers finish), free.
 * Threads: a pool of its own; handlers run there. `dal_http_reply`, `dal_http_stream_wake` and
 * `_write` may be called from any thread. A request lives until its reply has been sent; after
 * `dal_http_reply` the caller must not touch it.
 */
#ifndef DAL_HTTP_HTTP_H
#define DAL_HTTP_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/slice.h"

struct dal_http_server;
struct dal_http_request;
struct dal_http_stream;

/* Bits; a token needs all of a route's. */
enum dal_http_scope {
	DAL_HTTP_OPEN = 0, /* no token needed, whatever else */
	DAL_HTTP_INGEST = 1,
	DAL_HTTP_QUERY = 2,
	DAL_HTTP_INVOKE = 4,
	DAL_HTTP_ADMIN = 8,
	/* The handler authenticates by itself (signatures): no Host, Origin and token check. */
	DAL_HTTP_SELF = 16,
};

/*
 * Runs on a thread of the pool when the request is there whole (with its body, unless on_body is
 * set). It must answer, now or later.
 */
typedef void dal_http_handler(struct dal_http_request *request, void *data);

/*
 * For bodies of any length: called with each piece as it arrives, then once with size 0 at the end
 * (then the route's handler is not called). Return 0 to go on; DAL_HTTP_PAUSE to get no more until
 * `dal_http_resume` (this piece is taken); negative after having replied: the rest is not read.
 * Until the end has come a client may hang up, and the request with it: then `release` of what was
 * attached is called and nothing else. So another thread may touch the request (resume it, reply to
 * it) only while it is paused, or after the end.
 */
typedef int dal_http_body(struct dal_http_request *request, struct dal_slice piece, void *data);
enum { DAL_HTTP_PAUSE = 1 };

struct dal_http_route {
	const char *method; /* "GET" (HEAD comes with it), "POST", "OPTIONS", ... */
	const char *path;   /* "/v1/projections/{name}/{key}": {x} is one segment */
	int scope;
	uint64_t body_limit; /* bytes; 0: no body is read; UINT64_MAX with on_body: any length */
	dal_http_handler *handler;
	dal_http_body *on_body; /* or NULL: the body is gathered */
};

struct dal_http_options {
	/*
	 * "127.0.0.1:8080", "[::1]:0", "unix:/path" (mode 0600); or NULL: `descriptor`, or none,
	 * see dal_http_server_listen. Beyond loopback it needs `authorize` or `trusted`.
	 */
	const char *listen;
	int descriptor;   /* a listening socket that the caller made, -1 if none; taken over */
	unsigned threads; /* 0: 2 */
	/* No Host and Origin checks, no limit per address (the Runtime API's sockets). */
	bool trusted;
	uint64_t max_connections; /* 0: DAL_LIMIT_HTTP_CONNECTIONS */
	uint64_t read_timeout_ms; /* 0: DAL_LIMIT_HTTP_READ_MS; UINT64_MAX: none */
	/*
	 * A kept-alive connection between two requests, or a client that takes nothing of its
	 * answer. 0: DAL_LIMIT_HTTP_IDLE_MS; UINT64_MAX: none (the Runtime API: its clients compute
	 * meanwhile).
	 */
	uint64_t idle_timeout_ms;
	/*
	 * Which scopes has this bearer token? 0: none, it is unknown. NULL: there are no tokens,
	 * every scope is granted. Compares in constant time. Any thread of the pool.
	 */
	int (*authorize)(struct dal_slice token, void *data);
	void *data;
};

/* The strings of `options` are copied. */
int dal_http_server_new(const struct dal_http_options *options, struct dal_http_server **server,
			struct dal_error *error);
/*
 * Before start. The table and its strings must outlive the server; `data` goes to its handlers. A
 * template given twice is an error.
 */
int dal_http_server_add(struct dal_http_server *server, const struct dal_http_route *routes,
			size_t count, void *data, struct dal_error *error);
int dal_http_server_start(struct dal_http_server *server, struct dal_error *error);
/* The port that it listens on (for port 0), or 0. */
int dal_http_server_port(const struct dal_http_server *server);
/*
 * Serves one more listening socket (taken over), whose connections carry `tag` (dal_http_tag): so a
 * Runtime API knows which instance speaks. `_unlisten` closes it and its connections. Any thread.
 */
int dal_http_server_listen(struct dal_http_server *server, int descriptor, void *tag, uint64_t *id);
/*
 * The same; `release` is called once, on any thread, when the socket and all its connections are
 * gone and no handler can see `tag` any more.
 */
int dal_http_server_listen_release(struct dal_http_server *server, int descriptor, void *tag,
				   void (*release)(void *tag), uint64_t *id);
/*
 * Does not wait: handlers of its connections may still run, and requests not yet answered are still
 * to be answered by whoever holds them.
 */
void dal_http_server_unlisten(struct dal_http_server *server, uint64_t id);
/*
 * Not from a handler. No more connections, streams end; open requests get up to `grace_ms`, then
 * their clients are cut. A request that was cut without an answer stays valid: it must be answered
 * before `_free`.
 */
void dal_http_server_stop(struct dal_http_server *server, uint64_t grace_ms);
/* Waits up to 10 s for answers still owed; then it leaks the server rather than free it under them.
 */
void dal_http_server_free(struct dal_http_server *server);

/* --- a request, as its handler sees it; slices live as long as the request --- */

struct dal_slice dal_http_method(const struct dal_http_request *request);
struct dal_slice dal_http_target(const struct dal_http_request *request); /* raw, with query */
struct dal_slice dal_http_peer(const struct dal_http_request *request);   /* address as text */
void *dal_http_tag(const struct dal_http_request *request);
/* A {parameter} of the path, percent-decoded; empty if the template lacks it. */
struct dal_slice dal_http_parameter(const struct dal_http_request *request, const char *name);
/* A query parameter's first value, decoded; false if absent. */
bool dal_http_query(const struct dal_http_request *request, const char *name,
		    struct dal_slice *value);
/* Walks query parameters: false at the end. */
bool dal_http_query_at(const struct dal_http_request *request, size_t index, struct dal_slice *name,
		       struct dal_slice *value);
/* A header by name (any case); false if absent. Walking gives repeated ones too. */
bool dal_http_header(const struct dal_http_request *request, const char *name,
		     struct dal_slice *value);
bool dal_http_header_at(const struct dal_http_request *request, size_t index,
			struct dal_slice *name, struct dal_slice *value);
/*
 * A trailer of a chunked body; false if absent, or if its value has control bytes. Once the body is
 * there whole: from the handler, or on_body's last call.
 */
bool dal_http_trailer(const struct dal_http_request *request, const char *name,
		      struct dal_slice *value);
/*
 * Has the client hung up, or at least said that it will send no more? For whoever holds an answer
 * that would be lost on it: a pending request does not end by itself. Only while an answer is owed
 * and the handler has returned.
 */
bool dal_http_gone(const struct dal_http_request *request);
struct dal_slice dal_http_body_slice(const struct dal_http_request *request);
/* Something of the handler's own that goes with the request; `release` is called when it ends, on
 * any thread. */
void dal_http_attach(struct dal_http_request *request, void *own, void (*release)(void *own));
void *dal_http_attached(const struct dal_http_request *request);
/* A paused body goes on. Any thread. */
void dal_http_resume(struct dal_http_request *request);

/* --- answers --- */

struct dal_http_header_line {
	const char *name;
	const char *value;
};

/*
 * Copies everything. `type` may be NULL if there is no body. Headers end with a NULL name, or NULL;
 * one with CR or LF in it is left out.
 */
void dal_http_reply(struct dal_http_request *request, int status, const char *type,
		    const struct dal_http_header_line *headers, struct dal_slice body);
/* The same, taking over the buffer's memory (it is left empty). */
void dal_http_reply_take(struct dal_http_request *request, int status, const char *type,
			 const struct dal_http_header_line *headers, struct dal_buffer *body);
/*
 * application/problem+json: {"type":"about:blank","title":PHRASE,"status":n,"detail":TEXT}. 429 and
 * 503 get Retry-After: 1.
 */
void dal_http_problem(struct dal_http_request *request, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* With more members: `more` is JSON members without braces (`"position":17`), or NULL. */
void dal_http_problem_with(struct dal_http_request *request, int status, const char *detail,
			   const char *more);

/*
 * An answer without end (SSE, NDJSON, long lists). `fill` is called on the pool's threads when the
 * connection can take more: it appends to `out` and returns 0; or DAL_HTTP_STREAM_WAIT when there
 * is nothing now (the connection sleeps until `_wake`, or for `heartbeat_ms`, then `heartbeat`
 * bytes are sent); or DAL_HTTP_STREAM_END; or negative: it failed half-way, and the client is cut
 * so as not to take what it has for the whole. So it is when the server stops, unless there are
 * heartbeats: then the stream has no end of its own (with NULL for `heartbeat` it has one: its
 * clock alone is wanted). `release` runs once when the connection has ended, however.
 */
enum { DAL_HTTP_STREAM_WAIT = 1, DAL_HTTP_STREAM_END = 2 };

struct dal_http_stream_options {
	int status;
	const char *type;
	const struct dal_http_header_line *headers;
	int (*fill)(struct dal_buffer *out, void *own);
	void (*release)(void *own);
	void *own;
	uint64_t heartbeat_ms; /* 0: none */
	const char *heartbeat; /* ": \n\n" */
};

/*
 * Instead of a reply. The stream is valid until `release` has been called, which from another
 * thread than the handler's may be before this returns.
 */
struct dal_http_stream *dal_http_stream_start(struct dal_http_request *request,
					      const struct dal_http_stream_options *options);
void dal_http_stream_wake(struct dal_http_stream *stream); /* any thread */

#endif
