/*
 * Prefixes of a field, found together: a radix tree of their bytes. Private to rules.
 *
 * Suffixes are the same from behind: such a tree keeps and reads all texts backwards. One walk down
 * the tree finds all that a value begins with, in no more steps than the longest of them has
 * bytes. Texts come and go in place, each in as many steps as it has bytes.
 */
#ifndef DAL_RULES_AFFIXES_H
#define DAL_RULES_AFFIXES_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"
#include "rules/id_table.h"

struct dal_affixes;

/* The texts must outlive the tree. */
struct dal_affixes *dal_affixes_new(bool backwards);
void dal_affixes_free(struct dal_affixes *affixes); /* NULL is fine */
/* A text that is not there yet. */
void dal_affixes_add(struct dal_affixes *affixes, struct dal_slice text, uint32_t id);
void dal_affixes_remove(struct dal_affixes *affixes, struct dal_slice text);
/* Calls `fire` for each text that `value` begins (or ends) with, the shortest first. */
void dal_affixes_find(const struct dal_affixes *affixes, struct dal_slice value,
		      void (*fire)(void *own, uint32_t id), void *own);

#endif
