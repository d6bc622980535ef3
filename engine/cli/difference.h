/*
 * Two JSON values compared field by field, for people: where they differ, what was expected and
 * what was found. Numbers are compared by value (375 is 375.0), an empty table is an empty list.
 */
#ifndef DAL_CLI_DIFFERENCE_H
#define DAL_CLI_DIFFERENCE_H

#include <stdbool.h>

#include "engine/base/slice.h"

/* One place: `field` is a path ("data.items[2].sku", "" for the whole); an empty side: it is not
 * there. Slices are valid during the call. */
typedef void dal_difference_each(void *own, struct dal_slice field, struct dal_slice expected,
				 struct dal_slice found);

/*
 * How many places differ; `each` (may be NULL) is told of them. `part`: what an expected object
 * doesn't name doesn't matter. Both are valid JSON.
 */
size_t dal_difference(struct dal_slice expected, struct dal_slice found, bool part,
		      dal_difference_each *each, void *own);

#endif
