/*
 * JSON as people write it in Lua: { type = "order.placed", data = { total = 1200 } }. Main thread.
 */
#ifndef DAL_CLI_LUA_TEXT_H
#define DAL_CLI_LUA_TEXT_H

#include <stdbool.h>

#include "engine/base/slice.h"
#include "engine/event/json.h"

/* A string literal. Appends. */
void dal_lua_put_string(struct dal_buffer *out, struct dal_slice text);
/*
 * A value: on one line where it is short, else a member a line, indented by `depth` tabs and more.
 * `but`: a member of the value itself that is left out; or NULL. Appends.
 */
void dal_lua_put(struct dal_buffer *out, const struct dal_json *json, uint32_t node, int depth,
		 const char *but);
/* Does Lua's reading of it give the same JSON: no number that it can't hold, no empty array? */
bool dal_lua_is_exact(const struct dal_json *json, uint32_t node);

#endif
