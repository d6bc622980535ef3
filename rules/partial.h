/*
 * Patterns and events of which only a part is known: what may follow from what. Any thread.
 */
#ifndef DAL_RULES_PARTIAL_H
#define DAL_RULES_PARTIAL_H

#include "rules/pattern.h"

/* May it match an event that has what the object `part` has? What is missing there may be anything.
 */
bool dal_pattern_may(const struct dal_pattern *pattern, const struct dal_json *json, uint32_t part);
/* What it asks of `type` alone, as a pattern in JSON: {"type":[...]}. False: any will do. */
bool dal_pattern_type(const struct dal_pattern *pattern, struct dal_buffer *json);

#endif
