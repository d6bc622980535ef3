/* The walk over a plain value that its check and its writing share. Private to canonical*.c. */
#ifndef DAL_RULES_CANONICAL_WALK_H
#define DAL_RULES_CANONICAL_WALK_H

#include "engine/base/limits.h"
#include "rules/sandbox.h"

#define DAL_WALK_FIRST 16

struct dal_step {
	const char *key; /* NULL: an index */
	size_t size;
	lua_Integer index;
};

struct dal_walk {
	lua_State *lua;
	const char *what;
	struct dal_step path[DAL_LIMIT_OUTPUT_DEPTH];
	int depth;
	size_t bytes; /* an upper bound of its JSON */
	/* The tables seen: an open hash set; the first few need no memory. */
	const void **visited;
	const void *first[DAL_WALK_FIRST];
	size_t capacity, count;
	int visited_slot;
	/* writing */
	struct dal_buffer *out;
	size_t start, limit;
};

enum dal_shape { DAL_SHAPE_OBJECT, DAL_SHAPE_ARRAY };

/* Pushes one slot that the walk needs to the end. */
void dal_walk_init(struct dal_walk *walk, lua_State *lua, const char *what);
void dal_walk_error(const struct dal_walk *walk, const char *problem);
/* Goes one level down, by the key at `key`; up is walk->depth--. */
void dal_walk_enter(struct dal_walk *walk, int key);
/* Raises if the table was seen before. */
void dal_walk_visit(struct dal_walk *walk, int index);
enum dal_shape dal_walk_shape(const struct dal_walk *walk, int table, size_t *count);
void dal_walk_number(const struct dal_walk *walk, int index);
struct dal_slice dal_walk_string(const struct dal_walk *walk, int index, bool key);

#endif
