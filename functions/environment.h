/* The environment of an instance: what the Runtime API's clients expect, and what was declared. */
#ifndef DAL_FUNCTIONS_ENVIRONMENT_H
#define DAL_FUNCTIONS_ENVIRONMENT_H

#include "functions/functions.h"

/* NULL-terminated NAME=value; `runtime_api` is "host:port", `stream` names the instance in log
 * names. */
char **dal_environment_new(const struct dal_function *function, const char *runtime_api,
			   uint64_t stream);
void dal_environment_free(char **environment);
/* Is this name dalamb's to set? */
bool dal_environment_reserved(struct dal_slice name);

#endif
