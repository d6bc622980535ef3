#include "engine/api/api_private.h"

#include "engine/base/memory.h"

static const struct dal_api_routes *const nouns[] = {
	&dal_api_health,
	&dal_api_metrics,
	&dal_api_projections,
	&dal_api_status,
};

int dal_api_new(struct dal_engine *engine, struct dal_api **out, struct dal_error *error)
{
	struct dal_http_server *server = dal_engine_server(engine);
	struct dal_api *api = dal_calloc(1, sizeof(*api));
	int r = 0;

	api->engine = engine;
	api->app = dal_engine_app(engine);
	for (size_t i = 0; r == 0 && i < sizeof(nouns) / sizeof(nouns[0]); i++) {
		r = dal_http_server_add(server, nouns[i]->routes, nouns[i]->count, api, error);
	}
	if (r != 0) {
		free(api);
		return r;
	}
	*out = api;
	return 0;
}

void dal_api_free(struct dal_api *api)
{
	free(api);
}
