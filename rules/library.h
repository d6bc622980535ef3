/*
 * What scripts are offered instead of Lua's own libraries: bounded, deterministic, without
 * addresses, clocks or reflection. Private to rules.
 *
 * `dal_library_open` builds the table of base globals; a file's _ENV starts as a copy of it.
 * Library tables are frozen, and every function of it has a name that digests use.
 */
#ifndef DAL_RULES_LIBRARY_H
#define DAL_RULES_LIBRARY_H

#include "rules/sandbox.h"

/* The longest string that a library function makes, and the most values that unpack gives. */
#define DAL_LIBRARY_STRING_BYTES (1024 * 1024)
#define DAL_LIBRARY_UNPACK 200

/* The state's stack is as before. */
void dal_library_open(lua_State *lua);
/* Pushes the table of base globals. */
void dal_library_globals(lua_State *lua);
/* Pushes the name of a library function or table ("string.format"), or nil. */
void dal_library_name(lua_State *lua, int index);
/* Names the function or table at `index`. */
void dal_library_name_set(lua_State *lua, int index, const char *name);
/* As `tostring`, but without calling anything and without addresses. Pushes and returns the text.
 */
const char *dal_library_tostring(lua_State *lua, int index);

/* Each adds its globals or its library table to the table on top. */
void dal_library_base(lua_State *lua);
void dal_library_pairs(lua_State *lua);
void dal_library_string(lua_State *lua);
void dal_library_table(lua_State *lua);
void dal_library_math(lua_State *lua);
void dal_library_json(lua_State *lua);
void dal_library_time(lua_State *lua);
/* Sets `functions` as a frozen library table `name` (NULL: as globals) in the table on top. */
void dal_library_add(lua_State *lua, const char *name, const luaL_Reg *functions);
/* find, match, gmatch, gsub: library_match.c; format: library_format.c */
int dal_library_find(lua_State *lua);
int dal_library_match(lua_State *lua);
int dal_library_gmatch(lua_State *lua);
int dal_library_gsub(lua_State *lua);
int dal_library_format(lua_State *lua);
/* view: vm.c */
int dal_vm_view(lua_State *lua);

/*
 * A table's keys in their one order: integers, other numbers, strings by bytes, booleans. Pushes a
 * table with the keys as found, and a userdata with their order. Raises for keys without an order.
 * `index` is a raw table.
 */
struct dal_keys {
	int tag; /* DAL_TAG_MEMORY */
	size_t count;
	size_t position;
	uint32_t order[]; /* from 1, into the table of keys */
};
struct dal_keys *dal_keys_sorted(lua_State *lua, int index);

#define DAL_NAMES 32

/* The same for a small table with names only, as most are: without memory for it. */
struct dal_names {
	size_t count;
	struct {
		struct dal_slice text;
		int place; /* on the stack */
	} items[DAL_NAMES];
};
/* Pushes the names, as many as there are. False, and nothing pushed: it is no such table. */
bool dal_names_sorted(lua_State *lua, int index, struct dal_names *names);

/* A table that is frozen has its content behind it. Pushes the raw table of the one at `index`. */
void dal_frozen_raw(lua_State *lua, int index);
bool dal_frozen_is(lua_State *lua, int index);
/* Freezes one table in place. */
void dal_frozen_make(lua_State *lua, int index);

#endif
