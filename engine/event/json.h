/*
 * JSON read as a tape: parsed once, fields read by path without converting the rest.
 *
 * simdjson's first stage (UTF-8 check and structural index) runs behind json_index.cc; the second,
 * ours, walks that index, checks the grammar and lays down one node a value with its place in the
 * source text. Numbers and escaped strings are converted only when somebody asks. Source: RFC 8259.
 * Refused, with the byte position: bad UTF-8 or grammar, duplicate keys, lone surrogates, NUL in
 * keys, integers outside int64, numbers that overflow binary64, depth over DAL_LIMIT_JSON_DEPTH,
 * anything behind the value. It is not a DOM: nothing is built that nobody reads.
 *
 * A parser is used again for document after document; what it gave out (nodes, slices) is valid
 * until its next parse, and can't be its text. One thread at a time.
 *
 *	struct dal_json *json = dal_json_new();
 *	if (dal_json_parse(json, text, 0, &error) == 0) {
 *		uint32_t total = dal_json_find(json, DAL_JSON_ROOT, dal_slice_text("total"));
 *	}
 */
#ifndef DAL_EVENT_JSON_H
#define DAL_EVENT_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"

enum dal_json_kind {
	DAL_JSON_NULL,
	DAL_JSON_FALSE,
	DAL_JSON_TRUE,
	DAL_JSON_INTEGER, /* written without fraction and exponent, fits int64 ("-0" is a FLOAT) */
	DAL_JSON_FLOAT,
	DAL_JSON_STRING,
	DAL_JSON_ARRAY,
	DAL_JSON_OBJECT,
};

#define DAL_JSON_ROOT 0u
#define DAL_JSON_NONE UINT32_MAX /* no such node */
#define DAL_JSON_PADDING 64      /* bytes that may be read behind the text */

/*
 * One value. A container's children follow it directly; an object's are key, value, key, value ...
 * `next` of any node is the index of what follows it and all that it holds.
 */
struct dal_json_node {
	uint32_t start; /* byte offset in the text; of a string: behind its opening quote */
	uint32_t end;   /* one past the value's last byte; of a string: at its closing quote */
	uint32_t next;
	uint32_t info; /* kind in bits 0-2, escaped in bit 3; above: of containers the count */
};

struct dal_json_error {
	size_t position;    /* bytes from the start of the text */
	const char *reason; /* static text: "duplicate key", "expected ',' or '}'" */
};

enum dal_json_flags {
	/* The caller warrants DAL_JSON_PADDING readable bytes behind the text, which then must
	 * outlive the use of the tape; otherwise the parser keeps a copy. */
	DAL_JSON_PADDED = 1,
	/* The text was validated before (it comes from the log): duplicates and surrogates are not
	 * looked for again, and it may nest DAL_LIMIT_JSON_WRAPPED_DEPTH deep: what came in through
	 * the door is wrapped on its way. Memory stays safe on any input. */
	DAL_JSON_TRUSTED = 2,
	/* Of duplicate keys the last one counts (records that others wrote to Kafka). */
	DAL_JSON_LAST_WINS = 4,
};

enum { DAL_JSON_INVALID = 1 };

/* Read-only for users; here so that access costs no call. */
struct dal_json {
	const char *text;
	size_t size;
	struct dal_json_node *nodes;
	uint32_t count;
	struct dal_json_parser *parser; /* private */
};

struct dal_json *dal_json_new(void);
void dal_json_free(struct dal_json *json); /* NULL is fine */
/* 0, or DAL_JSON_INVALID with `error` filled (may be NULL); after that the tape is empty. */
int dal_json_parse(struct dal_json *json, struct dal_slice text, int flags,
		   struct dal_json_error *error);

static inline enum dal_json_kind dal_json_kind(const struct dal_json *json, uint32_t node)
{
	return (enum dal_json_kind)(json->nodes[node].info & 7);
}

/* Elements of an array, members of an object; 0 for others. */
static inline uint32_t dal_json_count(const struct dal_json *json, uint32_t node)
{
	uint32_t info = json->nodes[node].info;
	return (info & 7) >= DAL_JSON_ARRAY ? info >> 4 : 0;
}

static inline uint32_t dal_json_next(const struct dal_json *json, uint32_t node)
{
	return json->nodes[node].next;
}

/* The value's own bytes in the source: with quotes for strings, whole for containers. */
static inline struct dal_slice dal_json_raw(const struct dal_json *json, uint32_t node)
{
	const struct dal_json_node *n = &json->nodes[node];
	uint32_t quote = (n->info & 7) == DAL_JSON_STRING;
	return (struct dal_slice){json->text + n->start - quote, n->end - n->start + 2 * quote};
}

/* Of STRING: a slice of the source, or unescaped into memory of the parser. */
struct dal_slice dal_json_string(const struct dal_json *json, uint32_t node);
/* Of INTEGER. */
int64_t dal_json_integer(const struct dal_json *json, uint32_t node);
/* Of INTEGER or FLOAT: the nearest binary64. */
double dal_json_double(const struct dal_json *json, uint32_t node);
/* The value of a key in an OBJECT, or DAL_JSON_NONE; also if `object` is no object or NONE. */
uint32_t dal_json_find(const struct dal_json *json, uint32_t object, struct dal_slice key);
/* The element at `index` (from 0) of an ARRAY, or DAL_JSON_NONE. */
uint32_t dal_json_at(const struct dal_json *json, uint32_t array, uint32_t index);
/* Line and column (from 1, columns in bytes) of a position, for messages. */
void dal_json_place(struct dal_slice text, size_t position, int *line, int *column);

#endif
