#include "rules/casefold.h"

#include "engine/event/utf8.h"

uint32_t dal_casefold(uint32_t character)
{
	size_t low = 0, high = dal_casefold_range_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct dal_casefold_range *range = &dal_casefold_ranges[middle];
		if (character > range->last) {
			low = middle + 1;
		} else if (character < range->first) {
			high = middle;
		} else if ((character - range->first) % range->stride == 0) {
			return (uint32_t)((int32_t)character + range->delta);
		} else {
			break;
		}
	}
	return character;
}

/* Of a character of more than one byte; `size` is as its first byte says. */
static uint32_t decode(const char *at, size_t size)
{
	uint32_t character = (unsigned char)*at & (0x7Fu >> size);
	for (size_t i = 1; i < size; i++) {
		character = character << 6 | ((unsigned char)at[i] & 0x3F);
	}
	return character;
}

void dal_casefold_append(struct dal_buffer *out, struct dal_slice text)
{
	/* The worst that can happen: 2 bytes (U+023A) become 3 (U+2C65). */
	char *to = dal_buffer_reserve(out, text.size + text.size / 2 + 1);
	const char *start = to;

	for (size_t at = 0; at < text.size;) {
		unsigned char c = (unsigned char)text.data[at];
		if (c < 0x80) {
			*to++ = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
			at++;
			continue;
		}
		size_t size = dal_utf8_size(text.data + at, text.size - at);
		if (size == 0) { /* not UTF-8: as it is */
			*to++ = (char)c;
			at++;
			continue;
		}
		to += dal_utf8_encode(dal_casefold(decode(text.data + at, size)), to);
		at += size;
	}
	out->size += (size_t)(to - start);
}
