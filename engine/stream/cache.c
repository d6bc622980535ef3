#include "engine/stream/cache.h"

#include <string.h>

#include "engine/base/digest.h"
#include "engine/base/error.h"
#include "engine/base/memory.h"

struct dal_cache {
	struct dal_cache_entry **buckets;
	size_t bucket_count; /* a power of two */
	size_t count, capacity;
	size_t bytes;
	struct dal_cache_entry *newest, *oldest;
	struct dal_cache_entry *dirty_first;
	struct dal_cache_entry **dirty_tail;
	size_t dirty_count;
};

struct dal_cache *dal_cache_new(size_t capacity)
{
	struct dal_cache *cache = dal_calloc(1, sizeof(*cache));
	cache->capacity = capacity;
	cache->bucket_count = 1024;
	cache->buckets = dal_calloc(cache->bucket_count, sizeof(*cache->buckets));
	cache->dirty_tail = &cache->dirty_first;
	return cache;
}

static void entry_free(struct dal_cache_entry *entry)
{
	if (entry->value) {
		dal_vm_entry_free(entry->value);
	}
	free(entry->message);
	free(entry->folds);
	free(entry);
}

void dal_cache_free(struct dal_cache *cache)
{
	struct dal_cache_entry *entry, *older;

	if (!cache) {
		return;
	}
	for (entry = cache->newest; entry; entry = older) {
		older = entry->older;
		entry_free(entry);
	}
	free(cache->buckets);
	free(cache);
}

static void order_unlink(struct dal_cache *cache, struct dal_cache_entry *entry)
{
	*(entry->newer ? &entry->newer->older : &cache->newest) = entry->older;
	*(entry->older ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void order_front(struct dal_cache *cache, struct dal_cache_entry *entry)
{
	entry->newer = NULL;
	entry->older = cache->newest;
	*(cache->newest ? &cache->newest->newer : &cache->oldest) = entry;
	cache->newest = entry;
}

static void grow(struct dal_cache *cache)
{
	size_t count = cache->bucket_count * 2;
	struct dal_cache_entry **buckets = dal_calloc(count, sizeof(*buckets));

	for (size_t i = 0; i < cache->bucket_count; i++) {
		struct dal_cache_entry *entry = cache->buckets[i];
		while (entry) {
			struct dal_cache_entry *next = entry->chain;
			entry->chain = buckets[entry->hash & (count - 1)];
			buckets[entry->hash & (count - 1)] = entry;
			entry = next;
		}
	}
	free(cache->buckets);
	cache->buckets = buckets;
	cache->bucket_count = count;
}

static struct dal_cache_entry *entry_add(struct dal_cache *cache, uint64_t hash,
					 uint32_t projection, struct dal_slice key)
{
	struct dal_cache_entry *entry = dal_calloc(1, sizeof(*entry) + key.size);
	struct dal_cache_entry **bucket;

	if (cache->count >= cache->bucket_count) {
		grow(cache);
	}
	bucket = &cache->buckets[hash & (cache->bucket_count - 1)];
	entry->hash = hash;
	entry->projection = projection;
	entry->key_size = (uint32_t)key.size;
	memcpy(entry->key, key.data, key.size);
	entry->chain = *bucket;
	*bucket = entry;
	order_front(cache, entry);
	cache->count++;
	return entry;
}

struct dal_cache_entry *dal_cache_get(struct dal_cache *cache, uint32_t projection,
				      struct dal_slice key, bool *fresh)
{
	uint64_t hash = dal_hash64(key, projection);
	struct dal_cache_entry *entry = cache->buckets[hash & (cache->bucket_count - 1)];

	for (; entry; entry = entry->chain) {
		if (entry->hash == hash && entry->projection == projection &&
		    dal_slice_equal(dal_cache_key(entry), key)) {
			if (entry != cache->newest) {
				order_unlink(cache, entry);
				order_front(cache, entry);
			}
			*fresh = false;
			return entry;
		}
	}
	*fresh = true;
	return entry_add(cache, hash, projection, key);
}

void dal_cache_dirty(struct dal_cache *cache, struct dal_cache_entry *entry)
{
	if (entry->dirty) {
		return;
	}
	entry->dirty = true;
	entry->next_dirty = NULL;
	*cache->dirty_tail = entry;
	cache->dirty_tail = &entry->next_dirty;
	cache->dirty_count++;
}

static void dirty_forget(struct dal_cache *cache)
{
	cache->dirty_first = NULL;
	cache->dirty_tail = &cache->dirty_first;
	cache->dirty_count = 0;
}

void dal_cache_sized(struct dal_cache *cache, struct dal_cache_entry *entry, size_t bytes)
{
	cache->bytes += bytes - entry->bytes;
	entry->bytes = bytes;
}

static int compare(const struct dal_cache_entry *a, const struct dal_cache_entry *b)
{
	if (a->projection != b->projection) {
		return a->projection < b->projection ? -1 : 1;
	}
	return dal_slice_compare(dal_cache_key(a), dal_cache_key(b));
}

/* Takes the first `count` of *list, and gives them in their order. */
static struct dal_cache_entry *sort(struct dal_cache_entry **list, size_t count)
{
	struct dal_cache_entry *first = *list, *second, *sorted = NULL, **tail = &sorted;

	if (count < 2) {
		*list = first ? first->next_dirty : NULL;
		if (first) {
			first->next_dirty = NULL;
		}
		return first;
	}
	first = sort(list, count / 2);
	second = sort(list, count - count / 2);
	while (first && second) {
		struct dal_cache_entry **least = compare(first, second) <= 0 ? &first : &second;
		*tail = *least;
		tail = &(*least)->next_dirty;
		*least = *tail;
	}
	*tail = first ? first : second;
	return sorted;
}

struct dal_cache_entry *dal_cache_dirty_sorted(struct dal_cache *cache)
{
	struct dal_cache_entry *list = cache->dirty_first;

	cache->dirty_first = sort(&list, cache->dirty_count);
	cache->dirty_tail = &cache->dirty_first;
	while (*cache->dirty_tail) {
		cache->dirty_tail = &(*cache->dirty_tail)->next_dirty;
	}
	return cache->dirty_first;
}

static void entry_remove(struct dal_cache *cache, struct dal_cache_entry *entry)
{
	struct dal_cache_entry **link = &cache->buckets[entry->hash & (cache->bucket_count - 1)];

	while (*link != entry) {
		link = &(*link)->chain;
	}
	*link = entry->chain;
	order_unlink(cache, entry);
	cache->count--;
	cache->bytes -= entry->bytes;
	entry_free(entry);
}

void dal_cache_clean(struct dal_cache *cache)
{
	for (struct dal_cache_entry *entry = cache->dirty_first; entry; entry = entry->next_dirty) {
		entry->dirty = false;
		entry->fold_count = 0;
	}
	dirty_forget(cache);
	while (cache->count > cache->capacity || cache->bytes > DAL_CACHE_BYTES) {
		entry_remove(cache, cache->oldest);
	}
}

void dal_cache_discard(struct dal_cache *cache)
{
	struct dal_cache_entry *entry, *next;

	for (entry = cache->dirty_first; entry; entry = next) {
		next = entry->next_dirty;
		entry_remove(cache, entry);
	}
	dirty_forget(cache);
}

void dal_cache_forget(struct dal_cache *cache)
{
	while (cache->newest) {
		entry_remove(cache, cache->newest);
	}
	cache->dirty_first = NULL;
	cache->dirty_tail = &cache->dirty_first;
}

size_t dal_cache_size(const struct dal_cache *cache)
{
	return cache->count;
}
