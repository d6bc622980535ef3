/*
 * Completions: how a row ended, as an event for the log (events.md, dalamb.function.succeeded and
 * .failed), and the list of its failed tries. Thread: none.
 */
#ifndef DAL_DISPATCH_COMPLETION_H
#define DAL_DISPATCH_COMPLETION_H

#include "engine/base/slice.h"
#include "functions/functions.h"
#include "state/outbox.h"

/* What an invocation came to, as a copy that outlives its `done`. */
struct dal_outcome {
	enum dal_invoke_outcome outcome;
	char version[17];
	char request[40];
	bool cold;
	int64_t started_us, duration_us, memory_mb, cpu_us;
	struct dal_buffer result, error_type, error_message, error_trace;
};

void dal_outcome_copy(struct dal_outcome *outcome, const struct dal_invocation *invocation);
void dal_outcome_deinit(struct dal_outcome *outcome);
/* The type of its error, also where the program gave none: "dalamb.Timeout", "dalamb.Crashed" ...
 */
struct dal_slice dal_outcome_error_type(const struct dal_outcome *outcome);

/* The row's list of failed tries with this one behind it, as JSON; appended. */
void dal_tries_add(struct dal_slice tries, const struct dal_outcome *outcome,
		   struct dal_buffer *out);

/* The event; appended. `reason` NULL: it succeeded. `outcome` may be NULL (it was never tried).
 * `memory_mb`: configured. */
void dal_completion_build(const char *app, const struct dal_row *row,
			  const struct dal_outcome *outcome, const char *reason, uint64_t memory_mb,
			  struct dal_buffer *event);

/* Leaves out all of it that may be large, and says so: its completion was larger than the log
 * takes. */
void dal_outcome_cut(struct dal_outcome *outcome);

/* That the log does not take an emitted event, and why: dalamb.rule.failed; its id, too; both
 * appended. */
void dal_refusal_build(const char *app, const struct dal_row *row, const char *why,
		       struct dal_buffer *id, struct dal_buffer *event);

#endif
