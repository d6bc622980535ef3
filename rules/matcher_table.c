/*
 * The matcher's hash tables. Their hash is not secret: rules come from the app's own authors, and
 * an event can't make a chain longer than the rules made it.
 */
#include "engine/base/digest.h"
#include "engine/base/memory.h"
#include "rules/matcher_tables.h"

void dal_ids_add(struct dal_ids *ids, uint32_t id)
{
	DAL_GROW(ids->items, ids->count, ids->capacity);
	ids->items[ids->count++] = id;
}

static void insert(struct dal_id_table *table, uint32_t hash, uint32_t slot_value)
{
	uint32_t at = hash;
	while (table->slots[at & table->mask] != 0) {
		at++;
	}
	table->slots[at & table->mask] = slot_value;
	table->hashes[at & table->mask] = hash;
}

static void grow(struct dal_id_table *table)
{
	struct dal_id_table old = *table;
	uint32_t size = old.slots ? (old.mask + 1) * 2 : 64;
	table->slots = dal_calloc(size, sizeof(*table->slots));
	table->hashes = dal_calloc(size, sizeof(*table->hashes));
	table->mask = size - 1;
	for (uint32_t i = 0; old.slots && i <= old.mask; i++) {
		if (old.slots[i] != 0) {
			insert(table, old.hashes[i], old.slots[i]);
		}
	}
	free(old.slots);
	free(old.hashes);
}

void dal_id_table_add(struct dal_id_table *table, uint32_t hash, uint32_t id)
{
	if (!table->slots || table->count * 2 > table->mask) {
		grow(table);
	}
	insert(table, hash, id + 1);
	table->count++;
}

uint32_t dal_field_hash(uint32_t parent, struct dal_slice name)
{
	return (uint32_t)dal_hash64(name, parent);
}

static uint64_t range_hash(const struct dal_range *range, uint64_t seed)
{
	seed ^= (uint64_t)range->lower_open << 63 | (uint64_t)range->upper_open << 62;
	return dal_number_hash(&range->upper, dal_number_hash(&range->lower, seed));
}

uint32_t dal_operator_hash(uint32_t field, const struct dal_operator *op)
{
	uint64_t seed = (uint64_t)field << 8 | (uint64_t)op->kind;
	switch (op->kind) {
	case DAL_OPERATOR_NUMBER:
		return (uint32_t)dal_number_hash(op->number, seed);
	case DAL_OPERATOR_RANGE:
		return (uint32_t)range_hash(op->range, seed);
	case DAL_OPERATOR_FOLDED:
	case DAL_OPERATOR_PREFIX_FOLDED:
	case DAL_OPERATOR_SUFFIX_FOLDED:
		return (uint32_t)dal_hash64(op->folded, seed);
	case DAL_OPERATOR_ANYTHING_BUT:
		for (uint32_t i = 0; i < op->excluded.count; i++) {
			seed = seed * 31 + dal_operator_hash(0, &op->excluded.operators[i]);
		}
		return (uint32_t)(seed ^ seed >> 32);
	default:
		return (uint32_t)dal_hash64(op->text, seed);
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
	default:
		return dal_slice_equal(a->text, b->text);
	}
}

uint32_t dal_field_find(const struct dal_matcher *matcher, uint32_t parent, struct dal_slice name)
{
	uint32_t hash = dal_field_hash(parent, name), at = hash, id;
	while ((id = dal_id_table_next(&matcher->field_table, hash, &at)) != DAL_ABSENT) {
		const struct dal_field *field = &matcher->fields[id];
		if (field->parent == parent && dal_slice_equal(field->name, name)) {
			break;
		}
	}
	return id;
}

uint32_t dal_atom_find(const struct dal_matcher *matcher, uint32_t field,
		       const struct dal_operator *op, uint32_t hash)
{
	uint32_t at = hash, id;
	while ((id = dal_id_table_next(&matcher->atom_table, hash, &at)) != DAL_ABSENT) {
		const struct dal_atom *atom = &matcher->atoms[id];
		if (atom->field == field && dal_operator_equal(atom->op, op)) {
			break;
		}
	}
	return id;
}
