/* Building projections that are not there yet, from the log's history. */
#include <errno.h>
#include <unistd.h>

#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/stream/lane_private.h"
#include "engine/stream/projections.h"

#define AGAIN_US 100000

struct build {
	struct dal_lane *lane;
	uint32_t *list; /* projections that are being built */
	size_t count;
	struct dal_position next;
	struct dal_position end; /* where the lane stands in the topics that the log has */
};

/* The state may know topics that the app has given up: nothing is read of them any more. */
static void build_end(struct build *build)
{
	const struct dal_lane *lane = build->lane;

	dal_log_start(lane->options.log, lane->options.number, &build->end);
	for (size_t i = 0; i < build->end.count; i++) {
		struct dal_mark *mark = &build->end.marks[i];
		mark->next = dal_position_next(&lane->next, mark->topic, mark->partition);
	}
}

/* Is there something to do? Beside a running lane: up to where that was seen to stand. */
static bool wants_building(const struct dal_lane *lane, const struct dal_projection *projection,
			   const struct dal_known *known)
{
	return known && !known->built &&
	       dal_slice_is(dal_slice_text(projection->digest), known->digest) &&
	       !(lane->beside && dal_position_reached(&known->next, &lane->next));
}

/* The first that is not built, and those that are as far as it is. */
static int build_plan(struct build *build)
{
	struct dal_lane *lane = build->lane;
	struct dal_survey survey = {0};
	int r = dal_survey_take(lane->options.state, lane->options.number, &survey);

	build->list = dal_calloc(lane->projection_count + 1, sizeof(*build->list));
	for (size_t i = 0; r >= 0 && i < lane->projection_count; i++) {
		const struct dal_projection *p = dal_rules_projection(lane->options.rules, i);
		const struct dal_known *known = dal_survey_find(&survey, p->name, p->version);
		if (!wants_building(lane, p, known)) {
			continue;
		}
		if (build->count == 0) {
			dal_position_copy(&build->next, &known->next);
		}
		if (dal_position_equal(&known->next, &build->next)) {
			build->list[build->count++] = (uint32_t)i;
		}
	}
	dal_survey_deinit(&survey);
	return r < 0 ? r : 0;
}

/* What was ignored when the lane read it is ignored again. */
static int build_event(struct build *build, const struct dal_log_record *record)
{
	struct dal_lane *lane = build->lane;
	const struct dal_event *event = lane->event;
	bool ignored = false;
	int r = 0;

	if (dal_event_is_system(event) || record->dedup.size > 0) {
		r = dal_outbox_ignored(lane->options.state, lane->options.number, &event->place,
				       &ignored);
	}
	for (size_t k = 0; r == 0 && !ignored && k < build->count; k++) {
		r = dal_evaluator_fold_only(lane->evaluator, build->list[k]);
	}
	return r;
}

static void not_beyond(struct dal_position *position, const struct dal_position *end)
{
	for (size_t i = 0; i < position->count; i++) {
		struct dal_mark *mark = &position->marks[i];
		const struct dal_mark *most = dal_position_find(end, mark->topic, mark->partition);

		if (most && mark->next > most->next) {
			mark->next = most->next;
		}
	}
}

static int build_batch(struct build *build, const struct dal_log_batch *batch)
{
	struct dal_lane *lane = build->lane;
	int r = 0;

	for (size_t i = 0; r == 0 && i < batch->count; i++) {
		const struct dal_log_record *record = &batch->records[i];
		if (!dal_position_has(&lane->next, &record->place)) {
			continue; /* the lane has not folded it either */
		}
		lane->failures = 0;
		r = dal_lane_record(lane, batch, i);
		if (r == 0) {
			r = build_event(build, record);
		} else if (r > 0) {
			r = 0; /* it was reported when the lane read it */
		}
	}
	dal_position_advance(&build->next, &batch->position);
	not_beyond(&build->next, &build->end); /* what else the batch held comes another time */
	if (r == DAL_EVALUATOR_HALT) {
		lane->halted = true;
		dal_evaluator_discard(lane->evaluator);
		dal_rows_clear(lane->rows);
		return DAL_LANE_HALTED;
	}
	return r;
}

static int build_write(struct build *build)
{
	struct dal_lane *lane = build->lane;

	/* Beside a running lane none is ever built: that one goes on meanwhile, and makes the end.
	 */
	bool built = !lane->beside && dal_position_reached(&build->next, &build->end);

	for (size_t i = 0; i < build->count; i++) {
		dal_lane_projection_put(lane, build->list[i], built, &build->next);
	}
	return lane->beside ? dal_lane_write_entries(lane) : dal_lane_write(lane);
}

static uint64_t offsets(const struct dal_position *position)
{
	return dal_position_distance(&(struct dal_position){0}, position);
}

static int build_read(struct build *build,
		      bool (*progress)(void *own, const char *projection, uint64_t done,
				       uint64_t end),
		      void *own)
{
	struct dal_lane *lane = build->lane;
	struct dal_log_batch batch = {0};
	struct dal_log_reader *reader;
	int r;

	r = dal_log_reader_new(lane->options.log, lane->options.number, &build->next, NULL,
			       &reader);
	if (r < 0) {
		return r;
	}
	build_end(build);
	r = build_write(build); /* perhaps there is nothing to read: its topics are gone */
	while (r == 0 && !dal_position_reached(&build->next, &build->end)) {
		r = dal_log_read(reader, DAL_LIMIT_WORKER_BATCH_EVENTS,
				 DAL_LIMIT_WORKER_BATCH_BYTES, &batch);
		if (r == -EHOSTUNREACH) { /* no broker answers: that costs but time */
			usleep(AGAIN_US);
			r = 0;
		} else {
			if (r == DAL_LOG_END &&
			    dal_position_reached(&batch.position, &build->end)) {
				r = 0; /* the last offsets hold no events */
			}
			r = r == 0 ? build_batch(build, &batch) : r;
			r = r == 0 ? build_write(build) : r;
		}
		if (r == 0 && progress &&
		    !progress(own, dal_rules_projection(lane->options.rules, build->list[0])->name,
			      offsets(&build->next), offsets(&build->end))) {
			r = -ECANCELED;
		}
	}
	dal_log_batch_release(&batch);
	dal_log_reader_free(reader);
	return r == DAL_LOG_END ? -EBADMSG : r; /* the log ends before where the lane stands */
}

int dal_lane_build(struct dal_lane *lane,
		   bool (*progress)(void *own, const char *projection, uint64_t done, uint64_t end),
		   void *own)
{
	bool more = true;
	int r = 0;

	lane->building = true;
	while (r == 0 && more) {
		struct build build = {.lane = lane};
		r = build_plan(&build);
		more = build.count > 0;
		if (r == 0 && more) {
			r = build_read(&build, progress, own);
		}
		free(build.list);
		dal_position_deinit(&build.next);
		dal_position_deinit(&build.end);
	}
	lane->building = false;
	return r;
}
