#include <endian.h>

#include "engine/base/memory.h"
#include "engine/event/json_parser.h"

/* Below this comparing all with all is faster than a table. */
#define FEW 8

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load(const char *at)
{
	uint64_t value;
	memcpy(&value, at, sizeof(value));
	return le64toh(value);
}

/* Up to 8 bytes; reads 8, which the text's padding allows. */
static uint64_t load_part(const char *at, size_t size)
{
	return size == 0 ? 0 : load(at) << (8 * (8 - size));
}

uint32_t dal_json_key_hash(const struct dal_json *json, uint32_t node)
{
	const struct dal_json_parser *parser = json->parser;
	const struct dal_json_node *n = &json->nodes[node];
	const char *at = json->text + n->start;
	size_t size = n->end - n->start;
	char tail[8] = {0};
	if (n->info & DAL_JSON_ESCAPED) {
		struct dal_slice key = dal_json_string(json, node);
		at = key.data;
		size = key.size;
	}
	uint64_t hash = parser->seed[0] ^ size;
	for (; size > 8; size -= 8, at += 8) {
		hash = mix(hash ^ load(at), parser->seed[1]);
	}
	if (n->info & DAL_JSON_ESCAPED) {
		memcpy(tail, at, size); /* no padding behind an unescaped string */
		at = tail;
	}
	return (uint32_t)mix(hash ^ load_part(at, size), parser->seed[1]);
}

static bool same(const struct dal_json *json, const struct dal_json_key *a,
		 const struct dal_json_key *b)
{
	return a->hash == b->hash && a->node != DAL_JSON_NONE &&
	       dal_slice_equal(dal_json_string(json, a->node), dal_json_string(json, b->node));
}

/* The earlier key that keys[i] repeats, or NULL. */
static struct dal_json_key *repeated_of_few(const struct dal_json *json, struct dal_json_key *keys,
					    size_t i)
{
	for (size_t j = 0; j < i; j++) {
		if (same(json, &keys[j], &keys[i])) {
			return &keys[j];
		}
	}
	return NULL;
}

static void clear_slots(struct dal_json_parser *parser, size_t slots)
{
	if (parser->slot_capacity < slots) {
		free(parser->slots);
		parser->slots = dal_malloc(slots * sizeof(uint32_t));
		parser->slot_capacity = slots;
	}
	memset(parser->slots, 0, slots * sizeof(uint32_t));
}

/* The same by the table, into which keys[i] goes in its place. Slots hold index + 1. */
static struct dal_json_key *repeated_of_many(const struct dal_json *json,
					     struct dal_json_key *keys, size_t i, size_t mask)
{
	uint32_t *slots = json->parser->slots;
	size_t at = keys[i].hash & mask;
	struct dal_json_key *found = NULL;
	for (; slots[at]; at = (at + 1) & mask) {
		if (same(json, &keys[slots[at] - 1], &keys[i])) {
			found = &keys[slots[at] - 1];
			break;
		}
	}
	slots[at] = (uint32_t)i + 1;
	return found;
}

size_t dal_json_keys_repeat(const struct dal_json *json, struct dal_json_key *keys, size_t count,
			    bool last_wins)
{
	size_t slots = 4 * FEW;
	if (count > FEW) {
		while (slots < 2 * count) {
			slots *= 2;
		}
		clear_slots(json->parser, slots);
	}
	size_t repeated = 0;
	for (size_t i = 0; i < count; i++) {
		struct dal_json_key *earlier =
			count > FEW ? repeated_of_many(json, keys, i, slots - 1)
				    : repeated_of_few(json, keys, i);
		if (earlier && !last_wins) {
			return json->nodes[keys[i].node].start - 1;
		}
		if (earlier) {
			earlier->node = DAL_JSON_NONE;
			repeated = 1;
		}
	}
	return repeated;
}
