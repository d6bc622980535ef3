/*
 * The matcher: all patterns of an app compiled into one structure.
 *
 * Its cost per event depends on the fields that some pattern looks at, hardly on how many patterns
 * there are. A matcher is constant once built and read by any number of threads, each with a
 * scratch of its own. No set of accepted patterns takes exponential time or memory.
 *
 *	n = dal_matcher_match(matcher, scratch, json, DAL_JSON_ROOT, &ids);
 */
#ifndef DAL_RULES_MATCHER_H
#define DAL_RULES_MATCHER_H

#include <stddef.h>
#include <stdint.h>

#include "engine/event/json.h"
#include "rules/pattern.h"

struct dal_matcher;
struct dal_matcher_scratch;

/* Pattern i gets the id i; NULL entries are skipped. The patterns must outlive the matcher. */
struct dal_matcher *dal_matcher_new(const struct dal_pattern *const *patterns, size_t count);
void dal_matcher_free(struct dal_matcher *matcher); /* NULL is fine */
struct dal_matcher_scratch *dal_matcher_scratch_new(const struct dal_matcher *matcher);
void dal_matcher_scratch_free(struct dal_matcher_scratch *scratch);
/* How many match; their ids in ascending order, valid until the scratch is used again. */
size_t dal_matcher_match(const struct dal_matcher *matcher, struct dal_matcher_scratch *scratch,
			 const struct dal_json *json, uint32_t event, const uint32_t **ids);

#endif
