#include "rules/partial.h"

#include "rules/pattern_tree.h"

static bool may_within(const struct dal_pattern_object *pattern, const struct dal_json *json,
		       uint32_t object);

static bool field_may(const struct dal_pattern_field *field, const struct dal_json *json,
		      uint32_t object)
{
	uint32_t value = dal_json_find(json, object, field->name);
	if (value == DAL_JSON_NONE) {
		return true;
	}
	if (field->operators != NULL) {
		return dal_leaf_holds(field, json, value);
	}
	return dal_json_kind(json, value) == DAL_JSON_OBJECT
		       ? may_within(field->object, json, value)
		       : dal_pattern_object_holds(field->object, json, value);
}

static bool or_may(const struct dal_pattern_or *alternatives, const struct dal_json *json,
		   uint32_t object)
{
	for (uint32_t i = 0; i < alternatives->count; i++) {
		if (may_within(&alternatives->alternatives[i], json, object)) {
			return true;
		}
	}
	return false;
}

static bool may_within(const struct dal_pattern_object *pattern, const struct dal_json *json,
		       uint32_t object)
{
	for (uint32_t i = 0; i < pattern->field_count; i++) {
		if (!field_may(&pattern->fields[i], json, object)) {
			return false;
		}
	}
	for (uint32_t i = 0; i < pattern->or_count; i++) {
		if (!or_may(&pattern->ors[i], json, object)) {
			return false;
		}
	}
	return true;
}

bool dal_pattern_may(const struct dal_pattern *pattern, const struct dal_json *json, uint32_t part)
{
	return may_within(&pattern->root, json, part);
}

bool dal_pattern_type(const struct dal_pattern *pattern, struct dal_buffer *json)
{
	for (uint32_t i = 0; i < pattern->root.field_count; i++) {
		const struct dal_pattern_field *field = &pattern->root.fields[i];
		if (field->operators == NULL || !dal_slice_is(field->name, "type")) {
			continue;
		}
		dal_buffer_text(json, "{\"type\":[");
		for (uint32_t k = 0; k < field->operator_count; k++) {
			dal_buffer_text(json, k > 0 ? "," : "");
			dal_operator_print(&field->operators[k], json);
		}
		dal_buffer_text(json, "]}");
		return true;
	}
	return false;
}
