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
};

static void refuse(const struct wait *wait)
{
	struct dal_worker_status status;

	if (dal_clock_monotonic_us() < wait->waiter.deadline_us) {
		dal_http_problem(wait->request, 503,
				 "the engine is stopping: ask again once it runs");
		return;
	}
	dal_api_worker_status(wait->api, &status);
	dal_http_problem(wait->request, 504,
			 "the event at offset %llu is not folded in yet: the lane stands at %llu, "
			 "the log ends at %llu%s. Ask again, or with a longer `timeout`",
			 (unsigned long long)wait->waiter.offset,
			 (unsigned long long)status.next - 1, (unsigned long long)status.end - 1,
			 status.halted ? ", and a rule halted the lane: see GET /v1/status" : "");
}

static void on_done(struct dal_worker_waiter *waiter, bool reached)
{
	struct wait *wait = DAL_CONTAINER(waiter, struct wait, waiter);

	if (reached) {
		wait->answer(wait->api, wait->request, !pthread_equal(wait->asker, pthread_self()));
	} else {
		refuse(wait);
	}
	dal_api_unref(wait->api);
	free(wait);
}

void dal_api_when_folded(struct dal_api *api, struct dal_http_request *request,
			 void (*answer)(struct dal_api *api, struct dal_http_request *request,
					bool late))
{
	uint64_t offset;
	int64_t timeout_us;
	bool given;
	struct wait *wait;

	if (!dal_api_position(request, "min-position", &given, &offset) ||
	    !dal_api_duration(request, "timeout", TIMEOUT_US, TIMEOUT_MAX_US, &timeout_us)) {
		return;
	}
	if (!given) {
		answer(api, request, false);
		return;
	}
	wait = dal_calloc(1, sizeof(*wait));
	*wait = (struct wait){
		.waiter = {.offset = offset,
			   .deadline_us = dal_clock_monotonic_us() + timeout_us,
			   .done = on_done},
		.api = dal_api_ref(api),
		.request = request,
		.asker = pthread_self(),
		.answer = answer,
	};
	dal_worker_wait(dal_engine_worker(api->engine), &wait->waiter);
}
