/*
 * Secrets: `secret "X"` is the environment's X, else the file X in DALAMB_SECRETS (/run/secrets).
 * Their values never reach logs, events or messages. Main thread.
 */
#ifndef DAL_APP_SECRETS_H
#define DAL_APP_SECRETS_H

#include "engine/base/field.h"

/* Replaces the names of secrets in a declaration by their values. One that is missing or empty is
 * an error; with `errors` NULL its value is then empty. */
void dal_secrets_resolve(struct dal_declaration *declaration, char *const *environment,
			 struct dal_errors *errors);

#endif
