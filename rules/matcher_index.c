/*
 * How a field's value finds the atoms that it satisfies.
 *
 * Prefixes: sorted. Of all that are not behind the value, the last one shares with it whatever any
 * prefix of the value shares; so the prefixes of the value are among its parents. One binary search
 * finds them all. Suffixes are the same from behind.
 *
 * Ranges: an interval tree laid in one sorted array (the middle is the root of each part), where
 * each item knows how far the ranges of its part reach.
 */
#include <endian.h>

#include "engine/base/memory.h"
#include "rules/matcher_wildcards.h"

/* The i-th byte, of suffixes from behind. */
static unsigned char byte_at(struct dal_slice text, size_t i, bool suffix)
{
	return (unsigned char)text.data[suffix ? text.size - 1 - i : i];
}

/* Eight bytes from the i-th on, the first of them in the highest bits. */
static uint64_t word_at(struct dal_slice text, size_t i, bool suffix)
{
	uint64_t word;
	memcpy(&word, text.data + (suffix ? text.size - i - sizeof(word) : i), sizeof(word));
	return suffix ? le64toh(word) : be64toh(word);
}

/* How many bytes both begin (or end) with. */
static size_t common(struct dal_slice a, struct dal_slice b, bool suffix)
{
	size_t most = a.size < b.size ? a.size : b.size, i = 0;
	for (; i + sizeof(uint64_t) <= most; i += sizeof(uint64_t)) {
		uint64_t differ = word_at(a, i, suffix) ^ word_at(b, i, suffix);
		if (differ != 0) {
			return i + (size_t)__builtin_clzll(differ) / 8;
		}
	}
	while (i < most && byte_at(a, i, suffix) == byte_at(b, i, suffix)) {
		i++;
	}
	return i;
}

static int compare(struct dal_slice a, struct dal_slice b, bool suffix, size_t *shared)
{
	*shared = common(a, b, suffix);
	if (*shared == a.size || *shared == b.size) {
		return a.size < b.size ? -1 : a.size > b.size;
	}
	return byte_at(a, *shared, suffix) < byte_at(b, *shared, suffix) ? -1 : 1;
}

static int compare_prefixes(const void *a, const void *b)
{
	const struct dal_affix *x = a, *y = b;
	size_t shared;
	int order = compare(x->text, y->text, false, &shared);
	return order ? order : x->atom < y->atom ? -1 : 1;
}

static int compare_suffixes(const void *a, const void *b)
{
	const struct dal_affix *x = a, *y = b;
	size_t shared;
	int order = compare(x->text, y->text, true, &shared);
	return order ? order : x->atom < y->atom ? -1 : 1;
}

void dal_affixes_finish(struct dal_affixes *affixes, bool suffix)
{
	struct dal_affix *items = affixes->items;
	if (affixes->count == 0) {
		return;
	}
	qsort(items, affixes->count, sizeof(*items), suffix ? compare_suffixes : compare_prefixes);
	for (uint32_t i = 0; i < affixes->count; i++) {
		uint32_t parent = i > 0 ? i - 1 : DAL_ABSENT;
		while (parent != DAL_ABSENT && common(items[parent].text, items[i].text, suffix) <
						       items[parent].text.size) {
			parent = items[parent].parent;
		}
		items[i].parent = parent;
	}
}

void dal_affixes_find(const struct dal_affixes *affixes, struct dal_slice value, bool suffix,
		      void (*fire)(void *own, uint32_t atom), void *own)
{
	const struct dal_affix *items = affixes->items;
	uint32_t low = 0, high = affixes->count;
	size_t shared = 0, longest = 0;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (compare(items[middle].text, value, suffix, &shared) <= 0) {
			low = middle + 1;
			longest = shared;
		} else {
			high = middle;
		}
	}
	for (uint32_t i = low - 1; i != DAL_ABSENT; i = items[i].parent) {
		if (items[i].text.size <= longest) {
			fire(own, items[i].atom);
		}
	}
}

void dal_affixes_add(struct dal_affixes *affixes, struct dal_slice text, uint32_t atom)
{
	DAL_GROW(affixes->items, affixes->count, affixes->capacity);
	affixes->items[affixes->count++] = (struct dal_affix){.text = text, .atom = atom};
}

static int compare_lower(const struct dal_range *a, const struct dal_range *b)
{
	if (!a->has_lower || !b->has_lower) {
		return (int)a->has_lower - (int)b->has_lower;
	}
	int order = dal_number_compare(&a->lower, &b->lower);
	return order ? order : (int)a->lower_open - (int)b->lower_open;
}

static int compare_upper(const struct dal_range *a, const struct dal_range *b)
{
	if (!a->has_upper || !b->has_upper) {
		return (int)b->has_upper - (int)a->has_upper;
	}
	int order = dal_number_compare(&a->upper, &b->upper);
	return order ? order : (int)b->upper_open - (int)a->upper_open;
}

static int compare_intervals(const void *a, const void *b)
{
	const struct dal_interval *x = a, *y = b;
	int order = compare_lower(x->range, y->range);
	return order ? order : x->atom < y->atom ? -1 : 1;
}

static const struct dal_range *set_highest(struct dal_interval *items, uint32_t low, uint32_t high)
{
	if (low >= high) {
		return NULL;
	}
	uint32_t middle = low + (high - low) / 2;
	const struct dal_range *sides[2] = {set_highest(items, low, middle),
					    set_highest(items, middle + 1, high)};
	const struct dal_range *highest = items[middle].range;
	for (int i = 0; i < 2; i++) {
		if (sides[i] && compare_upper(sides[i], highest) > 0) {
			highest = sides[i];
		}
	}
	items[middle].highest = highest;
	return highest;
}

static bool above_lower(const struct dal_range *range, const struct dal_number *number)
{
	if (!range->has_lower) {
		return true;
	}
	int order = dal_number_compare(number, &range->lower);
	return order > 0 || (order == 0 && !range->lower_open);
}

static bool below_upper(const struct dal_range *range, const struct dal_number *number)
{
	if (!range->has_upper) {
		return true;
	}
	int order = dal_number_compare(number, &range->upper);
	return order < 0 || (order == 0 && !range->upper_open);
}

struct stab {
	const struct dal_interval *items;
	const struct dal_number *number;
	void (*fire)(void *own, uint32_t atom);
	void *own;
};

static void find_part(const struct stab *stab, uint32_t low, uint32_t high)
{
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct dal_interval *item = &stab->items[middle];
		if (!below_upper(item->highest, stab->number)) {
			return;
		}
		find_part(stab, low, middle);
		if (!above_lower(item->range, stab->number)) {
			return; /* nor is any to the right */
		}
		if (below_upper(item->range, stab->number)) {
			stab->fire(stab->own, item->atom);
		}
		low = middle + 1;
	}
}

void dal_intervals_find(const struct dal_intervals *intervals, const struct dal_number *number,
			void (*fire)(void *own, uint32_t atom), void *own)
{
	struct stab stab = {intervals->items, number, fire, own};
	find_part(&stab, 0, intervals->count);
}

static size_t longest_inside(const struct dal_wildcard *wildcard)
{
	size_t longest = 0;
	for (uint32_t i = 1; i + 1 < wildcard->count; i++) {
		size_t size = wildcard->pieces[i].size;
		longest = size > longest ? size : longest;
	}
	return longest;
}

/* By the longer of its ends, or by all that is inside if that has a longer piece. */
static void add_wildcard(struct dal_field_index *index, const struct dal_wildcard *wildcard,
			 uint32_t id)
{
	struct dal_slice first = wildcard->pieces[0];
	struct dal_slice last = wildcard->pieces[wildcard->count - 1];
	size_t longest = first.size > last.size ? first.size : last.size;
	if (wildcard->count == 1) {
		dal_affixes_add(&index->prefixes, first, id);
	} else if (longest == 0 || longest_inside(wildcard) > longest) {
		dal_wildcards_add(&index->wildcards, wildcard, id);
	} else if (first.size >= last.size) {
		dal_affixes_add(&index->prefixes, first, id);
	} else {
		dal_affixes_add(&index->suffixes, last, id);
	}
}

void dal_index_add(struct dal_field_index *index, const struct dal_atom *atom, uint32_t id)
{
	const struct dal_operator *op = atom->op;
	switch (op->kind) {
	case DAL_OPERATOR_STRING:
		index->equal = true;
		break;
	case DAL_OPERATOR_NUMBER:
		index->numbers = true;
		break;
	case DAL_OPERATOR_FOLDED:
		index->folded = true;
		break;
	case DAL_OPERATOR_PREFIX:
		dal_affixes_add(&index->prefixes, op->text, id);
		break;
	case DAL_OPERATOR_SUFFIX:
		dal_affixes_add(&index->suffixes, op->text, id);
		break;
	case DAL_OPERATOR_PREFIX_FOLDED:
		dal_affixes_add(&index->folded_prefixes, op->folded, id);
		break;
	case DAL_OPERATOR_SUFFIX_FOLDED:
		dal_affixes_add(&index->folded_suffixes, op->folded, id);
		break;
	case DAL_OPERATOR_WILDCARD:
		add_wildcard(index, &op->wildcard, id);
		break;
	case DAL_OPERATOR_RANGE:
		DAL_GROW(index->intervals.items, index->intervals.count, index->intervals.capacity);
		index->intervals.items[index->intervals.count++] = (struct dal_interval){
			.range = op->range, .atom = id};
		break;
	case DAL_OPERATOR_ANYTHING_BUT:
		dal_ids_add(&index->excluding, id);
		break;
	default:
		dal_ids_add(&index->literals, id);
	}
}

void dal_index_finish(struct dal_field_index *index)
{
	struct dal_intervals *intervals = &index->intervals;
	dal_affixes_finish(&index->prefixes, false);
	dal_affixes_finish(&index->suffixes, true);
	dal_affixes_finish(&index->folded_prefixes, false);
	dal_affixes_finish(&index->folded_suffixes, true);
	if (index->wildcards) {
		dal_wildcards_finish(index->wildcards);
	}
	if (intervals->count) {
		qsort(intervals->items, intervals->count, sizeof(*intervals->items),
		      compare_intervals);
		set_highest(intervals->items, 0, intervals->count);
	}
}

void dal_index_free(struct dal_field_index *index)
{
	if (index) {
		free(index->prefixes.items);
		free(index->suffixes.items);
		free(index->folded_prefixes.items);
		free(index->folded_suffixes.items);
		free(index->intervals.items);
		dal_wildcards_free(index->wildcards);
		free(index->excluding.items);
		free(index->literals.items);
		free(index->absent.items);
		free(index);
	}
}
