/*
 * Sets of characters: the dot, escapes, and class expressions:
 *
 *	class = "[" [ "^" ] ( "-" / item ) *item [ "-" ] "]"
 *	item  = character [ "-" character ] / "\p{" name "}" / "\P{" name "}"
 */
#include <stdlib.h>

#include "engine/base/memory.h"
#include "rules/regexp_category.h"
#include "rules/regexp_tree.h"

/* `category` is its bit, or 0: it is looked up if it is needed. */
static bool class_search(const struct dal_regexp_class *class, uint32_t character,
			 uint32_t category)
{
	uint32_t low = 0, high = class->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (class->ranges[middle].last < character) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	bool is = low < class->count && class->ranges[low].first <= character;
	if (!is && class->categories != 0) {
		is = class->categories & (category ? category : dal_regexp_category(character));
	}
	return is != class->negated;
}

bool dal_regexp_class_has_known(const struct dal_regexp_class *class, uint32_t character,
				uint32_t category)
{
	if (character < 128) {
		return class->ascii[character / 64] >> (character % 64) & 1;
	}
	return class_search(class, character, category);
}

bool dal_regexp_class_has(const struct dal_regexp_class *class, uint32_t character)
{
	return dal_regexp_class_has_known(class, character, 0);
}

size_t dal_regexp_class_size(const struct dal_regexp_class *class)
{
	return sizeof(*class) + class->count * sizeof(class->ranges[0]);
}

/* What is inside the brackets, as it is written. */
struct content {
	struct dal_regexp_range *ranges;
	uint32_t count, capacity;
	uint32_t categories;
	bool negated;
};

static void add_range(struct content *content, uint32_t first, uint32_t last)
{
	DAL_GROW(content->ranges, content->count, content->capacity);
	content->ranges[content->count++] = (struct dal_regexp_range){first, last};
}

static int by_first(const void *left, const void *right)
{
	uint32_t a = ((const struct dal_regexp_range *)left)->first;
	uint32_t b = ((const struct dal_regexp_range *)right)->first;
	return a < b ? -1 : a > b;
}

/* Sorts them, and joins those that touch. */
static void tidy(struct content *content)
{
	uint32_t count = 0;

	if (content->count > 0) {
		qsort(content->ranges, content->count, sizeof(content->ranges[0]), by_first);
	}
	for (uint32_t i = 0; i < content->count; i++) {
		struct dal_regexp_range range = content->ranges[i];
		struct dal_regexp_range *last = count > 0 ? &content->ranges[count - 1] : NULL;
		if (last && range.first <= last->last + 1) {
			last->last = range.last > last->last ? range.last : last->last;
		} else {
			content->ranges[count++] = range;
		}
	}
	content->count = count;
}

/* Consumes the content. */
static struct dal_regexp_node *new_class(struct dal_regexp_reader *reader, struct content *content)
{
	struct dal_regexp_node *node = dal_arena_take(reader->arena, sizeof(*node));
	size_t size = content->count * sizeof(content->ranges[0]);

	tidy(content);
	node->positions = 1;
	if (!content->negated && content->categories == 0 && content->count == 1 &&
	    content->ranges[0].first == content->ranges[0].last) {
		node->kind = DAL_REGEXP_CHARACTER;
		node->character = content->ranges[0].first;
	} else {
		struct dal_regexp_class *class = dal_arena_take(reader->arena,
								sizeof(*class) + size);
		class->categories = content->categories;
		class->negated = content->negated;
		class->count = content->count;
		for (uint32_t i = 0; i < content->count; i++) {
			class->ranges[i] = content->ranges[i];
		}
		for (uint32_t i = 0; i < 128; i++) {
			class->ascii[i / 64] |= (uint64_t)class_search(class, i, 0) << (i % 64);
		}
		node->kind = DAL_REGEXP_CLASS;
		node->class = class;
	}
	free(content->ranges);
	return node;
}

static const char *escape_mistake(int byte)
{
	switch (byte) {
	case -1:
		return "nothing follows this backslash: write \\\\ for itself";
	case 'd':
		return "\\d is not in I-Regexp (RFC 9485): write [0-9]";
	case 'D':
		return "\\D is not in I-Regexp (RFC 9485): write [^0-9]";
	case 'w':
		return "\\w is not in I-Regexp (RFC 9485): write [A-Za-z0-9_]";
	case 'W':
		return "\\W is not in I-Regexp (RFC 9485): write [^A-Za-z0-9_]";
	case 's':
		return "\\s is not in I-Regexp (RFC 9485): write [ \\t\\n\\r]";
	case 'S':
		return "\\S is not in I-Regexp (RFC 9485): write [^ \\t\\n\\r]";
	case 'b':
	case 'B':
		return "there are no word boundaries in I-Regexp (RFC 9485): write the characters "
		       "that may stand there";
	case 'A':
	case 'z':
	case 'Z':
		return "the whole value is matched: leave anchors out";
	case '$':
		return "\\$ is not in I-Regexp (RFC 9485): write [$]";
	case 'u':
	case 'x':
		return "there are no code points by number in I-Regexp (RFC 9485): write the "
		       "character itself";
	default:
		if (byte >= '0' && byte <= '9') {
			return "there are no back references in I-Regexp (RFC 9485): write the "
			       "alternatives out";
		}
		return "only n r t p{..} P{..} and ( ) * + - . ? [ \\ ] ^ { | } may follow a "
		       "backslash: write the character alone";
	}
}

/* At the `p` of \p{Lu}; the mask of its categories, or 0. */
static uint32_t read_category(struct dal_regexp_reader *reader)
{
	size_t start = reader->at - 1;
	bool complement = dal_regexp_peek(reader, 0) == 'P';
	const char *name = reader->source.data + reader->at + 2;
	size_t size = 0;

	while (dal_regexp_peek(reader, 2 + size) >= 'A') {
		if (dal_regexp_peek(reader, 2 + size) == '}') {
			break;
		}
		size++;
	}
	if (dal_regexp_peek(reader, 1) != '{' || dal_regexp_peek(reader, 2 + size) != '}') {
		dal_regexp_refuse(reader, start, "a category is written like \\p{L} or \\p{Lu}");
		return 0;
	}
	uint32_t mask = dal_regexp_category_named(dal_slice(name, size));
	if (mask == 0) {
		dal_regexp_refuse(reader, start,
				  "no such category: write a general category of Unicode like L, "
				  "Lu, Nd or P (blocks and scripts are not in I-Regexp, RFC 9485)");
		return 0;
	}
	reader->at += 3 + size;
	return complement ? ~mask & DAL_REGEXP_ALL_CATEGORIES : mask;
}

/* At a backslash. False: it is refused. One of the two is set. */
static bool read_escape(struct dal_regexp_reader *reader, uint32_t *character, uint32_t *categories)
{
	size_t start = reader->at++;
	int byte = dal_regexp_peek(reader, 0);

	*character = 0;
	*categories = 0;
	if (byte == 'p' || byte == 'P') {
		*categories = read_category(reader);
		return *categories != 0;
	}
	if (byte > 0 && strchr("()*+-.?[\\]^{|}", byte)) {
		*character = (uint32_t)byte;
	} else if (byte == 'n' || byte == 'r' || byte == 't') {
		*character = byte == 'n' ? '\n' : byte == 'r' ? '\r' : '\t';
	} else {
		dal_regexp_refuse(reader, start, escape_mistake(byte));
		return false;
	}
	reader->at++;
	return true;
}

struct dal_regexp_node *dal_regexp_read_escape(struct dal_regexp_reader *reader)
{
	struct content content = {0};
	uint32_t character;

	if (!read_escape(reader, &character, &content.categories)) {
		return NULL;
	}
	if (content.categories == 0) {
		add_range(&content, character, character);
	}
	return new_class(reader, &content);
}

struct dal_regexp_node *dal_regexp_read_dot(struct dal_regexp_reader *reader)
{
	struct content content = {.negated = true};

	reader->at++;
	add_range(&content, '\n', '\n');
	add_range(&content, '\r', '\r');
	return new_class(reader, &content);
}

/* A character of a class, or a category. */
static bool read_member(struct dal_regexp_reader *reader, uint32_t *character, uint32_t *categories)
{
	size_t start = reader->at;
	int byte = dal_regexp_peek(reader, 0);

	*categories = 0;
	if (byte == '\\') {
		return read_escape(reader, character, categories);
	}
	if (byte == '[' && dal_regexp_peek(reader, 1) == ':') {
		dal_regexp_refuse(reader, start,
				  "there are no classes like [:alpha:] in I-Regexp (RFC 9485): "
				  "write their characters, or \\p{L}");
	} else if (byte == '[') {
		dal_regexp_refuse(reader, start, "within [ ] write \\[ for a [ itself");
	} else if (byte == '-' && dal_regexp_peek(reader, 1) == '[') {
		dal_regexp_refuse(reader, start,
				  "there is no subtraction of classes in I-Regexp (RFC 9485): "
				  "write the ranges that remain");
	} else if (byte == '-') {
		dal_regexp_refuse(reader, start,
				  "within [ ] a - stands between two characters, first or last: "
				  "for itself write \\-");
	} else {
		return dal_regexp_character(reader, character);
	}
	return false;
}

static bool read_item(struct dal_regexp_reader *reader, struct content *content)
{
	size_t start = reader->at;
	uint32_t first, last, categories;

	if (!read_member(reader, &first, &categories)) {
		return false;
	}
	if (categories != 0) {
		content->categories |= categories;
		return true;
	}
	last = first;
	int behind = dal_regexp_peek(reader, 1);
	if (dal_regexp_peek(reader, 0) == '-' && behind != ']' && behind != -1) {
		reader->at += behind != '[';
		if (!read_member(reader, &last, &categories)) {
			return false;
		}
		if (categories != 0 || last < first) {
			dal_regexp_refuse(reader, start,
					  categories != 0 ? "a range ends in a character, not in a "
							    "category: for - itself write \\-"
							  : "this range is empty: write the lower "
							    "character first");
			return false;
		}
	}
	add_range(content, first, last);
	return true;
}

/* Behind the [ and ^. */
static bool read_content(struct dal_regexp_reader *reader, struct content *content, size_t start)
{
	bool first = true;

	for (;; first = false) {
		int byte = dal_regexp_peek(reader, 0);
		if (byte == -1) {
			dal_regexp_refuse(reader, start,
					  "this [ is never closed: add a ], or write \\[ for "
					  "itself");
			return false;
		}
		if (byte == ']' && first) {
			dal_regexp_refuse(reader, start,
					  "an empty class: for ] or ^ themselves write \\] or \\^");
			return false;
		}
		if (byte == ']') {
			reader->at++;
			return true;
		}
		int behind = dal_regexp_peek(reader, 1);
		if (byte == '-' && (first || behind == ']' || behind == -1)) {
			reader->at++;
			add_range(content, '-', '-');
		} else if (!read_item(reader, content)) {
			return false;
		}
	}
}

struct dal_regexp_node *dal_regexp_read_class(struct dal_regexp_reader *reader)
{
	size_t start = reader->at++;
	struct content content = {.negated = dal_regexp_peek(reader, 0) == '^'};

	reader->at += content.negated;
	if (!read_content(reader, &content, start)) {
		free(content.ranges);
		return NULL;
	}
	return new_class(reader, &content);
}
