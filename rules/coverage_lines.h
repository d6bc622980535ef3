/*
 * Which lines of the functions in an app's files have run: for rule tests.
 *
 * A machine that is given one tells it of every line (vm.h), which costs several times what the
 * script does; others pay nothing. Lines of a file outside of functions, which run when it is
 * loaded, don't count. One thread.
 */
#ifndef DAL_RULES_COVERAGE_LINES_H
#define DAL_RULES_COVERAGE_LINES_H

#include <stdbool.h>

#include "rules/rules.h"

struct dal_coverage_lines;
struct lua_State;
struct lua_Debug;

struct dal_coverage_line {
	const char *file; /* as the source is named; lives as long as the set */
	int line;
	bool ran;
};

/* Of all files but tests. The set must outlive it. */
struct dal_coverage_lines *dal_coverage_lines_new(const struct dal_rules *rules);
void dal_coverage_lines_free(struct dal_coverage_lines *lines); /* NULL is fine */
/* All lines with code, by file in the order of loading, then by line. A line with two functions ran
 * if both did. Valid until the next call. */
const struct dal_coverage_line *dal_coverage_lines_all(struct dal_coverage_lines *lines,
						       size_t *count);
/* The sandbox's: a line is about to run. */
void dal_coverage_lines_ran(struct dal_coverage_lines *lines, struct lua_State *lua,
			    struct lua_Debug *frame);

#endif
