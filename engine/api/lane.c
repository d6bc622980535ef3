/* Where the lane stands, for all that tell it. */
#include "engine/api/api_private.h"

#include "engine/base/clock.h"

void dal_api_worker_status(struct dal_api *api, struct dal_worker_status *status)
{
	dal_worker_status(dal_engine_worker(api->engine), status);
	if (status->end < status->next) {
		status->end = status->next; /* it was read first, and is older */
	}
}

uint64_t dal_api_lag_events(const struct dal_worker_status *status)
{
	return status->end - status->next;
}

int64_t dal_api_appended_us(struct dal_api *api, uint64_t offset)
{
	struct dal_log_mark mark = {dal_slice_text("*"), offset};
	struct dal_log_batch batch = {0};
	struct dal_log_reader *reader;
	int64_t time_us = 0;

	if (dal_log_reader_new(dal_engine_log(api->engine), DAL_API_LANE, &mark, 1, NULL,
			       &reader) != 0) {
		return 0;
	}
	if (dal_log_read(reader, 1, 1, &batch) == 0 && batch.records[0].place.offset == offset) {
		time_us = batch.records[0].appended_us;
	}
	dal_log_batch_release(&batch);
	dal_log_reader_free(reader);
	return time_us;
}

int64_t dal_api_lag_us(struct dal_api *api, const struct dal_worker_status *status)
{
	int64_t since_us = dal_api_lag_events(status) > 0 ? dal_api_appended_us(api, status->next)
							  : 0;
	int64_t lag_us = since_us > 0 ? dal_clock_now_us() - since_us : 0;

	return lag_us > 0 ? lag_us : 0;
}
