/* Where the lanes stand, for all that tell it. */
#include "engine/api/api_private.h"

#include "engine/base/clock.h"
#include "engine/base/memory.h"

bool dal_api_one_sequence(const struct dal_api *api)
{
	return dal_log_kind(dal_engine_log(api->engine)) == DAL_LOG_EMBEDDED;
}

void dal_api_worker_status(struct dal_api *api, uint16_t lane, struct dal_worker_status *status)
{
	dal_worker_status(dal_engine_worker(api->engine, lane), status);
}

struct dal_worker_status *dal_api_lanes_take(struct dal_api *api, uint16_t *count)
{
	struct dal_worker_status *lanes;

	*count = dal_engine_lanes(api->engine);
	lanes = dal_calloc(*count, sizeof(*lanes));
	for (uint16_t i = 0; i < *count; i++) {
		dal_api_worker_status(api, i, &lanes[i]);
	}
	return lanes;
}

void dal_api_lanes_free(struct dal_worker_status *lanes, uint16_t count)
{
	for (uint16_t i = 0; i < count; i++) {
		dal_worker_status_deinit(&lanes[i]);
	}
	free(lanes);
}

bool dal_api_ready(struct dal_api *api)
{
	struct dal_log_status log;

	dal_log_status(dal_engine_log(api->engine), &log);
	return dal_engine_ready(api->engine) && !log.away && !log.paused;
}

/* --- where they stand --- */

void dal_api_stand_take(struct dal_api *api, struct dal_api_stand *stand)
{
	stand->count = dal_engine_lanes(api->engine);
	stand->lanes = dal_calloc(stand->count, sizeof(*stand->lanes));
	for (uint16_t i = 0; i < stand->count; i++) {
		dal_worker_position(dal_engine_worker(api->engine, i), &stand->lanes[i]);
	}
}

void dal_api_stand_deinit(struct dal_api_stand *stand)
{
	for (uint16_t i = 0; i < stand->count; i++) {
		dal_position_deinit(&stand->lanes[i]);
	}
	free(stand->lanes);
	*stand = (struct dal_api_stand){0};
}

bool dal_api_stand_equal(const struct dal_api_stand *a, const struct dal_api_stand *b)
{
	bool equal = a->count == b->count;

	for (uint16_t i = 0; equal && i < a->count; i++) {
		equal = dal_position_equal(&a->lanes[i], &b->lanes[i]);
	}
	return equal;
}

/* --- how far behind --- */

uint64_t dal_api_lag_events(const struct dal_worker_status *status)
{
	return dal_position_distance(&status->next, &status->end);
}

/* When the event at this offset of the embedded log was appended; 0: it can't be read. */
static int64_t appended_us(struct dal_api *api, uint64_t offset)
{
	struct dal_log_batch batch = {0};
	struct dal_log_reader *reader;
	int64_t time_us = 0;

	if (dal_log_reader_new(dal_engine_log(api->engine), 0, DAL_POSITION_AT(offset), NULL,
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

int64_t dal_api_appended_us(struct dal_api *api, const struct dal_place *place)
{
	return dal_api_one_sequence(api) ? appended_us(api, place->offset) : 0;
}

int64_t dal_api_lag_us(struct dal_api *api, const struct dal_worker_status *status)
{
	struct dal_slice topics = dal_slice_text(DAL_POSITION_ALL_TOPICS);
	int64_t since_us, lag_us;

	if (dal_api_lag_events(status) == 0) {
		return 0;
	}
	since_us = status->appended_us > status->behind_us ? status->appended_us
							   : status->behind_us;
	if (dal_api_one_sequence(api)) {
		since_us = appended_us(api, dal_position_next(&status->next, topics, 0));
	}
	lag_us = since_us > 0 ? dal_clock_now_us() - since_us : 0;
	return lag_us > 0 ? lag_us : 0;
}
