#include "engine/log/table.h"

#include "engine/base/error.h"
#include "engine/base/memory.h"

enum {
	SLOTS_MIN = 64,
	TAG_SHIFT = 24,
	PREFETCH_AHEAD = 16,
};

void dal_table_deinit(struct dal_table *table)
{
	free(table->entries);
	free(table->slots);
	*table = (struct dal_table){0};
}

static size_t slot_first(const struct dal_table *table, struct dal_table_key key)
{
	return key.a & (table->slots_count - 1);
}

/* The tag spares most look-ups of another key's entry. */
static uint32_t slot_tag(struct dal_table_key key)
{
	return (uint32_t)(key.b >> 56) << TAG_SHIFT;
}

static void slot_put(struct dal_table *table, struct dal_table_key key, size_t index)
{
	size_t at = slot_first(table, key);
	while (table->slots[at]) {
		at = (at + 1) & (table->slots_count - 1);
	}
	table->slots[at] = slot_tag(key) | (uint32_t)(index + 1);
}

void dal_table_prefetch(const struct dal_table *table, struct dal_table_key key)
{
	if (table->slots_count > 0) {
		__builtin_prefetch(&table->slots[slot_first(table, key)]);
	}
}

static void slots_resize(struct dal_table *table, size_t count)
{
	free(table->slots);
	table->slots = dal_calloc(count, sizeof(table->slots[0]));
	table->slots_count = count;
	for (size_t i = 0; i < table->count; i++) {
		if (i + PREFETCH_AHEAD < table->count) {
			dal_table_prefetch(table, table->entries[i + PREFETCH_AHEAD].key);
		}
		slot_put(table, table->entries[i].key, i);
	}
}

void dal_table_expect(struct dal_table *table, size_t count)
{
	size_t slots = SLOTS_MIN;
	while (slots / 4 * 3 < count) {
		slots *= 2;
	}
	if (slots > table->slots_count) {
		slots_resize(table, slots);
	}
}

static struct dal_table_entry *entry_find(const struct dal_table *table, struct dal_table_key key)
{
	if (table->slots_count == 0) {
		return NULL;
	}
	uint32_t tag = slot_tag(key);
	for (size_t at = slot_first(table, key); table->slots[at];
	     at = (at + 1) & (table->slots_count - 1)) {
		uint32_t slot = table->slots[at];
		if ((slot & ~(uint32_t)DAL_TABLE_ENTRIES_MAX) != tag) {
			continue;
		}
		struct dal_table_entry *entry = &table->entries[(slot & DAL_TABLE_ENTRIES_MAX) - 1];
		if (entry->key.a == key.a && entry->key.b == key.b) {
			return entry;
		}
	}
	return NULL;
}

bool dal_table_get(const struct dal_table *table, struct dal_table_key key, uint64_t *value)
{
	const struct dal_table_entry *entry = entry_find(table, key);
	if (entry) {
		*value = entry->value;
	}
	return entry != NULL;
}

void dal_table_set(struct dal_table *table, struct dal_table_key key, uint64_t value)
{
	struct dal_table_entry *entry = entry_find(table, key);
	if (entry) {
		entry->value = value;
	} else {
		dal_table_add(table, key, value);
	}
}

void dal_table_add(struct dal_table *table, struct dal_table_key key, uint64_t value)
{
	DAL_ASSERT(table->count < DAL_TABLE_ENTRIES_MAX);
	if (table->count >= table->slots_count / 4 * 3) {
		dal_table_expect(table, table->count + 1);
	}
	DAL_GROW(table->entries, table->count, table->capacity);
	table->entries[table->count] = (struct dal_table_entry){key, value};
	slot_put(table, key, table->count);
	table->count++;
}
