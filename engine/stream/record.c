/* A record of the log on its way to being an event. The embedded log gives events only; others give
 * what anybody may have written. */
#include "engine/stream/lane_private.h"

/* What stands for an event that there isn't: its place, for the report. */
static void event_absent(struct dal_lane *lane, const struct dal_log_record *record)
{
	lane->absent = (struct dal_event){.place = record->place,
					  .appended_us = record->appended_us};
	lane->event = &lane->absent;
}

int dal_lane_record(struct dal_lane *lane, const struct dal_log_batch *batch, size_t index)
{
	const struct dal_log_record *record = &batch->records[index];
	bool halts = false;
	int r;

	lane->events = batch;
	lane->index = index;
	if (record->refused.size > 0) {
		dal_error_set(&lane->reason, "%.*s", (int)record->refused.size,
			      record->refused.data);
		event_absent(lane, record);
		return DAL_RECORD_REFUSED;
	}
	r = dal_evaluator_parse(lane->evaluator, batch, index, &lane->event, &lane->reason);
	if (r == DAL_EVALUATOR_BROKEN) {
		event_absent(lane, record);
		return DAL_RECORD_REFUSED;
	}
	if (r == 0 && record->untrusted &&
	    !dal_log_accept(lane->options.log, record, lane->event, &halts, &lane->reason)) {
		event_absent(lane, record);
		return halts ? DAL_RECORD_HALTS : DAL_RECORD_REFUSED;
	}
	return r;
}
