#include "engine/event/document.h"

#include <jansson.h>

#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/event/json.h"

static void refuse(struct dal_error *error, const char *reason, int line, int column)
{
	dal_error_set(error, "not valid JSON: %s (line %d, column %d)", reason, line, column);
	if (error) {
		error->line = line;
		error->column = column;
	}
}

/*
 * jansson is told only what the reader took: so depth is limited (its dump recurses) and both
 * refuse the same texts, with the reader's position.
 */
static json_t *load(struct dal_slice text, struct dal_error *error)
{
	struct dal_json *json = dal_json_new();
	struct dal_json_error why;
	bool good = dal_json_parse(json, text, 0, &why) == 0;
	dal_json_free(json);
	if (!good) {
		int line, column;
		dal_json_place(text, why.position, &line, &column);
		refuse(error, why.reason, line, column);
		return NULL;
	}
	json_error_t refused;
	json_t *value = json_loadb(text.data, text.size,
				   JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &refused);
	if (!value) {
		refuse(error, refused.text, refused.line, refused.column);
	}
	return value;
}

static int append(const char *text, size_t size, void *out)
{
	dal_buffer_append(out, text, size);
	return 0;
}

int dal_document_format(struct dal_slice json, int indent, bool sorted, struct dal_buffer *out,
			struct dal_error *error)
{
	json_t *value = load(json, error);
	if (!value) {
		return DAL_DOCUMENT_INVALID;
	}
	size_t flags = JSON_ENCODE_ANY | JSON_INDENT(indent > 31 ? 31 : indent);
	json_dump_callback(value, append, out, flags | (sorted ? JSON_SORT_KEYS : 0));
	json_decref(value);
	return 0;
}

bool dal_document_equal(struct dal_slice a, struct dal_slice b)
{
	json_t *left = load(a, NULL), *right = load(b, NULL);
	bool equal = left && right && json_equal(left, right);
	json_decref(left);
	json_decref(right);
	return equal;
}
