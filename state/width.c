/* The widths of topics, by which keys lie in lanes (state.h). */
#include <errno.h>

#include "engine/base/memory.h"
#include "state/key.h"

static bool width_take(struct dal_slice *rest, struct dal_state_width *width)
{
	uint64_t partitions;

	if (!dal_slice_take_sized(rest, &width->topic) ||
	    !dal_slice_take_varint(rest, &partitions)) {
		return false;
	}
	width->partitions = (uint32_t)partitions;
	return true;
}

/* Of the topic as it is known; 0: it isn't. */
static uint32_t width_known(struct dal_slice known, struct dal_slice topic)
{
	struct dal_state_width width;

	while (width_take(&known, &width)) {
		if (dal_slice_equal(width.topic, topic)) {
			return width.partitions;
		}
	}
	return 0;
}

static bool all_well_formed(struct dal_slice known)
{
	struct dal_state_width width;

	while (known.size > 0 && width_take(&known, &width)) {
	}
	return known.size == 0;
}

static int widths_compare(const struct dal_buffer *known, const struct dal_state_width *width,
			  struct dal_error *error)
{
	uint32_t before = width_known(dal_buffer_slice(known), width->topic);

	if (before == 0 || before == width->partitions) {
		return 0;
	}
	dal_error_set(error,
		      "topic %.*s had %u partitions when the state was made, and has %u: its keys "
		      "lie elsewhere now. Delete the state folder, it is folded anew from the log "
		      "(functions may be called again); records from before the change lie where "
		      "their keys were then: better make a new topic and copy them",
		      (int)width->topic.size, width->topic.data, before, width->partitions);
	return DAL_STATE_FOREIGN;
}

int dal_state_widths(struct dal_state *state, const struct dal_state_width *widths, size_t count,
		     struct dal_error *error)
{
	struct dal_store *store = dal_state_store(state);
	struct dal_store_batch *batch = dal_store_batch_new();
	struct dal_buffer known = {0};
	int r = dal_store_get(store, NULL, dal_slice_text(DAL_KEY_WIDTHS), &known);
	size_t before = known.size;

	dal_error_set(error, "the state's widths of topics can't be read or written");
	if (r == 0 && !all_well_formed(dal_buffer_slice(&known))) {
		r = -EBADMSG;
	}
	r = r == DAL_STORE_ABSENT ? 0 : r;
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = widths_compare(&known, &widths[i], error);
		if (r == 0 && width_known(dal_buffer_slice(&known), widths[i].topic) == 0) {
			dal_buffer_sized(&known, widths[i].topic);
			dal_buffer_varint(&known, widths[i].partitions);
		}
	}
	if (r == 0 && known.size > before) {
		dal_store_batch_put(batch, dal_slice_text(DAL_KEY_WIDTHS),
				    dal_buffer_slice(&known));
		r = dal_store_write(store, batch, false);
	}
	dal_buffer_deinit(&known);
	dal_store_batch_free(batch);
	return r;
}
