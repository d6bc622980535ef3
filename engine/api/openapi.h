/*
 * What the API offers, as a table that GET /openapi.json is written from (OpenAPI 3.1). A test
 * holds it against the route tables and a running engine.
 */
#ifndef DAL_API_OPENAPI_H
#define DAL_API_OPENAPI_H

#include <stddef.h>

struct dal_operation {
	const char *method, *path; /* as its route has them */
	const char *scope;         /* "query"; NULL: no token is asked for */
	const char *summary;
	const char *parameters; /* of the query: names with spaces between, or "" */
	const char *body;       /* an example, JSON; or NULL */
	const char *answers;    /* media types with spaces between */
};

extern const struct dal_operation dal_operations[];
extern const size_t dal_operation_count;

#endif
