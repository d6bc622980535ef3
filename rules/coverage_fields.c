/* The walk is that of pattern_test.c with counts, and it goes on where that one ends. */
#include "rules/coverage_fields.h"

#include <stdlib.h>

#include "engine/base/memory.h"
#include "rules/pattern_tree.h"

struct dal_coverage_fields {
	const struct dal_pattern *pattern;
	struct dal_coverage_field *all;
	size_t count, capacity;
};

/* --- making --- */

static void add_object(struct dal_coverage_fields *fields, const struct dal_pattern_object *object,
		       struct dal_buffer *path);

static void add_field(struct dal_coverage_fields *fields, const struct dal_pattern_field *field,
		      struct dal_buffer *path)
{
	size_t size = path->size;
	dal_buffer_printf(path, "%s%.*s", size > 0 ? "." : "", (int)field->name.size,
			  field->name.data);
	if (field->operators != NULL) {
		DAL_GROW(fields->all, fields->count, fields->capacity);
		fields->all[fields->count++] = (struct dal_coverage_field){
			.path = dal_slice_dup(dal_buffer_slice(path)),
			.is_type = dal_slice_is(dal_buffer_slice(path), "type")};
	} else {
		add_object(fields, field->object, path);
	}
	path->size = size;
}

static void add_object(struct dal_coverage_fields *fields, const struct dal_pattern_object *object,
		       struct dal_buffer *path)
{
	size_t size = path->size;
	for (uint32_t i = 0; i < object->field_count; i++) {
		add_field(fields, &object->fields[i], path);
	}
	for (uint32_t i = 0; i < object->or_count; i++) {
		for (uint32_t k = 0; k < object->ors[i].count; k++) {
			dal_buffer_printf(path, "%sany_of[%u]", size > 0 ? "." : "", k + 1);
			add_object(fields, &object->ors[i].alternatives[k], path);
			path->size = size;
		}
	}
}

struct dal_coverage_fields *dal_coverage_fields_new(const struct dal_pattern *pattern)
{
	struct dal_coverage_fields *fields = dal_calloc(1, sizeof(*fields));
	struct dal_buffer path = {0};
	fields->pattern = pattern;
	add_object(fields, &pattern->root, &path);
	dal_buffer_deinit(&path);
	return fields;
}

void dal_coverage_fields_free(struct dal_coverage_fields *fields)
{
	if (fields == NULL) {
		return;
	}
	for (size_t i = 0; i < fields->count; i++) {
		free((void *)fields->all[i].path);
	}
	free(fields->all);
	free(fields);
}

/* --- asking: `*at` is the index of the next leaf, moved past all that the object has --- */

static size_t leaves(const struct dal_pattern_object *object)
{
	size_t count = 0;
	for (uint32_t i = 0; i < object->field_count; i++) {
		const struct dal_pattern_field *field = &object->fields[i];
		count += field->operators != NULL ? 1 : leaves(field->object);
	}
	for (uint32_t i = 0; i < object->or_count; i++) {
		for (uint32_t k = 0; k < object->ors[i].count; k++) {
			count += leaves(&object->ors[i].alternatives[k]);
		}
	}
	return count;
}

struct asking {
	struct dal_coverage_field *all;
	const struct dal_json *json;
};

static bool object_holds(const struct asking *a, const struct dal_pattern_object *object, size_t at,
			 uint32_t value);

static bool field_holds(const struct asking *a, const struct dal_pattern_field *field, size_t *at,
			uint32_t object)
{
	uint32_t value = dal_json_find(a->json, object, field->name);
	bool holds;
	if (field->operators == NULL) {
		holds = object_holds(a, field->object, *at, value);
		*at += leaves(field->object);
	} else {
		holds = dal_leaf_holds(field, a->json, value);
		*(holds ? &a->all[*at].held : &a->all[*at].failed) += 1;
		*at += 1;
	}
	return holds;
}

static bool or_holds(const struct asking *a, const struct dal_pattern_or *alternatives, size_t *at,
		     uint32_t object);

/* The fields of an object in the order that they are asked in. */
enum part { PART_TYPE, PART_LEAVES, PART_OBJECTS };

static enum part part_of(const struct dal_pattern_field *field, uint32_t object)
{
	if (field->operators == NULL) {
		return PART_OBJECTS;
	}
	return object == DAL_JSON_ROOT && dal_slice_is(field->name, "type") ? PART_TYPE
									    : PART_LEAVES;
}

/* All of one part are asked, whatever one says. */
static bool part_holds(const struct asking *a, const struct dal_pattern_object *pattern,
		       enum part part, size_t at, uint32_t object)
{
	bool hold = true;
	for (uint32_t i = 0; i < pattern->field_count; i++) {
		const struct dal_pattern_field *field = &pattern->fields[i];
		if (part_of(field, object) == part) {
			hold = field_holds(a, field, &at, object) && hold;
		} else {
			at += field->operators != NULL ? 1 : leaves(field->object);
		}
	}
	return hold;
}

static bool holds_within(const struct asking *a, const struct dal_pattern_object *pattern,
			 size_t at, uint32_t object)
{
	if (!part_holds(a, pattern, PART_TYPE, at, object)) {
		return false;
	}
	bool hold = part_holds(a, pattern, PART_LEAVES, at, object);
	if (!hold && object == DAL_JSON_ROOT) {
		return false;
	}
	hold = part_holds(a, pattern, PART_OBJECTS, at, object) && hold;
	for (uint32_t i = 0; i < pattern->field_count; i++) {
		const struct dal_pattern_field *field = &pattern->fields[i];
		at += field->operators != NULL ? 1 : leaves(field->object);
	}
	for (uint32_t i = 0; i < pattern->or_count; i++) {
		hold = or_holds(a, &pattern->ors[i], &at, object) && hold;
	}
	return hold;
}

static bool or_holds(const struct asking *a, const struct dal_pattern_or *alternatives, size_t *at,
		     uint32_t object)
{
	bool holds = false;
	for (uint32_t k = 0; k < alternatives->count; k++) {
		const struct dal_pattern_object *one = &alternatives->alternatives[k];
		holds = holds_within(a, one, *at, object) || holds;
		*at += leaves(one);
	}
	return holds;
}

static bool object_holds(const struct asking *a, const struct dal_pattern_object *pattern,
			 size_t at, uint32_t value)
{
	uint32_t cursor = value, objects = 0, object;
	while ((object = dal_object_next(a->json, value, &cursor)) != DAL_JSON_NONE) {
		objects++;
		if (holds_within(a, pattern, at, object)) {
			return true;
		}
	}
	return objects == 0 && holds_within(a, pattern, at, DAL_JSON_NONE);
}

bool dal_coverage_fields_ask(struct dal_coverage_fields *fields, const struct dal_json *json,
			     uint32_t event)
{
	const struct asking asking = {fields->all, json};
	return object_holds(&asking, &fields->pattern->root, 0, event);
}

const struct dal_coverage_field *dal_coverage_fields_all(const struct dal_coverage_fields *fields,
							 size_t *count)
{
	*count = fields->count;
	return fields->all;
}
