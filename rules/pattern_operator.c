/*
 * One entry of a field's list: a plain value, or an operator like {"prefix": "x"}.
 */
#include "engine/base/limits.h"
#include "rules/casefold.h"
#include "rules/pattern_tree.h"

static bool count_value(struct dal_pattern_reader *reader, uint32_t node)
{
	return ++reader->values <= DAL_LIMIT_PATTERN_VALUES ||
	       dal_pattern_refuse(reader, node, "more than %d values in one pattern",
				  DAL_LIMIT_PATTERN_VALUES);
}

/* The content of a string, kept; with `what` for the message if it is none. */
static bool read_text(struct dal_pattern_reader *reader, uint32_t node, const char *what,
		      struct dal_slice *text)
{
	if (dal_json_kind(reader->json, node) != DAL_JSON_STRING) {
		return dal_pattern_refuse(reader, node, "%s wants a string", what);
	}
	*text = dal_json_string(reader->json, node);
	if (text->size > DAL_LIMIT_PATTERN_STRING_BYTES) {
		return dal_pattern_refuse(reader, node, "a string of more than %d bytes",
					  (int)DAL_LIMIT_PATTERN_STRING_BYTES);
	}
	*text = dal_arena_copy(reader->arena, *text);
	return true;
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
		return read_text(reader, node, "a value", &op->text);
	default:
		return dal_pattern_refuse(reader, node,
					  "a list in a list: write its values in the "
					  "outer one");
	}
}

static bool read_folded(struct dal_pattern_reader *reader, uint32_t node,
			enum dal_operator_kind kind, struct dal_operator *op)
{
	struct dal_buffer folded = {0};
	if (!read_text(reader, node, "equals-ignore-case", &op->text)) {
		return false;
	}
	op->kind = kind;
	dal_casefold_append(&folded, op->text);
	op->folded = dal_arena_copy(reader->arena, dal_buffer_slice(&folded));
	dal_buffer_deinit(&folded);
	return true;
}

static bool read_ignore_case(struct dal_pattern_reader *reader, uint32_t node,
			     struct dal_operator *op)
{
	return read_folded(reader, node, DAL_OPERATOR_FOLDED, op);
}

/* "x", or {"equals-ignore-case": "x"}. */
static bool read_affix(struct dal_pattern_reader *reader, uint32_t node, bool prefix,
		       struct dal_operator *op)
{
	const struct dal_json *json = reader->json;
	const char *name = prefix ? "prefix" : "suffix";
	if (dal_json_kind(json, node) != DAL_JSON_OBJECT) {
		op->kind = prefix ? DAL_OPERATOR_PREFIX : DAL_OPERATOR_SUFFIX;
		return read_text(reader, node, name, &op->text);
	}
	if (dal_json_count(json, node) != 1 ||
	    !dal_slice_is(dal_json_string(json, node + 1), "equals-ignore-case")) {
		return dal_pattern_refuse(reader, node,
					  "%s wants a string, or {\"equals-ignore-case\": \"...\"}",
					  name);
	}
	return read_folded(reader, node + 2,
			   prefix ? DAL_OPERATOR_PREFIX_FOLDED : DAL_OPERATOR_SUFFIX_FOLDED, op);
}

static bool read_prefix(struct dal_pattern_reader *reader, uint32_t node, struct dal_operator *op)
{
	return read_affix(reader, node, true, op);
}

static bool read_suffix(struct dal_pattern_reader *reader, uint32_t node, struct dal_operator *op)
{
	return read_affix(reader, node, false, op);
}

/* Counts the stars; UINT32_MAX after an error. */
static uint32_t check_wildcard(struct dal_pattern_reader *reader, uint32_t node,
			       struct dal_slice text)
{
	uint32_t stars = 0;
	bool after_star = false;
	for (size_t i = 0; i < text.size; i++) {
		if (text.data[i] == '\\') {
			after_star = false;
			if (++i == text.size || (text.data[i] != '*' && text.data[i] != '\\')) {
				dal_pattern_refuse(
					reader, node,
					"a backslash in a wildcard stands before * or \\ "
					"only (in JSON: \"\\\\*\" and \"\\\\\\\\\")");
				return UINT32_MAX;
			}
		} else if (text.data[i] == '*') {
			if (after_star) {
				dal_pattern_refuse(reader, node,
						   "** in a wildcard: one * says the same");
				return UINT32_MAX;
			}
			after_star = true;
			stars++;
		} else {
			after_star = false;
		}
	}
	if (stars > DAL_LIMIT_PATTERN_STARS) {
		dal_pattern_refuse(reader, node, "more than %d * in one wildcard",
				   DAL_LIMIT_PATTERN_STARS);
		return UINT32_MAX;
	}
	return stars;
}

static bool read_wildcard(struct dal_pattern_reader *reader, uint32_t node, struct dal_operator *op)
{
	struct dal_slice text;
	if (!read_text(reader, node, "wildcard", &text)) {
		return false;
	}
	uint32_t stars = check_wildcard(reader, node, text);
	if (stars == UINT32_MAX) {
		return false;
	}
	char *to = (char *)dal_arena_copy(reader->arena, text).data;
	struct dal_slice *pieces = dal_arena_take(reader->arena, (stars + 1) * sizeof(*pieces));
	op->kind = DAL_OPERATOR_WILDCARD;
	op->text = text;
	op->wildcard = (struct dal_wildcard){pieces, stars + 1};
	pieces->data = to;
	for (size_t i = 0; i < text.size; i++) {
		if (text.data[i] == '*') {
			pieces++;
			pieces->data = to;
			continue;
		}
		i += text.data[i] == '\\';
		*to++ = text.data[i];
		pieces->size++;
	}
	return true;
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

static const struct reader {
	const char *name;
	bool (*read)(struct dal_pattern_reader *reader, uint32_t node, struct dal_operator *op);
	bool inside; /* of anything-but */
} readers[] = {
	{"prefix", read_prefix, true},
	{"suffix", read_suffix, true},
	{"equals-ignore-case", read_ignore_case, true},
	{"wildcard", read_wildcard, true},
	{"anything-but", read_anything_but, false},
	{"numeric", read_numeric, false},
	{"exists", read_exists, false},
};

enum { READERS = sizeof(readers) / sizeof(readers[0]) };

static const char *const planned[] = {"regexp", "cidr", "before", "after", "all-of"};

static bool refuse_name(struct dal_pattern_reader *reader, uint32_t key)
{
	const char *names[READERS];
	struct dal_slice name = dal_json_string(reader->json, key);
	for (size_t i = 0; i < sizeof(planned) / sizeof(planned[0]); i++) {
		if (dal_slice_is(name, planned[i])) {
			return dal_pattern_refuse(
				reader, key, "the operator %s is not supported yet", planned[i]);
		}
	}
	for (size_t i = 0; i < READERS; i++) {
		names[i] = readers[i].name;
	}
	struct dal_buffer copy = {0};
	dal_buffer_slice_append(&copy, name);
	const char *near = dal_error_suggest(dal_buffer_cstr(&copy), names, READERS);
	dal_pattern_refuse(reader, key,
			   "unknown operator \"%.*s\"%s%s%s; there are prefix, suffix, "
			   "equals-ignore-case, wildcard, anything-but, numeric, exists",
			   (int)(name.size < 64 ? name.size : 64), name.data, near ? ", is \"" : "",
			   near ? near : "", near ? "\" meant?" : "");
	dal_buffer_deinit(&copy);
	return false;
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
		if (inside->read != read_wildcard && op->text.size == 0 &&
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
