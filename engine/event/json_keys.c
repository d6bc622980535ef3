#include <endian.h>

#include "engine/base/memory.h"
#include "engine/event/json_parser.h"

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Up to 8 bytes; it reads 8: there is room behind the text and behind what was unescaped. */
static uint64_t load(const char *at, size_t size)
{
	uint64_t value;
	memcpy(&value, at, sizeof(value));
	return size == 0 ? 0 : le64toh(value) << (64 - 8 * size);
}

/* All bytes count, and the seed is random: nobody can choose keys that collide. */
static uint32_t hash_of(struct dal_slice key, const uint64_t seed[2])
{
	uint64_t hash = seed[0] ^ key.size;
	for (; key.size > 8; key.size -= 8, key.data += 8) {
		hash = mix(hash ^ load(key.data, 8), seed[1]);
	}
	return (uint32_t)mix(hash ^ load(key.data, key.size), seed[1]);
}

static size_t clear_slots(struct dal_json_parser *parser, size_t keys)
{
	size_t slots = 16;
	while (slots < 2 * keys) {
		slots *= 2;
	}
	if (parser->slot_capacity < slots) {
		free(parser->slots);
		parser->slots = dal_malloc(slots * sizeof(uint32_t));
		parser->slot_capacity = slots;
	}
	memset(parser->slots, 0, slots * sizeof(uint32_t));
	return slots;
}

static bool same(const struct dal_json *json, uint32_t a, uint32_t b)
{
	return dal_slice_equal(dal_json_string(json, a), dal_json_string(json, b));
}

/* The earlier key that keys[i] repeats, or NULL. keys[i] takes its slot, which holds i + 1. */
static struct dal_json_key *insert(const struct dal_json *json, struct dal_json_key *keys, size_t i,
				   size_t slot_count)
{
	uint32_t *slots = json->parser->slots;
	size_t at = keys[i].hash * slot_count >> 32; /* by its upper bits: the best of quick ones */
	for (; slots[at]; at = (at + 1) & (slot_count - 1)) {
		struct dal_json_key *other = &keys[slots[at] - 1];
		if (other->hash == keys[i].hash && same(json, other->node, keys[i].node)) {
			slots[at] = (uint32_t)i + 1;
			return other;
		}
	}
	slots[at] = (uint32_t)i + 1;
	return NULL;
}

void dal_json_keys_hash(const struct dal_json *json, struct dal_json_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		keys[i].hash = hash_of(dal_json_string(json, keys[i].node), json->parser->seed);
	}
}

size_t dal_json_keys_repeat(const struct dal_json *json, struct dal_json_key *keys, size_t count,
			    bool last_wins)
{
	size_t slot_count = clear_slots(json->parser, count);
	size_t repeated = 0;
	for (size_t i = 0; i < count; i++) {
		struct dal_json_key *earlier = insert(json, keys, i, slot_count);
		if (!earlier) {
			continue;
		}
		repeated = json->nodes[keys[i].node].start - 1;
		if (!last_wins) {
			break;
		}
		earlier->node = DAL_JSON_NONE;
	}
	return repeated;
}
