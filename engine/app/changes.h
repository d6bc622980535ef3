/*
 * What of an app can't be changed while it runs: its name, the log, the listener, the limits, the
 * container engine, the hook of GitHub. A reload that changes such is refused, and says what.
 */
#ifndef DAL_APP_CHANGES_H
#define DAL_APP_CHANGES_H

#include "engine/app/app.h"

/* 0, or DAL_APP_INVALID with every change that needs a restart. */
int dal_changes_check(const struct dal_app *runs, const struct dal_app *loaded,
		      struct dal_errors *errors);

#endif
