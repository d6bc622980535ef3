/*
 * Which values a field had in this event already: an array may say the same thing 100,000 times,
 * and once is enough to ask. By their text, so that nothing is taken for another.
 */
#include "engine/base/memory.h"
#include "rules/matcher_scratch.h"

#define SMALLEST 64u

static struct dal_seen_slot *find(struct dal_seen *seen, const struct dal_json *json,
				  struct dal_seen_slot value)
{
	struct dal_slice text = dal_json_raw(json, value.node);
	for (uint32_t at = value.hash;; at++) {
		struct dal_seen_slot *slot = &seen->slots[at & seen->mask];
		if (slot->stamp != value.stamp ||
		    (slot->hash == value.hash && slot->field == value.field &&
		     dal_slice_equal(dal_json_raw(json, slot->node), text))) {
			return slot;
		}
	}
}

static void grow(struct dal_seen *seen, const struct dal_json *json, uint32_t stamp)
{
	struct dal_seen old = *seen;
	uint32_t size = old.slots ? (old.mask + 1) * 2 : SMALLEST;
	seen->slots = dal_calloc(size, sizeof(*seen->slots));
	seen->mask = size - 1;
	for (uint32_t i = 0; old.slots && i <= old.mask; i++) {
		if (old.slots[i].stamp == stamp) {
			*find(seen, json, old.slots[i]) = old.slots[i];
		}
	}
	free(old.slots);
}

bool dal_seen_before(struct dal_seen *seen, const struct dal_json *json, uint32_t stamp,
		     uint32_t field, uint32_t node)
{
	if (seen->stamp != stamp) {
		seen->stamp = stamp;
		seen->count = 0;
	}
	if (!seen->slots || seen->count * 2 > seen->mask) {
		grow(seen, json, stamp);
	}
	struct dal_seen_slot value = {
		.stamp = stamp,
		.hash = (uint32_t)dal_text_hash(dal_json_raw(json, node), field),
		.field = field,
		.node = node,
	};
	struct dal_seen_slot *slot = find(seen, json, value);
	if (slot->stamp == stamp) {
		return true;
	}
	*slot = value;
	seen->count++;
	return false;
}
