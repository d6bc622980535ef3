/*
 * A rule test judged: what it expected and did not find, field by field, and why a rule that should
 * have matched did not. Main thread.
 */
#ifndef DAL_CLI_VERDICT_H
#define DAL_CLI_VERDICT_H

#include "engine/cli/trial.h"

struct dal_complaint_field {
	char *field, *expected, *found; /* JSON; NULL: there is none */
};

struct dal_complaint {
	int line;
	char *what; /* `call("fraud-check"): no such call` */
	struct dal_complaint_field *fields;
	size_t field_count, field_capacity;
	char **notes;
	size_t note_count, note_capacity;
};

struct dal_verdict {
	const struct dal_rules_test *test;
	struct dal_complaint *complaints; /* none: it passed */
	size_t count, capacity;
	bool broken; /* the engine itself failed, and a complaint says so */
	int64_t duration_us;
};

/* Runs one test of the trial's app; what the trial had is cleared. */
void dal_verdict_reach(struct dal_verdict *verdict, struct dal_trial *trial,
		       const struct dal_rules_test *test);
void dal_verdict_deinit(struct dal_verdict *verdict);
/* A complaint in words, over lines; each ends with a newline. Appends. */
void dal_complaint_print(const struct dal_complaint *complaint, struct dal_buffer *out);

#endif
