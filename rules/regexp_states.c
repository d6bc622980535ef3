#include "rules/regexp_states.h"

#include "engine/base/memory.h"
#include "engine/event/utf8.h"
#include "rules/regexp_tree.h"

void dal_regexp_states_init(struct dal_regexp_states *states)
{
	*states = (struct dal_regexp_states){.free = DAL_REGEXP_NONE, .chain = DAL_REGEXP_NONE};
}

static void free_class(const struct dal_regexp_states *states, struct dal_regexp_state *state)
{
	if (states->copy_classes && state->kind == DAL_REGEXP_STATE_CLASS) {
		free((void *)state->class);
	}
	*state = (struct dal_regexp_state){.kind = DAL_REGEXP_STATE_SPLIT};
}

void dal_regexp_states_deinit(struct dal_regexp_states *states)
{
	for (uint32_t i = 0; i < states->count; i++) {
		free_class(states, &states->items[i]);
	}
	free(states->items);
}

uint32_t dal_regexp_states_add(struct dal_regexp_states *states, struct dal_regexp_state state)
{
	uint32_t id = states->free;

	if (id == DAL_REGEXP_NONE) {
		DAL_GROW(states->items, states->count, states->capacity);
		id = states->count++;
	} else {
		states->free = states->items[id].chain;
	}
	state.chain = states->chain;
	states->chain = id;
	states->items[id] = state;
	return id;
}

void dal_regexp_states_free_chain(struct dal_regexp_states *states, uint32_t first)
{
	while (first != DAL_REGEXP_NONE) {
		struct dal_regexp_state *state = &states->items[first];
		uint32_t next = state->chain;
		free_class(states, state);
		state->chain = states->free;
		states->free = first;
		first = next;
	}
}

static uint32_t add_split(struct dal_regexp_states *states, uint32_t next, uint32_t other)
{
	return dal_regexp_states_add(states,
				     (struct dal_regexp_state){DAL_REGEXP_STATE_SPLIT, .next = next,
							       .other = other});
}

static uint32_t add_class(struct dal_regexp_states *states, const struct dal_regexp_class *class,
			  uint32_t next)
{
	if (states->copy_classes) {
		size_t size = dal_regexp_class_size(class);
		class = memcpy(dal_malloc(size), class, size);
	}
	return dal_regexp_states_add(states,
				     (struct dal_regexp_state){DAL_REGEXP_STATE_CLASS, .next = next,
							       .class = class});
}

static uint32_t add_choice(struct dal_regexp_states *states, const struct dal_regexp_node *node,
			   uint32_t next)
{
	uint32_t entry = DAL_REGEXP_NONE;
	for (const struct dal_regexp_node *item = node->last; item; item = item->before) {
		uint32_t first = dal_regexp_states_add_node(states, item, next);
		entry = entry == DAL_REGEXP_NONE ? first : add_split(states, first, entry);
	}
	return entry;
}

/* x{2,4} is x x (x (x)?)?, and x{2,} is x x+. */
static uint32_t add_repeat(struct dal_regexp_states *states, const struct dal_regexp_node *node,
			   uint32_t next)
{
	uint32_t entry = next, copies = node->min;

	if (node->max == DAL_REGEXP_ENDLESS) {
		uint32_t loop = add_split(states, DAL_REGEXP_NONE, next);
		uint32_t body = dal_regexp_states_add_node(states, node->last, loop);
		states->items[loop].next = body;
		entry = copies == 0 ? loop : body;
		copies -= copies > 0;
	} else {
		for (uint32_t i = node->min; i < node->max; i++) {
			entry = dal_regexp_states_add_node(states, node->last, entry);
			entry = add_split(states, entry, next);
		}
	}
	for (uint32_t i = 0; i < copies; i++) {
		entry = dal_regexp_states_add_node(states, node->last, entry);
	}
	return entry;
}

uint32_t dal_regexp_states_add_node(struct dal_regexp_states *states,
				    const struct dal_regexp_node *node, uint32_t next)
{
	switch (node->kind) {
	case DAL_REGEXP_CHARACTER:
		return dal_regexp_states_add(
			states, (struct dal_regexp_state){DAL_REGEXP_STATE_CHARACTER, .next = next,
							  .character = node->character});
	case DAL_REGEXP_CLASS:
		return add_class(states, node->class, next);
	case DAL_REGEXP_SEQUENCE:
		for (const struct dal_regexp_node *item = node->last; item; item = item->before) {
			next = dal_regexp_states_add_node(states, item, next);
		}
		return next;
	case DAL_REGEXP_CHOICE:
		return add_choice(states, node, next);
	case DAL_REGEXP_REPEAT:
		return add_repeat(states, node, next);
	case DAL_REGEXP_EMPTY:
		break;
	}
	return next;
}

uint32_t dal_regexp_next(struct dal_slice value, size_t *at)
{
	const char *text = value.data + *at;
	size_t size = dal_utf8_size(text, value.size - *at);

	*at += size > 0 ? size : 1;
	return size > 0 ? dal_utf8_decode(text, size) : DAL_UTF8_REPLACEMENT;
}

void dal_regexp_walk_deinit(struct dal_regexp_walk *walk)
{
	free(walk->items);
	free(walk->marks);
	free(walk->stack);
}

static void make_room(struct dal_regexp_walk *walk, uint32_t count)
{
	if (walk->capacity < count) {
		walk->capacity = count > walk->capacity * 2 ? count : walk->capacity * 2;
		free(walk->marks);
		free(walk->stack);
		walk->items = dal_reallocarray(walk->items, walk->capacity, sizeof(*walk->items));
		walk->stack = dal_reallocarray(NULL, walk->capacity, sizeof(*walk->stack));
		walk->marks = dal_calloc(walk->capacity / 64 + 1, sizeof(*walk->marks));
	}
}

static bool mark(struct dal_regexp_walk *walk, uint32_t id)
{
	uint32_t word = id / 64;
	uint64_t bit = UINT64_C(1) << (id % 64);
	bool first = !(walk->marks[word] & bit);

	walk->marks[word] |= bit;
	walk->low = word < walk->low ? word : walk->low;
	walk->high = word > walk->high ? word : walk->high;
	return first;
}

/* Marks all states to which `id` leads without reading. Each is on the stack at most once, as the
 * state that leads there is visited once: so the stack is as large as the states are many. */
static void reach(struct dal_regexp_walk *walk, const struct dal_regexp_states *states, uint32_t id)
{
	uint32_t depth = 0;

	for (;;) {
		while (id != DAL_REGEXP_NONE && mark(walk, id)) {
			const struct dal_regexp_state *state = &states->items[id];
			id = DAL_REGEXP_NONE;
			if (state->kind >= DAL_REGEXP_STATE_SPLIT) {
				walk->stack[depth++] = state->next;
				walk->ended |= state->kind == DAL_REGEXP_STATE_END;
				id = state->other;
			}
		}
		if (depth == 0) {
			return;
		}
		id = walk->stack[--depth];
	}
}

/* Adds those that are an END, or else those that read, in ascending order. */
static void collect(struct dal_regexp_walk *walk, const struct dal_regexp_states *states, bool ends)
{
	for (uint32_t word = walk->low; word <= walk->high; word++) {
		for (uint64_t bits = walk->marks[word]; bits != 0; bits &= bits - 1) {
			uint32_t id = word * 64 + (uint32_t)__builtin_ctzll(bits);
			enum dal_regexp_state_kind kind = states->items[id].kind;
			if (ends ? kind == DAL_REGEXP_STATE_END : kind < DAL_REGEXP_STATE_SPLIT) {
				walk->items[walk->count++] = id;
			}
		}
	}
}

static void begin(struct dal_regexp_walk *walk)
{
	walk->low = UINT32_MAX;
	walk->high = 0;
	walk->ended = false;
}

static void finish(struct dal_regexp_walk *walk, const struct dal_regexp_states *states)
{
	walk->count = walk->ends = 0;
	if (walk->low == UINT32_MAX) {
		return;
	}
	if (walk->ended) {
		collect(walk, states, true);
		walk->ends = walk->count;
	}
	collect(walk, states, false);
	memset(walk->marks + walk->low, 0, (walk->high - walk->low + 1) * sizeof(*walk->marks));
}

void dal_regexp_walk_start(struct dal_regexp_walk *walk, const struct dal_regexp_states *states,
			   uint32_t start)
{
	make_room(walk, states->count);
	begin(walk);
	reach(walk, states, start);
	finish(walk, states);
}

static bool reads(const struct dal_regexp_state *state, uint32_t character)
{
	switch (state->kind) {
	case DAL_REGEXP_STATE_CHARACTER:
		return state->character == character;
	case DAL_REGEXP_STATE_CLASS:
		return dal_regexp_class_has(state->class, character);
	default:
		return false;
	}
}

void dal_regexp_walk_step(struct dal_regexp_walk *walk, const struct dal_regexp_states *states,
			  const uint32_t *from, uint32_t count, uint32_t character)
{
	begin(walk);
	for (uint32_t i = 0; i < count; i++) {
		const struct dal_regexp_state *state = &states->items[from[i]];
		if (reads(state, character)) {
			reach(walk, states, state->next);
		}
	}
	finish(walk, states);
}
