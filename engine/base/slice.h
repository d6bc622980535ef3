/*
 * Slices and buffers: bytes that somebody else owns, and bytes that grow.
 *
 * A slice never owns. Whoever hands one out says how long it lives. It is not NUL-terminated.
 * A buffer owns its bytes; `dal_buffer_deinit` frees them; a zeroed struct is a valid empty one.
 * Running out of memory aborts (the log recovers us), so nothing here fails.
 * Thread: none; values belong to whoever holds them.
 *
 *	struct dal_buffer out = {0};
 *	dal_buffer_printf(&out, "%s/%d", "events", 0);
 *	use(dal_buffer_slice(&out));
 *	dal_buffer_deinit(&out);
 */
#ifndef DAL_BASE_SLICE_H
#define DAL_BASE_SLICE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct dal_slice {
	const char *data; /* may be NULL when size is 0 */
	size_t size;      /* bytes */
};

/* A slice of a string literal, usable in static initialisers. */
#define DAL_SLICE_LITERAL(text)                                                                    \
	{                                                                                          \
		(text), sizeof(text) - 1                                                           \
	}

static inline struct dal_slice dal_slice(const void *data, size_t size)
{
	return (struct dal_slice){(const char *)data, size};
}

/* Of a NUL-terminated string; NULL gives the empty slice. */
static inline struct dal_slice dal_slice_text(const char *text)
{
	return (struct dal_slice){text, text ? strlen(text) : 0};
}

static inline bool dal_slice_equal(struct dal_slice a, struct dal_slice b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool dal_slice_is(struct dal_slice a, const char *text)
{
	return dal_slice_equal(a, dal_slice_text(text));
}

static inline bool dal_slice_starts(struct dal_slice a, const char *prefix)
{
	size_t n = strlen(prefix);
	return a.size >= n && (n == 0 || memcmp(a.data, prefix, n) == 0);
}

/* Order by bytes, shorter first where one is a prefix: <0, 0, >0. */
int dal_slice_compare(struct dal_slice a, struct dal_slice b);
/* ASCII letters compared without case. */
bool dal_slice_equal_nocase(struct dal_slice a, struct dal_slice b);
/* Without leading and trailing spaces and tabs. */
struct dal_slice dal_slice_trim(struct dal_slice a);
/* Splits at the first `at`: `head` is before it, `tail` behind. False if there is none. */
bool dal_slice_cut(struct dal_slice a, char at, struct dal_slice *head, struct dal_slice *tail);
/* A NUL-terminated copy; the caller frees it with free(). */
char *dal_slice_dup(struct dal_slice a);
/* Decimal digits only, no sign, no spaces. False if it is anything else or does not fit. */
bool dal_slice_to_u64(struct dal_slice a, uint64_t *out);
bool dal_slice_to_i64(struct dal_slice a, int64_t *out); /* an optional leading '-' */

struct dal_buffer {
	char *data;
	size_t size;     /* bytes in use */
	size_t capacity; /* bytes allocated */
};

void dal_buffer_deinit(struct dal_buffer *buffer);
/* Room for `more` bytes behind `size`; returns where they go. Grow `size` by hand afterwards. */
char *dal_buffer_reserve(struct dal_buffer *buffer, size_t more);
void dal_buffer_append(struct dal_buffer *buffer, const void *data, size_t size);
void dal_buffer_text(struct dal_buffer *buffer, const char *text);
void dal_buffer_byte(struct dal_buffer *buffer, char byte);
void dal_buffer_printf(struct dal_buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void dal_buffer_vprintf(struct dal_buffer *buffer, const char *format, va_list args);
/* Fixed-width big-endian, so that byte order is number order; and LEB128. */
void dal_buffer_u16be(struct dal_buffer *buffer, uint16_t value);
void dal_buffer_u32be(struct dal_buffer *buffer, uint32_t value);
void dal_buffer_u64be(struct dal_buffer *buffer, uint64_t value);
void dal_buffer_varint(struct dal_buffer *buffer, uint64_t value);
/* A varint length and the bytes. */
void dal_buffer_sized(struct dal_buffer *buffer, struct dal_slice value);
/* NUL-terminates (the NUL is not counted) and returns the text; valid until the buffer changes. */
const char *dal_buffer_cstr(struct dal_buffer *buffer);

static inline void dal_buffer_slice_append(struct dal_buffer *buffer, struct dal_slice slice)
{
	dal_buffer_append(buffer, slice.data, slice.size);
}

static inline struct dal_slice dal_buffer_slice(const struct dal_buffer *buffer)
{
	return (struct dal_slice){buffer->data, buffer->size};
}

static inline void dal_buffer_clear(struct dal_buffer *buffer)
{
	buffer->size = 0;
}

/* Reading back: each takes from the front of `*from`, false when too little is left. */
bool dal_slice_take(struct dal_slice *from, size_t size, struct dal_slice *out);
bool dal_slice_take_u8(struct dal_slice *from, uint8_t *out);
bool dal_slice_take_u16be(struct dal_slice *from, uint16_t *out);
bool dal_slice_take_u32be(struct dal_slice *from, uint32_t *out);
bool dal_slice_take_u64be(struct dal_slice *from, uint64_t *out);
bool dal_slice_take_varint(struct dal_slice *from, uint64_t *out);
bool dal_slice_take_sized(struct dal_slice *from, struct dal_slice *out);

#endif
