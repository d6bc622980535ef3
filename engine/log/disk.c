#include "engine/log/disk.h"

#include "engine/base/clock.h"
#include "engine/base/file.h"

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void dal_disk_init(struct dal_disk *disk, const char *path, uint64_t mark_bytes)
{
	disk->path = path;
	disk->mark_bytes = larger(mark_bytes, DAL_DISK_MARK_MIN_BYTES);
	disk->urgent_mark_bytes = larger(disk->mark_bytes / DAL_DISK_URGENT_PART,
					 DAL_DISK_FLUSH_BYTES);
	atomic_init(&disk->free_bytes, UINT64_MAX);
	atomic_init(&disk->taken_bytes, 0);
	atomic_init(&disk->asked_us, INT64_MIN / 2);
}

/* One thread asks; the others go on with what is known. A file system that gives no answer leaves
 * things as they are: the write itself will tell. */
static void ask(struct dal_disk *disk, int64_t asked_us, int64_t now_us, uint64_t waiting)
{
	uint64_t free_bytes = 0;
	if (atomic_compare_exchange_strong(&disk->asked_us, &asked_us, now_us) &&
	    dal_disk_free_bytes(disk->path, &free_bytes) == 0) {
		atomic_store(&disk->free_bytes, free_bytes);
		atomic_store(&disk->taken_bytes, waiting);
	}
}

static bool fits(struct dal_disk *disk, uint64_t bytes, uint64_t mark)
{
	uint64_t taken = atomic_load_explicit(&disk->taken_bytes, memory_order_relaxed);
	uint64_t known = atomic_load_explicit(&disk->free_bytes, memory_order_relaxed);
	return known >= mark && known - mark >= taken && known - mark - taken >= bytes;
}

static bool room(struct dal_disk *disk, uint64_t bytes, uint64_t waiting, uint64_t mark)
{
	int64_t now_us = dal_clock_monotonic_us();
	int64_t asked_us = atomic_load_explicit(&disk->asked_us, memory_order_relaxed);
	/* Of what was let in much is compressed: a no that rests on it is worth a question. */
	if (now_us - asked_us >= DAL_DISK_ASK_US ||
	    (!fits(disk, bytes, mark) && atomic_load(&disk->taken_bytes) > 0)) {
		ask(disk, asked_us, now_us, waiting);
	}
	return fits(disk, bytes, mark);
}

bool dal_disk_has_room(struct dal_disk *disk, uint64_t waiting)
{
	return room(disk, 1, waiting, disk->mark_bytes);
}

bool dal_disk_room(struct dal_disk *disk, uint64_t bytes, uint64_t waiting, bool urgent)
{
	if (!room(disk, bytes, waiting, urgent ? disk->urgent_mark_bytes : disk->mark_bytes)) {
		return false;
	}
	atomic_fetch_add_explicit(&disk->taken_bytes, bytes, memory_order_relaxed);
	return true;
}
