#include "engine/event/document.h"

#include <jansson.h>
#include <pthread.h>

#include "engine/base/memory.h"
#include "engine/event/json.h"
#include "engine/event/json_write.h"

/* How a document is laid out, and how far it is. */
struct layout {
	const struct dal_json *json;
	struct dal_buffer *out;
	int indent;
	bool sorted;
};

struct member {
	struct dal_slice key;
	uint32_t value;
};

static void put(const struct layout *layout, uint32_t node, int depth);

static void new_line(const struct layout *layout, int depth)
{
	size_t spaces = (size_t)layout->indent * (size_t)depth;
	if (layout->indent == 0) {
		return;
	}
	dal_buffer_byte(layout->out, '\n');
	memset(dal_buffer_reserve(layout->out, spaces), ' ', spaces);
	layout->out->size += spaces;
}

static int compare_members(const void *a, const void *b)
{
	return dal_slice_compare(((const struct member *)a)->key, ((const struct member *)b)->key);
}

static struct member *members_of(const struct layout *layout, uint32_t object, uint32_t count)
{
	struct member *members = dal_reallocarray(NULL, count, sizeof(*members));
	uint32_t key = object + 1;
	for (uint32_t i = 0; i < count; i++) {
		members[i] = (struct member){dal_json_string(layout->json, key), key + 1};
		key = dal_json_next(layout->json, key + 1);
	}
	if (layout->sorted) {
		qsort(members, count, sizeof(*members), compare_members);
	}
	return members;
}

static void put_members(const struct layout *layout, uint32_t object, uint32_t count, int depth)
{
	struct member *members = members_of(layout, object, count);
	for (uint32_t i = 0; i < count; i++) {
		dal_buffer_text(layout->out, i == 0 ? "" : layout->indent ? "," : ", ");
		new_line(layout, depth);
		dal_json_append_string(layout->out, members[i].key);
		dal_buffer_text(layout->out, ": ");
		put(layout, members[i].value, depth);
	}
	free(members);
}

static void put_elements(const struct layout *layout, uint32_t array, uint32_t count, int depth)
{
	uint32_t node = array + 1;
	for (uint32_t i = 0; i < count; i++) {
		dal_buffer_text(layout->out, i == 0 ? "" : layout->indent ? "," : ", ");
		new_line(layout, depth);
		put(layout, node, depth);
		node = dal_json_next(layout->json, node);
	}
}

/* Recurses as deep as the reader allows. Numbers keep the text that they came with. */
static void put(const struct layout *layout, uint32_t node, int depth)
{
	enum dal_json_kind kind = dal_json_kind(layout->json, node);
	uint32_t count = dal_json_count(layout->json, node);
	if (kind == DAL_JSON_STRING) {
		dal_json_append_string(layout->out, dal_json_string(layout->json, node));
	} else if (count == 0 && kind >= DAL_JSON_ARRAY) {
		dal_buffer_text(layout->out, kind == DAL_JSON_OBJECT ? "{}" : "[]");
	} else if (kind == DAL_JSON_OBJECT) {
		dal_buffer_byte(layout->out, '{');
		put_members(layout, node, count, depth + 1);
		new_line(layout, depth);
		dal_buffer_byte(layout->out, '}');
	} else if (kind == DAL_JSON_ARRAY) {
		dal_buffer_byte(layout->out, '[');
		put_elements(layout, node, count, depth + 1);
		new_line(layout, depth);
		dal_buffer_byte(layout->out, ']');
	} else {
		dal_buffer_slice_append(layout->out, dal_json_raw(layout->json, node));
	}
}

static struct dal_json *parse(struct dal_slice text, struct dal_error *error)
{
	struct dal_json *json = dal_json_new();
	struct dal_json_error why;
	int line, column;
	if (dal_json_parse(json, text, 0, &why) == 0) {
		return json;
	}
	dal_json_free(json);
	dal_json_place(text, why.position, &line, &column);
	dal_error_set(error, "not valid JSON: %s (line %d, column %d)", why.reason, line, column);
	if (error) {
		error->line = line;
		error->column = column;
	}
	return NULL;
}

int dal_document_format(struct dal_slice json, int indent, bool sorted, struct dal_buffer *out,
			struct dal_error *error)
{
	struct dal_json *tape = parse(json, error);
	if (!tape) {
		return DAL_DOCUMENT_INVALID;
	}
	put(&(struct layout){tape, out, indent, sorted}, DAL_JSON_ROOT, 0);
	dal_json_free(tape);
	return 0;
}

static void seed_hashes(void)
{
	json_object_seed(0);
}

/* jansson is told only what our reader took, so that depth and numbers are within bounds. */
static json_t *load(struct dal_slice text)
{
	static pthread_once_t seeded = PTHREAD_ONCE_INIT;
	struct dal_json *tape = parse(text, NULL);
	if (!tape) {
		return NULL;
	}
	dal_json_free(tape);
	pthread_once(&seeded, seed_hashes);
	return json_loadb(text.data, text.size,
			  JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

bool dal_document_equal(struct dal_slice a, struct dal_slice b)
{
	json_t *left = load(a), *right = load(b);
	bool equal = left && right && json_equal(left, right);
	json_decref(left);
	json_decref(right);
	return equal;
}
