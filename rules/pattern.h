/*
 * Patterns: what a rule or projection is `on`, compiled from their JSON form.
 *
 * Semantics are those of AWS EventBridge event patterns with the cases decided as the project's
 * rule language page (rules/README.md) says. The Lua spelling is turned into this JSON form by
 * the loader, so there is one parser. A compiled pattern is constant: any thread.
 *
 *	{"type": ["order.placed"], "data": {"total": [{"numeric": [">=", 1000]}]}}
 */
#ifndef DAL_RULES_PATTERN_H
#define DAL_RULES_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/slice.h"
#include "engine/event/json.h"

struct dal_pattern;

enum dal_pattern_flags {
	/* Keys are EventBridge's: detail-type is read as type, detail as data. */
	DAL_PATTERN_EVENTBRIDGE = 1,
	/* A dot in a key is part of the key (Lua); otherwise "a.b" means nested (EventBridge). */
	DAL_PATTERN_LITERAL_DOTS = 2,
};

enum { DAL_PATTERN_INVALID = 1 };

/* 0, or DAL_PATTERN_INVALID: `error` has line and column in the source, the path of the field and
 * the remedy. */
int dal_pattern_parse(struct dal_slice json, int flags, struct dal_pattern **pattern,
		      struct dal_error *error);
/* The same with the caller's parser, for many patterns in a row; its tape is none of the pattern's.
 */
int dal_pattern_parse_with(struct dal_json *json, struct dal_slice text, int flags,
			   struct dal_pattern **pattern, struct dal_error *error);
void dal_pattern_free(struct dal_pattern *pattern); /* NULL is fine */
/* The pattern in one canonical JSON form (for digests and messages). Appends. */
void dal_pattern_print(const struct dal_pattern *pattern, struct dal_buffer *out);
/* Does some value of its `type` name types that begin with "dalamb."? Only then it sees dalamb's
 * own events. */
bool dal_pattern_names_system(const struct dal_pattern *pattern);
/* Does it match no event but those? */
bool dal_pattern_only_system(const struct dal_pattern *pattern);
/* An attribute that is text in every event (type, source, subject, id, time) and that the pattern
 * compares with numbers and booleans only: it never matches. NULL: none is. */
const char *dal_pattern_never(const struct dal_pattern *pattern);
/* Evaluates it alone, without a matcher; the meaning of a pattern, kept simple. `event` is an
 * OBJECT's node. */
bool dal_pattern_test(const struct dal_pattern *pattern, const struct dal_json *json,
		      uint32_t event);

enum { DAL_PATTERN_FOUND_BYTES = 256 }; /* of a value that is shown; what is longer is cut */

/* Why not: the first field that failed; in an object those with values before those with fields. */
struct dal_pattern_miss {
	struct dal_buffer field;    /* "data.total" */
	struct dal_buffer found;    /* its value as JSON, or its begin and "..."; empty: missing */
	struct dal_buffer expected; /* "a number >= 1000", "one of \"FR\", \"DE\"" */
	struct dal_buffer hint;     /* "differs in case", "is a string, not a number"; or empty */
	bool near;                  /* the hint says that it is nearly what is expected */
	/* The fields that the pattern names, and those of them that fail; of arrays and `$or` in
	 * the element or alternative that came nearest. */
	uint32_t conditions, failed;
};

void dal_pattern_miss_deinit(struct dal_pattern_miss *miss);
/* True if it matches (then `miss` is empty). */
bool dal_pattern_explain(const struct dal_pattern *pattern, const struct dal_json *json,
			 uint32_t event, struct dal_pattern_miss *miss);

#endif
