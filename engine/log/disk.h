/*
 * The free-space mark: says no to appends before the disk is full. Any thread.
 *
 * The file system is asked when the last answer is DAL_DISK_ASK_US old, or when what was let in
 * since would reach the mark; in between, what was let in counts as gone.
 *
 * Below the mark lies what urgent appends may use, and below that what nobody may: RocksDB writes
 * what its two write buffers hold once more, to a table, before it deletes them from its own log.
 */
#ifndef DAL_LOG_DISK_H
#define DAL_LOG_DISK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/limits.h"

#define DAL_DISK_ASK_US 200000
#define DAL_DISK_MARK_MIN_BYTES (64 * DAL_MIB)
#define DAL_DISK_FLUSH_BYTES (40 * DAL_MIB)
#define DAL_DISK_URGENT_PART 8 /* urgent appends go on to this part of the mark */

struct dal_disk {
	const char *path; /* the caller's */
	uint64_t mark_bytes, urgent_mark_bytes;
	_Atomic uint64_t free_bytes;
	_Atomic uint64_t taken_bytes; /* let in since it was asked, or waiting then */
	_Atomic int64_t asked_us;
};

/* A mark under the least is raised to it. */
void dal_disk_init(struct dal_disk *disk, const char *path, uint64_t mark_bytes);
/* Is there room for so many bytes above the mark? They count as let in then. `waiting` of those let
 * in before are not on the disk yet. */
bool dal_disk_room(struct dal_disk *disk, uint64_t bytes, uint64_t waiting, bool urgent);
/* Would some room be found above the mark? Nothing is counted. */
bool dal_disk_has_room(struct dal_disk *disk, uint64_t waiting);

#endif
