/*
 * Which fields of a pattern have been seen to hold and to fail: for rule tests.
 *
 * A pattern is asked as `a and b and c` is: field by field in the order written, up to the first
 * that fails. A field that an event got to either held or decided that the pattern doesn't match;
 * it is covered once both have been seen. So a field that is never reached, as an earlier one
 * always decides, is not covered. One thread.
 */
#ifndef DAL_RULES_COVERAGE_FIELDS_H
#define DAL_RULES_COVERAGE_FIELDS_H

#include "rules/pattern.h"

struct dal_coverage_fields;

struct dal_coverage_field {
	const char *path; /* "data.total"; in an alternative of `any_of` "any_of[2].data.total" */
	uint64_t held, failed;
};

/* The pattern must outlive it. */
struct dal_coverage_fields *dal_coverage_fields_new(const struct dal_pattern *pattern);
void dal_coverage_fields_free(struct dal_coverage_fields *fields); /* NULL is fine */
/* Asks the pattern of an event. Does it match? */
bool dal_coverage_fields_ask(struct dal_coverage_fields *fields, const struct dal_json *json,
			     uint32_t event);
/* In the order written. */
const struct dal_coverage_field *dal_coverage_fields_all(const struct dal_coverage_fields *fields,
							 size_t *count);

#endif
