/*
 * The inside of the JSON reader, shared by json*.c. Private to engine/event.
 *
 * json.c owns the parser; json_parse.c walks the structural index and lays the nodes; json_scan.c
 * says where a text went wrong that the first stage refused; json_string.c knows escapes;
 * json_keys.c finds duplicate keys; json_select_scan.c lays the nodes of selected tapes.
 */
#ifndef DAL_EVENT_JSON_PARSER_H
#define DAL_EVENT_JSON_PARSER_H

#include "engine/event/json.h"
#include "engine/event/json_index.h"

#define DAL_JSON_ESCAPED 8u /* bit in a string node's info */

/* A key of an object that is still open, or has just been closed. */
struct dal_json_key {
	uint32_t node; /* DAL_JSON_NONE once a later one replaced it */
	uint32_t hash; /* by the walk: quick, of a part of the key */
};

struct dal_json_parser {
	struct dal_json_index *index;
	char *copy; /* of a text that came without padding */
	size_t copy_capacity;
	size_t node_capacity;
	struct dal_json_key *keys; /* a stack: of all open objects, outermost first */
	size_t key_capacity;
	uint32_t *slots; /* hash table of json_keys.c */
	size_t slot_capacity;
	uint64_t seed[2]; /* random: nobody can choose keys that collide */

	/*
	 * Unescaped strings. They are never longer than their source, so each has its place at its
	 * node's `start`, and nothing moves. The size + 1 is in the node's info above bit 3, or 0;
	 * in a selected tape a key's field is there, and strings are unescaped again each time.
	 */
	char *unescaped;
	size_t unescaped_capacity;

	/* Of selected tapes: of each field the last object that had it; of objects the last one. */
	uint64_t *seen;
	size_t seen_capacity;
	uint64_t serial;
	bool selected;
};

/*
 * Takes a text whose tape has no nodes yet: in json->nodes is room for what `node_capacity` says,
 * in `seen` for so many fields. False if it is too large.
 */
bool dal_json_start_selected(struct dal_json *json, struct dal_slice text, uint32_t fields);
/* More room behind the first `count` nodes, which stay. */
void dal_json_grow(struct dal_json *json, uint32_t count);
/* The string between two places of json->text, which has an escape; in memory of the parser. */
struct dal_slice dal_json_unescape(const struct dal_json *json, size_t start, size_t end);
/* Lays the nodes of json->text; room for `count` nodes and keys is there. */
bool dal_json_walk(struct dal_json *json, const uint32_t *places, size_t count, int flags,
		   struct dal_json_error *error);
/*
 * The first mistake of those that the first stage looks for: not UTF-8, a bare control character in
 * a string, a string without an end. If there is none: false, and what else it may have stumbled
 * over.
 */
bool dal_json_explain(struct dal_slice text, struct dal_json_error *error);
/* Checks a string's escapes from its first backslash on; where one is a NUL goes to `*nul`. */
bool dal_json_check_escapes(const char *text, size_t first, size_t end, size_t *nul,
			    struct dal_json_error *error);

/* Replaces the quick hashes by ones that depend on the whole keys, unescaped, and on the seed. */
void dal_json_keys_hash(const struct dal_json *json, struct dal_json_key *keys, size_t count);
/*
 * Looks for duplicates among the keys[0..count) of one object: the position of the first that
 * repeats another, or 0. With `last_wins` it goes on, and the replaced ones become DAL_JSON_NONE.
 */
size_t dal_json_keys_repeat(const struct dal_json *json, struct dal_json_key *keys, size_t count,
			    bool last_wins);

#endif
