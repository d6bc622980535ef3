/*
 * The free-space mark: says no to appends before the disk is full. Any thread.
 *
 * The file system is asked when the last answer is DAL_DISK_ASK_US old or 16 MiB were let in since;
 * in between, what was let in counts as gone.
 */
#ifndef DAL_LOG_DISK_H
#define DAL_LOG_DISK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define DAL_DISK_ASK_US 200000

struct dal_disk {
	const char *path; /* the caller's */
	uint64_t mark_bytes;
	_Atomic uint64_t free_bytes;
	_Atomic uint64_t taken_bytes; /* let in since it was asked */
	_Atomic int64_t asked_us;
};

void dal_disk_init(struct dal_disk *disk, const char *path, uint64_t mark_bytes);
/* Is there room for so many bytes above the mark? For urgent ones: above an eighth of it. */
bool dal_disk_room(struct dal_disk *disk, uint64_t bytes, bool urgent);

#endif
