/*
 * The outbox's checkpoint as an event on the log (events.md, dalamb.outbox.checkpoint).
 */
#ifndef DAL_STREAM_CHECKPOINT_H
#define DAL_STREAM_CHECKPOINT_H

#include "engine/log/log.h"
#include "engine/stream/lane.h"

/* Appends it and waits for that. The lane's thread. 0 or an outcome of dal_log_append. */
int dal_checkpoint_append(struct dal_log *log, struct dal_lane *lane, const char *app);

#endif
