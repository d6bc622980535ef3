/* Projections of a lane: which are new, changed, raised or gone, and building those that are not
 * there yet. */
#include <errno.h>

#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/stream/lane_private.h"

struct known {
	char *name;
	uint32_t version;
	char *digest;
	bool built;
	uint64_t next;
};

struct survey {
	struct known *list;
	size_t count, capacity;
};

static void on_known(const struct dal_state_projection *projection, void *own)
{
	struct survey *survey = own;

	DAL_GROW(survey->list, survey->count, survey->capacity);
	survey->list[survey->count++] = (struct known){
		.name = dal_slice_dup(projection->name),
		.version = projection->version,
		.digest = dal_slice_dup(projection->digest),
		.built = projection->built,
		.next = projection->next,
	};
}

static void survey_free(struct survey *survey)
{
	for (size_t i = 0; i < survey->count; i++) {
		free(survey->list[i].name);
		free(survey->list[i].digest);
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

static void projection_put(struct dal_lane *lane, size_t index, bool built, uint64_t next)
{
	const struct dal_projection *projection = dal_rules_projection(lane->options.rules, index);

	dal_state_projection_put(lane->batch, lane->options.number,
				 &(struct dal_state_projection){
					 .name = dal_slice_text(projection->name),
					 .version = projection->version,
					 .digest = dal_slice_text(projection->digest),
					 .built = built,
					 .next = next,
				 });
}

static int projection_check(struct dal_lane *lane, size_t index, const struct known *known,
			    struct dal_errors *errors)
{
	const struct dal_projection *projection = dal_rules_projection(lane->options.rules, index);

	if (!known) {
		projection_put(lane, index, lane->next <= 1, 1);
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
	projection_put(lane, index, lane->next <= 1, 1);
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
	uint64_t next;
};

/* Those that are not built, from the smallest offset that one of them has reached. */
static int build_plan(struct build *build)
{
	struct dal_lane *lane = build->lane;
	struct survey survey = {0};
	int r = dal_state_projections(lane->options.state, lane->options.number, on_known, &survey);

	build->list = dal_calloc(lane->projection_count + 1, sizeof(*build->list));
	build->next = UINT64_MAX;
	for (size_t i = 0; r >= 0 && i < lane->projection_count; i++) {
		const struct dal_projection *p = dal_rules_projection(lane->options.rules, i);
		const struct known *known = survey_find(&survey, p->name, p->version);
		if (known && !known->built && known->next < build->next) {
			build->next = known->next;
			build->count = 0;
		}
		if (known && !known->built && known->next == build->next) {
			build->list[build->count++] = (uint32_t)i;
		}
	}
	survey_free(&survey);
	return r < 0 ? r : 0;
}

/* A completion that was ignored when the lane read it is ignored again. */
static int build_event(struct build *build)
{
	struct dal_lane *lane = build->lane;
	const struct dal_event *event = lane->event;
	bool ignored = false;
	int r = 0;

	if (dal_event_is_system(event)) {
		r = dal_outbox_ignored(lane->options.state, lane->options.number,
				       event->place.offset, &ignored);
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

	lane->events = batch;
	for (size_t i = 0; r == 0 && i < batch->count; i++) {
		if (batch->records[i].place.offset >= lane->next) {
			break;
		}
		lane->index = i;
		lane->failures = 0;
		r = dal_evaluator_parse(lane->evaluator, batch, i, &lane->event);
		r = r == 0 ? build_event(build) : r;
		build->next = batch->records[i].place.offset + 1;
	}
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
		projection_put(lane, build->list[i], build->next >= lane->next, build->next);
	}
	lane->batch_next = lane->next;
	return dal_lane_write(lane);
}

static int build_read(struct build *build,
		      bool (*progress)(void *own, const char *projection, uint64_t done,
				       uint64_t end),
		      void *own)
{
	struct dal_lane *lane = build->lane;
	struct dal_log_mark mark = {.topic = dal_slice_text("*"), .next = build->next};
	struct dal_log_batch batch = {0};
	struct dal_log_reader *reader;
	int r;

	r = dal_log_reader_new(lane->options.log, lane->options.number, &mark, 1, NULL, &reader);
	if (r < 0) {
		return r;
	}
	while (r == 0 && build->next < lane->next) {
		r = dal_log_read(reader, DAL_LIMIT_WORKER_BATCH_EVENTS,
				 DAL_LIMIT_WORKER_BATCH_BYTES, &batch);
		r = r == 0 ? build_batch(build, &batch) : r;
		r = r == 0 ? build_write(build) : r;
		if (r == 0 && progress &&
		    !progress(own, dal_rules_projection(lane->options.rules, build->list[0])->name,
			      build->next, lane->next)) {
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
	}
	lane->building = false;
	return r;
}
