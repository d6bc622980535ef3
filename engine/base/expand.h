/*
 * Compressed streams read piece by piece, in constant memory: gzip (RFC 1952) and zstd (RFC 8878),
 * any number of members or frames one behind the other, as `cat a.gz b.gz` makes them. The only
 * user of zlib. Whole blocks with a known size are compress.h. One thread at a time.
 *
 *	while (more_input(&piece) || expander goes on giving) {
 *		r = dal_expander_run(expander, &piece, out, sizeof(out), &size);
 *	}
 *	if (!dal_expander_whole(expander)) { it was cut off }
 */
#ifndef DAL_BASE_EXPAND_H
#define DAL_BASE_EXPAND_H

#include <stdbool.h>

#include "engine/base/slice.h"

enum dal_expand_format { DAL_EXPAND_GZIP, DAL_EXPAND_ZSTD };

struct dal_expander;

struct dal_expander *dal_expander_new(enum dal_expand_format format);
void dal_expander_free(struct dal_expander *expander); /* NULL is fine */
/*
 * Takes bytes from the front of `*from` and writes up to `capacity` to `out`. All that the input
 * holds is out once it is empty and *size < capacity. -EBADMSG at bytes that are no such stream:
 * what was written before them counts, and the expander is of no more use.
 */
int dal_expander_run(struct dal_expander *expander, struct dal_slice *from, char *out,
		     size_t capacity, size_t *size);
/* May the input end here? Not inside a member, and not before the first. */
bool dal_expander_whole(const struct dal_expander *expander);
/* After -EBADMSG: why. Static text. */
const char *dal_expander_reason(const struct dal_expander *expander);

#endif
