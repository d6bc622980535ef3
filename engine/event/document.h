/*
 * Small documents as people read them: pretty-printed, sorted; jansson's whole place.
 *
 * For the command line and for files that are edited by hand, never for the hot path (jansson is
 * 25 to 60 times slower than the tape). Any thread; nothing is shared.
 */
#ifndef DAL_EVENT_DOCUMENT_H
#define DAL_EVENT_DOCUMENT_H

#include <stdbool.h>

#include "engine/base/error.h"
#include "engine/base/slice.h"

enum { DAL_DOCUMENT_INVALID = 1 };

/* Appends `json` (any JSON value) with an indent of `indent` spaces, keys sorted if asked. 0 or DAL_DOCUMENT_INVALID. */
int dal_document_format(struct dal_slice json, int indent, bool sorted, struct dal_buffer *out,
			struct dal_error *error);
/* Are two JSON texts the same value (key order and spacing aside; 1 and 1.0 differ)? False if either is invalid. */
bool dal_document_equal(struct dal_slice a, struct dal_slice b);

#endif
