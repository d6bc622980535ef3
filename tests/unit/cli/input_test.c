/* Files read line by line. */
#include "engine/cli/input.h"

#include <errno.h>
#include <unistd.h>

#include "tests/unit/cli/check.h"

static void lines_without_their_ends(void **state)
{
	char path[] = "/tmp/dal-cli-input-XXXXXX";
	int fd = mkstemp(path);
	struct dal_input input;
	struct dal_slice line;
	static const char text[] = "one\r\n\n  \n two \nlast";

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	assert_int_equal(dal_input_open(&input, path), 0);
	assert_true(dal_input_next(&input, &line));
	DAL_ASSERT_SLICE(line, "one");
	assert_int_equal(input.number, 1);
	assert_true(dal_input_next(&input, &line));
	DAL_ASSERT_SLICE(line, " two");
	assert_int_equal(input.number, 4);
	assert_true(dal_input_next(&input, &line));
	DAL_ASSERT_SLICE(line, "last");
	assert_false(dal_input_next(&input, &line));
	assert_false(ferror(input.file));
	dal_input_close(&input);
	unlink(path);
	assert_int_equal(dal_input_open(&input, path), -ENOENT);
	dal_input_close(&input);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(lines_without_their_ends)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
