/*
 * Request targets, percent-encoding and queries: pure functions over bytes. Private to this folder.
 */
#ifndef DAL_HTTP_TARGET_H
#define DAL_HTTP_TARGET_H

#include "engine/base/slice.h"

#define DAL_HTTP_QUERY_PAIRS 64

struct dal_http_pair {
	struct dal_slice name, value;
};

/* A request target taken apart. Slices point into the target's bytes, but decoded pairs into
 * `decoded`. */
struct dal_http_target {
	struct dal_slice whole;
	struct dal_slice authority; /* of "http://host:1/path"; empty in the usual form */
	struct dal_slice path;      /* raw, starts with '/', or "*" */
	struct dal_buffer decoded;
	struct dal_http_pair pairs[DAL_HTTP_QUERY_PAIRS];
	size_t pair_count;
};

/* NULL, or a sentence that says what is wrong. `target` may be used again; `deinit` frees it. */
const char *dal_http_target_parse(struct dal_http_target *target, struct dal_slice whole);
void dal_http_target_deinit(struct dal_http_target *target);
/* Appends the decoded bytes; `plus`: '+' is a space (queries). False at a bad "%" or at "%00". */
bool dal_http_decode(struct dal_slice text, bool plus, struct dal_buffer *out);

#endif
