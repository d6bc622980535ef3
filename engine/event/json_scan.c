#include "engine/event/json_parser.h"
#include "engine/event/utf8.h"

static bool found(struct dal_json_error *error, size_t position, const char *reason)
{
	*error = (struct dal_json_error){position, reason};
	return true;
}

static bool is_plain(struct dal_slice text, size_t at)
{
	unsigned char c = at < text.size ? (unsigned char)text.data[at] : 0;
	return c >= 0x20 && c < 0x80;
}

/* Slow, and only for texts that are refused. A backslash hides what follows it, outside strings
 * too. */
bool dal_json_explain(struct dal_slice text, struct dal_json_error *error)
{
	struct dal_json_error weak = {0, "not valid JSON"};
	bool inside = false;
	size_t quote = 0, size;
	for (size_t at = 0; at < text.size; at += size) {
		char c = text.data[at];
		size = dal_utf8_size(text.data + at, text.size - at);
		if (size == 0) {
			return found(error, at, "not UTF-8");
		}
		if (inside && (unsigned char)c < 0x20) {
			return found(error, at, "control character in a string");
		}
		if (c == '\\' && is_plain(text, at + 1)) {
			size = 2;
		} else if (c == '\\' && inside && weak.position == 0) {
			weak = (struct dal_json_error){at, "unknown escape"};
		} else if (c == '"') {
			inside = !inside;
			quote = at;
		}
	}
	if (inside) {
		return found(error, quote, "string without an end");
	}
	*error = weak;
	return false;
}
