/*
 * What is right to load and looks wrong all the same, for `dalamb check`: rules that never match,
 * that do the same twice, that feed themselves; views that nothing feeds or nothing reads.
 *
 * Warnings are what its author would most likely change; notes are worth to know. Both are proven
 * from patterns, or told from literal texts in the code, and say so where that leaves a doubt.
 */
#ifndef DAL_APP_FINDINGS_H
#define DAL_APP_FINDINGS_H

#include "engine/app/app.h"

/* Of an app that was loaded with `analyse`; what loading it warned of is not said again. Both lists
 * are sorted. */
void dal_findings(const struct dal_app *app, struct dal_errors *warnings, struct dal_errors *notes);

#endif
