#include "engine/api/attention.h"

#include <stdio.h>

#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "state/view.h"

#define PARKED_MAX 100

struct attention {
	struct dal_json_writer *w;
	struct dal_api *api;
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

static void put_lane(struct attention *a, const struct dal_worker_status *status)
{
	const struct dal_lane_halt *halt = &status->halt;
	char *what;

	if (status->halted) {
		what = dal_asprintf("the lane is halted by \"%s\": %s", halt->declaration,
				    halt->message);
		put(a->w, what, halt->since_us, &halt->place, DAL_REMEDY_HALTED);
		free(what);
	}
	if (status->paused) {
		what = dal_asprintf("reading is paused: %llu calls wait for their functions",
				    (unsigned long long)status->undelivered);
		put(a->w, what, 0, NULL,
		    "see below which functions don't get on: give them more instances, repair or "
		    "remove them; or raise limits.rows");
		free(what);
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

	put(a->w, what, dal_api_appended_us(a->api, entry->parked_at.offset), &entry->parked_at,
	    DAL_REMEDY_PARKED);
	free(what);
	return ++a->parked < PARKED_MAX;
}

static void on_function(const struct dal_dispatch_status *status, void *own)
{
	struct attention *a = own;
	char *what;

	if (status->obstacle[0] == '\0') {
		return;
	}
	what = dal_asprintf("function \"%s\" is not called", status->function);
	put(a->w, what, status->oldest_us, NULL, status->obstacle);
	free(what);
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

void dal_attention_put(struct dal_json_writer *writer, struct dal_api *api,
		       const struct dal_worker_status *status)
{
	struct attention a = {writer, api, 0};

	dal_json_key(writer, "attention");
	dal_json_begin_array(writer);
	put_lane(&a, status);
	put_disk(&a);
	dal_dispatch_status(dal_engine_dispatch(api->engine), on_function, &a);
	dal_view_parked_scan(dal_engine_state(api->engine), DAL_API_LANE, on_parked, &a);
	put_dead(&a, status->dead);
	dal_json_end_array(writer);
}
