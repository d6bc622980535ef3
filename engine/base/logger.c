#include "engine/base/logger.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/slice.h"

static atomic_int lowest_level = DAL_LOGGER_INFO;
static atomic_int json_lines = -1; /* by isatty */

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void dal_logger_level_set(enum dal_logger_level lowest)
{
	atomic_store_explicit(&lowest_level, (int)lowest, memory_order_relaxed);
}

void dal_logger_json_set(int json)
{
	atomic_store_explicit(&json_lines, json != 0, memory_order_relaxed);
}

static bool writes_json(void)
{
	int json = atomic_load_explicit(&json_lines, memory_order_relaxed);

	return json < 0 ? !isatty(STDERR_FILENO) : json > 0;
}

/*
 * How many bytes the UTF-8 sequence at the front has, 0 if it is none (RFC 3629: no surrogates, no
 * long forms, nothing over U+10FFFF): vendors' messages may be in any encoding, JSON is in one.
 */
static size_t sequence_size(const unsigned char *text, size_t size)
{
	static const struct {
		unsigned char first, last, low, high;
		size_t size;
	} forms[] = {
		{0x00, 0x7f, 0x80, 0xbf, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2},
		{0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4},
	};
	size_t form = 0;

	while (form < sizeof(forms) / sizeof(forms[0]) && text[0] > forms[form].last) {
		form++;
	}
	if (form == sizeof(forms) / sizeof(forms[0]) || text[0] < forms[form].first ||
	    size < forms[form].size) {
		return 0;
	}
	for (size_t i = 1; i < forms[form].size; i++) {
		if (text[i] < (i == 1 ? forms[form].low : 0x80) ||
		    text[i] > (i == 1 ? forms[form].high : 0xbf)) {
			return 0;
		}
	}
	return forms[form].size;
}

/* The inside of a JSON string; it keeps terminals safe from control characters, too. */
static void append_escaped(struct dal_buffer *line, const char *text)
{
	size_t size = strlen(text);

	for (size_t i = 0; i < size;) {
		unsigned char byte = (unsigned char)text[i];
		size_t length = sequence_size((const unsigned char *)text + i, size - i);

		if (length == 0) {
			dal_buffer_text(line, "\\ufffd");
		} else if (byte == '"' || byte == '\\') {
			dal_buffer_printf(line, "\\%c", byte);
		} else if (byte < 0x20 || byte == 0x7f) {
			dal_buffer_printf(line, "\\u%04x", byte);
		} else {
			dal_buffer_append(line, text + i, length);
		}
		i += length ? length : 1;
	}
}

static void append_json(struct dal_buffer *line, const char *level, const char *part,
			const char *text)
{
	char time[DAL_CLOCK_TEXT_BYTES];

	dal_clock_format(dal_clock_now_us(), time);
	dal_buffer_printf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"part\":\"", time, level);
	append_escaped(line, part);
	dal_buffer_text(line, "\",\"text\":\"");
	append_escaped(line, text);
	dal_buffer_text(line, "\"}\n");
}

static void append_plain(struct dal_buffer *line, const char *level, const char *part,
			 const char *text)
{
	char time[DAL_CLOCK_TEXT_BYTES];

	dal_clock_format(dal_clock_now_us(), time);
	dal_buffer_printf(line, "%.19sZ %-5s %s: ", time, level, part);
	for (const char *c = text; *c; c++) {
		dal_buffer_byte(line, (unsigned char)*c < 0x20 || *c == 0x7f ? ' ' : *c);
	}
	dal_buffer_byte(line, '\n');
}

static void write_all(struct dal_slice line)
{
	while (line.size) {
		ssize_t written = write(STDERR_FILENO, line.data, line.size);

		if (written < 0 && errno != EINTR) {
			return; /* nobody is left to tell */
		}
		if (written > 0) {
			line = dal_slice(line.data + written, line.size - (size_t)written);
		}
	}
}

void dal_logger_write(enum dal_logger_level level, const char *part, const char *format, ...)
{
	struct dal_buffer text = {0}, line = {0};
	int saved_errno = errno; /* whoever reports an error may still return it */
	va_list args;

	if ((int)level < atomic_load_explicit(&lowest_level, memory_order_relaxed)) {
		return;
	}
	va_start(args, format);
	dal_buffer_vprintf(&text, format, args);
	va_end(args);
	if (writes_json()) {
		append_json(&line, level_names[level], part, dal_buffer_cstr(&text));
	} else {
		append_plain(&line, level_names[level], part, dal_buffer_cstr(&text));
	}
	write_all(dal_buffer_slice(&line));
	dal_buffer_deinit(&text);
	dal_buffer_deinit(&line);
	errno = saved_errno;
}
