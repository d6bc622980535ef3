/*
 * An open hash table of ids; whoever owns the ids compares. Private to rules.
 *
 * Its hashes are not secret: rules come from the app's own authors, and an event can't make a chain
 * longer than the rules made it.
 */
#ifndef DAL_RULES_ID_TABLE_H
#define DAL_RULES_ID_TABLE_H

#include <stdint.h>

#include "engine/base/slice.h"

#define DAL_ABSENT UINT32_MAX

struct dal_id_slot {
	uint32_t hash;
	uint32_t id; /* plus 1; 0: free */
};

struct dal_id_table { /* a zeroed struct is an empty one */
	struct dal_id_slot *slots;
	uint32_t mask, count;
};

void dal_id_table_deinit(struct dal_id_table *table);
void dal_id_table_add(struct dal_id_table *table, uint32_t hash, uint32_t id);
/* The pair must be there. */
void dal_id_table_remove(struct dal_id_table *table, uint32_t hash, uint32_t id);

/* Walks the ids with this hash: start with *at = hash; DAL_ABSENT at the end. */
static inline uint32_t dal_id_table_next(const struct dal_id_table *table, uint32_t hash,
					 uint32_t *at)
{
	while (table->slots) {
		const struct dal_id_slot *slot = &table->slots[(*at)++ & table->mask];
		if (slot->id == 0) {
			break;
		}
		if (slot->hash == hash) {
			return slot->id - 1;
		}
	}
	return DAL_ABSENT;
}

static inline uint64_t dal_mix(uint64_t a, uint64_t b)
{
	__extension__ typedef unsigned __int128 wide;
	wide product = (wide)(a ^ UINT64_C(0x9e3779b97f4a7c15)) *
		       (b ^ UINT64_C(0xe7037ed1a0b428db));
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Of a short text, quickly: two words of it at a time. */
static inline uint64_t dal_text_hash(struct dal_slice text, uint64_t seed)
{
	const char *data = text.data;
	size_t left = text.size;
	uint64_t a = 0, b = 0;

	for (; left > 16; left -= 16, data += 16) {
		memcpy(&a, data, 8);
		memcpy(&b, data + 8, 8);
		seed = dal_mix(a ^ seed, b);
	}
	if (left >= 8) {
		memcpy(&a, data, 8);
		memcpy(&b, data + left - 8, 8);
	} else if (left >= 4) {
		uint32_t first, last;
		memcpy(&first, data, 4);
		memcpy(&last, data + left - 4, 4);
		a = (uint64_t)first << 32 | last;
	} else if (left > 0) {
		a = (uint64_t)(unsigned char)data[0] << 16 |
		    (uint64_t)(unsigned char)data[left / 2] << 8 | (unsigned char)data[left - 1];
	}
	return dal_mix(a ^ seed, b ^ text.size);
}

#endif
