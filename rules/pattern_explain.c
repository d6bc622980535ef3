/*
 * Why a pattern does not match: the first field, in the pattern's order, that failed.
 *
 * Where an array of objects or an `$or` leaves a choice, the element or the alternative that came
 * furthest is explained.
 */
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/event/json_write.h"
#include "rules/casefold.h"
#include "rules/pattern_tree.h"

#define FOUND_BYTES 256 /* of a value; what is longer is cut */
#define EXPECTED_VALUES 8

struct explanation {
	const struct dal_json *json;
	struct dal_pattern_miss *miss;
	struct dal_buffer path;
};

/* How many of an object's conditions hold before the first that fails. */
static size_t passed(const struct dal_pattern_object *pattern, const struct dal_json *json,
		     uint32_t object)
{
	size_t count = 0;
	for (uint32_t i = 0; i < pattern->field_count; i++, count++) {
		const struct dal_pattern_field *field = &pattern->fields[i];
		uint32_t value = dal_json_find(json, object, field->name);
		if (field->operators ? !dal_leaf_holds(field, json, value)
				     : !dal_pattern_object_holds(field->object, json, value)) {
			break;
		}
	}
	return count;
}

static void describe_bound(const char *words, const struct dal_number *number,
			   struct dal_buffer *out)
{
	dal_buffer_text(out, words);
	dal_number_print(number, out);
}

static void describe_range(const struct dal_range *range, struct dal_buffer *out)
{
	dal_buffer_text(out, "a number ");
	if (range->has_lower && range->has_upper &&
	    dal_number_compare(&range->lower, &range->upper) == 0) {
		describe_bound("= ", &range->lower, out);
		return;
	}
	if (range->has_lower) {
		describe_bound(range->lower_open ? "> " : ">= ", &range->lower, out);
	}
	if (range->has_upper) {
		dal_buffer_text(out, range->has_lower ? " and " : "");
		describe_bound(range->upper_open ? "< " : "<= ", &range->upper, out);
	}
}

static void describe_text(const char *words, struct dal_slice text, bool folded,
			  struct dal_buffer *out)
{
	dal_buffer_text(out, words);
	dal_json_append_string(out, text);
	dal_buffer_text(out, folded ? " in any case" : "");
}

static void describe(const struct dal_operator *op, struct dal_buffer *out);

static void describe_list(const struct dal_operator *operators, uint32_t count, const char *one_of,
			  const char *join, struct dal_buffer *out)
{
	dal_buffer_text(out, count > 1 ? one_of : "");
	for (uint32_t i = 0; i < count; i++) {
		if (i == EXPECTED_VALUES) {
			dal_buffer_printf(out, "%sone of %u more", join, count - i);
			break;
		}
		dal_buffer_text(out, i > 0 ? join : "");
		describe(&operators[i], out);
	}
}

static void describe(const struct dal_operator *op, struct dal_buffer *out)
{
	switch (op->kind) {
	case DAL_OPERATOR_PREFIX:
	case DAL_OPERATOR_PREFIX_FOLDED:
		describe_text("a string that begins with ", op->text,
			      op->kind == DAL_OPERATOR_PREFIX_FOLDED, out);
		break;
	case DAL_OPERATOR_SUFFIX:
	case DAL_OPERATOR_SUFFIX_FOLDED:
		describe_text("a string that ends with ", op->text,
			      op->kind == DAL_OPERATOR_SUFFIX_FOLDED, out);
		break;
	case DAL_OPERATOR_FOLDED:
		describe_text("", op->text, true, out);
		break;
	case DAL_OPERATOR_WILDCARD:
		describe_text("a string like ", op->text, false, out);
		break;
	case DAL_OPERATOR_RANGE:
		describe_range(op->range, out);
		break;
	case DAL_OPERATOR_EXISTS:
		dal_buffer_text(out, "any value");
		break;
	case DAL_OPERATOR_ABSENT:
		dal_buffer_text(out, "no such field");
		break;
	case DAL_OPERATOR_ANYTHING_BUT:
		dal_buffer_text(out, "anything but ");
		describe_list(op->excluded.operators, op->excluded.count, "", " or ", out);
		break;
	default:
		dal_operator_print(op, out);
	}
}

static bool is_plain(const struct dal_operator *op)
{
	return op->kind <= DAL_OPERATOR_NUMBER;
}

static void describe_leaf(const struct dal_pattern_field *leaf, struct dal_buffer *out)
{
	bool plain = true;
	for (uint32_t i = 0; i < leaf->operator_count; i++) {
		plain = plain && is_plain(&leaf->operators[i]);
	}
	describe_list(leaf->operators, leaf->operator_count, plain ? "one of " : "",
		      plain ? ", " : ", or ", out);
}

static bool same_folded(struct dal_slice a, struct dal_slice b)
{
	struct dal_buffer x = {0}, y = {0};
	dal_casefold_append(&x, a);
	dal_casefold_append(&y, b);
	bool same = dal_slice_equal(dal_buffer_slice(&x), dal_buffer_slice(&y));
	dal_buffer_deinit(&x);
	dal_buffer_deinit(&y);
	return same;
}

/* Does the string hold once it is cut and folded like the operator's text? */
static bool differs_in_case(const struct dal_operator *op, struct dal_slice value)
{
	size_t size = op->text.size;
	switch (op->kind) {
	case DAL_OPERATOR_STRING:
		return same_folded(value, op->text);
	case DAL_OPERATOR_PREFIX:
		return value.size >= size && same_folded(dal_slice(value.data, size), op->text);
	case DAL_OPERATOR_SUFFIX:
		return value.size >= size &&
		       same_folded(dal_slice(value.data + value.size - size, size), op->text);
	default:
		return false;
	}
}

static struct dal_slice trim(struct dal_slice text)
{
	while (text.size > 0 && (unsigned char)text.data[0] <= ' ') {
		text.data++;
		text.size--;
	}
	while (text.size > 0 && (unsigned char)text.data[text.size - 1] <= ' ') {
		text.size--;
	}
	return text;
}

static bool is_number(const struct dal_json *json, uint32_t node)
{
	return dal_json_kind(json, node) == DAL_JSON_INTEGER ||
	       dal_json_kind(json, node) == DAL_JSON_FLOAT;
}

static bool looks_like_number(struct dal_slice text)
{
	struct dal_json *json = dal_json_new();
	bool is = dal_json_parse(json, text, 0, NULL) == 0 && is_number(json, DAL_JSON_ROOT);
	dal_json_free(json);
	return is;
}

static const char *hint_for_string(const struct dal_operator *op, struct dal_slice value)
{
	enum dal_operator_kind kind = op->kind;
	if (differs_in_case(op, value)) {
		return "differs in case";
	}
	if (kind == DAL_OPERATOR_STRING && dal_slice_equal(trim(value), trim(op->text))) {
		return "differs in spaces at its ends";
	}
	if (kind == DAL_OPERATOR_NUMBER || kind == DAL_OPERATOR_RANGE) {
		return looks_like_number(value) ? "is a string, not a number" : "is no number";
	}
	if (kind <= DAL_OPERATOR_TRUE) {
		struct dal_buffer word = {0};
		dal_operator_print(op, &word);
		bool same = dal_slice_equal(dal_buffer_slice(&word), value);
		dal_buffer_deinit(&word);
		return same ? "is a string" : NULL;
	}
	return NULL;
}

static bool wants_string(const struct dal_operator *op)
{
	return op->kind >= DAL_OPERATOR_STRING && op->kind <= DAL_OPERATOR_WILDCARD &&
	       op->kind != DAL_OPERATOR_NUMBER;
}

/* What a scalar that failed has nearly right, or NULL. */
static const char *hint_for_scalar(const struct dal_json *json, uint32_t scalar,
				   const struct dal_operator *op)
{
	switch (dal_json_kind(json, scalar)) {
	case DAL_JSON_STRING:
		return hint_for_string(op, dal_json_string(json, scalar));
	case DAL_JSON_NULL:
		return "is null";
	case DAL_JSON_INTEGER:
	case DAL_JSON_FLOAT:
		return wants_string(op) ? "is a number, not a string" : NULL;
	default:
		return wants_string(op) ? "is a boolean, not a string" : NULL;
	}
}

/* A field of the event's object that was probably meant, or NULL; the caller frees it. */
static char *similar_key(const struct dal_json *json, uint32_t object, struct dal_slice name)
{
	const char *names[64];
	size_t count = 0;
	if (object == DAL_JSON_NONE || dal_json_kind(json, object) != DAL_JSON_OBJECT) {
		return NULL;
	}
	uint32_t end = dal_json_next(json, object);
	for (uint32_t key = object + 1; key < end && count < 64;
	     key = dal_json_next(json, key + 1)) {
		names[count++] = dal_slice_dup(dal_json_string(json, key));
	}
	char *wanted = dal_slice_dup(name);
	const char *near = dal_error_suggest(wanted, names, count);
	char *copy = near ? dal_strdup(near) : NULL;
	for (size_t i = 0; i < count; i++) {
		free((char *)names[i]);
	}
	free(wanted);
	return copy;
}

static void hint_missing(struct explanation *explanation, uint32_t object, struct dal_slice name)
{
	char *near = similar_key(explanation->json, object, name);
	dal_buffer_text(&explanation->miss->hint, "is missing");
	if (near) {
		dal_buffer_text(&explanation->miss->hint, "; there is ");
		dal_json_append_string(&explanation->miss->hint, dal_slice_text(near));
	}
	free(near);
}

static void hint_leaf(struct explanation *explanation, const struct dal_pattern_field *leaf,
		      uint32_t value)
{
	const struct dal_json *json = explanation->json;
	struct dal_buffer *hint = &explanation->miss->hint;
	uint32_t cursor = value, scalar, scalars = 0;
	while ((scalar = dal_scalar_next(json, value, &cursor)) != DAL_JSON_NONE) {
		scalars++;
		for (uint32_t i = 0; i < leaf->operator_count && hint->size == 0; i++) {
			const char *text = hint_for_scalar(json, scalar, &leaf->operators[i]);
			dal_buffer_text(hint, text ? text : "");
		}
	}
	if (scalars == 0) {
		uint32_t none = value;
		bool objects = dal_object_next(json, value, &none) != DAL_JSON_NONE;
		dal_buffer_text(hint, objects ? "is an object: name its fields"
					      : "is an empty list, which counts as missing");
	}
}

static void print_found(struct explanation *explanation, uint32_t value)
{
	struct dal_slice raw = dal_json_raw(explanation->json, value);
	size_t size = raw.size;
	if (size > FOUND_BYTES) {
		for (size = FOUND_BYTES; ((unsigned char)raw.data[size] & 0xC0) == 0x80; size--) {
		}
	}
	dal_buffer_append(&explanation->miss->found, raw.data, size);
	dal_buffer_text(&explanation->miss->found, size < raw.size ? "..." : "");
}

static void explain_leaf(struct explanation *explanation, const struct dal_pattern_field *leaf,
			 uint32_t object, uint32_t value)
{
	dal_buffer_slice_append(&explanation->miss->field, dal_buffer_slice(&explanation->path));
	describe_leaf(leaf, &explanation->miss->expected);
	if (value == DAL_JSON_NONE) {
		hint_missing(explanation, object, leaf->name);
		return;
	}
	print_found(explanation, value);
	hint_leaf(explanation, leaf, value);
}

static void explain_object(struct explanation *explanation,
			   const struct dal_pattern_object *pattern, uint32_t value);

/* A value where the pattern has fields, but no object. */
static bool is_scalar(const struct dal_json *json, uint32_t value)
{
	uint32_t object = value, scalar = value;
	return dal_object_next(json, value, &object) == DAL_JSON_NONE &&
	       dal_scalar_next(json, value, &scalar) != DAL_JSON_NONE;
}

static void explain_scalar(struct explanation *explanation, const struct dal_pattern_field *field,
			   uint32_t value)
{
	struct dal_pattern_miss *miss = explanation->miss;
	dal_buffer_slice_append(&miss->field, dal_buffer_slice(&explanation->path));
	print_found(explanation, value);
	dal_buffer_text(&miss->expected, "an object");
	dal_buffer_text(&miss->hint, "is no object, so ");
	if (field->object->field_count > 0) {
		dal_json_append_string(&miss->hint, field->object->fields[0].name);
		dal_buffer_text(&miss->hint, " is missing");
	} else {
		dal_buffer_text(&miss->hint, "its fields are missing");
	}
}

static void explain_field(struct explanation *explanation, const struct dal_pattern_field *field,
			  uint32_t object)
{
	size_t path = explanation->path.size;
	uint32_t value = dal_json_find(explanation->json, object, field->name);
	dal_buffer_text(&explanation->path, path ? "." : "");
	dal_buffer_slice_append(&explanation->path, field->name);
	if (field->operators) {
		explain_leaf(explanation, field, object, value);
	} else if (is_scalar(explanation->json, value)) {
		explain_scalar(explanation, field, value);
	} else {
		explain_object(explanation, field->object, value);
	}
	explanation->path.size = path;
}

static void explain_or(struct explanation *explanation, const struct dal_pattern_or * or,
		       uint32_t object)
{
	uint32_t best = 0;
	for (uint32_t i = 1; i < or->count; i++) {
		if (passed(& or->alternatives[i], explanation->json, object) >
		    passed(& or->alternatives[best], explanation->json, object)) {
			best = i;
		}
	}
	explain_object(explanation, & or->alternatives[best], object);
	if (or->count > 1) {
		dal_buffer_printf(&explanation->miss->hint,
				  "%sone of the %u alternatives of $or would do, this one came "
				  "nearest",
				  explanation->miss->hint.size ? "; " : "", or->count);
	}
}

/* `pattern` does not hold for `value`. */
static void explain_object(struct explanation *explanation,
			   const struct dal_pattern_object *pattern, uint32_t value)
{
	const struct dal_json *json = explanation->json;
	uint32_t cursor = value, object, best = DAL_JSON_NONE;
	size_t best_passed = 0;
	while ((object = dal_object_next(json, value, &cursor)) != DAL_JSON_NONE) {
		size_t count = passed(pattern, json, object);
		if (best == DAL_JSON_NONE || count > best_passed) {
			best = object;
			best_passed = count;
		}
	}
	if (best == DAL_JSON_NONE) {
		best_passed = passed(pattern, json, DAL_JSON_NONE);
	}
	if (best_passed < pattern->field_count) {
		explain_field(explanation, &pattern->fields[best_passed], best);
		return;
	}
	for (uint32_t i = 0; i < pattern->or_count; i++) {
		const struct dal_pattern_object alone = {.ors = &pattern->ors[i], .or_count = 1};
		if (!dal_pattern_object_holds(&alone, json, best)) {
			explain_or(explanation, &pattern->ors[i], best);
			return;
		}
	}
}

void dal_pattern_miss_deinit(struct dal_pattern_miss *miss)
{
	dal_buffer_deinit(&miss->field);
	dal_buffer_deinit(&miss->found);
	dal_buffer_deinit(&miss->expected);
	dal_buffer_deinit(&miss->hint);
}

bool dal_pattern_explain(const struct dal_pattern *pattern, const struct dal_json *json,
			 uint32_t event, struct dal_pattern_miss *miss)
{
	struct explanation explanation = {.json = json, .miss = miss};

	dal_buffer_clear(&miss->field);
	dal_buffer_clear(&miss->found);
	dal_buffer_clear(&miss->expected);
	dal_buffer_clear(&miss->hint);
	if (dal_pattern_test(pattern, json, event)) {
		return true;
	}
	explain_object(&explanation, &pattern->root, event);
	dal_buffer_deinit(&explanation.path);
	return false;
}
