#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state/view.h"
#include "tests/unit/state/fixture.h"

static struct dal_slice text(const char *t)
{
	return dal_slice_text(t);
}

static const struct dal_view_name totals = {
	.lane = 1,
	.projection = DAL_SLICE_LITERAL("totals"),
	.version = 2,
};

static struct dal_view_entry entry_of(const char *json)
{
	return (struct dal_view_entry){
		.json = text(json),
		.position = {.topic = text("events"), .partition = 3, .offset = 300},
	};
}

static struct dal_view_entry parked_of(const char *json)
{
	struct dal_view_entry entry = entry_of(json);

	entry.parked = true;
	entry.parked_at = (struct dal_place){text("system"), 4, 301};
	entry.message = text("attempt to index nil");
	return entry;
}

static void put(struct dal_state *state, const struct dal_view_name *name, const char *key,
		const char *json)
{
	struct dal_view_entry entry = entry_of(json);
	struct dal_buffer whole = {0}, value = {0};

	dal_view_key(name, text(key), &whole);
	dal_view_encode(&entry, &value);
	fixture_put(state, dal_buffer_slice(&whole), dal_buffer_slice(&value));
	dal_buffer_deinit(&whole);
	dal_buffer_deinit(&value);
}

static void test_value_layout(void **own)
{
	static const char plain[] = "\x00\xac\x02\x06"
				    "events\x03{}";
	static const char parked[] = "\x01\xac\x02\x06"
				     "events\x03\xad\x02\x06"
				     "system\x04\x14"
				     "attempt to index nil{}";
	struct dal_view_entry entry = entry_of("{}");
	struct dal_buffer value = {0};

	(void)own;
	dal_view_encode(&entry, &value);
	assert_true(dal_slice_equal(dal_buffer_slice(&value), dal_slice(plain, sizeof(plain) - 1)));
	dal_buffer_clear(&value);
	entry = parked_of("{}");
	dal_view_encode(&entry, &value);
	assert_true(
		dal_slice_equal(dal_buffer_slice(&value), dal_slice(parked, sizeof(parked) - 1)));
	dal_buffer_deinit(&value);
}

static void test_parked_entry_reads_back(void **own)
{
	static const char *const texts[] = {"{\"n\":1}", ""}; /* folded before, and never */
	struct dal_buffer value = {0};

	(void)own;
	for (int i = 0; i < 2; i++) {
		struct dal_view_entry entry = parked_of(texts[i]), got;

		dal_buffer_clear(&value);
		dal_view_encode(&entry, &value);
		assert_true(dal_view_decode(dal_buffer_slice(&value), &got));
		assert_true(got.parked);
		assert_true(dal_slice_is(got.json, texts[i]));
		assert_int_equal(got.position.offset, 300);
		assert_true(dal_slice_is(got.parked_at.topic, "system"));
		assert_int_equal(got.parked_at.partition, 4);
		assert_int_equal(got.parked_at.offset, 301);
		assert_true(dal_slice_is(got.message, "attempt to index nil"));
	}
	dal_buffer_deinit(&value);
}

static void test_broken_value_is_refused(void **own)
{
	struct dal_view_entry entry = entry_of("1"), got;
	struct dal_buffer value = {0};

	(void)own;
	dal_view_encode(&entry, &value);
	for (size_t size = 0; size < value.size; size++) {
		assert_false(dal_view_decode(dal_slice(value.data, size), &got));
	}
	value.data[0] = 2; /* a flag to come */
	assert_false(dal_view_decode(dal_buffer_slice(&value), &got));
	dal_buffer_clear(&value);
	entry = parked_of("");
	dal_view_encode(&entry, &value);
	for (size_t size = 0; size < value.size; size++) {
		assert_false(dal_view_decode(dal_slice(value.data, size), &got));
	}
	dal_buffer_deinit(&value);
}

static void test_get(void **own)
{
	struct dal_state *state = fixture_state(*own);
	struct dal_view_name other = totals;
	struct dal_store_snapshot *snapshot;
	struct dal_view_entry entry;
	struct dal_buffer memory = {0}, whole = {0};

	put(state, &totals, "c1", "1");
	snapshot = dal_store_snapshot_new(dal_state_store(state));
	put(state, &totals, "c1", "2");
	assert_int_equal(dal_view_get(state, NULL, &totals, text("c1"), &entry, &memory), 0);
	assert_true(dal_slice_is(entry.json, "2"));
	assert_int_equal(dal_view_get(state, snapshot, &totals, text("c1"), &entry, &memory), 0);
	assert_true(dal_slice_is(entry.json, "1"));
	assert_int_equal(dal_view_get(state, NULL, &totals, text("c"), &entry, &memory),
			 DAL_STATE_ABSENT);
	other.version = 1;
	assert_int_equal(dal_view_get(state, NULL, &other, text("c1"), &entry, &memory),
			 DAL_STATE_ABSENT);
	other = totals;
	other.lane = 0;
	assert_int_equal(dal_view_get(state, NULL, &other, text("c1"), &entry, &memory),
			 DAL_STATE_ABSENT);
	dal_view_key(&totals, text("c1"), &whole);
	fixture_put(state, dal_buffer_slice(&whole), text("\x07"));
	assert_int_equal(dal_view_get(state, NULL, &totals, text("c1"), &entry, &memory), -EBADMSG);
	dal_store_snapshot_free(dal_state_store(state), snapshot);
	dal_buffer_deinit(&memory);
	dal_buffer_deinit(&whole);
	dal_state_close(state);
}

struct seen {
	struct dal_buffer text;
	int left; /* stops after so many */
};

static bool gather(struct dal_slice key, const struct dal_view_entry *entry, void *own)
{
	struct seen *seen = own;

	dal_buffer_slice_append(&seen->text, key);
	dal_buffer_byte(&seen->text, '=');
	dal_buffer_slice_append(&seen->text, entry->json);
	dal_buffer_byte(&seen->text, ' ');
	return --seen->left != 0;
}

/* The same one by one, to the end. */
static void expect_walk(struct dal_state *state, const struct dal_view_range *range,
			const char *expected)
{
	struct dal_view_cursor *cursor = dal_view_cursor_new(state, NULL, &totals, range);
	struct seen seen = {0};
	struct dal_view_entry entry;
	struct dal_slice key;
	int r;

	while ((r = dal_view_cursor_next(cursor, &key, &entry)) == 0) {
		gather(key, &entry, &seen);
	}
	assert_int_equal(r, DAL_STATE_ABSENT);
	assert_string_equal(dal_buffer_cstr(&seen.text), expected);
	dal_view_cursor_free(cursor);
	dal_buffer_deinit(&seen.text);
}

static void test_scan(void **own)
{
	static const struct {
		struct dal_view_range range;
		int stop;
		const char *expected;
		bool more;
	} cases[] = {
		{.expected = "=0 a=1 ab=2 abc=3 b=4 \xff=5 "},
		{.range = {.prefix = DAL_SLICE_LITERAL("ab")}, .expected = "ab=2 abc=3 "},
		{.range = {.prefix = DAL_SLICE_LITERAL("\xff")}, .expected = "\xff=5 "},
		{.range = {.prefix = DAL_SLICE_LITERAL("zz")}, .expected = ""},
		{.range = {.from = DAL_SLICE_LITERAL("ab")}, .expected = "ab=2 abc=3 b=4 \xff=5 "},
		{.range = {.to = DAL_SLICE_LITERAL("ab")}, .expected = "=0 a=1 "},
		{.range = {.from = DAL_SLICE_LITERAL("aa"), .to = DAL_SLICE_LITERAL("b")},
		 .expected = "ab=2 abc=3 "},
		{.range = {.from = DAL_SLICE_LITERAL("b"), .to = DAL_SLICE_LITERAL("a")},
		 .expected = ""},
		{.range = {.prefix = DAL_SLICE_LITERAL("a"), .from = DAL_SLICE_LITERAL("ab")},
		 .expected = "ab=2 abc=3 "},
		{.range = {.prefix = DAL_SLICE_LITERAL("a"), .to = DAL_SLICE_LITERAL("abc")},
		 .expected = "a=1 ab=2 "},
		{.range = {.prefix = DAL_SLICE_LITERAL("a"), .to = DAL_SLICE_LITERAL("z")},
		 .expected = "a=1 ab=2 abc=3 "},
		{.range = {.after = DAL_SLICE_LITERAL("ab"), .has_after = true},
		 .expected = "abc=3 b=4 \xff=5 "},
		{.range = {.has_after = true}, .expected = "a=1 ab=2 abc=3 b=4 \xff=5 "},
		{.range = {.prefix = DAL_SLICE_LITERAL("a"),
			   .after = DAL_SLICE_LITERAL("a"),
			   .has_after = true},
		 .expected = "ab=2 abc=3 "},
		{.range = {.limit = 2}, .expected = "=0 a=1 ", .more = true},
		{.range = {.limit = 6}, .expected = "=0 a=1 ab=2 abc=3 b=4 \xff=5 "},
		{.range = {.prefix = DAL_SLICE_LITERAL("ab"), .limit = 2},
		 .expected = "ab=2 abc=3 "},
		{.stop = 1, .expected = "=0 "},
	};
	static const char *const keys[] = {"", "a", "ab", "abc", "b", "\xff"};
	struct dal_state *state = fixture_state(*own);
	struct dal_view_name before = totals, behind = totals;

	before.version--;
	behind.version++;
	for (int i = 0; i < 6; i++) {
		put(state, &totals, keys[i], (char[]){(char)('0' + i), 0});
		put(state, &before, keys[i], "9");
		put(state, &behind, keys[i], "9");
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct seen seen = {.left = cases[i].stop};
		bool more = true;

		assert_int_equal(dal_view_scan(state, NULL, &totals, &cases[i].range, gather, &seen,
					       &more),
				 0);
		assert_string_equal(dal_buffer_cstr(&seen.text), cases[i].expected);
		assert_int_equal(more, cases[i].more);
		dal_buffer_deinit(&seen.text);
		if (!cases[i].more && cases[i].stop == 0) {
			expect_walk(state, &cases[i].range, cases[i].expected);
		}
	}
	expect_walk(state, &(struct dal_view_range){.limit = 1}, cases[0].expected);
	dal_state_close(state);
}

static void test_cursors_do_not_see_each_other(void **own)
{
	struct dal_state *state = fixture_state(*own);
	struct dal_view_range all = {0};
	struct dal_view_cursor *one, *two;
	struct dal_view_entry entry;
	struct dal_buffer whole = {0};
	struct dal_slice key;

	put(state, &totals, "a", "1");
	put(state, &totals, "b", "2");
	one = dal_view_cursor_new(state, NULL, &totals, &all);
	two = dal_view_cursor_new(state, NULL, &totals, &all);
	assert_int_equal(dal_view_cursor_next(one, &key, &entry), 0);
	assert_int_equal(dal_view_cursor_next(one, &key, &entry), 0);
	assert_true(dal_slice_is(key, "b"));
	assert_int_equal(dal_view_cursor_next(two, &key, &entry), 0);
	assert_true(dal_slice_is(key, "a"));
	assert_int_equal(dal_view_cursor_next(one, &key, &entry), DAL_STATE_ABSENT);
	dal_view_cursor_free(one);
	dal_view_cursor_free(two);
	dal_view_cursor_free(NULL);
	dal_view_key(&totals, text("a"), &whole);
	fixture_put(state, dal_buffer_slice(&whole), text("\x07"));
	one = dal_view_cursor_new(state, NULL, &totals, &all);
	assert_int_equal(dal_view_cursor_next(one, &key, &entry), -EBADMSG);
	dal_view_cursor_free(one);
	dal_buffer_deinit(&whole);
	dal_state_close(state);
}

static bool gather_parked(const struct dal_view_name *name, struct dal_slice key,
			  const struct dal_view_entry *entry, void *own)
{
	struct seen *seen = own;

	assert_true(entry->parked);
	dal_buffer_printf(&seen->text, "%u:%.*s/%u:%.*s ", name->lane, (int)name->projection.size,
			  name->projection.data, name->version, (int)key.size, key.data);
	return --seen->left != 0;
}

static void expect_parked(struct dal_state *state, int stop, const char *expected)
{
	struct seen seen = {.left = stop};

	assert_int_equal(dal_view_parked_scan(state, 1, gather_parked, &seen), 0);
	assert_string_equal(dal_buffer_cstr(&seen.text), expected);
	dal_buffer_deinit(&seen.text);
}

static void test_parked_keys(void **own)
{
	struct dal_state *state = fixture_state(*own);
	struct dal_store_batch *batch = dal_store_batch_new();
	struct dal_view_name other = totals;
	struct dal_view_entry parked = parked_of("1"), released = entry_of("2");

	other.projection = text("a");
	expect_parked(state, 0, "");
	dal_view_parked_put(batch, &totals, text("c1"), &parked);
	dal_view_parked_put(batch, &totals, text("c2"), &parked);
	dal_view_parked_put(batch, &other, text("k"), &parked);
	fixture_write(state, batch);
	expect_parked(state, 0, "1:a/2:k 1:totals/2:c1 1:totals/2:c2 ");
	expect_parked(state, 1, "1:a/2:k ");
	dal_view_parked_put(batch, &totals, text("c1"), &released);
	fixture_write(state, batch);
	expect_parked(state, 0, "1:a/2:k 1:totals/2:c2 ");
	dal_state_projection_drop(batch, 1, totals.projection, totals.version);
	fixture_write(state, batch);
	expect_parked(state, 0, "1:a/2:k ");
	dal_store_batch_free(batch);
	dal_state_close(state);
}

static void test_digest(void **own)
{
	struct dal_state *state = fixture_state(*own);
	struct dal_view_name newer = totals;
	char empty[65], one[65], now[65];

	newer.version++;
	assert_int_equal(dal_state_digest(state, 1, empty), 0);
	put(state, &totals, "b", "1");
	put(state, &totals, "a", "2");
	assert_int_equal(dal_state_digest(state, 1, one), 0);
	assert_string_not_equal(one, empty);
	assert_int_equal(dal_state_digest(state, 0, now), 0); /* another lane */
	assert_string_equal(now, empty);

	/* The same entries in another order, under another version. */
	put(state, &newer, "a", "2");
	put(state, &newer, "b", "0");
	put(state, &newer, "b", "1");
	{
		struct dal_store_batch *batch = dal_store_batch_new();
		dal_state_projection_drop(batch, 1, totals.projection, totals.version);
		fixture_write(state, batch);
		dal_store_batch_free(batch);
	}
	assert_int_equal(dal_state_digest(state, 1, now), 0);
	assert_string_equal(now, one);
	put(state, &newer, "b", "3");
	assert_int_equal(dal_state_digest(state, 1, now), 0);
	assert_string_not_equal(now, one);
	dal_state_close(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		cmocka_unit_test(test_value_layout),
		cmocka_unit_test(test_parked_entry_reads_back),
		cmocka_unit_test(test_broken_value_is_refused),
		CASE(test_get),
		CASE(test_scan),
		CASE(test_cursors_do_not_see_each_other),
		CASE(test_parked_keys),
		CASE(test_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
