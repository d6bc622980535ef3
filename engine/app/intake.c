#include "engine/app/intake.h"

#include "engine/base/memory.h"

/* An append on its way, with the connector's batch that it came from. */
struct intake {
	struct dal_log_append append;
	struct dal_sink_batch *batch;
	struct dal_log_item items[];
};

static int outcome(int result)
{
	switch (result) {
	case DAL_LOG_FULL:
		return DAL_SINK_FULL;
	case DAL_LOG_DISK:
		return DAL_SINK_DISK;
	case DAL_LOG_CONFLICT:
		return DAL_SINK_CONFLICT;
	case DAL_LOG_AWAY:
		return DAL_SINK_AWAY;
	case DAL_LOG_TOO_LARGE:
		return DAL_SINK_TOO_LARGE;
	case DAL_LOG_REFUSED:
		return DAL_SINK_REFUSED;
	default:
		return result;
	}
}

static void explain(const struct intake *intake)
{
	struct dal_sink_batch *batch = intake->batch;

	batch->reason = NULL;
	for (size_t i = 0; i < batch->count && !batch->reason; i++) {
		batch->reason = intake->items[i].refused;
	}
}

static void on_done(struct dal_log_append *append, int result)
{
	struct intake *intake = DAL_CONTAINER(append, struct intake, append);
	struct dal_sink_batch *batch = intake->batch;

	for (size_t i = 0; i < batch->count; i++) {
		batch->items[i].place = intake->items[i].place;
		batch->items[i].repeated = intake->items[i].repeated;
	}
	explain(intake);
	free(intake);
	batch->done(batch, outcome(result));
}

static int on_append(void *own, struct dal_sink_batch *batch)
{
	struct intake *intake = dal_calloc(1, sizeof(*intake) +
						      batch->count * sizeof(intake->items[0]));
	int r;

	for (size_t i = 0; i < batch->count; i++) {
		intake->items[i].topic = batch->items[i].topic;
		intake->items[i].event = batch->items[i].event;
		intake->items[i].dedup = batch->items[i].dedup;
	}
	intake->batch = batch;
	intake->append = (struct dal_log_append){.items = intake->items,
						 .count = batch->count,
						 .request_key = batch->request_key,
						 .request_body = batch->request_body,
						 .done = on_done};
	r = dal_log_append(own, &intake->append);
	if (r != 0) {
		explain(intake);
		free(intake);
	}
	return outcome(r);
}

static bool on_has_topic(void *own, struct dal_slice topic)
{
	return dal_log_has_topic(own, topic);
}

struct dal_sink dal_intake_sink(struct dal_log *log)
{
	return (struct dal_sink){.append = on_append, .has_topic = on_has_topic, .own = log};
}
