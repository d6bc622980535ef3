/* Projections of a lane: which are new, changed, raised or gone, and building those that are not
 * there yet. */
#include <errno.h>
#include <unistd.h>

#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/stream/lane_private.h"

#define AGAIN_US 100000

struct known {
	char *name;
	uint32_t version;
	char *digest;
	bool built;
	struct dal_position next;
};

struct survey {
	struct known *list;
	size_t count, capacity;
};

static void on_known(const struct dal_state_projection *projection, void *own)
{
	struct survey *survey = own;

	struct known *known;

	DAL_GROW(survey->list, survey->count, survey->capacity);
	known = &survey->list[survey->count++];
	*known = (struct known){
		.name = dal_slice_dup(projection->name),
		.version = projection->version,
		.digest = dal_slice_dup(projection->digest),
		.built = projection->built,
	};
	dal_position_copy(&known->next, &projection->next);
}

static void survey_free(struct survey *survey)
{
	for (size_t i = 0; i < survey->count; i++) {
		free(survey->list[i].name);
		free(survey->list[i].digest);
		dal_position_deinit(&survey->list[i].next);
	}
	free(survey->list);
}

static const struct known *survey_find(const struct survey *survey, const char *name,
				       uint32_t version)
{
	for (size_t i = 0; i < survey->count; i++) {
		if (survey->list[i].version == version &&
		    dal_slice_is(dal_slice_text(name), survey->list[i].name)) {
			return &survey->list[i];
		}
	}
	return NULL;
}

static void projection_put(struct dal_lane *lane, size_t index, bool built,
			   const struct dal_position *next)
{
	const struct dal_projection *projection = dal_rules_projection(lane->options.rules, index);

	dal_state_projection_put(lane->batch, lane->options.number,
				 &(struct dal_state_projection){
					 .name = dal_slice_text(projection->name),
					 .version = projection->version,
					 .digest = dal_slice_text(projection->digest),
					 .built = built,
					 .next = *next,
				 });
}

/* A new one: built if the lane has folded nothing yet, else to be built from the log's start. */
static void projection_begin(struct dal_lane *lane, size_t index)
{
	struct dal_position start = {0};

	if (lane->options.log) {
		dal_log_start(lane->options.log, lane->options.number, &start);
	}
	projection_put(lane, index, dal_position_reached(&start, &lane->next), &start);
	dal_position_deinit(&start);
}

static int projection_check(struct dal_lane *lane, size_t index, const struct known *known,
			    struct dal_errors *errors)
{
	const struct dal_projection *projection = dal_rules_projection(lane->options.rules, index);

	if (!known) {
		projection_begin(lane, index);
		return 0;
	}
	if (dal_slice_is(dal_slice_text(projection->digest), known->digest)) {
		return 0;
	}
	if (!lane->options.rebuild_changed) {
		dal_errors_add(errors, projection->file, projection->line,
			       "projection \"%s\" has changed, but its version is still %u: its "
			       "entries were made by the old fold. Raise `version` to %u and it is "
			       "built anew, or use `dalamb run --dev`",
			       projection->name, projection->version, projection->version + 1);
		return DAL_LANE_REFUSED;
	}
	dal_state_projection_drop(lane->batch, lane->options.number,
				  dal_slice_text(projection->name), projection->version);
	projection_begin(lane, index);
	return 0;
}

/* Versions that no declaration has any more. */
static void drop_gone(struct dal_lane *lane, const struct survey *survey)
{
	for (size_t i = 0; i < survey->count; i++) {
		const struct known *known = &survey->list[i];
		long index = dal_rules_projection_index(lane->options.rules,
							dal_slice_text(known->name));
		if (index < 0 || lane->names[index].version != known->version) {
			dal_state_projection_drop(lane->batch, lane->options.number,
						  dal_slice_text(known->name), known->version);
		}
	}
}

int dal_lane_projections(struct dal_lane *lane, struct dal_errors *errors)
{
	struct survey survey = {0};
	int r, refused = 0;

	r = dal_state_projections(lane->options.state, lane->options.number, on_known, &survey);
	for (size_t i = 0; r >= 0 && i < lane->projection_count; i++) {
		const struct dal_projection *p = dal_rules_projection(lane->options.rules, i);
		if (projection_check(lane, i, survey_find(&survey, p->name, p->version), errors)) {
			refused = DAL_LANE_REFUSED;
		}
	}
	if (r >= 0 && !refused) {
		drop_gone(lane, &survey);
		r = dal_store_write(dal_state_store(lane->options.state), lane->batch, false);
	}
	dal_store_batch_clear(lane->batch);
	survey_free(&survey);
	return r < 0 ? r : refused;
}

/* --- building --- */

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

/* The first that is not built, and those that are as far as it is. */
static int build_plan(struct build *build)
{
	struct dal_lane *lane = build->lane;
	struct survey survey = {0};
	int r = dal_state_projections(lane->options.state, lane->options.number, on_known, &survey);

	build->list = dal_calloc(lane->projection_count + 1, sizeof(*build->list));
	for (size_t i = 0; r >= 0 && i < lane->projection_count; i++) {
		const struct dal_projection *p = dal_rules_projection(lane->options.rules, i);
		const struct known *known = survey_find(&survey, p->name, p->version);
		if (!known || known->built) {
			continue;
		}
		if (build->count == 0) {
			dal_position_copy(&build->next, &known->next);
		}
		if (dal_position_equal(&known->next, &build->next)) {
			build->list[build->count++] = (uint32_t)i;
		}
	}
	survey_free(&survey);
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

	for (size_t i = 0; i < build->count; i++) {
		projection_put(lane, build->list[i],
			       dal_position_reached(&build->next, &build->end), &build->next);
	}
	return dal_lane_write(lane);
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
