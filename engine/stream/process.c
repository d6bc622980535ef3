/* The lane at work: a batch of events evaluated, then one write of all that it did. */
#include <errno.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/fault.h"
#include "engine/stream/lane_private.h"

enum { EXPIRE_A_BATCH = 1000 };

/* --- commit --- */

static void on_change(void *own, const struct dal_cache_entry *entry, struct dal_slice json)
{
	struct dal_lane *lane = own;
	const struct dal_view_name *name = &lane->names[entry->projection];
	struct dal_slice key = dal_cache_key(entry);

	dal_buffer_clear(&lane->text);
	dal_view_key(name, key, &lane->text);
	if (json.size == 0 && !entry->parked) {
		dal_store_batch_delete(lane->batch, dal_buffer_slice(&lane->text));
		return;
	}
	struct dal_view_entry value = {
		.json = json,
		.position = entry->position,
		.parked = entry->parked,
		.parked_at = entry->parked_at,
		.message = dal_slice_text(entry->message),
	};
	dal_buffer_clear(&lane->value);
	dal_view_encode(&value, &lane->value);
	dal_store_batch_put(lane->batch, dal_buffer_slice(&lane->text),
			    dal_buffer_slice(&lane->value));
	if (entry->parked) {
		dal_view_parked_put(lane->batch, name, key, &value);
	}
}

static void position_write(struct dal_lane *lane)
{
	bool there = dal_position_reached(&lane->batch_next, &lane->goal);

	dal_state_position_put(lane->batch, lane->options.number,
			       &(struct dal_state_position){
				       .next = lane->batch_next,
				       .appended_us = lane->batch_appended_us,
				       .sequence = lane->batch_sequence,
				       .generation = dal_slice_text(lane->generation),
				       .goal = there ? (struct dal_position){0} : lane->goal,
			       });
}

/* Seeded defects (tests of the crash harness): a part of the batch is written alone, a crash may
 * come between. */
static int fault_pause(struct dal_lane *lane)
{
	int r = dal_store_write(dal_state_store(lane->options.state), lane->batch, false);

	usleep(20000);
	return r;
}

static void appended_forget(struct dal_lane *lane)
{
	struct dal_slice sequence;
	size_t cursor = 0;
	void *value;

	while (dal_map_next(lane->batch_appended, &cursor, &sequence, &value)) {
		dal_map_remove(lane->batch_appended, sequence);
	}
}

int dal_lane_write(struct dal_lane *lane)
{
	struct dal_store *store = dal_state_store(lane->options.state);
	int64_t undelivered = dal_rows_undelivered(lane->rows) -
			      (int64_t)dal_map_size(lane->batch_appended);
	int64_t dead = dal_rows_dead(lane->rows);
	int r = 0;

	if (lane->error < 0) {
		return lane->error;
	}
	if (dal_fault("position-before-state")) {
		position_write(lane);
		r = fault_pause(lane);
	}
	if (r >= 0) {
		/* First: what the batch settles anew is put behind it. Faster than they come, also
		 * when a rebuild settles thousands in a batch. */
		r = dal_outbox_expire(lane->options.state, lane->batch, lane->options.number,
				      lane->batch_appended_us,
				      EXPIRE_A_BATCH + 2 * dal_rows_size(lane->rows));
	}
	dal_rows_commit(lane->rows, lane->batch, &lane->batch_sequence);
	if (dal_fault("row-before-commit")) {
		r = fault_pause(lane);
	}
	dal_evaluator_changes(lane->evaluator, on_change, lane);
	dal_repeats_commit(lane->repeats, lane->batch, lane->options.number,
			   lane->batch_appended_us);
	position_write(lane);
	if (r >= 0) {
		r = dal_store_write(store, lane->batch, false);
	}
	if (r < 0) {
		return r;
	}
	dal_evaluator_clean(lane->evaluator);
	dal_rows_clear(lane->rows);
	dal_position_advance(&lane->next, &lane->batch_next);
	if (dal_position_reached(&lane->next, &lane->goal)) {
		dal_position_deinit(&lane->goal);
	}
	lane->sequence = lane->batch_sequence;
	lane->appended_us = lane->batch_appended_us;
	lane->refused += lane->batch_refused;
	lane->repeated += lane->batch_repeated;
	lane->batch_refused = lane->batch_repeated = 0;
	lane->undelivered = (uint64_t)((int64_t)lane->undelivered + undelivered);
	appended_forget(lane);
	lane->dead = (uint64_t)((int64_t)lane->dead + dead);
	lane->changed = false;
	return 0;
}

int dal_lane_write_entries(struct dal_lane *lane)
{
	int r;

	dal_evaluator_changes(lane->evaluator, on_change, lane);
	r = dal_store_write(dal_state_store(lane->options.state), lane->batch, false);
	if (r == 0) {
		dal_evaluator_clean(lane->evaluator);
	}
	return r;
}

int dal_lane_commit(struct dal_lane *lane)
{
	if (!lane->changed && lane->error == 0 && dal_rows_size(lane->rows) == 0) {
		return 0;
	}
	return dal_lane_write(lane);
}

static void undo(struct dal_lane *lane)
{
	dal_evaluator_discard(lane->evaluator);
	dal_rows_clear(lane->rows);
	dal_repeats_discard(lane->repeats);
	dal_store_batch_clear(lane->batch);
	appended_forget(lane);
	lane->batch_refused = lane->batch_repeated = 0;
	dal_position_copy(&lane->batch_next, &lane->next);
	lane->batch_appended_us = lane->appended_us;
	lane->batch_sequence = lane->sequence;
}

/* --- one event --- */

static int event_run(struct dal_lane *lane)
{
	bool before = lane->event->place.offset < lane->checkpoint.before;
	bool rules = lane->options.outbox ? !before : lane->options.watch != NULL;
	int r = 0;

	if (before && lane->options.outbox) {
		r = dal_lane_reopen(lane);
	}
	if (r == 0) {
		r = dal_evaluator_run(lane->evaluator, rules);
	}
	return lane->error < 0 && r >= 0 ? lane->error : r;
}

static bool is_repeat(struct dal_lane *lane, const struct dal_log_record *record)
{
	if (record->dedup.size == 0 ||
	    !dal_repeats_seen(lane->repeats, record->dedup, record->appended_us)) {
		return false;
	}
	lane->batch_repeated++;
	dal_outbox_ignore(lane->batch, lane->options.number, &record->place);
	return true;
}

static int event_process(struct dal_lane *lane, const struct dal_log_batch *batch, size_t index)
{
	const struct dal_log_record *record = &batch->records[index];
	bool ignored;
	int r;

	lane->failures = 0;
	r = dal_lane_record(lane, batch, index);
	if (r == DAL_RECORD_HALTS) {
		dal_lane_halt_set(lane, &record->place, &lane->reason);
		return DAL_EVALUATOR_HALT;
	}
	/* Topics of a lane may overtake; a foreign one's times are whatever its producers say. */
	if (!record->foreign && record->appended_us > lane->batch_appended_us) {
		lane->batch_appended_us = record->appended_us;
	}
	if (r == DAL_RECORD_REFUSED) {
		dal_lane_refuse(lane);
		r = 0;
	} else if (r == 0) {
		ignored = is_repeat(lane, record);
		if (!ignored && dal_event_is_system(lane->event)) {
			r = dal_lane_settle(lane, &ignored);
		}
		if (r == 0 && !ignored) {
			r = event_run(lane);
		}
	}
	if (r == 0) {
		dal_position_pass(&lane->batch_next, &record->place);
	}
	return r;
}

static int range_process(struct dal_lane *lane, const struct dal_log_batch *batch, size_t count,
			 size_t *done)
{
	int r = 0;

	for (*done = 0; *done < count; (*done)++) {
		r = event_process(lane, batch, *done);
		if (r != 0) {
			break;
		}
	}
	return r;
}

int dal_lane_process(struct dal_lane *lane, const struct dal_log_batch *batch)
{
	size_t done = 0;
	bool halts = false;
	int r;

	if (lane->halted) {
		return DAL_LANE_HALTED;
	}
	r = dal_lane_commit(lane); /* what dispatch said is not undone with the batch */
	if (r == 0) {
		r = range_process(lane, batch, batch->count, &done);
	}
	while (r == DAL_EVALUATOR_HALT) { /* once; again only if a limit of time says otherwise */
		halts = true;
		undo(lane);
		r = range_process(lane, batch, done, &done);
	}
	if (r == 0 && done == batch->count) {
		dal_position_advance(&lane->batch_next, &batch->position);
	}
	if (r == 0) {
		r = dal_lane_write(lane);
	}
	if (r != 0) {
		undo(lane);
		return r;
	}
	lane->processed += done;
	lane->halted = halts;
	return lane->halted ? DAL_LANE_HALTED : 0;
}

/* --- what dispatch says --- */

/* NULL on a read error, which the next commit fails with. */
static struct dal_touched *noted(struct dal_lane *lane, struct dal_slice row_id)
{
	int error;
	struct dal_touched *touched = dal_rows_find(lane->rows, row_id, &error);

	lane->error = error < 0 ? error : lane->error;
	return touched;
}

void dal_lane_delivered(struct dal_lane *lane, struct dal_slice row_id)
{
	struct dal_touched *touched = noted(lane, row_id);

	if (touched && touched->now == DAL_ROW_OPEN) {
		touched->now = DAL_ROW_DELIVERED;
	}
}

void dal_lane_retry(struct dal_lane *lane, struct dal_slice row_id, uint32_t attempts,
		    int64_t due_us, struct dal_slice tries)
{
	struct dal_touched *touched = noted(lane, row_id);

	if (!touched || touched->now != DAL_ROW_OPEN || dal_fault("lost-timer")) {
		return;
	}
	touched->row.attempts = attempts;
	touched->row.due_us = due_us;
	dal_rows_tries(touched, tries);
	touched->changed = true;
}

void dal_lane_pass(struct dal_lane *lane, const struct dal_position *position)
{
	if (!dal_position_reached(&lane->batch_next, position)) {
		dal_position_advance(&lane->batch_next, position);
		lane->changed = true;
	}
}

/* It may be said twice of a row that was appended twice. */
void dal_lane_appended(struct dal_lane *lane, uint64_t sequence)
{
	struct dal_slice key = dal_slice(&sequence, sizeof(sequence));
	struct dal_row row;
	int r;

	if (dal_map_get(lane->batch_appended, key)) {
		return;
	}
	r = dal_outbox_get(lane->options.state, lane->options.number, DAL_ROW_OPEN,
			   (struct dal_slice){0}, sequence, &row, &lane->value);
	if (r != 0) {
		lane->error = r < 0 ? r : lane->error;
		return;
	}
	dal_outbox_remove(lane->batch, lane->options.number,
			  &(struct dal_row){.sequence = sequence});
	dal_map_set(lane->batch_appended, key, lane);
	lane->changed = true;
}
