/* The free-space mark by itself, on the file system that the test runs on. */
#include "tests/unit/log/fixture.h"

#include <stdlib.h>

#include "engine/base/file.h"
#include "engine/log/disk.h"

/* Large enough that what others write meanwhile makes no difference. */
static uint64_t free_now(const struct fixture *f)
{
	uint64_t free_bytes = 0;
	assert_int_equal(dal_disk_free_bytes(f->folder, &free_bytes), 0);
	if (free_bytes < DAL_GIB) {
		skip();
	}
	return free_bytes;
}

static void test_what_was_let_in_counts(void **own)
{
	struct fixture *f = *own;
	struct dal_disk disk;
	uint64_t third = free_now(f) / 3;
	dal_disk_init(&disk, f->folder, third);
	assert_true(dal_disk_room(&disk, third, 0, false));
	/* Nothing was written: asked again, the file system has as much room as before. */
	assert_true(dal_disk_room(&disk, third, 0, false));
	assert_true(dal_disk_room(&disk, third, 0, false));
	/* It waits to be written: then it is as good as gone. */
	assert_false(dal_disk_room(&disk, third + third / 2, third, false));
	assert_true(dal_disk_room(&disk, third / 2, third, false));
	assert_false(dal_disk_room(&disk, 3 * third, 0, false));
}

static void test_urgent_has_an_eighth(void **own)
{
	struct fixture *f = *own;
	struct dal_disk disk;
	uint64_t free_bytes = free_now(f);
	dal_disk_init(&disk, f->folder, free_bytes * 2);
	assert_false(dal_disk_room(&disk, 1, 0, false));
	assert_true(dal_disk_room(&disk, free_bytes / 2, 0, true));
	assert_false(dal_disk_room(&disk, free_bytes / 10 * 9, 0, true));
	assert_true(dal_disk_room(&disk, 1, 0, true));
}

static void test_a_small_mark_is_raised(void **own)
{
	struct fixture *f = *own;
	struct dal_disk disk;
	uint64_t free_bytes = free_now(f);
	dal_disk_init(&disk, f->folder, 1);
	assert_true(dal_disk_room(&disk, free_bytes / 2, 0, false));
	assert_false(dal_disk_room(&disk, free_bytes - DAL_DISK_FLUSH_BYTES / 2, 0, true));
}

static void test_no_answer_is_no_refusal(void **own)
{
	struct dal_disk disk;
	(void)own;
	dal_disk_init(&disk, "/nowhere/at/all", 1);
	assert_true(dal_disk_room(&disk, DAL_GIB, 0, false));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_was_let_in_counts),
		TEST(test_urgent_has_an_eighth),
		TEST(test_a_small_mark_is_raised),
		TEST(test_no_answer_is_no_refusal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
