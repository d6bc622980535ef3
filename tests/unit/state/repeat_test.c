#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "state/repeat.h"
#include "tests/unit/state/fixture.h"

enum { LANE = 3 };

/* A record for each letter: the key is 16 of it, the time its code. */
static void records_of(const char *letters, struct dal_buffer *out)
{
	for (; *letters; letters++) {
		for (int i = 0; i < DAL_REPEAT_KEY_BYTES; i++) {
			dal_buffer_byte(out, *letters);
		}
		dal_buffer_u64be(out, (uint64_t)*letters);
	}
}

static void put(struct dal_state *state, uint16_t lane, int64_t time_us, const char *letters)
{
	struct dal_store_batch *batch = dal_store_batch_new();
	struct dal_buffer records = {0};

	records_of(letters, &records);
	dal_repeat_put(batch, lane, time_us, dal_buffer_slice(&records));
	fixture_write(state, batch);
	dal_buffer_deinit(&records);
	dal_store_batch_free(batch);
}

static void drop(struct dal_state *state, uint16_t lane, int64_t before_us)
{
	struct dal_store_batch *batch = dal_store_batch_new();

	dal_repeat_drop(batch, lane, before_us);
	fixture_write(state, batch);
	dal_store_batch_free(batch);
}

/* "TIME LETTERS;" a batch. */
static void gather(int64_t time_us, struct dal_slice records, void *own)
{
	struct dal_slice key;
	uint64_t first_us;

	dal_buffer_printf(own, "%" PRId64 " ", time_us);
	while (dal_slice_take(&records, DAL_REPEAT_KEY_BYTES, &key) &&
	       dal_slice_take_u64be(&records, &first_us)) {
		assert_int_equal(key.data[DAL_REPEAT_KEY_BYTES - 1], key.data[0]);
		assert_int_equal(first_us, key.data[0]);
		dal_buffer_byte(own, key.data[0]);
	}
	assert_int_equal(records.size, 0);
	dal_buffer_byte(own, ';');
}

static void expect(struct dal_state *state, uint16_t lane, const char *expected)
{
	struct dal_buffer got = {0};

	assert_int_equal(dal_repeat_scan(state, lane, gather, &got), 0);
	assert_string_equal(dal_buffer_cstr(&got), expected);
	dal_buffer_deinit(&got);
}

static void test_layout(void **own)
{
	struct dal_state *state = fixture_state(*own);
	char *dump;

	put(state, LANE, 0x0102, "AB");
	dump = fixture_dump(state);
	assert_string_equal(dump,
			    /* lane 'R', time, the first record: all records */
			    "0003520000000000000102"
			    "414141414141414141414141414141410000000000000041="
			    "414141414141414141414141414141410000000000000041"
			    "424242424242424242424242424242420000000000000042\n"
			    "46=02746573746c6f67\n");
	free(dump);
	dal_state_close(state);
}

static void test_all_come_back_in_order(void **own)
{
	struct dal_state *state = fixture_state(*own);

	expect(state, LANE, "");
	put(state, LANE, 300, "c");
	put(state, LANE, 1, "xyz");
	put(state, LANE, 256, "ba");
	put(state, LANE, 256, "ab"); /* another batch of the same time */
	put(state, LANE - 1, 2, "n");
	put(state, LANE + 1, 2, "m");
	dal_state_close(state);
	state = fixture_state(*own);
	expect(state, LANE, "1 xyz;256 ab;256 ba;300 c;");
	expect(state, LANE - 1, "2 n;");
	expect(state, LANE + 1, "2 m;");
	expect(state, LANE + 2, "");
	dal_state_close(state);
}

static void test_drop_takes_what_ended_before(void **own)
{
	struct dal_state *state = fixture_state(*own);

	put(state, LANE, 100, "a");
	put(state, LANE, 199, "b");
	put(state, LANE, 200, "c");
	put(state, LANE, INT64_MAX, "d");
	put(state, LANE - 1, 100, "n");
	put(state, LANE + 1, 100, "m");
	drop(state, LANE, 100);
	expect(state, LANE, "100 a;199 b;200 c;9223372036854775807 d;");
	drop(state, LANE, 200);
	expect(state, LANE, "200 c;9223372036854775807 d;");
	drop(state, LANE, INT64_MAX);
	expect(state, LANE, "9223372036854775807 d;");
	expect(state, LANE - 1, "100 n;");
	expect(state, LANE + 1, "100 m;");
	dal_state_close(state);
}

/* As a batch of the lane writes them: the old go and the new come at once. */
static void test_drop_and_put_in_one_batch(void **own)
{
	struct dal_state *state = fixture_state(*own);
	struct dal_store_batch *batch = dal_store_batch_new();
	struct dal_buffer records = {0};

	put(state, LANE, 100, "a");
	records_of("b", &records);
	dal_repeat_drop(batch, LANE, 200);
	dal_repeat_put(batch, LANE, 200, dal_buffer_slice(&records));
	fixture_write(state, batch);
	expect(state, LANE, "200 b;");
	dal_buffer_deinit(&records);
	dal_store_batch_free(batch);
	dal_state_close(state);
}

static void expect_refused(struct dal_state *state, struct dal_slice key, struct dal_slice value)
{
	struct dal_buffer got = {0};

	fixture_put(state, key, value);
	assert_int_equal(dal_repeat_scan(state, LANE, gather, &got), -EBADMSG);
	assert_string_equal(dal_buffer_cstr(&got), "1 a;"); /* what stands before it */
	dal_buffer_deinit(&got);
}

static void test_broken_ones_are_refused(void **own)
{
	static const struct dal_slice key = DAL_SLICE_LITERAL(
		"\0\3R\0\0\0\0\0\0\1\0kkkkkkkkkkkkkkkk");
	static const struct dal_slice short_key = DAL_SLICE_LITERAL("\0\3R\0\0\0\0\0\0\1");
	struct dal_state *state = fixture_state(*own);
	struct dal_buffer records = {0};

	put(state, LANE, 1, "a");
	records_of("bc", &records);
	for (size_t size = 0; size < records.size; size++) {
		if (size != DAL_REPEAT_RECORD_BYTES) {
			expect_refused(state, key, dal_slice(records.data, size));
		}
	}
	fixture_put(state, key, dal_buffer_slice(&records));
	expect(state, LANE, "1 a;256 bc;");
	expect_refused(state, short_key, dal_buffer_slice(&records));
	dal_buffer_deinit(&records);
	dal_state_close(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		CASE(test_layout),
		CASE(test_all_come_back_in_order),
		CASE(test_drop_takes_what_ended_before),
		CASE(test_drop_and_put_in_one_batch),
		CASE(test_broken_ones_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
