#include "engine/stream/projections.h"

#include "engine/base/memory.h"

/* --- what is known --- */

static void on_known(const struct dal_state_projection *projection, void *own)
{
	struct dal_survey *survey = own;
	struct dal_known *known;

	DAL_GROW(survey->list, survey->count, survey->capacity);
	known = &survey->list[survey->count++];
	*known = (struct dal_known){
		.name = dal_slice_dup(projection->name),
		.version = projection->version,
		.digest = dal_slice_dup(projection->digest),
		.built = projection->built,
	};
	dal_position_copy(&known->next, &projection->next);
}

int dal_survey_take(struct dal_state *state, uint16_t lane, struct dal_survey *survey)
{
	int r = dal_state_projections(state, lane, on_known, survey);

	return r < 0 ? r : 0;
}

void dal_survey_deinit(struct dal_survey *survey)
{
	for (size_t i = 0; i < survey->count; i++) {
		free(survey->list[i].name);
		free(survey->list[i].digest);
		dal_position_deinit(&survey->list[i].next);
	}
	free(survey->list);
	*survey = (struct dal_survey){0};
}

const struct dal_known *dal_survey_find(const struct dal_survey *survey, const char *name,
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

static bool is_same(const struct dal_projection *projection, const struct dal_known *known)
{
	return dal_slice_is(dal_slice_text(projection->digest), known->digest);
}

/* Does a declaration have this version still? */
static bool is_declared(const struct dal_rules *rules, const struct dal_known *known)
{
	long index = dal_rules_projection_index(rules, dal_slice_text(known->name));

	return index >= 0 && dal_rules_projection(rules, (size_t)index)->version == known->version;
}

/* --- changes --- */

void dal_lane_projection_put(struct dal_lane *lane, size_t index, bool built,
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
static void begin(struct dal_lane *lane, size_t index)
{
	struct dal_position start = {0};
	bool built;

	if (lane->options.log) {
		dal_log_start(lane->options.log, lane->options.number, &start);
	}
	built = !lane->beside && dal_position_reached(&start, &lane->next);
	dal_lane_projection_put(lane, index, built, &start);
	dal_position_deinit(&start);
}

size_t dal_lane_projections_begin(struct dal_lane *lane, const struct dal_survey *survey)
{
	size_t anew = 0;

	for (size_t i = 0; i < lane->projection_count; i++) {
		const struct dal_projection *p = dal_rules_projection(lane->options.rules, i);
		const struct dal_known *known = dal_survey_find(survey, p->name, p->version);

		if (known && (is_same(p, known) || (lane->beside && known->built))) {
			continue; /* what serves is not touched from beside */
		}
		if (known) {
			dal_state_projection_drop(lane->batch, lane->options.number,
						  dal_slice_text(p->name), p->version);
			anew++;
		}
		begin(lane, i);
	}
	return anew;
}

void dal_lane_projections_retire(struct dal_lane *lane, const struct dal_survey *survey)
{
	for (size_t i = 0; i < survey->count; i++) {
		const struct dal_known *known = &survey->list[i];

		if (known->built && !is_declared(lane->options.rules, known)) {
			dal_state_projection_put(lane->batch, lane->options.number,
						 &(struct dal_state_projection){
							 .name = dal_slice_text(known->name),
							 .version = known->version,
							 .digest = dal_slice_text(known->digest),
							 .next = lane->next,
						 });
		}
	}
}

/* --- asked from outside --- */

/* What was never built has served nobody, so it may be begun anew. */
static int check(const struct dal_projection *projection, const struct dal_known *known,
		 struct dal_errors *errors)
{
	if (!known || !known->built || is_same(projection, known)) {
		return 0;
	}
	dal_errors_add(errors, projection->file, projection->line,
		       "projection \"%s\" has changed, but its version is still %u: its "
		       "entries were made by the old fold. Raise `version` to %u and it is "
		       "built anew, or use `dalamb run --dev`",
		       projection->name, projection->version, projection->version + 1);
	return DAL_LANE_REFUSED;
}

int dal_lane_rules_check(struct dal_state *state, uint16_t lane, const struct dal_rules *rules,
			 struct dal_errors *errors)
{
	struct dal_survey survey = {0};
	int r = dal_survey_take(state, lane, &survey), refused = 0;

	for (size_t i = 0; r == 0 && i < dal_rules_projection_count(rules); i++) {
		const struct dal_projection *p = dal_rules_projection(rules, i);
		if (check(p, dal_survey_find(&survey, p->name, p->version), errors) != 0) {
			refused = DAL_LANE_REFUSED;
		}
	}
	dal_survey_deinit(&survey);
	return r < 0 ? r : refused;
}

int dal_lane_rules_drop(struct dal_state *state, uint16_t lane, const struct dal_rules *rules)
{
	struct dal_store_batch *batch = dal_store_batch_new();
	struct dal_survey survey = {0};
	int r = dal_survey_take(state, lane, &survey);

	for (size_t i = 0; r == 0 && i < survey.count; i++) {
		if (!is_declared(rules, &survey.list[i])) {
			dal_state_projection_drop(batch, lane, dal_slice_text(survey.list[i].name),
						  survey.list[i].version);
		}
	}
	if (r == 0) {
		r = dal_store_write(dal_state_store(state), batch, false);
	}
	dal_survey_deinit(&survey);
	dal_store_batch_free(batch);
	return r;
}
