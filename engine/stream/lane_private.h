/* What the files of the lane share; nobody else includes it. */
#ifndef DAL_STREAM_LANE_PRIVATE_H
#define DAL_STREAM_LANE_PRIVATE_H

#include "engine/base/map.h"
#include "engine/stream/lane.h"
#include "engine/stream/rows.h"
#include "state/view.h"

/* What the newest dalamb.outbox.checkpoint says: of causes before it only the listed rows are open.
 */
struct dal_checkpoint {
	uint64_t before;
	struct dal_map *open;   /* row ids; the value is any pointer */
	struct dal_map *causes; /* "offset" of those rows' causes, in decimal */
};

struct dal_lane {
	struct dal_lane_options options;
	struct dal_evaluator *evaluator;
	struct dal_rows *rows;
	struct dal_store_batch *batch;
	struct dal_view_name *names; /* by projection */
	size_t projection_count;

	/* committed, and the same with what the running batch has done */
	uint64_t next, sequence;
	uint64_t batch_next, batch_sequence;
	uint64_t batch_appended; /* rows to the log that are on it */
	int64_t appended_us;
	char generation[72];

	uint64_t origin; /* emits of causes up to here are on the log (as it was opened) */
	uint64_t end;    /* of the log, as it was opened: before it completions may precede rows */
	struct dal_checkpoint checkpoint;
	bool halted;
	bool building; /* projections, from events that are long past */
	struct dal_lane_halt halt;
	int error; /* of a callback or a note, until the next write fails with it */

	/* the current event */
	const struct dal_log_batch *events;
	size_t index;
	const struct dal_event *event;
	bool reviving; /* effects belong to listed rows or a dead letter, not to new ones */
	struct dal_slice reviving_id;
	uint32_t failures; /* of this event */

	uint64_t undelivered, dead, processed;
	bool changed; /* there is something to commit beyond rows and entries */
	struct dal_buffer text, value;
};

/* effects.c: the evaluator's sink */
extern const struct dal_evaluator_sink dal_lane_sink;

/* settle.c: what dalamb's own events mean for the outbox. *ignored: a later completion, not to be
 * matched. */
int dal_lane_settle(struct dal_lane *lane, bool *ignored);

/* checkpoint.c */
int dal_lane_checkpoint_find(struct dal_lane *lane);
void dal_lane_checkpoint_deinit(struct dal_lane *lane);
/* Makes the open rows that the checkpoint lists for the current event. */
int dal_lane_reopen(struct dal_lane *lane);
/* Makes one row of the current event again by its id; its declaration is gone: *made false. */
int dal_lane_remake(struct dal_lane *lane, struct dal_slice id, bool *made);
/* The row of a function that can't be made any more: what it would be given is the event itself. */
int dal_lane_remake_gone(struct dal_lane *lane, const struct dal_row_id *id);

/* build.c */
int dal_lane_projections(struct dal_lane *lane, struct dal_errors *errors);

/* process.c */
int dal_lane_write(struct dal_lane *lane);

#endif
