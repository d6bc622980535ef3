/*
 * From method and raw path to a route: a tree of path segments. Private to this folder.
 * Built before start, constant afterwards; then any thread.
 */
#ifndef DAL_HTTP_ROUTER_H
#define DAL_HTTP_ROUTER_H

#include "engine/http/http.h"

#define DAL_HTTP_PARAMETERS 8
#define DAL_HTTP_SEGMENTS 32

struct dal_http_router;

struct dal_http_match {
	const struct dal_http_route *route;
	void *data;
	size_t count;
	struct dal_slice names[DAL_HTTP_PARAMETERS];
	struct dal_slice raw[DAL_HTTP_PARAMETERS]; /* still percent-encoded */
};

enum {
	DAL_HTTP_NO_PATH = 1,   /* 404 */
	DAL_HTTP_NO_METHOD = 2, /* 405 */
};

struct dal_http_router *dal_http_router_new(void);
void dal_http_router_free(struct dal_http_router *router);
int dal_http_router_add(struct dal_http_router *router, const struct dal_http_route *route,
			void *data, struct dal_error *error);
/* 0, or an outcome. A literal segment goes before a parameter; HEAD finds GET. */
int dal_http_router_find(const struct dal_http_router *router, struct dal_slice method,
			 struct dal_slice path, struct dal_http_match *match);
/* "GET, HEAD, POST": what the path that gave DAL_HTTP_NO_METHOD knows. Appends. */
void dal_http_router_allow(const struct dal_http_router *router, struct dal_slice path,
			   struct dal_buffer *out);

#endif
