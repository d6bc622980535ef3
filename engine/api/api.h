/*
 * The API of a running engine: queries, tails, status, dead letters, health, metrics.
 *
 * Adds its routes to the engine's server between dal_engine_new and dal_engine_start. Handlers run
 * on the HTTP pool; they read snapshots and append events, and never write state.
 */
#ifndef DAL_API_API_H
#define DAL_API_API_H

#include "engine/app/engine.h"
#include "engine/base/error.h"

struct dal_api;

int dal_api_new(struct dal_engine *engine, struct dal_api **api, struct dal_error *error);
void dal_api_free(
	struct dal_api *api); /* after dal_engine_stop, before dal_engine_free; NULL is fine */

#endif
