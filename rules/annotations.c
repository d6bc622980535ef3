#include "rules/annotations.h"

#include <string.h>

#include "rules/words.h"

extern const char dal_library_annotations[]; /* library.d.lua */

/* What a kind doesn't tell: the arguments and results of functions, the items of lists. */
static const struct {
	const char *field; /* "rule.emit" */
	const char *type;
} types[] = {
	{"rule.on", "dalamb.Pattern|dalamb.Operator"},
	{"rule.emit", "fun(event: dalamb.Event): dalamb.Emit|dalamb.Emit[]|nil"},
	{"projection.key", "string|fun(event: dalamb.Event): "
			   "string|integer|boolean|(string|integer|boolean)[]|nil"},
	{"projection.fold", "fun(state: any, event: dalamb.Event): any"},
	{"test.given", "dalamb.Expectation[]"},
	{"test.events", "string|table[]"},
	{"test.expect", "dalamb.Expectation[]"},
};

static const char *type_of_kind(int kind)
{
	switch (kind) {
	case DAL_FIELD_INTEGER:
		return "integer";
	case DAL_FIELD_NUMBER:
		return "number";
	case DAL_FIELD_BOOLEAN:
		return "boolean";
	case DAL_FIELD_DURATION:
	case DAL_FIELD_SIZE:
	case DAL_FIELD_RATE:
		return "string|number";
	case DAL_FIELD_STRINGS:
		return "string|string[]";
	case DAL_FIELD_MAP:
		return "table<string, string|number|boolean|dalamb.Secret>";
	case DAL_FIELD_SECRET:
		return "dalamb.Secret";
	case DAL_FIELD_SECRETS:
		return "dalamb.Secret|dalamb.Secret[]";
	case DAL_FIELD_PATTERN:
		return "dalamb.Pattern|dalamb.Operator";
	case DAL_FIELD_FUNCTION:
		return "fun(event: dalamb.Event): any";
	case DAL_FIELD_JSON:
		return "any";
	default:
		return "string";
	}
}

static void put_kind(const struct dal_field *field, int kind, const char *path,
		     struct dal_buffer *out)
{
	if (kind == DAL_FIELD_STRING && field->choices) {
		for (const char *const *choice = field->choices; *choice; choice++) {
			dal_buffer_printf(out, "%s\"%s\"", choice > field->choices ? "|" : "",
					  *choice);
		}
	} else if (kind == DAL_FIELD_TABLE) {
		dal_buffer_printf(out, "dalamb.%s", path);
	} else if (kind == DAL_FIELD_TABLES) {
		dal_buffer_printf(out, "string|string[]|table<string, dalamb.%s>", path);
	} else {
		dal_buffer_text(out, type_of_kind(kind));
	}
}

static void put_type(const struct dal_field *field, const char *path, struct dal_buffer *out)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(types[i].field, path) == 0) {
			dal_buffer_text(out, types[i].type);
			return;
		}
	}
	put_kind(field, field->kind, path, out);
	if (field->or_kind != DAL_FIELD_NONE) {
		dal_buffer_byte(out, '|');
		put_kind(field, field->or_kind, path, out);
	}
}

static void put_field(const struct dal_field *field, const char *path, struct dal_buffer *out)
{
	dal_buffer_printf(out, "---@field %s%s ", field->name, field->required ? "" : "?");
	put_type(field, path, out);
	dal_buffer_printf(out, " %s", field->doc);
	if (field->fallback) {
		dal_buffer_printf(out, " Default: `%s`.", field->fallback);
	}
	dal_buffer_byte(out, '\n');
}

static void path_of(const char *table, const struct dal_field *field, struct dal_buffer *path)
{
	dal_buffer_clear(path);
	dal_buffer_printf(path, "%s.%s", table, field->name);
}

/* A class, behind those of its fields that are tables. */
static void put_class(const char *path, const struct dal_field *fields, const char *doc,
		      struct dal_buffer *out)
{
	struct dal_buffer inner = {0};

	for (const struct dal_field *field = fields; field->name; field++) {
		if (field->fields) {
			path_of(path, field, &inner);
			put_class(dal_buffer_cstr(&inner), field->fields, field->doc, out);
		}
	}
	dal_buffer_printf(out, "\n--- %s\n---@class (exact) dalamb.%s\n", doc, path);
	for (const struct dal_field *field = fields; field->name; field++) {
		path_of(path, field, &inner);
		put_field(field, dal_buffer_cstr(&inner), out);
	}
	dal_buffer_deinit(&inner);
}

static void put_word(const struct dal_declarable *word, struct dal_buffer *out)
{
	const char *name = word->name;

	if (word->fields[0].name) {
		put_class(name, word->fields, word->doc, out);
	}
	dal_buffer_printf(out, "\n--- %s%s\n", word->doc,
			  word->rights == DAL_DECLARE_OPERATOR ? " In the operator's files." : "");
	if (!word->fields[0].name) {
		dal_buffer_printf(out, "---@param name string\nfunction %s(name) end\n", name);
	} else if (word->named) {
		dal_buffer_printf(out,
				  "---@param name string\n---@return fun(%s: dalamb.%s)\n"
				  "function %s(name) end\n",
				  "fields", name, name);
	} else {
		dal_buffer_printf(out, "---@param fields dalamb.%s\nfunction %s(fields) end\n",
				  name, name);
	}
}

void dal_annotations_write(const struct dal_declarable *const *declarables, struct dal_buffer *out)
{
	dal_buffer_text(out, dal_library_annotations);
	put_word(&dal_rule_declarable, out);
	put_word(&dal_projection_declarable, out);
	put_word(&dal_test_declarable, out);
	for (; declarables && *declarables; declarables++) {
		put_word(*declarables, out);
	}
}
