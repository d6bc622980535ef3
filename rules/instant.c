/*
 * Times as RFC 3339 writes them, compared as instants.
 */
#include "engine/base/clock.h"
#include "rules/pattern_tree.h"

#define SECOND_US INT64_C(1000000)
#define MINUTE_SIZE 16 /* "2026-11-24T10:13" */

/* The digits of a fraction that a clock's microseconds leave out. */
static uint32_t below_microseconds(struct dal_slice text)
{
	size_t at = MINUTE_SIZE + sizeof(":26.") - 1 + 6;
	bool leap_second = memcmp(text.data + MINUTE_SIZE, ":60", 3) == 0;
	uint32_t nanoseconds = 0;

	if (leap_second || text.data[MINUTE_SIZE + 3] != '.') {
		return 0;
	}
	for (size_t i = MINUTE_SIZE + 4; i < at; i++) { /* shorter: nothing is left out */
		if (i >= text.size || text.data[i] < '0' || text.data[i] > '9') {
			return 0;
		}
	}
	for (uint32_t unit = 100; unit > 0 && at < text.size; unit /= 10, at++) {
		if (text.data[at] < '0' || text.data[at] > '9') {
			break;
		}
		nanoseconds += unit * (uint32_t)(text.data[at] - '0');
	}
	return nanoseconds;
}

bool dal_instant_read(struct dal_slice text, struct dal_instant *instant)
{
	int64_t time_us;
	if (!dal_clock_parse(text, &time_us)) {
		return false;
	}
	int64_t below_us = (time_us % SECOND_US + SECOND_US) % SECOND_US;
	instant->seconds = (time_us - below_us) / SECOND_US;
	instant->nanoseconds = (uint32_t)below_us * 1000 + below_microseconds(text);
	return true;
}

int dal_instant_compare(const struct dal_instant *a, const struct dal_instant *b)
{
	if (a->seconds != b->seconds) {
		return a->seconds < b->seconds ? -1 : 1;
	}
	return (a->nanoseconds > b->nanoseconds) - (a->nanoseconds < b->nanoseconds);
}

bool dal_instant_print(const struct dal_instant *instant, struct dal_buffer *out)
{
	char text[DAL_CLOCK_TEXT_BYTES];
	int64_t again;

	dal_clock_format(instant->seconds * SECOND_US, text);
	if (!dal_clock_parse(dal_slice_text(text), &again)) {
		return false;
	}
	struct dal_slice second = dal_slice(text, strlen(text) - 1); /* without its Z */
	dal_buffer_slice_append(out, second);
	if (instant->nanoseconds > 0) {
		size_t end;
		dal_buffer_printf(out, ".%09u", instant->nanoseconds);
		for (end = out->size; out->data[end - 1] == '0'; end--) {
		}
		out->size = end;
	}
	dal_buffer_byte(out, 'Z');
	return true;
}
