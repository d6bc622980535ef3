/*
 * An explanation as people read it: the engine's JSON (engine/api/explanation.h) laid out. Main
 * thread.
 */
#ifndef DAL_CLI_EXPLAINED_H
#define DAL_CLI_EXPLAINED_H

#include <stdio.h>

#include "engine/event/json.h"

/* Prints it. */
void dal_explained_print(FILE *to, const struct dal_json *json);
/* Does some rule or projection take the event, its guard asked where there is one? */
bool dal_explained_taken(const struct dal_json *json);

#endif
