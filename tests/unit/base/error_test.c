/* clang-format off: cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "engine/base/error.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/limits.h"

static void says_what_and_where(void **state)
{
	struct dal_error error;

	(void)state;
	dal_error_at(&error, "rules/a.lua", 12, "%s: expected %d", "key", 7);
	assert_string_equal(error.file, "rules/a.lua");
	assert_int_equal(error.line, 12);
	assert_int_equal(error.column, 0);
	assert_string_equal(error.text, "key: expected 7");
	dal_error_set(&error, "inner: %s", error.text); /* from its own text */
	assert_string_equal(error.text, "inner: key: expected 7");
	assert_string_equal(error.file, "");
	assert_int_equal(error.line, 0);
	dal_error_set(NULL, "nobody listens");
}

static void cuts_long_text(void **state)
{
	struct dal_error error;
	char text[1500], file[300];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	memset(file, 'f', sizeof(file));
	file[sizeof(file) - 1] = '\0';
	dal_error_at(&error, file, 1, "%s", text);
	assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
	assert_string_equal(error.text + sizeof(error.text) - 5, "x...");
	assert_string_equal(error.file + sizeof(error.file) - 5, "f...");
}

static void cuts_between_characters(void **state)
{
	struct dal_error error;
	char text[1501] = "";

	(void)state;
	for (size_t i = 0; i < 500; i++) {
		memcpy(text + 3 * i, "\xe2\x82\xac", 4); /* the euro sign */
	}
	for (int shift = 0; shift < 3; shift++) {
		size_t length;

		dal_error_set(&error, "%.*s%s", shift, "ab", text);
		length = strlen(error.text);
		assert_string_equal(error.text + length - 6, "\xe2\x82\xac...");
		assert_true(length > sizeof(error.text) - 5);
	}
}

static void sorts_by_file_line_and_arrival(void **state)
{
	struct dal_errors errors = {0};

	(void)state;
	dal_errors_add(&errors, "b.lua", 1, "5");
	dal_errors_add(&errors, "a.lua", 10, "3");
	dal_errors_add(&errors, "a.lua", 2, "1");
	dal_errors_add(&errors, "a.lua", 10, "4");
	dal_errors_add(&errors, "a.lua", 2, "2");
	dal_errors_sort(&errors);
	for (size_t i = 0; i < errors.count; i++) {
		char expected[2] = {(char)('1' + i), '\0'};

		assert_string_equal(errors.items[i].text, expected);
	}
	dal_errors_deinit(&errors);
	dal_errors_sort(&errors); /* an empty list */
	assert_int_equal(errors.count, 0);
}

static void keeps_to_the_limit(void **state)
{
	struct dal_errors errors = {0};

	(void)state;
	for (int i = 0; i < DAL_LIMIT_ERRORS + 3; i++) {
		dal_errors_add(&errors, "a.lua", i, "wrong");
	}
	assert_int_equal(errors.count, DAL_LIMIT_ERRORS);
	assert_int_equal(errors.dropped, 3);
	assert_int_equal(errors.items[DAL_LIMIT_ERRORS - 1].line, DAL_LIMIT_ERRORS - 1);
	dal_errors_deinit(&errors);
}

static void suggests_the_nearest_name(void **state)
{
	static const char *const names[] = {"memory", "timeout", "retries", "max", "image"};
	char long_word[200];

	(void)state;
	assert_string_equal(dal_error_suggest("memmory", names, 5), "memory");
	assert_string_equal(dal_error_suggest("tiemout", names, 5), "timeout");
	assert_string_equal(dal_error_suggest("retires", names, 5), "retries");
	assert_string_equal(dal_error_suggest("mac", names, 5), "max");
	assert_null(dal_error_suggest("xyz", names, 5));
	assert_null(dal_error_suggest("", names, 5));
	assert_null(dal_error_suggest("memory", names, 0));
	memset(long_word, 'm', sizeof(long_word));
	long_word[sizeof(long_word) - 1] = '\0';
	assert_null(dal_error_suggest(long_word, names, 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_and_where),
		cmocka_unit_test(cuts_long_text),
		cmocka_unit_test(cuts_between_characters),
		cmocka_unit_test(sorts_by_file_line_and_arrival),
		cmocka_unit_test(keeps_to_the_limit),
		cmocka_unit_test(suggests_the_nearest_name),
	};

	return cmocka_run_group_tests_name("base/error", tests, NULL, NULL);
}
