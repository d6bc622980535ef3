#include "engine/cli/print.h"

#include "engine/event/document.h"

static uint32_t find(const struct dal_json *json, uint32_t object, const char *key,
		     enum dal_json_kind kind)
{
	uint32_t node = dal_json_find(json, object, dal_slice_text(key));

	return node != DAL_JSON_NONE && dal_json_kind(json, node) == kind ? node : DAL_JSON_NONE;
}

struct dal_slice dal_member_text(const struct dal_json *json, uint32_t object, const char *key)
{
	uint32_t node = find(json, object, key, DAL_JSON_STRING);

	return node == DAL_JSON_NONE ? (struct dal_slice){0} : dal_json_string(json, node);
}

int64_t dal_member_integer(const struct dal_json *json, uint32_t object, const char *key)
{
	uint32_t node = find(json, object, key, DAL_JSON_INTEGER);

	return node == DAL_JSON_NONE ? 0 : dal_json_integer(json, node);
}

bool dal_member_true(const struct dal_json *json, uint32_t object, const char *key)
{
	return find(json, object, key, DAL_JSON_TRUE) != DAL_JSON_NONE;
}

struct dal_slice dal_member_raw(const struct dal_json *json, uint32_t object, const char *key)
{
	uint32_t node = dal_json_find(json, object, dal_slice_text(key));

	if (node == DAL_JSON_NONE || dal_json_kind(json, node) == DAL_JSON_NULL) {
		return (struct dal_slice){0};
	}
	return dal_json_raw(json, node);
}

/* C1 controls, as UTF-8 writes them: U+009B is what a terminal takes for ESC [. */
static bool is_c1(struct dal_slice text, size_t i)
{
	return (unsigned char)text.data[i] == 0xc2 && i + 1 < text.size &&
	       ((unsigned char)text.data[i + 1] & 0xe0) == 0x80;
}

void dal_print(FILE *to, struct dal_slice text)
{
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (is_c1(text, i)) {
			fputc('?', to);
			i++;
		} else if (c < ' ' || c == 0x7f) {
			fputc(c == '\t' || c == '\n' ? ' ' : '?', to);
		} else {
			fputc(c, to);
		}
	}
}

void dal_print_short(FILE *to, struct dal_slice json, size_t most)
{
	size_t size = json.size;

	if (size > most) {
		size = most;
		while (size > 0 && ((unsigned char)json.data[size] & 0xc0) == 0x80) {
			size--; /* not inside a character */
		}
	}
	dal_print(to, dal_slice(json.data, size));
	if (size < json.size) {
		fputs("...", to);
	}
}

void dal_print_document(FILE *to, struct dal_slice json)
{
	struct dal_buffer out = {0};

	if (dal_document_format(json, 2, false, &out, NULL) != 0) {
		dal_buffer_clear(&out);
		dal_buffer_slice_append(&out, json);
	}
	fwrite(out.data, 1, out.size, to);
	fputc('\n', to);
	dal_buffer_deinit(&out);
}
