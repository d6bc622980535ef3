/*
 * Rules for the matcher's benchmarks: a JSON object of name -> pattern, read member by member, so
 * that the memory measured is the matcher's and not that of a document.
 */
#ifndef DAL_BENCH_MATCH_RULES_H
#define DAL_BENCH_MATCH_RULES_H

#include "rules/pattern.h"

struct bench_rules {
	char **names;
	struct dal_pattern **patterns;
	size_t count, capacity, names_capacity;
};

/* Ends the program with a message if something is wrong. */
void bench_rules_read(struct bench_rules *rules, const char *path);
void bench_rules_free(struct bench_rules *rules);

#endif
