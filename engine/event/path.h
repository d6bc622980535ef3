/*
 * Paths into an event ("data.customer", "subject", `data["a.b"].c`), compiled once.
 *
 * A step is an object's key; arrays are not entered. A compiled path is constant and may be read by
 * any thread.
 */
#ifndef DAL_EVENT_PATH_H
#define DAL_EVENT_PATH_H

#include "engine/base/error.h"
#include "engine/event/json.h"

struct dal_path;

enum { DAL_PATH_INVALID = 1 };
enum { DAL_KEY_ABSENT = 1, DAL_KEY_INVALID = 2 };

int dal_path_parse(struct dal_slice text, struct dal_path **path, struct dal_error *error);
void dal_path_free(struct dal_path *path);                   /* NULL is fine */
struct dal_slice dal_path_text(const struct dal_path *path); /* as written; NUL follows it */
size_t dal_path_steps(const struct dal_path *path);
struct dal_slice dal_path_step(const struct dal_path *path, size_t index);
/* The node that the path leads to from `node`, or DAL_JSON_NONE. */
uint32_t dal_path_find(const struct dal_path *path, const struct dal_json *json, uint32_t node);

/*
 * A value as the text of a key (events.md, "a key as text"), appended to `out`: strings as they
 * are, integers in decimal, booleans, whole floats as that integer. DAL_KEY_ABSENT for null and
 * NONE; DAL_KEY_INVALID (nothing appended) for containers, other floats, text over
 * DAL_LIMIT_KEY_BYTES.
 */
int dal_key_text(const struct dal_json *json, uint32_t node, struct dal_buffer *out);

#endif
