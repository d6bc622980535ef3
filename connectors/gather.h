/*
 * Bodies gathered in memory: each within a size and a time, all together within a bound.
 *
 * The server has a rate for streamed bodies, which a slow client of a gathered one could stretch
 * for hours; and nobody may fill the memory with many bodies at once. Private to this folder. A
 * body is taken on one thread; the bound is shared by any.
 */
#ifndef DAL_CONNECTORS_GATHER_H
#define DAL_CONNECTORS_GATHER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "engine/base/limits.h"
#include "engine/http/http.h"

#define DAL_GATHER_BYTES                                                                           \
	(256 * DAL_MIB) /* of all bodies of one connector, unless it says otherwise */

struct dal_gatherer {
	uint64_t body_bytes;   /* at most, of one body */
	uint64_t held_bytes;   /* of all */
	const char *too_large; /* what to do when one is larger: the rest of the sentence */
	atomic_uint_fast64_t held;
};

struct dal_gathered {
	struct dal_buffer body; /* DAL_JSON_PADDING bytes are readable behind it, also when empty */
	int64_t begun_us;
};

/* With the headers alone: is its Content-Length within the size? False: it has been replied to. */
bool dal_gather_begin(struct dal_gatherer *gatherer, struct dal_gathered *gathered,
		      struct dal_http_request *request);
/* False: it has been replied to. */
bool dal_gather_take(struct dal_gatherer *gatherer, struct dal_gathered *gathered,
		     struct dal_http_request *request, struct dal_slice piece);
void dal_gather_release(struct dal_gatherer *gatherer, struct dal_gathered *gathered);

#endif
