/*
 * A hash table from 128-bit keys to numbers, which only grows and is dropped as a whole: one slice
 * of the deduplication (dedup.h). 24 bytes an entry and an index of 5 to 11; nothing is allocated
 * an entry. Keys are hashes already and are used as such. One thread.
 */
#ifndef DAL_LOG_TABLE_H
#define DAL_LOG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Two independent 64-bit hashes of one text. Equal keys are taken for equal texts: among 10^9 of
 * them the odds of one false match are 10^-21. */
struct dal_table_key {
	uint64_t a, b;
};

struct dal_table_entry {
	struct dal_table_key key;
	uint64_t value;
};

/* A zeroed struct is an empty table. */
struct dal_table {
	struct dal_table_entry *entries; /* in the order of arrival */
	size_t count, capacity;
	uint32_t *slots;    /* 0: free; else bits of the key above, number of the entry + 1 below */
	size_t slots_count; /* a power of two, or 0 */
};

#define DAL_TABLE_ENTRIES_MAX ((1u << 24) - 1)

void dal_table_deinit(struct dal_table *table);
/* Room for about so many entries, so that it need not grow one doubling after the other. */
void dal_table_expect(struct dal_table *table, size_t count);
/* Begins to load what a look-up of this key will need. */
void dal_table_prefetch(const struct dal_table *table, struct dal_table_key key);
bool dal_table_get(const struct dal_table *table, struct dal_table_key key, uint64_t *value);
/* The key is not in it. */
void dal_table_add(struct dal_table *table, struct dal_table_key key, uint64_t value);
/* Whether or not it is. */
void dal_table_set(struct dal_table *table, struct dal_table_key key, uint64_t value);

#endif
