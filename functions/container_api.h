/*
 * A container engine (Podman, Docker) asked over its Unix socket: the few requests that the
 * driver makes, each blocking until it is answered. What they say is in container_json.h.
 *
 * A request uses one of a few connections, and waits for one while all are in use: that is also how
 * many containers start at once. Any thread.
 */
#ifndef DAL_FUNCTIONS_CONTAINER_API_H
#define DAL_FUNCTIONS_CONTAINER_API_H

#include "functions/container_json.h"

struct dal_container_api;

/* All requests: 0, or with `error` one of these. */
enum {
	DAL_CONTAINER_AWAY = 1,    /* nobody answers */
	DAL_CONTAINER_MISSING = 2, /* there is no such image or container */
	DAL_CONTAINER_REFUSED = 3, /* the engine's own words */
};

/* `host` is "unix:///path", or the path. -EINVAL with `error`: it is no Unix socket. */
int dal_container_api_new(const char *host, uint64_t timeout_ms, struct dal_container_api **api,
			  struct dal_error *error);
void dal_container_api_free(struct dal_container_api *api); /* NULL is fine */

int dal_container_api_engine(struct dal_container_api *api, struct dal_container_engine *engine,
			     struct dal_error *error);
int dal_container_api_image(struct dal_container_api *api, const char *name,
			    struct dal_image *image, struct dal_error *error);
/* All containers, running or not, that carry DAL_CONTAINER_LABEL with this value. */
int dal_container_api_list(struct dal_container_api *api, const char *data_id, char ***ids,
			   struct dal_error *error);
/* An engine that leaves something out of the spec is REFUSED: `id` is what is to be removed. */
int dal_container_api_create(struct dal_container_api *api, const char *name, struct dal_slice spec,
			     char id[65], struct dal_error *error);
/* `*stream` gets what it writes from now on, as frames (frames.h). Podman makes the container's
 * process here, up to its exec; Docker does it in `start`. */
int dal_container_api_attach(struct dal_container_api *api, const char *id, int *stream,
			     struct dal_error *error);
int dal_container_api_start(struct dal_container_api *api, const char *id, struct dal_error *error);
int dal_container_api_state(struct dal_container_api *api, const char *id,
			    struct dal_container_state *state, struct dal_error *error);
/* Kills it if it runs; its volumes go too. One that is gone already is no error. */
int dal_container_api_remove(struct dal_container_api *api, const char *id,
			     struct dal_error *error);

#endif
