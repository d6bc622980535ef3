/* The text forms of bytes in digest.h: hexadecimal and base64. */
#include "engine/base/digest.h"

static const char plain_alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void dal_hex_encode(struct dal_slice data, struct dal_buffer *out)
{
	static const char digits[] = "0123456789abcdef";
	char *place = dal_buffer_reserve(out, data.size * 2);

	for (size_t i = 0; i < data.size; i++) {
		uint8_t byte = (uint8_t)data.data[i];

		*place++ = digits[byte >> 4];
		*place++ = digits[byte & 0x0f];
	}
	out->size += data.size * 2;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	if (c >= 'a' && c <= 'f') {
		return c - 'a' + 10;
	}
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool dal_hex_decode(struct dal_slice text, struct dal_buffer *out)
{
	size_t start = out->size;

	if (text.size % 2) {
		return false;
	}
	for (size_t i = 0; i < text.size; i += 2) {
		int high = hex_digit(text.data[i]);
		int low = hex_digit(text.data[i + 1]);

		if (high < 0 || low < 0) {
			out->size = start;
			return false;
		}
		dal_buffer_byte(out, (char)(high << 4 | low));
	}
	return true;
}

/* Three bytes to four characters; of the last one or two bytes only what is needed. */
static void base64_encode(struct dal_slice data, const char *alphabet, bool pad,
			  struct dal_buffer *out)
{
	for (size_t i = 0; i < data.size; i += 3) {
		size_t count = data.size - i < 3 ? data.size - i : 3;
		uint32_t bits = 0;
		char text[4];

		for (size_t j = 0; j < 3; j++) {
			bits = bits << 8 | (j < count ? (uint8_t)data.data[i + j] : 0);
		}
		for (size_t j = 0; j < 4; j++) {
			text[j] = j <= count ? alphabet[bits >> (18 - 6 * j) & 0x3f] : '=';
		}
		dal_buffer_append(out, text, pad ? 4 : count + 1);
	}
}

static int base64_digit(char c, const char *alphabet)
{
	if (c >= 'A' && c <= 'Z') {
		return c - 'A';
	}
	if (c >= 'a' && c <= 'z') {
		return c - 'a' + 26;
	}
	if (c >= '0' && c <= '9') {
		return c - '0' + 52;
	}
	return c == alphabet[62] ? 62 : c == alphabet[63] ? 63 : -1;
}

/*
 * Without padding. Strict: one text for each value, so bits that belong to no byte must be zero
 * (RFC 4648 section 3.5).
 */
static bool base64_decode(struct dal_slice text, const char *alphabet, struct dal_buffer *out)
{
	size_t start = out->size;
	uint32_t bits = 0;
	unsigned held = 0;
	bool good = text.size % 4 != 1;

	for (size_t i = 0; good && i < text.size; i++) {
		int digit = base64_digit(text.data[i], alphabet);

		good = digit >= 0;
		bits = bits << 6 | ((uint32_t)digit & 0x3f);
		held += 6;
		if (held >= 8) {
			held -= 8;
			dal_buffer_byte(out, (char)(bits >> held));
			bits &= (1u << held) - 1;
		}
	}
	if (!good || bits) {
		out->size = start;
		return false;
	}
	return true;
}

void dal_base64_encode(struct dal_slice data, struct dal_buffer *out)
{
	base64_encode(data, plain_alphabet, true, out);
}

bool dal_base64_decode(struct dal_slice text, struct dal_buffer *out)
{
	if (text.size % 4) {
		return false;
	}
	for (int i = 0; i < 2 && text.size && text.data[text.size - 1] == '='; i++) {
		text.size--;
	}
	return base64_decode(text, plain_alphabet, out);
}

void dal_base64url_encode(struct dal_slice data, struct dal_buffer *out)
{
	base64_encode(data, url_alphabet, false, out);
}

bool dal_base64url_decode(struct dal_slice text, struct dal_buffer *out)
{
	return base64_decode(text, url_alphabet, out);
}
