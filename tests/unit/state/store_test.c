#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "state/store.h"
#include "tests/unit/state/fixture.h"

static struct dal_slice text(const char *t)
{
	return dal_slice_text(t);
}

static void put(struct dal_store *store, const char *key, const char *value)
{
	struct dal_store_batch *batch = dal_store_batch_new();

	dal_store_batch_put(batch, text(key), text(value));
	assert_int_equal(dal_store_write(store, batch, false), 0);
	assert_int_equal(dal_store_batch_count(batch), 0); /* cleared */
	dal_store_batch_free(batch);
}

static void expect(struct dal_store *store, const struct dal_store_snapshot *snapshot,
		   const char *key, const char *value)
{
	struct dal_buffer got = {0};

	assert_int_equal(dal_store_get(store, snapshot, text(key), &got),
			 value ? 0 : DAL_STORE_ABSENT);
	if (value) {
		assert_string_equal(dal_buffer_cstr(&got), value);
	} else {
		assert_int_equal(got.size, 0);
	}
	dal_buffer_deinit(&got);
}

static void test_batch_is_written_whole(void **own)
{
	struct dal_store *store = fixture_store(*own, DAL_STORE_STATE);
	struct dal_store_batch *batch = dal_store_batch_new();
	size_t empty_bytes = dal_store_batch_bytes(batch);

	put(store, "c", "old");
	dal_store_batch_put(batch, text("a"), text("1"));
	dal_store_batch_put(batch, text("b"), text(""));
	dal_store_batch_delete(batch, text("c"));
	assert_int_equal(dal_store_batch_count(batch), 3);
	assert_true(dal_store_batch_bytes(batch) > empty_bytes);
	expect(store, NULL, "a", NULL);
	assert_int_equal(dal_store_write(store, batch, true), 0);
	expect(store, NULL, "a", "1");
	expect(store, NULL, "b", "");
	expect(store, NULL, "c", NULL);

	dal_store_batch_put(batch, text("d"), text("never"));
	dal_store_batch_clear(batch);
	assert_int_equal(dal_store_write(store, batch, false), 0);
	expect(store, NULL, "d", NULL);
	dal_store_batch_free(batch);
	assert_int_equal(dal_store_sync(store), 0);
	dal_store_close(store);
}

static void test_get_many(void **own)
{
	struct dal_store *store = fixture_store(*own, DAL_STORE_STATE);
	struct dal_slice keys[] = {text("z"), text("missing"), text("a"), text("z")};
	struct dal_buffer values[4] = {{0}};
	bool found[4];

	put(store, "a", "1");
	put(store, "z", "26");
	dal_buffer_text(&values[0], "+");
	assert_int_equal(dal_store_get_many(store, keys, 4, values, found), 0);
	assert_true(found[0] && !found[1] && found[2] && found[3]);
	assert_string_equal(dal_buffer_cstr(&values[0]), "+26"); /* appended */
	assert_int_equal(values[1].size, 0);
	assert_string_equal(dal_buffer_cstr(&values[2]), "1");
	assert_string_equal(dal_buffer_cstr(&values[3]), "26");
	assert_int_equal(dal_store_get_many(store, NULL, 0, NULL, NULL), 0);
	for (int i = 0; i < 4; i++) {
		dal_buffer_deinit(&values[i]);
	}
	dal_store_close(store);
}

/* The keys that an iterator gives, joined. */
static void expect_walk(struct dal_store_iterator *iterator, const char *keys)
{
	struct dal_buffer got = {0};
	struct dal_slice key, value;
	int r;

	while ((r = dal_store_iterator_next(iterator, &key, &value)) == 0) {
		dal_buffer_slice_append(&got, key);
	}
	assert_int_equal(r, DAL_STORE_ABSENT);
	assert_int_equal(dal_store_iterator_next(iterator, &key, &value), DAL_STORE_ABSENT);
	assert_string_equal(dal_buffer_cstr(&got), keys);
	dal_buffer_deinit(&got);
}

static void test_iterate(void **own)
{
	struct dal_store *store = fixture_store(*own, DAL_STORE_LOG);
	static const struct {
		const char *from, *to, *seek, *forward, *backward;
	} cases[] = {
		{"", "", NULL, "abcdef", "fedcba"},
		{"b", "e", NULL, "bcd", "dcb"},
		{"", "c", NULL, "ab", "ba"},
		{"e", "", NULL, "ef", "fe"},
		{"x", "", NULL, "", ""},
		{"bb", "bc", NULL, "", ""},
		{"", "", "c", "cdef", "cba"},
		{"", "", "cc", "def", "cba"},
		{"b", "e", "a", "bcd", ""}, /* outside of the range */
		{"b", "e", "x", "", "dcb"},
		{"b", "e", "e", "", "dcb"},
	};

	for (const char *key = "fbdace"; *key; key++) {
		put(store, (char[]){*key, 0}, "v");
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dal_store_iterator *forward = dal_store_iterator_new(
			store, NULL, text(cases[i].from), text(cases[i].to));
		struct dal_store_iterator *backward = dal_store_iterator_new_reverse(
			store, NULL, text(cases[i].from), text(cases[i].to));

		if (cases[i].seek) {
			dal_store_iterator_seek(forward, text(cases[i].seek));
			dal_store_iterator_seek(backward, text(cases[i].seek));
		}
		expect_walk(forward, cases[i].forward);
		expect_walk(backward, cases[i].backward);
		dal_store_iterator_free(forward);
		dal_store_iterator_free(backward);
	}
	dal_store_close(store);
}

static void test_seek_in_the_middle_of_a_walk(void **own)
{
	struct dal_store *store = fixture_store(*own, DAL_STORE_STATE);
	struct dal_store_iterator *iterator;
	struct dal_slice key, value;

	for (const char *name = "abcdef"; *name; name++) {
		put(store, (char[]){*name, 0}, "v");
	}
	iterator = dal_store_iterator_new(store, NULL, text(""), text(""));
	assert_int_equal(dal_store_iterator_next(iterator, &key, &value), 0);
	assert_true(dal_slice_is(key, "a"));
	dal_store_iterator_seek(iterator, text("d"));
	assert_int_equal(dal_store_iterator_next(iterator, &key, &value), 0);
	assert_true(dal_slice_is(key, "d"));
	dal_store_iterator_seek(iterator, text("b")); /* back, and from there on */
	expect_walk(iterator, "bcdef");
	dal_store_iterator_free(iterator);
	dal_store_close(store);
}

static void test_delete_range(void **own)
{
	struct dal_store *store = fixture_store(*own, DAL_STORE_STATE);
	struct dal_store_batch *batch = dal_store_batch_new();
	struct dal_store_iterator *iterator;

	for (const char *name = "abcdef"; *name; name++) {
		put(store, (char[]){*name, 0}, "v");
	}
	dal_store_batch_delete_range(batch, text("b"), text("e"));
	dal_store_batch_put(batch, text("c"), text("again")); /* later in the batch wins */
	assert_int_equal(dal_store_write(store, batch, false), 0);
	iterator = dal_store_iterator_new(store, NULL, text(""), text(""));
	expect_walk(iterator, "acef");
	dal_store_iterator_free(iterator);
	dal_store_batch_free(batch);
	dal_store_close(store);
}

static void test_snapshot_stands_still(void **own)
{
	struct dal_store *store = fixture_store(*own, DAL_STORE_STATE);
	struct dal_store_snapshot *snapshot;
	struct dal_store_iterator *before, *after;

	put(store, "a", "1");
	snapshot = dal_store_snapshot_new(store);
	put(store, "a", "2");
	put(store, "b", "2");
	expect(store, snapshot, "a", "1");
	expect(store, snapshot, "b", NULL);
	expect(store, NULL, "a", "2");
	before = dal_store_iterator_new(store, snapshot, text(""), text(""));
	after = dal_store_iterator_new(store, NULL, text(""), text(""));
	expect_walk(before, "a");
	expect_walk(after, "ab");
	dal_store_iterator_free(before);
	dal_store_iterator_free(after);
	dal_store_snapshot_free(store, snapshot);
	dal_store_snapshot_free(store, NULL);
	dal_store_close(store);
}

static void test_prefix_end(void **own)
{
	static const struct {
		struct dal_slice prefix, end;
	} cases[] = {
		{DAL_SLICE_LITERAL("ab"), DAL_SLICE_LITERAL("ac")},
		{DAL_SLICE_LITERAL("a\xff\xff"), DAL_SLICE_LITERAL("b")},
		{DAL_SLICE_LITERAL("a\x00"), DAL_SLICE_LITERAL("a\x01")},
		{DAL_SLICE_LITERAL("\xfe"), DAL_SLICE_LITERAL("\xff")},
		{DAL_SLICE_LITERAL("\xff\xff"), DAL_SLICE_LITERAL("")},
		{DAL_SLICE_LITERAL(""), DAL_SLICE_LITERAL("")},
	};

	(void)own;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dal_buffer end = {0};

		dal_store_prefix_end(cases[i].prefix, &end);
		assert_true(dal_slice_equal(dal_buffer_slice(&end), cases[i].end));
		dal_buffer_deinit(&end);
	}
}

static void test_second_writer_is_refused(void **own)
{
	struct dal_store *store = fixture_store(*own, DAL_STORE_STATE), *other = NULL;
	struct dal_store_options options = {.path = fixture_path(*own), .shape = DAL_STORE_STATE};
	struct dal_error error = {0};

	assert_int_equal(dal_store_open(&options, &other, &error), -EBUSY);
	assert_non_null(strstr(error.text, "another engine"));
	assert_non_null(strstr(error.text, fixture_path(*own)));
	dal_store_close(store);
	store = fixture_store(*own, DAL_STORE_STATE);
	dal_store_close(store);
}

static void test_read_only(void **own)
{
	struct dal_store_options options = {.path = fixture_path(*own), .read_only = true};
	struct dal_store_batch *batch = dal_store_batch_new();
	struct dal_error error = {0};
	struct dal_store *store = NULL;

	options.path = "/nonexistent/store";
	assert_int_equal(dal_store_open(&options, &store, &error), -ENOENT);
	options.path = fixture_path(*own);
	assert_int_equal(dal_store_open(&options, &store, &error), -ENOENT); /* an empty folder */

	store = fixture_store(*own, DAL_STORE_STATE);
	put(store, "a", "in the WAL alone");
	dal_store_close(store);

	assert_int_equal(dal_store_open(&options, &store, &error), 0);
	expect(store, NULL, "a", "in the WAL alone");
	dal_store_batch_put(batch, text("b"), text("no"));
	assert_true(dal_store_write(store, batch, false) < 0);
	expect(store, NULL, "b", NULL);
	dal_store_batch_free(batch);
	dal_store_close(store);
}

static void test_something_else_is_refused(void **own)
{
	struct dal_buffer path = {0};
	struct dal_store_options options = {.shape = DAL_STORE_STATE};
	struct dal_error error = {0};
	struct dal_store *store = NULL;
	int fd;

	dal_buffer_printf(&path, "%s/file", fixture_path(*own));
	options.path = dal_buffer_cstr(&path);
	fd = open(options.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_true(dal_store_open(&options, &store, &error) < 0);
	assert_non_null(strstr(error.text, options.path));
	assert_null(store);
	dal_buffer_deinit(&path);
}

static void test_bytes_on_disk_grow(void **own)
{
	struct dal_store *store = fixture_store(*own, DAL_STORE_LOG);
	struct dal_store_batch *batch = dal_store_batch_new();
	struct dal_buffer block = {0};
	uint64_t before = dal_store_bytes(store);

	memset(dal_buffer_reserve(&block, 1 << 20), 'x', 1 << 20);
	block.size = 1 << 20;
	dal_store_batch_put(batch, text("block"), dal_buffer_slice(&block));
	assert_int_equal(dal_store_write(store, batch, true), 0);
	assert_true(dal_store_bytes(store) >= before + (1 << 20));
	dal_buffer_deinit(&block);
	dal_store_batch_free(batch);
	dal_store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		CASE(test_batch_is_written_whole),
		CASE(test_get_many),
		CASE(test_iterate),
		CASE(test_seek_in_the_middle_of_a_walk),
		CASE(test_delete_range),
		CASE(test_snapshot_stands_still),
		CASE(test_prefix_end),
		CASE(test_second_writer_is_refused),
		CASE(test_read_only),
		CASE(test_something_else_is_refused),
		CASE(test_bytes_on_disk_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
