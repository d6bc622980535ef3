#include "engine/app/secrets.h"

#include <stdio.h>

#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"

static const char *environment_get(char *const *environment, const char *name)
{
	size_t size = strlen(name);

	for (; environment && *environment; environment++) {
		if (strncmp(*environment, name, size) == 0 && (*environment)[size] == '=') {
			return *environment + size + 1;
		}
	}
	return NULL;
}

static bool name_safe(const char *name)
{
	return name[0] != '\0' && name[0] != '.' && !strchr(name, '/');
}

/* The value, with one newline at a file's end cut; false if there is none. */
static bool secret_read(char *const *environment, const char *name, struct dal_buffer *value)
{
	const char *text = environment_get(environment, name);
	const char *folder = environment_get(environment, "DALAMB_SECRETS");
	char *path;
	int r;

	if (text) {
		dal_buffer_text(value, text);
		return value->size > 0;
	}
	if (!name_safe(name)) {
		return false;
	}
	path = dal_asprintf("%s/%s", folder ? folder : "/run/secrets", name);
	r = dal_file_read(path, 64 * DAL_KIB, value);
	free(path);
	if (r == 0 && value->size > 0 && value->data[value->size - 1] == '\n') {
		value->size--;
	}
	return r == 0 && value->size > 0;
}

static void resolve(struct dal_declaration *declaration, const char *field, struct dal_value *value,
		    char *const *environment, struct dal_errors *errors)
{
	struct dal_buffer text = {0};

	for (size_t i = 0; i < value->count; i++) {
		resolve(declaration, field, &value->items[i], environment, errors);
	}
	if (!value->secret || !value->text) {
		return;
	}
	if (!secret_read(environment, value->text, &text) && errors) {
		dal_errors_add(
			errors, declaration->file, value->line ? value->line : declaration->line,
			"%s: the secret \"%s\" is missing or empty: set it in the environment, "
			"or put it into the file %s of DALAMB_SECRETS (default /run/secrets)",
			field, value->text, value->text);
	} else {
		free(value->text);
		value->text = dal_slice_dup(dal_buffer_slice(&text));
		value->text_size = text.size;
	}
	if (text.size > 0) {
		explicit_bzero(text.data, text.size);
	}
	dal_buffer_deinit(&text);
}

void dal_secrets_resolve(struct dal_declaration *declaration, char *const *environment,
			 struct dal_errors *errors)
{
	for (size_t i = 0; i < declaration->count; i++) {
		resolve(declaration, declaration->what->fields[i].name, &declaration->values[i],
			environment, errors);
	}
}
