/*
 * Atoms: the distinct operators of each field, and the indexes that find them.
 */
#include "engine/base/memory.h"
#include "rules/matcher_tables.h"

void dal_ids_add(struct dal_ids *ids, uint32_t id)
{
	DAL_GROW(ids->items, ids->count, ids->capacity);
	ids->items[ids->count++] = id;
}

void dal_ids_remove(struct dal_ids *ids, uint32_t id)
{
	uint32_t at = 0;
	while (ids->items[at] != id) {
		at++;
	}
	ids->items[at] = ids->items[--ids->count];
}

static uint64_t range_hash(const struct dal_range *range, uint64_t seed)
{
	seed ^= (uint64_t)range->lower_open << 63 | (uint64_t)range->upper_open << 62;
	return dal_number_hash(&range->upper, dal_number_hash(&range->lower, seed));
}

uint32_t dal_operator_hash(const struct dal_operator *op)
{
	uint64_t seed = (uint64_t)op->kind;
	switch (op->kind) {
	case DAL_OPERATOR_NUMBER:
		return (uint32_t)dal_number_hash(op->number, seed);
	case DAL_OPERATOR_RANGE:
		return (uint32_t)range_hash(op->range, seed);
	case DAL_OPERATOR_FOLDED:
	case DAL_OPERATOR_PREFIX_FOLDED:
	case DAL_OPERATOR_SUFFIX_FOLDED:
		return (uint32_t)dal_text_hash(op->folded, seed);
	case DAL_OPERATOR_CIDR:
		return (uint32_t)dal_text_hash(dal_slice(op->block, sizeof(*op->block)), seed);
	case DAL_OPERATOR_ANYTHING_BUT:
		for (uint32_t i = 0; i < op->excluded.count; i++) {
			seed = seed * 31 + dal_operator_hash(&op->excluded.operators[i]);
		}
		return (uint32_t)(seed ^ seed >> 32);
	default:
		return (uint32_t)dal_text_hash(op->text, seed);
	}
}

static bool same_range(const struct dal_range *a, const struct dal_range *b)
{
	return a->has_lower == b->has_lower && a->has_upper == b->has_upper &&
	       a->lower_open == b->lower_open && a->upper_open == b->upper_open &&
	       dal_number_compare(&a->lower, &b->lower) == 0 &&
	       dal_number_compare(&a->upper, &b->upper) == 0;
}

static bool same_excluded(const struct dal_excluded *a, const struct dal_excluded *b)
{
	if (a->count != b->count) {
		return false;
	}
	for (uint32_t i = 0; i < a->count; i++) {
		if (!dal_operator_equal(&a->operators[i], &b->operators[i])) {
			return false;
		}
	}
	return true;
}

static bool same_block(const struct dal_block *a, const struct dal_block *b)
{
	return a->bits == b->bits && a->version_6 == b->version_6 &&
	       memcmp(a->address, b->address, sizeof(a->address)) == 0;
}

bool dal_operator_equal(const struct dal_operator *a, const struct dal_operator *b)
{
	if (a->kind != b->kind) {
		return false;
	}
	switch (a->kind) {
	case DAL_OPERATOR_NUMBER:
		return dal_number_compare(a->number, b->number) == 0;
	case DAL_OPERATOR_RANGE:
		return same_range(a->range, b->range);
	case DAL_OPERATOR_FOLDED:
	case DAL_OPERATOR_PREFIX_FOLDED:
	case DAL_OPERATOR_SUFFIX_FOLDED:
		return dal_slice_equal(a->folded, b->folded);
	case DAL_OPERATOR_ANYTHING_BUT:
		return same_excluded(&a->excluded, &b->excluded);
	case DAL_OPERATOR_CIDR:
		return same_block(a->block, b->block);
	default:
		return dal_slice_equal(a->text, b->text);
	}
}

struct dal_order dal_number_order(const struct dal_number *number)
{
	int64_t size = INT64_C(1) << 40;
	if (number->sign > 0) {
		return (struct dal_order){size + number->exponent, number->mantissa};
	}
	return number->sign < 0 ? (struct dal_order){-size - number->exponent, ~number->mantissa}
				: (struct dal_order){0, 0};
}

struct dal_order dal_instant_order(const struct dal_instant *instant)
{
	return (struct dal_order){instant->seconds, instant->nanoseconds};
}

struct dal_field_index *dal_field_index(struct dal_matcher *matcher, uint32_t field)
{
	struct dal_field_index **index = &matcher->fields[field].index;
	if (!*index) {
		*index = dal_calloc(1, sizeof(**index));
		memset((*index)->literals, 0xff, sizeof((*index)->literals));
		(*index)->exists = DAL_ABSENT;
	}
	return *index;
}

void dal_field_index_free(struct dal_field_index *index)
{
	if (index) {
		dal_id_table_deinit(&index->equal);
		dal_affixes_free(index->prefixes);
		dal_affixes_free(index->suffixes);
		dal_affixes_free(index->folded_prefixes);
		dal_affixes_free(index->folded_suffixes);
		dal_intervals_free(index->ranges);
		dal_intervals_free(index->times);
		dal_wildcards_free(index->wildcards);
		dal_regexps_free(index->regexps);
		free(index->others.items);
		free(index->absent.items);
		free(index);
	}
}

static struct dal_affixes **affixes_of(struct dal_field_index *index, enum dal_operator_kind kind)
{
	struct dal_affixes **affixes = kind == DAL_OPERATOR_PREFIX   ? &index->prefixes
				       : kind == DAL_OPERATOR_SUFFIX ? &index->suffixes
				       : kind == DAL_OPERATOR_PREFIX_FOLDED
					       ? &index->folded_prefixes
					       : &index->folded_suffixes;
	if (!*affixes) {
		*affixes = dal_affixes_new(kind == DAL_OPERATOR_SUFFIX ||
					   kind == DAL_OPERATOR_SUFFIX_FOLDED);
	}
	return affixes;
}

static struct dal_slice affix_text(const struct dal_operator *op)
{
	return op->kind == DAL_OPERATOR_PREFIX || op->kind == DAL_OPERATOR_SUFFIX ? op->text
										  : op->folded;
}

static struct dal_intervals *intervals_of(struct dal_intervals **intervals)
{
	if (!*intervals) {
		*intervals = dal_intervals_new();
	}
	return *intervals;
}

/* The ends of a range or of all times before or after one. */
static void ends(const struct dal_operator *op, struct dal_order *lower, struct dal_order *upper)
{
	*lower = DAL_ORDER_LOWEST;
	*upper = DAL_ORDER_HIGHEST;
	if (op->kind == DAL_OPERATOR_BEFORE) {
		*upper = dal_instant_order(op->instant);
	} else if (op->kind == DAL_OPERATOR_AFTER) {
		*lower = dal_instant_order(op->instant);
	} else {
		*lower = op->range->has_lower ? dal_number_order(&op->range->lower) : *lower;
		*upper = op->range->has_upper ? dal_number_order(&op->range->upper) : *upper;
	}
}

/* Into the index that finds it when rules are entered by it. */
static void index_add(struct dal_field_index *index, const struct dal_operator *op, uint32_t id)
{
	struct dal_order lower, upper;
	switch (op->kind) {
	case DAL_OPERATOR_PREFIX:
	case DAL_OPERATOR_SUFFIX:
	case DAL_OPERATOR_PREFIX_FOLDED:
	case DAL_OPERATOR_SUFFIX_FOLDED:
		dal_affixes_add(*affixes_of(index, op->kind), affix_text(op), id);
		break;
	case DAL_OPERATOR_WILDCARD:
		index->wildcards = index->wildcards ? index->wildcards : dal_wildcards_new();
		dal_wildcards_add(index->wildcards, &op->wildcard, id);
		break;
	case DAL_OPERATOR_REGEXP:
		dal_regexps_add(&index->regexps, op->regexp, id);
		break;
	case DAL_OPERATOR_RANGE:
		ends(op, &lower, &upper);
		dal_intervals_add(intervals_of(&index->ranges), lower, upper, id);
		break;
	case DAL_OPERATOR_BEFORE:
	case DAL_OPERATOR_AFTER:
		ends(op, &lower, &upper);
		dal_intervals_add(intervals_of(&index->times), lower, upper, id);
		break;
	default:
		dal_ids_add(&index->others, id);
	}
}

static void index_remove(struct dal_field_index *index, const struct dal_operator *op, uint32_t id)
{
	struct dal_order lower, upper;
	switch (op->kind) {
	case DAL_OPERATOR_PREFIX:
	case DAL_OPERATOR_SUFFIX:
	case DAL_OPERATOR_PREFIX_FOLDED:
	case DAL_OPERATOR_SUFFIX_FOLDED:
		dal_affixes_remove(*affixes_of(index, op->kind), affix_text(op));
		break;
	case DAL_OPERATOR_WILDCARD:
		dal_wildcards_remove(index->wildcards, &op->wildcard, id);
		break;
	case DAL_OPERATOR_REGEXP:
		dal_regexps_remove(index->regexps, id);
		break;
	case DAL_OPERATOR_RANGE:
		ends(op, &lower, &upper);
		dal_intervals_remove(index->ranges, lower, id);
		break;
	case DAL_OPERATOR_BEFORE:
	case DAL_OPERATOR_AFTER:
		ends(op, &lower, &upper);
		dal_intervals_remove(index->times, lower, id);
		break;
	default:
		dal_ids_remove(&index->others, id);
	}
}

/* The place of those that are their own table: null, false, true, exists(true). */
static uint32_t *place_of(struct dal_field_index *index, const struct dal_operator *op)
{
	return op->kind <= DAL_OPERATOR_TRUE     ? &index->literals[op->kind]
	       : op->kind == DAL_OPERATOR_EXISTS ? &index->exists
						 : NULL;
}

static void equal_add(struct dal_field_index *index, const struct dal_operator *op, uint32_t id)
{
	uint32_t *place = place_of(index, op);
	if (place) {
		*place = id;
		return;
	}
	dal_id_table_add(&index->equal, dal_operator_hash(op), id);
	if (op->kind == DAL_OPERATOR_STRING) {
		index->lengths |= UINT64_C(1) << (op->text.size < 63 ? op->text.size : 63);
	}
	index->numbers += op->kind == DAL_OPERATOR_NUMBER;
	index->folded += op->kind == DAL_OPERATOR_FOLDED;
	if (op->kind == DAL_OPERATOR_CIDR) {
		index->blocks[op->block->version_6][op->block->bits]++;
		index->blocks_count++;
	}
}

static void equal_remove(struct dal_field_index *index, const struct dal_operator *op, uint32_t id)
{
	uint32_t *place = place_of(index, op);
	if (place) {
		*place = DAL_ABSENT;
		return;
	}
	dal_id_table_remove(&index->equal, dal_operator_hash(op), id);
	index->numbers -= op->kind == DAL_OPERATOR_NUMBER;
	index->folded -= op->kind == DAL_OPERATOR_FOLDED;
	if (op->kind == DAL_OPERATOR_CIDR) {
		index->blocks[op->block->version_6][op->block->bits]--;
		index->blocks_count--;
	}
}

/* Atoms by other means than equality are not in a field's index all the time. */
static uint32_t field_hash(uint32_t field, const struct dal_operator *op)
{
	return (uint32_t)dal_mix(field, dal_operator_hash(op));
}

uint32_t dal_atom_find(const struct dal_matcher *matcher, uint32_t field,
		       const struct dal_operator *op)
{
	struct dal_field_index *index = matcher->fields[field].index;
	bool equality = dal_operator_by_equality(op);
	if (equality && !index) {
		return DAL_ABSENT;
	}
	const uint32_t *place = equality ? place_of(index, op) : NULL;
	if (place) {
		return *place;
	}
	const struct dal_id_table *table = equality ? &index->equal : &matcher->atom_table;
	uint32_t hash = equality ? dal_operator_hash(op) : field_hash(field, op), at = hash, id;
	while ((id = dal_id_table_next(table, hash, &at)) != DAL_ABSENT) {
		const struct dal_atom *atom = &matcher->atoms[id];
		if (atom->field == field && dal_operator_equal(atom->op, op)) {
			break;
		}
	}
	return id;
}

uint32_t dal_atom_use(struct dal_matcher *matcher, uint32_t field, const struct dal_operator *op)
{
	uint32_t id = dal_atom_find(matcher, field, op);
	if (id == DAL_ABSENT) {
		if (matcher->free_atoms.count > 0) {
			id = matcher->free_atoms.items[--matcher->free_atoms.count];
		} else {
			DAL_GROW(matcher->atoms, matcher->atom_count, matcher->atom_capacity);
			id = matcher->atom_count++;
		}
		matcher->atoms[id] = (struct dal_atom){.op = op, .field = field};
		if (dal_operator_by_equality(op)) {
			equal_add(dal_field_index(matcher, field), op, id);
		} else {
			dal_id_table_add(&matcher->atom_table, field_hash(field, op), id);
		}
	}
	matcher->atoms[id].uses++;
	return id;
}

uint32_t dal_atom_make(struct dal_matcher *matcher, uint32_t field, struct dal_operator op)
{
	if (dal_atom_find(matcher, field, &op) != DAL_ABSENT) {
		return dal_atom_use(matcher, field, &op);
	}
	struct dal_operator *own = dal_malloc(sizeof(*own));
	*own = op;
	uint32_t id = dal_atom_use(matcher, field, own);
	matcher->atoms[id].made = true;
	return id;
}

void dal_atom_deinit(struct dal_atom *atom)
{
	if (atom->made) {
		free((void *)atom->op);
	}
	free(atom->entries);
}

void dal_atom_drop(struct dal_matcher *matcher, uint32_t id)
{
	struct dal_atom *atom = &matcher->atoms[id];
	if (--atom->uses > 0) {
		return;
	}
	if (dal_operator_by_equality(atom->op)) {
		equal_remove(matcher->fields[atom->field].index, atom->op, id);
	} else {
		dal_id_table_remove(&matcher->atom_table, field_hash(atom->field, atom->op), id);
	}
	dal_atom_deinit(atom);
	*atom = (struct dal_atom){0};
	dal_ids_add(&matcher->free_atoms, id);
}

void dal_atom_enter(struct dal_matcher *matcher, uint32_t id, struct dal_entry entry)
{
	struct dal_atom *atom = &matcher->atoms[id];
	if (atom->entry_count == 0 && !dal_operator_by_equality(atom->op)) {
		index_add(dal_field_index(matcher, atom->field), atom->op, id);
	}
	if (atom->entry_count == atom->entry_capacity) {
		atom->entry_capacity += atom->entry_capacity + 1;
		atom->entries = dal_reallocarray(atom->entries, atom->entry_capacity,
						 sizeof(*atom->entries));
	}
	atom->entries[atom->entry_count++] = entry;
}

void dal_atom_leave(struct dal_matcher *matcher, uint32_t id, uint32_t rule)
{
	struct dal_atom *atom = &matcher->atoms[id];
	for (uint32_t i = 0; i < atom->entry_count; i++) {
		if ((atom->entries[i].rule & ~DAL_ENTRY_VERIFY) != rule) {
			continue;
		}
		atom->entries[i] = atom->entries[--atom->entry_count];
		if (atom->entry_count == 0 && !dal_operator_by_equality(atom->op)) {
			index_remove(matcher->fields[atom->field].index, atom->op, id);
		}
		return;
	}
}
