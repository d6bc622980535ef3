#include "engine/api/api_private.h"

#include "engine/base/memory.h"

const struct dal_api_routes *const dal_api_nouns[] = {
	&dal_api_dead,    &dal_api_events,      &dal_api_explain, &dal_api_health,
	&dal_api_metrics, &dal_api_projections, &dal_api_rules,   &dal_api_status,
	&dal_api_verdict, &dal_api_openapi,     &dal_api_reload,
};
const size_t dal_api_noun_count = sizeof(dal_api_nouns) / sizeof(dal_api_nouns[0]);

/* --- who sleeps --- */

static void wake(struct dal_api *api, int wants)
{
	pthread_mutex_lock(&api->lock);
	for (struct dal_api_sleeper *s = api->sleepers; s; s = s->next) {
		if ((int)s->wants == wants && atomic_exchange(&s->asleep, false)) {
			dal_http_stream_wake(s->stream);
		}
	}
	pthread_mutex_unlock(&api->lock);
}

static void on_advanced(void *own)
{
	wake(own, DAL_API_ADVANCED);
}

static void on_folded(void *own)
{
	wake(own, DAL_API_FOLDED);
}

void dal_api_sleeper_start(struct dal_api *api, struct dal_api_sleeper *sleeper,
			   struct dal_http_request *request,
			   const struct dal_http_stream_options *options)
{
	pthread_mutex_lock(&api->lock);
	sleeper->stream = dal_http_stream_start(request, options);
	sleeper->next = api->sleepers;
	if (sleeper->next) {
		sleeper->next->previous = sleeper;
	}
	api->sleepers = sleeper;
	pthread_mutex_unlock(&api->lock);
}

void dal_api_sleeper_remove(struct dal_api *api, struct dal_api_sleeper *sleeper)
{
	pthread_mutex_lock(&api->lock);
	if (sleeper->next) {
		sleeper->next->previous = sleeper->previous;
	}
	if (sleeper->previous) {
		sleeper->previous->next = sleeper->next;
	} else {
		api->sleepers = sleeper->next;
	}
	pthread_mutex_unlock(&api->lock);
}

/* --- life --- */

struct dal_api *dal_api_ref(struct dal_api *api)
{
	atomic_fetch_add(&api->references, 1);
	return api;
}

void dal_api_unref(struct dal_api *api)
{
	if (atomic_fetch_sub(&api->references, 1) == 1) {
		dal_guards_free(api->guards);
		pthread_mutex_destroy(&api->lock);
		free(api);
	}
}

int dal_api_new(struct dal_engine *engine, struct dal_api **out, struct dal_error *error)
{
	struct dal_http_server *server = dal_engine_server(engine);
	struct dal_api *api = dal_calloc(1, sizeof(*api));
	int r = 0;

	api->engine = engine;
	atomic_init(&api->references, 1);
	pthread_mutex_init(&api->lock, NULL);
	api->guards = dal_guards_new();
	for (size_t i = 0; r == 0 && i < dal_api_noun_count; i++) {
		r = dal_http_server_add(server, dal_api_nouns[i]->routes, dal_api_nouns[i]->count,
					api, error);
	}
	if (r != 0) {
		dal_api_unref(api);
		return r;
	}
	api->listener = (struct dal_engine_listener){
		.advanced = on_advanced, .folded = on_folded, .own = api};
	dal_engine_listen(engine, &api->listener);
	*out = api;
	return 0;
}

void dal_api_free(struct dal_api *api)
{
	if (api) {
		dal_engine_unlisten(api->engine, &api->listener);
		dal_api_unref(api);
	}
}
