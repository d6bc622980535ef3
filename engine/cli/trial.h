/*
 * A trial: events run through an app's rules and projections in memory, and all that came of it.
 * No log, no store, no function: what a rule test and `explain` stand on. Main thread.
 */
#ifndef DAL_CLI_TRIAL_H
#define DAL_CLI_TRIAL_H

#include "engine/app/app.h"
#include "engine/cli/coverage.h"
#include "engine/event/json_write.h"
#include "engine/log/log.h"

enum dal_effect_kind { DAL_EFFECT_MATCH, DAL_EFFECT_CALL, DAL_EFFECT_EMIT, DAL_EFFECT_FAIL };

struct dal_effect {
	enum dal_effect_kind kind;
	size_t event;     /* index of the cause */
	const char *rule; /* or projection, of a failure */
	bool passed;      /* MATCH: its guard let it through */
	char *name;       /* CALL: the function; EMIT: the type; FAIL: the part */
	char *json;       /* CALL: the payload; EMIT: the event; FAIL: the message as text */
	bool used;        /* the reader's */
};

/* An entry that was read or folded, as it was before. */
struct dal_touched {
	uint32_t projection;
	char *key, *json;
	size_t key_size, json_size; /* of json 0: there was none */
};

struct dal_trial {
	const struct dal_app *app;
	struct dal_evaluator *evaluator;
	struct dal_map *entries;       /* u32 projection and key: a struct entry */
	struct dal_coverage *coverage; /* or NULL */
	struct dal_effect *effects;
	size_t count, capacity;
	size_t index; /* of the event that is being run */
	bool noting;  /* what is touched */
	struct dal_touched *touched;
	size_t touched_count, touched_capacity;
	struct dal_buffer text;
};

int dal_trial_init(struct dal_trial *trial, const struct dal_app *app);
/* The same, and the coverage, which outlives it, is told of what runs. */
int dal_trial_init_covered(struct dal_trial *trial, const struct dal_app *app,
			   struct dal_coverage *coverage);
/* As it was made: no entry, no effect. Cheaper than another trial. */
void dal_trial_clear(struct dal_trial *trial);
void dal_trial_deinit(struct dal_trial *trial);
/* An entry that is there before the first event. False: there is no such projection. */
bool dal_trial_given(struct dal_trial *trial, const char *projection, const char *key,
		     struct dal_slice json);
/* Runs them in order. 0; DAL_EVALUATOR_HALT: a failure with on_error = "halt" ended it; negative.
 */
int dal_trial_run(struct dal_trial *trial, const struct dal_log_batch *batch);
/* Folds them only: no rule is asked. As dal_trial_run. */
int dal_trial_fold(struct dal_trial *trial, const struct dal_log_batch *batch);
/* From now on it notes, by projection and key, which entries are touched. */
void dal_trial_note(struct dal_trial *trial);
/* An entry as it stands after the run: canonical JSON, empty if there is none. */
struct dal_slice dal_trial_entry(const struct dal_trial *trial, const char *projection,
				 const char *key);
/* An emitted event as a JSON object: what the rule set of it. */
void dal_trial_put_emitted(struct dal_json_writer *writer, const struct dal_vm_emitted *emitted);

#endif
