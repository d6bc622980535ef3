#include "rules/regexp.h"

#include "engine/base/memory.h"
#include "rules/regexp_bits.h"

const struct dal_regexp *dal_regexp_new(struct dal_arena *arena, const struct dal_regexp_node *root)
{
	struct dal_regexp *regexp = dal_arena_take(arena, sizeof(*regexp));
	struct dal_regexp_states states;

	dal_regexp_states_init(&states);
	uint32_t end = dal_regexp_states_add(
		&states, (struct dal_regexp_state){DAL_REGEXP_STATE_END, .next = DAL_REGEXP_NONE,
						   .other = DAL_REGEXP_NONE});
	regexp->root = root;
	regexp->start = dal_regexp_states_add_node(&states, root, end);
	regexp->states = states;
	regexp->states.items = dal_arena_take(arena, states.count * sizeof(*states.items));
	memcpy(regexp->states.items, states.items, states.count * sizeof(*states.items));
	dal_regexp_states_deinit(&states);
	return regexp;
}

static bool matches_by_bits(const struct dal_regexp *regexp, struct dal_slice value)
{
	struct dal_regexp_bits *bits = dal_regexp_bits_new();

	dal_regexp_bits_load(bits, regexp);
	bool matches = dal_regexp_bits_match(bits, value);
	dal_regexp_bits_free(bits);
	return matches;
}

/* A walk, until it has cost as much as bits would have. */
bool dal_regexp_matches(const struct dal_regexp *regexp, struct dal_slice value)
{
	struct dal_regexp_walk walk = {0};
	struct dal_regexp_cost cost = dal_regexp_bits_cost(regexp);
	uint64_t visits = 0;
	size_t at = 0;

	dal_regexp_walk_start(&walk, &regexp->states, regexp->start);
	while (at < value.size && walk.count > 0 && visits <= cost.load + cost.step * at) {
		uint32_t character = dal_regexp_next(value, &at);
		visits += walk.count;
		dal_regexp_walk_step(&walk, &regexp->states, walk.items, walk.count, character);
	}
	bool ended = at == value.size || walk.count == 0;
	bool matches = ended ? walk.ends > 0 : matches_by_bits(regexp, value);
	dal_regexp_walk_deinit(&walk);
	return matches;
}

/* Each node writes its kind and how many bytes or items follow, so no text is the start of two. */
void dal_regexp_node_print(const struct dal_regexp_node *node, struct dal_buffer *out)
{
	dal_buffer_byte(out, (char)node->kind);
	switch (node->kind) {
	case DAL_REGEXP_CHARACTER:
		dal_buffer_varint(out, node->character);
		return;
	case DAL_REGEXP_CLASS:
		dal_buffer_sized(out, dal_slice(node->class, dal_regexp_class_size(node->class)));
		return;
	case DAL_REGEXP_REPEAT:
		dal_buffer_varint(out, node->min);
		dal_buffer_varint(out, node->max);
		dal_regexp_node_print(node->last, out);
		return;
	case DAL_REGEXP_SEQUENCE:
	case DAL_REGEXP_CHOICE:
		for (const struct dal_regexp_node *item = node->last; item; item = item->before) {
			dal_regexp_node_print(item, out);
		}
		dal_buffer_byte(out, DAL_REGEXP_EMPTY);
		return;
	case DAL_REGEXP_EMPTY:
		return;
	}
}
