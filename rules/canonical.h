/*
 * Values that leave Lua and come back: plain trees in one canonical JSON form. Private to rules.
 *
 * A plain value is a boolean, an integer, a finite float, a string in UTF-8, null, or a table whose
 * keys are all strings (an object) or 1..n without holes (an array); the empty table is {}. No
 * table occurs twice. Views on an event, entries and frozen tables may be part of it: they are
 * read, and where the value stays in Lua they are copied. All of these raise with the path of what
 * is wrong, so they are called inside dal_sandbox_call; a checked value never raises.
 */
#ifndef DAL_RULES_CANONICAL_H
#define DAL_RULES_CANONICAL_H

#include "rules/sandbox.h"

/* A JSON node as a plain Lua value. Pushes it. */
void dal_canonical_push(lua_State *lua, const struct dal_json *json, uint32_t node);
/* Makes the value on top one that may be kept as state: checks it, replaces what must be copied.
 * `what` begins the path. */
void dal_canonical_keep(lua_State *lua, const char *what);
/* Appends canonical JSON of the value at `index`: keys sorted by bytes. `limit` bytes of it at the
 * most. */
void dal_canonical_write(lua_State *lua, int index, const char *what, size_t limit,
			 struct dal_buffer *out);
/* A node of the current event likewise. */
void dal_canonical_write_node(lua_State *lua, uint32_t node, struct dal_buffer *out);
/* A copy of a plain table without views in it (a projection's init). Pushes it. */
void dal_canonical_copy(lua_State *lua, int index);
/* Raises, with `what`, if the text is not UTF-8. */
void dal_canonical_check_text(lua_State *lua, struct dal_slice text, const char *what);

#endif
