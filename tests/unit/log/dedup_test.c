/* The deduplication's tables, slices and stored records, without a log. */
#include "tests/unit/log/fixture.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/base/digest.h"
#include "engine/base/memory.h"
#include "engine/log/dedup.h"
#include "engine/log/dedup_record.h"

static struct dal_table_key key_of(uint64_t n)
{
	struct dal_slice text = dal_slice(&n, sizeof(n));
	return (struct dal_table_key){dal_hash64(text, 1), dal_hash64(text, 2)};
}

static bool holds(const struct dal_dedup *dedup, uint64_t n)
{
	uint64_t offset = 0;
	bool found = dal_dedup_find(dedup, key_of(n), &offset);
	assert_true(!found || offset == n);
	return found;
}

static void test_table_grows(void **own)
{
	struct dal_table table = {0};
	uint64_t value = 0;
	(void)own;
	assert_false(dal_table_get(&table, key_of(0), &value));
	for (uint64_t i = 0; i < 100000; i++) {
		assert_false(dal_table_get(&table, key_of(i), &value));
		dal_table_add(&table, key_of(i), i * 3);
	}
	for (uint64_t i = 0; i < 100000; i++) {
		assert_true(dal_table_get(&table, key_of(i), &value));
		assert_int_equal(value, i * 3);
	}
	dal_table_deinit(&table);
	assert_false(dal_table_get(&table, key_of(1), &value));
}

/* Keys that share a slot, or a slot and a tag, or a whole half, stay apart. */
static void test_table_tells_near_keys_apart(void **own)
{
	struct dal_table table = {0};
	uint64_t value = 0;
	(void)own;
	for (uint64_t i = 0; i < 40; i++) {
		dal_table_add(&table, (struct dal_table_key){7, i}, i);
		dal_table_add(&table, (struct dal_table_key){7 + 64 * (i + 1), 5}, 100 + i);
	}
	for (uint64_t i = 0; i < 40; i++) {
		assert_true(dal_table_get(&table, (struct dal_table_key){7, i}, &value));
		assert_int_equal(value, i);
		assert_true(
			dal_table_get(&table, (struct dal_table_key){7 + 64 * (i + 1), 5}, &value));
		assert_int_equal(value, 100 + i);
	}
	assert_false(dal_table_get(&table, (struct dal_table_key){7, 40}, &value));
	assert_false(dal_table_get(&table, (struct dal_table_key){8, 5}, &value));
	dal_table_deinit(&table);
}

/* Kept for the window, gone a quarter later at the latest. */
static void test_window(void **own)
{
	struct dal_dedup *dedup = dal_dedup_new(1000, 1000000);
	(void)own;
	for (uint64_t t = 0; t < 10000; t += 10) {
		int64_t since = dal_dedup_advance(dedup, (int64_t)t);
		assert_true(since <= (int64_t)t);
		assert_true(t <= 1000 || since <= (int64_t)t - 1000);
		assert_true(t <= 1500 || since >= (int64_t)t - 1500);
		dal_dedup_add(dedup, key_of(t), t);
		for (uint64_t age = 0; age <= t; age += 50) {
			if (age <= 1000) {
				assert_true(holds(dedup, t - age));
			} else if (age > 1500) {
				assert_false(holds(dedup, t - age));
			}
		}
	}
	dal_dedup_advance(dedup, 100000);
	assert_false(holds(dedup, 9990));
	assert_int_equal(dal_dedup_dropped(dedup), 0);
	dal_dedup_free(dedup);
}

static void test_limit(void **own)
{
	struct dal_dedup *dedup = dal_dedup_new(1000000, 1000);
	(void)own;
	for (uint64_t i = 0; i < 5000; i++) {
		dal_dedup_advance(dedup, (int64_t)i);
		assert_in_range(dal_dedup_count(dedup), 0, 1001);
		dal_dedup_add(dedup, key_of(i), i);
	}
	assert_true(holds(dedup, 4999));
	assert_true(holds(dedup, 4500));
	assert_false(holds(dedup, 3000));
	assert_int_equal(dal_dedup_dropped(dedup) + dal_dedup_count(dedup), 5000);
	dal_dedup_free(dedup);
}

static void answer_for(const char *body, const uint64_t *offsets, size_t count,
		       struct dal_buffer *out)
{
	struct dal_log_item *items = dal_calloc(count + 1, sizeof(*items));
	for (size_t i = 0; i < count; i++) {
		items[i].place.offset = offsets[i];
	}
	dal_dedup_answer_write(dal_slice_text(body), items, count, out);
	free(items);
}

static void test_answers(void **own)
{
	const uint64_t offsets[] = {900, 901, 902, 3, 903, UINT64_MAX / 2, 1};
	struct dal_log_item items[7] = {0};
	struct dal_buffer answer = {0};
	struct dal_slice body = dal_slice_text("0123456789abcdefXYZ");
	(void)own;
	answer_for("0123456789abcdefXYZ", offsets, 7, &answer);
	struct dal_slice bytes = dal_buffer_slice(&answer);
	assert_int_equal(dal_dedup_answer_read(bytes, body, items, 7), 0);
	for (size_t i = 0; i < 7; i++) {
		assert_true(items[i].place.offset == offsets[i]);
	}
	assert_int_equal(dal_dedup_answer_read(bytes, body, items, 6), DAL_LOG_CONFLICT);
	assert_int_equal(dal_dedup_answer_read(bytes, dal_slice_text("0123456789abcdeF"), items, 7),
			 DAL_LOG_CONFLICT);
	for (size_t size = 0; size < bytes.size; size++) {
		bytes.size = size;
		int r = dal_dedup_answer_read(bytes, body, items, 7);
		assert_int_equal(r, -EBADMSG);
		bytes.size = answer.size;
	}
	dal_buffer_deinit(&answer);
}

static void test_requests_live_in_slices_too(void **own)
{
	struct dal_dedup *dedup = dal_dedup_new(1000, 100);
	struct dal_slice record;
	(void)own;
	dal_dedup_advance(dedup, 10);
	dal_dedup_add_request(dedup, key_of(1), dal_slice_text("one"));
	dal_dedup_advance(dedup, 500);
	dal_dedup_add_request(dedup, key_of(2), dal_slice_text(""));
	assert_true(dal_dedup_find_request(dedup, key_of(1), &record));
	assert_true(dal_slice_is(record, "one"));
	assert_true(dal_dedup_find_request(dedup, key_of(2), &record));
	assert_int_equal(record.size, 0);
	assert_false(holds(dedup, 1));
	dal_dedup_advance(dedup, 1600);
	assert_false(dal_dedup_find_request(dedup, key_of(1), &record));
	assert_true(dal_dedup_find_request(dedup, key_of(2), &record));
	dal_dedup_free(dedup);
}

static struct dal_buffer record_made(void)
{
	const struct dal_dedup_event events[] = {
		{key_of(5), 5}, {key_of(6), 6}, {key_of(900), 900}};
	const struct dal_dedup_request requests[] = {{key_of(1), DAL_SLICE_LITERAL("answer")}};
	struct dal_buffer out = {0};
	dal_dedup_record_write(events, 3, requests, 1, &out);
	return out;
}

static void test_record_round_trip(void **own)
{
	struct dal_dedup *dedup = dal_dedup_new(1000, 100);
	struct dal_buffer bytes = record_made();
	struct dal_slice answer;
	(void)own;
	dal_dedup_advance(dedup, 1);
	assert_int_equal(dal_dedup_record_read(dal_buffer_slice(&bytes), dedup), 0);
	assert_true(holds(dedup, 5) && holds(dedup, 6) && holds(dedup, 900));
	assert_false(holds(dedup, 7));
	assert_true(dal_dedup_find_request(dedup, key_of(1), &answer));
	assert_true(dal_slice_is(answer, "answer"));
	dal_buffer_deinit(&bytes);
	dal_dedup_free(dedup);
}

static void test_record_damage_is_told(void **own)
{
	struct dal_dedup *dedup = dal_dedup_new(1000, 100);
	struct dal_buffer bytes = record_made();
	(void)own;
	dal_dedup_advance(dedup, 1);
	for (size_t i = 0; i < bytes.size; i++) {
		bytes.data[i] = (char)(bytes.data[i] ^ 0x10);
		assert_int_equal(dal_dedup_record_read(dal_buffer_slice(&bytes), dedup), -EBADMSG);
		bytes.data[i] = (char)(bytes.data[i] ^ 0x10);
		assert_int_equal(dal_dedup_record_read(dal_slice(bytes.data, i), dedup), -EBADMSG);
	}
	assert_int_equal(dal_dedup_count(dedup), 0);
	dal_buffer_deinit(&bytes);
	dal_dedup_free(dedup);
}

static void test_record_golden_bytes(void **own)
{
	const struct dal_dedup_event event = {{0x1122334455667788, 0x99aabbccddeeff00}, 300};
	const struct dal_dedup_request request = {{1, 2}, DAL_SLICE_LITERAL("xy")};
	struct dal_buffer bytes = {0};
	struct dal_buffer hex = {0};
	(void)own;
	dal_dedup_record_write(&event, 1, &request, 1, &bytes);
	dal_hex_encode(dal_buffer_slice(&bytes), &hex);
	assert_string_equal(dal_buffer_cstr(&hex),
			    "444c4431fb3bd2e5f635f34601ac02112233445566778899aabbccddeeff0001"
			    "00000000000000010000000000000002027879");
	dal_buffer_deinit(&bytes);
	dal_buffer_deinit(&hex);
}

static void test_record_keys(void **own)
{
	uint8_t key[DAL_DEDUP_KEY_BYTES];
	int64_t time_us = 0;
	(void)own;
	dal_dedup_record_key(0x0102030405060708, 0x0a0b, key);
	assert_memory_equal(key, "D\1\2\3\4\5\6\7\10\12\13", 11);
	assert_true(dal_dedup_record_key_read(dal_slice(key, 11), &time_us));
	assert_true(time_us == 0x0102030405060708);
	assert_false(dal_dedup_record_key_read(dal_slice(key, 10), &time_us));
	assert_false(dal_dedup_record_key_read(dal_slice("D\xff 345678901", 11), &time_us));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_grows),
		cmocka_unit_test(test_table_tells_near_keys_apart),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_requests_live_in_slices_too),
		cmocka_unit_test(test_record_round_trip),
		cmocka_unit_test(test_record_damage_is_told),
		cmocka_unit_test(test_record_golden_bytes),
		cmocka_unit_test(test_record_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
