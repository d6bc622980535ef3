#include "engine/base/map.h"

#include "engine/base/digest.h"
#include "engine/base/error.h"
#include "engine/base/memory.h"

/*
 * Open addressing, linear probing. A removed entry leaves a grave, so that a walk which removes
 * what it was given sees each other entry exactly once; graves go when the table is laid out anew.
 */
struct entry {
	char *key; /* NULL: free, or a grave */
	size_t key_size;
	uint64_t hash;
	void *value;
	bool grave;
};

struct dal_map {
	struct entry *entries;
	size_t capacity; /* a power of two */
	size_t size;
	size_t graves;
	uint64_t seed; /* keys may come from outside: nobody shall choose colliding ones */
};

#define CAPACITY_MIN 16

struct dal_map *dal_map_new(void)
{
	struct dal_map *map = dal_calloc(1, sizeof(*map));

	map->capacity = CAPACITY_MIN;
	map->entries = dal_calloc(map->capacity, sizeof(*map->entries));
	dal_random(&map->seed, sizeof(map->seed));
	return map;
}

void dal_map_free(struct dal_map *map)
{
	if (map) {
		for (size_t i = 0; i < map->capacity; i++) {
			free(map->entries[i].key);
		}
		free(map->entries);
		free(map);
	}
}

/* The entry of this key, or NULL. */
static struct entry *map_find(const struct dal_map *map, struct dal_slice key, uint64_t hash)
{
	size_t mask = map->capacity - 1;

	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		struct entry *entry = &map->entries[i];

		if (!entry->key && !entry->grave) {
			return NULL;
		}
		if (entry->key && entry->hash == hash &&
		    dal_slice_equal(key, dal_slice(entry->key, entry->key_size))) {
			return entry;
		}
	}
}

/* Where a key that is not in the map yet goes. */
static struct entry *map_vacancy(struct dal_map *map, uint64_t hash)
{
	size_t i = hash & (map->capacity - 1);

	while (map->entries[i].key) {
		i = (i + 1) & (map->capacity - 1);
	}
	return &map->entries[i];
}

/* Lays the table out anew, at most half full and without graves. */
static void map_rebuild(struct dal_map *map)
{
	struct entry *old = map->entries;
	size_t old_capacity = map->capacity;

	map->capacity = CAPACITY_MIN;
	while (map->capacity < (map->size + 1) * 2) {
		map->capacity *= 2;
	}
	map->entries = dal_calloc(map->capacity, sizeof(*map->entries));
	map->graves = 0;
	for (size_t i = 0; i < old_capacity; i++) {
		if (old[i].key) {
			*map_vacancy(map, old[i].hash) = old[i];
		}
	}
	free(old);
}

void *dal_map_get(const struct dal_map *map, struct dal_slice key)
{
	struct entry *entry = map_find(map, key, dal_hash64(key, map->seed));

	return entry ? entry->value : NULL;
}

void *dal_map_set(struct dal_map *map, struct dal_slice key, void *value)
{
	uint64_t hash = dal_hash64(key, map->seed);
	struct entry *entry = map_find(map, key, hash);

	DAL_ASSERT(value);
	if (entry) {
		void *replaced = entry->value;

		entry->value = value;
		return replaced;
	}
	if ((map->size + map->graves + 1) * 4 > map->capacity * 3) {
		map_rebuild(map);
	}
	entry = map_vacancy(map, hash);
	map->graves -= entry->grave;
	map->size++;
	*entry = (struct entry){dal_slice_dup(key), key.size, hash, value, false};
	return NULL;
}

void *dal_map_remove(struct dal_map *map, struct dal_slice key)
{
	struct entry *entry = map_find(map, key, dal_hash64(key, map->seed));
	void *removed;

	if (!entry) {
		return NULL;
	}
	removed = entry->value;
	free(entry->key);
	*entry = (struct entry){.grave = true};
	map->graves++;
	map->size--;
	return removed;
}

size_t dal_map_size(const struct dal_map *map)
{
	return map->size;
}

bool dal_map_next(const struct dal_map *map, size_t *cursor, struct dal_slice *key, void **value)
{
	while (*cursor < map->capacity) {
		const struct entry *entry = &map->entries[(*cursor)++];

		if (entry->key) {
			*key = dal_slice(entry->key, entry->key_size);
			*value = entry->value;
			return true;
		}
	}
	return false;
}
