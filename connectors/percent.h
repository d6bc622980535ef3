/* Percent-decoding (RFC 3986, section 2.1). Private to this folder. Thread: none. */
#ifndef DAL_CONNECTORS_PERCENT_H
#define DAL_CONNECTORS_PERCENT_H

#include "engine/base/slice.h"

/*
 * Appends the text, decoded once; `form`: a '+' is a space. False, and nothing is appended, if a
 * '%' is not followed by two hexadecimal digits. What comes out may be any bytes.
 */
bool dal_percent_decode(struct dal_slice text, bool form, struct dal_buffer *out);

#endif
