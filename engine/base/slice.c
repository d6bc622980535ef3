#include "engine/base/slice.h"

#include <endian.h>
#include <stdio.h>

#include "engine/base/error.h"
#include "engine/base/memory.h"

int dal_slice_compare(struct dal_slice a, struct dal_slice b)
{
	size_t common = a.size < b.size ? a.size : b.size;
	int order = common ? memcmp(a.data, b.data, common) : 0;

	return order ? order : (a.size > b.size) - (a.size < b.size);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool dal_slice_equal_nocase(struct dal_slice a, struct dal_slice b)
{
	if (a.size != b.size) {
		return false;
	}
	for (size_t i = 0; i < a.size; i++) {
		if (lower(a.data[i]) != lower(b.data[i])) {
			return false;
		}
	}
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct dal_slice dal_slice_trim(struct dal_slice a)
{
	while (a.size && is_blank(a.data[0])) {
		a.data++;
		a.size--;
	}
	while (a.size && is_blank(a.data[a.size - 1])) {
		a.size--;
	}
	return a;
}

bool dal_slice_cut(struct dal_slice a, char at, struct dal_slice *head, struct dal_slice *tail)
{
	const char *found = a.size ? memchr(a.data, at, a.size) : NULL;
	size_t before;

	if (!found) {
		return false;
	}
	before = (size_t)(found - a.data);
	*head = dal_slice(a.data, before);
	*tail = dal_slice(found + 1, a.size - before - 1);
	return true;
}

char *dal_slice_dup(struct dal_slice a)
{
	char *text = dal_malloc(a.size + 1);

	if (a.size) {
		memcpy(text, a.data, a.size);
	}
	text[a.size] = '\0';
	return text;
}

bool dal_slice_to_u64(struct dal_slice a, uint64_t *out)
{
	uint64_t value = 0;

	if (a.size == 0) {
		return false;
	}
	for (size_t i = 0; i < a.size; i++) {
		unsigned digit = (unsigned)(unsigned char)a.data[i] - '0';

		if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, digit, &value)) {
			return false;
		}
	}
	*out = value;
	return true;
}

bool dal_slice_to_i64(struct dal_slice a, int64_t *out)
{
	bool negative = a.size && a.data[0] == '-';
	uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
	uint64_t magnitude;

	if (negative) {
		a = dal_slice(a.data + 1, a.size - 1);
	}
	if (!dal_slice_to_u64(a, &magnitude) || magnitude > limit) {
		return false;
	}
	*out = (int64_t)(negative ? 0 - magnitude : magnitude);
	return true;
}

void dal_buffer_deinit(struct dal_buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct dal_buffer){0};
}

static void buffer_grow(struct dal_buffer *buffer, size_t needed)
{
	size_t capacity = buffer->capacity < 64 ? 64 : buffer->capacity;

	while (capacity < needed) {
		capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
	}
	buffer->data = dal_realloc(buffer->data, capacity);
	buffer->capacity = capacity;
}

char *dal_buffer_reserve(struct dal_buffer *buffer, size_t more)
{
	size_t needed;

	DAL_ASSERT(!__builtin_add_overflow(buffer->size, more, &needed));
	if (needed > buffer->capacity || !buffer->data) {
		buffer_grow(buffer, needed);
	}
	return buffer->data + buffer->size;
}

void dal_buffer_append(struct dal_buffer *buffer, const void *data, size_t size)
{
	if (size) {
		memcpy(dal_buffer_reserve(buffer, size), data, size);
		buffer->size += size;
	}
}

void dal_buffer_text(struct dal_buffer *buffer, const char *text)
{
	dal_buffer_append(buffer, text, strlen(text));
}

void dal_buffer_byte(struct dal_buffer *buffer, char byte)
{
	*dal_buffer_reserve(buffer, 1) = byte;
	buffer->size++;
}

void dal_buffer_printf(struct dal_buffer *buffer, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	dal_buffer_vprintf(buffer, format, args);
	va_end(args);
}

void dal_buffer_vprintf(struct dal_buffer *buffer, const char *format, va_list args)
{
	va_list again;
	int length;
	char *place;

	va_copy(again, args);
	length = vsnprintf(NULL, 0, format, args);
	DAL_ASSERT(length >= 0);
	place = dal_buffer_reserve(buffer, (size_t)length + 1);
	vsnprintf(place, (size_t)length + 1, format, again);
	va_end(again);
	buffer->size += (size_t)length;
}

void dal_buffer_u16be(struct dal_buffer *buffer, uint16_t value)
{
	value = htobe16(value);
	dal_buffer_append(buffer, &value, sizeof(value));
}

void dal_buffer_u32be(struct dal_buffer *buffer, uint32_t value)
{
	value = htobe32(value);
	dal_buffer_append(buffer, &value, sizeof(value));
}

void dal_buffer_u64be(struct dal_buffer *buffer, uint64_t value)
{
	value = htobe64(value);
	dal_buffer_append(buffer, &value, sizeof(value));
}

void dal_buffer_varint(struct dal_buffer *buffer, uint64_t value)
{
	while (value >= 0x80) {
		dal_buffer_byte(buffer, (char)(value | 0x80));
		value >>= 7;
	}
	dal_buffer_byte(buffer, (char)value);
}

void dal_buffer_sized(struct dal_buffer *buffer, struct dal_slice value)
{
	dal_buffer_varint(buffer, value.size);
	dal_buffer_slice_append(buffer, value);
}

const char *dal_buffer_cstr(struct dal_buffer *buffer)
{
	*dal_buffer_reserve(buffer, 1) = '\0';
	return buffer->data;
}

bool dal_slice_take(struct dal_slice *from, size_t size, struct dal_slice *out)
{
	if (from->size < size) {
		return false;
	}
	*out = dal_slice(from->data, size);
	*from = size ? dal_slice(from->data + size, from->size - size) : *from;
	return true;
}

static bool take_bytes(struct dal_slice *from, void *out, size_t size)
{
	struct dal_slice bytes;

	if (!dal_slice_take(from, size, &bytes)) {
		return false;
	}
	memcpy(out, bytes.data, size);
	return true;
}

bool dal_slice_take_u8(struct dal_slice *from, uint8_t *out)
{
	return take_bytes(from, out, sizeof(*out));
}

bool dal_slice_take_u16be(struct dal_slice *from, uint16_t *out)
{
	if (!take_bytes(from, out, sizeof(*out))) {
		return false;
	}
	*out = be16toh(*out);
	return true;
}

bool dal_slice_take_u32be(struct dal_slice *from, uint32_t *out)
{
	if (!take_bytes(from, out, sizeof(*out))) {
		return false;
	}
	*out = be32toh(*out);
	return true;
}

bool dal_slice_take_u64be(struct dal_slice *from, uint64_t *out)
{
	if (!take_bytes(from, out, sizeof(*out))) {
		return false;
	}
	*out = be64toh(*out);
	return true;
}

bool dal_slice_take_varint(struct dal_slice *from, uint64_t *out)
{
	uint64_t value = 0;

	for (size_t i = 0; i < 10 && i < from->size; i++) {
		uint8_t byte = (uint8_t)from->data[i];

		if (i == 9 && byte > 1) { /* past 64 bits */
			return false;
		}
		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte < 0x80) {
			*from = dal_slice(from->data + i + 1, from->size - i - 1);
			*out = value;
			return true;
		}
	}
	return false;
}

bool dal_slice_take_sized(struct dal_slice *from, struct dal_slice *out)
{
	struct dal_slice rest = *from;
	uint64_t size;

	if (!dal_slice_take_varint(&rest, &size) || size > rest.size) {
		return false;
	}
	dal_slice_take(&rest, (size_t)size, out);
	*from = rest;
	return true;
}
