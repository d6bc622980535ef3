/*
 * One entry of a field's list: a plain value, or an operator like {"prefix": "x"}.
 */
#include "engine/base/limits.h"
#include "rules/pattern_reader.h"

static bool count_value(struct dal_pattern_reader *reader, uint32_t node)
{
	return ++reader->values <= DAL_LIMIT_PATTERN_VALUES ||
	       dal_pattern_refuse(reader, node, "more than %d values in one pattern",
				  DAL_LIMIT_PATTERN_VALUES);
}

/* The literal refers to memory of the pattern, as a long number's tail does. */
static bool read_number(struct dal_pattern_reader *reader, uint32_t node, struct dal_slice *text,
			struct dal_number *number)
{
	*text = dal_json_raw(reader->json, node);
	if (text->size > DAL_LIMIT_PATTERN_STRING_BYTES) {
		return dal_pattern_refuse(reader, node, "a number of more than %d digits",
					  (int)DAL_LIMIT_PATTERN_STRING_BYTES);
	}
	*text = dal_arena_copy(reader->arena, *text);
	*number = dal_number_read(*text);
	return true;
}

static bool read_scalar(struct dal_pattern_reader *reader, uint32_t node, struct dal_operator *op)
{
	switch (dal_json_kind(reader->json, node)) {
	case DAL_JSON_NULL:
		op->kind = DAL_OPERATOR_NULL;
		return true;
	case DAL_JSON_FALSE:
		op->kind = DAL_OPERATOR_FALSE;
		return true;
	case DAL_JSON_TRUE:
		op->kind = DAL_OPERATOR_TRUE;
		return true;
	case DAL_JSON_INTEGER:
	case DAL_JSON_FLOAT:
		op->kind = DAL_OPERATOR_NUMBER;
		op->number = dal_arena_take(reader->arena, sizeof(*op->number));
		return read_number(reader, node, &op->text, op->number);
	case DAL_JSON_STRING:
		op->kind = DAL_OPERATOR_STRING;
		return dal_pattern_read_text(reader, node, "a value", &op->text);
	default:
		return dal_pattern_refuse(reader, node,
					  "a list in a list: write its values in the "
					  "outer one");
	}
}

/* One comparison of a numeric operator: ">", 0. */
static bool read_bound(struct dal_pattern_reader *reader, uint32_t node, struct dal_range *range)
{
	const struct dal_json *json = reader->json;
	struct dal_slice text, sign = {0};
	struct dal_number number;
	enum dal_json_kind kind = dal_json_kind(json, node + 1);

	if (dal_json_kind(json, node) == DAL_JSON_STRING) {
		sign = dal_json_string(json, node);
	}
	bool equal = dal_slice_is(sign, "="), open = sign.size == 1;
	bool lower = equal || dal_slice_is(sign, ">") || dal_slice_is(sign, ">=");
	bool upper = equal || dal_slice_is(sign, "<") || dal_slice_is(sign, "<=");
	if (!lower && !upper) {
		return dal_pattern_refuse(
			reader, node,
			"numeric compares with \"=\", \"<\", \"<=\", \">\" or \">=\"");
	}
	if (kind != DAL_JSON_INTEGER && kind != DAL_JSON_FLOAT) {
		return dal_pattern_refuse(reader, node + 1,
					  "numeric wants a number behind \"%.*s\"", (int)sign.size,
					  sign.data);
	}
	if ((lower && range->has_lower) || (upper && range->has_upper)) {
		return dal_pattern_refuse(reader, node,
					  "numeric has one lower and one upper bound at the most");
	}
	if (!read_number(reader, node + 1, &text, &number)) {
		return false;
	}
	if (lower) {
		range->has_lower = true;
		range->lower_open = open && !equal;
		range->lower = number;
	}
	if (upper) {
		range->has_upper = true;
		range->upper_open = open && !equal;
		range->upper = number;
	}
	return true;
}

static bool read_numeric(struct dal_pattern_reader *reader, uint32_t node, struct dal_operator *op)
{
	const struct dal_json *json = reader->json;
	uint32_t count = dal_json_count(json, node);
	if (dal_json_kind(json, node) != DAL_JSON_ARRAY || (count != 2 && count != 4)) {
		return dal_pattern_refuse(
			reader, node,
			"numeric wants one or two comparisons: [\">\", 0, \"<=\", 5]");
	}
	struct dal_range *range = dal_arena_take(reader->arena, sizeof(*range));
	op->kind = DAL_OPERATOR_RANGE;
	op->range = range;
	uint32_t first = node + 1;
	for (uint32_t i = 0; i < count / 2; i++) {
		if (!read_bound(reader, first, range)) {
			return false;
		}
		first = dal_json_next(json, first + 1);
	}
	if (range->has_lower && range->has_upper) {
		int order = dal_number_compare(&range->lower, &range->upper);
		if (order > 0 || (order == 0 && (range->lower_open || range->upper_open))) {
			return dal_pattern_refuse(reader, node, "no number lies in this range");
		}
	}
	return true;
}

static bool read_exists(struct dal_pattern_reader *reader, uint32_t node, struct dal_operator *op)
{
	enum dal_json_kind kind = dal_json_kind(reader->json, node);
	if (kind != DAL_JSON_TRUE && kind != DAL_JSON_FALSE) {
		return dal_pattern_refuse(reader, node, "exists is true or false");
	}
	op->kind = kind == DAL_JSON_TRUE ? DAL_OPERATOR_EXISTS : DAL_OPERATOR_ABSENT;
	return true;
}

static bool read_anything_but(struct dal_pattern_reader *reader, uint32_t node,
			      struct dal_operator *op);
static bool read_all_of(struct dal_pattern_reader *reader, uint32_t node, struct dal_operator *op);

static const struct reader {
	const char *name;
	bool (*read)(struct dal_pattern_reader *reader, uint32_t node, struct dal_operator *op);
	bool inside; /* of anything-but */
	bool ours;   /* not EventBridge's */
} readers[] = {
	{"prefix", dal_text_read_prefix, true, false},
	{"suffix", dal_text_read_suffix, true, false},
	{"equals-ignore-case", dal_text_read_folded, true, false},
	{"wildcard", dal_text_read_wildcard, true, false},
	{"anything-but", read_anything_but, false, false},
	{"numeric", read_numeric, false, false},
	{"exists", read_exists, false, false},
	{"cidr", dal_text_read_cidr, false, false},
	{"regexp", dal_text_read_regexp, false, true},
	{"before", dal_text_read_before, false, true},
	{"after", dal_text_read_after, false, true},
	{"all-of", read_all_of, false, true},
};

enum { READERS = sizeof(readers) / sizeof(readers[0]) };

bool dal_operator_reserved(struct dal_slice name)
{
	for (size_t i = 0; i < READERS; i++) {
		if (!readers[i].ours && dal_slice_is(name, readers[i].name)) {
			return true;
		}
	}
	return false;
}

static void refuse_name(struct dal_pattern_reader *reader, uint32_t key)
{
	const char *names[READERS];
	struct dal_slice name = dal_json_string(reader->json, key);
	struct dal_buffer copy = {0}, all = {0};
	for (size_t i = 0; i < READERS; i++) {
		names[i] = readers[i].name;
		dal_buffer_printf(&all, "%s%s", i > 0 ? ", " : "", names[i]);
	}
	dal_buffer_slice_append(&copy, name);
	const char *near = dal_error_suggest(dal_buffer_cstr(&copy), names, READERS);
	dal_pattern_refuse(reader, key, "unknown operator \"%.*s\"%s%s%s; there are %s",
			   (int)(name.size < 64 ? name.size : 64), name.data, near ? ", is \"" : "",
			   near ? near : "", near ? "\" meant?" : "", dal_buffer_cstr(&all));
	dal_buffer_deinit(&copy);
	dal_buffer_deinit(&all);
}

/* The reader for an operator's object, or NULL after an error. */
static const struct reader *find_reader(struct dal_pattern_reader *reader, uint32_t node)
{
	if (dal_json_count(reader->json, node) != 1) {
		dal_pattern_refuse(reader, node,
				   "an operator is an object with one key, like "
				   "{\"prefix\": \"x\"}");
		return NULL;
	}
	struct dal_slice name = dal_json_string(reader->json, node + 1);
	for (size_t i = 0; i < READERS; i++) {
		if (dal_slice_is(name, readers[i].name)) {
			return &readers[i];
		}
	}
	refuse_name(reader, node + 1);
	return NULL;
}

/* A value that anything-but excludes, through `inside` if that is an operator. */
static bool read_excluded(struct dal_pattern_reader *reader, uint32_t node,
			  const struct reader *inside, struct dal_operator *op)
{
	if (!count_value(reader, node)) {
		return false;
	}
	if (inside) {
		if (!inside->read(reader, node, op)) {
			return false;
		}
		/* EventBridge refuses this too: what excludes all strings is rarely meant. */
		if (inside->read != dal_text_read_wildcard && op->text.size == 0 &&
		    op->kind != DAL_OPERATOR_FOLDED) {
			return dal_pattern_refuse(reader, node,
						  "anything-but an empty %s leaves no string",
						  inside->name);
		}
		return true;
	}
	enum dal_json_kind kind = dal_json_kind(reader->json, node);
	if (kind != DAL_JSON_STRING && kind != DAL_JSON_INTEGER && kind != DAL_JSON_FLOAT) {
		return dal_pattern_refuse(reader, node,
					  "anything-but wants strings, numbers, a list "
					  "of them, or one of prefix, suffix, "
					  "equals-ignore-case, wildcard");
	}
	return read_scalar(reader, node, op);
}

static bool read_anything_but(struct dal_pattern_reader *reader, uint32_t node,
			      struct dal_operator *op)
{
	const struct dal_json *json = reader->json;
	const struct reader *inside = NULL;
	if (dal_json_kind(json, node) == DAL_JSON_OBJECT) {
		inside = find_reader(reader, node);
		if (!inside) {
			return false;
		}
		if (!inside->inside) {
			return dal_pattern_refuse(reader, node + 1,
						  "%s can't stand inside anything-but",
						  inside->name);
		}
		node += 2;
	}
	struct dal_excluded excluded = {.count = 1};
	if (dal_json_kind(json, node) == DAL_JSON_ARRAY) {
		excluded.list = true;
		excluded.count = dal_json_count(json, node++);
		if (excluded.count == 0) {
			return dal_pattern_refuse(reader, node - 1,
						  "an empty list excludes nothing; use "
						  "{\"exists\": true}");
		}
	}
	excluded.operators = dal_arena_take(reader->arena,
					    excluded.count * sizeof(*excluded.operators));
	for (uint32_t i = 0; i < excluded.count; i++, node = dal_json_next(json, node)) {
		if (!read_excluded(reader, node, inside, &excluded.operators[i])) {
			return false;
		}
	}
	op->kind = DAL_OPERATOR_ANYTHING_BUT;
	op->excluded = excluded;
	return true;
}

/* One entry of an all-of: a value or an operator, or a list of which one must hold. */
static bool read_all_entry(struct dal_pattern_reader *reader, uint32_t node,
			   struct dal_pattern_field *list)
{
	const struct dal_json *json = reader->json;
	list->operator_count = 1;
	if (dal_json_kind(json, node) == DAL_JSON_ARRAY) {
		list->operator_count = dal_json_count(json, node++);
		if (list->operator_count == 0) {
			return dal_pattern_refuse(reader, node - 1,
						  "an empty list in all-of matches nothing; name "
						  "a value, or leave the list out");
		}
	}
	list->operators = dal_arena_take(reader->arena,
					 list->operator_count * sizeof(*list->operators));
	for (uint32_t i = 0; i < list->operator_count; i++, node = dal_json_next(json, node)) {
		struct dal_operator *op = &list->operators[i];
		if (!dal_operator_read(reader, node, op)) {
			return false;
		}
		if (op->kind == DAL_OPERATOR_ALL_OF || op->kind == DAL_OPERATOR_ABSENT) {
			return dal_pattern_refuse(reader, node, "%s can't stand inside all-of: %s",
						  op->kind == DAL_OPERATOR_ABSENT ? "exists false"
										  : "all-of",
						  op->kind == DAL_OPERATOR_ABSENT
							  ? "it is about the field, write it beside"
							  : "join both lists");
		}
	}
	return true;
}

static bool read_all_of(struct dal_pattern_reader *reader, uint32_t node, struct dal_operator *op)
{
	const struct dal_json *json = reader->json;
	struct dal_buffer text = {0};
	if (dal_json_kind(json, node) != DAL_JSON_ARRAY || dal_json_count(json, node) == 0) {
		return dal_pattern_refuse(reader, node,
					  "all-of wants a list, for each entry of which the field "
					  "must hold a value: [\"a\", {\"prefix\": \"b\"}]");
	}
	struct dal_all *all = dal_arena_take(reader->arena, sizeof(*all));
	all->count = dal_json_count(json, node++);
	all->lists = dal_arena_take(reader->arena, all->count * sizeof(*all->lists));
	for (uint32_t i = 0; i < all->count; i++, node = dal_json_next(json, node)) {
		if (!read_all_entry(reader, node, &all->lists[i])) {
			return false;
		}
	}
	op->kind = DAL_OPERATOR_ALL_OF;
	op->all = all;
	dal_all_print(all, &text);
	op->text = dal_arena_copy(reader->arena, dal_buffer_slice(&text));
	dal_buffer_deinit(&text);
	return true;
}

bool dal_operator_read(struct dal_pattern_reader *reader, uint32_t node, struct dal_operator *op)
{
	if (!count_value(reader, node)) {
		return false;
	}
	if (dal_json_kind(reader->json, node) != DAL_JSON_OBJECT) {
		return read_scalar(reader, node, op);
	}
	const struct reader *found = find_reader(reader, node);
	return found && found->read(reader, node + 2, op);
}
