#include "rules/event_fields.h"

#include <stdlib.h>

#include "engine/base/digest.h"
#include "engine/base/error.h"
#include "engine/base/memory.h"

enum {
	WIDE = 12,             /* members of an object from which a table is faster than a walk */
	NEAR_LOOKED_AT = 1024, /* names; beyond them nothing is guessed */
	NEAR_COMPARED = 16,
	ALIKE_LOOKED_AT = 64,
};

void dal_event_fields_init(struct dal_event_fields *fields, const struct dal_json *json)
{
	*fields = (struct dal_event_fields){.json = json};
	dal_random(&fields->seed, sizeof(fields->seed));
}

void dal_event_fields_deinit(struct dal_event_fields *fields)
{
	free(fields->names);
	free(fields->by_name);
	free(fields->by_alike);
}

/* --- the tables --- */

static char plain(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_filler(char c)
{
	return c == '_' || c == '-';
}

static uint64_t alike_hash(struct dal_slice name)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < name.size; i++) {
		if (!is_filler(name.data[i])) {
			hash = (hash ^ (unsigned char)plain(name.data[i])) * 0x100000001b3u;
		}
	}
	return hash ^ hash >> 29;
}

static bool is_alike(struct dal_slice a, struct dal_slice b)
{
	size_t i = 0, j = 0;

	for (;;) {
		while (i < a.size && is_filler(a.data[i])) {
			i++;
		}
		while (j < b.size && is_filler(b.data[j])) {
			j++;
		}
		if (i == a.size || j == b.size) {
			return i == a.size && j == b.size;
		}
		if (plain(a.data[i++]) != plain(b.data[j++])) {
			return false;
		}
	}
}

static uint64_t letters_of(struct dal_slice name)
{
	uint64_t letters = 0;

	for (size_t i = 0; i < name.size; i++) {
		letters |= (uint64_t)1 << (plain(name.data[i]) & 63);
	}
	return letters;
}

static struct dal_slice name_text(const struct dal_event_fields *fields, uint32_t index)
{
	return dal_json_string(fields->json, fields->names[index].key);
}

static void gather(struct dal_event_fields *fields, uint32_t node, uint32_t parent);

static void gather_object(struct dal_event_fields *fields, uint32_t object, uint32_t parent)
{
	const struct dal_json *json = fields->json;
	uint32_t end = dal_json_next(json, object);

	for (uint32_t key = object + 1; key < end; key = dal_json_next(json, key + 1)) {
		struct dal_slice name = dal_json_string(json, key);
		uint32_t index = fields->count;

		DAL_GROW(fields->names, fields->count, fields->capacity);
		fields->names[fields->count++] = (struct dal_event_name){
			.key = key,
			.object = object,
			.parent = parent,
			.size = (uint32_t)name.size,
			.letters = letters_of(name)};
		gather(fields, key + 1, index);
	}
}

static void gather(struct dal_event_fields *fields, uint32_t node, uint32_t parent)
{
	const struct dal_json *json = fields->json;
	uint32_t end = dal_json_next(json, node);

	if (dal_json_kind(json, node) == DAL_JSON_OBJECT) {
		gather_object(fields, node, parent);
	} else if (dal_json_kind(json, node) == DAL_JSON_ARRAY) {
		for (uint32_t at = node + 1; at < end; at = dal_json_next(json, at)) {
			gather(fields, at, parent);
		}
	}
}

static void enter(struct dal_event_fields *fields, uint32_t index)
{
	struct dal_event_name *name = &fields->names[index];
	struct dal_slice text = name_text(fields, index);
	uint32_t at = (uint32_t)dal_hash64(text, fields->seed ^ name->object) & fields->mask;
	uint32_t *first = &fields->by_alike[(uint32_t)alike_hash(text) & fields->mask];

	while (fields->by_name[at]) {
		at = (at + 1) & fields->mask;
	}
	fields->by_name[at] = index + 1;
	name->alike = *first;
	*first = index + 1;
}

static void build(struct dal_event_fields *fields)
{
	uint32_t slots = 16;

	if (fields->by_name) {
		return;
	}
	gather(fields, DAL_JSON_ROOT, DAL_JSON_NONE);
	while (slots < 2 * fields->count) {
		slots *= 2;
	}
	fields->mask = slots - 1;
	fields->by_name = dal_calloc(slots, sizeof(*fields->by_name));
	fields->by_alike = dal_calloc(slots, sizeof(*fields->by_alike));
	for (uint32_t i = fields->count; i > 0; i--) { /* so that chains are in its order */
		enter(fields, i - 1);
	}
}

/* --- questions --- */

uint32_t dal_event_fields_find(struct dal_event_fields *fields, uint32_t object,
			       struct dal_slice name)
{
	uint32_t at;

	if (object == DAL_JSON_NONE || dal_json_count(fields->json, object) < WIDE) {
		return dal_json_find(fields->json, object, name);
	}
	build(fields);
	at = (uint32_t)dal_hash64(name, fields->seed ^ object) & fields->mask;
	for (; fields->by_name[at]; at = (at + 1) & fields->mask) {
		uint32_t index = fields->by_name[at] - 1;
		if (fields->names[index].object == object &&
		    dal_slice_equal(name_text(fields, index), name)) {
			return fields->names[index].key + 1;
		}
	}
	return DAL_JSON_NONE;
}

size_t dal_event_fields_alike(struct dal_event_fields *fields, struct dal_slice name,
			      const struct dal_event_name *found[DAL_EVENT_ALIKE])
{
	size_t count = 0;
	uint32_t at;

	build(fields);
	at = fields->by_alike[(uint32_t)alike_hash(name) & fields->mask];
	for (int looked_at = 0; at > 0 && looked_at < ALIKE_LOOKED_AT; looked_at++) {
		if (count < DAL_EVENT_ALIKE && is_alike(name_text(fields, at - 1), name)) {
			found[count++] = &fields->names[at - 1];
		}
		at = fields->names[at - 1].alike;
	}
	return count;
}

struct near_name {
	const struct dal_event_name *name;
	uint32_t unlike; /* at least half of the edits that it takes */
};

/* An edit changes at most two of the letters. False: it takes too many edits. */
static bool may_be_near(const struct dal_event_name *name, struct dal_slice wanted,
			uint64_t letters, uint32_t *unlike)
{
	uint32_t longer = name->size > wanted.size ? name->size : (uint32_t)wanted.size;
	uint32_t shorter = name->size + (uint32_t)wanted.size - longer;
	uint32_t edits = longer / 3;
	uint32_t differing = (uint32_t)__builtin_popcountll(name->letters ^ letters);

	*unlike = differing + longer - shorter;
	return longer - shorter <= edits && differing <= 2 * edits;
}

/* Keeps those that are least unlike, in this order. */
static void keep(struct near_name *kept, size_t *count, struct near_name one)
{
	size_t at = *count;

	if (at == NEAR_COMPARED && kept[--at].unlike <= one.unlike) {
		return;
	}
	*count = at + 1;
	for (; at > 0 && kept[at - 1].unlike > one.unlike; at--) {
		kept[at] = kept[at - 1];
	}
	kept[at] = one;
}

const struct dal_event_name *dal_event_fields_near(struct dal_event_fields *fields, uint32_t object,
						   struct dal_slice wanted)
{
	struct near_name kept[NEAR_COMPARED];
	const char *texts[NEAR_COMPARED], *near;
	const struct dal_event_name *nearest = NULL;
	uint64_t letters = letters_of(wanted);
	char *word;
	size_t count = 0;

	build(fields);
	for (uint32_t i = 0; i < fields->count && i < NEAR_LOOKED_AT; i++) {
		struct near_name one = {.name = &fields->names[i]};
		if (one.name->object == object &&
		    may_be_near(one.name, wanted, letters, &one.unlike)) {
			keep(kept, &count, one);
		}
	}
	if (count == 0) {
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		texts[i] = dal_slice_dup(dal_json_string(fields->json, kept[i].name->key));
	}
	word = dal_slice_dup(wanted);
	near = dal_error_suggest(word, texts, count);
	for (size_t i = 0; i < count; i++) {
		nearest = near == texts[i] ? kept[i].name : nearest;
		free((char *)texts[i]);
	}
	free(word);
	return nearest;
}

void dal_event_fields_path(const struct dal_event_fields *fields, const struct dal_event_name *name,
			   struct dal_buffer *out)
{
	if (name->parent != DAL_JSON_NONE) {
		dal_event_fields_path(fields, &fields->names[name->parent], out);
		dal_buffer_byte(out, '.');
	}
	dal_buffer_slice_append(out, dal_json_string(fields->json, name->key));
}
