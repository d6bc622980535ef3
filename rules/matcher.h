/*
 * The matcher: all patterns of an app compiled into one structure.
 *
 * Its cost per event depends on the fields that some pattern looks at, hardly on how many patterns
 * there are. Patterns are added and removed one by one, each in well under a millisecond however
 * many there are, by one thread while nobody reads it. A matcher that nobody changes is
 * read by any number of threads, each with a scratch of its own: an app that reloads makes a new
 *one and swaps. No set of accepted patterns takes exponential time or memory.
 *
 *	n = dal_matcher_match(matcher, scratch, json, DAL_JSON_ROOT, &ids);
 */
#ifndef DAL_RULES_MATCHER_H
#define DAL_RULES_MATCHER_H

#include <stddef.h>
#include <stdint.h>

#include "engine/event/json.h"
#include "rules/pattern.h"

struct dal_json_names;
struct dal_matcher;
struct dal_matcher_scratch;

/* Pattern i gets the id i; NULL entries are skipped. The patterns must outlive the matcher. */
struct dal_matcher *dal_matcher_new(const struct dal_pattern *const *patterns, size_t count);
void dal_matcher_free(struct dal_matcher *matcher); /* NULL is fine */

/*
 * One more pattern under an id that is free; ids should be dense. Or one less: it must outlive the
 * matcher all the same, for others may lean on what they have in common.
 */
void dal_matcher_add(struct dal_matcher *matcher, uint32_t id, const struct dal_pattern *pattern);
void dal_matcher_remove(struct dal_matcher *matcher, uint32_t id);

/* Of one matcher, also when it is changed later. One thread at a time. */
struct dal_matcher_scratch *dal_matcher_scratch_new(const struct dal_matcher *matcher);
void dal_matcher_scratch_free(struct dal_matcher_scratch *scratch); /* NULL is fine */

/* How many match; their ids in ascending order, valid until the scratch is used again. `event` is
 * an OBJECT's node. */
size_t dal_matcher_match(const struct dal_matcher *matcher, struct dal_matcher_scratch *scratch,
			 const struct dal_json *json, uint32_t event, const uint32_t **ids);

/*
 * The same from text that was validated before, as dal_json_select wants it: only what some pattern
 * names is read. `json` is then a tape of those fields. 0 or DAL_JSON_INVALID.
 */
int dal_matcher_scan(const struct dal_matcher *matcher, struct dal_matcher_scratch *scratch,
		     struct dal_json *json, struct dal_slice text, const uint32_t **ids,
		     size_t *count);

#endif
