#include "engine/event/path.h"

#include <math.h>

#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/event/json_write.h"

struct dal_path {
	char *text;
	size_t text_size;
	struct dal_slice *steps; /* each points into `names` */
	size_t count, capacity;
	char *names; /* as large as the text: a step is never longer than it was written */
};

/* What is left to read of a path's text. */
struct reader {
	struct dal_slice text;
	size_t at;
	struct dal_path *path;
	size_t names; /* bytes used */
	struct dal_error *error;
};

static char peek(const struct reader *reader)
{
	return reader->at < reader->text.size ? reader->text.data[reader->at] : '\0';
}

static bool refuse(struct reader *reader, size_t at, const char *expected)
{
	dal_error_set(reader->error, "path \"%.*s\": %s at character %zu",
		      (int)(reader->text.size < 200 ? reader->text.size : 200), reader->text.data,
		      expected, at + 1);
	if (reader->error) {
		reader->error->column = (int)at + 1;
	}
	return false;
}

static void add_step(struct reader *reader, struct dal_slice name)
{
	struct dal_path *path = reader->path;
	char *place = path->names + reader->names;
	memcpy(place, name.data, name.size);
	reader->names += name.size;
	DAL_GROW(path->steps, path->count, path->capacity);
	path->steps[path->count++] = dal_slice(place, name.size);
}

static bool is_bare(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || (unsigned char)c >= 0x80;
}

static bool read_bare(struct reader *reader)
{
	size_t start = reader->at;
	while (is_bare(peek(reader))) {
		reader->at++;
	}
	if (reader->at == start) {
		return refuse(reader, start,
			      "expected a name of letters, digits, '_' or '-', or [\"...\"]");
	}
	add_step(reader, dal_slice(reader->text.data + start, reader->at - start));
	return true;
}

/* The text between the quotes is a JSON string: the reader of those knows its escapes. */
static bool add_quoted(struct reader *reader, size_t start)
{
	struct dal_json *json = dal_json_new();
	struct dal_json_error error;
	struct dal_slice quoted = dal_slice(reader->text.data + start, reader->at - start);
	bool good = dal_json_parse(json, quoted, 0, &error) == 0;
	if (good) {
		add_step(reader, dal_json_string(json, DAL_JSON_ROOT));
	} else {
		refuse(reader, start + error.position, error.reason);
	}
	dal_json_free(json);
	return good;
}

static bool read_quoted(struct reader *reader)
{
	size_t start = ++reader->at;
	if (peek(reader) != '"') {
		return refuse(reader, start, "expected '\"'");
	}
	for (reader->at++; reader->at < reader->text.size && peek(reader) != '"'; reader->at++) {
		reader->at += peek(reader) == '\\';
	}
	reader->at++;
	if (peek(reader) != ']') {
		return refuse(reader, start, "expected \"] behind the key that begins");
	}
	if (!add_quoted(reader, start)) {
		return false;
	}
	reader->at++;
	return true;
}

static bool read_path(struct reader *reader)
{
	if (reader->text.size > DAL_LIMIT_KEY_BYTES) {
		return refuse(reader, DAL_LIMIT_KEY_BYTES, "too long");
	}
	while (reader->at < reader->text.size || reader->path->count == 0) {
		bool first = reader->path->count == 0;
		char c = peek(reader);
		if (!first && c != '.' && c != '[') {
			return refuse(reader, reader->at, "expected '.' or '['");
		}
		reader->at += !first && c == '.';
		if (!(c == '[' ? read_quoted(reader) : read_bare(reader))) {
			return false;
		}
		if (reader->path->count > DAL_LIMIT_JSON_DEPTH) {
			return refuse(reader, reader->at, "deeper than any event");
		}
	}
	return true;
}

int dal_path_parse(struct dal_slice text, struct dal_path **path, struct dal_error *error)
{
	struct dal_path *made = dal_calloc(1, sizeof(*made));
	made->text = dal_slice_dup(text);
	made->text_size = text.size;
	made->names = dal_malloc(text.size + 1);
	struct reader reader = {.text = text, .path = made, .error = error};
	if (!read_path(&reader)) {
		dal_path_free(made);
		return DAL_PATH_INVALID;
	}
	*path = made;
	return 0;
}

void dal_path_free(struct dal_path *path)
{
	if (!path) {
		return;
	}
	free(path->text);
	free(path->steps);
	free(path->names);
	free(path);
}

struct dal_slice dal_path_text(const struct dal_path *path)
{
	return dal_slice(path->text, path->text_size);
}

size_t dal_path_steps(const struct dal_path *path)
{
	return path->count;
}

struct dal_slice dal_path_step(const struct dal_path *path, size_t index)
{
	DAL_ASSERT(index < path->count);
	return path->steps[index];
}

uint32_t dal_path_find(const struct dal_path *path, const struct dal_json *json, uint32_t node)
{
	for (size_t i = 0; i < path->count && node != DAL_JSON_NONE; i++) {
		node = dal_json_find(json, node, path->steps[i]);
	}
	return node;
}

static int append_key(struct dal_slice text, struct dal_buffer *out)
{
	if (text.size > DAL_LIMIT_KEY_BYTES) {
		return DAL_KEY_INVALID;
	}
	dal_buffer_slice_append(out, text);
	return 0;
}

/* Whole numbers past int64 have a text of up to 309 digits, exact as binary64 is. */
static int append_whole(double value, struct dal_buffer *out)
{
	if (!isfinite(value) || value != trunc(value)) {
		return DAL_KEY_INVALID;
	}
	if (fabs(value) < 0x1p63) {
		dal_json_append_integer(out, (int64_t)value);
	} else {
		dal_buffer_printf(out, "%.0f", value);
	}
	return 0;
}

int dal_key_text(const struct dal_json *json, uint32_t node, struct dal_buffer *out)
{
	if (node == DAL_JSON_NONE) {
		return DAL_KEY_ABSENT;
	}
	switch (dal_json_kind(json, node)) {
	case DAL_JSON_NULL:
		return DAL_KEY_ABSENT;
	case DAL_JSON_TRUE:
	case DAL_JSON_FALSE:
	case DAL_JSON_INTEGER:
		return append_key(dal_json_raw(json, node), out);
	case DAL_JSON_STRING:
		return append_key(dal_json_string(json, node), out);
	case DAL_JSON_FLOAT:
		return append_whole(dal_json_double(json, node), out);
	case DAL_JSON_ARRAY:
	case DAL_JSON_OBJECT:
		return DAL_KEY_INVALID;
	}
	return DAL_KEY_INVALID;
}
