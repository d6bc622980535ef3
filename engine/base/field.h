/*
 * Field tables: what may be declared in an app's files, with kinds, defaults and documentation.
 *
 * Every folder that lets people declare something exports a `struct dal_declarable` (a `func`, the
 * `log`, a `rule`); `rules` checks what was written against it and gives back declarations; the
 * environment's DALAMB_<SECTION>_<FIELD> is checked against the same tables. It is not a config
 * file parser: that is Lua, in `rules`.
 * Tables are static and constant. A declaration is made on one thread and constant afterwards.
 */
#ifndef DAL_BASE_FIELD_H
#define DAL_BASE_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/slice.h"

enum dal_field_kind {
	DAL_FIELD_STRING = 1, /* text */
	DAL_FIELD_NAME,       /* text: [a-z0-9][a-z0-9._-]{0,63} */
	DAL_FIELD_INTEGER,    /* number */
	DAL_FIELD_NUMBER,     /* real */
	DAL_FIELD_BOOLEAN,    /* boolean */
	DAL_FIELD_DURATION,   /* number, microseconds; written "10s", "250ms", "24h" */
	DAL_FIELD_SIZE,       /* number, bytes; written "256MB" (10^6), "256MiB" (2^20), 4096 */
	DAL_FIELD_RATE,       /* real, per second; written "50/s", "10/m" */
	DAL_FIELD_STRINGS,    /* items: a list of strings; one string is a list of one */
	DAL_FIELD_MAP,        /* items with keys: strings (numbers, booleans as text), secrets */
	DAL_FIELD_SECRET,     /* text: the secret's name until the app resolves it to its value */
	DAL_FIELD_SECRETS,    /* items: one secret or a list */
	DAL_FIELD_TABLE,      /* items: by the fields of `fields`, in their order */
	DAL_FIELD_TABLES,   /* items with keys: each a TABLE by `fields` (log.topics); a name alone,
			       in a list or as text, is a table with nothing in it */
	DAL_FIELD_PATH,     /* text: a path into the event, "data.customer" */
	DAL_FIELD_PATTERN,  /* number: a pattern's index in the rule set */
	DAL_FIELD_FUNCTION, /* number: a Lua function's index in the rule set */
	DAL_FIELD_JSON,     /* text: any plain value, as canonical JSON */
};

/*
 * A field may accept a second kind: `key` is a path or a function, `order` a path or false. None is
 * zero, so that a table which doesn't name a second kind has none.
 */
#define DAL_FIELD_NONE 0

struct dal_field {
	const char *name;
	enum dal_field_kind kind;
	int or_kind;          /* a second kind, or DAL_FIELD_NONE */
	const char *fallback; /* the default as people write it ("{}": empty), or NULL: unset */
	bool required;
	const char *const *choices;     /* for STRING: NULL-terminated, or NULL: any */
	const struct dal_field *fields; /* for TABLE, TABLES: ends with a NULL name */
	const char *doc;                /* one sentence */
};

enum dal_declare_right {
	DAL_DECLARE_OPERATOR = 1, /* dalamb.lua and the files of functions/ */
	DAL_DECLARE_RULES = 2,    /* the files of rules/ */
};

struct dal_declarable {
	const char *name; /* "func": the word in Lua */
	bool named;       /* func "thumbnail" { ... }; otherwise at most one: http { ... } */
	int rights;       /* who may write it: bits of dal_declare_right */
	const struct dal_field *fields; /* ends with a NULL name */
	const char *doc;
};

struct dal_value {
	enum dal_field_kind kind; /* which of kind and or_kind it is; meaningful if `set` */
	bool set;                 /* written, or filled in from the fallback */
	bool written;             /* a person wrote it, in a file or the environment */
	bool secret;              /* text is (the name of) a secret: never print it */
	int line;                 /* where it was written; 0 for a default */
	char *key;                /* in MAP and TABLES: this item's key */
	char *text;               /* owned, NUL-terminated */
	size_t text_size;
	int64_t number;
	double real;
	bool boolean;
	struct dal_value *items; /* owned */
	size_t count;
};

struct dal_declaration {
	const struct dal_declarable *what;
	char *name; /* "" if not named */
	char *file; /* as shown to people */
	int line;
	size_t index;             /* in the order of declaration, over the whole app */
	bool invalid;             /* a value is wrong, and reported: they are not to be relied on */
	struct dal_value *values; /* one a field, in the table's order */
	size_t count;
};

void dal_declaration_init(struct dal_declaration *declaration, const struct dal_declarable *what,
			  const char *name, const char *file, int line);
void dal_declaration_deinit(struct dal_declaration *declaration);
void dal_value_deinit(struct dal_value *value);
/*
 * Fills in the defaults of what is not set, and reports required fields that lack; in tables that
 * are set too. A TABLE that nobody wrote stays unset, unless its fallback is "{}".
 */
void dal_declaration_complete(struct dal_declaration *declaration, struct dal_errors *errors);
/* The value of a field; a name that the table lacks is a bug (asserts). */
const struct dal_value *dal_declaration_get(const struct dal_declaration *declaration,
					    const char *field);
/* Of a TABLE value. */
const struct dal_value *dal_value_get(const struct dal_value *table, const struct dal_field *fields,
				      const char *field);
/*
 * Text as a person writes it ("10s", "256MB", "true") to a value of the field's kind; lists have
 * commas between. 0, or 1: `error` says what was expected. MAP and TABLE can only be "{}", PATTERN
 * and FUNCTION have no text; JSON is taken as it is.
 */
int dal_value_parse(const struct dal_field *field, struct dal_slice text, struct dal_value *out,
		    struct dal_error *error);
/* What a kind looks like, for messages: "a duration such as \"10s\"". */
const char *dal_field_expects(enum dal_field_kind kind);
/* Is this a name as events.md has it. */
bool dal_name_valid(struct dal_slice name);
/*
 * Overrides from an environment (NULL-terminated NAME=value list): DALAMB_HTTP_LISTEN, or of what
 * is named DALAMB_FUNC_FRAUD_CHECK_IMAGE. A DALAMB_HTTP_ that is no field is an error, but of what
 * is named it may be another's (dal_declaration_takes tells); so is a field that only a file can
 * hold (MAP, TABLE, PATTERN, FUNCTION, JSON).
 */
void dal_declaration_environment(struct dal_declaration *declaration, char *const *environment,
				 struct dal_errors *errors);
/* Does this NAME=value set one of its fields? */
bool dal_declaration_takes(const struct dal_declaration *declaration, const char *variable);

#endif
