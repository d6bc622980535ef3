/*
 * Why a rule or a projection did, or did nothing, with an event: said in words. Main thread.
 */
#ifndef DAL_CLI_REASON_H
#define DAL_CLI_REASON_H

#include "engine/cli/trial.h"
#include "rules/reason.h"

/* "data.total is 900, expected a number >= 1000 (hint)". Nothing for MATCHED. */
void dal_reason_print(const struct dal_reason *reason, struct dal_buffer *out);

/* After a trial: why rule `index` has no effect of event `number`; nothing if it has one. `many`:
 * name the event. */
void dal_reason_rule(const struct dal_trial *trial, size_t index,
		     const struct dal_log_record *record, size_t number, bool many,
		     struct dal_buffer *out);

#endif
