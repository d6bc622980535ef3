/*
 * Which fields of a pattern have been seen to hold and to fail: for rule tests.
 *
 * A field is covered once tests had it hold and had it fail. `type` is asked first, and need only
 * hold: what events of other types have says nothing. Then those beside it (`source` ...), and
 * where they hold those inside (`data`), each whatever the others say. One thread.
 */
#ifndef DAL_RULES_COVERAGE_FIELDS_H
#define DAL_RULES_COVERAGE_FIELDS_H

#include "rules/pattern.h"

struct dal_coverage_fields;

struct dal_coverage_field {
	const char *path; /* "data.total"; in an alternative of `any_of` "any_of[2].data.total" */
	uint64_t held, failed;
	bool is_type; /* of the event: it has to hold only, as all types but its own fail it */
};

/* What no test has it do: "hold" or "fail"; NULL: it is covered. */
static inline const char *dal_coverage_field_lacks(const struct dal_coverage_field *field)
{
	return field->held == 0 ? "hold" : field->failed == 0 && !field->is_type ? "fail" : NULL;
}

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
