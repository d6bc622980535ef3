/*
 * A tape written out again, in the writer's one form; for tests.
 */
#ifndef DAL_TESTS_CASES_TAPE_H
#define DAL_TESTS_CASES_TAPE_H

#include "engine/event/json.h"

/* Appends the value of `node`: strings unescaped and escaped again, numbers converted. */
void dal_tape_write(const struct dal_json *json, uint32_t node, struct dal_buffer *out);

#endif
