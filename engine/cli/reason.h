/*
 * Why a rule or a projection did, or did nothing, with an event: said in words. Main thread.
 */
#ifndef DAL_CLI_REASON_H
#define DAL_CLI_REASON_H

#include "engine/cli/trial.h"

enum dal_reason_kind {
	DAL_REASON_MATCHED,
	DAL_REASON_FIELD,    /* a field of its pattern: `miss` says which */
	DAL_REASON_TOPIC,    /* the event's topic does not feed it */
	DAL_REASON_RESERVED, /* an event of dalamb's own, and its pattern names no such type */
	DAL_REASON_HOPS,     /* the chain of events is too long */
};

struct dal_reason {
	enum dal_reason_kind kind;
	struct dal_pattern_miss miss;
};

/* By the pattern alone, no guard asked. */
void dal_reason_find(struct dal_reason *reason, const struct dal_rules *rules, uint32_t pattern,
		     const char *const *topics, bool system, const struct dal_event *event);
void dal_reason_deinit(struct dal_reason *reason);
/* "data.total is 900, expected a number >= 1000 (hint)". Nothing for MATCHED. */
void dal_reason_print(const struct dal_reason *reason, struct dal_buffer *out);

/* After a trial: why rule `index` has no effect of event `number`; nothing if it has one. `many`:
 * name the event. */
void dal_reason_rule(const struct dal_trial *trial, size_t index,
		     const struct dal_log_record *record, size_t number, bool many,
		     struct dal_buffer *out);

#endif
