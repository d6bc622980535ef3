/*
 * What a pattern says about an event's attributes as such: dalamb's own types, and never.
 */
#include "rules/pattern_tree.h"

static bool list_names_system(const struct dal_pattern_field *leaf);

/* Does the regular expression begin with the text "dalamb.", whatever its alternatives do? */
static bool regexp_names_system(struct dal_slice text)
{
	static const char system[] = "dalamb\\.";
	size_t size = sizeof(system) - 1;
	return dal_slice_starts(text, system) &&
	       (text.size == size || !memchr("?*{", text.data[size], sizeof("?*{") - 1));
}

static bool all_names_system(const struct dal_all *all)
{
	for (uint32_t i = 0; i < all->count; i++) {
		if (list_names_system(&all->lists[i])) {
			return true;
		}
	}
	return false;
}

/* Can the operator hold for a type that begins with "dalamb.", because it names such types? */
static bool names_system(const struct dal_operator *op)
{
	static const char system[] = "dalamb.";
	switch (op->kind) {
	case DAL_OPERATOR_STRING:
	case DAL_OPERATOR_PREFIX:
		return dal_slice_starts(op->text, system);
	case DAL_OPERATOR_FOLDED:
	case DAL_OPERATOR_PREFIX_FOLDED:
		return dal_slice_starts(op->folded, system);
	case DAL_OPERATOR_WILDCARD:
		return dal_slice_starts(op->wildcard.pieces[0], system);
	case DAL_OPERATOR_REGEXP:
		return regexp_names_system(op->text);
	case DAL_OPERATOR_ALL_OF:
		return all_names_system(op->all);
	default:
		return false;
	}
}

static bool list_names_system(const struct dal_pattern_field *leaf)
{
	for (uint32_t i = 0; i < leaf->operator_count; i++) {
		if (names_system(&leaf->operators[i])) {
			return true;
		}
	}
	return false;
}

static bool object_names_system(const struct dal_pattern_object *object)
{
	for (uint32_t i = 0; i < object->field_count; i++) {
		const struct dal_pattern_field *field = &object->fields[i];
		if (dal_slice_is(field->name, "type") && list_names_system(field)) {
			return true;
		}
	}
	for (uint32_t i = 0; i < object->or_count; i++) {
		for (uint32_t j = 0; j < object->ors[i].count; j++) {
			if (object_names_system(&object->ors[i].alternatives[j])) {
				return true;
			}
		}
	}
	return false;
}

bool dal_pattern_names_system(const struct dal_pattern *pattern)
{
	return object_names_system(&pattern->root);
}

static bool list_only_system(const struct dal_pattern_field *leaf);

/* Without regard to case it matches "DALAMB.x", too, which is none of dalamb's types. */
static bool only_system(const struct dal_operator *op)
{
	switch (op->kind) {
	case DAL_OPERATOR_FOLDED:
	case DAL_OPERATOR_PREFIX_FOLDED:
		return false;
	case DAL_OPERATOR_REGEXP:
		return names_system(op) && !memchr(op->text.data, '|', op->text.size);
	case DAL_OPERATOR_ALL_OF: /* a type is one value: it must satisfy each list */
		for (uint32_t i = 0; i < op->all->count; i++) {
			if (list_only_system(&op->all->lists[i])) {
				return true;
			}
		}
		return false;
	default:
		return names_system(op);
	}
}

static bool list_only_system(const struct dal_pattern_field *leaf)
{
	for (uint32_t i = 0; i < leaf->operator_count; i++) {
		if (!only_system(&leaf->operators[i])) {
			return false;
		}
	}
	return leaf->operator_count > 0;
}

/* All that an object says must hold, so one field, or one `$or` in each alternative, is enough. */
static bool object_only_system(const struct dal_pattern_object *object)
{
	for (uint32_t i = 0; i < object->field_count; i++) {
		if (dal_slice_is(object->fields[i].name, "type") &&
		    list_only_system(&object->fields[i])) {
			return true;
		}
	}
	for (uint32_t i = 0; i < object->or_count; i++) {
		uint32_t j = 0;
		while (j < object->ors[i].count &&
		       object_only_system(&object->ors[i].alternatives[j])) {
			j++;
		}
		if (j > 0 && j == object->ors[i].count) {
			return true;
		}
	}
	return false;
}

bool dal_pattern_only_system(const struct dal_pattern *pattern)
{
	return object_only_system(&pattern->root);
}

static bool holds_for_text(const struct dal_operator *op)
{
	return op->kind != DAL_OPERATOR_FALSE && op->kind != DAL_OPERATOR_TRUE &&
	       op->kind != DAL_OPERATOR_NUMBER && op->kind != DAL_OPERATOR_RANGE;
}

/* Of a leaf: does text satisfy none of its operators? */
static bool refuses_text(const struct dal_pattern_field *field)
{
	for (uint32_t i = 0; i < field->operator_count; i++) {
		if (holds_for_text(&field->operators[i])) {
			return false;
		}
	}
	return field->operator_count > 0;
}

const char *dal_pattern_never(const struct dal_pattern *pattern)
{
	static const char *const texts[] = {"type", "source", "subject", "id", "time"};

	for (uint32_t i = 0; i < pattern->root.field_count; i++) {
		const struct dal_pattern_field *field = &pattern->root.fields[i];
		for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++) {
			if (dal_slice_is(field->name, texts[t]) && refuses_text(field)) {
				return texts[t];
			}
		}
	}
	return NULL;
}
