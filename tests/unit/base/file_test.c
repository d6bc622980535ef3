/* clang-format off: cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "engine/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/memory.h"

static char folder[] = "/tmp/dalamb-file-test-XXXXXX";

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return chdir("/") == 0 ? rmdir(folder) : -1;
}

static void writes_and_reads(void **state)
{
	struct dal_buffer out = {0};
	struct stat status;

	(void)state;
	assert_int_equal(dal_file_write("file", dal_slice("a\0b", 3), 0640), 0);
	assert_int_equal(stat("file", &status), 0);
	assert_int_equal(status.st_mode & 07777, 0640);
	dal_buffer_text(&out, "before");
	assert_int_equal(dal_file_read("file", 3, &out), 0);
	assert_int_equal(out.size, 9);
	assert_memory_equal(out.data, "beforea\0b", 9);
	assert_int_equal(dal_file_read("file", 2, &out), -EFBIG);
	assert_int_equal(out.size, 9);
	assert_int_equal(dal_file_write("file", dal_slice(NULL, 0), 0600), 0);
	assert_int_equal(dal_file_read("file", 0, &out), 0);
	assert_int_equal(out.size, 9);
	assert_int_equal(unlink("file"), 0);
	assert_int_equal(dal_file_read("file", 3, &out), -ENOENT);
	assert_int_equal(dal_file_read(".", 3, &out), -EISDIR);
	dal_buffer_deinit(&out);
}

static void a_failed_write_leaves_nothing(void **state)
{
	char **names;
	size_t count;

	(void)state;
	assert_int_equal(dal_file_write("none/file", dal_slice_text("x"), 0600), -ENOENT);
	assert_int_equal(mkdir("taken", 0700), 0);
	assert_int_equal(dal_file_write("taken", dal_slice_text("x"), 0600), -EISDIR);
	assert_int_equal(dal_folder_list(".", "", &names, &count), 0);
	assert_int_equal(count, 1);
	assert_string_equal(names[0], "taken");
	free(names[0]);
	free(names);
	assert_int_equal(rmdir("taken"), 0);
}

static void makes_folders(void **state)
{
	char *absolute = dal_asprintf("%s/x", folder);
	struct stat status;

	(void)state;
	assert_int_equal(dal_folder_make("a//b/c/", 0700), 0);
	assert_int_equal(stat("a/b/c", &status), 0);
	assert_true(S_ISDIR(status.st_mode));
	assert_int_equal(dal_folder_make("a/b/c", 0700), 0);
	assert_int_equal(dal_folder_make(absolute, 0700), 0);
	assert_int_equal(dal_file_write("a/file", dal_slice_text("x"), 0600), 0);
	assert_int_equal(dal_folder_make("a/file", 0700), -ENOTDIR);
	assert_int_equal(dal_folder_make("a/file/d", 0700), -ENOTDIR);
	assert_int_equal(unlink("a/file"), 0);
	assert_int_equal(rmdir("x"), 0);
	assert_int_equal(rmdir("a/b/c"), 0);
	assert_int_equal(rmdir("a/b"), 0);
	assert_int_equal(rmdir("a"), 0);
	free(absolute);
}

static void lists_in_byte_order(void **state)
{
	static const char *const made[] = {"list/b.lua",  "list/B.lua", "list/a.lua",
					   "list/.h.lua", "list/c.txt", "list/lua"};
	static const char *const expected[] = {"B.lua", "a.lua", "b.lua"};
	char **names;
	size_t count;

	(void)state;
	assert_int_equal(dal_folder_list("list", ".lua", &names, &count), -ENOENT);
	assert_int_equal(dal_folder_make("list", 0700), 0);
	assert_int_equal(dal_folder_list("list", ".lua", &names, &count), 0);
	assert_int_equal(count, 0);
	free(names);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(dal_file_write(made[i], dal_slice_text("x"), 0600), 0);
	}
	assert_int_equal(dal_folder_list("list", ".lua", &names, &count), 0);
	assert_int_equal(count, 3);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(names[i], expected[i]);
		free(names[i]);
	}
	free(names);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(unlink(made[i]), 0);
	}
	assert_int_equal(rmdir("list"), 0);
}

static void one_holder_of_a_lock(void **state)
{
	int first, second = -1;

	(void)state;
	assert_int_equal(dal_file_lock("lock", &first), 0);
	assert_int_equal(dal_file_lock("lock", &second), -EWOULDBLOCK);
	assert_int_equal(second, -1);
	assert_int_equal(fcntl(first, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(close(first), 0);
	assert_int_equal(dal_file_lock("lock", &second), 0);
	assert_int_equal(close(second), 0);
	assert_int_equal(unlink("lock"), 0);
	assert_int_equal(dal_file_lock("none/lock", &second), -ENOENT);
}

static void tells_the_free_space(void **state)
{
	uint64_t bytes = 0;

	(void)state;
	assert_int_equal(dal_disk_free_bytes(folder, &bytes), 0);
	assert_true(bytes > 0);
	assert_int_equal(dal_disk_free_bytes("/none/such", &bytes), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_and_reads),
		cmocka_unit_test(a_failed_write_leaves_nothing),
		cmocka_unit_test(makes_folders),
		cmocka_unit_test(lists_in_byte_order),
		cmocka_unit_test(one_holder_of_a_lock),
		cmocka_unit_test(tells_the_free_space),
	};

	return cmocka_run_group_tests_name("base/file", tests, set_up, tear_down);
}
