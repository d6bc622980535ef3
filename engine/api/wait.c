/* min-position: a producer reads its own write. */
#include "engine/api/api_private.h"

#include "engine/base/clock.h"
#include "engine/base/memory.h"

#define TIMEOUT_US (5ll * 1000000)
#define TIMEOUT_MAX_US (60ll * 1000000)

struct wait {
	struct dal_worker_waiter waiter;
	struct dal_api *api;
	struct dal_http_request *request;
	pthread_t asker;
	void (*answer)(struct dal_api *api, struct dal_http_request *request, bool late);
	char *topic; /* of the place */
};

static uint16_t lane_of(const struct dal_place *place)
{
	return (uint16_t)place->partition; /* which is there: it has been checked */
}

static void wait_free(struct wait *wait)
{
	dal_api_unref(wait->api);
	free(wait->topic);
	free(wait);
}

static void refuse_late(const struct wait *wait)
{
	const struct dal_place *place = &wait->waiter.place;
	struct dal_worker_status status;
	struct dal_buffer text = {0};
	uint64_t next, end;

	dal_api_worker_status(wait->api, lane_of(place), &status);
	next = dal_position_next(&status.next, place->topic, place->partition);
	end = dal_position_next(&status.end, place->topic, place->partition);
	dal_place_format(place, &text);
	dal_http_problem(wait->request, 504,
			 "the event %s is not folded in yet: its lane stands at offset %llu, the "
			 "log ends at %llu%s. Ask again, or with a longer `timeout`",
			 dal_buffer_cstr(&text), (unsigned long long)(next > 0 ? next - 1 : 0),
			 (unsigned long long)(end > 0 ? end - 1 : 0),
			 status.halted ? ", and it is halted: see GET /v1/status" : "");
	dal_buffer_deinit(&text);
	dal_worker_status_deinit(&status);
}

static void refuse(const struct wait *wait)
{
	if (dal_clock_monotonic_us() < wait->waiter.deadline_us) {
		dal_http_problem(wait->request, 503,
				 "the engine is stopping: ask again once it runs");
	} else {
		refuse_late(wait);
	}
}

static void on_done(struct dal_worker_waiter *waiter, bool reached)
{
	struct wait *wait = DAL_CONTAINER(waiter, struct wait, waiter);

	if (reached) {
		wait->answer(wait->api, wait->request, !pthread_equal(wait->asker, pthread_self()));
	} else {
		refuse(wait);
	}
	wait_free(wait);
}

void dal_api_when_folded(struct dal_api *api, struct dal_http_request *request,
			 void (*answer)(struct dal_api *api, struct dal_http_request *request,
					bool late))
{
	struct dal_place place;
	int64_t timeout_us;
	bool given;
	struct wait *wait;

	if (!dal_api_position(request, dal_engine_log(api->engine), "min-position", &given,
			      &place) ||
	    !dal_api_duration(request, "timeout", TIMEOUT_US, TIMEOUT_MAX_US, &timeout_us)) {
		return;
	}
	if (!given) {
		answer(api, request, false);
		return;
	}
	wait = dal_calloc(1, sizeof(*wait));
	*wait = (struct wait){
		.waiter = {.place = place,
			   .deadline_us = dal_clock_monotonic_us() + timeout_us,
			   .done = on_done},
		.api = dal_api_ref(api),
		.request = request,
		.asker = pthread_self(),
		.answer = answer,
		.topic = dal_slice_dup(place.topic),
	};
	wait->waiter.place.topic.data = wait->topic;
	dal_worker_wait(dal_engine_worker(api->engine, lane_of(&place)), &wait->waiter);
}
