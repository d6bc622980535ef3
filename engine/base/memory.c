#include "engine/base/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static _Noreturn void out_of_memory(size_t size)
{
	fprintf(stderr, "dalamb: out of memory: %zu bytes wanted\n", size);
	abort();
}

static size_t product(size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes)) {
		out_of_memory(SIZE_MAX);
	}
	return bytes;
}

void *dal_malloc(size_t size)
{
	void *memory = malloc(size ? size : 1);

	if (!memory) {
		out_of_memory(size);
	}
	return memory;
}

void *dal_calloc(size_t count, size_t size)
{
	size_t bytes = product(count, size);
	void *memory = calloc(1, bytes ? bytes : 1);

	if (!memory) {
		out_of_memory(bytes);
	}
	return memory;
}

void *dal_realloc(void *old, size_t size)
{
	void *memory = realloc(old, size ? size : 1);

	if (!memory) {
		out_of_memory(size);
	}
	return memory;
}

void *dal_reallocarray(void *old, size_t count, size_t size)
{
	return dal_realloc(old, product(count, size));
}

char *dal_strdup(const char *text)
{
	size_t size;

	if (!text) {
		return NULL;
	}
	size = strlen(text) + 1;
	return memcpy(dal_malloc(size), text, size);
}

char *dal_asprintf(const char *format, ...)
{
	char *text;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0) {
		out_of_memory(0);
	}
	return text;
}
