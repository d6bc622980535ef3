/*
 * Does one pattern cover another? Each thing that the wide one asks for must follow from what the
 * narrow one asks for, within the same object of the event. Where the narrow one has a `$or`, it
 * must follow from each of its alternatives.
 */
#include "rules/analysis_tree.h"

/* What the wide pattern asks of an object: a field or a `$or`. */
struct demand {
	const struct dal_pattern_field *field;
	const struct dal_pattern_or *any;
};

static bool object_follows(const struct dal_scope *scope, const struct dal_pattern_object *wide,
			   uint64_t *steps);

bool dal_steps_pay(uint64_t *steps, uint64_t cost)
{
	bool paid = *steps > cost;
	*steps = paid ? *steps - cost : 0;
	return paid;
}

static bool pay(uint64_t *steps)
{
	return dal_steps_pay(steps, 1);
}

enum dal_attribute dal_attribute_of(const struct dal_scope *scope, struct dal_slice name)
{
	if (!scope->root) {
		return DAL_ATTRIBUTE_NONE;
	}
	if (dal_slice_is(name, "type") || dal_slice_is(name, "source") ||
	    dal_slice_is(name, "id")) {
		return DAL_ATTRIBUTE_TEXT;
	}
	return dal_slice_is(name, "subject") || dal_slice_is(name, "time") ? DAL_ATTRIBUTE_OPTIONAL
									   : DAL_ATTRIBUTE_NONE;
}

bool dal_leaf_always(const struct dal_scope *scope, const struct dal_pattern_field *leaf)
{
	bool there = false;
	bool missing = dal_attribute_of(scope, leaf->name) == DAL_ATTRIBUTE_TEXT;
	for (uint32_t i = 0; i < leaf->operator_count; i++) {
		there |= leaf->operators[i].kind == DAL_OPERATOR_EXISTS;
		missing |= leaf->operators[i].kind == DAL_OPERATOR_ABSENT;
	}
	return there && missing;
}

static bool operator_follows(const struct dal_operator *narrow,
			     const struct dal_pattern_field *wide, uint64_t *steps);

static bool leaf_follows(const struct dal_pattern_field *narrow,
			 const struct dal_pattern_field *wide, uint64_t *steps)
{
	for (uint32_t i = 0; i < narrow->operator_count; i++) {
		if (!operator_follows(&narrow->operators[i], wide, steps)) {
			return false;
		}
	}
	return true;
}

/* Of all-of, a field's values satisfy each list: it is enough if one says it. */
static bool follows_from_all(const struct dal_all *all, const struct dal_pattern_field *wide,
			     uint64_t *steps)
{
	for (uint32_t i = 0; i < all->count; i++) {
		if (leaf_follows(&all->lists[i], wide, steps)) {
			return true;
		}
	}
	return false;
}

static bool all_follow(const struct dal_operator *narrow, const struct dal_all *all,
		       uint64_t *steps)
{
	for (uint32_t i = 0; i < all->count; i++) {
		if (!operator_follows(narrow, &all->lists[i], steps)) {
			return false;
		}
	}
	return true;
}

static bool operator_follows(const struct dal_operator *narrow,
			     const struct dal_pattern_field *wide, uint64_t *steps)
{
	if (narrow->kind == DAL_OPERATOR_ALL_OF && follows_from_all(narrow->all, wide, steps)) {
		return true;
	}
	for (uint32_t i = 0; i < wide->operator_count && pay(steps); i++) {
		const struct dal_operator *op = &wide->operators[i];
		bool follows;
		if (op->kind == DAL_OPERATOR_ALL_OF) {
			follows = all_follow(narrow, op->all, steps);
		} else if (op->kind == DAL_OPERATOR_ABSENT) {
			follows = narrow->kind == DAL_OPERATOR_ABSENT;
		} else {
			follows = dal_operator_within(narrow, op, steps);
		}
		if (follows) {
			return true;
		}
	}
	return false;
}

static bool field_follows(const struct dal_pattern_field *narrow,
			  const struct dal_pattern_field *wide, uint64_t *steps)
{
	if (narrow->operators && wide->operators) {
		return leaf_follows(narrow, wide, steps);
	}
	if (narrow->object && wide->object) {
		struct dal_scope scope = {.object = narrow->object};
		return object_follows(&scope, wide->object, steps);
	}
	return false;
}

static bool follows_from_a_field(const struct dal_scope *scope,
				 const struct dal_pattern_field *wide, uint64_t *steps)
{
	for (const struct dal_scope *at = scope; at; at = at->outer) {
		for (uint32_t i = 0; i < at->object->field_count && pay(steps); i++) {
			const struct dal_pattern_field *narrow = &at->object->fields[i];
			if (dal_slice_equal(narrow->name, wide->name) &&
			    field_follows(narrow, wide, steps)) {
				return true;
			}
		}
	}
	return false;
}

static bool follows_at_once(const struct dal_scope *scope, struct demand demand, uint64_t *steps)
{
	if (demand.field) {
		return (demand.field->operators && dal_leaf_always(scope, demand.field)) ||
		       follows_from_a_field(scope, demand.field, steps);
	}
	for (uint32_t i = 0; i < demand.any->count; i++) {
		if (object_follows(scope, &demand.any->alternatives[i], steps)) {
			return true;
		}
	}
	return false;
}

static bool was_chosen(const struct dal_scope *scope, const struct dal_pattern_or *any)
{
	while (scope && scope->chosen_of != any) {
		scope = scope->outer;
	}
	return scope != NULL;
}

static bool follows(const struct dal_scope *scope, struct demand demand, uint64_t *steps);

static bool follows_from_each(const struct dal_scope *scope, const struct dal_pattern_or *any,
			      struct demand demand, uint64_t *steps)
{
	for (uint32_t i = 0; i < any->count; i++) {
		struct dal_scope chosen = {&any->alternatives[i], any, scope, scope->root};
		if (!follows(&chosen, demand, steps)) {
			return false;
		}
	}
	return true;
}

/* The cases that are told apart may multiply: the steps are what bounds them. */
static bool follows(const struct dal_scope *scope, struct demand demand, uint64_t *steps)
{
	if (!pay(steps)) {
		return false;
	}
	if (follows_at_once(scope, demand, steps)) {
		return true;
	}
	for (const struct dal_scope *at = scope; at; at = at->outer) {
		for (uint32_t i = 0; i < at->object->or_count; i++) {
			const struct dal_pattern_or *any = &at->object->ors[i];
			if (!was_chosen(scope, any) &&
			    follows_from_each(scope, any, demand, steps)) {
				return true;
			}
		}
	}
	return false;
}

static bool object_follows(const struct dal_scope *scope, const struct dal_pattern_object *wide,
			   uint64_t *steps)
{
	for (uint32_t i = 0; i < wide->field_count; i++) {
		if (!follows(scope, (struct demand){.field = &wide->fields[i]}, steps)) {
			return false;
		}
	}
	for (uint32_t i = 0; i < wide->or_count; i++) {
		if (!follows(scope, (struct demand){.any = &wide->ors[i]}, steps)) {
			return false;
		}
	}
	return true;
}

bool dal_pattern_covers_within(const struct dal_pattern *wide, const struct dal_pattern *narrow,
			       uint64_t *steps)
{
	struct dal_scope scope = {.object = &narrow->root, .root = true};
	return object_follows(&scope, &wide->root, steps);
}

bool dal_pattern_covers(const struct dal_pattern *wide, const struct dal_pattern *narrow)
{
	uint64_t steps = 1000000;
	return dal_pattern_covers_within(wide, narrow, &steps);
}
