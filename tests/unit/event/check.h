/*
 * What all tests of this folder include: cmocka, and a comparison of slices that shows both.
 */
#ifndef DAL_TESTS_EVENT_CHECK_H
#define DAL_TESTS_EVENT_CHECK_H

/* In this order: cmocka.h wants them before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/slice.h"

#define assert_slice(slice, text) check_slice((slice), (text), __FILE__, __LINE__)

static inline void check_slice(struct dal_slice slice, const char *text, const char *file, int line)
{
	if (!dal_slice_is(slice, text)) {
		print_error("\"%.*s\" is not \"%s\"\n", (int)slice.size, slice.data, text);
		_fail(file, line);
	}
}

#endif
