/*
 * Why the rules and projections of a set take an event, or why not, and which of them came nearest.
 *
 * By topic and pattern alone: no guard is asked here, that is vm.h. Both are asked by their id in
 * the matcher: rules first, then projections. The set and the event must outlive it. One thread.
 *
 *	struct dal_reasons *reasons = dal_reasons_new(rules, event);
 *	dal_reasons_rank(reasons, 0, rule_count, order);
 *	dal_reasons_find(reasons, order[0], &reason);
 */
#ifndef DAL_RULES_REASON_H
#define DAL_RULES_REASON_H

#include "engine/event/event.h"
#include "rules/rules.h"

enum dal_reason_kind {
	DAL_REASON_MATCHED,
	DAL_REASON_FIELD,    /* a field of its pattern */
	DAL_REASON_TOPIC,    /* the event's topic does not feed it */
	DAL_REASON_RESERVED, /* an event of dalamb's own, and its pattern names no such type */
	DAL_REASON_HOPS,     /* the chain of events is too long */
};

struct dal_reason {
	enum dal_reason_kind kind;
	/* For each kind but MATCHED: field, found, expected, hint in words. A topic and such count
	 * as one more condition. */
	struct dal_pattern_miss miss;
};

struct dal_reasons;

struct dal_reasons *dal_reasons_new(const struct dal_rules *rules, const struct dal_event *event);
void dal_reasons_free(struct dal_reasons *reasons); /* NULL is fine */

/* `reason` is zeroed before its first use and then used again for one after the other. */
void dal_reasons_find(struct dal_reasons *reasons, uint32_t id, struct dal_reason *reason);
void dal_reason_deinit(struct dal_reason *reason);
/*
 * The ids from `first` on: those that match in their order, then the others, those first of whose
 * conditions the smallest share fails; a near miss counts half. How many match.
 */
size_t dal_reasons_rank(struct dal_reasons *reasons, uint32_t first, size_t count, uint32_t *order);

#endif
