/* What stands still, since when, at which event, and what to do: the part of status that an
 * operator reads first. */
#ifndef DAL_API_ATTENTION_H
#define DAL_API_ATTENTION_H

#include "engine/api/api_private.h"

#define DAL_REMEDY_HALTED                                                                          \
	"change the rule or projection so that it takes this event, and start again: it goes on "  \
	"from here"
#define DAL_REMEDY_PARKED                                                                          \
	"change the fold so that it takes this event and raise the projection's version: it is "   \
	"built beside the old one"

#define DAL_DISK_FULL                                                                              \
	"the disk is nearly full, no event is taken in: %llu MiB are free, limits.disk_free is "   \
	"%llu MiB"
#define DAL_REMEDY_DISK "make room on the disk of the data folder, or lower limits.disk_free"

/* Appends "attention": [{what, since, at, remedy}], what is not known being left out. */
void dal_attention_put(struct dal_json_writer *writer, struct dal_api *api,
		       const struct dal_worker_status *status);

#endif
