#include "engine/log/disk.h"

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/limits.h"

#define ASK_BYTES (16 * DAL_MIB)
#define URGENT_PART 8

void dal_disk_init(struct dal_disk *disk, const char *path, uint64_t mark_bytes)
{
	disk->path = path;
	disk->mark_bytes = mark_bytes;
	atomic_init(&disk->free_bytes, UINT64_MAX);
	atomic_init(&disk->taken_bytes, 0);
	atomic_init(&disk->asked_us, INT64_MIN / 2);
}

static void ask_if_old(struct dal_disk *disk)
{
	int64_t now = dal_clock_monotonic_us();
	int64_t asked = atomic_load_explicit(&disk->asked_us, memory_order_relaxed);
	uint64_t taken = atomic_load_explicit(&disk->taken_bytes, memory_order_relaxed);
	if (now - asked < DAL_DISK_ASK_US && taken < ASK_BYTES) {
		return;
	}
	/* One thread asks; the others go on with what is known. */
	if (!atomic_compare_exchange_strong(&disk->asked_us, &asked, now)) {
		return;
	}
	uint64_t free_bytes = 0;
	if (dal_disk_free_bytes(disk->path, &free_bytes) == 0) {
		atomic_store(&disk->free_bytes, free_bytes);
		atomic_store(&disk->taken_bytes, 0);
	}
}

bool dal_disk_room(struct dal_disk *disk, uint64_t bytes, bool urgent)
{
	ask_if_old(disk);
	uint64_t mark = urgent ? disk->mark_bytes / URGENT_PART : disk->mark_bytes;
	uint64_t taken = atomic_load_explicit(&disk->taken_bytes, memory_order_relaxed);
	uint64_t known = atomic_load_explicit(&disk->free_bytes, memory_order_relaxed);
	if (known < mark || known - mark < taken || known - mark - taken < bytes) {
		return false;
	}
	atomic_fetch_add_explicit(&disk->taken_bytes, bytes, memory_order_relaxed);
	return true;
}
