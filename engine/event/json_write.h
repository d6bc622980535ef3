/*
 * JSON written into a buffer: strictly valid, compact, in one form.
 *
 * The writer sets commas and colons; numbers have one canonical text (integers in decimal; floats
 * the shortest text that reads back the same, always with '.' or an exponent, so that 1.0 is told
 * from 1). Nothing fails; nesting is the caller's to limit. Thread: none.
 *
 *	struct dal_json_writer w = {.out = &buffer};
 *	dal_json_begin_object(&w);
 *	dal_json_key(&w, "position");
 *	dal_json_put_text(&w, "events/0/17");
 *	dal_json_end_object(&w);
 */
#ifndef DAL_EVENT_JSON_WRITE_H
#define DAL_EVENT_JSON_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/slice.h"

struct dal_json_writer {
	struct dal_buffer *out;
	bool comma; /* private: a value was written at this level */
};

void dal_json_begin_object(struct dal_json_writer *writer);
void dal_json_end_object(struct dal_json_writer *writer);
void dal_json_begin_array(struct dal_json_writer *writer);
void dal_json_end_array(struct dal_json_writer *writer);
void dal_json_key(struct dal_json_writer *writer, const char *key);
void dal_json_key_slice(struct dal_json_writer *writer, struct dal_slice key);
void dal_json_put_text(struct dal_json_writer *writer, const char *text); /* NULL gives null */
void dal_json_put_slice(struct dal_json_writer *writer, struct dal_slice text);
void dal_json_put_integer(struct dal_json_writer *writer, int64_t value);
void dal_json_put_double(struct dal_json_writer *writer, double value); /* finite */
void dal_json_put_boolean(struct dal_json_writer *writer, bool value);
void dal_json_put_null(struct dal_json_writer *writer);
void dal_json_put_raw(struct dal_json_writer *writer, struct dal_slice json); /* already JSON */
void dal_json_put_time(struct dal_json_writer *writer, int64_t time_us);      /* RFC 3339 */
/* Under `key`, a list of objects: file and line where they are known, text. */
void dal_json_put_errors(struct dal_json_writer *writer, const char *key,
			 const struct dal_errors *errors);

/* A quoted string appended to `out`. Bytes that are not UTF-8 become U+FFFD. */
void dal_json_append_string(struct dal_buffer *out, struct dal_slice text);
void dal_json_append_double(struct dal_buffer *out, double value);
void dal_json_append_integer(struct dal_buffer *out, int64_t value);

#endif
