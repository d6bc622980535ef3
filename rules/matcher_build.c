/*
 * Fills a matcher's tables: first all fields, conditions and atoms with how many rules share each,
 * then for each rule the way in that promises the fewest false candidates.
 */
#include "engine/base/memory.h"
#include "rules/matcher_tables.h"

struct entry {
	uint32_t atom;
	uint32_t rule; /* with DAL_ENTRY_SURE */
};

struct builder {
	struct dal_matcher *matcher;
	struct dal_id_table condition_table;
	struct entry *entries;
	size_t entry_count, entry_capacity;
	uint32_t rule; /* in work */
};

static uint32_t add_field(struct dal_matcher *matcher, uint32_t parent, struct dal_slice name)
{
	uint32_t id = dal_field_find(matcher, parent, name);
	if (id != DAL_ABSENT) {
		return id;
	}
	DAL_GROW(matcher->fields, matcher->field_count, matcher->field_capacity);
	id = matcher->field_count++;
	matcher->fields[id] = (struct dal_field){.name = name, .parent = parent};
	if (id != DAL_FIELD_ROOT) {
		matcher->fields[parent].children++;
		dal_id_table_add(&matcher->field_table, dal_field_hash(parent, name), id);
	}
	return id;
}

static uint32_t leaf_hash(uint32_t field, const struct dal_pattern_field *leaf)
{
	uint32_t hash = leaf->operator_count;
	for (uint32_t i = 0; i < leaf->operator_count; i++) {
		hash = hash * 31 + dal_operator_hash(field, &leaf->operators[i]);
	}
	return hash;
}

static bool same_leaf(const struct dal_pattern_field *a, const struct dal_pattern_field *b)
{
	if (a->operator_count != b->operator_count) {
		return false;
	}
	for (uint32_t i = 0; i < a->operator_count; i++) {
		if (!dal_operator_equal(&a->operators[i], &b->operators[i])) {
			return false;
		}
	}
	return true;
}

static uint32_t add_condition(struct builder *builder, uint32_t field,
			      const struct dal_pattern_field *leaf)
{
	struct dal_matcher *matcher = builder->matcher;
	uint32_t hash = leaf_hash(field, leaf), at = hash, id;
	while ((id = dal_id_table_next(&builder->condition_table, hash, &at)) != DAL_ABSENT) {
		const struct dal_condition *condition = &matcher->conditions[id];
		if (condition->field == field && same_leaf(condition->leaf, leaf)) {
			return id;
		}
	}
	DAL_GROW(matcher->conditions, matcher->condition_count, matcher->condition_capacity);
	id = matcher->condition_count++;
	matcher->conditions[id] = (struct dal_condition){leaf, field};
	dal_id_table_add(&builder->condition_table, hash, id);
	return id;
}

static void add_atoms(struct builder *builder, uint32_t field, const struct dal_pattern_field *leaf)
{
	struct dal_matcher *matcher = builder->matcher;
	for (uint32_t i = 0; i < leaf->operator_count; i++) {
		const struct dal_operator *op = &leaf->operators[i];
		uint32_t hash = dal_operator_hash(field, op);
		uint32_t id = dal_atom_find(matcher, field, op, hash);
		if (id == DAL_ABSENT) {
			DAL_GROW(matcher->atoms, matcher->atom_count, matcher->atom_capacity);
			id = matcher->atom_count++;
			matcher->atoms[id] = (struct dal_atom){.op = op, .field = field};
			dal_id_table_add(&matcher->atom_table, hash, id);
		}
		matcher->atoms[id].shares++;
	}
}

static void count_object(struct builder *builder, uint32_t parent,
			 const struct dal_pattern_object *object, bool inside_or)
{
	struct dal_matcher *matcher = builder->matcher;
	for (uint32_t i = 0; i < object->field_count; i++) {
		const struct dal_pattern_field *field = &object->fields[i];
		uint32_t id = add_field(matcher, parent, field->name);
		if (!field->operators) {
			count_object(builder, id, field->object, inside_or);
			continue;
		}
		add_atoms(builder, id, field);
		if (!inside_or) {
			matcher->fields[id].leaf = true;
			dal_ids_add(&matcher->rule_conditions, add_condition(builder, id, field));
		}
	}
	for (uint32_t i = 0; i < object->or_count; i++) {
		matcher->rules[builder->rule].has_or = true;
		for (uint32_t j = 0; j < object->ors[i].count; j++) {
			count_object(builder, parent, &object->ors[i].alternatives[j], true);
		}
	}
}

/* How many candidates for nothing an entry by this atom is feared to bring; a guess. */
static double atom_cost(const struct dal_atom *atom)
{
	double shares = atom->shares;
	switch (atom->op->kind) {
	case DAL_OPERATOR_STRING:
	case DAL_OPERATOR_NUMBER:
		return shares;
	case DAL_OPERATOR_FOLDED:
		return shares + 1;
	case DAL_OPERATOR_PREFIX:
	case DAL_OPERATOR_SUFFIX:
	case DAL_OPERATOR_PREFIX_FOLDED:
	case DAL_OPERATOR_SUFFIX_FOLDED:
		return shares + 2 + 32.0 / (double)(atom->op->text.size + 1);
	case DAL_OPERATOR_WILDCARD:
		return shares + 8 + 64.0 / (double)(atom->op->text.size + 1);
	case DAL_OPERATOR_NULL:
	case DAL_OPERATOR_FALSE:
	case DAL_OPERATOR_TRUE:
		return shares + 100;
	case DAL_OPERATOR_CIDR:
	case DAL_OPERATOR_REGEXP:
	case DAL_OPERATOR_BEFORE:
	case DAL_OPERATOR_AFTER:
	case DAL_OPERATOR_RANGE:
		return shares + 200;
	case DAL_OPERATOR_ANYTHING_BUT:
	case DAL_OPERATOR_ALL_OF:
	case DAL_OPERATOR_EXISTS:
		return shares + 1e6;
	case DAL_OPERATOR_ABSENT:
		return shares + 1e7;
	}
	return shares;
}

static double object_cost(const struct dal_matcher *matcher, uint32_t parent,
			  const struct dal_pattern_object *object);

static double field_cost(const struct dal_matcher *matcher, uint32_t id,
			 const struct dal_pattern_field *field)
{
	if (!field->operators) {
		return object_cost(matcher, id, field->object);
	}
	double cost = 0;
	for (uint32_t i = 0; i < field->operator_count; i++) {
		const struct dal_operator *op = &field->operators[i];
		uint32_t hash = dal_operator_hash(id, op);
		cost += atom_cost(&matcher->atoms[dal_atom_find(matcher, id, op, hash)]);
	}
	return cost;
}

static double or_cost(const struct dal_matcher *matcher, uint32_t parent,
		      const struct dal_pattern_or * or)
{
	double cost = 0;
	for (uint32_t i = 0; i < or->count; i++) {
		cost += object_cost(matcher, parent, & or->alternatives[i]);
	}
	return cost;
}

/* What is the cheapest: a field by its index, or an `$or` by its index behind the fields. */
static uint32_t choose(const struct dal_matcher *matcher, uint32_t parent,
		       const struct dal_pattern_object *object, double *cost)
{
	uint32_t best = DAL_ABSENT;
	for (uint32_t i = 0; i < object->field_count + object->or_count; i++) {
		double own;
		if (i < object->field_count) {
			const struct dal_pattern_field *field = &object->fields[i];
			own = field_cost(matcher, dal_field_find(matcher, parent, field->name),
					 field);
		} else {
			own = or_cost(matcher, parent, &object->ors[i - object->field_count]);
		}
		if (best == DAL_ABSENT || own < *cost) {
			best = i;
			*cost = own;
		}
	}
	return best;
}

static double object_cost(const struct dal_matcher *matcher, uint32_t parent,
			  const struct dal_pattern_object *object)
{
	double cost = 0;
	choose(matcher, parent, object, &cost);
	return cost;
}

static struct dal_field_index *index_of(struct dal_matcher *matcher, uint32_t field)
{
	struct dal_field_index **index = &matcher->fields[field].index;
	if (!*index) {
		*index = dal_calloc(1, sizeof(**index));
	}
	return *index;
}

static void enter_leaf(struct builder *builder, uint32_t id, const struct dal_pattern_field *leaf)
{
	struct dal_matcher *matcher = builder->matcher;
	const struct dal_matcher_rule *rule = &matcher->rules[builder->rule];
	bool alone = rule->count == 1 && !rule->has_or;
	struct dal_field_index *index = index_of(matcher, id);
	for (uint32_t i = 0; i < leaf->operator_count; i++) {
		const struct dal_operator *op = &leaf->operators[i];
		uint32_t sure = alone && op->kind != DAL_OPERATOR_ALL_OF ? DAL_ENTRY_SURE : 0;
		if (op->kind == DAL_OPERATOR_ABSENT) {
			if (index->absent.count == 0) {
				dal_ids_add(&matcher->absent_fields, id);
			}
			dal_ids_add(&index->absent, builder->rule);
			continue;
		}
		uint32_t hash = dal_operator_hash(id, op);
		DAL_GROW(builder->entries, builder->entry_count, builder->entry_capacity);
		builder->entries[builder->entry_count++] = (struct entry){
			dal_atom_find(matcher, id, op, hash), builder->rule | sure};
	}
}

static void enter_object(struct builder *builder, uint32_t parent,
			 const struct dal_pattern_object *object)
{
	const struct dal_matcher *matcher = builder->matcher;
	double cost;
	uint32_t best = choose(matcher, parent, object, &cost);
	if (best < object->field_count) {
		const struct dal_pattern_field *field = &object->fields[best];
		uint32_t id = dal_field_find(matcher, parent, field->name);
		if (field->operators) {
			enter_leaf(builder, id, field);
		} else {
			enter_object(builder, id, field->object);
		}
		return;
	}
	const struct dal_pattern_or * or = &object->ors[best - object->field_count];
	for (uint32_t i = 0; i < or->count; i++) {
		enter_object(builder, parent, & or->alternatives[i]);
	}
}

/* Lays the entries out atom by atom. */
static void place_entries(struct builder *builder)
{
	struct dal_matcher *matcher = builder->matcher;
	uint32_t first = 0;
	matcher->entries = dal_calloc(builder->entry_count + 1, sizeof(*matcher->entries));
	for (size_t i = 0; i < builder->entry_count; i++) {
		matcher->atoms[builder->entries[i].atom].entry_count++;
	}
	for (uint32_t i = 0; i < matcher->atom_count; i++) {
		struct dal_atom *atom = &matcher->atoms[i];
		atom->first = first;
		first += atom->entry_count;
		if (atom->entry_count > 0) {
			dal_index_add(index_of(matcher, atom->field), atom, i);
		}
		atom->entry_count = 0;
	}
	for (size_t i = 0; i < builder->entry_count; i++) {
		struct dal_atom *atom = &matcher->atoms[builder->entries[i].atom];
		matcher->entries[atom->first + atom->entry_count++] = builder->entries[i].rule;
	}
	for (uint32_t i = 0; i < matcher->field_count; i++) {
		if (matcher->fields[i].index) {
			dal_index_finish(matcher->fields[i].index);
		}
	}
}

void dal_matcher_build(struct dal_matcher *matcher)
{
	struct builder builder = {.matcher = matcher};
	add_field(matcher, DAL_FIELD_ROOT, dal_slice_text(""));
	for (uint32_t i = 0; i < matcher->rule_count; i++) {
		struct dal_matcher_rule *rule = &matcher->rules[i];
		if (rule->pattern) {
			builder.rule = i;
			rule->first = (uint32_t)matcher->rule_conditions.count;
			count_object(&builder, DAL_FIELD_ROOT, &rule->pattern->root, false);
			rule->count = (uint32_t)matcher->rule_conditions.count - rule->first;
		}
	}
	for (uint32_t i = 0; i < matcher->rule_count; i++) {
		if (matcher->rules[i].pattern) {
			builder.rule = i;
			enter_object(&builder, DAL_FIELD_ROOT, &matcher->rules[i].pattern->root);
		}
	}
	place_entries(&builder);
	free(builder.entries);
	free(builder.condition_table.slots);
	free(builder.condition_table.hashes);
}
