/*
 * A group: the appends that share one batch and one fsync.
 *
 * Each append is settled in the order of arrival: repeats get the first one's place, the others the
 * next offsets. Then blocks, dedup records and the last origin go into one store batch. Scratch
 * memory is kept from group to group; nothing is allocated an event. One thread: the log's writer.
 *
 *	dal_group_begin(group);
 *	dal_group_add(group, append); ...
 *	dal_group_seal(group);
 *	r = dal_store_write(store, group->batch, true);
 */
#ifndef DAL_LOG_GROUP_H
#define DAL_LOG_GROUP_H

#include "engine/log/dedup.h"
#include "engine/log/dedup_record.h"
#include "engine/log/embedded.h"

struct dal_group {
	const struct dal_embedded *log;
	struct dal_dedup *dedup;           /* owned */
	struct dal_compressor *compressor; /* owned */
	uint64_t next;                     /* the next offset to give */
	int64_t time_us; /* append time of this group; each group's is larger than the last one's */
	int64_t kept_since_us; /* dedup records of before are deleted */
	uint64_t origin;       /* the last that is on the log, or is in this group */
	bool origin_moved;
	size_t repeated; /* events of this group that were repeats */

	/* What is new in this group. */
	struct dal_block_item *items;
	size_t items_count, items_capacity;
	struct dal_dedup_event *events;
	size_t events_count, events_capacity;
	struct dal_dedup_request *requests; /* the answers' bytes lie in `answers`, in order */
	size_t requests_count, requests_capacity;
	struct dal_buffer answers;

	/* What came of it. */
	struct dal_store_batch *batch;
	struct dal_block **blocks; /* a reference each */
	size_t blocks_count, blocks_capacity;
	struct dal_buffer scratch;
};

/* Takes `dedup`. */
void dal_group_init(struct dal_group *group, const struct dal_embedded *log,
		    struct dal_dedup *dedup, uint64_t next, int64_t last_time_us);
void dal_group_deinit(struct dal_group *group);
/* Forgets the group before and takes the time. */
void dal_group_begin(struct dal_group *group);
/* Sets the items' places and the append's result: 0, DAL_LOG_CONFLICT or negative. */
void dal_group_add(struct dal_group *group, struct dal_log_append *append);
/* Makes blocks and batch. An empty batch says that there is nothing to write: repeats only. */
void dal_group_seal(struct dal_group *group);

#endif
