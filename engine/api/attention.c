#include "engine/api/attention.h"

#include <stdlib.h>

#include "engine/api/figures.h"
#include "engine/app/reload.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "state/view.h"

#define PARKED_MAX 100

struct attention {
	struct dal_json_writer *w;
	struct dal_api *api;
	uint16_t lanes;
	size_t parked;
};

static void put(struct dal_json_writer *w, const char *what, int64_t since_us,
		const struct dal_place *at, const char *remedy)
{
	dal_json_begin_object(w);
	dal_json_key(w, "what");
	dal_json_put_text(w, what);
	if (since_us > 0) {
		dal_json_key(w, "since");
		dal_json_put_time(w, since_us);
	}
	if (at) {
		dal_json_key(w, "at");
		dal_api_put_place(w, at);
	}
	dal_json_key(w, "remedy");
	dal_json_put_text(w, remedy);
	dal_json_end_object(w);
}

const char *dal_attention_remedy(const struct dal_lane_halt *halt)
{
	return halt->declaration[0] ? DAL_REMEDY_HALTED : DAL_REMEDY_LOG;
}

static void put_halted(struct attention *a, const char *lane, const struct dal_lane_halt *halt)
{
	char *what;

	if (halt->declaration[0]) {
		what = dal_asprintf("%s is halted by \"%s\": %s", lane, halt->declaration,
				    halt->message);
	} else {
		what = dal_asprintf("%s is halted by the log: %s", lane, halt->message);
	}
	put(a->w, what, halt->since_us, &halt->place, dal_attention_remedy(halt));
	free(what);
}

static void put_lane(struct attention *a, const char *lane, const struct dal_worker_status *status)
{
	char *what;

	if (status->halted) {
		put_halted(a, lane, &status->halt);
	}
	if (status->paused) {
		what = dal_asprintf("%s is paused: %llu calls wait for their functions",
				    a->lanes == 1 ? "reading" : lane,
				    (unsigned long long)status->undelivered);
		put(a->w, what, 0, NULL,
		    "see below which functions don't get on: give them more instances, repair or "
		    "remove them; or raise limits.rows");
		free(what);
	}
}

static void put_lanes(struct attention *a, const struct dal_worker_status *lanes)
{
	for (uint16_t i = 0; i < a->lanes; i++) {
		char *name = a->lanes == 1 ? dal_strdup("the lane") : dal_asprintf("lane %u", i);
		put_lane(a, name, &lanes[i]);
		free(name);
	}
}

static void put_log(struct attention *a)
{
	struct dal_log_status log;
	char *remedy;

	dal_log_status(dal_engine_log(a->api->engine), &log);
	if (log.away) {
		remedy = dal_asprintf("%s%s" DAL_REMEDY_AWAY, log.obstacle,
				      log.obstacle[0] ? "; " : "");
		put(a->w, DAL_LOG_IS_AWAY, log.away_us, NULL, remedy);
		free(remedy);
	} else if (log.paused) {
		put(a->w, DAL_LOG_IS_PAUSED, 0, NULL, log.obstacle);
	}
}

static bool on_parked(const struct dal_view_name *name, struct dal_slice key,
		      const struct dal_view_entry *entry, void *own)
{
	struct attention *a = own;
	char *what = dal_asprintf("key \"%.*s\" of projection \"%.*s\" is parked: %.*s",
				  (int)key.size, key.data, (int)name->projection.size,
				  name->projection.data, (int)entry->message.size,
				  entry->message.data);

	put(a->w, what, dal_api_appended_us(a->api, &entry->parked_at), &entry->parked_at,
	    DAL_REMEDY_PARKED);
	free(what);
	return ++a->parked < PARKED_MAX;
}

static void put_functions(struct attention *a)
{
	struct dal_figures *list;
	size_t count = dal_figures_get(a->api, &list);
	char *what;

	for (size_t i = 0; i < count; i++) {
		if (list[i].obstacle[0] != '\0') {
			what = dal_asprintf("function \"%s\" is not called", list[i].name);
			put(a->w, what, list[i].oldest_us, NULL, list[i].obstacle);
			free(what);
		}
	}
	free(list);
}

static void put_dead(struct attention *a, uint64_t dead)
{
	char *what;

	if (dead == 0) {
		return;
	}
	what = dal_asprintf("%llu calls failed for good: they are dead letters",
			    (unsigned long long)dead);
	put(a->w, what, 0, NULL,
	    "see GET /v1/dead for the reasons; then POST /v1/dead/retry or /v1/dead/drop with "
	    "{\"rows\": [ids]} or {\"function\": name}");
	free(what);
}

static void put_disk(struct attention *a)
{
	struct dal_log_room room;
	char *what;

	if (dal_log_has_room(dal_engine_log(a->api->engine), &room)) {
		return;
	}
	what = dal_asprintf(DAL_DISK_FULL, (unsigned long long)(room.free_bytes / DAL_MIB),
			    (unsigned long long)(room.mark_bytes / DAL_MIB));
	put(a->w, what, 0, NULL, DAL_REMEDY_DISK);
	free(what);
}

static void put_parked(struct attention *a)
{
	for (uint16_t i = 0; i < a->lanes && a->parked < PARKED_MAX; i++) {
		dal_view_parked_scan(dal_engine_state(a->api->engine), i, on_parked, a);
	}
}

static void put_reload(struct attention *a)
{
	struct dal_reload_status status;
	const struct dal_error *first;
	char *what;

	dal_engine_reload_status(a->api->engine, &status);
	if (status.failed_us > 0 && status.errors.count > 0) {
		first = &status.errors.items[0];
		what = dal_asprintf("the last reload (%s) failed with %zu %s, what ran before "
				    "runs: %s%s%s",
				    status.failed_by, status.errors.count,
				    status.errors.count == 1 ? "error" : "errors", first->file,
				    first->file[0] ? ": " : "", first->text);
		put(a->w, what, status.failed_us, NULL, DAL_REMEDY_RELOAD);
		free(what);
	}
	dal_errors_deinit(&status.errors);
}

void dal_attention_put(struct dal_json_writer *writer, struct dal_api *api,
		       const struct dal_worker_status *lanes, uint16_t count)
{
	struct attention a = {.w = writer, .api = api, .lanes = count};
	uint64_t dead = 0;

	for (uint16_t i = 0; i < count; i++) {
		dead += lanes[i].dead;
	}
	dal_json_key(writer, "attention");
	dal_json_begin_array(writer);
	put_lanes(&a, lanes);
	put_log(&a);
	put_disk(&a);
	put_functions(&a);
	put_parked(&a);
	put_dead(&a, dead);
	put_reload(&a);
	dal_json_end_array(writer);
}
