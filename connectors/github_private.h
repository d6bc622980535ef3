/* What the files of the GitHub connector share. Private to this folder. */
#ifndef DAL_CONNECTORS_GITHUB_PRIVATE_H
#define DAL_CONNECTORS_GITHUB_PRIVATE_H

#include "connectors/connectors.h"
#include "connectors/counts.h"
#include "connectors/gather.h"

struct dal_github {
	struct dal_sink sink;
	struct dal_counts counts;
	struct dal_gatherer gatherer;
	char *path;
	char **secrets;
	size_t secret_count;
	struct dal_http_route route;
};

/* A delivery's body: as dal_http_body, `data` is the struct dal_github. */
int dal_github_take(struct dal_http_request *request, struct dal_slice piece, void *data);

#endif
