/*
 * A hash map from byte strings to pointers. Copies its keys, owns no value. One thread at a time.
 */
#ifndef DAL_BASE_MAP_H
#define DAL_BASE_MAP_H

#include "engine/base/slice.h"

struct dal_map;

struct dal_map *dal_map_new(void);
void dal_map_free(struct dal_map *map); /* NULL is fine; values stay the caller's */
void *dal_map_get(const struct dal_map *map, struct dal_slice key); /* NULL if absent */
/* Returns the value that was there, or NULL. `value` may not be NULL. */
void *dal_map_set(struct dal_map *map, struct dal_slice key, void *value);
void *dal_map_remove(struct dal_map *map, struct dal_slice key); /* what was there, or NULL */
size_t dal_map_size(const struct dal_map *map);
/*
 * Walks all, in an order that differs from map to map: start with *cursor = 0; false at the end. No
 * change during the walk, but for removing the entry just given.
 */
bool dal_map_next(const struct dal_map *map, size_t *cursor, struct dal_slice *key, void **value);

#endif
