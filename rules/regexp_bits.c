#include "rules/regexp_bits.h"

#include <assert.h>

#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "rules/regexp_category.h"

enum {
	WORDS = 8,
	BITS = 64 * WORDS,
	MASKS = 2048, /* all characters of one or two bytes have a place of their own */
};

static_assert(DAL_LIMIT_REGEXP_POSITIONS + 1 <= BITS, "an expression and its end fit");

struct set {
	uint64_t words[WORDS];
};

struct dal_regexp_bits {
	const struct dal_regexp *regexp;
	uint32_t count;        /* of its states that read, and the end, which is bit 0 */
	uint32_t states[BITS]; /* by bit */
	struct set start;
	struct set follow[BITS / 4][16]; /* to where each four bits lead, together */
	uint32_t known[MASKS];           /* the character that the mask is of, + 1 */
	struct set masks[MASKS];         /* those that read a character */
	struct dal_regexp_walk walk;
	uint32_t *bits; /* by state */
};

struct dal_regexp_bits *dal_regexp_bits_new(void)
{
	return dal_calloc(1, sizeof(struct dal_regexp_bits));
}

void dal_regexp_bits_free(struct dal_regexp_bits *bits)
{
	if (bits) {
		dal_regexp_walk_deinit(&bits->walk);
		free(bits->bits);
		free(bits);
	}
}

struct dal_regexp_cost dal_regexp_bits_cost(const struct dal_regexp *regexp)
{
	uint64_t positions = regexp->root->positions;
	return (struct dal_regexp_cost){.load = 2000 + positions * positions,
					.step = 4 + positions / 16};
}

static void add_bit(struct set *set, uint32_t bit)
{
	set->words[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static void add_set(struct set *set, const struct set *other)
{
	for (int i = 0; i < WORDS; i++) {
		set->words[i] |= other->words[i];
	}
}

static void number_states(struct dal_regexp_bits *bits)
{
	const struct dal_regexp_states *states = &bits->regexp->states;

	bits->bits = dal_reallocarray(bits->bits, states->count, sizeof(*bits->bits));
	bits->count = 0;
	for (uint32_t id = 0; id < states->count; id++) {
		if (states->items[id].kind != DAL_REGEXP_STATE_SPLIT) {
			DAL_ASSERT(bits->count < BITS);
			bits->states[bits->count] = id;
			bits->bits[id] = bits->count++;
		}
	}
	DAL_ASSERT(states->items[bits->states[0]].kind == DAL_REGEXP_STATE_END);
}

/* To where a state leads without reading. */
static struct set closure(struct dal_regexp_bits *bits, uint32_t state)
{
	struct set set = {{0}};

	dal_regexp_walk_start(&bits->walk, &bits->regexp->states, state);
	for (uint32_t i = 0; i < bits->walk.count; i++) {
		add_bit(&set, bits->bits[bits->walk.items[i]]);
	}
	return set;
}

static void combine(struct set rows[16])
{
	for (uint32_t four = 1; four < 16; four++) {
		uint32_t rest = four & (four - 1);
		if (rest != 0) {
			rows[four] = rows[rest];
			add_set(&rows[four], &rows[four - rest]);
		}
	}
}

void dal_regexp_bits_load(struct dal_regexp_bits *bits, const struct dal_regexp *regexp)
{
	bits->regexp = regexp;
	number_states(bits);
	memset(bits->known, 0, sizeof(bits->known));
	memset(bits->follow, 0, (bits->count / 4 + 1) * sizeof(bits->follow[0]));
	bits->start = closure(bits, regexp->start);
	for (uint32_t bit = 1; bit < bits->count; bit++) {
		uint32_t next = regexp->states.items[bits->states[bit]].next;
		bits->follow[bit / 4][1u << (bit % 4)] = closure(bits, next);
	}
	for (uint32_t i = 0; i < bits->count; i += 4) {
		combine(bits->follow[i / 4]);
	}
}

static const struct set *mask_of(struct dal_regexp_bits *bits, uint32_t character)
{
	struct set *mask = &bits->masks[character % MASKS];

	if (bits->known[character % MASKS] == character + 1) {
		return mask;
	}
	uint32_t category = dal_regexp_category(character);
	const struct dal_regexp_class *class = NULL; /* repeated ones stand side by side */
	bool in_class = false;
	*mask = (struct set){{0}};
	for (uint32_t bit = 1; bit < bits->count; bit++) {
		const struct dal_regexp_state *state =
			&bits->regexp->states.items[bits->states[bit]];
		bool is_class = state->kind == DAL_REGEXP_STATE_CLASS;
		if (is_class && state->class != class) {
			class = state->class;
			in_class = dal_regexp_class_has_known(class, character, category);
		}
		if (is_class ? in_class : state->character == character) {
			add_bit(mask, bit);
		}
	}
	bits->known[character % MASKS] = character + 1;
	return mask;
}

/* False: nothing is reached any more. */
static bool step(struct dal_regexp_bits *bits, struct set *reached, uint32_t character)
{
	const struct set *mask = mask_of(bits, character);
	struct set next = {{0}};
	bool any = false;

	for (uint32_t i = 0; i < WORDS; i++) {
		const struct set(*follow)[16] = &bits->follow[i * 16];
		uint64_t word = reached->words[i] & mask->words[i];
		any |= word != 0;
		for (; word != 0; word >>= 4, follow++) {
			add_set(&next, &(*follow)[word & 15]);
		}
	}
	*reached = next;
	return any;
}

bool dal_regexp_bits_match(struct dal_regexp_bits *bits, struct dal_slice value)
{
	struct set reached = bits->start;

	for (size_t at = 0; at < value.size;) {
		if (!step(bits, &reached, dal_regexp_next(value, &at))) {
			return false;
		}
	}
	return reached.words[0] & 1;
}
