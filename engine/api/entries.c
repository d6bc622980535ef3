#include "engine/api/entries.h"

#include "engine/api/entry.h"
#include "engine/base/memory.h"

int dal_entries_get(struct dal_api *api, const struct dal_projection *projection,
		    struct dal_slice key, uint16_t *lane, struct dal_view_entry *entry,
		    struct dal_buffer *memory)
{
	int r = DAL_STATE_ABSENT;

	for (uint16_t i = 0; r == DAL_STATE_ABSENT && i < dal_engine_lanes(api->engine); i++) {
		struct dal_view_name name = dal_entry_view(projection, i);
		*lane = i;
		r = dal_view_get(dal_engine_state(api->engine), NULL, &name, key, entry, memory);
	}
	return r;
}

/* --- lanes merged --- */

struct head {
	struct dal_view_cursor *cursor;
	struct dal_slice key;
	struct dal_view_entry entry;
	bool ended;
};

struct merge {
	struct head *heads; /* by lane */
	uint16_t count;
};

static int advance(struct head *head)
{
	int r = dal_view_cursor_next(head->cursor, &head->key, &head->entry);

	head->ended = r != 0;
	return r == DAL_STATE_ABSENT ? 0 : r;
}

static int merge_open(struct merge *merge, struct dal_api *api,
		      const struct dal_projection *projection, const struct dal_view_range *range)
{
	int r = 0;

	merge->count = dal_engine_lanes(api->engine);
	merge->heads = dal_calloc(merge->count, sizeof(*merge->heads));
	for (uint16_t i = 0; r == 0 && i < merge->count; i++) {
		struct dal_view_name name = dal_entry_view(projection, i);
		merge->heads[i].cursor = dal_view_cursor_new(dal_engine_state(api->engine), NULL,
							     &name, range);
		r = advance(&merge->heads[i]);
	}
	return r;
}

static void merge_close(struct merge *merge)
{
	for (uint16_t i = 0; i < merge->count; i++) {
		dal_view_cursor_free(merge->heads[i].cursor);
	}
	free(merge->heads);
}

/* The lane with the smallest key, the first of those that have it; -1: all have ended. */
static int smallest(const struct merge *merge)
{
	int found = -1;

	for (int i = 0; i < merge->count; i++) {
		const struct head *head = &merge->heads[i];
		if (!head->ended &&
		    (found < 0 || dal_slice_compare(head->key, merge->heads[found].key) < 0)) {
			found = i;
		}
	}
	return found;
}

/* Behind the key of this lane, in all lanes. */
static int pass(struct merge *merge, int lane)
{
	struct head *given = &merge->heads[lane];
	int r = 0;

	for (int i = lane + 1; r == 0 && i < merge->count; i++) {
		struct head *head = &merge->heads[i];
		if (!head->ended && dal_slice_equal(head->key, given->key)) {
			r = advance(head);
		}
	}
	return r == 0 ? advance(given) : r;
}

int dal_entries_scan(struct dal_api *api, const struct dal_projection *projection,
		     const struct dal_view_range *range,
		     bool (*each)(uint16_t lane, struct dal_slice key,
				  const struct dal_view_entry *entry, void *own),
		     void *own, bool *more)
{
	struct merge merge;
	int r = merge_open(&merge, api, projection, range), lane;

	*more = false;
	for (size_t n = 0; r == 0 && (lane = smallest(&merge)) >= 0; n++) {
		const struct head *head = &merge.heads[lane];
		*more = range->limit > 0 && n == range->limit;
		if (*more || !each((uint16_t)lane, head->key, &head->entry, own)) {
			break;
		}
		r = pass(&merge, lane);
	}
	merge_close(&merge);
	return r;
}
