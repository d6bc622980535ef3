#include "engine/event/json_parser.h"
#include "engine/event/utf8.h"

static void set(struct dal_json_error *error, size_t position, const char *reason)
{
	*error = (struct dal_json_error){position, reason};
}

/*
 * Slow, and only for texts that are refused. Outside strings a backslash hides a quote from the
 * first stage; it is a mistake itself, so the walk ends there.
 */
void dal_json_explain(struct dal_slice text, struct dal_json_error *error)
{
	bool inside = false;
	size_t quote = 0;
	for (size_t at = 0; at < text.size;) {
		unsigned char c = (unsigned char)text.data[at];
		size_t size = dal_utf8_size(text.data + at, text.size - at);
		if (size == 0) {
			set(error, at, "not UTF-8");
			return;
		}
		if (inside && c < 0x20) {
			set(error, at, "control character in a string");
			return;
		}
		if (c == '\\') {
			if (!inside) {
				set(error, at, "expected a value");
				return;
			}
			/* What is escaped is one byte of ASCII, or refused in its own right. */
			size += at + 1 < text.size && (unsigned char)text.data[at + 1] >= 0x20 &&
				(unsigned char)text.data[at + 1] < 0x80;
		} else if (c == '"') {
			inside = !inside;
			quote = at;
		}
		at += size;
	}
	set(error, quote, "string without an end");
}
