/*
 * The meaning of a pattern, kept simple. matcher_*.c must say the same, only faster.
 */
#include "rules/casefold.h"
#include "rules/pattern_tree.h"

static uint32_t kind_next(const struct dal_json *json, uint32_t value, uint32_t *cursor,
			  bool objects)
{
	if (value == DAL_JSON_NONE) {
		return DAL_JSON_NONE;
	}
	uint32_t end = dal_json_next(json, value);
	while (*cursor < end) {
		uint32_t node = *cursor;
		enum dal_json_kind kind = dal_json_kind(json, node);
		*cursor = kind == DAL_JSON_ARRAY ? node + 1 : dal_json_next(json, node);
		if (kind != DAL_JSON_ARRAY && (kind == DAL_JSON_OBJECT) == objects) {
			return node;
		}
	}
	return DAL_JSON_NONE;
}

uint32_t dal_scalar_next(const struct dal_json *json, uint32_t value, uint32_t *cursor)
{
	return kind_next(json, value, cursor, false);
}

uint32_t dal_object_next(const struct dal_json *json, uint32_t value, uint32_t *cursor)
{
	return kind_next(json, value, cursor, true);
}

struct dal_scalar dal_scalar_read(const struct dal_json *json, uint32_t node)
{
	struct dal_scalar scalar = {.kind = dal_json_kind(json, node)};
	if (scalar.kind == DAL_JSON_STRING) {
		scalar.text = dal_json_string(json, node);
	} else if (scalar.kind == DAL_JSON_INTEGER || scalar.kind == DAL_JSON_FLOAT) {
		scalar.number = dal_number_read(dal_json_raw(json, node));
	}
	return scalar;
}

static bool starts(struct dal_slice value, struct dal_slice with)
{
	return value.size >= with.size && memcmp(value.data, with.data, with.size) == 0;
}

static bool ends(struct dal_slice value, struct dal_slice with)
{
	return value.size >= with.size &&
	       memcmp(value.data + value.size - with.size, with.data, with.size) == 0;
}

static bool address_holds(const struct dal_block *block, struct dal_slice value)
{
	struct dal_block address;
	return dal_address_read(value, &address) && dal_block_holds(block, &address);
}

/* <0: the value is a time before it; 0: at it, or the value is no time; >0: after it. */
static int order_of(struct dal_slice value, const struct dal_instant *instant)
{
	struct dal_instant time;
	return dal_instant_read(value, &time) ? dal_instant_compare(&time, instant) : 0;
}

static bool string_holds(const struct dal_operator *op, struct dal_slice value)
{
	switch (op->kind) {
	case DAL_OPERATOR_STRING:
		return dal_slice_equal(value, op->text);
	case DAL_OPERATOR_PREFIX:
		return starts(value, op->text);
	case DAL_OPERATOR_SUFFIX:
		return ends(value, op->text);
	case DAL_OPERATOR_FOLDED:
		return dal_casefold_equal(value, op->folded);
	case DAL_OPERATOR_PREFIX_FOLDED:
		return dal_casefold_starts(value, op->folded);
	case DAL_OPERATOR_SUFFIX_FOLDED:
		return dal_casefold_ends(value, op->folded);
	case DAL_OPERATOR_WILDCARD:
		return dal_wildcard_matches(&op->wildcard, value);
	case DAL_OPERATOR_REGEXP:
		return dal_regexp_matches(op->regexp, value);
	case DAL_OPERATOR_CIDR:
		return address_holds(op->block, value);
	case DAL_OPERATOR_BEFORE:
		return order_of(value, op->instant) < 0;
	case DAL_OPERATOR_AFTER:
		return order_of(value, op->instant) > 0;
	default:
		return false;
	}
}

static bool range_holds(const struct dal_range *range, const struct dal_number *number)
{
	if (range->has_lower) {
		int order = dal_number_compare(number, &range->lower);
		if (order < 0 || (order == 0 && range->lower_open)) {
			return false;
		}
	}
	if (range->has_upper) {
		int order = dal_number_compare(number, &range->upper);
		if (order > 0 || (order == 0 && range->upper_open)) {
			return false;
		}
	}
	return true;
}

static bool excludes(const struct dal_excluded *excluded, const struct dal_scalar *scalar)
{
	for (uint32_t i = 0; i < excluded->count; i++) {
		if (dal_operator_holds(&excluded->operators[i], scalar)) {
			return true;
		}
	}
	return false;
}

bool dal_operator_holds(const struct dal_operator *op, const struct dal_scalar *scalar)
{
	bool number = scalar->kind == DAL_JSON_INTEGER || scalar->kind == DAL_JSON_FLOAT;
	switch (op->kind) {
	case DAL_OPERATOR_NULL:
		return scalar->kind == DAL_JSON_NULL;
	case DAL_OPERATOR_FALSE:
		return scalar->kind == DAL_JSON_FALSE;
	case DAL_OPERATOR_TRUE:
		return scalar->kind == DAL_JSON_TRUE;
	case DAL_OPERATOR_NUMBER:
		return number && dal_number_compare(&scalar->number, op->number) == 0;
	case DAL_OPERATOR_RANGE:
		return number && range_holds(op->range, &scalar->number);
	case DAL_OPERATOR_ANYTHING_BUT:
		return !excludes(&op->excluded, scalar);
	case DAL_OPERATOR_EXISTS:
		return true;
	case DAL_OPERATOR_ABSENT:
	case DAL_OPERATOR_ALL_OF:
		return false;
	default:
		return scalar->kind == DAL_JSON_STRING && string_holds(op, scalar->text);
	}
}

static bool all_hold(const struct dal_all *all, const struct dal_json *json, uint32_t value)
{
	for (uint32_t i = 0; i < all->count; i++) {
		if (!dal_leaf_holds(&all->lists[i], json, value)) {
			return false;
		}
	}
	return true;
}

bool dal_leaf_holds(const struct dal_pattern_field *leaf, const struct dal_json *json,
		    uint32_t value)
{
	uint32_t cursor = value, scalars = 0, node;
	while ((node = dal_scalar_next(json, value, &cursor)) != DAL_JSON_NONE) {
		struct dal_scalar scalar = dal_scalar_read(json, node);
		scalars++;
		for (uint32_t i = 0; i < leaf->operator_count; i++) {
			if (dal_operator_holds(&leaf->operators[i], &scalar)) {
				return true;
			}
		}
	}
	/* No scalar at all (missing, `[]`, an object): then only exists(false) holds. */
	for (uint32_t i = 0; i < leaf->operator_count; i++) {
		const struct dal_operator *op = &leaf->operators[i];
		if (op->kind == DAL_OPERATOR_ALL_OF ? all_hold(op->all, json, value)
						    : op->kind == DAL_OPERATOR_ABSENT && !scalars) {
			return true;
		}
	}
	return false;
}

static bool or_holds(const struct dal_pattern_or * or, const struct dal_json *json, uint32_t object)
{
	for (uint32_t i = 0; i < or->count; i++) {
		if (dal_pattern_object_holds(& or->alternatives[i], json, object)) {
			return true;
		}
	}
	return false;
}

/* All of it within one object of the event; NONE is an object without fields. */
static bool holds_within(const struct dal_pattern_object *pattern, const struct dal_json *json,
			 uint32_t object)
{
	for (uint32_t i = 0; i < pattern->field_count; i++) {
		const struct dal_pattern_field *field = &pattern->fields[i];
		uint32_t value = dal_json_find(json, object, field->name);
		if (field->operators ? !dal_leaf_holds(field, json, value)
				     : !dal_pattern_object_holds(field->object, json, value)) {
			return false;
		}
	}
	for (uint32_t i = 0; i < pattern->or_count; i++) {
		if (!or_holds(&pattern->ors[i], json, object)) {
			return false;
		}
	}
	return true;
}

bool dal_pattern_object_holds(const struct dal_pattern_object *pattern, const struct dal_json *json,
			      uint32_t value)
{
	uint32_t cursor = value, objects = 0, object;
	while ((object = dal_object_next(json, value, &cursor)) != DAL_JSON_NONE) {
		objects++;
		if (holds_within(pattern, json, object)) {
			return true;
		}
	}
	return objects == 0 && holds_within(pattern, json, DAL_JSON_NONE);
}

bool dal_pattern_test(const struct dal_pattern *pattern, const struct dal_json *json,
		      uint32_t event)
{
	return dal_pattern_object_holds(&pattern->root, json, event);
}
