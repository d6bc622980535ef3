/*
 * What comes in pieces over HTTP: lines (NDJSON), and server-sent events (WHATWG HTML, "Parsing an
 * event stream": id, event and data; comments and other fields are skipped). Main thread.
 */
#ifndef DAL_CLI_STREAM_H
#define DAL_CLI_STREAM_H

#include <stdbool.h>

#include "engine/base/slice.h"

/* A zeroed struct begins. */
struct dal_splitter {
	struct dal_buffer rest; /* a line that has not ended */
};

/* Calls `each` for every whole line, without its end; ends early with what `each` gives if it is
 * not 0. */
int dal_splitter_feed(struct dal_splitter *splitter, struct dal_slice piece,
		      int (*each)(void *own, struct dal_slice line), void *own);
void dal_splitter_deinit(struct dal_splitter *splitter);

struct dal_sse {
	struct dal_splitter lines;
	struct dal_buffer data;
	struct dal_buffer event;   /* its name; empty: none was given */
	struct dal_buffer id_read; /* of the event that is being read */
	struct dal_buffer id;      /* of the last event that was whole; it outlives a connection */
	int (*each)(void *own, struct dal_slice data);
	void *own;
};

int dal_sse_feed(struct dal_sse *sse, struct dal_slice piece);
/* A new connection: what was half read is forgotten, the id is kept. */
void dal_sse_restart(struct dal_sse *sse);
void dal_sse_deinit(struct dal_sse *sse);

#endif
