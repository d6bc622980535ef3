/* What the files of the lane share; nobody else includes it. */
#ifndef DAL_STREAM_LANE_PRIVATE_H
#define DAL_STREAM_LANE_PRIVATE_H

#include "engine/base/map.h"
#include "engine/stream/lane.h"
#include "engine/stream/repeats.h"
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
	struct dal_position next, batch_next;
	uint64_t sequence, batch_sequence;
	struct dal_map *batch_appended; /* sequences of rows to the log that are on it */
	int64_t appended_us, batch_appended_us;
	char generation[96];

	uint64_t origin; /* emits of causes up to here are on the log (as it was opened) */
	/* of the log, as it was opened: before it completions may precede rows */
	struct dal_position end;
	bool behind;              /* it was opened before that end */
	struct dal_position goal; /* where a rebuild ends; empty: there is none, or it is over */
	struct dal_checkpoint checkpoint;
	bool halted;
	bool lost;     /* what comes next is gone from the log: other rules are no remedy */
	bool building; /* projections, from events that are long past */
	bool beside;   /* it builds beside the lane that runs: writes entries and nothing else */
	struct dal_lane_halt halt;
	struct dal_repeats *repeats;
	struct dal_error reason; /* why the current record is no event */
	struct dal_event absent; /* what stands for it */
	int error;               /* of a callback or a note, until the next write fails with it */

	/* the current event */
	const struct dal_log_batch *events;
	size_t index;
	const struct dal_event *event;
	bool reviving; /* effects belong to listed rows or a dead letter, not to new ones */
	struct dal_slice reviving_id;
	uint32_t failures; /* of this event */

	uint64_t undelivered, dead, processed, refused, repeated;
	uint64_t batch_refused, batch_repeated;
	bool changed; /* there is something to commit beyond rows and entries */
	struct dal_buffer text, value;
};

/* Of the embedded log's one mark. */
static inline uint64_t dal_lane_offset(const struct dal_position *position)
{
	return position->count > 0 ? position->marks[0].next : 0;
}

/* Where the lane will stand still, once all before it is committed. */
void dal_lane_halt_set(struct dal_lane *lane, const struct dal_place *place,
		       const struct dal_error *why);

/* lane.c: the parts of opening one */
struct dal_lane *dal_lane_make(const struct dal_lane_options *options);
/* Where the state says it stands, and the log ends. */
int dal_lane_position_read(struct dal_lane *lane, struct dal_errors *errors);
struct dal_view_name *dal_lane_names_new(const struct dal_lane_options *options);
/* Of the lane, for rules that may yet be another generation's. */
int dal_lane_evaluator_new(struct dal_lane *lane, const struct dal_lane_options *options,
			   struct dal_evaluator **evaluator);

/* record.c: a record of the log on its way to being an event */
enum {
	DAL_RECORD_REFUSED = 2, /* it is none: lane->reason says why */
	DAL_RECORD_HALTS = 3,   /* likewise, and by its topic's policy the lane stops here */
};

/* Parses the record and sets lane->event. 0, an outcome, or negative. */
int dal_lane_record(struct dal_lane *lane, const struct dal_log_batch *batch, size_t index);

/* effects.c: the evaluator's sink */
extern const struct dal_evaluator_sink dal_lane_sink;
/* Reports the current record, which is refused, as an event of `system`. */
void dal_lane_refuse(struct dal_lane *lane);

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

/* process.c */
int dal_lane_write(struct dal_lane *lane);
/* The changed entries and what else the batch holds; no position. */
int dal_lane_write_entries(struct dal_lane *lane);

#endif
