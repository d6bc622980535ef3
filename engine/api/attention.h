/* What stands still, since when, at which event, and what to do: the part of status that an
 * operator reads first. */
#ifndef DAL_API_ATTENTION_H
#define DAL_API_ATTENTION_H

#include "engine/api/api_private.h"

#define DAL_REMEDY_HALTED                                                                          \
	"change the rule or projection so that it takes this event, and start again: it goes on "  \
	"from here"
#define DAL_REMEDY_LOG                                                                             \
	"log.out_of_range = \"earliest\" goes on behind events that are gone, on_wrong_key = "     \
	"\"skip\" of a topic passes over records with a wrong key; then start again"
#define DAL_REMEDY_AWAY "see that the brokers of log.brokers run and can be reached from here"
#define DAL_REMEDY_PARKED                                                                          \
	"change the fold so that it takes this event and raise the projection's version: it is "   \
	"built beside the old one"

#define DAL_REMEDY_RELOAD "mend the files (`dalamb check` lists every error), then `dalamb reload`"

#define DAL_DISK_FULL                                                                              \
	"the disk is nearly full, no event is taken in: %llu MiB are free, limits.disk_free is "   \
	"%llu MiB"
#define DAL_REMEDY_DISK "make room on the disk of the data folder, or lower limits.disk_free"

#define DAL_LOG_IS_AWAY "no broker of the log answers, no event is taken in or read"
#define DAL_LOG_IS_PAUSED "no event is read from the log"

/* Appends "attention": [{what, since, at, remedy}], what is not known being left out. `lanes`:
 * `count` of them, one a lane. */
void dal_attention_put(struct dal_json_writer *writer, struct dal_api *api,
		       const struct dal_worker_status *lanes, uint16_t count);
/* Why a halted lane stands still, and what to do. */
const char *dal_attention_remedy(const struct dal_lane_halt *halt);

#endif
