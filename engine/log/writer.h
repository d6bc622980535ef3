/*
 * The log writer: one thread that takes all appends that wait, makes them durable with one fsync,
 * shows them to readers, and then answers them. While it syncs, the next group gathers.
 */
#ifndef DAL_LOG_WRITER_H
#define DAL_LOG_WRITER_H

#include "engine/log/dedup.h"
#include "engine/log/embedded.h"

/* Starts the thread; takes `dedup`. The group's time goes on from `last_time_us`. */
struct dal_writer *dal_writer_new(struct dal_embedded *log, struct dal_dedup *dedup,
				  int64_t last_time_us);
/* Writes what waits, then ends the thread. NULL is fine. */
void dal_writer_free(struct dal_writer *writer);
/* Any thread; as dal_log_append, `bytes` and the items' private part are set. */
int dal_writer_push(struct dal_writer *writer, struct dal_log_append *append);
/* Any thread; as dal_log_has_room. */
bool dal_writer_has_room(struct dal_writer *writer, struct dal_log_room *room);

#endif
