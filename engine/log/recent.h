/*
 * The last blocks written, decoded: the worker that follows the head gets them from here and never
 * reads or decompresses what was in memory a moment ago. Bounded; any thread.
 */
#ifndef DAL_LOG_RECENT_H
#define DAL_LOG_RECENT_H

#include "engine/log/block.h"

struct dal_recent;

struct dal_recent *dal_recent_new(size_t max_bytes);
void dal_recent_free(struct dal_recent *recent); /* NULL is fine */
/* Blocks come in order, without gaps. Takes a reference of its own. */
void dal_recent_add(struct dal_recent *recent, struct dal_block *block);
/* The block that holds this offset, with a reference for the caller, or NULL. */
struct dal_block *dal_recent_find(struct dal_recent *recent, uint64_t offset);

#endif
