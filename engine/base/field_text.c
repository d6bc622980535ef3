/* Values of fields from text, as the environment and the defaults of field tables have them. */
#include "engine/base/field.h"

#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"

static const char *const expectations[] = {
	[DAL_FIELD_STRING] = "a string",
	[DAL_FIELD_NAME] = "a name of a-z, 0-9, \".\", \"_\", \"-\", at most 64 characters, that "
			   "begins with a letter or digit",
	[DAL_FIELD_INTEGER] = "an integer",
	[DAL_FIELD_NUMBER] = "a number",
	[DAL_FIELD_BOOLEAN] = "true or false",
	[DAL_FIELD_DURATION] = "a duration such as \"10s\", \"250ms\" or \"24h\"",
	[DAL_FIELD_SIZE] = "a size such as \"256MB\" or \"64KiB\"",
	[DAL_FIELD_RATE] = "a rate such as \"50/s\" or \"10/m\"",
	[DAL_FIELD_STRINGS] = "a string or a list of strings",
	[DAL_FIELD_MAP] = "a table of names and values",
	[DAL_FIELD_SECRET] = "a secret, written secret \"NAME\"",
	[DAL_FIELD_SECRETS] = "a secret, written secret \"NAME\", or a list of them",
	[DAL_FIELD_TABLE] = "a table of fields",
	[DAL_FIELD_TABLES] = "a list of names, or a table of names, each with a table of fields",
	[DAL_FIELD_PATH] = "a path into the event such as \"data.customer\"",
	[DAL_FIELD_PATTERN] = "a pattern",
	[DAL_FIELD_FUNCTION] = "a Lua function",
	[DAL_FIELD_JSON] = "a plain value",
};

const char *dal_field_expects(enum dal_field_kind kind)
{
	return expectations[kind];
}

static bool name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool dal_name_valid(struct dal_slice name)
{
	if (name.size == 0 || name.size > DAL_LIMIT_NAME_BYTES || !name_start(name.data[0])) {
		return false;
	}
	for (size_t i = 1; i < name.size; i++) {
		if (!name_start(name.data[i]) && !memchr("._-", name.data[i], 3)) {
			return false;
		}
	}
	return true;
}

/* How many bytes at the front look like a number that is not negative: "12", "0.5". */
static size_t number_prefix(struct dal_slice text)
{
	size_t size = 0;

	while (size < text.size &&
	       (name_start(text.data[size]) ? text.data[size] <= '9' : text.data[size] == '.')) {
		size++;
	}
	return size;
}

static bool real_parse(struct dal_slice text, double *out)
{
	char *copy = dal_slice_dup(text);
	bool plain = text.size && strspn(copy, "0123456789.+-eE") == text.size;
	char *end = copy;
	double value = plain ? strtod(copy, &end) : 0;
	bool good = end == copy + text.size && text.size && value - value == 0; /* finite */

	free(copy);
	if (good) {
		*out = value;
	}
	return good;
}

static bool size_parse(struct dal_slice text, int64_t *out)
{
	static const struct {
		const char *name;
		int64_t bytes;
	} units[] = {
		{"", 1},
		{"B", 1},
		{"kB", 1000},
		{"KB", 1000},
		{"MB", 1000000},
		{"GB", 1000000000},
		{"TB", 1000000000000},
		{"KiB", INT64_C(1) << 10},
		{"MiB", INT64_C(1) << 20},
		{"GiB", INT64_C(1) << 30},
		{"TiB", INT64_C(1) << 40},
	};
	size_t digits = number_prefix(text);
	struct dal_slice unit = dal_slice(text.data + digits, text.size - digits);
	int64_t number;

	if (!dal_slice_to_i64(dal_slice(text.data, digits), &number)) {
		return false;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (dal_slice_is(unit, units[i].name)) {
			return !__builtin_mul_overflow(number, units[i].bytes, out);
		}
	}
	return false;
}

static bool rate_parse(struct dal_slice text, double *out)
{
	struct dal_slice number, unit;
	double value, seconds;

	if (!dal_slice_cut(text, '/', &number, &unit) || number_prefix(number) != number.size ||
	    !real_parse(number, &value)) {
		return false;
	}
	if (dal_slice_is(unit, "s")) {
		seconds = 1;
	} else if (dal_slice_is(unit, "m")) {
		seconds = 60;
	} else if (dal_slice_is(unit, "h")) {
		seconds = 3600;
	} else {
		return false;
	}
	*out = value / seconds;
	return true;
}

static bool boolean_parse(struct dal_slice text, bool *out)
{
	*out = dal_slice_is(text, "true");
	return *out || dal_slice_is(text, "false");
}

static bool chosen(const struct dal_field *field, struct dal_slice text)
{
	for (const char *const *choice = field->choices; choice && *choice; choice++) {
		if (dal_slice_is(text, *choice)) {
			return true;
		}
	}
	return !field->choices;
}

static bool text_set(struct dal_value *value, struct dal_slice text)
{
	value->text = dal_slice_dup(text);
	value->text_size = text.size;
	return true;
}

/* "a, b" to items of one kind, in TABLES to their keys; "" and "{}" to none. */
static bool list_parse(struct dal_slice text, enum dal_field_kind kind, struct dal_value *out)
{
	struct dal_slice rest = dal_slice_is(text, "{}") ? dal_slice(NULL, 0)
							 : dal_slice_trim(text);
	size_t capacity = 0;

	while (rest.size) {
		struct dal_slice item;

		if (!dal_slice_cut(rest, ',', &item, &rest)) {
			item = rest;
			rest.size = 0;
		}
		DAL_GROW(out->items, out->count, capacity);
		out->items[out->count] = (struct dal_value){
			.kind = kind,
			.set = true,
			.secret = kind == DAL_FIELD_SECRET,
		};
		if (kind == DAL_FIELD_TABLE) {
			out->items[out->count++].key = dal_slice_dup(dal_slice_trim(item));
		} else {
			text_set(&out->items[out->count++], dal_slice_trim(item));
		}
	}
	return true;
}

static bool kind_parse(const struct dal_field *field, enum dal_field_kind kind,
		       struct dal_slice text, struct dal_value *out)
{
	switch (kind) {
	case DAL_FIELD_STRING:
		return chosen(field, text) && text_set(out, text);
	case DAL_FIELD_NAME:
		return dal_name_valid(text) && text_set(out, text);
	case DAL_FIELD_INTEGER:
		return dal_slice_to_i64(text, &out->number);
	case DAL_FIELD_NUMBER:
		return real_parse(text, &out->real);
	case DAL_FIELD_BOOLEAN:
		return boolean_parse(text, &out->boolean);
	case DAL_FIELD_DURATION:
		return dal_clock_parse_duration(text, &out->number);
	case DAL_FIELD_SIZE:
		return size_parse(text, &out->number);
	case DAL_FIELD_RATE:
		return rate_parse(text, &out->real);
	case DAL_FIELD_STRINGS:
		return list_parse(text, DAL_FIELD_STRING, out);
	case DAL_FIELD_SECRETS:
		return list_parse(text, DAL_FIELD_SECRET, out);
	case DAL_FIELD_SECRET:
		out->secret = true;
		return text.size && text_set(out, text);
	case DAL_FIELD_PATH:
	case DAL_FIELD_JSON:
		return text.size && text_set(out, text);
	case DAL_FIELD_TABLES:
		return list_parse(text, DAL_FIELD_TABLE, out);
	case DAL_FIELD_MAP:
	case DAL_FIELD_TABLE:
		return dal_slice_is(text, "{}");
	case DAL_FIELD_PATTERN:
	case DAL_FIELD_FUNCTION:
		return false;
	}
	return false;
}

/* Any text is a value of these kinds, so the other kind that a field accepts is tried first. */
static bool takes_any_text(enum dal_field_kind kind)
{
	return kind == DAL_FIELD_STRING || kind == DAL_FIELD_NAME || kind == DAL_FIELD_PATH ||
	       kind == DAL_FIELD_SECRET || kind == DAL_FIELD_STRINGS || kind == DAL_FIELD_SECRETS ||
	       kind == DAL_FIELD_TABLES;
}

static void choices_print(const struct dal_field *field, struct dal_buffer *out)
{
	for (size_t i = 0; field->choices[i]; i++) {
		const char *before = i == 0 ? "" : field->choices[i + 1] ? ", " : " or ";

		dal_buffer_printf(out, "%s\"%s\"", before, field->choices[i]);
	}
}

static void refuse(const struct dal_field *field, struct dal_slice text, struct dal_error *error)
{
	struct dal_buffer expected = {0};
	bool secret = field->kind == DAL_FIELD_SECRET || field->kind == DAL_FIELD_SECRETS;

	if (field->kind == DAL_FIELD_STRING && field->choices) {
		choices_print(field, &expected);
	} else {
		dal_buffer_text(&expected, dal_field_expects(field->kind));
	}
	if (field->or_kind != DAL_FIELD_NONE) {
		dal_buffer_printf(&expected, ", or %s",
				  dal_field_expects((enum dal_field_kind)field->or_kind));
	}
	if (secret) {
		dal_error_set(error, "%s: expected %s", field->name, dal_buffer_cstr(&expected));
	} else {
		dal_error_set(error, "%s: expected %s, not \"%.*s\"", field->name,
			      dal_buffer_cstr(&expected), (int)(text.size < 100 ? text.size : 100),
			      text.size ? text.data : "");
	}
	dal_buffer_deinit(&expected);
}

int dal_value_parse(const struct dal_field *field, struct dal_slice text, struct dal_value *out,
		    struct dal_error *error)
{
	enum dal_field_kind kinds[2] = {field->kind, (enum dal_field_kind)field->or_kind};
	size_t count = field->or_kind == DAL_FIELD_NONE ? 1 : 2;

	if (count == 2 && takes_any_text(kinds[0]) && !takes_any_text(kinds[1])) {
		kinds[0] = kinds[1];
		kinds[1] = field->kind;
	}
	for (size_t i = 0; i < count; i++) {
		*out = (struct dal_value){.kind = kinds[i], .set = true};
		if (kind_parse(field, kinds[i], text, out)) {
			return 0;
		}
	}
	*out = (struct dal_value){0};
	refuse(field, text, error);
	return 1;
}
