/*
 * What a selected tape must be, worked out from the full one; for tests.
 */
#ifndef DAL_TESTS_EVENT_PROJECTION_H
#define DAL_TESTS_EVENT_PROJECTION_H

#include "engine/event/json_select.h"

/* Appends what of the value of `node` is below `field` or is its own, in the writer's one form. */
void dal_projection_write(const struct dal_json *full, uint32_t node,
			  const struct dal_json_names *names, uint32_t field,
			  struct dal_buffer *out);
/* The same of the root. */
void dal_projection_root(const struct dal_json *full, const struct dal_json_names *names,
			 struct dal_buffer *out);
/* Aborts if a selected tape is no tape, or a key in it bears another field's id than its own. */
void dal_projection_check(const struct dal_json *json, const struct dal_json_names *names);

/* The scans that this processor can run, as dal_json_select; NULL behind the last. */
int (*dal_projection_scan(int index))(struct dal_json *json, struct dal_slice text,
				      const struct dal_json_names *names);

#endif
