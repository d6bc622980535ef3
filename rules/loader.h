/*
 * The inside of loading: shared by load.c, declare*.c, operators.c, reach.c and vm.c. Private to
 * rules.
 *
 * A loader runs all files of a set in one sandbox. The first time it checks everything and fills
 * the set; a machine runs the same files again only to have their functions, which get the same
 * numbers.
 */
#ifndef DAL_RULES_LOADER_H
#define DAL_RULES_LOADER_H

#include "engine/base/digest.h"
#include "engine/base/map.h"
#include "rules/sandbox.h"
#include "rules/set.h"

enum dal_lib_state { DAL_LIB_NEW, DAL_LIB_LOADING, DAL_LIB_DONE, DAL_LIB_FAILED };

/* Named by `word "name"`, and waiting for its table. `word` is NULL where nothing is. */
struct dal_loader_pending {
	const char *word;
	char name[64];
	int line;
};

struct dal_loader {
	struct dal_sandbox *sandbox;
	struct dal_rules *set;
	bool checking; /* else only functions are wanted, and the set is constant */
	struct dal_errors *errors, *warnings;
	size_t source;              /* that is running */
	enum dal_lib_state *states; /* one a source: is it loaded? */
	int64_t function_count;
	/* Where the lines of `lines_source` begin. */
	const char **lines;
	size_t lines_source, line_count, line_capacity;
	struct dal_loader_pending pending;
	struct dal_map *names;       /* "word name" to the struct dal_loader_use that declares it */
	bool views;                  /* some file uses `view` */
	bool analyse;                /* emits are asked for */
	struct dal_reading *reading; /* reads.c */
	struct dal_loader_use *uses; /* names that are looked up when all is loaded */
	size_t use_count, use_capacity;
};

struct dal_loader_use {
	enum { DAL_USE_CALL, DAL_USE_VIEW } kind;
	size_t source;
	int line;
	char *name;
	char *what; /* `rule "x"`, or NULL */
};

/* Runs all files under `limits`. Positive if something was wrong; then it is in `errors`. */
int dal_loader_run(struct dal_loader *loader);

const struct dal_rules_source *dal_loader_source(const struct dal_loader *loader);
/* The line of the Lua function that called; 0 if unknown. */
int dal_loader_line(lua_State *lua);
void dal_loader_report(struct dal_loader *loader, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The line behind `line` where `field = ` is written, or `line`. */
int dal_loader_field_line(struct dal_loader *loader, int line, const char *field);
/* A name that must be there in the end. */
void dal_loader_use(struct dal_loader *loader, int kind, int line, struct dal_slice name,
		    const char *what);
/* Gives the function at `index`, of `what`, its number. */
int64_t dal_loader_function(struct dal_loader *loader, int index, int line, const char *what);
/* Reports the name if it is not valid, or taken by another `word`. */
void dal_loader_name(struct dal_loader *loader, const char *word, const char *name, int line);

/* declare.c: words and their tables. Adds the words for the role to the table on top. */
void dal_declare_open(struct dal_loader *loader, enum dal_rules_role role);
/* The file is over: a name without a table is reported. */
void dal_declare_finish(struct dal_loader *loader);
/* declare_rule.c */
void dal_declare_rule(struct dal_loader *loader, const char *name, int line, int table);
void dal_declare_projection(struct dal_loader *loader, const char *name, int line, int table);
/* declare_value.c: another folder's. */
void dal_declare_foreign(struct dal_loader *loader, const struct dal_declarable *what,
			 const char *name, int line, int table);
/* declare_test.c */
void dal_declare_test(struct dal_loader *loader, const char *name, int line, int table);
void dal_declare_test_open(lua_State *lua);

/* Reports fields of the table that `fields` lacks, with a suggestion; `what` is `rule "x"`. */
void dal_declare_fields(struct dal_loader *loader, const char *what, int line, int table,
			const struct dal_field *fields);
/* Calls a function that may raise on the value at `index`; false, with the message in `error`, if
 * it did. */
bool dal_declare_canonical(struct dal_loader *loader, int index, const char *what,
			   struct dal_buffer *json, struct dal_error *error);

/* operators.c: adds the pattern operators to the table on top. */
void dal_operators_open(lua_State *lua);
/* The pattern of an `on`: compiled. NULL if it was wrong, and reported. */
struct dal_pattern *dal_operators_pattern(struct dal_loader *loader, const char *what, int line,
					  int index, const char *const **topics);

/* reach.c: freezes all that declared functions reach; in the first load checks and digests it. */
void dal_reach_freeze(struct dal_loader *loader);
/* Digest of the declared function and all it reaches. */
void dal_reach_digest(struct dal_loader *loader, int64_t function, struct dal_digester *digester);

/* reads.c: which projections each function may read. Done once; freed with the loader. */
void dal_reads_find(struct dal_loader *loader);
void dal_reading_free(struct dal_reading *reading); /* NULL is fine */

/* rules.c: the indices of rules and projections by name; the digests of the projections. */
void dal_set_names(struct dal_loader *loader);
void dal_set_digests(struct dal_loader *loader);

#endif
