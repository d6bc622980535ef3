/*
 * The parser's state, for pattern_parse.c, pattern_operator.c and pattern_text.c. Private to rules.
 */
#ifndef DAL_RULES_PATTERN_READER_H
#define DAL_RULES_PATTERN_READER_H

#include "rules/pattern_tree.h"

struct dal_pattern_reader {
	struct dal_arena *arena;
	const struct dal_json *json;
	struct dal_slice source;
	struct dal_buffer path; /* of the field being read, for messages */
	int flags;
	int depth;
	int ors; /* `$or`s around what is read */
	uint32_t values;
	struct dal_error *error;
};

/* Sets the error with the place of `node` and the path; false. */
bool dal_pattern_refuse(struct dal_pattern_reader *reader, uint32_t node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same with the place of a byte of a string's content. */
bool dal_pattern_refuse_inside(struct dal_pattern_reader *reader, uint32_t node, size_t position,
			       const char *format, ...) __attribute__((format(printf, 4, 5)));
/* One entry of a field's list. */
bool dal_operator_read(struct dal_pattern_reader *reader, uint32_t node, struct dal_operator *op);
/* Is it an operator of EventBridge's? */
bool dal_operator_reserved(struct dal_slice name);

/* The content of a string, kept; with `what` for the message if it is none. */
bool dal_pattern_read_text(struct dal_pattern_reader *reader, uint32_t node, const char *what,
			   struct dal_slice *text);

/* The operators that are about strings; `node` is what stands behind their name. */
bool dal_text_read_prefix(struct dal_pattern_reader *reader, uint32_t node,
			  struct dal_operator *op);
bool dal_text_read_suffix(struct dal_pattern_reader *reader, uint32_t node,
			  struct dal_operator *op);
bool dal_text_read_folded(struct dal_pattern_reader *reader, uint32_t node,
			  struct dal_operator *op);
bool dal_text_read_wildcard(struct dal_pattern_reader *reader, uint32_t node,
			    struct dal_operator *op);
bool dal_text_read_regexp(struct dal_pattern_reader *reader, uint32_t node,
			  struct dal_operator *op);
bool dal_text_read_cidr(struct dal_pattern_reader *reader, uint32_t node, struct dal_operator *op);
bool dal_text_read_before(struct dal_pattern_reader *reader, uint32_t node,
			  struct dal_operator *op);
bool dal_text_read_after(struct dal_pattern_reader *reader, uint32_t node, struct dal_operator *op);

#endif
