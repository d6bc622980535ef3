#include "engine/cli/moment.h"

#include "engine/base/clock.h"

bool dal_moment_parse(const char *text, struct dal_moment *moment)
{
	struct dal_place place;
	int64_t back_us;

	*moment = (struct dal_moment){0};
	if (dal_place_parse(dal_slice_text(text), DAL_TOPIC_EVENTS, &place)) {
		moment->offset = place.offset;
		moment->is_start = dal_slice_is(dal_slice_text(text), "0") ||
				   dal_slice_is(dal_slice_text(text), "1");
		return true;
	}
	moment->is_time = true;
	if (text[0] == '-' && dal_clock_parse_duration(dal_slice_text(text + 1), &back_us)) {
		moment->time_us = dal_clock_now_us() - back_us;
		return true;
	}
	return dal_clock_parse(dal_slice_text(text), &moment->time_us);
}

bool dal_moment_after(const struct dal_moment *moment, const struct dal_log_record *record)
{
	if (moment->is_time) {
		return record->appended_us < moment->time_us;
	}
	return !moment->is_start && record->place.offset < moment->offset;
}

void dal_moment_print(const struct dal_moment *moment, struct dal_buffer *out)
{
	char time[DAL_CLOCK_TEXT_BYTES];

	if (moment->is_time) {
		dal_clock_format(moment->time_us, time);
		dal_buffer_text(out, time);
	} else {
		dal_buffer_printf(out, "%llu", (unsigned long long)moment->offset);
	}
}
