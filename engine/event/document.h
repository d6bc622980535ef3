/*
 * Small documents as people read and compare them: laid out with an indent, sorted; equal or not.
 *
 * For the command line, rule tests and files that are edited by hand, never for the hot path.
 * Numbers keep the text they came with (129.95 stays 129.95). The only user of jansson, which
 * compares. Any thread; nothing is shared.
 */
#ifndef DAL_EVENT_DOCUMENT_H
#define DAL_EVENT_DOCUMENT_H

#include <stdbool.h>

#include "engine/base/error.h"
#include "engine/base/slice.h"

enum { DAL_DOCUMENT_INVALID = 1 };

/* Appends `json` (any value) with an indent of `indent` spaces. 0 or DAL_DOCUMENT_INVALID. */
int dal_document_format(struct dal_slice json, int indent, bool sorted, struct dal_buffer *out,
			struct dal_error *error);
/* Are they the same value (order of keys aside; 1 and 1.0 differ)? False if one is invalid. */
bool dal_document_equal(struct dal_slice a, struct dal_slice b);

#endif
