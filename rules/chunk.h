/*
 * A Lua function's bytecode, read from lua_dump: what the loader can tell before anything runs.
 *
 * Which globals are used, which projections are read by name, and whether a closure writes to
 * something that outlives its call. Also the digest of a function, which doesn't see lines.
 * Format: Lua 5.4's ldump.c and lopcodes.h, LUAC_VERSION 0x54, checked at the door. Private to
 * rules.
 */
#ifndef DAL_RULES_CHUNK_H
#define DAL_RULES_CHUNK_H

#include <lua.h>

#include "engine/base/digest.h"
#include "engine/base/slice.h"

struct dal_constant {
	uint8_t type;
	struct dal_slice bytes;
};

struct dal_upvalue {
	uint8_t in_stack; /* a local of the enclosing function; else its upvalue */
	uint8_t index;
	struct dal_slice name;
};

struct dal_proto {
	struct dal_slice source;
	int line;
	uint8_t parameters, vararg, stack;
	const char *code;
	size_t code_count;
	int *lines; /* one an instruction */
	struct dal_constant *constants;
	size_t constant_count;
	struct dal_upvalue *upvalues;
	size_t upvalue_count;
	struct dal_proto *protos;
	size_t proto_count;
};

struct dal_chunk {
	struct dal_buffer dump;
	struct dal_proto root;
};

/* Reads the Lua function at `index`. */
void dal_chunk_read(struct dal_chunk *chunk, lua_State *lua, int index);
void dal_chunk_deinit(struct dal_chunk *chunk);

/* Every use of a global by name, in the order of the code. */
void dal_chunk_globals(const struct dal_proto *proto,
		       void (*found)(void *own, struct dal_slice name, int line, bool write),
		       void *own);
/*
 * Every use of the global `function`: with its first argument where it is called with a literal
 * string (by pcall, too); any other use, handed on or kept, has no argument (no data).
 */
void dal_chunk_uses(const struct dal_proto *proto, const char *function,
		    void (*found)(void *own, struct dal_slice argument, int line), void *own);
/* Every call of the global `function` whose result is indexed at once, so that it can't be nil:
 * with its first argument as above. */
void dal_chunk_indexed(const struct dal_proto *proto, const char *function,
		       void (*found)(void *own, struct dal_slice argument, int line), void *own);
/* The fields by which the function reads the table in its upvalue, from 0. False: it may do more
 * with it than that. */
bool dal_chunk_fields(const struct dal_proto *proto, size_t upvalue,
		      void (*found)(void *own, struct dal_slice name), void *own);
/* Every `x.field = value` and `{ field = value }`: with the value where it is a literal string,
 * else without data. */
void dal_chunk_sets(const struct dal_proto *proto, const char *field,
		    void (*found)(void *own, struct dal_slice value), void *own);
/* Does its code have a branch: may it do now this, now that? Functions inside it don't count. */
bool dal_chunk_branches(const struct dal_proto *proto);
/* Every constant that is a string. */
void dal_chunk_strings(const struct dal_proto *proto,
		       void (*found)(void *own, struct dal_slice text), void *own);

struct dal_chunk_write {
	struct dal_slice name;
	int line;
	bool global;
};
/* Does the closure, or one inside it, assign a variable that outlives its call? */
bool dal_chunk_outer_write(const struct dal_proto *proto, struct dal_chunk_write *write);
/* Does a call run fewer instructions than that, whatever happens? So does one without loops and
 * calls. */
bool dal_chunk_is_short(const struct dal_proto *proto, size_t instructions);
/* Adds code and constants, without lines and names. */
void dal_chunk_digest(const struct dal_proto *proto, struct dal_digester *digester);

#endif
