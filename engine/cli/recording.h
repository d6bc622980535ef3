/*
 * A rule test made of recorded events: tests/NAME_test.lua with the events, the entries as they
 * were before them, and as expectation what today's rules do. Main thread.
 *
 * Events come from an engine's history, from its start on, as what the entries were is folded from
 * it; or from a file of events, before which there is nothing. The same events and rules give the
 * same file. What is there is never overwritten.
 */
#ifndef DAL_CLI_RECORDING_H
#define DAL_CLI_RECORDING_H

#include "engine/cli/cli.h"

struct dal_recording_options {
	const char *range; /* "17..20", positions or times, both included; or an NDJSON file */
	const char *name;  /* NULL: made of the range */
	const char *data;  /* of a stopped engine; NULL: the app's */
	const char *url;   /* of a running engine; NULL: the data folder */
};

/* An exit status, after a message. DAL_EXIT_DONE with *file, the caller's: "tests/NAME_test.lua".
 */
int dal_recording_make(const struct dal_command *command, const char *app,
		       const struct dal_recording_options *options, char **file);

#endif
