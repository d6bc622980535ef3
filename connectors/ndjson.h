/*
 * An NDJSON body on its way: lines are gathered in groups, a few groups are with the sink at once.
 *
 * Private to ndjson.c (the HTTP thread: bytes to lines to events), group.c (groups to the sink and
 * the answer: any thread, under the lock) and pacer.c. While `busy` the HTTP thread fills a group
 * without the lock; otherwise whoever holds the lock may send it off. Events keep their order:
 * groups go to the sink one after the other, and when `append` says full for one the next ones wait
 * behind it (when only `done` says so, the next one may be ahead already). Memory: at most
 * DAL_GROUPS groups, each of the target's size, one piece and one line.
 */
#ifndef DAL_CONNECTORS_NDJSON_H
#define DAL_CONNECTORS_NDJSON_H

#include "connectors/ingress_private.h"

#define DAL_GROUPS 3 /* one is filled, the others are with the sink */
#define DAL_GROUP_EVENTS 4096
#define DAL_GROUP_BYTES_MOST (1 * DAL_MIB)
#define DAL_GROUP_BYTES_LEAST (64 * DAL_KIB)
#define DAL_NDJSON_BYTES (128 * DAL_MIB) /* of all groups of all streams, as a target */
#define DAL_NDJSON_ERRORS 100            /* reported */

struct dal_group {
	struct dal_group *next;
	struct dal_ndjson *stream;
	uint64_t sequence, first_line;
	struct dal_buffer text;  /* lines as they came; events are slices of it */
	size_t line;             /* where the line begins that has no end yet */
	size_t seen;             /* up to here it has none */
	struct dal_buffer dedup; /* of all items, one behind the other */
	struct dal_sink_batch batch;
	size_t capacity; /* of batch.items */
};

/* The places of the first and last line that were accepted, or else repeated. */
struct dal_span {
	bool any;
	uint64_t first_sequence, last_sequence;
	struct dal_buffer first, last; /* text */
};

struct dal_ndjson {
	struct dal_ingress *ingress;
	struct dal_buffer topic, key;

	/* Of the HTTP thread, until the end. */
	uint64_t lines;
	bool skipping; /* the rest of a line that is too long */
	uint64_t refused;
	struct dal_buffer errors; /* JSON, without brackets */

	pthread_mutex_t lock;             /* guards what follows */
	struct dal_http_request *request; /* NULL: it has ended */
	bool busy, paused, ended, answered, pumping, waiting;
	int failure; /* what the sink said; nothing more is kept */
	const char *reason;
	uint64_t failed_line;
	size_t refs;   /* the request, each group that was sent off, the pacer */
	size_t flying; /* groups sent off and not done */
	uint64_t sequence;
	struct dal_group *filling; /* of the HTTP thread while busy */
	struct dal_group *idle, *queue, **queue_end;
	uint64_t accepted, repeated;
	struct dal_span kept, known;
	struct dal_ndjson *next_waiting; /* of the ingress */
};

/* Around the filling. `_begin`: false if nothing more is kept. `_turn`: as dal_http_body; `last`:
 * the body has ended. */
bool dal_ndjson_begin(struct dal_ndjson *stream);
int dal_ndjson_turn(struct dal_ndjson *stream, bool last);
/* Brings what is queued to the sink. Any thread that holds a reference. */
void dal_ndjson_pump(struct dal_ndjson *stream);
void dal_ndjson_unref(struct dal_ndjson *stream);
/* Takes over a reference: tries again after a while. False: it is too late for that. */
bool dal_pacer_wait(struct dal_ndjson *stream);

#endif
