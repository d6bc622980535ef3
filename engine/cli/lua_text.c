#include "engine/cli/lua_text.h"

#include <string.h>

enum { LINE_BYTES = 84, EXACT_DIGITS = 15 };

void dal_lua_put_string(struct dal_buffer *out, struct dal_slice text)
{
	dal_buffer_byte(out, '"');
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c == '"' || c == '\\') {
			dal_buffer_printf(out, "\\%c", c);
		} else if (c == '\n') {
			dal_buffer_text(out, "\\n");
		} else if (c < 0x20 || c == 0x7F) {
			dal_buffer_printf(out, "\\x%02x", c);
		} else {
			dal_buffer_byte(out, (char)c);
		}
	}
	dal_buffer_byte(out, '"');
}

static bool is_word(struct dal_slice text)
{
	static const char *const reserved[] = {"and",   "break",  "do",     "else",     "elseif",
					       "end",   "false",  "for",    "function", "goto",
					       "if",    "in",     "local",  "nil",      "not",
					       "or",    "repeat", "return", "then",     "true",
					       "until", "while"};
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";

	if (text.size == 0 || !memchr(letters, text.data[0], sizeof(letters) - 1)) {
		return false;
	}
	for (size_t i = 1; i < text.size; i++) {
		if (!memchr(letters, text.data[i], sizeof(letters) - 1) &&
		    (text.data[i] < '0' || text.data[i] > '9')) {
			return false;
		}
	}
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		if (dal_slice_is(text, reserved[i])) {
			return false;
		}
	}
	return true;
}

static void put_scalar(struct dal_buffer *out, const struct dal_json *json, uint32_t node)
{
	if (dal_json_kind(json, node) == DAL_JSON_STRING) {
		dal_lua_put_string(out, dal_json_string(json, node));
	} else {
		dal_buffer_slice_append(out, dal_json_raw(json, node)); /* null, true, 12, 1.5e3 */
	}
}

static void put_key(struct dal_buffer *out, struct dal_slice key)
{
	if (is_word(key)) {
		dal_buffer_slice_append(out, key);
	} else {
		dal_buffer_byte(out, '[');
		dal_lua_put_string(out, key);
		dal_buffer_byte(out, ']');
	}
	dal_buffer_text(out, " = ");
}

/* How a container's members are set apart; depth < 0: all on one line. */
static void put_break(struct dal_buffer *out, int depth)
{
	if (depth < 0) {
		dal_buffer_byte(out, ' ');
		return;
	}
	dal_buffer_byte(out, '\n');
	for (int i = 0; i < depth; i++) {
		dal_buffer_byte(out, '\t');
	}
}

static void put_value(struct dal_buffer *out, const struct dal_json *json, uint32_t node, int depth,
		      const char *but);

static void put_members(struct dal_buffer *out, const struct dal_json *json, uint32_t node,
			int depth, const char *but)
{
	bool object = dal_json_kind(json, node) == DAL_JSON_OBJECT, first = true;
	int inner = depth < 0 ? depth : depth + 1;
	uint32_t at = node + 1;

	dal_buffer_byte(out, '{');
	for (uint32_t i = 0; i < dal_json_count(json, node); i++) {
		struct dal_slice key = object ? dal_json_string(json, at) : (struct dal_slice){0};

		at += object;
		if (!but || !dal_slice_is(key, but)) {
			dal_buffer_text(out, first || depth >= 0 ? "" : ",");
			put_break(out, inner);
			if (object) {
				put_key(out, key);
			}
			put_value(out, json, at, inner, NULL);
			dal_buffer_text(out, depth >= 0 ? "," : "");
			first = false;
		}
		at = dal_json_next(json, at);
	}
	if (!first) {
		put_break(out, depth);
	}
	dal_buffer_byte(out, '}');
}

static void put_value(struct dal_buffer *out, const struct dal_json *json, uint32_t node, int depth,
		      const char *but)
{
	enum dal_json_kind kind = dal_json_kind(json, node);
	size_t size = out->size;

	if (kind != DAL_JSON_OBJECT && kind != DAL_JSON_ARRAY) {
		put_scalar(out, json, node);
		return;
	}
	put_members(out, json, node, -1, but);
	if (depth >= 0 && out->size - size > LINE_BYTES) {
		out->size = size;
		put_members(out, json, node, depth, but);
	}
}

void dal_lua_put(struct dal_buffer *out, const struct dal_json *json, uint32_t node, int depth,
		 const char *but)
{
	put_value(out, json, node, depth, but);
}

/* binary64 holds every number of so many digits, and the rules compare others as text. */
static bool is_exact_float(const struct dal_json *json, uint32_t node)
{
	struct dal_slice raw = dal_json_raw(json, node);
	size_t digits = 0;

	for (size_t i = 0; i < raw.size && raw.data[i] != 'e' && raw.data[i] != 'E'; i++) {
		digits += raw.data[i] >= '0' && raw.data[i] <= '9';
	}
	return digits <= EXACT_DIGITS;
}

bool dal_lua_is_exact(const struct dal_json *json, uint32_t node)
{
	uint32_t end = dal_json_next(json, node);
	enum dal_json_kind kind;

	for (; node < end; node++) { /* the tape holds all of it in a row */
		kind = dal_json_kind(json, node);
		if ((kind == DAL_JSON_ARRAY && dal_json_count(json, node) == 0) ||
		    (kind == DAL_JSON_FLOAT && !is_exact_float(json, node))) {
			return false;
		}
	}
	return true;
}
