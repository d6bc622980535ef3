/*
 * Time: what the clocks say, RFC 3339 text, and durations as people write them.
 *
 * Times are int64_t microseconds since 1970-01-01 UTC (`_us`); durations say their unit.
 * Rules never see a clock; the worker gets append times from the log. Any thread.
 */
#ifndef DAL_BASE_CLOCK_H
#define DAL_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"

int64_t dal_clock_now_us(void);       /* CLOCK_REALTIME */
int64_t dal_clock_monotonic_us(void); /* CLOCK_MONOTONIC: for time-outs and durations */
int64_t dal_clock_thread_cpu_us(void);

#define DAL_CLOCK_TEXT_BYTES 32

/* "2026-11-24T10:13:26.123456Z"; a whole second has no fraction. `out` is NUL-terminated. */
void dal_clock_format(int64_t time_us, char out[DAL_CLOCK_TEXT_BYTES]);
/*
 * RFC 3339 section 5.6, any offset, `t`/`z` in either case, a leap second becomes the next second's
 * start; digits past microseconds are cut. False if it is not such a time.
 */
bool dal_clock_parse(struct dal_slice text, int64_t *time_us);
/* "250ms", "10s", "5m", "24h", "7d", "0". False if it is anything else, or over 100 years. */
bool dal_clock_parse_duration(struct dal_slice text, int64_t *duration_us);

#endif
