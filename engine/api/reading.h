/*
 * Reading the log for one client: filter, range, one of three forms, in bounded pieces.
 *
 * It is what fills the stream of GET /v1/events: each call of the pool looks at a bounded number of
 * events, so that a filter that matches nothing in a long log holds up nobody, and a slow client
 * costs one piece of memory.
 */
#ifndef DAL_API_READING_H
#define DAL_API_READING_H

#include "engine/api/api_private.h"
#include "engine/event/json.h"

enum dal_reading_form {
	DAL_READING_JSON,   /* {"events": [...], "cursor"} */
	DAL_READING_NDJSON, /* a line each */
	DAL_READING_TAIL,   /* SSE without end */
};

struct dal_reading {
	struct dal_api_sleeper sleeper; /* its stream is set before it is filled */
	struct dal_api *api;
	enum dal_reading_form form;
	char *topic, *type, *subject; /* or NULL: any */
	uint16_t lane;                /* or DAL_LOG_ALL_LANES */
	struct dal_position next, to; /* [next, to); of a tail `to` is not looked at */
	uint64_t limit, given;        /* limit 0: none */

	/* private */
	int64_t read_us; /* when there was something last, monotonic */
	struct dal_log_reader *reader;
	struct dal_log_batch batch;
	size_t index; /* in the batch */
	struct dal_json *json;
	bool begun;
};

/* Opens the log's reader at `next`. 0, -ENOENT: there is no such topic. */
int dal_reading_open(struct dal_reading *reading);
/* Of one that was not given to a stream. */
void dal_reading_drop(struct dal_reading *reading);
/* As `fill` and `release` of a stream; the latter frees it. */
int dal_reading_fill(struct dal_buffer *out, void *reading);
void dal_reading_release(void *reading);

#endif
