/*
 * The inside of the tree of names of json_select.h. Private to engine/event.
 *
 * A field's children are in an open hash table of their own, at most a quarter full. A key is told
 * by its size and its first and last eight bytes; only of keys over 16 bytes the middle is read.
 */
#ifndef DAL_EVENT_JSON_NAMES_H
#define DAL_EVENT_JSON_NAMES_H

#include <endian.h>

#include "engine/event/json_select.h"

struct dal_json_name {
	uint64_t first, last; /* eight bytes each, zeros where it has fewer */
	const char *text;
	uint32_t size;
	uint32_t field : 28; /* 0: the slot is empty */
	uint32_t leaf : 1;
};

struct dal_json_field {
	struct dal_json_name *slots; /* NULL: no children */
	uint32_t mask;               /* slots - 1 */
	uint32_t shift;              /* takes a hash to a slot */
	uint32_t count;
	bool leaf;
};

struct dal_json_names {
	struct dal_json_field *fields;
	uint32_t count, capacity;
};

/* The first eight bytes at `at`, and zeros where the key is shorter. */
static inline uint64_t dal_json_name_word(const char *at, size_t size)
{
	uint64_t word;
	memcpy(&word, at, sizeof(word));
	return le64toh(word) & (size < 8 ? ((uint64_t)1 << 8 * size) - 1 : UINT64_MAX);
}

/*
 * Where a key is in the table of a field with children, or the empty slot where it would be. Eight
 * bytes at `key` are read even if it is shorter.
 */
static inline struct dal_json_name *dal_json_name_slot(const struct dal_json_field *parent,
						       const char *key, size_t size)
{
	uint64_t first = dal_json_name_word(key, size);
	uint64_t last = dal_json_name_word(key + (size > 8 ? size - 8 : 0), size);
	uint64_t hash = ((first * 3 ^ last) + size) * 0x9E3779B97F4A7C15ull;
	for (size_t slot = hash >> parent->shift;; slot = (slot + 1) & parent->mask) {
		struct dal_json_name *name = &parent->slots[slot];
		if (name->field == 0 ||
		    (name->first == first && name->last == last && name->size == size &&
		     (size <= 16 || memcmp(name->text + 8, key + 8, size - 16) == 0))) {
			return name;
		}
	}
}

#endif
