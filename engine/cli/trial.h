/*
 * A trial: events run through an app's rules and projections in memory, and all that came of it.
 * No log, no store, no function: what a rule test and `explain` stand on. Main thread.
 */
#ifndef DAL_CLI_TRIAL_H
#define DAL_CLI_TRIAL_H

#include "engine/app/app.h"
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

struct dal_trial {
	const struct dal_app *app;
	struct dal_evaluator *evaluator;
	struct dal_map *entries; /* u32 projection and key: a struct entry */
	struct dal_effect *effects;
	size_t count, capacity;
	size_t index; /* of the event that is being run */
	struct dal_buffer text;
};

int dal_trial_init(struct dal_trial *trial, const struct dal_app *app);
void dal_trial_deinit(struct dal_trial *trial);
/* An entry that is there before the first event. False: there is no such projection. */
bool dal_trial_given(struct dal_trial *trial, const char *projection, const char *key,
		     struct dal_slice json);
/* Runs them in order. 0; DAL_EVALUATOR_HALT: a failure with on_error = "halt" ended it; negative.
 */
int dal_trial_run(struct dal_trial *trial, const struct dal_log_batch *batch);
/* An entry as it stands after the run: canonical JSON, empty if there is none. */
struct dal_slice dal_trial_entry(const struct dal_trial *trial, const char *projection,
				 const char *key);
/* An emitted event as a JSON object: what the rule set of it. */
void dal_trial_put_emitted(struct dal_json_writer *writer, const struct dal_vm_emitted *emitted);

#endif
