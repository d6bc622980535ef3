/* What each connector counts, event by event. Private to this folder. Any thread. */
#ifndef DAL_CONNECTORS_COUNTS_H
#define DAL_CONNECTORS_COUNTS_H

#include "connectors/sink.h"
#include "engine/base/metrics.h"

struct dal_counts {
	struct dal_metric *accepted, *repeated, *refused;
};

/* `labels` differ by result: connector="http",result="accepted". */
void dal_counts_init(struct dal_counts *counts, const char *connector);
/* Those of a batch that is durable. Returns how many of them were repeats. */
size_t dal_counts_kept(const struct dal_counts *counts, const struct dal_sink_batch *batch);

/* The answer to what a sink said, other than 0: a status and a sentence, with the log's own words
 * (`reason`, or NULL) in it; appended. */
int dal_sink_status(int result);
void dal_sink_explain(int result, const char *reason, struct dal_buffer *out);

#endif
