#include "engine/base/field.h"

#include <stdlib.h>

#include "engine/base/memory.h"

static size_t fields_count(const struct dal_field *fields)
{
	size_t count = 0;

	while (fields[count].name) {
		count++;
	}
	return count;
}

/* The index of a field; a name that the table lacks is a bug of ours. */
static size_t field_index(const struct dal_field *fields, const char *name)
{
	size_t index = 0;

	while (fields[index].name && strcmp(fields[index].name, name) != 0) {
		index++;
	}
	DAL_ASSERT(fields[index].name);
	return index;
}

void dal_declaration_init(struct dal_declaration *declaration, const struct dal_declarable *what,
			  const char *name, const char *file, int line)
{
	*declaration = (struct dal_declaration){
		.what = what,
		.name = dal_strdup(name ? name : ""),
		.file = dal_strdup(file ? file : ""),
		.line = line,
		.count = fields_count(what->fields),
	};
	declaration->values = dal_calloc(declaration->count, sizeof(*declaration->values));
}

void dal_declaration_deinit(struct dal_declaration *declaration)
{
	for (size_t i = 0; i < declaration->count; i++) {
		dal_value_deinit(&declaration->values[i]);
	}
	free(declaration->values);
	free(declaration->name);
	free(declaration->file);
	*declaration = (struct dal_declaration){0};
}

void dal_value_deinit(struct dal_value *value)
{
	for (size_t i = 0; i < value->count; i++) {
		dal_value_deinit(&value->items[i]);
	}
	if (value->secret && value->text) {
		explicit_bzero(value->text, value->text_size);
	}
	free(value->items);
	free(value->key);
	free(value->text);
	*value = (struct dal_value){0};
}

/* Where the completion stands: whose fields, and what to call them in a message. */
struct completion {
	const struct dal_declaration *declaration;
	struct dal_errors *errors;
};

static void complete_fields(const struct completion *completion, const char *path, int line,
			    const struct dal_field *fields, struct dal_value *values);

static void complete_table(const struct completion *completion, const char *path,
			   const struct dal_field *field, struct dal_value *table, int line)
{
	size_t count = fields_count(field->fields);

	/* Whoever wrote the table gave all of its values, or none ("{}"). */
	if (table->count == 0) {
		table->items = dal_calloc(count, sizeof(*table->items));
		table->count = count;
	}
	DAL_ASSERT(table->count == count);
	complete_fields(completion, path, table->line ? table->line : line, field->fields,
			table->items);
}

static void report_required(const struct completion *completion, const char *path, int line,
			    const struct dal_field *field)
{
	const struct dal_declaration *declaration = completion->declaration;

	dal_errors_add(completion->errors, declaration->file, line,
		       "%s%s%s%s: %s%s is required: %s", declaration->what->name,
		       declaration->name[0] ? " \"" : "", declaration->name,
		       declaration->name[0] ? "\"" : "", path, field->name,
		       field->doc ? field->doc : dal_field_expects(field->kind));
}

static void complete_value(const struct completion *completion, const char *path, int line,
			   const struct dal_field *field, struct dal_value *value)
{
	char *inner = dal_asprintf("%s%s.", path, field->name);

	if (!value->set && field->fallback) {
		int result = dal_value_parse(field, dal_slice_text(field->fallback), value, NULL);

		DAL_ASSERT(result == 0); /* a default in one of our tables */
	}
	if (!value->set && field->required) {
		report_required(completion, path, line, field);
	} else if (value->set && value->kind == DAL_FIELD_TABLE) {
		complete_table(completion, inner, field, value, line);
	} else if (value->set && value->kind == DAL_FIELD_TABLES) {
		for (size_t i = 0; i < value->count; i++) {
			char *entry = dal_asprintf("%s%s.", inner, value->items[i].key);

			complete_table(completion, entry, field, &value->items[i], line);
			free(entry);
		}
	}
	free(inner);
}

static void complete_fields(const struct completion *completion, const char *path, int line,
			    const struct dal_field *fields, struct dal_value *values)
{
	for (size_t i = 0; fields[i].name; i++) {
		complete_value(completion, path, line, &fields[i], &values[i]);
	}
}

void dal_declaration_complete(struct dal_declaration *declaration, struct dal_errors *errors)
{
	struct completion completion = {declaration, errors};

	complete_fields(&completion, "", declaration->line, declaration->what->fields,
			declaration->values);
}

const struct dal_value *dal_declaration_get(const struct dal_declaration *declaration,
					    const char *field)
{
	return &declaration->values[field_index(declaration->what->fields, field)];
}

const struct dal_value *dal_value_get(const struct dal_value *table, const struct dal_field *fields,
				      const char *field)
{
	size_t index = field_index(fields, field);

	DAL_ASSERT(table->kind == DAL_FIELD_TABLE && index < table->count);
	return &table->items[index];
}

static char upper(char c)
{
	if (c >= 'a' && c <= 'z') {
		return (char)(c - ('a' - 'A'));
	}
	return c == '-' || c == '.' ? '_' : c;
}

/* Is `name` the word as environment variables have it? "disk_free" is DISK_FREE, "fraud-check" is
 * FRAUD_CHECK. */
static bool spelt(struct dal_slice name, const char *word)
{
	if (name.size != strlen(word)) {
		return false;
	}
	for (size_t i = 0; i < name.size; i++) {
		char c = word[i] == '-' || word[i] == '.' ? '_' : upper(word[i]);
		if (name.data[i] != c) {
			return false;
		}
	}
	return true;
}

/* Takes "<WORD>_" off the front. */
static bool take_word(struct dal_slice *name, const char *word)
{
	size_t size = strlen(word);

	if (name->size <= size + 1 || name->data[size] != '_' ||
	    !spelt(dal_slice(name->data, size), word)) {
		return false;
	}
	*name = dal_slice(name->data + size + 1, name->size - size - 1);
	return true;
}

/* Takes "DALAMB_<SECTION>_" off the front, and of one that is named "<NAME>_" too. */
static bool take_section(struct dal_slice *name, const struct dal_declaration *declaration)
{
	return take_word(name, "DALAMB") && take_word(name, declaration->what->name) &&
	       (!declaration->what->named || take_word(name, declaration->name));
}

static void report_unknown(const struct dal_declaration *declaration, struct dal_slice name,
			   struct dal_errors *errors)
{
	size_t count = declaration->count;
	const char **names = dal_calloc(count, sizeof(*names));
	char *word = dal_slice_dup(name);
	const char *near;

	for (size_t i = 0; i < count; i++) {
		names[i] = declaration->what->fields[i].name;
	}
	for (char *c = word; *c; c++) {
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c + ('a' - 'A')) : *c;
	}
	near = dal_error_suggest(word, names, count);
	dal_errors_add(errors, "environment", 0, "%s has no field \"%s\"%s%s%s",
		       declaration->what->name, word, near ? "; did you mean \"" : "",
		       near ? near : "", near ? "\"?" : "");
	free(word);
	free(names);
}

static bool fits_environment(enum dal_field_kind kind)
{
	return kind != DAL_FIELD_MAP && kind != DAL_FIELD_TABLE && kind != DAL_FIELD_PATTERN &&
	       kind != DAL_FIELD_FUNCTION && kind != DAL_FIELD_JSON;
}

static void override(struct dal_declaration *declaration, size_t index, struct dal_slice text,
		     struct dal_errors *errors)
{
	const struct dal_field *field = &declaration->what->fields[index];
	struct dal_value value;
	struct dal_error error;

	if (!fits_environment(field->kind)) {
		dal_errors_add(errors, "environment", 0,
			       "%s.%s can't be set from the environment: write it in dalamb.lua",
			       declaration->what->name, field->name);
		return;
	}
	if (dal_value_parse(field, text, &value, &error) != 0) {
		dal_errors_add(errors, "environment", 0, "%s.%s", declaration->what->name,
			       error.text);
		return;
	}
	value.written = true;
	dal_value_deinit(&declaration->values[index]);
	declaration->values[index] = value;
}

/* The field's index, or their number. */
static size_t field_spelt(const struct dal_declaration *declaration, struct dal_slice name)
{
	size_t index = 0;

	while (index < declaration->count && !spelt(name, declaration->what->fields[index].name)) {
		index++;
	}
	return index;
}

void dal_declaration_environment(struct dal_declaration *declaration, char *const *environment,
				 struct dal_errors *errors)
{
	for (; *environment; environment++) {
		struct dal_slice name, text;
		size_t index;

		if (!dal_slice_cut(dal_slice_text(*environment), '=', &name, &text) ||
		    !take_section(&name, declaration)) {
			continue;
		}
		index = field_spelt(declaration, name);
		if (index < declaration->count) {
			override(declaration, index, text, errors);
		} else if (!declaration->what->named) {
			report_unknown(declaration, name, errors);
		}
	}
}

bool dal_declaration_takes(const struct dal_declaration *declaration, const char *variable)
{
	struct dal_slice name, text;

	return dal_slice_cut(dal_slice_text(variable), '=', &name, &text) &&
	       take_section(&name, declaration) &&
	       field_spelt(declaration, name) < declaration->count;
}
