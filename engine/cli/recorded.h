/*
 * Events as people keep them: bare, with or without id, source and time, or as `dalamb tail` and
 * GET /v1/events give them ({"position", "appended", "event"}).
 */
#ifndef DAL_CLI_RECORDED_H
#define DAL_CLI_RECORDED_H

#include "engine/base/error.h"
#include "engine/log/log.h"

struct dal_recorded {
	struct dal_log_record *records;
	struct dal_buffer *texts; /* one a record, padded */
	size_t count, capacity;
	char **topics;
	size_t topic_count;
};

/*
 * Adds one event. What a bare one lacks is filled in: id "test-N", source "/test", a time (N
 * seconds into 2026), the next offset of `events`; a type of dalamb's own is on `system` with its
 * source
 * "/dalamb/<app>". 0, or 1 with `error` filled.
 */
int dal_recorded_add(struct dal_recorded *recorded, struct dal_slice json, const char *app,
		     struct dal_error *error);
/* The records as a batch, valid until something is added. */
struct dal_log_batch dal_recorded_batch(const struct dal_recorded *recorded);
/* A record as a line of GET /v1/events has it, without its end. Appends. */
void dal_recorded_put(const struct dal_log_record *record, struct dal_buffer *out);
void dal_recorded_deinit(struct dal_recorded *recorded);

#endif
