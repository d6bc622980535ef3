/*
 * A set asked about a value: deterministic states, made as values need them, in a cache of bounded
 * size. A cached state is a set of states of the automaton; it is known by them and by the set's
 * generation, so that what was made of a set before it changed is never found again.
 *
 * When the cache is full it is begun anew. If it did not live long enough to pay for itself, the
 * set whose value filled it is simulated for a while: by a walk, and if so many states are reached
 * that it would have been cheaper, by the bits of one expression after the other.
 */
#include "engine/base/digest.h"
#include "engine/base/memory.h"
#include "rules/regexp_set.h"

enum {
	CACHED_STATES = 4096,
	CACHED_ITEMS = 1024 * 1024, /* of all cached states together */
	FIRST_ITEMS = 1024,
	LARGEST_STATE = CACHED_ITEMS / 16,
	SLOTS = 4 * CACHED_STATES, /* of each hash table */
	FAR_STEPS = SLOTS / 2,     /* steps by characters beyond ASCII */
	PAYING_STEPS = 10,         /* steps that a state must serve on average */
	FARS_A_STATE = 4,          /* steps beyond ASCII that are counted as one state */
	RESTING_STEPS = 32 * 1024, /* simulated before the cache is tried again */
	WATCHES = 1024,
};

#define UNKNOWN 0u /* a step that was not taken yet; so no state has this number */

struct cached {
	uint64_t generation, hash;
	uint32_t first, count, ends; /* in `items` */
	uint32_t steps[128];         /* by ASCII characters */
};

struct far_step {
	uint32_t from, character, to;
};

/* What is known of a set. */
struct watch {
	uint64_t serial, generation;
	uint64_t epoch; /* of the cache that `start` is in */
	uint32_t start;
	uint32_t resting; /* steps to be simulated */
	uint64_t excess;  /* what walks have cost more than the steps of bits would have */
};

struct dal_regexp_scratch {
	struct dal_regexp_walk walk;
	struct dal_regexp_bits *bits; /* NULL until it is needed */
	uint64_t loaded_generation;   /* whose expression it has */
	uint32_t loaded_id;
	struct cached *cached; /* CACHED_STATES, from 1 on; untouched ones cost nothing */
	uint32_t count;
	uint32_t *items;
	uint32_t item_count, item_capacity;
	uint32_t *slots;       /* cached states by their items */
	struct far_step *fars; /* a hash table, too */
	uint32_t far_count;
	struct watch *watches; /* each at its only place, by serial */
	uint64_t epoch, steps; /* since this cache was begun */
};

struct dal_regexp_scratch *dal_regexp_scratch_new(void)
{
	return dal_calloc(1, sizeof(struct dal_regexp_scratch));
}

void dal_regexp_scratch_free(struct dal_regexp_scratch *scratch)
{
	if (scratch) {
		dal_regexp_walk_deinit(&scratch->walk);
		dal_regexp_bits_free(scratch->bits);
		free(scratch->cached);
		free(scratch->items);
		free(scratch->slots);
		free(scratch->fars);
		free(scratch->watches);
		free(scratch);
	}
}

static void begin_cache(struct dal_regexp_scratch *scratch)
{
	if (!scratch->slots) {
		scratch->slots = dal_malloc(SLOTS * sizeof(*scratch->slots));
		scratch->fars = dal_malloc(SLOTS * sizeof(*scratch->fars));
		scratch->watches = dal_calloc(WATCHES, sizeof(*scratch->watches));
		scratch->cached = dal_malloc(CACHED_STATES * sizeof(*scratch->cached));
		scratch->item_capacity = FIRST_ITEMS;
		scratch->items = dal_malloc(FIRST_ITEMS * sizeof(*scratch->items));
	}
	memset(scratch->slots, 0, SLOTS * sizeof(*scratch->slots));
	memset(scratch->fars, 0, SLOTS * sizeof(*scratch->fars));
	scratch->count = 1;
	scratch->item_count = scratch->far_count = 0;
	scratch->steps = 0;
	scratch->epoch++;
}

/* The slot of the cached state that is what was walked to, or the empty one where it goes. */
static uint32_t *slot_of(struct dal_regexp_scratch *scratch, uint64_t generation, uint64_t hash)
{
	const struct dal_regexp_walk *walk = &scratch->walk;
	size_t size = walk->count * sizeof(*walk->items);

	for (uint64_t at = hash;; at++) {
		uint32_t *slot = &scratch->slots[at % SLOTS];
		if (*slot == UNKNOWN) {
			return slot;
		}
		const struct cached *cached = &scratch->cached[*slot];
		if (cached->hash == hash && cached->generation == generation &&
		    cached->count == walk->count &&
		    dal_slice_equal(dal_slice(walk->items, size),
				    dal_slice(scratch->items + cached->first, size))) {
			return slot;
		}
	}
}

/* Makes what was walked to a cached state; UNKNOWN if there is no room. */
static uint32_t keep(struct dal_regexp_scratch *scratch, uint64_t generation)
{
	const struct dal_regexp_walk *walk = &scratch->walk;
	size_t size = walk->count * sizeof(*walk->items);
	uint64_t hash = dal_hash64(dal_slice(walk->items, size), generation);
	uint32_t *slot = slot_of(scratch, generation, hash);

	if (*slot != UNKNOWN) {
		return *slot;
	}
	if (scratch->count == CACHED_STATES || walk->count > CACHED_ITEMS - scratch->item_count) {
		return UNKNOWN;
	}
	while (scratch->item_capacity < scratch->item_count + walk->count) {
		scratch->item_capacity *= 2;
		scratch->items = dal_reallocarray(scratch->items, scratch->item_capacity,
						  sizeof(*scratch->items));
	}
	struct cached *cached = &scratch->cached[scratch->count];
	*cached = (struct cached){generation,  hash,       scratch->item_count,
				  walk->count, walk->ends, {UNKNOWN}};
	if (size > 0) {
		memcpy(scratch->items + scratch->item_count, walk->items, size);
	}
	scratch->item_count += walk->count;
	*slot = scratch->count;
	return scratch->count++;
}

/* The same, and makes room. UNKNOWN: the rest of the value is to be simulated. */
static uint32_t intern(struct dal_regexp_scratch *scratch, struct watch *watch)
{
	if (scratch->walk.count > LARGEST_STATE) {
		return UNKNOWN;
	}
	uint32_t id = scratch->far_count < FAR_STEPS ? keep(scratch, watch->generation) : UNKNOWN;
	if (id == UNKNOWN) {
		uint32_t made = scratch->count + scratch->far_count / FARS_A_STATE;
		bool paid = scratch->steps >= (uint64_t)PAYING_STEPS * made;
		begin_cache(scratch);
		watch->resting = paid ? 0 : RESTING_STEPS;
		id = paid ? keep(scratch, watch->generation) : UNKNOWN;
	}
	return id;
}

static struct watch *watch_of(struct dal_regexp_scratch *scratch, const struct dal_regexps *set)
{
	if (!scratch->slots) {
		begin_cache(scratch);
	}
	struct watch *watch = &scratch->watches[set->serial % WATCHES];
	if (watch->serial != set->serial) {
		*watch = (struct watch){.serial = set->serial};
	}
	if (watch->generation != set->generation) {
		watch->generation = set->generation;
		watch->epoch = 0;
		watch->excess = 0;
	}
	return watch;
}

static struct far_step *far_step(struct dal_regexp_scratch *scratch, uint32_t from,
				 uint32_t character)
{
	uint64_t hash = ((uint64_t)from << 32 | character) * UINT64_C(0x9e3779b97f4a7c15);

	for (uint64_t at = hash >> 32;; at++) {
		struct far_step *step = &scratch->fars[at % SLOTS];
		if (step->to == UNKNOWN || (step->from == from && step->character == character)) {
			return step;
		}
	}
}

/* Notes a step that led to the cached state `to`, in the cache that the step began in. */
static void note_step(struct dal_regexp_scratch *scratch, uint32_t from, uint32_t character,
		      uint32_t to)
{
	if (character < 128) {
		scratch->cached[from].steps[character] = to;
	} else {
		*far_step(scratch, from, character) = (struct far_step){from, character, to};
		scratch->far_count++;
	}
}

/* A step that was not taken yet: walks it. UNKNOWN: it led to what walk has, not cached. */
static uint32_t new_step(const struct dal_regexps *set, struct dal_regexp_scratch *scratch,
			 struct watch *watch, uint32_t from, uint32_t character)
{
	const struct cached *cached = &scratch->cached[from];
	uint64_t epoch = scratch->epoch;

	dal_regexp_walk_step(&scratch->walk, &set->states, scratch->items + cached->first,
			     cached->count, character);
	uint32_t to = intern(scratch, watch);
	if (to != UNKNOWN && scratch->epoch == epoch) {
		note_step(scratch, from, character, to);
	}
	return to;
}

static uint32_t take_step(const struct dal_regexps *set, struct dal_regexp_scratch *scratch,
			  struct watch *watch, uint32_t from, struct dal_slice value, size_t *at)
{
	unsigned char byte = (unsigned char)value.data[*at];
	uint32_t character = byte, to;

	if (byte < 128) {
		(*at)++;
		to = scratch->cached[from].steps[byte];
	} else {
		character = dal_regexp_next(value, at);
		to = far_step(scratch, from, character)->to;
	}
	scratch->steps++;
	return to != UNKNOWN ? to : new_step(set, scratch, watch, from, character);
}

static uint32_t start_state(const struct dal_regexps *set, struct dal_regexp_scratch *scratch,
			    struct watch *watch)
{
	if (watch->epoch == scratch->epoch && watch->resting == 0) {
		return watch->start;
	}
	dal_regexp_walk_start(&scratch->walk, &set->states, set->root.state);
	if (watch->resting > 0) {
		return UNKNOWN;
	}
	watch->start = intern(scratch, watch);
	watch->epoch = watch->start == UNKNOWN ? 0 : scratch->epoch;
	return watch->start;
}

/* Walks on from what was reached at `at`. False: it became too dear before the value's end. */
static bool walk_on(const struct dal_regexps *set, struct dal_regexp_scratch *scratch,
		    struct watch *watch, struct dal_slice value, size_t at)
{
	struct dal_regexp_walk *walk = &scratch->walk;

	while (at < value.size && walk->count > 0 && watch->excess <= set->alone.load) {
		uint32_t character = dal_regexp_next(value, &at);
		watch->excess += walk->count > set->alone.step ? walk->count - set->alone.step : 0;
		dal_regexp_walk_step(walk, &set->states, walk->items, walk->count, character);
		watch->resting -= watch->resting > 0;
	}
	return at == value.size || walk->count == 0;
}

static void load(struct dal_regexp_scratch *scratch, struct watch *watch,
		 const struct dal_regexp_member *member)
{
	if (!scratch->bits) {
		scratch->bits = dal_regexp_bits_new();
	}
	if (scratch->loaded_generation != watch->generation || scratch->loaded_id != member->id) {
		uint64_t cost = dal_regexp_bits_cost(member->regexp).load;
		dal_regexp_bits_load(scratch->bits, member->regexp);
		scratch->loaded_generation = watch->generation;
		scratch->loaded_id = member->id;
		watch->excess -= cost < watch->excess ? cost : watch->excess;
	}
}

static void report(const struct dal_regexps *set, const uint32_t *ends, uint32_t count,
		   void (*fire)(void *own, uint32_t id), void *own)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct dal_regexp_place *place = set->states.items[ends[i]].place;
		for (const struct dal_regexp_member *m = place->members; m; m = m->next) {
			fire(own, m->id);
		}
	}
}

/* Each expression by its bits. */
static void find_alone(const struct dal_regexps *set, struct dal_regexp_scratch *scratch,
		       struct watch *watch, struct dal_slice value,
		       void (*fire)(void *own, uint32_t id), void *own)
{
	struct dal_slice key;
	size_t cursor = 0;
	void *at;

	while (dal_map_next(set->members, &cursor, &key, &at)) {
		const struct dal_regexp_member *member = at;
		load(scratch, watch, member);
		if (dal_regexp_bits_match(scratch->bits, value)) {
			fire(own, member->id);
		}
	}
	watch->resting -= value.size < watch->resting ? (uint32_t)value.size : watch->resting;
}

void dal_regexps_find(const struct dal_regexps *set, struct dal_regexp_scratch *scratch,
		      struct dal_slice value, void (*fire)(void *own, uint32_t id), void *own)
{
	struct watch *watch = watch_of(scratch, set);
	uint32_t state = start_state(set, scratch, watch);
	size_t at = 0;

	while (at < value.size && state != UNKNOWN && scratch->cached[state].count > 0) {
		state = take_step(set, scratch, watch, state, value, &at);
	}
	if (state == UNKNOWN) {
		if (walk_on(set, scratch, watch, value, at)) {
			report(set, scratch->walk.items, scratch->walk.ends, fire, own);
		} else {
			find_alone(set, scratch, watch, value, fire, own);
		}
	} else {
		const struct cached *cached = &scratch->cached[state];
		report(set, scratch->items + cached->first, cached->ends, fire, own);
	}
}
