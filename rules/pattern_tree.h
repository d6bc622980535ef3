/*
 * A pattern as a tree. Private to rules: pattern_*.c make and walk it, matcher_*.c compile it.
 *
 * An object holds fields and `$or`s, all of which must hold. A field is a leaf, with a list of
 * operators of which one must hold for one value, or an object. What each means is in
 * pattern_test.c.
 */
#ifndef DAL_RULES_PATTERN_TREE_H
#define DAL_RULES_PATTERN_TREE_H

#include "rules/arena.h"
#include "rules/number.h"
#include "rules/pattern.h"
#include "rules/regexp.h"
#include "rules/wildcard.h"

enum dal_operator_kind {
	DAL_OPERATOR_NULL,
	DAL_OPERATOR_FALSE,
	DAL_OPERATOR_TRUE,
	DAL_OPERATOR_STRING, /* equal to text */
	DAL_OPERATOR_NUMBER, /* equal to number */
	DAL_OPERATOR_PREFIX, /* text */
	DAL_OPERATOR_SUFFIX, /* text */
	DAL_OPERATOR_FOLDED, /* equal to text without case */
	DAL_OPERATOR_PREFIX_FOLDED,
	DAL_OPERATOR_SUFFIX_FOLDED,
	DAL_OPERATOR_WILDCARD, /* text, wildcard */
	DAL_OPERATOR_RANGE,    /* range */
	DAL_OPERATOR_EXISTS,
	DAL_OPERATOR_ABSENT,
	DAL_OPERATOR_ANYTHING_BUT, /* excluded */
	DAL_OPERATOR_REGEXP,       /* text, regexp */
	DAL_OPERATOR_CIDR,         /* block */
	DAL_OPERATOR_BEFORE,       /* instant */
	DAL_OPERATOR_AFTER,        /* instant */
	DAL_OPERATOR_ALL_OF,       /* all: about all values of the field, not one */
};

struct dal_range {
	bool has_lower, has_upper;
	bool lower_open, upper_open; /* the bound itself is not inside */
	struct dal_number lower, upper;
};

/* An address, or the block of addresses whose first `bits` bits are those; the rest is 0. */
struct dal_block {
	uint8_t address[16]; /* of IPv4 the first 4 */
	uint8_t bits;        /* of an address 32 or 128 */
	bool version_6;
};

/* Seconds since 1970 in UTC, negative before; a fraction of up to nine digits, later ones dropped.
 */
struct dal_instant {
	int64_t seconds;
	uint32_t nanoseconds;
};

struct dal_pattern_object;

/* Each must hold for some value of the field; each is a list of operators of which one must hold.
 */
struct dal_all {
	struct dal_pattern_field *lists; /* without names: leaves */
	uint32_t count;
};

struct dal_excluded {
	struct dal_operator *operators; /* strings, numbers, and what is made of one string */
	uint32_t count;
	bool list; /* written as a list */
};

struct dal_operator {
	enum dal_operator_kind kind;
	/* As written: of strings their content, of numbers the literal. What can be written in more
	 * than one way is canonical: of CIDR "10.0.0.0/24", of BEFORE and AFTER the time in UTC, of
	 * ALL_OF its list in JSON. */
	struct dal_slice text;
	union {
		struct dal_number *number;
		struct dal_slice folded; /* text, folded */
		struct dal_wildcard wildcard;
		struct dal_range *range;
		struct dal_excluded excluded;
		const struct dal_regexp *regexp;
		struct dal_block *block;
		struct dal_instant *instant;
		struct dal_all *all;
	};
};

struct dal_pattern_field {
	struct dal_slice name;
	struct dal_operator *operators; /* of a leaf; NULL: an object */
	uint32_t operator_count;
	struct dal_pattern_object *object;
};

struct dal_pattern_or {
	struct dal_pattern_object *alternatives;
	uint32_t count;
};

struct dal_pattern_object {
	struct dal_pattern_field *fields; /* in the order they were written */
	uint32_t field_count, field_capacity;
	struct dal_pattern_or *ors;
	uint32_t or_count;
};

struct dal_pattern {
	struct dal_arena arena; /* holds all of it */
	struct dal_pattern_object root;
};

/* A scalar of an event, read once for all operators. */
struct dal_scalar {
	enum dal_json_kind kind;
	union {
		struct dal_slice text;    /* of STRING */
		struct dal_number number; /* of INTEGER and FLOAT */
	};
};

/* A string's text as an address, without brackets, zone or port; false: it is none. */
bool dal_address_read(struct dal_slice text, struct dal_block *address);
/* Keeps the first `bits` bits. */
void dal_block_cut(struct dal_block *block, uint8_t bits);
bool dal_block_holds(const struct dal_block *block, const struct dal_block *address);
/* "10.0.0.0/24", "2001:db8::/32": one text for all texts of one block. Appends. */
void dal_block_print(const struct dal_block *block, struct dal_buffer *out);

/* A string's text as an RFC 3339 time; false: it is none. */
bool dal_instant_read(struct dal_slice text, struct dal_instant *instant);
/* <0, 0, >0 */
int dal_instant_compare(const struct dal_instant *a, const struct dal_instant *b);
/* In UTC: one text for all texts of one instant. False, and nothing, if its year has no four digits
 * there. Appends. */
bool dal_instant_print(const struct dal_instant *instant, struct dal_buffer *out);

struct dal_scalar dal_scalar_read(const struct dal_json *json, uint32_t node);
/* Does a scalar satisfy it? ABSENT and ALL_OF, which are about the field, none does. */
bool dal_operator_holds(const struct dal_operator *op, const struct dal_scalar *scalar);
/* The value of a field (or NONE) against a leaf's list. */
bool dal_leaf_holds(const struct dal_pattern_field *leaf, const struct dal_json *json,
		    uint32_t value);
/* An object pattern against the value of a field, or NONE. */
bool dal_pattern_object_holds(const struct dal_pattern_object *object, const struct dal_json *json,
			      uint32_t value);

void dal_operator_print(const struct dal_operator *op, struct dal_buffer *out);
/* The list of an all-of; what says the same in another order prints the same. */
void dal_all_print(const struct dal_all *all, struct dal_buffer *out);

/*
 * Walks the scalars of a value, through arrays in arrays: start with *cursor = value. NONE at the
 * end. Objects are passed over.
 */
uint32_t dal_scalar_next(const struct dal_json *json, uint32_t value, uint32_t *cursor);
/* The same for the objects of a value, not entered. */
uint32_t dal_object_next(const struct dal_json *json, uint32_t value, uint32_t *cursor);

#endif
