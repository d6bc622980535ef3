#include <endian.h>

#include "engine/base/limits.h"
#include "engine/event/json_parser.h"

/*
 * The state of a walk stays in registers: everything on the way of a valid text is inlined, and no
 * function that is not gets the address of a `struct walk`.
 */
#define HOT static inline __attribute__((always_inline))
#define COLD static __attribute__((cold, noinline))

/* So many keys may share their quick hash and do no harm. */
#define FEW_KEYS 128

/* A container that is still open. */
struct frame {
	uint32_t node;
	uint32_t count; /* elements or members so far */
	size_t keys;    /* where its keys begin on the stack of keys */
	uint64_t seen; /* one bit for each key; a key whose bit is set already may repeat another */
	bool suspect;  /* there was such a key */
	bool escaped;  /* or one with an escape: its quick hash says nothing */
};

struct walk {
	struct dal_json *json;
	const char *text;
	struct dal_json_node *nodes;
	uint32_t count;
	const uint32_t *place; /* the next structural character; *end is the text's size */
	const uint32_t *end;
	size_t backslash; /* the next one not yet passed, or the text's size */
	size_t keys;
	bool trusted, last_wins;
	struct dal_json_error *error;
	struct frame *frames; /* DAL_LIMIT_JSON_WRAPPED_DEPTH of them */
	int depth;
};

enum step { REFUSED, MORE, DONE };

COLD enum step refuse(struct dal_json_error *error, size_t position, const char *reason)
{
	*error = (struct dal_json_error){position, reason};
	return REFUSED;
}

/* At the next structural character something else was expected. */
HOT enum step unexpected(const struct walk *walk, const char *reason)
{
	bool at_end = walk->place == walk->end;
	return refuse(walk->error, *walk->place, at_end ? "the text ends too early" : reason);
}

/* The next structural character; NUL at the end, as nobody expects one. */
HOT char peek(const struct walk *walk)
{
	return walk->place < walk->end ? walk->text[*walk->place] : '\0';
}

HOT bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

HOT void lay(struct walk *walk, size_t start, size_t end, uint32_t info)
{
	uint32_t node = walk->count++;
	walk->nodes[node] = (struct dal_json_node){
		.start = (uint32_t)start, .end = (uint32_t)end, .next = node + 1, .info = info};
}

static __attribute__((noinline)) bool check_escapes(const char *text, size_t first, size_t end,
						    bool key, struct dal_json_error *error)
{
	size_t nul = 0;
	if (!dal_json_check_escapes(text, first, end, &nul, error)) {
		return false;
	}
	return !key || !nul || refuse(error, nul, "NUL in a key") != REFUSED;
}

static __attribute__((noinline)) size_t next_backslash(const char *text, size_t at, size_t size)
{
	const char *next = memchr(text + at, '\\', size - at);
	return next ? (size_t)(next - text) : size;
}

/* Between a string and the next structural character is nothing but its closing quote and space. */
HOT enum step read_string(struct walk *walk, bool key)
{
	const char *text = walk->text;
	size_t start = (size_t)*walk->place++ + 1;
	size_t end = *walk->place - 1u;
	while (end > start && text[end] != '"') {
		end--;
	}
	if (end < start || text[end] != '"') {
		return refuse(walk->error, start - 1, "string without an end");
	}
	uint32_t info = DAL_JSON_STRING;
	if (walk->backslash < end) {
		if (!walk->trusted &&
		    !check_escapes(text, walk->backslash, end, key, walk->error)) {
			return REFUSED;
		}
		walk->backslash = next_backslash(text, end, walk->json->size);
		info |= DAL_JSON_ESCAPED;
	}
	lay(walk, start, end, info);
	return DONE;
}

HOT enum step read_word(struct walk *walk, const char *word, size_t size, enum dal_json_kind kind)
{
	size_t start = *walk->place++;
	size_t limit = *walk->place;
	if (limit - start < size || memcmp(walk->text + start, word, size) != 0 ||
	    (limit - start > size && !is_space(walk->text[start + size]))) {
		return refuse(walk->error, start, "expected a value");
	}
	lay(walk, start, start + size, kind);
	return DONE;
}

HOT size_t skip_digits(const char *text, size_t at, size_t limit)
{
	while (at < limit && text[at] >= '0' && text[at] <= '9') {
		at++;
	}
	return at;
}

static bool fits_int64(const char *digits, size_t count, bool negative)
{
	const char *largest = negative ? "9223372036854775808" : "9223372036854775807";
	return count < 19 || (count == 19 && memcmp(digits, largest, 19) <= 0);
}

/* A fraction and an exponent, from `at`: where they end, or 0 with `error` filled. */
static size_t read_fraction(const char *text, size_t at, size_t limit, size_t *exponent_digits,
			    struct dal_json_error *error)
{
	size_t end = at;
	if (text[at] == '.') {
		end = skip_digits(text, at + 1, limit);
		if (end == at + 1) {
			refuse(error, end, "expected a digit");
			return 0;
		}
	}
	if (end < limit && (text[end] | 0x20) == 'e') {
		at = end + 1;
		at += at < limit && (text[at] == '+' || text[at] == '-');
		end = skip_digits(text, at, limit);
		if (end == at) {
			refuse(error, end, "expected a digit");
			return 0;
		}
		*exponent_digits = end - at;
	}
	return end;
}

/* A number with a fraction or an exponent from `point`: its end, or 0 with `error` filled. */
static __attribute__((noinline)) size_t read_float(const char *text, size_t start, size_t point,
						   size_t limit, bool trusted,
						   struct dal_json_error *error)
{
	size_t exponent_digits = 0;
	size_t end = read_fraction(text, point, limit, &exponent_digits, error);
	/* With fewer digits no number gets near the largest. */
	bool may_overflow = exponent_digits > 2 || point - start > 200;
	if (end && may_overflow && !trusted &&
	    __builtin_isinf(dal_json_text_to_double(text + start, end - start))) {
		refuse(error, start, "number too large");
		return 0;
	}
	return end;
}

HOT enum step read_number(struct walk *walk)
{
	const char *text = walk->text;
	size_t start = *walk->place++;
	size_t limit = *walk->place;
	bool negative = text[start] == '-';
	size_t digits = start + negative;
	size_t end = skip_digits(text, digits, limit);
	uint32_t kind = negative && text[digits] == '0' ? DAL_JSON_FLOAT : DAL_JSON_INTEGER;
	if (end == digits) {
		return refuse(walk->error, end, "expected a digit");
	}
	if (text[digits] == '0' && end - digits > 1) {
		return refuse(walk->error, digits, "number with a leading zero");
	}
	if (end < limit && (text[end] == '.' || (text[end] | 0x20) == 'e')) {
		kind = DAL_JSON_FLOAT;
		end = read_float(text, start, end, limit, walk->trusted, walk->error);
		if (end == 0) {
			return REFUSED;
		}
	} else if (!fits_int64(text + digits, end - digits, negative)) {
		return refuse(walk->error, start, "integer outside 64 bits");
	}
	if (end < limit && !is_space(text[end])) {
		return refuse(walk->error, end, "unexpected character in a number");
	}
	lay(walk, start, end, kind);
	return DONE;
}

HOT uint64_t load(const char *at)
{
	uint64_t value;
	memcpy(&value, at, sizeof(value));
	return le64toh(value);
}

/*
 * A key's hash by its size, first and last 8 bytes: quick, and good for objects as people write
 * them. It reads up to 8 bytes behind the key, which the padding allows.
 */
HOT uint64_t quick_hash(const char *key, size_t size)
{
	uint64_t some = size >= 8  ? load(key) * 3 ^ load(key + size - 8)
			: size > 0 ? load(key) << (64 - 8 * size)
				   : 0;
	return (some + size) * 0x9E3779B97F4A7C15ull;
}

HOT void note_key(struct walk *walk, uint32_t node)
{
	struct frame *frame = &walk->frames[walk->depth - 1];
	const struct dal_json_node *n = &walk->nodes[node];
	uint64_t hash = quick_hash(walk->text + n->start, n->end - n->start);
	uint64_t bit = 1ull << (hash >> 58);
	frame->suspect |= (frame->seen & bit) != 0;
	frame->escaped |= (n->info & DAL_JSON_ESCAPED) != 0;
	frame->seen |= bit;
	walk->json->parser->keys[walk->keys++] = (struct dal_json_key){
		.node = node, .hash = (uint32_t)(hash >> 32)};
}

/* A key and its colon. */
HOT enum step read_key(struct walk *walk)
{
	uint32_t node = walk->count;
	if (peek(walk) != '"') {
		return unexpected(walk, "expected a key in quotes");
	}
	if (read_string(walk, true) == REFUSED) {
		return REFUSED;
	}
	if (peek(walk) != ':') {
		return unexpected(walk, "expected ':'");
	}
	walk->place++;
	if (!walk->trusted || walk->last_wins) {
		note_key(walk, node);
	}
	return MORE;
}

/* Takes the members out of the last object on the tape that a later one replaced. */
static uint32_t drop_replaced(struct dal_json *json, uint32_t object,
			      const struct dal_json_key *keys, size_t members)
{
	struct dal_json_node *nodes = json->nodes;
	uint32_t kept = 0, to = object + 1, from = object + 1;
	for (size_t i = 0; i < members; i++) {
		uint32_t end = nodes[from + 1].next, shift = from - to;
		if (keys[i].node == DAL_JSON_NONE) {
			from = end;
			continue;
		}
		for (; from < end; from++) {
			nodes[to] = nodes[from];
			nodes[to++].next -= shift;
		}
		kept++;
	}
	json->count = to;
	return kept;
}

static __attribute__((noinline)) bool check_keys(struct dal_json *json, struct frame *frame,
						 size_t count, bool last_wins,
						 struct dal_json_error *error)
{
	struct dal_json_key *keys = json->parser->keys + frame->keys;
	bool quick = count <= FEW_KEYS && !frame->escaped;
	if (!quick) {
		dal_json_keys_hash(json, keys, count);
	}
	size_t repeated = dal_json_keys_repeat(json, keys, count, last_wins);
	if (repeated && !last_wins) {
		return refuse(error, repeated, "duplicate key") != REFUSED;
	}
	if (repeated) {
		frame->count = drop_replaced(json, frame->node, keys, count);
	}
	return true;
}

HOT enum step close_container(struct walk *walk)
{
	struct frame *frame = &walk->frames[--walk->depth];
	if (frame->suspect || frame->escaped) {
		walk->json->count = walk->count;
		if (!check_keys(walk->json, frame, walk->keys - frame->keys, walk->last_wins,
				walk->error)) {
			return REFUSED;
		}
		walk->count = walk->json->count;
	}
	walk->keys = frame->keys;
	struct dal_json_node *node = &walk->nodes[frame->node];
	node->end = *walk->place++ + 1;
	node->next = walk->count;
	node->info |= frame->count << 4;
	return DONE;
}

HOT enum step open_container(struct walk *walk, enum dal_json_kind kind)
{
	if (walk->depth == (walk->trusted ? DAL_LIMIT_JSON_WRAPPED_DEPTH : DAL_LIMIT_JSON_DEPTH)) {
		return refuse(walk->error, *walk->place, "nested too deep");
	}
	walk->frames[walk->depth++] = (struct frame){.node = walk->count, .keys = walk->keys};
	lay(walk, *walk->place++, 0, kind);
	if (peek(walk) == (kind == DAL_JSON_OBJECT ? '}' : ']')) {
		return close_container(walk);
	}
	return kind == DAL_JSON_OBJECT ? read_key(walk) : MORE;
}

/* Reads a value, of a container its opening: MORE if a value in it comes next. */
HOT enum step read_value(struct walk *walk)
{
	switch (peek(walk)) {
	case '"':
		return read_string(walk, false);
	case '{':
		return open_container(walk, DAL_JSON_OBJECT);
	case '[':
		return open_container(walk, DAL_JSON_ARRAY);
	case 't':
		return read_word(walk, "true", 4, DAL_JSON_TRUE);
	case 'f':
		return read_word(walk, "false", 5, DAL_JSON_FALSE);
	case 'n':
		return read_word(walk, "null", 4, DAL_JSON_NULL);
	case '-':
	case '0' ... '9':
		return read_number(walk);
	default:
		return unexpected(walk, "expected a value");
	}
}

/* What follows a value: MORE if that is another one, DONE at the end of the outermost. */
HOT enum step after_value(struct walk *walk)
{
	while (walk->depth > 0) {
		struct frame *frame = &walk->frames[walk->depth - 1];
		bool object = (walk->nodes[frame->node].info & 7) == DAL_JSON_OBJECT;
		char c = peek(walk);
		frame->count++;
		if (c == ',') {
			walk->place++;
			return object ? read_key(walk) : MORE;
		}
		if (c != (object ? '}' : ']')) {
			return unexpected(walk,
					  object ? "expected ',' or '}'" : "expected ',' or ']'");
		}
		if (close_container(walk) == REFUSED) {
			return REFUSED;
		}
	}
	return DONE;
}

bool dal_json_walk(struct dal_json *json, const uint32_t *places, size_t count, int flags,
		   struct dal_json_error *error)
{
	struct frame frames[DAL_LIMIT_JSON_WRAPPED_DEPTH];
	struct walk walk = {
		.json = json,
		.text = json->text,
		.nodes = json->nodes,
		.place = places,
		.end = places + count,
		.backslash = next_backslash(json->text, 0, json->size),
		.trusted = flags & DAL_JSON_TRUSTED,
		.last_wins = flags & DAL_JSON_LAST_WINS,
		.error = error,
		.frames = frames,
	};
	enum step step;
	do {
		step = read_value(&walk);
		if (step == DONE) {
			step = after_value(&walk);
		}
	} while (step == MORE);
	if (step == DONE && walk.place != walk.end) {
		step = refuse(error, *walk.place, "expected nothing behind the value");
	}
	json->count = walk.count;
	return step == DONE;
}
