/* The engine as others see it, and who listens to it. */
#include "engine/app/engine_private.h"

bool dal_engine_broken(const struct dal_engine *engine)
{
	return atomic_load(&engine->broken);
}

struct dal_app *dal_engine_app(struct dal_engine *engine)
{
	struct dal_app *app;

	pthread_mutex_lock(&engine->edition_lock);
	app = dal_app_ref(engine->edition.app);
	pthread_mutex_unlock(&engine->edition_lock);
	return app;
}

struct dal_rules *dal_engine_rules(struct dal_engine *engine)
{
	struct dal_rules *rules;

	pthread_mutex_lock(&engine->edition_lock);
	rules = dal_rules_ref(engine->edition.app->rules);
	pthread_mutex_unlock(&engine->edition_lock);
	return rules;
}

const char *dal_engine_name(const struct dal_engine *engine)
{
	return engine->name;
}

struct dal_http_server *dal_engine_server(struct dal_engine *engine)
{
	return engine->server;
}

struct dal_log *dal_engine_log(struct dal_engine *engine)
{
	return engine->log;
}

struct dal_state *dal_engine_state(struct dal_engine *engine)
{
	return engine->state;
}

uint16_t dal_engine_lanes(const struct dal_engine *engine)
{
	return engine->lane_count;
}

struct dal_worker *dal_engine_worker(struct dal_engine *engine, uint16_t lane)
{
	return dal_app_lane_worker(engine->lanes[lane]);
}

struct dal_dispatch *dal_engine_dispatch(struct dal_engine *engine, uint16_t lane)
{
	return dal_app_lane_dispatch(engine->lanes[lane]);
}

struct dal_functions *dal_engine_functions(struct dal_engine *engine)
{
	return engine->functions;
}

int64_t dal_engine_started_us(const struct dal_engine *engine)
{
	return engine->started_us;
}

bool dal_engine_ready(struct dal_engine *engine)
{
	struct dal_log_room room;
	bool building = false;

	for (uint16_t i = 0; i < engine->lane_count; i++) {
		building = building || dal_worker_building(dal_engine_worker(engine, i));
	}
	return !building && !atomic_load(&engine->broken) && dal_log_has_room(engine->log, &room);
}

void dal_engine_listen(struct dal_engine *engine, struct dal_engine_listener *listener)
{
	pthread_mutex_lock(&engine->listeners_lock);
	listener->next = engine->listeners;
	engine->listeners = listener;
	pthread_mutex_unlock(&engine->listeners_lock);
}

void dal_engine_unlisten(struct dal_engine *engine, struct dal_engine_listener *listener)
{
	struct dal_engine_listener **link = &engine->listeners;

	pthread_mutex_lock(&engine->listeners_lock);
	while (*link && *link != listener) {
		link = &(*link)->next;
	}
	if (*link) {
		*link = listener->next;
	}
	pthread_mutex_unlock(&engine->listeners_lock);
}

void dal_engine_rule_counters(struct dal_engine *engine, const char *rule,
			      struct dal_rule_counters *counters)
{
	dal_watch_counters(engine->watch, rule, counters);
}

/* --- who listens --- */

void dal_engine_listeners_call(struct dal_engine *engine, bool advanced)
{
	struct dal_engine_listener *listener;

	pthread_mutex_lock(&engine->listeners_lock);
	for (listener = engine->listeners; listener; listener = listener->next) {
		if (advanced && listener->advanced) {
			listener->advanced(listener->own);
		} else if (!advanced && listener->folded) {
			listener->folded(listener->own);
		}
	}
	pthread_mutex_unlock(&engine->listeners_lock);
}
