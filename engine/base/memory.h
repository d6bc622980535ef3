/*
 * Allocation that does not fail: out of memory aborts with a line on stderr, the log recovers us.
 * Sizes that come from outside are checked against limits.h before they get here.
 * Everything is freed with free(). Any thread.
 */
#ifndef DAL_BASE_MEMORY_H
#define DAL_BASE_MEMORY_H

#include <stddef.h>
#include <stdlib.h>

void *dal_malloc(size_t size);
void *dal_calloc(size_t count, size_t size); /* zeroed; overflow aborts */
void *dal_realloc(void *old, size_t size);
void *dal_reallocarray(void *old, size_t count, size_t size);
char *dal_strdup(const char *text); /* NULL gives NULL */
char *dal_asprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Grows an array so that `count + 1` elements fit: `array` and `capacity` are lvalues. */
#define DAL_GROW(array, count, capacity)                                                           \
	do {                                                                                       \
		if ((count) == (capacity)) {                                                       \
			(capacity) = (capacity) ? (capacity)*2 : 8;                                \
			(array) = dal_reallocarray((array), (capacity), sizeof(*(array)));         \
		}                                                                                  \
	} while (0)

/* The struct that holds `member` at `pointer`. */
#define DAL_CONTAINER(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#endif
