#include "rules/id_table.h"

#include "engine/base/error.h"
#include "engine/base/memory.h"

#define SMALLEST 8u

void dal_id_table_deinit(struct dal_id_table *table)
{
	free(table->slots);
	*table = (struct dal_id_table){0};
}

static void insert(struct dal_id_table *table, struct dal_id_slot slot)
{
	uint32_t at = slot.hash;
	while (table->slots[at & table->mask].id != 0) {
		at++;
	}
	table->slots[at & table->mask] = slot;
}

static void grow(struct dal_id_table *table)
{
	struct dal_id_table old = *table;
	uint32_t size = old.slots ? (old.mask + 1) * 2 : SMALLEST;
	table->slots = dal_calloc(size, sizeof(*table->slots));
	table->mask = size - 1;
	for (uint32_t i = 0; old.slots && i <= old.mask; i++) {
		if (old.slots[i].id != 0) {
			insert(table, old.slots[i]);
		}
	}
	free(old.slots);
}

void dal_id_table_add(struct dal_id_table *table, uint32_t hash, uint32_t id)
{
	if (!table->slots || table->count * 2 > table->mask) {
		grow(table);
	}
	insert(table, (struct dal_id_slot){hash, id + 1});
	table->count++;
}

/* What stands behind the hole moves up, as far as its own place allows it. */
void dal_id_table_remove(struct dal_id_table *table, uint32_t hash, uint32_t id)
{
	uint32_t mask = table->mask, hole = hash & mask;
	while (table->slots[hole].id != id + 1) {
		DAL_ASSERT(table->slots[hole].id != 0);
		hole = (hole + 1) & mask;
	}
	for (uint32_t at = (hole + 1) & mask; table->slots[at].id != 0; at = (at + 1) & mask) {
		uint32_t home = table->slots[at].hash & mask;
		if (((at - home) & mask) >= ((at - hole) & mask)) {
			table->slots[hole] = table->slots[at];
			hole = at;
		}
	}
	table->slots[hole].id = 0;
	table->count--;
}
