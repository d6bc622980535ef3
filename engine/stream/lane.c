#include "engine/stream/lane_private.h"
#include "engine/stream/projections.h"

#include <errno.h>
#include <stdio.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"

static int on_load(void *own, uint32_t projection, struct dal_slice key,
		   struct dal_view_entry *entry, struct dal_buffer *memory)
{
	struct dal_lane *lane = own;

	return dal_view_get(lane->options.state, NULL, &lane->names[projection], key, entry,
			    memory);
}

struct dal_view_name *dal_lane_names_new(const struct dal_lane_options *options)
{
	size_t count = dal_rules_projection_count(options->rules);
	struct dal_view_name *names = dal_calloc(count + 1, sizeof(*names));

	for (size_t i = 0; i < count; i++) {
		const struct dal_projection *projection = dal_rules_projection(options->rules, i);
		names[i] = (struct dal_view_name){
			.lane = options->number,
			.projection = dal_slice_text(projection->name),
			.version = projection->version,
		};
	}
	return names;
}

int dal_lane_evaluator_new(struct dal_lane *lane, const struct dal_lane_options *options,
			   struct dal_evaluator **evaluator)
{
	return dal_evaluator_new(
		&(struct dal_evaluator_options){
			.rules = options->rules,
			.targets = options->targets,
			.target_count = options->target_count,
			.load = on_load,
			.sink = &dal_lane_sink,
			.own = lane,
			.cache_entries = options->cache_entries,
			.unlimited_time = options->unlimited_time,
			.rights = options->rights,
		},
		evaluator);
}

static void refuse_beyond(const struct dal_mark *end, uint64_t next, struct dal_errors *errors)
{
	struct dal_buffer where = {0};

	if (!dal_slice_is(end->topic, DAL_POSITION_ALL_TOPICS)) {
		dal_buffer_printf(&where, " of %.*s/%d", (int)end->topic.size, end->topic.data,
				  end->partition);
	}
	dal_errors_add(errors, NULL, 0,
		       "the state stands at offset %llu%s, but the log ends at %llu: this log lost "
		       "events or is not the one that the state was made from. Restore the log, or "
		       "delete the state folder: it is rebuilt from the log",
		       (unsigned long long)next, dal_buffer_cstr(&where),
		       (unsigned long long)end->next);
	dal_buffer_deinit(&where);
}

/* A state beyond its log's end. */
static int end_check(struct dal_lane *lane, struct dal_errors *errors)
{
	for (size_t i = 0; i < lane->end.count; i++) {
		const struct dal_mark *end = &lane->end.marks[i];
		uint64_t next = dal_position_next(&lane->next, end->topic, end->partition);

		if (next > end->next) {
			refuse_beyond(end, next, errors);
			return DAL_LANE_REFUSED;
		}
	}
	return 0;
}

int dal_lane_position_read(struct dal_lane *lane, struct dal_errors *errors)
{
	struct dal_state_position position = {0};
	int r;

	if (lane->options.log) {
		dal_log_start(lane->options.log, lane->options.number, &lane->next);
		dal_log_end(lane->options.log, lane->options.number, &lane->end);
	}
	lane->sequence = 1;
	r = dal_state_position_get(lane->options.state, lane->options.number, &position);
	if (r == 0) {
		for (size_t i = 0; i < position.next.count; i++) {
			const struct dal_mark *mark = &position.next.marks[i];
			dal_position_set(&lane->next, mark->topic, mark->partition, mark->next);
		}
		lane->sequence = position.sequence;
		lane->appended_us = position.appended_us;
		dal_lane_generation(lane, position.generation);
		dal_position_copy(&lane->goal, &position.goal);
	}
	dal_state_position_deinit(&position);
	dal_position_copy(&lane->batch_next, &lane->next);
	lane->batch_appended_us = lane->appended_us;
	lane->batch_sequence = lane->sequence;
	lane->behind = !dal_position_reached(&lane->next, &lane->end);
	if (lane->behind && lane->appended_us == 0) {
		dal_position_copy(&lane->goal, &lane->end);
	}
	return r < 0 ? r : end_check(lane, errors);
}

static int outbox_read(struct dal_lane *lane)
{
	uint64_t open = 0, delivered = 0, dead = 0;
	int r;

	if (!lane->options.outbox) {
		return 0;
	}
	r = dal_outbox_count(lane->options.state, lane->options.number, &open, &delivered, &dead);
	lane->undelivered = open;
	lane->dead = dead;
	lane->origin = dal_log_origin(lane->options.log, lane->options.number);
	if (r < 0 || dal_log_kind(lane->options.log) != DAL_LOG_EMBEDDED) {
		return r < 0 ? r : 0; /* checkpoints are written on the embedded log only */
	}
	return dal_lane_checkpoint_find(lane);
}

/* Those that are declared are known from here on, all others are gone. */
static int projections_open(struct dal_lane *lane, struct dal_errors *errors)
{
	const struct dal_lane_options *options = &lane->options;
	struct dal_survey survey = {0};
	int r = 0;

	if (!options->rebuild_changed) {
		r = dal_lane_rules_check(options->state, options->number, options->rules, errors);
	}
	if (r == 0) {
		r = dal_lane_rules_drop(options->state, options->number, options->rules);
	}
	if (r == 0) {
		r = dal_survey_take(options->state, options->number, &survey);
	}
	if (r == 0) {
		dal_lane_projections_begin(lane, &survey);
		r = dal_store_write(dal_state_store(options->state), lane->batch, false);
	}
	dal_store_batch_clear(lane->batch);
	dal_survey_deinit(&survey);
	return r;
}

static int open_all(struct dal_lane *lane, struct dal_errors *errors)
{
	int r = dal_lane_position_read(lane, errors);

	if (r == 0) {
		r = projections_open(lane, errors);
	}
	if (r == 0) {
		r = outbox_read(lane);
	}
	if (r == 0) {
		r = dal_repeats_read(lane->repeats, lane->options.state, lane->options.number);
	}
	return r == 0 ? dal_lane_evaluator_new(lane, &lane->options, &lane->evaluator) : r;
}

struct dal_lane *dal_lane_make(const struct dal_lane_options *options)
{
	struct dal_lane *lane = dal_calloc(1, sizeof(*lane));

	lane->options = *options;
	dal_rules_ref(options->rules);
	lane->rows = dal_rows_new(options->state, options->number);
	lane->batch = dal_store_batch_new();
	lane->batch_appended = dal_map_new();
	lane->repeats = dal_repeats_new(options->dedup_us, options->dedup_entries);
	lane->names = dal_lane_names_new(options);
	lane->projection_count = dal_rules_projection_count(options->rules);
	return lane;
}

int dal_lane_new(const struct dal_lane_options *options, struct dal_lane **out,
		 struct dal_errors *errors)
{
	struct dal_lane *lane = dal_lane_make(options);
	int r = open_all(lane, errors);

	if (r != 0) {
		dal_lane_free(lane);
		return r;
	}
	*out = lane;
	return 0;
}

void dal_lane_free(struct dal_lane *lane)
{
	if (!lane) {
		return;
	}
	dal_evaluator_free(lane->evaluator);
	dal_lane_checkpoint_deinit(lane);
	dal_rows_free(lane->rows);
	dal_map_free(lane->batch_appended);
	dal_store_batch_free(lane->batch);
	dal_repeats_free(lane->repeats);
	dal_position_deinit(&lane->next);
	dal_position_deinit(&lane->batch_next);
	dal_position_deinit(&lane->end);
	dal_position_deinit(&lane->goal);
	dal_buffer_deinit(&lane->text);
	dal_buffer_deinit(&lane->value);
	free(lane->names);
	dal_rules_unref(lane->options.rules);
	free(lane);
}

const struct dal_lane_halt *dal_lane_halt(const struct dal_lane *lane)
{
	return lane->halted ? &lane->halt : NULL;
}

void dal_lane_halt_set(struct dal_lane *lane, const struct dal_place *place,
		       const struct dal_error *why)
{
	lane->halt = (struct dal_lane_halt){.place = *place, .since_us = dal_clock_now_us()};
	snprintf(lane->halt.message, sizeof(lane->halt.message), "%.*s",
		 (int)sizeof(lane->halt.message) - 1, why->text);
}

void dal_lane_lost(struct dal_lane *lane, const struct dal_place *place,
		   const struct dal_error *why)
{
	dal_lane_halt_set(lane, place, why);
	lane->halted = lane->lost = true;
}

const struct dal_position *dal_lane_position(const struct dal_lane *lane)
{
	return &lane->next;
}

uint64_t dal_lane_next(const struct dal_lane *lane)
{
	return dal_lane_offset(&lane->next);
}

int64_t dal_lane_appended_us(const struct dal_lane *lane)
{
	return lane->appended_us;
}

uint64_t dal_lane_sequence(const struct dal_lane *lane)
{
	return lane->sequence;
}

bool dal_lane_rebuilding(const struct dal_lane *lane)
{
	return lane->goal.count > 0 ||
	       (lane->behind && dal_lane_offset(&lane->next) < lane->checkpoint.before);
}

uint64_t dal_lane_undelivered(const struct dal_lane *lane)
{
	return lane->undelivered;
}

uint64_t dal_lane_dead(const struct dal_lane *lane)
{
	return lane->dead;
}

uint64_t dal_lane_events(const struct dal_lane *lane)
{
	return lane->processed;
}

uint64_t dal_lane_refused(const struct dal_lane *lane)
{
	return lane->refused;
}

uint64_t dal_lane_repeated(const struct dal_lane *lane)
{
	return lane->repeated;
}

void dal_lane_generation(struct dal_lane *lane, struct dal_slice generation)
{
	snprintf(lane->generation, sizeof(lane->generation), "%.*s", (int)generation.size,
		 generation.data ? generation.data : "");
	lane->changed = true;
}

struct dal_slice dal_lane_generation_get(const struct dal_lane *lane)
{
	return dal_slice_text(lane->generation);
}
