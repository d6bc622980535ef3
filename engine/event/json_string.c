#include "engine/base/error.h"
#include "engine/base/memory.h"
#include "engine/event/json_parser.h"
#include "engine/event/utf8.h"

/* A NUL outside the switch: what no escape stands for. */
static char simple_escape(char c)
{
	switch (c) {
	case '"':
	case '\\':
	case '/':
		return c;
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default:
		return '\0';
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The code unit of "\uXXXX" at `at`, or -1 if that is not what is there. */
static int32_t code_unit(const char *text, size_t at, size_t end)
{
	if (at > end || end - at < 6 || text[at] != '\\' || text[at + 1] != 'u') {
		return -1;
	}
	int32_t unit = 0;
	for (size_t i = at + 2; i < at + 6; i++) {
		int digit = hex_digit(text[i]);
		if (digit < 0) {
			return -1;
		}
		unit = unit * 16 + digit;
	}
	return unit;
}

static bool is_high(int32_t unit)
{
	return unit >= 0xD800 && unit < 0xDC00;
}

static bool is_low(int32_t unit)
{
	return unit >= 0xDC00 && unit < 0xE000;
}

static bool refuse(struct dal_json_error *error, size_t position, const char *reason)
{
	*error = (struct dal_json_error){position, reason};
	return false;
}

bool dal_json_check_escapes(const char *text, size_t first, size_t end, size_t *nul,
			    struct dal_json_error *error)
{
	const char *backslash = text + first;
	while (backslash) {
		size_t at = (size_t)(backslash - text);
		size_t size = 2;
		if (end - at < 2) {
			return refuse(error, at, "unfinished escape");
		}
		if (text[at + 1] == 'u') {
			int32_t unit = code_unit(text, at, end);
			if (unit < 0) {
				return refuse(error, at, "expected four hexadecimal digits");
			}
			size = is_high(unit) ? 12 : 6;
			if (is_low(unit) ||
			    (is_high(unit) && !is_low(code_unit(text, at + 6, end)))) {
				return refuse(error, at, "lone surrogate");
			}
			*nul = unit == 0 ? at : *nul;
		} else if (!simple_escape(text[at + 1])) {
			return refuse(error, at, "unknown escape");
		}
		at += size;
		backslash = memchr(text + at, '\\', end - at);
	}
	return true;
}

/*
 * Decodes one escape; never reads past `end`. What is no escape (only a trusted text can hold it)
 * gives '?' for its backslash: the content may not become longer than its source.
 */
static size_t unescape_one(const char *text, size_t at, size_t end, char **out)
{
	int32_t unit = code_unit(text, at, end);
	if (unit < 0) {
		char c = end - at < 2 ? '\0' : simple_escape(text[at + 1]);
		*(*out)++ = c ? c : '?';
		return c ? 2 : 1;
	}
	if (!is_high(unit)) {
		*out += dal_utf8_encode(is_low(unit) ? DAL_UTF8_REPLACEMENT : (uint32_t)unit, *out);
		return 6;
	}
	int32_t low = code_unit(text, at + 6, end);
	if (!is_low(low)) {
		*out += dal_utf8_encode(DAL_UTF8_REPLACEMENT, *out);
		return 6;
	}
	uint32_t code = 0x10000 + ((uint32_t)(unit & 0x3FF) << 10) + (uint32_t)(low & 0x3FF);
	*out += dal_utf8_encode(code, *out);
	return 12;
}

static size_t unescape(const char *text, size_t at, size_t end, char *out)
{
	char *begin = out;
	while (at < end) {
		const char *backslash = memchr(text + at, '\\', end - at);
		size_t plain = backslash ? (size_t)(backslash - text) - at : end - at;
		memcpy(out, text + at, plain);
		out += plain;
		at += plain;
		if (backslash) {
			at += unescape_one(text, at, end, &out);
		}
	}
	return (size_t)(out - begin);
}

struct dal_slice dal_json_unescape(const struct dal_json *json, size_t start, size_t end)
{
	struct dal_json_parser *parser = json->parser;
	if (parser->unescaped_capacity < json->size) {
		free(parser->unescaped);
		parser->unescaped = dal_malloc(json->size + DAL_JSON_PADDING);
		parser->unescaped_capacity = json->size;
	}
	char *place = parser->unescaped + start;
	return dal_slice(place, unescape(json->text, start, end, place));
}

struct dal_slice dal_json_string(const struct dal_json *json, uint32_t node)
{
	struct dal_json_node *n = &json->nodes[node];
	DAL_ASSERT(node < json->count && (n->info & 7) == DAL_JSON_STRING);
	if (!(n->info & DAL_JSON_ESCAPED)) {
		return dal_slice(json->text + n->start, n->end - n->start);
	}
	if (n->info >> 4 != 0 && !json->parser->selected) {
		return dal_slice(json->parser->unescaped + n->start, (n->info >> 4) - 1);
	}
	struct dal_slice string = dal_json_unescape(json, n->start, n->end);
	if (!json->parser->selected) {
		n->info |= (uint32_t)(string.size + 1) << 4;
	}
	return string;
}
