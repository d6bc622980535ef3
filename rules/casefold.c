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

/* Folds the character that begins at `*at` into `out` (at most 4 bytes) and goes behind it. */
static size_t fold_next(struct dal_slice text, size_t *at, char *out)
{
	unsigned char c = (unsigned char)text.data[*at];
	if (c < 0x80) {
		(*at)++;
		*out = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
		return 1;
	}
	size_t size = dal_utf8_size(text.data + *at, text.size - *at);
	if (size == 0) { /* not UTF-8: as it is */
		(*at)++;
		*out = (char)c;
		return 1;
	}
	*at += size;
	return dal_utf8_encode(dal_casefold(dal_utf8_decode(text.data + *at - size, size)), out);
}

void dal_casefold_append(struct dal_buffer *out, struct dal_slice text)
{
	/* The worst that can happen: 2 bytes (U+023A) become 3 (U+2C65); 4 may be written at the
	 * end. */
	char *start = dal_buffer_reserve(out, text.size + text.size / 2 + 4), *to = start;

	for (size_t at = 0; at < text.size;) {
		to += fold_next(text, &at, to);
	}
	out->size += (size_t)(to - start);
}

/* How many bytes of `value` make up `folded`, if it begins with it. */
static bool match_start(struct dal_slice value, struct dal_slice folded, size_t *used)
{
	size_t done = 0, at = 0;
	char character[4];

	while (done < folded.size) {
		if (at == value.size) {
			return false;
		}
		size_t size = fold_next(value, &at, character);
		if (size > folded.size - done || memcmp(folded.data + done, character, size) != 0) {
			return false;
		}
		done += size;
	}
	*used = at;
	return true;
}

bool dal_casefold_equal(struct dal_slice value, struct dal_slice folded)
{
	size_t used;
	return match_start(value, folded, &used) && used == value.size;
}

bool dal_casefold_starts(struct dal_slice value, struct dal_slice folded)
{
	size_t used;
	return match_start(value, folded, &used);
}

bool dal_casefold_ends(struct dal_slice value, struct dal_slice folded)
{
	size_t left = folded.size, end = value.size;
	char character[4];

	while (left > 0) {
		if (end == 0) {
			return false;
		}
		do {
			end--;
		} while (end > 0 && ((unsigned char)value.data[end] & 0xC0) == 0x80);
		size_t at = end, size = fold_next(value, &at, character);
		if (size > left || memcmp(folded.data + left - size, character, size) != 0) {
			return false;
		}
		left -= size;
	}
	return true;
}
