#include "engine/log/dedup.h"

#include "engine/base/memory.h"

enum {
	PARTS = 4, /* slices that a window, and that the limit of entries, is cut into */
	SLICES_MAX = 2 * PARTS + 2,
	RECORD_UNIT = 32, /* so many bytes of a request's record count as one entry */
};

struct slice {
	int64_t start_us;
	struct dal_table events;   /* offsets */
	struct dal_table requests; /* places in `records` */
	struct dal_buffer records; /* varint size and bytes of each */
};

struct dal_dedup {
	int64_t window_us;
	size_t limit;
	struct slice slices[SLICES_MAX]; /* oldest first */
	size_t count;
	uint64_t dropped;
};

struct dal_dedup *dal_dedup_new(int64_t window_us, size_t limit)
{
	struct dal_dedup *dedup = dal_calloc(1, sizeof(*dedup));
	dedup->window_us = window_us;
	dedup->limit = limit;
	return dedup;
}

static void slice_deinit(struct slice *slice)
{
	dal_table_deinit(&slice->events);
	dal_table_deinit(&slice->requests);
	dal_buffer_deinit(&slice->records);
}

void dal_dedup_free(struct dal_dedup *dedup)
{
	if (!dedup) {
		return;
	}
	for (size_t i = 0; i < dedup->count; i++) {
		slice_deinit(&dedup->slices[i]);
	}
	free(dedup);
}

static size_t slice_weight(const struct slice *slice)
{
	return slice->events.count + slice->requests.count + slice->records.size / RECORD_UNIT;
}

static void drop_oldest(struct dal_dedup *dedup)
{
	slice_deinit(&dedup->slices[0]);
	dedup->count--;
	memmove(&dedup->slices[0], &dedup->slices[1], dedup->count * sizeof(dedup->slices[0]));
}

/* The next slice is likely as large as the last one, if that had its whole time. */
static void slice_begin(struct dal_dedup *dedup, int64_t now_us)
{
	struct slice *slice = &dedup->slices[dedup->count];
	*slice = (struct slice){.start_us = now_us};
	if (dedup->count > 0) {
		const struct slice *last = slice - 1;
		if (last->events.count > 0) {
			dal_table_expect(&slice->events, last->events.count);
		}
		if (last->requests.count > 0) {
			dal_table_expect(&slice->requests, last->requests.count);
		}
	}
	dedup->count++;
}

/* Nothing was added to the oldest slice from then on. */
static int64_t oldest_end_us(const struct dal_dedup *dedup)
{
	int64_t end_us = dedup->slices[0].start_us + dedup->window_us / PARTS;
	bool cut_short = dedup->count > 1 && dedup->slices[1].start_us < end_us;
	return cut_short ? dedup->slices[1].start_us : end_us;
}

int64_t dal_dedup_advance(struct dal_dedup *dedup, int64_t now_us)
{
	while (dedup->count > 0 && oldest_end_us(dedup) + dedup->window_us <= now_us) {
		drop_oldest(dedup);
	}
	const struct slice *last = dedup->count ? &dedup->slices[dedup->count - 1] : NULL;
	if (!last || last->start_us + dedup->window_us / PARTS <= now_us ||
	    slice_weight(last) >= dedup->limit / PARTS) {
		if (dedup->count == SLICES_MAX) {
			dedup->dropped += slice_weight(&dedup->slices[0]);
			drop_oldest(dedup);
		}
		slice_begin(dedup, now_us);
	}
	while (dedup->count > 1 && dal_dedup_count(dedup) > dedup->limit) {
		dedup->dropped += slice_weight(&dedup->slices[0]);
		drop_oldest(dedup);
	}
	return dedup->slices[0].start_us;
}

void dal_dedup_prefetch(const struct dal_dedup *dedup, struct dal_table_key key)
{
	for (size_t i = 0; i < dedup->count; i++) {
		dal_table_prefetch(&dedup->slices[i].events, key);
	}
}

bool dal_dedup_find(const struct dal_dedup *dedup, struct dal_table_key key, uint64_t *offset)
{
	for (size_t i = dedup->count; i > 0; i--) {
		if (dal_table_get(&dedup->slices[i - 1].events, key, offset)) {
			return true;
		}
	}
	return false;
}

void dal_dedup_add(struct dal_dedup *dedup, struct dal_table_key key, uint64_t offset)
{
	dal_table_add(&dedup->slices[dedup->count - 1].events, key, offset);
}

void dal_dedup_set(struct dal_dedup *dedup, struct dal_table_key key, uint64_t offset)
{
	dal_table_set(&dedup->slices[dedup->count - 1].events, key, offset);
}

bool dal_dedup_find_request(const struct dal_dedup *dedup, struct dal_table_key key,
			    struct dal_slice *record)
{
	for (size_t i = dedup->count; i > 0; i--) {
		const struct slice *slice = &dedup->slices[i - 1];
		uint64_t at = 0;
		if (dal_table_get(&slice->requests, key, &at)) {
			struct dal_slice rest = dal_slice(slice->records.data + at,
							  slice->records.size - at);
			return dal_slice_take_sized(&rest, record);
		}
	}
	return false;
}

void dal_dedup_add_request(struct dal_dedup *dedup, struct dal_table_key key,
			   struct dal_slice record)
{
	struct slice *slice = &dedup->slices[dedup->count - 1];
	dal_table_add(&slice->requests, key, slice->records.size);
	dal_buffer_sized(&slice->records, record);
}

uint64_t dal_dedup_dropped(const struct dal_dedup *dedup)
{
	return dedup->dropped;
}

size_t dal_dedup_count(const struct dal_dedup *dedup)
{
	size_t count = 0;
	for (size_t i = 0; i < dedup->count; i++) {
		count += slice_weight(&dedup->slices[i]);
	}
	return count;
}
