#include "engine/event/json.h"

#include "engine/base/digest.h"
#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/event/json_parser.h"

/* Memory that a larger text left behind is given back. */
#define GIANT (4 * DAL_MIB)

struct dal_json *dal_json_new(void)
{
	struct dal_json *json = dal_calloc(1, sizeof(*json));
	json->parser = dal_calloc(1, sizeof(*json->parser));
	json->parser->index = dal_json_index_new();
	dal_random(json->parser->seed, sizeof(json->parser->seed));
	return json;
}

static size_t held_bytes(const struct dal_json_parser *parser)
{
	return parser->copy_capacity + parser->unescaped_capacity +
	       parser->node_capacity * sizeof(struct dal_json_node) +
	       parser->key_capacity * sizeof(struct dal_json_key) +
	       parser->slot_capacity * sizeof(uint32_t) + parser->seen_capacity * sizeof(uint64_t);
}

static void free_memory(struct dal_json *json)
{
	struct dal_json_parser *parser = json->parser;
	free(json->nodes);
	json->nodes = NULL;
	free(parser->copy);
	free(parser->keys);
	free(parser->slots);
	free(parser->unescaped);
	free(parser->seen);
	parser->copy = NULL;
	parser->keys = NULL;
	parser->slots = NULL;
	parser->unescaped = NULL;
	parser->seen = NULL;
	parser->copy_capacity = parser->node_capacity = parser->key_capacity = 0;
	parser->slot_capacity = parser->unescaped_capacity = parser->seen_capacity = 0;
}

void dal_json_free(struct dal_json *json)
{
	if (!json) {
		return;
	}
	free_memory(json);
	dal_json_index_free(json->parser->index);
	free(json->parser);
	free(json);
}

/* The old content is of no use, so it isn't copied. */
static void *renew(void *old, size_t *capacity, size_t count, size_t size)
{
	if (count <= *capacity) {
		return old;
	}
	free(old);
	*capacity = count + count / 4 + 64;
	return dal_malloc(*capacity * size);
}

static void keep_copy(struct dal_json *json, struct dal_slice text)
{
	struct dal_json_parser *parser = json->parser;
	parser->copy = renew(parser->copy, &parser->copy_capacity, text.size + DAL_JSON_PADDING, 1);
	if (text.size) {
		memcpy(parser->copy, text.data, text.size);
	}
	memset(parser->copy + text.size, 0, DAL_JSON_PADDING);
	json->text = parser->copy;
}

static bool walk(struct dal_json *json, const uint32_t *places, size_t count, int flags,
		 struct dal_json_error *error)
{
	struct dal_json_parser *parser = json->parser;
	/* A node has a structural character of its own, and so has a key. */
	json->nodes = renew(json->nodes, &parser->node_capacity, count, sizeof(*json->nodes));
	parser->keys = renew(parser->keys, &parser->key_capacity, count, sizeof(*parser->keys));
	return dal_json_walk(json, places, count, flags, error);
}

static bool parse(struct dal_json *json, int flags, struct dal_json_error *error)
{
	struct dal_json_error why;
	const uint32_t *places;
	size_t count;
	if (json->size > DAL_LIMIT_JSON_BYTES) {
		*error = (struct dal_json_error){DAL_LIMIT_JSON_BYTES, "text too large"};
		return false;
	}
	bool indexed = dal_json_index_run(json->parser->index, json->text, json->size, &places,
					  &count);
	if (indexed && walk(json, places, count, flags, error)) {
		return true;
	}
	/* On old processors simdjson leaves some mistakes to the walk: the answer is the same on
	 * all. */
	if (dal_json_explain(dal_slice(json->text, json->size), &why) || !indexed) {
		*error = why;
	}
	return false;
}

/* The tape is empty from here on. */
static void take_text(struct dal_json *json, struct dal_slice text, bool selected)
{
	if (text.size < GIANT / 8 && held_bytes(json->parser) > GIANT) {
		free_memory(json);
	}
	json->count = 0;
	json->size = text.size;
	json->text = text.data;
	json->parser->selected = selected;
}

void dal_json_grow(struct dal_json *json, uint32_t count)
{
	size_t capacity = 64 + 2 * (size_t)count;
	json->nodes = dal_reallocarray(json->nodes, capacity, sizeof(*json->nodes));
	json->parser->node_capacity = capacity;
}

bool dal_json_start_selected(struct dal_json *json, struct dal_slice text, uint32_t fields)
{
	struct dal_json_parser *parser = json->parser;
	take_text(json, text, true);
	if (parser->seen_capacity < fields) {
		free(parser->seen);
		parser->seen_capacity = fields + fields / 4;
		parser->seen = dal_calloc(parser->seen_capacity, sizeof(*parser->seen));
	}
	return text.size <= DAL_LIMIT_JSON_BYTES;
}

int dal_json_parse(struct dal_json *json, struct dal_slice text, int flags,
		   struct dal_json_error *error)
{
	struct dal_json_error ignored;
	take_text(json, text, false);
	if (!(flags & DAL_JSON_PADDED) && text.size <= DAL_LIMIT_JSON_BYTES) {
		keep_copy(json, text);
	}
	if (!parse(json, flags, error ? error : &ignored)) {
		json->count = 0;
		return DAL_JSON_INVALID;
	}
	return 0;
}

int64_t dal_json_integer(const struct dal_json *json, uint32_t node)
{
	DAL_ASSERT(node < json->count && dal_json_kind(json, node) == DAL_JSON_INTEGER);
	const char *at = json->text + json->nodes[node].start;
	const char *end = json->text + json->nodes[node].end;
	bool negative = *at == '-';
	uint64_t value = 0;
	for (at += negative; at < end; at++) {
		value = value * 10 + (uint64_t)(*at - '0');
	}
	return (int64_t)(negative ? 0 - value : value);
}

double dal_json_double(const struct dal_json *json, uint32_t node)
{
	enum dal_json_kind kind = dal_json_kind(json, node);
	DAL_ASSERT(node < json->count && (kind == DAL_JSON_INTEGER || kind == DAL_JSON_FLOAT));
	struct dal_slice raw = dal_json_raw(json, node);
	return dal_json_text_to_double(raw.data, raw.size);
}

static bool key_is(const struct dal_json *json, uint32_t node, struct dal_slice key)
{
	const struct dal_json_node *n = &json->nodes[node];
	if (n->info & DAL_JSON_ESCAPED) {
		return n->end - n->start > key.size &&
		       dal_slice_equal(dal_json_string(json, node), key);
	}
	return dal_slice_equal(dal_slice(json->text + n->start, n->end - n->start), key);
}

uint32_t dal_json_find(const struct dal_json *json, uint32_t object, struct dal_slice key)
{
	if (object >= json->count || dal_json_kind(json, object) != DAL_JSON_OBJECT) {
		return DAL_JSON_NONE;
	}
	uint32_t end = json->nodes[object].next;
	for (uint32_t node = object + 1; node < end; node = json->nodes[node + 1].next) {
		if (key_is(json, node, key)) {
			return node + 1;
		}
	}
	return DAL_JSON_NONE;
}

uint32_t dal_json_at(const struct dal_json *json, uint32_t array, uint32_t index)
{
	if (array >= json->count || dal_json_kind(json, array) != DAL_JSON_ARRAY ||
	    index >= dal_json_count(json, array)) {
		return DAL_JSON_NONE;
	}
	uint32_t node = array + 1;
	for (; index > 0; index--) {
		node = json->nodes[node].next;
	}
	return node;
}

void dal_json_place(struct dal_slice text, size_t position, int *line, int *column)
{
	size_t start = 0;
	*line = 1;
	if (position > text.size) {
		position = text.size;
	}
	for (size_t i = 0; i < position; i++) {
		if (text.data[i] == '\n') {
			(*line)++;
			start = i + 1;
		}
	}
	*column = (int)(position - start) + 1;
}
