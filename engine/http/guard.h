/*
 * The checks that libmicrohttpd lacks, as pure functions over a request's parts. Private to this
 * folder. What is refused is ambiguous (request smuggling), or comes from where it should not
 * (DNS rebinding, a web page that posts to localhost).
 */
#ifndef DAL_HTTP_GUARD_H
#define DAL_HTTP_GUARD_H

#include "engine/http/target.h"

struct dal_http_refusal {
	int status;       /* 0: none */
	const char *text; /* a sentence, static */
};

/* RFC 9112: names, values, Host, lengths. `one_one`: the version is HTTP/1.1, not 1.0. */
struct dal_http_refusal dal_http_guard_headers(const struct dal_http_pair *headers, size_t count,
					       bool one_one);
/*
 * Where there are no tokens: Host must be loopback or `own` (the listening address without port,
 * may be NULL); an Origin must be that of the Host. `authority` is the target's, or empty.
 */
struct dal_http_refusal dal_http_guard_origin(const struct dal_http_pair *headers, size_t count,
					      struct dal_slice authority, const char *own);
/* A header's value has no control bytes but tabs. */
bool dal_http_guard_value(struct dal_slice value);
/* The token of "Bearer TOKEN"; false if it is anything else. */
bool dal_http_guard_bearer(struct dal_slice authorization, struct dal_slice *token);
/* The first value of a header, any case; false if absent. */
bool dal_http_guard_find(const struct dal_http_pair *headers, size_t count, const char *name,
			 struct dal_slice *value);
/*
 * Are these headers what lay on the wire, each "name: value" CR LF right behind the other, with no
 * NUL, no bare LF and no folded line? libmicrohttpd up to 0.9.77 hides all three, but leaves the
 * bytes in place with NULs where it cut: so places tell. What they can't tell is a NUL beside the
 * end of a line that ends with a bare LF: it leaves the same bytes as CR LF, and is taken as that.
 * `end` is behind the empty line.
 */
bool dal_http_guard_layout(const char *at, const char *end, const struct dal_http_pair *headers,
			   size_t count);

#endif
