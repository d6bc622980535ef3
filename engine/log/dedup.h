/*
 * Deduplication: what was appended within the window, by event and by request, in memory.
 *
 * It is cut into slices of a quarter window, and a slice is forgotten as a whole, so a repeat is
 * told for the window and up to a quarter longer. Past `limit` entries the oldest slice goes early
 * (counted: dal_dedup_dropped), because memory is bounded and the newest matter most.
 * The log keeps the same entries on disk (dedup_record.h) and fills this again when it opens.
 * One thread: the log's writer.
 */
#ifndef DAL_LOG_DEDUP_H
#define DAL_LOG_DEDUP_H

#include "engine/base/slice.h"
#include "engine/log/table.h"

struct dal_dedup;

struct dal_dedup *dal_dedup_new(int64_t window_us, size_t limit);
void dal_dedup_free(struct dal_dedup *dedup); /* NULL is fine */

/* Goes on to this time, which never goes back; what is added next belongs to it. Returns the time
 * since when all is remembered: records of before can be deleted. */
int64_t dal_dedup_advance(struct dal_dedup *dedup, int64_t now_us);

void dal_dedup_prefetch(const struct dal_dedup *dedup, struct dal_table_key key);
/* Where the first event of this key stands. */
bool dal_dedup_find(const struct dal_dedup *dedup, struct dal_table_key key, uint64_t *offset);
/* The key is not in it. */
void dal_dedup_add(struct dal_dedup *dedup, struct dal_table_key key, uint64_t offset);
/* Whether or not it is: this is what is found from now on. */
void dal_dedup_set(struct dal_dedup *dedup, struct dal_table_key key, uint64_t offset);

/* A request's record is bytes to this module; valid until the next advance or add. */
bool dal_dedup_find_request(const struct dal_dedup *dedup, struct dal_table_key key,
			    struct dal_slice *record);
void dal_dedup_add_request(struct dal_dedup *dedup, struct dal_table_key key,
			   struct dal_slice record);

/* Entries that went before their time, since it was made. */
uint64_t dal_dedup_dropped(const struct dal_dedup *dedup);
size_t dal_dedup_count(const struct dal_dedup *dedup);

#endif
