#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/event/json_parser.h"

/* A container that is still open. */
struct frame {
	uint32_t node;
	uint32_t count; /* elements or members so far */
	size_t keys;    /* where its keys begin on the stack of keys */
};

struct walk {
	struct dal_json *json;
	const char *text;
	const uint32_t *place; /* the next structural character; *end is the text's size */
	const uint32_t *end;
	size_t backslash; /* the next one not yet passed, or the text's size */
	size_t keys;
	int depth;
	bool trusted, last_wins;
	struct dal_json_error *error;
	struct frame *open; /* DAL_LIMIT_JSON_DEPTH of them */
};

enum step { REFUSED, MORE, DONE };

static __attribute__((cold, noinline)) enum step refuse(struct walk *walk, size_t position,
							const char *reason)
{
	*walk->error = (struct dal_json_error){position, reason};
	return REFUSED;
}

/* At the next structural character something else was expected. */
static __attribute__((cold, noinline)) enum step unexpected(struct walk *walk, const char *reason)
{
	return refuse(walk, *walk->place, walk->place == walk->end ? "the text ends too early" : reason);
}

/* The next structural character, NUL at the end (where it is none that anybody expects). */
static char peek(const struct walk *walk)
{
	return walk->place < walk->end ? walk->text[*walk->place] : '\0';
}

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void lay(struct walk *walk, size_t start, size_t end, uint32_t info)
{
	uint32_t index = walk->json->count++;
	walk->json->nodes[index] = (struct dal_json_node){
		.start = (uint32_t)start, .end = (uint32_t)end, .next = index + 1, .info = info};
}

static __attribute__((noinline)) enum step read_escapes(struct walk *walk, size_t end, bool key)
{
	size_t nul = 0;
	size_t first = walk->backslash;
	if (!walk->trusted &&
	    !dal_json_check_escapes(walk->text, first, end, &nul, walk->error)) {
		return REFUSED;
	}
	if (key && nul) {
		return refuse(walk, nul, "NUL in a key");
	}
	const char *next = memchr(walk->text + end, '\\', walk->json->size - end);
	walk->backslash = next ? (size_t)(next - walk->text) : walk->json->size;
	return DONE;
}

/* Between a string and the next structural character is nothing but its closing quote and space. */
static enum step read_string(struct walk *walk, bool key)
{
	size_t start = (size_t)*walk->place++ + 1;
	size_t end = *walk->place - 1u;
	while (end > start && walk->text[end] != '"') {
		end--;
	}
	if (end < start || walk->text[end] != '"') {
		return refuse(walk, start - 1, "string without an end");
	}
	uint32_t info = DAL_JSON_STRING;
	if (walk->backslash < end) {
		if (read_escapes(walk, end, key) == REFUSED) {
			return REFUSED;
		}
		info |= DAL_JSON_ESCAPED;
	}
	lay(walk, start, end, info);
	return DONE;
}

static enum step read_word(struct walk *walk, const char *word, size_t size,
			   enum dal_json_kind kind)
{
	size_t start = *walk->place++;
	size_t limit = *walk->place;
	if (limit - start < size || memcmp(walk->text + start, word, size) != 0 ||
	    (limit - start > size && !is_space(walk->text[start + size]))) {
		return refuse(walk, start, "expected a value");
	}
	lay(walk, start, start + size, kind);
	return DONE;
}

/* Skips digits; `at` itself if there are none. */
static size_t skip_digits(const char *text, size_t at, size_t limit)
{
	while (at < limit && is_digit(text[at])) {
		at++;
	}
	return at;
}

static bool fits_int64(const char *digits, size_t count, bool negative)
{
	const char *largest = negative ? "9223372036854775808" : "9223372036854775807";
	return count < 19 || (count == 19 && memcmp(digits, largest, 19) <= 0);
}

/* A fraction and an exponent, from `at`; the number's end in `*end`. */
static enum step read_float(struct walk *walk, size_t start, size_t at, size_t limit, size_t *end)
{
	const char *text = walk->text;
	bool can_overflow = at - start > 300;
	if (at < limit && text[at] == '.') {
		*end = skip_digits(text, at + 1, limit);
		if (*end == at + 1) {
			return refuse(walk, *end, "expected a digit");
		}
		at = *end;
	}
	if (at < limit && (text[at] | 0x20) == 'e') {
		at += 1 + (at + 1 < limit && (text[at + 1] == '+' || text[at + 1] == '-'));
		*end = skip_digits(text, at, limit);
		if (*end == at) {
			return refuse(walk, at, "expected a digit");
		}
		can_overflow |= *end - at > 2;
	}
	if (can_overflow && !walk->trusted &&
	    __builtin_isinf(dal_json_text_to_double(text + start, *end - start))) {
		return refuse(walk, start, "number too large");
	}
	return DONE;
}

static enum step read_number(struct walk *walk)
{
	const char *text = walk->text;
	size_t start = *walk->place++;
	size_t limit = *walk->place;
	bool negative = text[start] == '-';
	size_t digits = start + negative;
	size_t end = skip_digits(text, digits, limit);
	if (end == digits) {
		return refuse(walk, end, "expected a digit");
	}
	if (text[digits] == '0' && end - digits > 1) {
		return refuse(walk, digits, "number with a leading zero");
	}
	uint32_t kind = negative && text[digits] == '0' ? DAL_JSON_FLOAT : DAL_JSON_INTEGER;
	if (end < limit && (text[end] == '.' || (text[end] | 0x20) == 'e')) {
		kind = DAL_JSON_FLOAT;
		if (read_float(walk, start, end, limit, &end) == REFUSED) {
			return REFUSED;
		}
	} else if (!fits_int64(text + digits, end - digits, negative)) {
		return refuse(walk, start, "integer outside 64 bits");
	}
	if (end < limit && !is_space(text[end])) {
		return refuse(walk, end, "unexpected character in a number");
	}
	lay(walk, start, end, kind);
	return DONE;
}

/* A key and its colon. */
static enum step read_key(struct walk *walk)
{
	struct dal_json *json = walk->json;
	uint32_t node = json->count;
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
		json->parser->keys[walk->keys++] =
			(struct dal_json_key){dal_json_key_hash(json, node), node};
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

static enum step check_keys(struct walk *walk, struct frame *frame)
{
	struct dal_json_key *keys = walk->json->parser->keys + frame->keys;
	size_t count = walk->keys - frame->keys;
	walk->keys = frame->keys;
	size_t repeated = dal_json_keys_repeat(walk->json, keys, count, walk->last_wins);
	if (repeated && !walk->last_wins) {
		return refuse(walk, repeated, "duplicate key");
	}
	if (repeated) {
		frame->count = drop_replaced(walk->json, frame->node, keys, count);
	}
	return DONE;
}

static enum step close_container(struct walk *walk)
{
	struct frame *frame = &walk->open[--walk->depth];
	struct dal_json_node *node = &walk->json->nodes[frame->node];
	if (walk->keys - frame->keys > 1 && check_keys(walk, frame) == REFUSED) {
		return REFUSED;
	}
	walk->keys = frame->keys;
	node->end = *walk->place++ + 1;
	node->next = walk->json->count;
	node->info |= frame->count << 4;
	return DONE;
}

static enum step open_container(struct walk *walk, enum dal_json_kind kind)
{
	if (walk->depth == DAL_LIMIT_JSON_DEPTH) {
		return refuse(walk, *walk->place, "nested too deep");
	}
	walk->open[walk->depth++] = (struct frame){.node = walk->json->count, .keys = walk->keys};
	lay(walk, *walk->place, 0, kind);
	walk->place++;
	if (peek(walk) == (kind == DAL_JSON_OBJECT ? '}' : ']')) {
		return close_container(walk);
	}
	return kind == DAL_JSON_OBJECT ? read_key(walk) : MORE;
}

/* Reads a value, of a container its opening: MORE if a value of its own comes next. */
static enum step read_value(struct walk *walk)
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
static enum step after_value(struct walk *walk)
{
	while (walk->depth > 0) {
		struct frame *frame = &walk->open[walk->depth - 1];
		bool object = dal_json_kind(walk->json, frame->node) == DAL_JSON_OBJECT;
		char c = peek(walk);
		frame->count++;
		if (c == ',') {
			walk->place++;
			return object ? read_key(walk) : MORE;
		}
		if (c != (object ? '}' : ']')) {
			return unexpected(walk, object ? "expected ',' or '}'" : "expected ',' or ']'");
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
	const char *backslash = memchr(json->text, '\\', json->size);
	struct frame open[DAL_LIMIT_JSON_DEPTH];
	struct walk walk = {
		.json = json,
		.text = json->text,
		.place = places,
		.end = places + count,
		.backslash = backslash ? (size_t)(backslash - json->text) : json->size,
		.trusted = flags & DAL_JSON_TRUSTED,
		.last_wins = flags & DAL_JSON_LAST_WINS,
		.error = error,
		.open = open,
	};
	enum step step;
	do {
		step = read_value(&walk);
		if (step == DONE) {
			step = after_value(&walk);
		}
	} while (step == MORE);
	if (step == DONE && walk.place != walk.end) {
		step = refuse(&walk, *walk.place, "expected nothing behind the value");
	}
	return step == DONE;
}
