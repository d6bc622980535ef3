/*
 * The evaluator: one event in, its effects out. Matching, guards, inputs, emits, then folds.
 *
 * It owns a Lua machine and the live state cache of a lane, and knows nothing of rows, the log or
 * threads: effects leave by callback, entries are loaded by callback and taken at commit. The same
 * evaluator serves the worker, a replay, rule tests and `explain`.
 * Per event all guards, inputs and emits run before the first fold, so view() answers as of before
 * the event. One thread.
 */
#ifndef DAL_STREAM_EVALUATOR_H
#define DAL_STREAM_EVALUATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/event/event.h"
#include "engine/log/log.h"
#include "engine/stream/cache.h"
#include "rules/rules.h"
#include "rules/vm.h"
#include "state/view.h"

struct dal_evaluator;

/* What a rule's `call` leads to; the app fills these from its functions. Constant, shared. */
struct dal_target {
	const char *name;
	enum { DAL_TARGET_EVENT, DAL_TARGET_DATA, DAL_TARGET_LUA } input;
	int64_t input_function;       /* for LUA */
	const struct dal_path *order; /* or NULL */
	int64_t age_us;               /* how long its settled ids are kept */
};

struct dal_evaluator_failure {
	const char *declaration;
	bool projection;      /* else a rule */
	struct dal_slice key; /* of a fold; else empty */
	const char *part;     /* "when", "emit", "key", "fold", "input" */
	struct dal_slice message, trace;
	const char *effect; /* "skipped", "parked", "halted" */
	int line;
};

/* Effects of the current event, in order. Slices are valid during the call. NULL members are
 * skipped. */
struct dal_evaluator_sink {
	/* A rule's pattern matched; `passed`: its guard let it through. */
	void (*match)(void *own, const struct dal_event *event, const struct dal_rule *rule,
		      bool passed);
	void (*call)(void *own, const struct dal_event *event, const struct dal_rule *rule,
		     const struct dal_target *target, struct dal_slice payload,
		     struct dal_slice order);
	void (*emit)(void *own, const struct dal_event *event, const struct dal_rule *rule,
		     uint32_t index, const struct dal_vm_emitted *emitted);
	void (*fail)(void *own, const struct dal_event *event,
		     const struct dal_evaluator_failure *failure);
	void (*fold)(void *own, const struct dal_event *event,
		     const struct dal_projection *projection, struct dal_slice key);
};

/* Which views a rule may read for an event: on Kafka not every view lies beside every event, and an
 * answer must not depend on what another lane has done. */
struct dal_view_rights {
	/* False with `why`. Thread: any lane's. */
	bool (*may_read)(const void *own, const struct dal_event *event, uint32_t rule,
			 uint32_t projection, struct dal_slice key, struct dal_buffer *why);
	const void *own;
};

struct dal_evaluator_options {
	struct dal_rules *rules;          /* a reference is taken */
	const struct dal_target *targets; /* outlive the evaluator */
	size_t target_count;
	/* A stored entry: 0 with slices of `memory`, DAL_STATE_ABSENT, or negative. */
	int (*load)(void *own, uint32_t projection, struct dal_slice key,
		    struct dal_view_entry *entry, struct dal_buffer *memory);
	const struct dal_evaluator_sink *sink;
	void *own; /* for load and sink */
	size_t cache_entries;
	bool unlimited_time;
	const struct dal_view_rights *rights; /* NULL: all views; else it outlives the evaluator */
	struct dal_coverage_lines *lines;     /* rule tests: as of vm.h; or NULL */
};

int dal_evaluator_new(const struct dal_evaluator_options *options,
		      struct dal_evaluator **evaluator);
void dal_evaluator_free(struct dal_evaluator *evaluator);

enum { DAL_EVALUATOR_HALT = 1, DAL_EVALUATOR_BROKEN = 2 };

/* Parses record `index` of the batch; the event is valid until the next. DAL_EVALUATOR_BROKEN, with
 * `why`: nobody had validated it, and it is no JSON. -EBADMSG: it is damaged. */
int dal_evaluator_parse(struct dal_evaluator *evaluator, const struct dal_log_batch *batch,
			size_t index, const struct dal_event **event, struct dal_error *why);
/*
 * Runs rules and projections on the event just parsed. `rules`: run rules too, else folds only.
 * DAL_EVALUATOR_HALT: a declaration with on_error = "halt" failed; the caller discards the batch.
 * The batch must stay until the next commit or discard: a fold may be run again from it.
 */
int dal_evaluator_run(struct dal_evaluator *evaluator, bool rules);
/* Folds the event just parsed into one projection only (a new version that is being built). */
int dal_evaluator_fold_only(struct dal_evaluator *evaluator, uint32_t projection);
/* A call's payload and order key for the event just parsed, no guard asked (open rows of a
 * checkpoint). */
int dal_evaluator_call_only(struct dal_evaluator *evaluator, const struct dal_rule *rule,
			    const struct dal_target *target);
/* What a rule emits for the event just parsed, no guard asked. */
int dal_evaluator_emit_only(struct dal_evaluator *evaluator, uint32_t rule);

/* Hands out each entry that changed since the last clean, to be stored: `json` is empty if it was
 * deleted. */
void dal_evaluator_changes(struct dal_evaluator *evaluator,
			   void (*each)(void *own, const struct dal_cache_entry *entry,
					struct dal_slice json),
			   void *own);
void dal_evaluator_clean(struct dal_evaluator *evaluator);   /* they are stored */
void dal_evaluator_discard(struct dal_evaluator *evaluator); /* they are undone */
/* All entries are to be loaded anew: what is stored was changed behind its back. */
void dal_evaluator_forget(struct dal_evaluator *evaluator);
const struct dal_target *dal_evaluator_target(const struct dal_evaluator *evaluator,
					      struct dal_slice name);

#endif
