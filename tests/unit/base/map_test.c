/* clang-format off: cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "engine/base/map.h"

#include <stdio.h>
#include <stdlib.h>

enum { MANY = 10000 };

static struct dal_slice key_of(size_t number, char text[16])
{
	return dal_slice(text, (size_t)snprintf(text, 16, "key%zu", number));
}

static void sets_gets_and_removes(void **state)
{
	struct dal_map *map = dal_map_new();
	int a, b;
	char text[] = "key";

	(void)state;
	assert_null(dal_map_get(map, dal_slice_text("key")));
	assert_null(dal_map_set(map, dal_slice_text(text), &a));
	text[0] = 'x'; /* the map has its own copy */
	assert_ptr_equal(dal_map_get(map, dal_slice_text("key")), &a);
	assert_ptr_equal(dal_map_set(map, dal_slice_text("key"), &b), &a);
	assert_int_equal(dal_map_size(map), 1);
	assert_ptr_equal(dal_map_remove(map, dal_slice_text("key")), &b);
	assert_null(dal_map_remove(map, dal_slice_text("key")));
	assert_int_equal(dal_map_size(map), 0);
	dal_map_free(map);
	dal_map_free(NULL);
}

static void keys_are_bytes(void **state)
{
	struct dal_map *map = dal_map_new();
	int a, b, c;

	(void)state;
	dal_map_set(map, dal_slice("a\0b", 3), &a);
	dal_map_set(map, dal_slice("a\0c", 3), &b);
	dal_map_set(map, dal_slice(NULL, 0), &c);
	assert_ptr_equal(dal_map_get(map, dal_slice("a\0b", 3)), &a);
	assert_ptr_equal(dal_map_get(map, dal_slice("a\0c", 3)), &b);
	assert_ptr_equal(dal_map_get(map, dal_slice_text("")), &c);
	assert_null(dal_map_get(map, dal_slice_text("a")));
	dal_map_free(map);
}

/* Thousands of keys in a table of a few thousand slots: runs of colliding entries in all shapes. */
static void agrees_with_an_array(void **state)
{
	struct dal_map *map = dal_map_new();
	static char values[MANY];
	void *expected[MANY] = {0};
	size_t size = 0;
	unsigned random = 1;
	char text[16];

	(void)state;
	for (int step = 0; step < 20 * MANY; step++) {
		size_t i;

		random = random * 1103515245 + 12345;
		i = (random >> 8) % MANY;
		if (random >> 30) {
			assert_ptr_equal(dal_map_set(map, key_of(i, text), &values[i]),
					 expected[i]);
			size += !expected[i];
			expected[i] = &values[i];
		} else {
			assert_ptr_equal(dal_map_remove(map, key_of(i, text)), expected[i]);
			size -= expected[i] != NULL;
			expected[i] = NULL;
		}
		assert_int_equal(dal_map_size(map), size);
	}
	for (size_t i = 0; i < MANY; i++) {
		assert_ptr_equal(dal_map_get(map, key_of(i, text)), expected[i]);
	}
	dal_map_free(map);
}

static void churn_does_not_grow_it(void **state)
{
	struct dal_map *map = dal_map_new();
	int value;
	char text[16];
	size_t cursor = 0;
	struct dal_slice key;
	void *found;

	(void)state;
	for (size_t i = 0; i < 200000; i++) {
		dal_map_set(map, key_of(i, text), &value);
		assert_ptr_equal(dal_map_remove(map, key_of(i, text)), &value);
	}
	dal_map_set(map, key_of(7, text), &value);
	assert_true(dal_map_next(map, &cursor, &key, &found));
	assert_true(dal_slice_is(key, "key7"));
	assert_false(dal_map_next(map, &cursor, &key, &found));
	assert_true(cursor <= 64); /* as many slots as a few entries need */
	dal_map_free(map);
}

static void walks_while_removing(void **state)
{
	struct dal_map *map = dal_map_new();
	static char values[1000];
	size_t cursor = 0, seen = 0;
	struct dal_slice key;
	void *value;
	char text[16];

	(void)state;
	for (size_t i = 0; i < 1000; i++) {
		dal_map_set(map, key_of(i, text), &values[i]);
	}
	while (dal_map_next(map, &cursor, &key, &value)) {
		char *mark = value;

		assert_int_equal(*mark, 0); /* each once */
		*mark = 1;
		seen++;
		if (seen % 2) {
			assert_ptr_equal(dal_map_remove(map, key), value);
		}
	}
	assert_int_equal(seen, 1000);
	assert_int_equal(dal_map_size(map), 500);
	dal_map_free(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_gets_and_removes), cmocka_unit_test(keys_are_bytes),
		cmocka_unit_test(agrees_with_an_array),  cmocka_unit_test(churn_does_not_grow_it),
		cmocka_unit_test(walks_while_removing),
	};

	return cmocka_run_group_tests_name("base/map", tests, NULL, NULL);
}
