/*
 * History from its start, batch by batch: from a stopped engine's data folder, or from a running
 * one over HTTP, which gives the partitions of a log on Kafka merged. Main thread.
 */
#ifndef DAL_CLI_HISTORY_H
#define DAL_CLI_HISTORY_H

#include "engine/app/app.h"
#include "engine/cli/moment.h"
#include "engine/cli/remote.h"

struct dal_history {
	const struct dal_command *command;
	struct dal_log *log; /* of a folder; else NULL */
	int lock;            /* its descriptor, or -1 */
	struct dal_remote remote;
	bool over_http;
	bool one_sequence;       /* of offsets; else each partition has its own */
	struct dal_position end; /* behind the last event, about so */
};

/* `url` NULL: the app's data folder. An exit status, after a message; closed in any case. */
int dal_history_open(struct dal_history *history, const struct dal_command *command,
		     const struct dal_app *app, const char *url);
void dal_history_close(struct dal_history *history);

/*
 * Hands every batch to `each`, up to `to` (may be NULL: the end that the log has now); what comes
 * behind it may be in the last one. A result that is not 0 ends it. 0, or what `each` gave; an exit
 * status over 0 after a message.
 */
struct dal_history_reader {
	int (*each)(void *own, const struct dal_log_batch *batch);
	void *own;
};

int dal_history_read(struct dal_history *history, const struct dal_moment *to,
		     const struct dal_history_reader *reader);

#endif
