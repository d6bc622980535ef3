/*
 * The embedded log's meta records: what it is, apart from its events.
 *
 * Key: 'M' and a name. Integers are big-endian.
 *
 *	Mformat       4 bytes: the version of all that lies in this store, 1
 *	Mid           the log's id, 32 hex digits, random
 *	Mseeds        16 bytes: the secret seeds of the deduplication's two hashes
 *	Mtopic/NAME   2 bytes: the number by which blocks call the topic; given once, never changed
 *	Morigin/LANE  8 bytes: the last origin appended; LANE is 2 bytes
 *
 * Blocks are in block.h ('B'), dedup records in dedup_record.h ('D'). Read at open, constant
 * afterwards but for the origin, which the writer's batches put.
 */
#ifndef DAL_LOG_META_H
#define DAL_LOG_META_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/slice.h"
#include "engine/log/log.h"
#include "state/store.h"

#define DAL_META_FORMAT 1
#define DAL_META_TOPICS_MAX 256

struct dal_meta_topic {
	struct dal_slice name; /* owned */
	bool declared;         /* by this run; of a read-only log all are */
};

struct dal_meta {
	struct dal_slice id; /* owned */
	uint64_t seeds[2];
	uint64_t origin;               /* of lane 0 */
	struct dal_meta_topic *topics; /* by number; holes have empty names */
	size_t topics_count;
};

/* Reads the records; makes those of a new log and of new topics, unless it is opened to
 * be read only. 0, or negative with `error` filled; deinit in any case. */
int dal_meta_open(struct dal_meta *meta, struct dal_store *store, const char *path,
		  const struct dal_log_options *options, struct dal_error *error);
void dal_meta_deinit(struct dal_meta *meta);
/* The number of a topic that the log knows, declared or not; -1 if it knows none. */
int dal_meta_topic(const struct dal_meta *meta, struct dal_slice name);
void dal_meta_put_origin(struct dal_store_batch *batch, uint16_t lane, uint64_t origin);

#endif
