/*
 * The text of a recorded test. Main thread.
 */
#ifndef DAL_CLI_RECORDING_TEXT_H
#define DAL_CLI_RECORDING_TEXT_H

#include "engine/cli/recorded.h"
#include "engine/cli/trial.h"

/*
 * Of a trial that has run the events, noting what it touched. True: the events are in `lua`; false:
 * they are too many or can't be said in Lua, and are in `ndjson`, for NAME.ndjson beside the test.
 */
bool dal_recording_text(const struct dal_trial *trial, const struct dal_recorded *events,
			const char *name, struct dal_buffer *lua, struct dal_buffer *ndjson);

#endif
