/* One generation of rules after another in a lane: built beside it, made ready, switched to. */
#include <errno.h>

#include "engine/base/memory.h"
#include "engine/stream/lane_private.h"
#include "engine/stream/projections.h"

/* A lane that runs fast is caught up with in the switch: it stands still for what is left. */
enum { BESIDE_LEFT_EVENTS = 2000, BESIDE_ROUNDS = 8 };

struct dal_lane_next {
	struct dal_lane_options options;
	struct dal_evaluator *evaluator;
	struct dal_view_name *names;
};

/* --- beside --- */

static int beside_begin(struct dal_lane *lane)
{
	struct dal_survey survey = {0};
	int r = dal_survey_take(lane->options.state, lane->options.number, &survey);

	if (r == 0) {
		dal_lane_projections_begin(lane, &survey);
		r = dal_store_write(dal_state_store(lane->options.state), lane->batch, false);
	}
	dal_survey_deinit(&survey);
	return r;
}

/* Looks again where the other lane stands: how far it went since. */
static int beside_look(struct dal_lane *lane, uint64_t *went)
{
	struct dal_state_position position = {0};
	int r = dal_state_position_get(lane->options.state, lane->options.number, &position);

	*went = r == 0 ? dal_position_distance(&lane->next, &position.next) : 0;
	if (r == 0) {
		dal_position_advance(&lane->next, &position.next);
	}
	dal_state_position_deinit(&position);
	return r < 0 ? r : 0;
}

int dal_lane_build_beside(const struct dal_lane_options *options,
			  bool (*progress)(void *own, const char *projection, uint64_t done,
					   uint64_t end),
			  void *own, struct dal_lane_halt *halt)
{
	struct dal_lane *lane = dal_lane_make(options);
	struct dal_errors errors = {0};
	uint64_t went = UINT64_MAX;
	int r;

	lane->beside = true;
	lane->options.outbox = false;
	lane->options.watch = NULL;
	r = dal_lane_position_read(lane, &errors);
	r = r > 0 ? -EBADMSG : r; /* the lane that runs would have said so */
	r = r == 0 ? beside_begin(lane) : r;
	r = r == 0 ? dal_lane_evaluator_new(lane, &lane->options, &lane->evaluator) : r;
	for (int round = 0; r == 0 && went > BESIDE_LEFT_EVENTS && round < BESIDE_ROUNDS; round++) {
		r = dal_lane_build(lane, progress, own);
		r = r == 0 ? beside_look(lane, &went) : r;
	}
	if (r == DAL_LANE_HALTED) {
		*halt = lane->halt;
	}
	dal_errors_deinit(&errors);
	dal_lane_free(lane);
	return r;
}

/* --- made ready --- */

int dal_lane_next_new(struct dal_lane *lane, const struct dal_lane_options *options,
		      struct dal_lane_next **out)
{
	struct dal_lane_next *next = dal_calloc(1, sizeof(*next));
	int r;

	next->options = *options;
	dal_rules_ref(options->rules);
	next->names = dal_lane_names_new(options);
	r = dal_lane_evaluator_new(lane, options, &next->evaluator);
	if (r < 0) {
		dal_lane_next_free(next);
		return r;
	}
	*out = next;
	return 0;
}

void dal_lane_next_free(struct dal_lane_next *next)
{
	if (!next) {
		return;
	}
	dal_evaluator_free(next->evaluator);
	dal_rules_unref(next->options.rules);
	free(next->names);
	free(next);
}

/* --- the switch --- */

/* `next` then holds what ran before. */
static void exchange(struct dal_lane *lane, struct dal_lane_next *next)
{
	struct dal_lane_next old = {
		.options = {.rules = lane->options.rules},
		.evaluator = lane->evaluator,
		.names = lane->names,
	};

	lane->options.rules = next->options.rules;
	lane->options.targets = next->options.targets;
	lane->options.target_count = next->options.target_count;
	lane->options.rights = next->options.rights;
	lane->options.own = next->options.own;
	lane->options.rebuild_changed = next->options.rebuild_changed;
	lane->evaluator = next->evaluator;
	lane->names = next->names;
	lane->projection_count = dal_rules_projection_count(lane->options.rules);
	*next = old;
}

int dal_lane_switch(struct dal_lane *lane, struct dal_lane_next *next, struct dal_slice generation,
		    size_t *anew)
{
	struct dal_survey survey = {0};
	int r = dal_lane_commit(lane);

	*anew = 0;
	if (r == 0) {
		r = dal_survey_take(lane->options.state, lane->options.number, &survey);
	}
	if (r == 0) {
		exchange(lane, next);
		*anew = dal_lane_projections_begin(lane, &survey);
		dal_lane_projections_retire(lane, &survey);
		dal_lane_generation(lane, generation);
		lane->halted = lane->lost;
		r = dal_lane_write(lane);
	}
	dal_survey_deinit(&survey);
	dal_lane_next_free(next);
	return r;
}
