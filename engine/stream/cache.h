/*
 * The live state cache of a lane: projection entries as live Lua values, each written once a batch.
 *
 * An entry is read from the store when it is first touched, folded in place, marked dirty, and
 * written when the batch commits. Clean entries are given up in order of last use, dirty ones
 * never. It is bounded by a number of entries and by the size of their JSON. Belongs to the thread
 * of its lane.
 */
#ifndef DAL_STREAM_CACHE_H
#define DAL_STREAM_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/slice.h"
#include "engine/event/event.h"
#include "rules/vm.h"

struct dal_cache;

#define DAL_CACHE_BYTES (64ull << 20) /* of JSON; as Lua values they are several times as large */

struct dal_cache_entry {
	uint32_t projection;
	uint32_t key_size;
	struct dal_vm_entry *value; /* owned */
	bool dirty;
	bool parked;
	struct dal_place
		position; /* of the last event folded in; offset 0: none. Topics are interned */
	struct dal_place parked_at;
	char *message;   /* why it is parked; owned */
	uint32_t *folds; /* indexes of this batch's events that are folded in */
	uint32_t fold_count, fold_capacity;
	/* private */
	size_t bytes;
	uint64_t hash;
	struct dal_cache_entry *chain, *newer, *older, *next_dirty;
	char key[];
};

static inline struct dal_slice dal_cache_key(const struct dal_cache_entry *entry)
{
	return (struct dal_slice){entry->key, entry->key_size};
}

/* `capacity`: clean entries that are kept; 0 keeps none beyond a batch. */
struct dal_cache *dal_cache_new(size_t capacity);
void dal_cache_free(struct dal_cache *cache);
/* The entry, made (with a NULL value, *fresh true) if it is not there. Valid until the next trim,
 * drop or free. */
struct dal_cache_entry *dal_cache_get(struct dal_cache *cache, uint32_t projection,
				      struct dal_slice key, bool *fresh);
void dal_cache_dirty(struct dal_cache *cache, struct dal_cache_entry *entry);
/* The size of its JSON, where it is known. */
void dal_cache_sized(struct dal_cache *cache, struct dal_cache_entry *entry, size_t bytes);
/* The dirty entries, linked by next_dirty: by projection and key, as a store likes to have them. */
struct dal_cache_entry *dal_cache_dirty_sorted(struct dal_cache *cache);
/* All dirty entries are clean now, and what is over the capacity is given up. */
void dal_cache_clean(struct dal_cache *cache);
/* Forgets every dirty entry: what a batch did is undone. */
void dal_cache_discard(struct dal_cache *cache);
/* Forgets every entry. */
void dal_cache_forget(struct dal_cache *cache);
size_t dal_cache_size(const struct dal_cache *cache);

#endif
