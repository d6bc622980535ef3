/*
 * What commands print: JSON read member by member, and laid out for people. Main thread.
 */
#ifndef DAL_CLI_PRINT_H
#define DAL_CLI_PRINT_H

#include <stdbool.h>
#include <stdio.h>

#include "engine/base/slice.h"
#include "engine/event/json.h"

/* Members of an object; what is absent, null or of another kind is empty, 0 or false. */
struct dal_slice dal_member_text(const struct dal_json *json, uint32_t object, const char *key);
int64_t dal_member_integer(const struct dal_json *json, uint32_t object, const char *key);
bool dal_member_true(const struct dal_json *json, uint32_t object, const char *key);
/* The value's own bytes. */
struct dal_slice dal_member_raw(const struct dal_json *json, uint32_t object, const char *key);

/* Text and JSON as they are; control characters of what others wrote become '?'. */
void dal_print(FILE *to, struct dal_slice text);
/* A JSON value on one line, cut at `most` bytes. */
void dal_print_short(FILE *to, struct dal_slice json, size_t most);
/* A JSON value laid out over lines. */
void dal_print_document(FILE *to, struct dal_slice json);

#endif
