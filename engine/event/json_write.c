#include "engine/event/json_write.h"

#include <math.h>

#include "engine/base/clock.h"
#include "engine/event/json_index.h"
#include "engine/event/utf8.h"

/* A value begins: a comma before it, unless it is the first at its level or follows a key. */
static struct dal_buffer *begin(struct dal_json_writer *writer)
{
	if (writer->comma) {
		dal_buffer_byte(writer->out, ',');
	}
	writer->comma = true;
	return writer->out;
}

static void open_container(struct dal_json_writer *writer, char bracket)
{
	dal_buffer_byte(begin(writer), bracket);
	writer->comma = false;
}

static void close_container(struct dal_json_writer *writer, char bracket)
{
	dal_buffer_byte(writer->out, bracket);
	writer->comma = true;
}

void dal_json_begin_object(struct dal_json_writer *writer)
{
	open_container(writer, '{');
}

void dal_json_end_object(struct dal_json_writer *writer)
{
	close_container(writer, '}');
}

void dal_json_begin_array(struct dal_json_writer *writer)
{
	open_container(writer, '[');
}

void dal_json_end_array(struct dal_json_writer *writer)
{
	close_container(writer, ']');
}

void dal_json_key(struct dal_json_writer *writer, const char *key)
{
	dal_json_key_slice(writer, dal_slice_text(key));
}

void dal_json_key_slice(struct dal_json_writer *writer, struct dal_slice key)
{
	dal_json_append_string(begin(writer), key);
	dal_buffer_byte(writer->out, ':');
	writer->comma = false;
}

void dal_json_put_text(struct dal_json_writer *writer, const char *text)
{
	if (text) {
		dal_json_put_slice(writer, dal_slice_text(text));
	} else {
		dal_json_put_null(writer);
	}
}

void dal_json_put_slice(struct dal_json_writer *writer, struct dal_slice text)
{
	dal_json_append_string(begin(writer), text);
}

void dal_json_put_integer(struct dal_json_writer *writer, int64_t value)
{
	dal_json_append_integer(begin(writer), value);
}

void dal_json_put_double(struct dal_json_writer *writer, double value)
{
	dal_json_append_double(begin(writer), value);
}

void dal_json_put_boolean(struct dal_json_writer *writer, bool value)
{
	dal_buffer_text(begin(writer), value ? "true" : "false");
}

void dal_json_put_null(struct dal_json_writer *writer)
{
	dal_buffer_text(begin(writer), "null");
}

void dal_json_put_raw(struct dal_json_writer *writer, struct dal_slice json)
{
	dal_buffer_slice_append(begin(writer), json);
}

void dal_json_put_time(struct dal_json_writer *writer, int64_t time_us)
{
	char text[DAL_CLOCK_TEXT_BYTES];
	dal_clock_format(time_us, text);
	dal_json_put_text(writer, text);
}

static void append_escape(struct dal_buffer *out, unsigned char c)
{
	static const char letters[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
				       ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\'};
	static const char hex[] = "0123456789abcdef";
	char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
	if (letters[c]) {
		escape[1] = letters[c];
	}
	dal_buffer_append(out, escape, letters[c] ? 2 : 6);
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c != '"' && c != '\\' && c < 0x80;
}

void dal_json_append_string(struct dal_buffer *out, struct dal_slice text)
{
	dal_buffer_byte(out, '"');
	size_t done = 0, at = 0;
	while (at < text.size) {
		unsigned char c = (unsigned char)text.data[at];
		size_t size = is_plain(c) ? 1 : dal_utf8_size(text.data + at, text.size - at);
		if (is_plain(c) || size > 1) {
			at += size;
			continue;
		}
		dal_buffer_append(out, text.data + done, at - done);
		if (size == 0) {
			dal_buffer_text(out, "\xEF\xBF\xBD");
		} else {
			append_escape(out, c);
		}
		done = ++at;
	}
	if (at > done) {
		dal_buffer_append(out, text.data + done, at - done);
	}
	dal_buffer_byte(out, '"');
}

void dal_json_append_integer(struct dal_buffer *out, int64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);
	uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (value < 0) {
		digits[--at] = '-';
	}
	dal_buffer_append(out, digits + at, sizeof(digits) - at);
}

static void append_zeros(struct dal_buffer *out, int count)
{
	while (count-- > 0) {
		dal_buffer_byte(out, '0');
	}
}

/* Digits d1 d2 ... dn, the point behind the first `point` of them (it may lie outside). */
static void append_decimal(struct dal_buffer *out, const char *digits, int count, int point)
{
	if (point <= 0) {
		dal_buffer_text(out, "0.");
		append_zeros(out, -point);
		dal_buffer_append(out, digits, (size_t)count);
	} else if (point >= count) {
		dal_buffer_append(out, digits, (size_t)count);
		append_zeros(out, point - count);
		dal_buffer_text(out, ".0");
	} else {
		dal_buffer_append(out, digits, (size_t)point);
		dal_buffer_byte(out, '.');
		dal_buffer_append(out, digits + point, (size_t)(count - point));
	}
}

static void append_exponent(struct dal_buffer *out, const char *digits, int count, int exponent)
{
	dal_buffer_byte(out, digits[0]);
	if (count > 1) {
		dal_buffer_byte(out, '.');
		dal_buffer_append(out, digits + 1, (size_t)count - 1);
	}
	dal_buffer_byte(out, 'e');
	if (exponent > 0) {
		dal_buffer_byte(out, '+');
	}
	dal_json_append_integer(out, exponent);
}

/* The layout is ECMAScript's (Number::toString), with ".0" behind what looks like an integer. */
void dal_json_append_double(struct dal_buffer *out, double value)
{
	char text[DAL_JSON_DOUBLE_BYTES], digits[DAL_JSON_DOUBLE_BYTES] = {0};
	int count = 0, exponent = 0;
	size_t at = 0;
	DAL_ASSERT(isfinite(value));
	size_t size = dal_json_double_to_text(fabs(value), text);
	for (; at < size && text[at] != 'e'; at++) {
		if (text[at] != '.') {
			digits[count++] = text[at];
		}
	}
	for (size_t i = at + 2; i < size; i++) {
		exponent = exponent * 10 + (text[i] - '0');
	}
	exponent = text[at + 1] == '-' ? -exponent : exponent;
	if (signbit(value)) {
		dal_buffer_byte(out, '-');
	}
	if (exponent >= -6 && exponent < 21) {
		append_decimal(out, digits, count, exponent + 1);
	} else {
		append_exponent(out, digits, count, exponent);
	}
}

void dal_json_put_errors(struct dal_json_writer *writer, const char *key,
			 const struct dal_errors *errors)
{
	dal_json_key(writer, key);
	dal_json_begin_array(writer);
	for (size_t i = 0; i < errors->count && errors->items; i++) {
		const struct dal_error *error = &errors->items[i];
		dal_json_begin_object(writer);
		if (error->file[0]) {
			dal_json_key(writer, "file");
			dal_json_put_text(writer, error->file);
		}
		if (error->line > 0) {
			dal_json_key(writer, "line");
			dal_json_put_integer(writer, error->line);
		}
		dal_json_key(writer, "text");
		dal_json_put_text(writer, error->text);
		dal_json_end_object(writer);
	}
	dal_json_end_array(writer);
}
