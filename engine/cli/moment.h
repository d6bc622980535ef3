/*
 * A place in history as people say it: a position, a bare offset, an RFC 3339 time, or a time back
 * from now ("-1h"). Times mean when the log took an event.
 */
#ifndef DAL_CLI_MOMENT_H
#define DAL_CLI_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/log/log.h"

struct dal_moment {
	bool is_time;
	bool is_start; /* offset 0 or 1: whatever there is */
	uint64_t offset;
	int64_t time_us;
};

bool dal_moment_parse(const char *text, struct dal_moment *moment);
/* Does the record come before it? Offsets are those of the embedded log: on one with partitions
 * only times and the start tell an order. */
bool dal_moment_after(const struct dal_moment *moment, const struct dal_log_record *record);
/* As the engine reads it: an offset or an absolute time. Appends. */
void dal_moment_print(const struct dal_moment *moment, struct dal_buffer *out);

#endif
