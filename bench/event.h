/* The events that benchmarks fold: orders of 320 bytes, told by their number, always the same. */
#ifndef DAL_BENCH_EVENT_H
#define DAL_BENCH_EVENT_H

#include <stdint.h>

#include "engine/base/slice.h"

enum { BENCH_EVENT_BYTES = 320, BENCH_EVENT_ROOM = BENCH_EVENT_BYTES + 64 };

struct bench_event {
	char text[BENCH_EVENT_ROOM];
	size_t size;
	struct dal_slice id, time, data, customer; /* of `text` */
};

/* The event number n, of one of so many customers. */
void bench_event_make(struct bench_event *event, uint64_t n, uint64_t keys);

#endif
