/* clang-format off: cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "engine/base/logger.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static char line[4096];

/* Writes one line with stderr in a pipe, and keeps what came out in `line`. */
static void capture(bool json, enum dal_logger_level level, const char *part, const char *text)
{
	int ends[2], saved = dup(STDERR_FILENO);
	ssize_t got = 0;

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	close(ends[1]);
	dal_logger_json_set(json);
	dal_logger_write(level, part, "%s", text);
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO); /* closes the pipe's end */
	close(saved);
	got = read(ends[0], line, sizeof(line) - 1);
	assert_true(got >= 0);
	line[got] = '\0';
	close(ends[0]);
}

/* What follows the time, whose digits become 0. */
static void assert_line(const char *expected)
{
	size_t cut = strcspn(line, ".Z");
	size_t rest = strcspn(line, "Z");

	memmove(line + cut, line + rest, strlen(line + rest) + 1); /* the fraction */
	for (size_t i = 0; i < cut; i++) {
		if (line[i] >= '0' && line[i] <= '9') {
			line[i] = '0';
		}
	}
	assert_string_equal(line, expected);
}

#define TIME "0000-00-00T00:00:00Z"
#define JSON(text)                                                                                 \
	"{\"time\":\"" TIME "\",\"level\":\"warn\",\"part\":\"log\",\"text\":\"" text "\"}\n"

static void writes_a_json_object(void **state)
{
	(void)state;
	capture(true, DAL_LOGGER_WARN, "log", "disk nearly full");
	assert_line(JSON("disk nearly full"));
}

static void escapes_json(void **state)
{
	(void)state;
	capture(true, DAL_LOGGER_WARN, "log", "\"a\\b\"\n\t\x01\x7f");
	assert_line(JSON("\\\"a\\\\b\\\"\\u000a\\u0009\\u0001\\u007f"));
}

static void replaces_what_is_no_utf8(void **state)
{
	(void)state;
	capture(true, DAL_LOGGER_WARN, "log", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x91"); /* good */
	assert_line(JSON("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x91"));
	capture(true, DAL_LOGGER_WARN, "log", "\xff|\xc3|\xc0\xaf|\x80");
	assert_line(JSON("\\ufffd|\\ufffd|\\ufffd\\ufffd|\\ufffd"));
	capture(true, DAL_LOGGER_WARN, "log", "\xed\xa0\x80|\xf4\x90\x80\x80|\xe2\x82");
	assert_line(JSON("\\ufffd\\ufffd\\ufffd|\\ufffd\\ufffd\\ufffd\\ufffd|\\ufffd\\ufffd"));
}

static void writes_text(void **state)
{
	(void)state;
	capture(false, DAL_LOGGER_INFO, "app", "ready\n\x1b[31m");
	assert_line(TIME " info  app: ready  [31m\n"); /* a terminal is told nothing */
}

static void keeps_to_the_level(void **state)
{
	(void)state;
	capture(false, DAL_LOGGER_DEBUG, "app", "too low");
	assert_string_equal(line, "");
	dal_logger_level_set(DAL_LOGGER_DEBUG);
	capture(false, DAL_LOGGER_DEBUG, "app", "heard");
	assert_line(TIME " debug app: heard\n");
	dal_logger_level_set(DAL_LOGGER_ERROR);
	capture(false, DAL_LOGGER_WARN, "app", "too low");
	assert_string_equal(line, "");
	dal_logger_level_set(DAL_LOGGER_INFO);
}

static void keeps_errno(void **state)
{
	(void)state;
	errno = ENOSPC;
	capture(true, DAL_LOGGER_ERROR, "log", "no space");
	errno = ENOSPC;
	dal_logger_level_set(DAL_LOGGER_ERROR);
	dal_logger_write(DAL_LOGGER_INFO, "log", "nothing");
	assert_int_equal(errno, ENOSPC);
	dal_logger_level_set(DAL_LOGGER_INFO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_a_json_object),     cmocka_unit_test(escapes_json),
		cmocka_unit_test(replaces_what_is_no_utf8), cmocka_unit_test(writes_text),
		cmocka_unit_test(keeps_to_the_level),       cmocka_unit_test(keeps_errno),
	};

	return cmocka_run_group_tests_name("base/logger", tests, NULL, NULL);
}
