/* What every test of the command line includes: cmocka and what it needs before it. */
#ifndef DAL_TESTS_UNIT_CLI_CHECK_H
#define DAL_TESTS_UNIT_CLI_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAL_ASSERT_SLICE(slice, text)                                                              \
	do {                                                                                       \
		struct dal_slice got_ = (slice);                                                   \
		assert_int_equal(got_.size, strlen(text));                                         \
		assert_memory_equal(got_.data ? got_.data : "", text, strlen(text));               \
	} while (0)

#endif
