/*
 * A regular expression as a tree, as the parser leaves it. Private to rules/regexp*.c.
 *
 * The parser simplifies: nothing empty stands within a sequence or a choice, and no `?`, `*`, `+`
 * stands directly on another. So all that is made of a tree is bounded by its positions.
 */
#ifndef DAL_RULES_REGEXP_TREE_H
#define DAL_RULES_REGEXP_TREE_H

#include "rules/regexp.h"
#include "rules/regexp_states.h"

#define DAL_REGEXP_ENDLESS UINT32_MAX

struct dal_regexp_range {
	uint32_t first, last;
};

/* Characters that are in one of the ranges or the categories; negated: in none of them. */
struct dal_regexp_class {
	uint64_t ascii[2];   /* the answer for ASCII, a bit each */
	uint32_t categories; /* regexp_category.h */
	bool negated;
	uint32_t count;
	struct dal_regexp_range ranges[]; /* sorted, with gaps between them */
};

enum dal_regexp_kind {
	DAL_REGEXP_EMPTY,     /* matches the empty text only */
	DAL_REGEXP_CHARACTER, /* character */
	DAL_REGEXP_CLASS,     /* class */
	DAL_REGEXP_SEQUENCE,  /* last */
	DAL_REGEXP_CHOICE,    /* last */
	DAL_REGEXP_REPEAT,    /* last, alone: min to max times */
};

struct dal_regexp_node {
	enum dal_regexp_kind kind;
	uint32_t positions; /* characters and classes, repetitions written out */
	uint32_t min, max;
	union {
		uint32_t character;
		const struct dal_regexp_class *class;
		struct dal_regexp_node *last; /* of its items; the others by `before` */
	};
	struct dal_regexp_node *before; /* the item that stands before this one in its parent */
};

struct dal_regexp {
	const struct dal_regexp_node *root;
	struct dal_regexp_states states;
	uint32_t start;
};

const struct dal_regexp *dal_regexp_new(struct dal_arena *arena,
					const struct dal_regexp_node *root);

/* The parser's state. The first mistake is kept. */
struct dal_regexp_reader {
	struct dal_arena *arena;
	struct dal_slice source;
	size_t at;
	int depth;
	const char *message;
	size_t position;
};

/* NULL, for the caller to return. */
void *dal_regexp_refuse(struct dal_regexp_reader *reader, size_t position, const char *message);
/* The byte `ahead` of where the reader stands, or -1. */
int dal_regexp_peek(const struct dal_regexp_reader *reader, size_t ahead);
/* The character at which the reader stands, which it passes. False: it is not valid UTF-8. */
bool dal_regexp_character(struct dal_regexp_reader *reader, uint32_t *character);

/* regexp_class.c: `[...]`, `.` and what begins with a backslash, as CHARACTER or CLASS. */
struct dal_regexp_node *dal_regexp_read_class(struct dal_regexp_reader *reader);
struct dal_regexp_node *dal_regexp_read_dot(struct dal_regexp_reader *reader);
struct dal_regexp_node *dal_regexp_read_escape(struct dal_regexp_reader *reader);

bool dal_regexp_class_has(const struct dal_regexp_class *class, uint32_t character);
/* The same, where the character's bit of dal_regexp_category is at hand. */
bool dal_regexp_class_has_known(const struct dal_regexp_class *class, uint32_t character,
				uint32_t category);
size_t dal_regexp_class_size(const struct dal_regexp_class *class); /* in bytes */

/* Appends bytes that are the same for equal trees, and for no others. */
void dal_regexp_node_print(const struct dal_regexp_node *node, struct dal_buffer *out);

#endif
