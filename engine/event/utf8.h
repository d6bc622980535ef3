/*
 * UTF-8 (RFC 3629), one character at a time: for what is rare.
 */
#ifndef DAL_EVENT_UTF8_H
#define DAL_EVENT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/slice.h"

#define DAL_UTF8_REPLACEMENT 0xFFFDu

/* The size of the character at the start of `text`; 0 if there is no valid one, or nothing. */
static inline size_t dal_utf8_size(const char *text, size_t size)
{
	const unsigned char *s = (const unsigned char *)text;
	if (size == 0) {
		return 0;
	}
	if (s[0] < 0x80) {
		return 1;
	}
	size_t n = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
	if (s[0] < 0xC2 || s[0] > 0xF4 || size < n) {
		return 0;
	}
	/* The second byte's range excludes overlong forms, surrogates, what is past U+10FFFF. */
	unsigned char low = s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : 0x80;
	unsigned char high = s[0] == 0xED ? 0x9F : s[0] == 0xF4 ? 0x8F : 0xBF;
	if (s[1] < low || s[1] > high) {
		return 0;
	}
	for (size_t i = 2; i < n; i++) {
		if ((s[i] & 0xC0) != 0x80) {
			return 0;
		}
	}
	return n;
}

/* Is all of it valid? */
static inline bool dal_utf8_valid(struct dal_slice text)
{
	for (size_t i = 0; i < text.size;) {
		size_t size = dal_utf8_size(text.data + i, text.size - i);
		if (size == 0) {
			return false;
		}
		i += size;
	}
	return true;
}

/* The code of the valid character at `text`, of that size. */
static inline uint32_t dal_utf8_decode(const char *text, size_t size)
{
	const unsigned char *s = (const unsigned char *)text;
	uint32_t code = size == 1 ? s[0] : s[0] & (0x7Fu >> size);
	for (size_t i = 1; i < size; i++) {
		code = code << 6 | (s[i] & 0x3Fu);
	}
	return code;
}

/* Writes up to 4 bytes, gives how many. `code` is a Unicode scalar value. */
static inline size_t dal_utf8_encode(uint32_t code, char *out)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xC0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3F));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xE0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3F));
		out[2] = (char)(0x80 | (code & 0x3F));
		return 3;
	}
	out[0] = (char)(0xF0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3F));
	out[2] = (char)(0x80 | (code >> 6 & 0x3F));
	out[3] = (char)(0x80 | (code & 0x3F));
	return 4;
}

#endif
