#include "engine/event/json_select_scan.h"

#include "engine/base/limits.h"
#include "engine/event/json_block.h"
#include "engine/event/json_names.h"
#include "engine/event/json_parser.h"

/*
 * The state of a scan stays in registers: everything on the way of a valid text is inlined, and no
 * function that is not gets the address of a `struct scan`.
 */
#define HOT static inline __attribute__((always_inline))
#define COLD static __attribute__((cold, noinline))

/* A container that is kept and still open. */
struct frame {
	const struct dal_json_field *field;
	uint64_t serial; /* of an object: no other has it, in no text */
	uint32_t node;
	uint32_t count;   /* members or elements kept */
	uint32_t lacking; /* of an object: fields not seen yet */
	bool array;
	bool more; /* what holds it may still have something to keep behind it */
};

struct scan {
	const char *text;
	size_t size;
	const struct dal_json_names *names;
	struct dal_json *json;
	struct dal_json_node *nodes;
	uint32_t count, capacity;

	/* The block of 64 bytes at `base`, bit by bit. */
	size_t base;
	uint64_t quotes;        /* quotes that are not escaped */
	uint64_t opens, closes; /* bytes that are brackets, also in strings */
	uint64_t bits; /* brackets and colons outside of strings that were not passed yet */
	/* What the blocks before it left behind. */
	uint64_t inside;  /* all ones if it begins inside a string */
	uint64_t escaped; /* 1 if its first byte is escaped */
	size_t quote;     /* the last quote before it */
	size_t backslash; /* behind the last backslash up to its end */

	size_t at;      /* in an array: behind its last element */
	uint64_t *seen; /* of each field: the serial of the last object that had it */
	struct frame *top, *bottom;
};

enum step { REFUSED, MORE, DONE };

HOT bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

HOT size_t skip_space(const struct scan *scan, size_t at)
{
	while (at < scan->size && is_space(scan->text[at])) {
		at++;
	}
	return at;
}

HOT uint64_t from_bit(size_t bit)
{
	return UINT64_MAX << bit;
}

HOT size_t first_bit(uint64_t bits)
{
	return (size_t)__builtin_ctzll(bits);
}

HOT size_t last_bit(uint64_t bits)
{
	return 63 - (size_t)__builtin_clzll(bits);
}

/* Tells strings from the rest in the block at `base`. */
HOT void read_block(struct scan *scan)
{
	struct block block = block_load(scan->text + scan->base);
	struct block folded = block_fold(block);
	uint64_t backslashes = block_equal(block, '\\');
	uint64_t quotes = block_equal(block, '"');
	uint64_t opens = block_equal(folded, '{');
	uint64_t closes = block_equal(folded, '}');
	uint64_t bits = block_equal(block, ':') | opens | closes;
	size_t left = scan->size - scan->base;
	if (__builtin_expect(left < BLOCK, 0)) {
		backslashes &= ~from_bit(left);
		quotes &= ~from_bit(left);
		bits &= ~from_bit(left);
	}
	if (__builtin_expect((backslashes | scan->escaped) != 0, 0)) {
		if (backslashes) {
			scan->backslash = scan->base + last_bit(backslashes) + 1;
		}
		quotes &= ~block_escaped(backslashes, &scan->escaped);
	}
	uint64_t strings = block_between(quotes) ^ scan->inside;
	scan->inside = (uint64_t)((int64_t)strings >> 63);
	scan->quotes = quotes;
	scan->bits = bits & ~strings;
	scan->opens = opens;
	scan->closes = closes;
}

/* The next block; false at the end of the text. */
HOT bool next_block(struct scan *scan)
{
	if (scan->size - scan->base <= BLOCK) {
		scan->bits = 0;
		return false;
	}
	if (scan->quotes) {
		scan->quote = scan->base + last_bit(scan->quotes);
	}
	scan->base += BLOCK;
	read_block(scan);
	return true;
}

/* Passes everything before `position`. */
HOT void pass(struct scan *scan, size_t position)
{
	while (position - scan->base >= BLOCK) {
		if (!next_block(scan)) {
			return;
		}
	}
	scan->bits &= from_bit(position - scan->base);
}

/* Where the next bracket or colon is, which is passed; the text's size if there is none. */
HOT size_t next_bit(struct scan *scan)
{
	while (scan->bits == 0) {
		if (!next_block(scan)) {
			return scan->size;
		}
	}
	size_t bit = first_bit(scan->bits);
	scan->bits &= scan->bits - 1;
	return scan->base + bit;
}

/*
 * Passes what is left of a container whose opening has been passed: where its closing bracket is,
 * or the text's size. A block with fewer closing brackets than are open can only be counted.
 */
HOT size_t skip_container(struct scan *scan)
{
	size_t depth = 1;
	for (;;) {
		uint64_t opens = scan->opens & scan->bits;
		uint64_t closes = scan->closes & scan->bits;
		size_t closing = (size_t)__builtin_popcountll(closes);
		while (closing >= depth) {
			uint64_t before = closes ^ (closes & (closes - 1));
			depth += (size_t)__builtin_popcountll(opens & (before - 1)) - 1;
			opens &= ~(before - 1);
			closes ^= before;
			closing--;
			if (depth == 0) {
				size_t bit = first_bit(before);
				scan->bits &= from_bit(bit) << 1;
				return scan->base + bit;
			}
		}
		depth += (size_t)__builtin_popcountll(opens) - closing;
		if (!next_block(scan)) {
			return scan->size;
		}
	}
}

/* Where a string that begins at `start` has its closing quote, or the text's size. */
HOT size_t string_end(struct scan *scan, size_t start)
{
	pass(scan, start);
	uint64_t quotes = scan->quotes;
	if (start - scan->base >= BLOCK) {
		return scan->size;
	}
	quotes &= from_bit(start - scan->base);
	while (quotes == 0) {
		if (!next_block(scan)) {
			return scan->size;
		}
		quotes = scan->quotes;
	}
	return scan->base + first_bit(quotes);
}

COLD uint32_t look_for_backslash(const char *text, size_t start, size_t end)
{
	return memchr(text + start, '\\', end - start) ? DAL_JSON_ESCAPED : 0;
}

/* The info of a string: most have no backslash, nor has anything before them in their block. */
HOT uint32_t string_info(const struct scan *scan, size_t start, size_t end)
{
	if (__builtin_expect(scan->backslash > start, 0)) {
		return DAL_JSON_STRING | look_for_backslash(scan->text, start, end);
	}
	return DAL_JSON_STRING;
}

COLD struct dal_json_node *grow(struct dal_json *json, uint32_t count, uint32_t *capacity)
{
	dal_json_grow(json, count);
	*capacity = (uint32_t)json->parser->node_capacity;
	return json->nodes;
}

/* Room for a key and a value. */
HOT void make_room(struct scan *scan)
{
	if (__builtin_expect(scan->capacity - scan->count < 2, 0)) {
		uint32_t capacity;
		scan->nodes = grow(scan->json, scan->count, &capacity);
		scan->capacity = capacity;
	}
}

HOT void lay(struct scan *scan, size_t start, size_t end, uint32_t info)
{
	uint32_t node = scan->count++;
	scan->nodes[node] = (struct dal_json_node){
		.start = (uint32_t)start, .end = (uint32_t)end, .next = node + 1, .info = info};
}

HOT enum step read_string(struct scan *scan, size_t at)
{
	size_t start = at + 1;
	size_t end = string_end(scan, start);
	if (end == scan->size) {
		return REFUSED;
	}
	lay(scan, start, end, string_info(scan, start, end));
	scan->at = end + 1;
	return DONE;
}

HOT enum step read_word(struct scan *scan, size_t at, const char *word, size_t size,
			enum dal_json_kind kind)
{
	if (scan->size - at < size || memcmp(scan->text + at, word, size) != 0) {
		return REFUSED;
	}
	lay(scan, at, at + size, kind);
	scan->at = at + size;
	return DONE;
}

HOT size_t skip_digits(const struct scan *scan, size_t at)
{
	while (at < scan->size && scan->text[at] >= '0' && scan->text[at] <= '9') {
		at++;
	}
	return at;
}

HOT enum step read_number(struct scan *scan, size_t start)
{
	const char *text = scan->text;
	bool negative = text[start] == '-';
	size_t digits = start + negative;
	size_t end = skip_digits(scan, digits);
	if (end == digits) {
		return REFUSED;
	}
	uint32_t kind = negative && text[digits] == '0' ? DAL_JSON_FLOAT : DAL_JSON_INTEGER;
	if (end < scan->size && text[end] == '.') {
		kind = DAL_JSON_FLOAT;
		end = skip_digits(scan, end + 1);
	}
	if (end < scan->size && (text[end] | 0x20) == 'e') {
		kind = DAL_JSON_FLOAT;
		end++;
		end += end < scan->size && (text[end] == '+' || text[end] == '-');
		end = skip_digits(scan, end);
	}
	lay(scan, start, end, kind);
	scan->at = end;
	return DONE;
}

HOT enum step read_scalar(struct scan *scan, size_t at)
{
	switch (scan->text[at]) {
	case '"':
		return read_string(scan, at);
	case 't':
		return read_word(scan, at, "true", 4, DAL_JSON_TRUE);
	case 'f':
		return read_word(scan, at, "false", 5, DAL_JSON_FALSE);
	case 'n':
		return read_word(scan, at, "null", 4, DAL_JSON_NULL);
	case '-':
	case '0' ... '9':
		return read_number(scan, at);
	default:
		return REFUSED;
	}
}

HOT enum step open_container(struct scan *scan, const struct dal_json_field *field, size_t at)
{
	struct frame *above = scan->top;
	if (above == scan->bottom + DAL_LIMIT_JSON_WRAPPED_DEPTH) {
		return REFUSED;
	}
	bool array = scan->text[at] == '[';
	struct frame *frame = ++scan->top;
	*frame = (struct frame){
		.field = field,
		.serial = ++scan->json->parser->serial,
		.node = scan->count,
		.lacking = field->count,
		.array = array,
		.more = above->more || above->array || above->lacking > 0,
	};
	lay(scan, at, 0, array ? DAL_JSON_ARRAY : DAL_JSON_OBJECT);
	pass(scan, at + 1);
	scan->at = at + 1;
	return MORE;
}

HOT void close_container(struct scan *scan, size_t end)
{
	const struct frame *frame = scan->top--;
	struct dal_json_node *node = &scan->nodes[frame->node];
	node->end = (uint32_t)end;
	node->next = scan->count;
	node->info |= frame->count << 4;
	scan->at = end;
}

/* The opening quote of the key that ends at `close`, of which only the end is in this block. */
COLD size_t find_opening(const char *text, size_t close)
{
	size_t at = close;
	while (at > 0) {
		size_t backslash = --at;
		if (text[at] != '"') {
			continue;
		}
		while (backslash > 0 && text[backslash - 1] == '\\') {
			backslash--;
		}
		if ((at - backslash) % 2 == 0) {
			break;
		}
	}
	return at;
}

/* The key before a colon: its closing quote is the last before it, its opening the last but one. */
HOT bool key_before(const struct scan *scan, size_t colon, size_t *start, size_t *end)
{
	size_t close = colon - 1;
	while (is_space(scan->text[close])) {
		close--;
	}
	if (scan->text[close] != '"') {
		return false;
	}
	size_t open;
	if (close >= scan->base) {
		uint64_t before = scan->quotes & ~from_bit(close - scan->base);
		open = before ? scan->base + last_bit(before) : scan->quote;
	} else {
		open = find_opening(scan->text, close);
	}
	*start = open + 1;
	*end = close;
	return true;
}

/* A key that has escapes is compared as what it stands for. */
COLD const struct dal_json_name *find_escaped(const struct dal_json *json,
					      const struct dal_json_field *field, size_t start,
					      size_t end)
{
	struct dal_slice key = dal_json_unescape(json, start, end);
	return dal_json_name_slot(field, key.data, key.size);
}

/* A colon in an object that is kept: the value behind it is laid if the key before it is a name. */
HOT enum step read_member(struct scan *scan, size_t colon)
{
	size_t start, end;
	if (!key_before(scan, colon, &start, &end)) {
		return REFUSED;
	}
	struct frame *frame = scan->top;
	uint32_t info = string_info(scan, start, end);
	const struct dal_json_name *name;
	if (__builtin_expect(info == DAL_JSON_STRING, 1)) {
		name = dal_json_name_slot(frame->field, scan->text + start, end - start);
	} else {
		name = find_escaped(scan->json, frame->field, start, end);
	}
	if (name->field == 0 || scan->seen[name->field] == frame->serial) {
		return DONE;
	}
	scan->seen[name->field] = frame->serial;
	frame->lacking--;
	size_t at = skip_space(scan, colon + 1);
	if (at >= scan->size) {
		return REFUSED;
	}
	bool container = (scan->text[at] | 0x20) == '{';
	if (!container && !name->leaf) {
		return DONE;
	}
	make_room(scan);
	frame->count++;
	lay(scan, start, end, info | name->field << 4);
	return container ? open_container(scan, &scan->names->fields[name->field], at)
			 : read_scalar(scan, at);
}

/* DONE when the object is closed or all is found, MORE when a container in it was opened. */
HOT enum step scan_object(struct scan *scan)
{
	size_t at;
	while (scan->top->lacking > 0) {
		at = next_bit(scan);
		if (at == scan->size) {
			return REFUSED;
		}
		char c = scan->text[at];
		if (c == ':') {
			enum step step = read_member(scan, at);
			if (step != DONE) {
				return step;
			}
		} else if ((c | 0x20) == '{') {
			if (skip_container(scan) == scan->size) {
				return REFUSED;
			}
		} else {
			close_container(scan, at + 1);
			return MORE;
		}
	}
	if (!scan->top->more) {
		return DONE;
	}
	at = skip_container(scan);
	if (at == scan->size) {
		return REFUSED;
	}
	close_container(scan, at + 1);
	return MORE;
}

/* The next element that is kept, or the closing bracket. */
HOT size_t next_element(struct scan *scan)
{
	if (!scan->top->field->leaf) {
		return next_bit(scan);
	}
	size_t at = scan->at;
	while (at < scan->size && (scan->text[at] == ',' || is_space(scan->text[at]))) {
		at++;
	}
	return at;
}

HOT enum step scan_array(struct scan *scan)
{
	enum step step;
	do {
		size_t at = next_element(scan);
		if (at >= scan->size) {
			return REFUSED;
		}
		char c = scan->text[at];
		if (c == ']') {
			pass(scan, at + 1);
			close_container(scan, at + 1);
			return MORE;
		}
		make_room(scan);
		scan->top->count++;
		step = (c | 0x20) == '{' ? open_container(scan, scan->top->field, at)
					 : read_scalar(scan, at);
	} while (step == DONE);
	return step;
}

/* Closes what is open where the scan stopped. */
HOT void close_all(struct scan *scan)
{
	while (scan->top > scan->bottom) {
		close_container(scan,
				scan->base + BLOCK < scan->size ? scan->base + BLOCK : scan->size);
	}
}

HOT enum step scan_root(struct scan *scan)
{
	size_t at = skip_space(scan, 0);
	if (at == scan->size) {
		return REFUSED;
	}
	make_room(scan);
	read_block(scan);
	pass(scan, at);
	if ((scan->text[at] | 0x20) != '{') {
		return read_scalar(scan, at);
	}
	enum step step = open_container(scan, &scan->names->fields[0], at);
	while (step == MORE && scan->top > scan->bottom) {
		step = scan->top->array ? scan_array(scan) : scan_object(scan);
	}
	return step;
}

int DAL_JSON_SELECT(struct dal_json *json, struct dal_slice text,
		    const struct dal_json_names *names)
{
	struct frame frames[1 + DAL_LIMIT_JSON_WRAPPED_DEPTH];
	frames[0] = (struct frame){0};
	if (!dal_json_start_selected(json, text, names->count)) {
		return DAL_JSON_INVALID;
	}
	struct scan scan = {
		.text = text.data,
		.size = text.size,
		.names = names,
		.json = json,
		.nodes = json->nodes,
		.capacity = (uint32_t)json->parser->node_capacity,
		.seen = json->parser->seen,
		.top = frames,
		.bottom = frames,
	};
	if (scan_root(&scan) == REFUSED) {
		return DAL_JSON_INVALID;
	}
	close_all(&scan);
	json->count = scan.count;
	return 0;
}
