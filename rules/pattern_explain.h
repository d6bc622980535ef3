/* What the files of an explanation share. Private to rules. */
#ifndef DAL_RULES_PATTERN_EXPLAIN_H
#define DAL_RULES_PATTERN_EXPLAIN_H

#include "rules/event_fields.h"
#include "rules/pattern_tree.h"

/* As dal_pattern_explain, for an event of which many patterns are asked. */
bool dal_pattern_explain_with(const struct dal_pattern *pattern, struct dal_event_fields *fields,
			      uint32_t event, struct dal_pattern_miss *miss);

/* pattern_words.c: what a leaf expects, in words. Appends. */
void dal_leaf_describe(const struct dal_pattern_field *leaf, struct dal_buffer *out);

/* pattern_hint.c: sets hint and near of a miss. */
/* The value is there and fails. */
void dal_leaf_hint(const struct dal_json *json, const struct dal_pattern_field *leaf,
		   uint32_t value, struct dal_pattern_miss *miss);
/* `object` has no such field. */
void dal_leaf_hint_missing(struct dal_event_fields *fields, const struct dal_pattern_field *leaf,
			   uint32_t object, struct dal_pattern_miss *miss);

#endif
