/*
 * What `dalamb check` wants to know of patterns: which can match no event, which say the same, and
 * which are shadowed: every event that one matches another matches, too.
 *
 * What is claimed is proven; what is not claimed may be so all the same. Events are those of the
 * log: `type`, `source` and `id` are text in each of them, `subject` and `time` are text or
 * missing; all else may be any JSON, a list where one value is expected included.
 *
 * Pure; any thread.
 */
#ifndef DAL_RULES_ANALYSIS_H
#define DAL_RULES_ANALYSIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/slice.h"
#include "rules/pattern.h"

/* Can no event match it? Then `field` is the path that shows it ("data.total"), and `why` says in
 * words that follow the path why: "is text in every event, ...". Both are overwritten. */
bool dal_pattern_impossible(const struct dal_pattern *pattern, struct dal_buffer *field,
			    struct dal_buffer *why);

/* Does `wide` match every event that `narrow` matches? Equal ones cover each other. */
bool dal_pattern_covers(const struct dal_pattern *wide, const struct dal_pattern *narrow);

/* first[i] is the lowest index of a pattern that says the same as pattern i, perhaps in another
 * order. NULL entries are like no other. */
void dal_patterns_equal(const struct dal_pattern *const *patterns, size_t count, uint32_t *first);

/*
 * Calls `found` for pairs of different patterns of which `wide` covers `narrow`; those that are
 * equal are left out, and so are NULL entries. Narrow ones come in ascending order; true from
 * `found` says that this narrow one needs no more.
 *
 * Only patterns that have something in common are compared, and no more than some seconds' worth
 * of that is done: false says that the bound was reached, and pairs may be missing.
 */
bool dal_patterns_shadowed(const struct dal_pattern *const *patterns, size_t count,
			   bool (*found)(void *own, uint32_t narrow, uint32_t wide), void *own);

#endif
