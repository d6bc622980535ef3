#include "connectors/counts.h"

static struct dal_metric *counter(const char *connector, const char *result)
{
	struct dal_buffer labels = {0};

	dal_buffer_printf(&labels, "connector=\"%s\",result=\"%s\"", connector, result);
	struct dal_metric *metric = dal_metric_counter(
		"dalamb_connector_events_total",
		"Events that came in from outside, by what became of them.",
		dal_buffer_cstr(&labels));
	dal_buffer_deinit(&labels);
	return metric;
}

void dal_counts_init(struct dal_counts *counts, const char *connector)
{
	counts->accepted = counter(connector, "accepted");
	counts->repeated = counter(connector, "repeated");
	counts->refused = counter(connector, "refused");
}

size_t dal_counts_kept(const struct dal_counts *counts, const struct dal_sink_batch *batch)
{
	size_t repeated = 0;

	for (size_t i = 0; i < batch->count; i++) {
		repeated += batch->items[i].repeated;
	}
	dal_metric_add(counts->accepted, (int64_t)(batch->count - repeated));
	dal_metric_add(counts->repeated, (int64_t)repeated);
	return repeated;
}

int dal_sink_status(int result)
{
	switch (result) {
	case DAL_SINK_CONFLICT:
		return 422;
	case DAL_SINK_TOO_LARGE:
		return 413;
	case DAL_SINK_REFUSED:
		return 502;
	default:
		return 503;
	}
}

static const char *text_of(int result)
{
	switch (result) {
	case DAL_SINK_FULL:
		return "too many events wait to be written: try again in a second";
	case DAL_SINK_DISK:
		return "the disk is nearly full (limits.disk_free): make room, then try again";
	case DAL_SINK_CONFLICT:
		return "this Idempotency-Key came before with another body: send each request "
		       "with a key of its own";
	case DAL_SINK_AWAY:
		return "no broker of the log took the events in time: send the same ones again, "
		       "what was kept all the same counts once";
	case DAL_SINK_TOO_LARGE:
		return "an event is larger than its topic takes: send a smaller one";
	case DAL_SINK_REFUSED:
		return "the log's brokers do not take an event, nor will they if it comes again";
	default:
		return "the events could not be written: try again, and see the engine's log";
	}
}

void dal_sink_explain(int result, const char *reason, struct dal_buffer *out)
{
	dal_buffer_text(out, text_of(result));
	if (reason) {
		dal_buffer_printf(out, " (%s)", reason);
	}
}
