#include "connectors/percent.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool dal_percent_decode(struct dal_slice text, bool form, struct dal_buffer *out)
{
	char *to = dal_buffer_reserve(out, text.size + 1);
	size_t size = 0;

	for (size_t i = 0; i < text.size; i++) {
		char c = form && text.data[i] == '+' ? ' ' : text.data[i];
		if (c == '%') {
			int high = i + 2 < text.size ? hex(text.data[i + 1]) : -1;
			int low = i + 2 < text.size ? hex(text.data[i + 2]) : -1;
			if (high < 0 || low < 0) {
				return false;
			}
			c = (char)(high << 4 | low);
			i += 2;
		}
		to[size++] = c;
	}
	out->size += size;
	return true;
}
