/*
 * Rules in a matcher: what of a pattern is counted, by which leaf its rule is entered, what remains
 * to be verified then; and how all of it is taken out again.
 */
#include "engine/base/memory.h"
#include "rules/matcher_tables.h"

static uint32_t leaf_hash(uint32_t field, const struct dal_pattern_field *leaf)
{
	uint64_t hash = dal_mix(field, leaf->operator_count);
	for (uint32_t i = 0; i < leaf->operator_count; i++) {
		hash = dal_mix(hash, dal_operator_hash(&leaf->operators[i]));
	}
	return (uint32_t)hash;
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

static uint32_t use_condition(struct dal_matcher *matcher, uint32_t field,
			      const struct dal_pattern_field *leaf)
{
	uint32_t hash = leaf_hash(field, leaf), at = hash, id;
	while ((id = dal_id_table_next(&matcher->condition_table, hash, &at)) != DAL_ABSENT) {
		struct dal_condition *condition = &matcher->conditions[id];
		if (condition->field == field && same_leaf(condition->leaf, leaf)) {
			condition->uses++;
			return id;
		}
	}
	if (matcher->free_conditions.count > 0) {
		id = matcher->free_conditions.items[--matcher->free_conditions.count];
	} else {
		DAL_GROW(matcher->conditions, matcher->condition_count,
			 matcher->condition_capacity);
		id = matcher->condition_count++;
	}
	matcher->conditions[id] = (struct dal_condition){leaf, field, 1, hash};
	dal_id_table_add(&matcher->condition_table, hash, id);
	return id;
}

static void drop_condition(struct dal_matcher *matcher, uint32_t id)
{
	struct dal_condition *condition = &matcher->conditions[id];
	if (--condition->uses == 0) {
		dal_id_table_remove(&matcher->condition_table, condition->hash, id);
		*condition = (struct dal_condition){0};
		dal_ids_add(&matcher->free_conditions, id);
	}
}

static uint32_t add_field(struct dal_matcher *matcher, uint32_t parent,
			  const struct dal_pattern_field *field)
{
	uint32_t id = dal_json_names_add(matcher->names, parent, field->name,
					 field->operators != NULL);
	while (matcher->field_count <= id) {
		DAL_GROW(matcher->fields, matcher->field_count, matcher->field_capacity);
		matcher->fields[matcher->field_count++] = (struct dal_field){0};
	}
	matcher->fields[id].leaf |= field->operators != NULL;
	return id;
}

static uint32_t find_field(const struct dal_matcher *matcher, uint32_t parent,
			   const struct dal_pattern_field *field)
{
	return dal_json_names_find(matcher->names, parent, field->name);
}

static void use_atoms(struct dal_matcher *matcher, uint32_t field,
		      const struct dal_pattern_field *leaf)
{
	for (uint32_t i = 0; i < leaf->operator_count; i++) {
		const struct dal_operator *op = &leaf->operators[i];
		for (uint32_t j = 0; op->kind == DAL_OPERATOR_ALL_OF && j < op->all->count; j++) {
			use_atoms(matcher, field, &op->all->lists[j]);
		}
		dal_atom_use(matcher, field, op);
	}
}

static void drop_atoms(struct dal_matcher *matcher, uint32_t field,
		       const struct dal_pattern_field *leaf)
{
	for (uint32_t i = 0; i < leaf->operator_count; i++) {
		const struct dal_operator *op = &leaf->operators[i];
		for (uint32_t j = 0; op->kind == DAL_OPERATOR_ALL_OF && j < op->all->count; j++) {
			drop_atoms(matcher, field, &op->all->lists[j]);
		}
		dal_atom_drop(matcher, dal_atom_find(matcher, field, op));
	}
}

static void count_object(struct dal_matcher *matcher, struct dal_matcher_rule *rule,
			 uint32_t parent, const struct dal_pattern_object *object, bool inside_or)
{
	for (uint32_t i = 0; i < object->field_count; i++) {
		const struct dal_pattern_field *field = &object->fields[i];
		uint32_t id = add_field(matcher, parent, field);
		if (!field->operators) {
			count_object(matcher, rule, id, field->object, inside_or);
			continue;
		}
		use_atoms(matcher, id, field);
		if (!inside_or) {
			dal_ids_add(&rule->conditions, use_condition(matcher, id, field));
		}
	}
	for (uint32_t i = 0; i < object->or_count; i++) {
		rule->has_or = true;
		for (uint32_t j = 0; j < object->ors[i].count; j++) {
			count_object(matcher, rule, parent, &object->ors[i].alternatives[j], true);
		}
	}
}

void dal_rule_count(struct dal_matcher *matcher, uint32_t id)
{
	struct dal_matcher_rule *rule = &matcher->rules[id];
	count_object(matcher, rule, DAL_JSON_NAMES_ROOT, &rule->pattern->root, false);
}

static void drop_object(struct dal_matcher *matcher, uint32_t parent,
			const struct dal_pattern_object *object)
{
	for (uint32_t i = 0; i < object->field_count; i++) {
		const struct dal_pattern_field *field = &object->fields[i];
		uint32_t id = find_field(matcher, parent, field);
		if (field->operators) {
			drop_atoms(matcher, id, field);
		} else {
			drop_object(matcher, id, field->object);
		}
	}
	for (uint32_t i = 0; i < object->or_count; i++) {
		for (uint32_t j = 0; j < object->ors[i].count; j++) {
			drop_object(matcher, parent, &object->ors[i].alternatives[j]);
		}
	}
}

static void leave_absent(struct dal_matcher *matcher, uint32_t field, uint32_t rule)
{
	struct dal_ids *absent = &matcher->fields[field].index->absent;
	dal_ids_remove(absent, rule);
	if (absent->count == 0) {
		dal_ids_remove(&matcher->absent_fields, field);
	}
}

void dal_rule_drop(struct dal_matcher *matcher, uint32_t id)
{
	struct dal_matcher_rule *rule = &matcher->rules[id];
	for (uint32_t i = 0; i < rule->entered.count; i++) {
		uint32_t entered = rule->entered.items[i];
		if (entered & DAL_ENTERED_ABSENT) {
			leave_absent(matcher, entered & ~DAL_ENTERED_ABSENT, id);
		} else {
			dal_atom_leave(matcher, entered, id);
			dal_atom_drop(matcher, entered);
		}
	}
	for (uint32_t i = 0; i < rule->conditions.count; i++) {
		drop_condition(matcher, rule->conditions.items[i]);
	}
	drop_object(matcher, DAL_JSON_NAMES_ROOT, &rule->pattern->root);
	free(rule->entered.items);
	free(rule->conditions.items);
	*rule = (struct dal_matcher_rule){0};
}

/* The longer one of the texts that a wildcard begins and ends with. */
static size_t longer_end(const struct dal_wildcard *wildcard)
{
	size_t first = wildcard->pieces[0].size, last = wildcard->pieces[wildcard->count - 1].size;
	return first > last ? first : last;
}

static double leaf_cost(const struct dal_matcher *matcher, uint32_t field,
			const struct dal_pattern_field *leaf);

static double all_cost(const struct dal_matcher *matcher, uint32_t field, const struct dal_all *all,
		       uint32_t *best)
{
	double least = 0;
	for (uint32_t i = 0; i < all->count; i++) {
		double cost = leaf_cost(matcher, field, &all->lists[i]);
		if (i == 0 || cost < least) {
			least = cost;
			*best = i;
		}
	}
	return least + 1;
}

/* How many candidates for nothing an entry by this operator is feared to bring; a guess. */
static double operator_cost(const struct dal_matcher *matcher, uint32_t field,
			    const struct dal_operator *op)
{
	uint32_t best;
	double uses = matcher->atoms[dal_atom_find(matcher, field, op)].uses;
	switch (op->kind) {
	case DAL_OPERATOR_STRING:
	case DAL_OPERATOR_NUMBER:
		return uses;
	case DAL_OPERATOR_FOLDED:
		return uses + 1;
	case DAL_OPERATOR_CIDR:
		return uses + 4;
	case DAL_OPERATOR_PREFIX:
	case DAL_OPERATOR_SUFFIX:
	case DAL_OPERATOR_PREFIX_FOLDED:
	case DAL_OPERATOR_SUFFIX_FOLDED:
		return uses + 2 + 32.0 / (double)(op->text.size + 1);
	case DAL_OPERATOR_WILDCARD:
		return uses + 8 + 64.0 / (double)(longer_end(&op->wildcard) + 1);
	case DAL_OPERATOR_NULL:
	case DAL_OPERATOR_FALSE:
	case DAL_OPERATOR_TRUE:
		return uses + 100;
	case DAL_OPERATOR_REGEXP:
	case DAL_OPERATOR_RANGE:
		return uses + 200;
	case DAL_OPERATOR_BEFORE:
	case DAL_OPERATOR_AFTER:
		return uses + 1000;
	case DAL_OPERATOR_ALL_OF:
		return all_cost(matcher, field, op->all, &best);
	case DAL_OPERATOR_ANYTHING_BUT:
	case DAL_OPERATOR_EXISTS:
		return uses + 1e6;
	case DAL_OPERATOR_ABSENT:
		return uses + 1e7;
	}
	return uses;
}

static double leaf_cost(const struct dal_matcher *matcher, uint32_t field,
			const struct dal_pattern_field *leaf)
{
	double cost = 0;
	for (uint32_t i = 0; i < leaf->operator_count; i++) {
		cost += operator_cost(matcher, field, &leaf->operators[i]);
	}
	return cost;
}

static uint32_t choose(const struct dal_matcher *matcher, uint32_t parent,
		       const struct dal_pattern_object *object, double *cost);

static double field_cost(const struct dal_matcher *matcher, uint32_t parent,
			 const struct dal_pattern_field *field)
{
	double cost = 0;
	uint32_t id = find_field(matcher, parent, field);
	if (field->operators) {
		return leaf_cost(matcher, id, field);
	}
	choose(matcher, id, field->object, &cost);
	return cost;
}

static double or_cost(const struct dal_matcher *matcher, uint32_t parent,
		      const struct dal_pattern_or * or)
{
	double sum = 0, cost;
	for (uint32_t i = 0; i < or->count; i++) {
		choose(matcher, parent, & or->alternatives[i], &cost);
		sum += cost;
	}
	return sum;
}

/* What is the cheapest: a field by its index, or an `$or` by its index behind the fields. */
static uint32_t choose(const struct dal_matcher *matcher, uint32_t parent,
		       const struct dal_pattern_object *object, double *cost)
{
	uint32_t best = DAL_ABSENT;
	for (uint32_t i = 0; i < object->field_count + object->or_count; i++) {
		double own = i < object->field_count
				     ? field_cost(matcher, parent, &object->fields[i])
				     : or_cost(matcher, parent,
					       &object->ors[i - object->field_count]);
		if (best == DAL_ABSENT || own < *cost) {
			best = i;
			*cost = own;
		}
	}
	return best;
}

/* A way into a rule. */
struct way {
	struct dal_matcher *matcher;
	uint32_t rule;
	uint32_t condition; /* the one that it is about, or DAL_ABSENT: it is inside an $or */
};

/* What is left to verify behind the entry, if that is not exact its own condition too. */
static struct dal_entry entry_of(const struct way *way, bool exact)
{
	const struct dal_matcher *matcher = way->matcher;
	const struct dal_matcher_rule *rule = &matcher->rules[way->rule];
	struct dal_entry entry = {way->rule, {DAL_ABSENT, DAL_ABSENT}};
	uint32_t count = 0;
	for (int marks = 1; marks >= 0; marks--) { /* what costs least comes first */
		for (uint32_t i = 0; i < rule->conditions.count; i++) {
			uint32_t id = rule->conditions.items[i];
			const struct dal_condition *condition = &matcher->conditions[id];
			const struct dal_operator *op = condition->leaf->operators;
			bool mark = condition->leaf->operator_count == 1 &&
				    dal_operator_by_equality(op);
			if ((exact && id == way->condition) || mark != marks) {
				continue;
			}
			if (count < 2) {
				entry.rest[count] = mark ? dal_atom_find(matcher, condition->field,
									 op)
							 : id | DAL_REST_CONDITION;
			}
			count++;
		}
	}
	if (count > 2 || rule->has_or) {
		entry.rule |= DAL_ENTRY_VERIFY;
	}
	return entry;
}

static void enter_atom(const struct way *way, uint32_t atom, bool exact)
{
	dal_atom_enter(way->matcher, atom, entry_of(way, exact));
	dal_ids_add(&way->matcher->rules[way->rule].entered, atom);
}

static void enter_absent(const struct way *way, uint32_t field)
{
	struct dal_field_index *index = dal_field_index(way->matcher, field);
	if (index->absent.count == 0) {
		dal_ids_add(&way->matcher->absent_fields, field);
	}
	dal_ids_add(&index->absent, way->rule);
	dal_ids_add(&way->matcher->rules[way->rule].entered, field | DAL_ENTERED_ABSENT);
}

static uint32_t use_end(const struct way *way, uint32_t field, enum dal_operator_kind kind,
			struct dal_slice text)
{
	return dal_atom_make(way->matcher, field,
			     (struct dal_operator){.kind = kind, .text = text});
}

/* Through one of its ends if that says enough, or if there is nothing else. */
static void enter_wildcard(const struct way *way, uint32_t field, const struct dal_operator *op,
			   bool exact)
{
	const struct dal_wildcard *wildcard = &op->wildcard;
	struct dal_slice first = wildcard->pieces[0], last = wildcard->pieces[wildcard->count - 1];
	bool whole = wildcard->count == 2 && (first.size == 0 || last.size == 0);
	uint32_t atom;
	if (wildcard->count == 1) {
		atom = use_end(way, field, DAL_OPERATOR_STRING, first);
		whole = true;
	} else if (wildcard->count > 2 && longer_end(wildcard) < 3) {
		atom = dal_atom_use(way->matcher, field, op);
		whole = true;
	} else if (first.size >= last.size) {
		atom = use_end(way, field, DAL_OPERATOR_PREFIX, first);
	} else {
		atom = use_end(way, field, DAL_OPERATOR_SUFFIX, last);
	}
	enter_atom(way, atom, exact && whole);
}

static void enter_leaf(const struct way *way, uint32_t field, const struct dal_pattern_field *leaf,
		       bool exact)
{
	for (uint32_t i = 0; i < leaf->operator_count; i++) {
		const struct dal_operator *op = &leaf->operators[i];
		uint32_t best = 0;
		switch (op->kind) {
		case DAL_OPERATOR_ABSENT:
			enter_absent(way, field);
			break;
		case DAL_OPERATOR_WILDCARD:
			enter_wildcard(way, field, op, exact);
			break;
		case DAL_OPERATOR_ALL_OF:
			all_cost(way->matcher, field, op->all, &best);
			enter_leaf(way, field, &op->all->lists[best], false);
			break;
		default:
			enter_atom(way, dal_atom_use(way->matcher, field, op), exact);
		}
	}
}

static uint32_t condition_of(const struct way *way, uint32_t field)
{
	const struct dal_matcher_rule *rule = &way->matcher->rules[way->rule];
	for (uint32_t i = 0; i < rule->conditions.count; i++) {
		if (way->matcher->conditions[rule->conditions.items[i]].field == field) {
			return rule->conditions.items[i];
		}
	}
	return DAL_ABSENT;
}

static void enter_object(struct way *way, uint32_t parent, const struct dal_pattern_object *object,
			 bool inside_or)
{
	double cost;
	uint32_t best = choose(way->matcher, parent, object, &cost);
	if (best < object->field_count) {
		const struct dal_pattern_field *field = &object->fields[best];
		uint32_t id = find_field(way->matcher, parent, field);
		if (!field->operators) {
			enter_object(way, id, field->object, inside_or);
			return;
		}
		way->condition = inside_or ? DAL_ABSENT : condition_of(way, id);
		enter_leaf(way, id, field, true);
		return;
	}
	const struct dal_pattern_or * or = &object->ors[best - object->field_count];
	for (uint32_t i = 0; i < or->count; i++) {
		enter_object(way, parent, & or->alternatives[i], true);
	}
}

void dal_rule_enter(struct dal_matcher *matcher, uint32_t rule)
{
	struct way way = {.matcher = matcher, .rule = rule, .condition = DAL_ABSENT};
	enter_object(&way, DAL_JSON_NAMES_ROOT, &matcher->rules[rule].pattern->root, false);
}
