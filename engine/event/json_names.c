#include "engine/event/json_names.h"

#include "engine/base/error.h"
#include "engine/base/memory.h"

#define SMALLEST_SLOTS 4
#define MOST_FIELDS (1u << 28) /* what a node's info has room for */

static uint32_t add_field(struct dal_json_names *names)
{
	DAL_ASSERT(names->count < MOST_FIELDS);
	DAL_GROW(names->fields, names->count, names->capacity);
	names->fields[names->count] = (struct dal_json_field){0};
	return names->count++;
}

struct dal_json_names *dal_json_names_new(void)
{
	struct dal_json_names *names = dal_calloc(1, sizeof(*names));
	add_field(names);
	return names;
}

void dal_json_names_free(struct dal_json_names *names)
{
	if (!names) {
		return;
	}
	for (uint32_t id = 0; id < names->count; id++) {
		struct dal_json_field *field = &names->fields[id];
		for (uint32_t i = 0; field->slots && i <= field->mask; i++) {
			free((char *)field->slots[i].text);
		}
		free(field->slots);
	}
	free(names->fields);
	free(names);
}

static void make_slots(struct dal_json_field *field, uint32_t slots)
{
	field->slots = dal_calloc(slots, sizeof(*field->slots));
	field->mask = slots - 1;
	field->shift = 64 - (uint32_t)__builtin_ctz(slots);
}

static void grow_slots(struct dal_json_field *field)
{
	struct dal_json_field old = *field;
	make_slots(field, old.slots ? 2 * (old.mask + 1) : SMALLEST_SLOTS);
	for (uint32_t i = 0; old.slots && i <= old.mask; i++) {
		struct dal_json_name *name = &old.slots[i];
		if (name->field) {
			*dal_json_name_slot(field, name->text, name->size) = *name;
		}
	}
	free(old.slots);
}

/* With room behind it for a look at eight bytes. */
static char *padded_copy(struct dal_slice name)
{
	char *copy = dal_calloc(1, name.size + 8);
	if (name.size) {
		memcpy(copy, name.data, name.size);
	}
	return copy;
}

static struct dal_json_name *add_name(struct dal_json_names *names, uint32_t parent,
				      struct dal_slice name)
{
	uint32_t id = add_field(names);
	struct dal_json_field *field = &names->fields[parent];
	if (!field->slots || 4 * (field->count + 1) > field->mask + 1) {
		grow_slots(field);
	}
	field->count++;
	char *text = padded_copy(name);
	struct dal_json_name *slot = dal_json_name_slot(field, text, name.size);
	*slot = (struct dal_json_name){
		.first = dal_json_name_word(text, name.size),
		.last = dal_json_name_word(text + (name.size > 8 ? name.size - 8 : 0), name.size),
		.text = text,
		.size = (uint32_t)name.size,
		.field = id,
	};
	return slot;
}

/* NULL: there is none. */
static struct dal_json_name *find_name(const struct dal_json_names *names, uint32_t parent,
				       struct dal_slice name)
{
	DAL_ASSERT(parent < names->count && name.size <= UINT32_MAX);
	const struct dal_json_field *field = &names->fields[parent];
	if (!field->slots) {
		return NULL;
	}
	char small[8] = {0}; /* so that the look at eight bytes stays inside */
	const char *key = name.data;
	if (name.size < sizeof(small)) {
		memcpy(small, name.size ? name.data : "", name.size);
		key = small;
	}
	struct dal_json_name *slot = dal_json_name_slot(field, key, name.size);
	return slot->field ? slot : NULL;
}

uint32_t dal_json_names_add(struct dal_json_names *names, uint32_t parent, struct dal_slice name,
			    bool leaf)
{
	struct dal_json_name *slot = find_name(names, parent, name);
	if (!slot) {
		slot = add_name(names, parent, name);
	}
	slot->leaf |= leaf;
	names->fields[slot->field].leaf |= leaf;
	return slot->field;
}

uint32_t dal_json_names_find(const struct dal_json_names *names, uint32_t parent,
			     struct dal_slice name)
{
	const struct dal_json_name *slot = find_name(names, parent, name);
	return slot ? slot->field : DAL_JSON_NONE;
}

uint32_t dal_json_names_count(const struct dal_json_names *names)
{
	return names->count;
}

uint32_t dal_json_names_children(const struct dal_json_names *names, uint32_t id)
{
	return names->fields[id].count;
}

bool dal_json_names_leaf(const struct dal_json_names *names, uint32_t id)
{
	return names->fields[id].leaf;
}
