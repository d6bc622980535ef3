/*
 * Connectors: what comes in from outside, checked and made into events.
 *
 * CloudEvents ingress (POST /v1/events: binary, structured, batch, NDJSON) and GitHub's webhooks.
 * Each hands its routes to the server and its events to a sink (sink.h). 2xx is answered only when
 * the sink says durable.
 * Threads: handlers run on the HTTP pool; answers come from the sink's thread.
 */
#ifndef DAL_CONNECTORS_CONNECTORS_H
#define DAL_CONNECTORS_CONNECTORS_H

#include "connectors/sink.h"
#include "engine/base/error.h"
#include "engine/base/field.h"
#include "engine/http/http.h"

/* --- POST /v1/events, OPTIONS /v1/events (the webhook handshake) --- */

struct dal_ingress;

struct dal_ingress_options {
	struct dal_sink sink;
	uint64_t event_bytes; /* limits.event; 0: the default */
	uint64_t body_bytes;  /* limits.body */
	uint64_t held_bytes;  /* of all bodies that are being gathered; 0: 256 MiB */
};

struct dal_ingress *dal_ingress_new(const struct dal_ingress_options *options);
void dal_ingress_free(struct dal_ingress *ingress); /* after the server has stopped */
int dal_ingress_routes(struct dal_ingress *ingress, struct dal_http_server *server,
		       struct dal_error *error);

/* --- POST /hooks/github --- */

/* `github`: path, secret (one or a list), as an operator declares it. */
extern const struct dal_declarable dal_github_declarable;

struct dal_github;

/* From its declaration, secrets resolved. NULL with `errors` filled: no secret, a broken path. */
struct dal_github *dal_github_new(const struct dal_declaration *declaration,
				  const struct dal_sink *sink, struct dal_errors *errors);
void dal_github_free(struct dal_github *github);
int dal_github_routes(struct dal_github *github, struct dal_http_server *server,
		      struct dal_error *error);

#endif
