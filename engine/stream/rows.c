#include "engine/stream/rows.h"

#include <errno.h>

#include "engine/base/error.h"
#include "engine/base/map.h"
#include "engine/base/memory.h"

struct dal_rows {
	struct dal_state *state;
	uint16_t lane;
	struct dal_map *by_id;
	struct dal_touched *first, **tail;
	size_t count;
	struct dal_buffer text;
};

struct dal_rows *dal_rows_new(struct dal_state *state, uint16_t lane)
{
	struct dal_rows *rows = dal_calloc(1, sizeof(*rows));
	rows->state = state;
	rows->lane = lane;
	rows->by_id = dal_map_new();
	rows->tail = &rows->first;
	return rows;
}

static void touched_free(struct dal_touched *touched)
{
	dal_buffer_deinit(&touched->memory);
	dal_buffer_deinit(&touched->tries);
	dal_buffer_deinit(&touched->completion);
	free(touched->id);
	free(touched);
}

void dal_rows_clear(struct dal_rows *rows)
{
	struct dal_touched *touched, *next;

	for (touched = rows->first; touched; touched = next) {
		next = touched->next;
		dal_map_remove(rows->by_id, dal_slice_text(touched->id));
		touched_free(touched);
	}
	rows->first = NULL;
	rows->tail = &rows->first;
	rows->count = 0;
}

void dal_rows_free(struct dal_rows *rows)
{
	if (!rows) {
		return;
	}
	dal_rows_clear(rows);
	dal_map_free(rows->by_id);
	dal_buffer_deinit(&rows->text);
	free(rows);
}

void dal_rows_tries(struct dal_touched *touched, struct dal_slice tries)
{
	dal_buffer_clear(&touched->tries);
	dal_buffer_slice_append(&touched->tries, tries);
	touched->row.tries = dal_buffer_slice(&touched->tries);
}

void dal_rows_completion(struct dal_touched *touched, struct dal_slice completion)
{
	dal_buffer_clear(&touched->completion);
	dal_buffer_slice_append(&touched->completion, completion);
	touched->row.completion = dal_buffer_slice(&touched->completion);
}

static struct dal_touched *touched_new(struct dal_slice id)
{
	struct dal_touched *touched = dal_calloc(1, sizeof(*touched));

	touched->id = dal_slice_dup(id);
	return touched;
}

static void touch(struct dal_rows *rows, struct dal_touched *touched)
{
	dal_map_set(rows->by_id, dal_slice_text(touched->id), touched);
	*rows->tail = touched;
	rows->tail = &touched->next;
	rows->count++;
}

/* The row as the store has it. */
static int touched_load(struct dal_rows *rows, struct dal_touched *touched)
{
	struct dal_slice function;
	uint64_t sequence;
	int r = dal_outbox_status(rows->state, rows->lane, dal_slice_text(touched->id),
				  &touched->before, &function, &sequence, &rows->text);

	touched->now = touched->before;
	if (r != 0) {
		return r;
	}
	if (touched->now == DAL_ROW_UNKNOWN || touched->now == DAL_ROW_SETTLED) {
		/* its id is all that is known */
		dal_row_id_parse(dal_slice_text(touched->id), &touched->row.id);
		return touched->now == DAL_ROW_SETTLED
			       ? dal_outbox_settled_until(rows->state, rows->lane,
							  dal_slice_text(touched->id),
							  &touched->expires_us)
			       : 0;
	}
	r = dal_outbox_get(rows->state, rows->lane, touched->now, function, sequence, &touched->row,
			   &touched->memory);
	return r > 0 ? -EBADMSG : r;
}

struct dal_touched *dal_rows_find(struct dal_rows *rows, struct dal_slice id, int *error)
{
	struct dal_touched *touched = dal_map_get(rows->by_id, id);

	*error = 0;
	if (touched) {
		return touched;
	}
	touched = touched_new(id);
	*error = touched_load(rows, touched);
	if (*error != 0) {
		touched_free(touched);
		return NULL;
	}
	touch(rows, touched);
	return touched;
}

int dal_rows_add(struct dal_rows *rows, const struct dal_row *row, bool check)
{
	struct dal_touched *touched;
	struct dal_buffer id = {0};
	int error = 0;

	dal_row_id_format(&row->id, &id);
	touched = dal_map_get(rows->by_id, dal_buffer_slice(&id));
	if (!touched && check) {
		touched = dal_rows_find(rows, dal_buffer_slice(&id), &error);
	} else if (!touched) {
		touched = touched_new(dal_buffer_slice(&id));
		touch(rows, touched);
	}
	dal_buffer_deinit(&id);
	if (!touched || touched->now != DAL_ROW_UNKNOWN) {
		return error;
	}
	dal_buffer_clear(&touched->memory);
	dal_row_encode(row, &touched->memory);
	DAL_ASSERT(dal_row_decode(dal_buffer_slice(&touched->memory), &touched->row));
	touched->row.sequence = row->sequence;
	touched->now = DAL_ROW_OPEN;
	return 0;
}

/* Also a row that was open or delivered before the batch, and died and was sent again within it:
 * wherever it stood, it is gone from there, and stands behind all others. */
static void commit_revived(struct dal_rows *rows, struct dal_touched *t,
			   struct dal_store_batch *batch, uint64_t sequence)
{
	if (t->before != DAL_ROW_DEAD) {
		dal_outbox_bury(batch, rows->lane, &t->row);
	}
	t->row.revived--; /* it counts that itself */
	dal_outbox_revive(batch, rows->lane, &t->row, sequence);
}

static void commit_open(struct dal_rows *rows, struct dal_touched *t, struct dal_store_batch *batch,
			uint64_t *sequence)
{
	if (t->before == DAL_ROW_UNKNOWN) {
		dal_outbox_open(batch, rows->lane, &t->row);
	} else if (t->revived) {
		commit_revived(rows, t, batch, (*sequence)++);
	} else if (t->changed) {
		dal_outbox_update(batch, rows->lane, &t->row);
	}
}

static void commit_settled(struct dal_rows *rows, struct dal_touched *t,
			   struct dal_store_batch *batch)
{
	if (t->before == DAL_ROW_DEAD) {
		dal_outbox_drop(batch, rows->lane, &t->row, t->expires_us);
	} else if (t->before != DAL_ROW_SETTLED || t->changed) {
		dal_outbox_settle(batch, rows->lane, &t->row, t->expires_us);
	}
}

void dal_rows_commit(struct dal_rows *rows, struct dal_store_batch *batch, uint64_t *sequence)
{
	for (struct dal_touched *t = rows->first; t; t = t->next) {
		switch (t->now) {
		case DAL_ROW_OPEN:
			commit_open(rows, t, batch, sequence);
			break;
		case DAL_ROW_DELIVERED:
			if (t->before == DAL_ROW_OPEN) {
				dal_outbox_deliver(batch, rows->lane, &t->row);
			}
			break;
		case DAL_ROW_SETTLED:
			commit_settled(rows, t, batch);
			break;
		case DAL_ROW_DEAD:
			if (t->before != DAL_ROW_DEAD || t->revived) {
				dal_outbox_bury(batch, rows->lane, &t->row);
			}
			break;
		case DAL_ROW_UNKNOWN:
			break;
		}
	}
}

int64_t dal_rows_undelivered(const struct dal_rows *rows)
{
	int64_t change = 0;

	for (const struct dal_touched *t = rows->first; t; t = t->next) {
		change += (t->now == DAL_ROW_OPEN) - (t->before == DAL_ROW_OPEN);
	}
	return change;
}

int64_t dal_rows_dead(const struct dal_rows *rows)
{
	int64_t change = 0;

	for (const struct dal_touched *t = rows->first; t; t = t->next) {
		change += (t->now == DAL_ROW_DEAD) - (t->before == DAL_ROW_DEAD);
	}
	return change;
}

size_t dal_rows_size(const struct dal_rows *rows)
{
	return rows->count;
}
