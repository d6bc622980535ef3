#include "rules/regexp_set.h"

#include <stdatomic.h>

#include "engine/base/error.h"
#include "engine/base/memory.h"

/* For serials and generations: a scratch may outlive a set, and find another at its address. */
static _Atomic uint64_t last_number;

static uint64_t new_number(void)
{
	return atomic_fetch_add(&last_number, 1) + 1;
}

static uint32_t add_split(struct dal_regexps *set)
{
	return dal_regexp_states_add(&set->states,
				     (struct dal_regexp_state){DAL_REGEXP_STATE_SPLIT,
							       .next = DAL_REGEXP_NONE,
							       .other = DAL_REGEXP_NONE});
}

static struct dal_regexps *new_set(void)
{
	struct dal_regexps *set = dal_calloc(1, sizeof(*set));
	dal_regexp_states_init(&set->states);
	set->states.copy_classes = true;
	set->places = dal_map_new();
	set->members = dal_map_new();
	set->serial = new_number();
	set->root.state = add_split(set);
	return set;
}

/* The pieces of an expression, from the first to the last; of the empty one none. */
struct pieces {
	const struct dal_regexp_node **items;
	uint32_t count;
};

static struct pieces pieces_of(const struct dal_regexp *regexp)
{
	const struct dal_regexp_node *root = regexp->root, *node;
	struct pieces pieces = {0};
	bool sequence = root->kind == DAL_REGEXP_SEQUENCE;

	for (node = sequence ? root->last : root; node; node = node->before) {
		pieces.count += node->kind != DAL_REGEXP_EMPTY;
	}
	pieces.items = dal_calloc(pieces.count + 1, sizeof(*pieces.items));
	uint32_t i = pieces.count;
	for (node = sequence ? root->last : root; i > 0; node = node->before) {
		pieces.items[--i] = node;
	}
	return pieces;
}

static struct dal_slice key_of(struct dal_buffer *buffer, const struct dal_regexp_place *parent,
			       const struct dal_regexp_node *piece)
{
	dal_buffer_clear(buffer);
	dal_buffer_u32be(buffer, parent->serial);
	dal_regexp_node_print(piece, buffer);
	return dal_buffer_slice(buffer);
}

static struct dal_regexp_place *new_place(struct dal_regexps *set, struct dal_regexp_place *parent,
					  const struct dal_regexp_node *piece)
{
	struct dal_regexp_states *states = &set->states;
	struct dal_regexp_place *place = dal_calloc(1, sizeof(*place));

	states->chain = DAL_REGEXP_NONE;
	place->parent = parent;
	place->serial = ++set->serials;
	place->state = add_split(set);
	place->link = add_split(set);
	uint32_t entry = dal_regexp_states_add_node(states, piece, place->state);
	states->items[place->link].next = entry;
	states->items[place->link].other = states->items[parent->state].other;
	states->items[parent->state].other = place->link;
	place->chain = states->chain;
	place->next = parent->first_child;
	if (place->next) {
		place->next->previous = place;
	}
	parent->first_child = place;
	return place;
}

static void remove_place(struct dal_regexps *set, struct dal_regexp_place *place)
{
	struct dal_regexp_state *states = set->states.items;
	struct dal_regexp_place *parent = place->parent;

	if (place->previous) {
		place->previous->next = place->next;
		states[place->previous->link].other = states[place->link].other;
	} else {
		parent->first_child = place->next;
		states[parent->state].other = states[place->link].other;
	}
	if (place->next) {
		place->next->previous = place->previous;
	}
	dal_regexp_states_free_chain(&set->states, place->chain);
	free(place);
}

/* Where an expression ends; makes the places that are missing on the way. */
static struct dal_regexp_place *descend(struct dal_regexps *set, const struct dal_regexp *regexp)
{
	struct pieces pieces = pieces_of(regexp);
	struct dal_regexp_place *place = &set->root;
	struct dal_buffer buffer = {0};

	for (uint32_t i = 0; i < pieces.count; i++) {
		struct dal_slice key = key_of(&buffer, place, pieces.items[i]);
		struct dal_regexp_place *child = dal_map_get(set->places, key);
		if (!child) {
			child = new_place(set, place, pieces.items[i]);
			dal_map_set(set->places, key, child);
		}
		place = child;
		place->uses++;
	}
	dal_buffer_deinit(&buffer);
	free(pieces.items);
	return place;
}

/* From the place where an expression ends up to the root: what nobody uses any more goes. */
static void ascend(struct dal_regexps *set, struct dal_regexp_place *place,
		   const struct dal_regexp *regexp)
{
	struct pieces pieces = pieces_of(regexp);
	struct dal_buffer buffer = {0};

	for (uint32_t i = pieces.count; i > 0; i--) {
		struct dal_regexp_place *parent = place->parent;
		if (--place->uses == 0) {
			dal_map_remove(set->places, key_of(&buffer, parent, pieces.items[i - 1]));
			remove_place(set, place);
		}
		place = parent;
	}
	dal_buffer_deinit(&buffer);
	free(pieces.items);
}

static void mark_end(struct dal_regexps *set, struct dal_regexp_place *place)
{
	struct dal_regexp_state *state = &set->states.items[place->state];
	state->kind = place->members ? DAL_REGEXP_STATE_END : DAL_REGEXP_STATE_SPLIT;
	state->place = place;
}

void dal_regexps_add(struct dal_regexps **set, const struct dal_regexp *regexp, uint32_t id)
{
	struct dal_regexp_member *member = dal_calloc(1, sizeof(*member));

	if (!*set) {
		*set = new_set();
	}
	member->id = id;
	member->regexp = regexp;
	member->place = descend(*set, regexp);
	member->next = member->place->members;
	member->place->members = member;
	mark_end(*set, member->place);
	struct dal_regexp_cost cost = dal_regexp_bits_cost(regexp);
	(*set)->alone.load += cost.load;
	(*set)->alone.step += cost.step;
	(*set)->generation = new_number();
	void *before = dal_map_set((*set)->members, dal_slice(&id, sizeof(id)), member);
	DAL_ASSERT(!before);
}

void dal_regexps_remove(struct dal_regexps *set, uint32_t id)
{
	struct dal_regexp_member *member = dal_map_remove(set->members, dal_slice(&id, sizeof(id)));
	DAL_ASSERT(member);
	struct dal_regexp_place *place = member->place;
	struct dal_regexp_member **at = &place->members;

	while (*at != member) {
		at = &(*at)->next;
	}
	*at = member->next;
	mark_end(set, place);
	ascend(set, place, member->regexp);
	struct dal_regexp_cost cost = dal_regexp_bits_cost(member->regexp);
	set->alone.load -= cost.load;
	set->alone.step -= cost.step;
	set->generation = new_number();
	free(member);
}

static void free_members(struct dal_regexp_member *member)
{
	while (member) {
		struct dal_regexp_member *next = member->next;
		free(member);
		member = next;
	}
}

void dal_regexps_free(struct dal_regexps *set)
{
	struct dal_slice key;
	size_t cursor = 0;
	void *place;

	if (!set) {
		return;
	}
	while (dal_map_next(set->places, &cursor, &key, &place)) {
		free_members(((struct dal_regexp_place *)place)->members);
		free(place);
	}
	free_members(set->root.members);
	dal_map_free(set->places);
	dal_map_free(set->members);
	dal_regexp_states_deinit(&set->states);
	free(set);
}
