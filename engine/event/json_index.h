/*
 * The C side of json_index.cc: what the C++ world does for the JSON reader, and nothing more.
 *
 * simdjson's first stage (UTF-8 check, strings, structural index) and the standard library's exact
 * conversion between binary64 and text, which knows no locale. Private to engine/event.
 * One thread at a time per index.
 */
#ifndef DAL_EVENT_JSON_INDEX_H
#define DAL_EVENT_JSON_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct dal_json_index;

struct dal_json_index *dal_json_index_new(void);
void dal_json_index_free(struct dal_json_index *index); /* NULL is fine */
/*
 * Finds where brackets, commas, colons, strings and bare words begin, outside strings. `*places`
 * lives until the next run; behind its `*count` entries stands one more, `size`. False if the text
 * is not UTF-8, has a bare control character in a string, or a string that does not end.
 */
bool dal_json_index_run(struct dal_json_index *index, const char *text, size_t size,
			const uint32_t **places, size_t *count);

/* The nearest binary64 of a number per RFC 8259, infinite if it is too large. */
double dal_json_text_to_double(const char *text, size_t size);

#define DAL_JSON_DOUBLE_BYTES 32

/* The shortest text that reads back as `value` (finite), as "-d.ddde-xx"; gives its size. */
size_t dal_json_double_to_text(double value, char out[DAL_JSON_DOUBLE_BYTES]);

#ifdef __cplusplus
}
#endif

#endif
