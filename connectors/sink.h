/*
 * Where connectors put what came in: the log, behind a struct of callbacks that the app fills in.
 *
 * So connectors know nothing of the log. The caller keeps a batch, and all it points to, until
 * `done`, which comes on the log writer's thread: be short there.
 */
#ifndef DAL_CONNECTORS_SINK_H
#define DAL_CONNECTORS_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"
#include "engine/event/event.h"

struct dal_sink_item {
	struct dal_slice topic;
	struct dal_slice event; /* structured JSON, validated */
	struct dal_slice dedup; /* what a repeat is told by; empty: never a repeat */
	struct dal_place place; /* result; of a repeat, the first one's */
	bool repeated;          /* result */
};

enum {
	DAL_SINK_FULL = 1,      /* 503, Retry-After */
	DAL_SINK_DISK = 2,      /* 503: the disk is near its mark */
	DAL_SINK_CONFLICT = 3,  /* 422: this idempotency key came with another body */
	DAL_SINK_AWAY = 4,      /* 503: the log's brokers are away; it may be kept all the same */
	DAL_SINK_TOO_LARGE = 5, /* 413: an event is larger than its topic takes */
	DAL_SINK_REFUSED = 6,   /* 502: the log does not take it, and never will; see `reason` */
};

struct dal_sink_batch {
	struct dal_sink_item *items; /* all or none are kept */
	size_t count;
	struct dal_slice request_key;  /* Idempotency-Key, or empty */
	struct dal_slice request_body; /* a digest of the body, at least 16 bytes */
	void (*done)(struct dal_sink_batch *batch,
		     int result); /* 0: durable; else as above, or negative */
	void *own;
	const char *reason; /* result: the log's own words for the last two, static; or NULL */
	void *private_[16]; /* the sink's own */
};

struct dal_sink {
	/* 0: `done` will be called, once. Otherwise (as above) it won't. Any thread. */
	int (*append)(void *own, struct dal_sink_batch *batch);
	/* Is there such a topic (`events`, or one that the app names)? */
	bool (*has_topic)(void *own, struct dal_slice topic);
	void *own;
};

#endif
