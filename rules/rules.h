/*
 * The rule set of an app: all its Lua files loaded, checked and compiled; what they declare.
 *
 * Pure: it gets bytes and gives values, and opens no file, socket or clock. Files only declare;
 * every mistake of every file is reported at once as file:line. What is not rules (`func`, `http`,
 * `log`, ...) is checked against the field tables of the folders that own it and handed back as
 * declarations. Running what was declared is vm.h.
 *
 * A set is constant once loaded, shared by reference count, read by any thread.
 *
 *	struct dal_rules_source files[] = {{"rules/orders.lua", text, DAL_RULES_RULES}};
 *	r = dal_rules_load(&(struct dal_rules_options){.sources = files, .count = 1}, &rules,
 *&errors);
 */
#ifndef DAL_RULES_RULES_H
#define DAL_RULES_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/field.h"
#include "engine/base/slice.h"
#include "engine/event/path.h"
#include "rules/matcher.h"
#include "rules/pattern.h"

struct dal_rules;

enum dal_rules_role {
	DAL_RULES_OPERATOR, /* dalamb.lua, functions/x.lua: the operator's: everything but rule and
			       projection... and those too */
	DAL_RULES_RULES,    /* rules/x.lua: rule, projection, patterns */
	DAL_RULES_LIB,      /* lib/x.lua: what `require "x"` gives */
	DAL_RULES_TESTS,    /* tests/x.lua: test, given, expect */
};

struct dal_rules_source {
	const char *name; /* as shown to people: "rules/orders.lua" */
	struct dal_slice text;
	enum dal_rules_role role;
};

struct dal_rules_options {
	const struct dal_rules_source *sources; /* loaded in this order; the set keeps copies */
	size_t count;
	const struct dal_declarable *const *declarables; /* NULL-terminated: of the other folders */
	const char *call_declarable; /* which of them a rule's `call` names: "func"; NULL: any name
					goes */
	bool keep_invalid;           /* hand out a set with mistakes too, see dal_rules_load */
	bool analyse;                /* for dal_rules_emits, which else tells nothing */
};

enum { DAL_RULES_INVALID = 1 };

/*
 * 0 or DAL_RULES_INVALID with `errors` filled, sorted by file and line. `warnings` (may be NULL):
 * rules and projections that can never match, as they compare an attribute that is text with
 * numbers or booleans only, or look for events in a topic that never has them; functions that no
 * one calls. With `keep_invalid`, *rules is there in both cases, so that what it declares is
 * checked further: of a set with mistakes only the rules', projections' and declarations' own
 * fields may be read, no matcher and no index.
 */
int dal_rules_load(const struct dal_rules_options *options, struct dal_rules **rules,
		   struct dal_errors *errors, struct dal_errors *warnings);
struct dal_rules *dal_rules_ref(struct dal_rules *rules);
void dal_rules_unref(struct dal_rules *rules); /* NULL is fine */
/* A digest (hex) over all that was loaded. */
const char *dal_rules_digest(const struct dal_rules *rules);

enum dal_on_error { DAL_ON_ERROR_SKIP, DAL_ON_ERROR_PARK, DAL_ON_ERROR_HALT };

struct dal_rule {
	const char *name, *file;
	int line;
	uint32_t pattern;          /* its id in the matcher */
	const char *const *topics; /* NULL-terminated: those that its `on` names; empty: all */
	bool system;               /* its pattern names a dalamb. type */
	bool system_only;          /* and no other: only the topic `system` can feed it */
	const struct dal_path *by; /* or NULL */
	bool has_when, has_emit;
	const char *const *calls; /* NULL-terminated function names */
	enum dal_on_error on_error;
};

struct dal_projection {
	const char *name, *file;
	int line;
	uint32_t version;
	uint32_t pattern;
	const char *const *topics;
	bool system, system_only;
	const struct dal_path *key; /* or NULL: a Lua function */
	struct dal_slice init;      /* canonical JSON; empty: nil */
	enum dal_on_error on_error;
	const char
		*digest; /* hex, of the declaration: pattern, key, init, fold and all they reach */
};

size_t dal_rules_rule_count(const struct dal_rules *rules);
const struct dal_rule *dal_rules_rule(const struct dal_rules *rules, size_t index);
size_t dal_rules_projection_count(const struct dal_rules *rules);
const struct dal_projection *dal_rules_projection(const struct dal_rules *rules, size_t index);
/* The index of a projection or rule by name, or -1. */
long dal_rules_projection_index(const struct dal_rules *rules, struct dal_slice name);
long dal_rules_rule_index(const struct dal_rules *rules, struct dal_slice name);

/*
 * What functions may read with view(), as far as their code and all that it reaches tells: helpers,
 * those of lib too. What a fold or `key` reaches counts likewise, though they can't call it.
 */
struct dal_reads {
	uint32_t *projections; /* ascending */
	size_t count;
	/* A name is made as it runs, or view is handed on. `projections` has those too whose names
	 * stand in the code as text; what else may be read can't be told. */
	bool any;
};

/* Of a rule's `when` and `emit`. */
const struct dal_reads *dal_rules_reads(const struct dal_rules *rules, size_t rule);
/* Of a function of another folder's declaration (`input`), by its value's number. */
const struct dal_reads *dal_rules_function_reads(const struct dal_rules *rules, int64_t function);

/* What types a rule's `emit` may give its events, as far as its code and all that it reaches tells.
 */
struct dal_emits {
	const char **types; /* in byte order */
	size_t count;
	bool any;      /* one is made as it runs: `types` has every text that stands in the code */
	bool branches; /* it may emit now this, now that, or nothing */
};

const struct dal_emits *dal_rules_emits(const struct dal_rules *rules, size_t rule);

/* Everything compiled into one; ids below rule_count are rules, then projections. */
const struct dal_matcher *dal_rules_matcher(const struct dal_rules *rules);
const struct dal_pattern *dal_rules_pattern(const struct dal_rules *rules, uint32_t id);

/* Declarations of the other folders, in the order they were written. */
size_t dal_rules_declaration_count(const struct dal_rules *rules);
const struct dal_declaration *dal_rules_declaration(const struct dal_rules *rules, size_t index);

/* Tests: what tests/x.lua declare. */
struct dal_rules_test_view {
	const char *projection;
	const char *key;
	struct dal_slice json; /* canonical; empty: nil, there is no entry */
};

struct dal_rules_test_expect {
	enum {
		DAL_EXPECT_CALL,
		DAL_EXPECT_EMIT,
		DAL_EXPECT_VIEW,
		DAL_EXPECT_MATCH,
		DAL_EXPECT_NO_CALL, /* `name` NULL: none at all */
		DAL_EXPECT_ERROR,   /* the rule or projection fails */
		DAL_EXPECT_NO_MATCH,
		DAL_EXPECT_NO_EMIT, /* `name` NULL: none at all */
	} kind;
	const char *name;      /* function, event type, projection or rule */
	const char *key;       /* of a view */
	struct dal_slice json; /* call: the payload's fields that are compared (empty: any); emit:
				  the event's; view: the value */
	int line;
};

struct dal_rules_test {
	const char *name, *file;
	int line;
	const struct dal_rules_test_view *given;
	size_t given_count;
	struct dal_slice events; /* a JSON array of events; `id`, `source`, `time` may lack */
	const char *events_file; /* or a file of recorded events, NDJSON, beside the test; NULL */
	const struct dal_rules_test_expect *expect;
	size_t expect_count;
};

size_t dal_rules_test_count(const struct dal_rules *rules);
const struct dal_rules_test *dal_rules_test(const struct dal_rules *rules, size_t index);

#endif
