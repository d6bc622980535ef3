/*
 * The grammar of RFC 9485, section 3:
 *
 *	choice   = branch *( "|" branch )
 *	branch   = *piece
 *	piece    = atom [ "*" / "+" / "?" / "{" n [ "," [ m ] ] "}" ]
 *	atom     = character / "." / "[" ... "]" / "\" ... / "(" choice ")"
 *
 * It has `^` and `$` stand for themselves. We refuse them where other dialects have anchors, at the
 * ends of a branch: who writes them there means anchors, and would wonder why nothing matches.
 */
#include "engine/base/limits.h"
#include "engine/event/utf8.h"
#include "rules/regexp_tree.h"

static struct dal_regexp_node *read_choice(struct dal_regexp_reader *reader);

void *dal_regexp_refuse(struct dal_regexp_reader *reader, size_t position, const char *message)
{
	if (!reader->message) {
		reader->message = message;
		reader->position = position;
	}
	return NULL;
}

int dal_regexp_peek(const struct dal_regexp_reader *reader, size_t ahead)
{
	size_t at = reader->at + ahead;
	return at < reader->source.size ? (unsigned char)reader->source.data[at] : -1;
}

bool dal_regexp_character(struct dal_regexp_reader *reader, uint32_t *character)
{
	const char *text = reader->source.data + reader->at;
	size_t size = dal_utf8_size(text, reader->source.size - reader->at);

	if (size == 0) {
		dal_regexp_refuse(reader, reader->at, "not valid UTF-8: write the text in UTF-8");
		return false;
	}
	*character = dal_utf8_decode(text, size);
	reader->at += size;
	return true;
}

static struct dal_regexp_node *new_node(struct dal_regexp_reader *reader, enum dal_regexp_kind kind,
					uint64_t positions)
{
	if (positions > DAL_LIMIT_REGEXP_POSITIONS) {
		return dal_regexp_refuse(
			reader, reader->at,
			"too many characters and classes, with repetitions written out: 500 at "
			"the most");
	}
	struct dal_regexp_node *node = dal_arena_take(reader->arena, sizeof(*node));
	node->kind = kind;
	node->positions = (uint32_t)positions;
	return node;
}

/* A group's mark of another dialect, behind "(?". */
static const char *group_mistake(int mark, int second)
{
	if (mark == '=' || mark == '!' || (mark == '<' && (second == '=' || second == '!'))) {
		return "there are no lookarounds in I-Regexp (RFC 9485): use a second pattern, or "
		       "anything-but";
	}
	if (mark == ':') {
		return "there is no (?: in I-Regexp (RFC 9485): write ( alone";
	}
	if (mark == 'P' || mark == '<') {
		return "groups have no names in I-Regexp (RFC 9485): write ( alone";
	}
	return "there is no (? in I-Regexp (RFC 9485): for either case write classes like [aA]";
}

static struct dal_regexp_node *read_group(struct dal_regexp_reader *reader)
{
	size_t start = reader->at++;

	if (dal_regexp_peek(reader, 0) == '?') {
		return dal_regexp_refuse(reader, start,
					 group_mistake(dal_regexp_peek(reader, 1),
						       dal_regexp_peek(reader, 2)));
	}
	if (++reader->depth > DAL_LIMIT_REGEXP_DEPTH) {
		return dal_regexp_refuse(reader, start, "parentheses nested deeper than 50");
	}
	struct dal_regexp_node *node = read_choice(reader);
	if (!node) {
		return NULL;
	}
	if (dal_regexp_peek(reader, 0) != ')') {
		return dal_regexp_refuse(
			reader, start, "this ( is never closed: add a ), or write \\( for itself");
	}
	reader->at++;
	reader->depth--;
	return node;
}

static bool ends_branch(int byte)
{
	return byte == -1 || byte == '|' || byte == ')';
}

static const char *character_mistake(int byte)
{
	switch (byte) {
	case '*':
	case '+':
	case '?':
		return "nothing stands before this to be repeated: for itself write \\ before it";
	case '{':
		return "nothing stands before { to be repeated: for itself write \\{";
	case '}':
		return "no { belongs to this }: for itself write \\}";
	case ']':
		return "no [ belongs to this ]: for itself write \\]";
	default:
		return NULL;
	}
}

static struct dal_regexp_node *read_normal(struct dal_regexp_reader *reader, bool first)
{
	size_t start = reader->at;
	uint32_t character;
	const char *mistake = character_mistake(dal_regexp_peek(reader, 0));

	if (!mistake && !dal_regexp_character(reader, &character)) {
		return NULL;
	}
	if (!mistake && character == '^' && first) {
		mistake = "the whole value is matched: leave ^ out, or write \\^ for itself";
	}
	if (!mistake && character == '$' && ends_branch(dal_regexp_peek(reader, 0))) {
		mistake = "the whole value is matched: leave $ out, or write [$] for itself";
	}
	if (mistake) {
		return dal_regexp_refuse(reader, start, mistake);
	}
	struct dal_regexp_node *node = new_node(reader, DAL_REGEXP_CHARACTER, 1);
	node->character = character;
	return node;
}

static struct dal_regexp_node *read_atom(struct dal_regexp_reader *reader, bool first)
{
	switch (dal_regexp_peek(reader, 0)) {
	case '(':
		return read_group(reader);
	case '[':
		return dal_regexp_read_class(reader);
	case '.':
		return dal_regexp_read_dot(reader);
	case '\\':
		return dal_regexp_read_escape(reader);
	default:
		return read_normal(reader, first);
	}
}

/* Digits; what is far too large stays too large. False: there is none. */
static bool read_number(struct dal_regexp_reader *reader, uint32_t *number)
{
	size_t start = reader->at;
	int byte;

	*number = 0;
	while ((byte = dal_regexp_peek(reader, 0)) >= '0' && byte <= '9') {
		*number = *number > 100000000 ? *number : *number * 10 + (uint32_t)(byte - '0');
		reader->at++;
	}
	return reader->at > start;
}

/* Behind a `{`, up to and with its `}`. */
static bool read_range(struct dal_regexp_reader *reader, uint32_t *min, uint32_t *max)
{
	if (!read_number(reader, min)) {
		return false;
	}
	*max = *min;
	if (dal_regexp_peek(reader, 0) == ',') {
		reader->at++;
		if (!read_number(reader, max)) {
			*max = DAL_REGEXP_ENDLESS;
		}
	}
	return dal_regexp_peek(reader, 0) == '}' && reader->at++ > 0;
}

static bool is_quantifier(int byte)
{
	return byte == '*' || byte == '+' || byte == '?' || byte == '{';
}

static const char *second_quantifier(int byte)
{
	switch (byte) {
	case '?':
		return "there are no lazy quantifiers in I-Regexp (RFC 9485): leave this ? out, it "
		       "makes no difference when the whole value is matched";
	case '+':
		return "there are no possessive quantifiers in I-Regexp (RFC 9485): leave this + "
		       "out";
	default:
		return "a quantifier behind a quantifier: put what comes before into ( )";
	}
}

static bool read_quantifier(struct dal_regexp_reader *reader, uint32_t *min, uint32_t *max)
{
	size_t start = reader->at;
	char mark = reader->source.data[reader->at++];

	*min = mark == '+';
	*max = mark == '?' ? 1 : DAL_REGEXP_ENDLESS;
	if (mark == '{') {
		if (!read_range(reader, min, max)) {
			dal_regexp_refuse(reader, start,
					  "write {2}, {2,} or {2,5}, or \\{ for a { itself");
		} else if (*max < *min) {
			dal_regexp_refuse(reader, start,
					  "the first number is larger than the second: write the "
					  "smaller one first");
		}
	}
	if (is_quantifier(dal_regexp_peek(reader, 0))) {
		dal_regexp_refuse(reader, reader->at,
				  second_quantifier(dal_regexp_peek(reader, 0)));
	}
	return !reader->message;
}

/* One of ? * + and no other range. */
static bool is_simple(const struct dal_regexp_node *node)
{
	return node->kind == DAL_REGEXP_REPEAT && node->min <= 1 &&
	       (node->max == DAL_REGEXP_ENDLESS || node->max == 1);
}

static struct dal_regexp_node *repeat(struct dal_regexp_reader *reader,
				      struct dal_regexp_node *item, uint32_t min, uint32_t max)
{
	uint64_t copies = max == DAL_REGEXP_ENDLESS ? (min > 0 ? min : 1) : max;

	if (max == 0 || item->kind == DAL_REGEXP_EMPTY) {
		return new_node(reader, DAL_REGEXP_EMPTY, 0);
	}
	if (min == 1 && max == 1) {
		return item;
	}
	struct dal_regexp_node *node = new_node(reader, DAL_REGEXP_REPEAT,
						item->positions * copies);
	if (!node) {
		return NULL;
	}
	*node = (struct dal_regexp_node){.kind = DAL_REGEXP_REPEAT,
					 .positions = node->positions,
					 .min = min,
					 .max = max,
					 .last = item};
	if (is_simple(node) && is_simple(item)) {
		node->min = min < item->min ? min : item->min;
		node->max = max > item->max ? max : item->max;
		node->last = item->last;
	}
	return node;
}

static struct dal_regexp_node *read_piece(struct dal_regexp_reader *reader, bool first)
{
	struct dal_regexp_node *item = read_atom(reader, first);
	size_t start = reader->at;
	uint32_t min, max;

	if (!item || !is_quantifier(dal_regexp_peek(reader, 0))) {
		return item;
	}
	if (!read_quantifier(reader, &min, &max)) {
		return NULL;
	}
	size_t end = reader->at;
	reader->at = start; /* where too many repetitions are reported */
	struct dal_regexp_node *node = repeat(reader, item, min, max);
	reader->at = end;
	return node;
}

/* A list of items, without empty ones; a list of one is its item. */
struct list {
	struct dal_regexp_node *last;
	uint32_t count;
	uint64_t positions;
	bool empty; /* an empty one was left out */
};

static bool append(struct list *list, struct dal_regexp_node *item)
{
	if (!item) {
		return false;
	}
	if (item->kind == DAL_REGEXP_EMPTY) {
		list->empty = true;
	} else {
		item->before = list->last;
		list->last = item;
		list->count++;
		list->positions += item->positions;
	}
	return true;
}

static struct dal_regexp_node *join(struct dal_regexp_reader *reader, const struct list *list,
				    enum dal_regexp_kind kind)
{
	if (list->count == 1) {
		return list->last;
	}
	struct dal_regexp_node *node = new_node(reader, list->count == 0 ? DAL_REGEXP_EMPTY : kind,
						list->positions);
	if (node) {
		node->last = list->last;
	}
	return node;
}

static struct dal_regexp_node *read_branch(struct dal_regexp_reader *reader)
{
	struct list list = {0};
	bool first = true;

	while (!ends_branch(dal_regexp_peek(reader, 0))) {
		if (!append(&list, read_piece(reader, first))) {
			return NULL;
		}
		first = false;
	}
	return join(reader, &list, DAL_REGEXP_SEQUENCE);
}

static struct dal_regexp_node *read_choice(struct dal_regexp_reader *reader)
{
	struct list list = {0};

	if (!append(&list, read_branch(reader))) {
		return NULL;
	}
	while (dal_regexp_peek(reader, 0) == '|') {
		reader->at++;
		if (!append(&list, read_branch(reader))) {
			return NULL;
		}
	}
	struct dal_regexp_node *node = join(reader, &list, DAL_REGEXP_CHOICE);
	return node && list.empty ? repeat(reader, node, 0, 1) : node;
}

const char *dal_regexp_parse(struct dal_arena *arena, struct dal_slice source,
			     const struct dal_regexp **regexp, size_t *position)
{
	struct dal_regexp_reader reader = {.arena = arena, .source = source};
	struct dal_regexp_node *root = read_choice(&reader);

	if (root && reader.at < source.size) {
		dal_regexp_refuse(&reader, reader.at,
				  "no ( belongs to this ): for itself write \\)");
	}
	if (reader.message) {
		*position = reader.position;
		return reader.message;
	}
	*regexp = dal_regexp_new(arena, root);
	return NULL;
}
