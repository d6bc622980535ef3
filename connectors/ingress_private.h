/*
 * What the files of POST /v1/events share. Private to this folder.
 *
 * ingress.c reads the head of a request and gathers its body; structured.c, binary.c and batch.c
 * make the events of a gathered body; post.c hands them to the sink and answers; ndjson.c takes a
 * body of any length in groups, which group.c brings to the sink, and pacer.c once more if it was
 * full.
 */
#ifndef DAL_CONNECTORS_INGRESS_PRIVATE_H
#define DAL_CONNECTORS_INGRESS_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "connectors/connectors.h"
#include "connectors/counts.h"
#include "connectors/gather.h"
#include "connectors/media.h"
#include "engine/base/digest.h"
#include "engine/base/limits.h"
#include "engine/event/event.h"
#include "engine/event/json.h"

#define DAL_INGRESS_PARSERS 8     /* kept; more are made and freed */
#define DAL_INGRESS_KEY_BYTES 255 /* of an Idempotency-Key */

struct dal_ndjson;

struct dal_ingress {
	struct dal_sink sink;
	uint64_t event_bytes;
	struct dal_gatherer gatherer;
	struct dal_counts counts;
	atomic_size_t streams; /* NDJSON bodies, until their last group is done */
	atomic_bool quit;
	pthread_mutex_t lock; /* guards what follows */
	struct dal_json *parsers[DAL_INGRESS_PARSERS];
	size_t parser_count;
	struct dal_ndjson *waiting; /* the sink was full for them */
	pthread_cond_t changed;     /* streams, waiting, quit */
	pthread_t pacer;
};

struct dal_json *dal_ingress_parser(struct dal_ingress *ingress);                 /* take one ... */
void dal_ingress_parser_done(struct dal_ingress *ingress, struct dal_json *json); /* give it back */

/* Why an event is refused. */
struct dal_fault {
	int status;
	bool placed;     /* `position` says where */
	size_t position; /* bytes from the start of the event's text */
	struct dal_error error;
};

/* Is this text an event that may come in? False: `fault` is filled. `flags` are of dal_json_parse.
 */
bool dal_ingress_check(const struct dal_ingress *ingress, struct dal_json *json,
		       struct dal_slice text, int flags, struct dal_event *event,
		       struct dal_fault *fault);
/* Without the whitespace of JSON around it. */
struct dal_slice dal_ingress_trim(struct dal_slice text);
/* Appends what a repeat is told by: the source, a NUL, the id (neither can have a NUL). */
void dal_ingress_dedup(const struct dal_event *event, struct dal_buffer *out);

enum dal_post_mode {
	DAL_POST_BINARY,
	DAL_POST_STRUCTURED,
	DAL_POST_BATCH,
	DAL_POST_JSON, /* application/json: an object is structured, an array a batch */
	DAL_POST_NDJSON,
};

/* One POST with a body that is gathered. Attached to its request. */
struct dal_post {
	struct dal_ingress *ingress;
	struct dal_http_request *request;
	enum dal_post_mode mode;
	struct dal_slice topic;
	struct dal_slice idempotency_key; /* or empty */
	struct dal_gathered gathered;
	struct dal_buffer event; /* the structured form of a binary one */
	struct dal_buffer dedup; /* of all items, one behind the other */
	struct dal_sink_item one, *many;
	struct dal_sink_batch batch;
	struct dal_digest digest;
	struct dal_ndjson *ndjson;
};

/* Each answers, now or later. They run when the body is there whole. */
void dal_post_structured(struct dal_post *post);
void dal_post_binary(struct dal_post *post);
void dal_post_batch(struct dal_post *post);

/* The body without whitespace around it. */
struct dal_slice dal_post_text(const struct dal_post *post);
/* `at` is where the event begins in the body, `index` its place in a batch, or -1. */
void dal_post_refuse(struct dal_post *post, const struct dal_fault *fault, size_t at, long index);
/* One checked event. */
void dal_post_keep_one(struct dal_post *post, struct dal_slice text, const struct dal_event *event);
/* Hands the batch to the sink; `body` is what a second request with the same key must equal. */
void dal_post_append(struct dal_post *post, struct dal_slice body);

/* --- NDJSON --- */

/* `key`: an Idempotency-Key, or empty. Both are copied. */
struct dal_ndjson *dal_ndjson_new(struct dal_ingress *ingress, struct dal_http_request *request,
				  struct dal_slice topic, struct dal_slice key);
/* As dal_http_body. */
int dal_ndjson_take(struct dal_ndjson *stream, struct dal_slice piece);
void dal_ndjson_end(struct dal_ndjson *stream);
/* The request has ended. What has come in whole lines is kept. */
void dal_ndjson_release(struct dal_ndjson *stream);

/* The thread that tries again where the sink was full (pacer.c). */
void dal_pacer_start(struct dal_ingress *ingress);
void dal_pacer_stop(struct dal_ingress *ingress); /* waits for the last group */

#endif
