/*
 * Media types: what a Content-Type header says (RFC 9110, section 8.3).
 *
 * Names are compared without case, parameters other than charset are passed over. Private to this
 * folder; values are slices of the header. Thread: none.
 */
#ifndef DAL_CONNECTORS_MEDIA_H
#define DAL_CONNECTORS_MEDIA_H

#include <stdbool.h>

#include "engine/base/slice.h"

struct dal_media {
	struct dal_slice type;    /* "application/json"; empty: no header */
	struct dal_slice charset; /* without quotes; empty: not given */
};

struct dal_media dal_media_read(struct dal_slice header);
bool dal_media_is(const struct dal_media *media, const char *type);
/* Is it JSON as CloudEvents means it: a subtype "json", or one that ends with "+json"? */
bool dal_media_is_json(const struct dal_media *media);
bool dal_media_is_utf8(const struct dal_media *media); /* or says nothing else */

#endif
