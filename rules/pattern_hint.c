/*
 * What a value that failed has nearly right: its case, its spaces, one character, its kind, its
 * field's name. A near miss is one that a person would have called the same.
 */
#include <math.h>
#include <stdlib.h>

#include "engine/base/memory.h"
#include "engine/event/json_write.h"
#include "rules/casefold.h"
#include "rules/pattern_explain.h"

enum {
	PAIRS = 4096,     /* of a value and an operator that are compared for one leaf */
	ONE_EDIT_MIN = 4, /* bytes from which one character more or less is a slip */
};

enum nearness { NOTHING, FAR, NEAR };

/* One scalar against one operator of a leaf. */
struct pair {
	const struct dal_json *json;
	uint32_t scalar;
	const struct dal_operator *op;
	bool several; /* operators: a hint must say which it means */
	struct dal_buffer *hint;
};

static enum nearness say(const struct pair *pair, enum nearness nearness, const char *words)
{
	dal_buffer_text(pair->hint, words);
	return nearness;
}

/* "differs in case", "differs in case from "FR"". */
static enum nearness say_from(const struct pair *pair, const char *words)
{
	dal_buffer_text(pair->hint, words);
	if (pair->several) {
		dal_buffer_text(pair->hint, " from ");
		dal_json_append_string(pair->hint, pair->op->text);
	}
	return NEAR;
}

/* --- strings --- */

static bool same_folded(struct dal_slice a, struct dal_slice b)
{
	struct dal_buffer folded = {0};
	bool same;

	if (a.size > 3 * b.size || b.size > 3 * a.size) {
		return false; /* folding changes no size by more */
	}
	dal_casefold_append(&folded, b);
	same = dal_casefold_equal(a, dal_buffer_slice(&folded));
	dal_buffer_deinit(&folded);
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

static bool is_inside(char byte)
{
	return ((unsigned char)byte & 0xC0) == 0x80;
}

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static size_t characters(struct dal_slice text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.size; i++) {
		count += !is_inside(text.data[i]);
	}
	return count;
}

/* Cuts what they have in common at both ends, at the borders of characters. */
static void cut_common(struct dal_slice *a, struct dal_slice *b)
{
	size_t least = a->size < b->size ? a->size : b->size, front = 0, back = 0;

	while (front < least && a->data[front] == b->data[front]) {
		front++;
	}
	while (front > 0 && ((front < a->size && is_inside(a->data[front])) ||
			     (front < b->size && is_inside(b->data[front])))) {
		front--;
	}
	while (back < least - front && a->data[a->size - 1 - back] == b->data[b->size - 1 - back]) {
		back++;
	}
	while (back > 0 && is_inside(a->data[a->size - back])) {
		back--;
	}
	*a = dal_slice(a->data + front, a->size - front - back);
	*b = dal_slice(b->data + front, b->size - front - back);
}

/* One character added, left out or replaced, or two neighbours swapped; but one digit for another
 * is meant. */
static bool is_one_edit(struct dal_slice a, struct dal_slice b)
{
	if (a.size < ONE_EDIT_MIN || b.size < ONE_EDIT_MIN || a.size > b.size + 4 ||
	    b.size > a.size + 4) {
		return false;
	}
	cut_common(&a, &b);
	if (a.size == 2 && b.size == 2 && a.data[0] == b.data[1] && a.data[1] == b.data[0]) {
		return true;
	}
	if ((a.size == 0 || is_digit(a.data[0])) && (b.size == 0 || is_digit(b.data[0]))) {
		return false;
	}
	return characters(a) <= 1 && characters(b) <= 1;
}

static bool is_number(const struct dal_json *json, uint32_t node)
{
	return dal_json_kind(json, node) == DAL_JSON_INTEGER ||
	       dal_json_kind(json, node) == DAL_JSON_FLOAT;
}

/* A number is expected, and here is a string. */
static enum nearness hint_number_as_string(const struct pair *pair, struct dal_slice value)
{
	enum nearness nearness = FAR;
	struct dal_json *json;

	if (value.size == 0 || !(is_digit(value.data[0]) || value.data[0] == '-')) {
		return say(pair, FAR, "is no number");
	}
	json = dal_json_new();
	if (dal_json_parse(json, value, 0, NULL) != 0 || !is_number(json, DAL_JSON_ROOT)) {
		say(pair, FAR, "is no number");
	} else {
		struct dal_scalar number = dal_scalar_read(json, DAL_JSON_ROOT);
		nearness = dal_operator_holds(pair->op, &number) ? NEAR : FAR;
		say(pair, nearness, "is a string, not a number");
	}
	dal_json_free(json);
	return nearness;
}

static enum nearness hint_equal(const struct pair *pair, struct dal_slice value)
{
	struct dal_slice text = pair->op->text;

	if (dal_slice_equal(trim(value), trim(text))) {
		return say_from(pair, "differs in spaces at its ends");
	}
	if (is_one_edit(value, text)) {
		return say_from(pair, "is one character away");
	}
	return NOTHING;
}

static enum nearness hint_literal(const struct pair *pair, struct dal_slice value)
{
	struct dal_buffer word = {0};
	bool same;

	dal_operator_print(pair->op, &word);
	same = dal_slice_equal(dal_buffer_slice(&word), value);
	dal_buffer_deinit(&word);
	return same ? say(pair, NEAR, "is a string") : NOTHING;
}

static enum nearness hint_address(const struct pair *pair, struct dal_slice value)
{
	struct dal_block address;

	if (!dal_address_read(value, &address)) {
		return say(pair, FAR, "is no IP address");
	}
	if (address.version_6 != pair->op->block->version_6) {
		return say(pair, FAR,
			   address.version_6 ? "is an address of IPv6, not of IPv4"
					     : "is an address of IPv4, not of IPv6");
	}
	return NOTHING;
}

static enum nearness hint_time(const struct pair *pair, struct dal_slice value)
{
	struct dal_instant instant;

	if (!dal_instant_read(value, &instant)) {
		return say(pair, FAR, "is no RFC 3339 time, like 2026-01-01T00:00:00Z");
	}
	return dal_instant_compare(&instant, pair->op->instant) == 0
		       ? say(pair, NEAR, "is that very moment")
		       : NOTHING;
}

static enum nearness hint_string(const struct pair *pair, struct dal_slice value)
{
	if (differs_in_case(pair->op, value)) {
		return pair->op->kind == DAL_OPERATOR_STRING ? say_from(pair, "differs in case")
							     : say(pair, NEAR, "differs in case");
	}
	switch (pair->op->kind) {
	case DAL_OPERATOR_NULL:
	case DAL_OPERATOR_FALSE:
	case DAL_OPERATOR_TRUE:
		return hint_literal(pair, value);
	case DAL_OPERATOR_STRING:
		return hint_equal(pair, value);
	case DAL_OPERATOR_NUMBER:
	case DAL_OPERATOR_RANGE:
		return hint_number_as_string(pair, value);
	case DAL_OPERATOR_CIDR:
		return hint_address(pair, value);
	case DAL_OPERATOR_BEFORE:
	case DAL_OPERATOR_AFTER:
		return hint_time(pair, value);
	default:
		return NOTHING;
	}
}

/* --- numbers --- */

static double number_double(const struct dal_number *number)
{
	struct dal_buffer text = {0};
	double value;

	dal_number_print(number, &text);
	value = strtod(dal_buffer_cstr(&text), NULL);
	dal_buffer_deinit(&text);
	return value;
}

/* Outside of a bound by one in a hundred, or by one. */
static enum nearness hint_bound(const struct pair *pair, double value,
				const struct dal_number *bound, bool lower)
{
	double at = number_double(bound), distance = fabs(value - at);

	if (value == at) {
		return say(pair, NEAR, "is the bound itself, which is not inside");
	}
	if (!isfinite(distance) || (lower ? value > at : value < at) ||
	    (distance > fabs(at) / 100 && (distance > 1 || fabs(at) < 10))) {
		return NOTHING;
	}
	dal_buffer_printf(pair->hint, "is only %.6g too %s", distance, lower ? "small" : "large");
	return NEAR;
}

static enum nearness hint_range(const struct pair *pair)
{
	const struct dal_range *range = pair->op->range;
	double value = dal_json_double(pair->json, pair->scalar);
	enum nearness nearness = NOTHING;

	if (range->has_lower) {
		nearness = hint_bound(pair, value, &range->lower, true);
	}
	if (range->has_upper && nearness == NOTHING) {
		nearness = hint_bound(pair, value, &range->upper, false);
	}
	return nearness;
}

static bool wants_string(enum dal_operator_kind kind)
{
	switch (kind) {
	case DAL_OPERATOR_STRING:
	case DAL_OPERATOR_PREFIX:
	case DAL_OPERATOR_SUFFIX:
	case DAL_OPERATOR_FOLDED:
	case DAL_OPERATOR_PREFIX_FOLDED:
	case DAL_OPERATOR_SUFFIX_FOLDED:
	case DAL_OPERATOR_WILDCARD:
	case DAL_OPERATOR_REGEXP:
	case DAL_OPERATOR_CIDR:
	case DAL_OPERATOR_BEFORE:
	case DAL_OPERATOR_AFTER:
		return true;
	default:
		return false;
	}
}

static enum nearness hint_kind(const struct pair *pair, const char *words)
{
	bool same = pair->op->kind == DAL_OPERATOR_STRING &&
		    dal_slice_equal(dal_json_raw(pair->json, pair->scalar), pair->op->text);

	return wants_string(pair->op->kind) ? say(pair, same ? NEAR : FAR, words) : NOTHING;
}

/* --- a leaf --- */

static enum nearness hint_scalar(const struct pair *pair)
{
	switch (dal_json_kind(pair->json, pair->scalar)) {
	case DAL_JSON_STRING:
		return hint_string(pair, dal_json_string(pair->json, pair->scalar));
	case DAL_JSON_NULL:
		return pair->op->kind == DAL_OPERATOR_ABSENT
			       ? say(pair, NEAR, "is null, which is a value")
			       : say(pair, FAR, "is null");
	case DAL_JSON_INTEGER:
	case DAL_JSON_FLOAT:
		return pair->op->kind == DAL_OPERATOR_RANGE
			       ? hint_range(pair)
			       : hint_kind(pair, "is a number, not a string");
	default:
		return hint_kind(pair, "is a boolean, not a string");
	}
}

/* Which of the lists no value satisfies. */
static void hint_all(const struct dal_json *json, const struct dal_all *all, uint32_t value,
		     struct dal_pattern_miss *miss)
{
	uint32_t lacking = 0;

	for (uint32_t i = 0; i < all->count; i++) {
		if (!dal_leaf_holds(&all->lists[i], json, value)) {
			dal_buffer_text(&miss->hint, lacking++ > 0 ? ", and " : "lacks ");
			dal_leaf_describe(&all->lists[i], &miss->hint);
		}
	}
	miss->near = lacking < all->count && lacking == 1;
}

/* Keeps the first near hint, or else the first of all. */
static void hint_operators(struct pair *pair, const struct dal_pattern_field *leaf, int *pairs,
			   struct dal_pattern_miss *miss)
{
	for (uint32_t i = 0; i<leaf->operator_count && * pairs> 0 && !miss->near; i++) {
		size_t before = miss->hint.size;
		(*pairs)--;
		pair->op = &leaf->operators[i];
		miss->near = hint_scalar(pair) == NEAR;
		if (before > 0 && miss->near) {
			size_t size = miss->hint.size - before;
			memmove(miss->hint.data, miss->hint.data + before, size);
			miss->hint.size = size;
		} else if (before > 0) {
			miss->hint.size = before;
		}
	}
}

void dal_leaf_hint(const struct dal_json *json, const struct dal_pattern_field *leaf,
		   uint32_t value, struct dal_pattern_miss *miss)
{
	struct pair pair = {.json = json, .several = leaf->operator_count > 1, .hint = &miss->hint};
	uint32_t cursor = value, none = value;
	int pairs = PAIRS;

	pair.scalar = dal_scalar_next(json, value, &cursor);
	if (pair.scalar == DAL_JSON_NONE) {
		bool objects = dal_object_next(json, value, &none) != DAL_JSON_NONE;
		dal_buffer_text(&miss->hint, objects ? "is an object: name its fields"
						     : "is an empty list, which counts as missing");
		return;
	}
	if (leaf->operator_count == 1 && leaf->operators[0].kind == DAL_OPERATOR_ALL_OF) {
		hint_all(json, leaf->operators[0].all, value, miss);
		return;
	}
	for (; pair.scalar != DAL_JSON_NONE && pairs > 0 && !miss->near;
	     pair.scalar = dal_scalar_next(json, value, &cursor)) {
		hint_operators(&pair, leaf, &pairs, miss);
	}
}

/* --- a missing field --- */

struct candidate {
	const struct dal_event_name *name;
	bool holds; /* its value would do */
};

static bool is_better(const struct candidate *a, const struct candidate *b, uint32_t object)
{
	if (a->holds != b->holds || !b->name) {
		return a->holds || !b->name;
	}
	return a->name->object == object && b->name->object != object;
}

void dal_leaf_hint_missing(struct dal_event_fields *fields, const struct dal_pattern_field *leaf,
			   uint32_t object, struct dal_pattern_miss *miss)
{
	const struct dal_event_name *found[DAL_EVENT_ALIKE];
	size_t count = dal_event_fields_alike(fields, leaf->name, found);
	struct candidate best = {0};

	if (count == 0 && object != DAL_JSON_NONE) {
		found[0] = dal_event_fields_near(fields, object, leaf->name);
		count = found[0] != NULL;
	}
	for (size_t i = 0; i < count; i++) {
		struct candidate one = {found[i],
					dal_leaf_holds(leaf, fields->json, found[i]->key + 1)};
		best = is_better(&one, &best, object) ? one : best;
	}
	if (best.name) {
		dal_buffer_text(&miss->hint, "there is ");
		dal_event_fields_path(fields, best.name, &miss->hint);
		dal_buffer_text(&miss->hint, best.holds ? ", whose value would do" : "");
		miss->near = best.holds;
	}
}
