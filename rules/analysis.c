/*
 * Many patterns: which are equal, and which are shadowed, without a look at each pair.
 *
 * What a pattern asks of one field must follow from what a narrower one asks of it. So each pattern
 * is entered under the keys of one leaf, the one whose keys fewest patterns have, and is compared
 * only with those that ask something alike of that field: see analysis_keys.c.
 */
#include "rules/analysis.h"

#include "engine/base/map.h"
#include "engine/base/memory.h"
#include "rules/analysis_keys.h"

/* Of all pairs together, and of one. */
#define STEPS_LIMIT UINT64_C(50000000)
#define PAIR_STEPS_LIMIT UINT64_C(1000000)

void dal_patterns_equal(const struct dal_pattern *const *patterns, size_t count, uint32_t *first)
{
	struct dal_map *seen = dal_map_new();
	struct dal_buffer text = {0};

	for (size_t i = 0; i < count; i++) {
		first[i] = (uint32_t)i;
		if (!patterns[i]) {
			continue;
		}
		dal_buffer_clear(&text);
		dal_pattern_print(patterns[i], &text);
		uint32_t *before = dal_map_get(seen, dal_buffer_slice(&text));
		if (before) {
			first[i] = *before;
		} else {
			dal_map_set(seen, dal_buffer_slice(&text), &first[i]);
		}
	}
	dal_buffer_deinit(&text);
	dal_map_free(seen);
}

/* Patterns under one key. */
struct bucket {
	uint32_t *patterns;
	uint32_t count, capacity;
	uint32_t keys;                   /* how many leaves have this key, of all patterns */
	struct dal_intervals *intervals; /* of ordered keys, instead of the list; or NULL */
};

struct index {
	const struct dal_pattern *const *patterns;
	uint32_t *equal; /* dal_patterns_equal */
	struct dal_map *buckets;
	struct bucket anywhere; /* patterns without a leaf that could tell them apart */
	uint32_t *compared;     /* by pattern: with which narrow one last, + 1 */
	uint64_t steps;
	bool cut; /* a pair was too dear, or there were too many */
	uint32_t narrow;
	bool (*found)(void *own, uint32_t narrow, uint32_t wide);
	void *own;
	bool enough; /* of this narrow one */
};

static void count_key(void *own, const struct dal_key *key)
{
	struct index *index = own;
	struct bucket *bucket = dal_map_get(index->buckets, key->text);
	if (!bucket) {
		bucket = dal_calloc(1, sizeof(*bucket));
		dal_map_set(index->buckets, key->text, bucket);
	}
	bucket->keys++;
}

static void count_object(struct index *index, struct dal_buffer *path,
			 const struct dal_pattern_object *object)
{
	for (uint32_t i = 0; i < object->field_count; i++) {
		const struct dal_pattern_field *field = &object->fields[i];
		size_t before = dal_keys_enter(path, field->name);
		if (field->operators) {
			dal_leaf_keys(dal_buffer_slice(path), field, count_key, index);
		} else {
			count_object(index, path, field->object);
		}
		path->size = before;
	}
	for (uint32_t i = 0; i < object->or_count; i++) {
		for (uint32_t j = 0; j < object->ors[i].count; j++) {
			count_object(index, path, &object->ors[i].alternatives[j]);
		}
	}
}

/* How many comparisons it will cost to have a pattern under these keys. */
struct cost {
	const struct index *index;
	uint64_t sum;
};

static void add_cost(void *own, const struct dal_key *key)
{
	struct cost *cost = own;
	const struct bucket *bucket = dal_map_get(cost->index->buckets, key->text);
	cost->sum += bucket->keys;
}

/* What a pattern is best entered by: a field, or all alternatives of a `$or`. */
struct entrance {
	uint64_t cost; /* UINT64_MAX: there is none */
	const struct dal_pattern_field *field;
	const struct dal_pattern_or *any;
};

static struct entrance best_entrance(const struct index *index, struct dal_buffer *path,
				     const struct dal_scope *scope);

static uint64_t cost_of_field(const struct index *index, struct dal_buffer *path,
			      const struct dal_scope *scope, const struct dal_pattern_field *field)
{
	struct cost cost = {index, 0};
	size_t before = dal_keys_enter(path, field->name);
	if (!field->operators) {
		struct dal_scope inner = {.object = field->object};
		cost.sum = best_entrance(index, path, &inner).cost;
	} else if (dal_leaf_always(scope, field)) {
		cost.sum = UINT64_MAX;
	} else {
		dal_leaf_keys(dal_buffer_slice(path), field, add_cost, &cost);
	}
	path->size = before;
	return cost.sum;
}

static uint64_t cost_of_or(const struct index *index, struct dal_buffer *path,
			   const struct dal_scope *scope, const struct dal_pattern_or *any)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < any->count && sum < UINT64_MAX; i++) {
		struct dal_scope chosen = {.object = &any->alternatives[i], .root = scope->root};
		uint64_t cost = best_entrance(index, path, &chosen).cost;
		sum = cost < UINT64_MAX ? sum + cost : UINT64_MAX;
	}
	return sum;
}

static struct entrance best_entrance(const struct index *index, struct dal_buffer *path,
				     const struct dal_scope *scope)
{
	const struct dal_pattern_object *object = scope->object;
	struct entrance best = {.cost = UINT64_MAX};
	for (uint32_t i = 0; i < object->field_count; i++) {
		uint64_t cost = cost_of_field(index, path, scope, &object->fields[i]);
		if (cost < best.cost) {
			best = (struct entrance){cost, &object->fields[i], NULL};
		}
	}
	for (uint32_t i = 0; i < object->or_count; i++) {
		uint64_t cost = cost_of_or(index, path, scope, &object->ors[i]);
		if (cost < best.cost) {
			best = (struct entrance){cost, NULL, &object->ors[i]};
		}
	}
	return best;
}

static void append(struct bucket *bucket, uint32_t pattern)
{
	if (bucket->count > 0 && bucket->patterns[bucket->count - 1] == pattern) {
		return;
	}
	DAL_GROW(bucket->patterns, bucket->count, bucket->capacity);
	bucket->patterns[bucket->count++] = pattern;
}

static void enter_key(void *own, const struct dal_key *key)
{
	struct index *index = own;
	struct bucket *bucket = dal_map_get(index->buckets, key->text);
	if (!key->ordered) {
		append(bucket, index->narrow);
		return;
	}
	bucket->intervals = bucket->intervals ? bucket->intervals : dal_intervals_new();
	dal_intervals_add(bucket->intervals, key->lower, key->upper, index->narrow);
}

static void enter_object(struct index *index, struct dal_buffer *path,
			 const struct dal_scope *scope)
{
	struct entrance best = best_entrance(index, path, scope);
	if (best.field) {
		size_t before = dal_keys_enter(path, best.field->name);
		struct dal_scope inner = {.object = best.field->object};
		if (best.field->operators) {
			dal_leaf_keys(dal_buffer_slice(path), best.field, enter_key, index);
		} else {
			enter_object(index, path, &inner);
		}
		path->size = before;
	}
	for (uint32_t i = 0; best.any && i < best.any->count; i++) {
		struct dal_scope chosen = {.object = &best.any->alternatives[i],
					   .root = scope->root};
		enter_object(index, path, &chosen);
	}
	if (best.cost == UINT64_MAX) {
		append(&index->anywhere, index->narrow);
	}
}

static void compare(void *own, uint32_t wide)
{
	struct index *index = own;
	if (index->enough || index->steps == 0 || index->compared[wide] == index->narrow + 1) {
		return;
	}
	index->compared[wide] = index->narrow + 1;
	if (index->equal[wide] == index->equal[index->narrow]) {
		return;
	}
	uint64_t limit = index->steps < PAIR_STEPS_LIMIT ? index->steps : PAIR_STEPS_LIMIT;
	uint64_t left = limit;
	bool covers = dal_pattern_covers_within(index->patterns[wide],
						index->patterns[index->narrow], &left);
	index->steps -= limit - left;
	index->cut |= left == 0;
	if (covers) {
		index->enough = index->found(index->own, index->narrow, wide);
	}
}

static void compare_all(struct index *index, const struct bucket *bucket)
{
	for (uint32_t i = 0; i < bucket->count && !index->enough && index->steps > 0; i++) {
		compare(index, bucket->patterns[i]);
	}
}

static void look_up(void *own, const struct dal_key *key)
{
	struct index *index = own;
	const struct bucket *bucket = NULL;
	if (!index->enough && index->steps > 0) {
		bucket = dal_map_get(index->buckets, key->text);
		index->steps--;
	}
	if (bucket && bucket->intervals) {
		dal_intervals_find(bucket->intervals, key->lower, compare, index);
	} else if (bucket) {
		compare_all(index, bucket);
	}
}

static void build(struct index *index, size_t count)
{
	struct dal_buffer path = {0};
	for (size_t i = 0; i < count; i++) {
		if (index->patterns[i]) {
			count_object(index, &path, &index->patterns[i]->root);
		}
	}
	for (size_t i = 0; i < count; i++) {
		if (index->patterns[i]) {
			struct dal_scope scope = {.object = &index->patterns[i]->root,
						  .root = true};
			index->narrow = (uint32_t)i;
			enter_object(index, &path, &scope);
		}
	}
	dal_buffer_deinit(&path);
}

static void deinit(struct index *index)
{
	struct dal_slice key;
	size_t cursor = 0;
	void *bucket;
	while (dal_map_next(index->buckets, &cursor, &key, &bucket)) {
		dal_intervals_free(((struct bucket *)bucket)->intervals);
		free(((struct bucket *)bucket)->patterns);
		free(bucket);
	}
	dal_map_free(index->buckets);
	free(index->anywhere.patterns);
	free(index->equal);
	free(index->compared);
}

bool dal_patterns_shadowed(const struct dal_pattern *const *patterns, size_t count,
			   bool (*found)(void *own, uint32_t narrow, uint32_t wide), void *own)
{
	struct index index = {.patterns = patterns,
			      .equal = dal_calloc(count + 1, sizeof(*index.equal)),
			      .buckets = dal_map_new(),
			      .compared = dal_calloc(count + 1, sizeof(*index.compared)),
			      .steps = STEPS_LIMIT,
			      .found = found,
			      .own = own};

	dal_patterns_equal(patterns, count, index.equal);
	build(&index, count);
	for (size_t i = 0; i < count; i++) {
		index.narrow = (uint32_t)i;
		index.enough = false;
		if (patterns[i]) {
			compare_all(&index, &index.anywhere);
			dal_pattern_lookups(patterns[i], look_up, &index);
		}
	}
	bool all = index.steps > 0 && !index.cut;
	deinit(&index);
	return all;
}
