/*
 * A lane on a real log and state in a temporary folder, with rules from a string.
 */
#ifndef DAL_TESTS_UNIT_STREAM_FIXTURE_H
#define DAL_TESTS_UNIT_STREAM_FIXTURE_H

#include <stdbool.h>

#include "engine/log/log.h"
#include "engine/stream/lane.h"
#include "state/outbox.h"
#include "state/view.h"

struct fixture {
	char *folder;
	struct dal_log *log;
	struct dal_state *state;
	struct dal_rules *rules;
	struct dal_target target; /* "check" */
	struct dal_lane *lane;
	struct dal_errors errors;
	const struct dal_evaluator_sink *watch;
	void *own;
	/* how the lane is opened and driven */
	uint16_t number; /* of the lane */
	const struct dal_view_rights *rights;
	size_t cache_entries, batch_events;
	bool no_outbox, rebuild_changed;
};

int fixture_setup(void **own);
int fixture_teardown(void **own);

/* Loads rules (the text of rules/test.lua) and opens the lane: returns what dal_lane_new does. */
int fixture_open(struct fixture *f, const char *rules);
/* Loads rules and opens the state, as fixture_open does before it opens a lane of its own. */
void fixture_load(struct fixture *f, const char *rules);
/* Loads rules alone: f->rules, which it does not give back. */
void fixture_rules(struct fixture *f, const char *rules);
struct dal_lane_options fixture_lane_options(struct fixture *f);
void fixture_close(struct fixture *f);  /* lane, rules and state; the log stays */
void fixture_forget(struct fixture *f); /* closes, and deletes the state */

/* Appends an event: the JSON of its data, and a type; returns its offset. */
uint64_t fixture_append(struct fixture *f, const char *type, const char *data);
uint64_t fixture_append_to(struct fixture *f, const char *topic, const char *event);
/* Processes all that is on the log: the last outcome that was not 0, or 0. */
int fixture_run(struct fixture *f);
/* The entry's JSON, or NULL; free it. */
char *fixture_view(struct fixture *f, const char *projection, const char *key);
void fixture_digest(struct fixture *f, char hex[65]);
/* Rows of a status, of all targets. */
size_t fixture_rows(struct fixture *f, enum dal_row_status status);
/* The id of the first row of a status; free it. */
char *fixture_row_id(struct fixture *f, enum dal_row_status status);
/* Appends the completion of a row; `failed` or not. */
uint64_t fixture_complete(struct fixture *f, const char *row, bool failed);

#endif
