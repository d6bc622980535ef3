/* clang-format off: cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "engine/base/slice.h"

#include <stdlib.h>

static void compares_by_bytes(void **state)
{
	(void)state;
	assert_true(dal_slice_compare(dal_slice_text("a"), dal_slice_text("b")) < 0);
	assert_true(dal_slice_compare(dal_slice_text("ab"), dal_slice_text("a")) > 0);
	assert_int_equal(dal_slice_compare(dal_slice_text("ab"), dal_slice_text("ab")), 0);
	assert_true(dal_slice_compare(dal_slice_text("\x7f"), dal_slice_text("\x80")) < 0);
	assert_true(dal_slice_compare(dal_slice(NULL, 0), dal_slice_text("a")) < 0);
	assert_true(dal_slice_equal(dal_slice(NULL, 0), dal_slice_text("")));
	assert_false(dal_slice_starts(dal_slice_text("ab"), "abc"));
	assert_true(dal_slice_starts(dal_slice(NULL, 0), ""));
}

static void compares_without_case(void **state)
{
	(void)state;
	assert_true(dal_slice_equal_nocase(dal_slice_text("Content-Type"),
					   dal_slice_text("content-tYPE")));
	assert_false(dal_slice_equal_nocase(dal_slice_text("[x"), dal_slice_text("{x")));
	assert_false(dal_slice_equal_nocase(dal_slice_text("a"), dal_slice_text("aa")));
}

static void trims_and_cuts(void **state)
{
	struct dal_slice head, tail;

	(void)state;
	assert_true(dal_slice_is(dal_slice_trim(dal_slice_text(" \t a b \t")), "a b"));
	assert_int_equal(dal_slice_trim(dal_slice_text("  ")).size, 0);
	assert_true(dal_slice_cut(dal_slice_text("a=b=c"), '=', &head, &tail));
	assert_true(dal_slice_is(head, "a"));
	assert_true(dal_slice_is(tail, "b=c"));
	assert_true(dal_slice_cut(dal_slice_text("a="), '=', &head, &tail));
	assert_int_equal(tail.size, 0);
	assert_false(dal_slice_cut(dal_slice_text("abc"), '=', &head, &tail));
	assert_false(dal_slice_cut(dal_slice(NULL, 0), '=', &head, &tail));
}

static void reads_unsigned_numbers(void **state)
{
	uint64_t value = 7;

	(void)state;
	assert_true(dal_slice_to_u64(dal_slice_text("18446744073709551615"), &value));
	assert_true(value == UINT64_MAX);
	assert_false(dal_slice_to_u64(dal_slice_text("18446744073709551616"), &value));
	assert_false(dal_slice_to_u64(dal_slice_text("99999999999999999999"), &value));
	assert_false(dal_slice_to_u64(dal_slice_text(""), &value));
	assert_false(dal_slice_to_u64(dal_slice_text("+1"), &value));
	assert_false(dal_slice_to_u64(dal_slice_text("1 "), &value));
	assert_false(dal_slice_to_u64(dal_slice_text("-1"), &value));
	assert_true(dal_slice_to_u64(dal_slice_text("007"), &value));
	assert_int_equal(value, 7);
}

static void reads_signed_numbers(void **state)
{
	int64_t value;

	(void)state;
	assert_true(dal_slice_to_i64(dal_slice_text("-9223372036854775808"), &value));
	assert_true(value == INT64_MIN);
	assert_true(dal_slice_to_i64(dal_slice_text("9223372036854775807"), &value));
	assert_true(value == INT64_MAX);
	assert_false(dal_slice_to_i64(dal_slice_text("9223372036854775808"), &value));
	assert_false(dal_slice_to_i64(dal_slice_text("-9223372036854775809"), &value));
	assert_false(dal_slice_to_i64(dal_slice_text("-"), &value));
	assert_false(dal_slice_to_i64(dal_slice_text("--1"), &value));
	assert_true(dal_slice_to_i64(dal_slice_text("-0"), &value));
	assert_int_equal(value, 0);
}

static void grows_a_buffer(void **state)
{
	struct dal_buffer buffer = {0};
	char *copy;

	(void)state;
	assert_string_equal(dal_buffer_cstr(&buffer), "");
	for (int i = 0; i < 1000; i++) {
		dal_buffer_printf(&buffer, "%03d,", i);
	}
	assert_int_equal(buffer.size, 4000);
	assert_memory_equal(buffer.data + 3992, "998,999,", 8);
	dal_buffer_clear(&buffer);
	dal_buffer_text(&buffer, "x");
	dal_buffer_byte(&buffer, 'y');
	dal_buffer_append(&buffer, NULL, 0);
	assert_string_equal(dal_buffer_cstr(&buffer), "xy");
	assert_int_equal(buffer.size, 2);
	copy = dal_slice_dup(dal_buffer_slice(&buffer));
	assert_string_equal(copy, "xy");
	free(copy);
	dal_buffer_deinit(&buffer);
	assert_null(buffer.data);
}

static void fixed_width_sorts_as_numbers(void **state)
{
	struct dal_buffer low = {0}, high = {0};

	(void)state;
	dal_buffer_u64be(&low, 255);
	dal_buffer_u64be(&high, 256);
	assert_true(dal_slice_compare(dal_buffer_slice(&low), dal_buffer_slice(&high)) < 0);
	dal_buffer_deinit(&low);
	dal_buffer_deinit(&high);
}

static void reads_back_what_it_wrote(void **state)
{
	struct dal_buffer buffer = {0};
	struct dal_slice rest, text;
	uint8_t byte;
	uint16_t small;
	uint32_t middle;
	uint64_t large;

	(void)state;
	dal_buffer_byte(&buffer, (char)0xfe);
	dal_buffer_u16be(&buffer, 0x0102);
	dal_buffer_u32be(&buffer, 0x01020304);
	dal_buffer_u64be(&buffer, UINT64_C(0x0102030405060708));
	dal_buffer_sized(&buffer, dal_slice_text("text"));
	assert_memory_equal(buffer.data, "\xfe\x01\x02\x01\x02\x03\x04\x01\x02", 9);
	rest = dal_buffer_slice(&buffer);
	assert_true(dal_slice_take_u8(&rest, &byte) && byte == 0xfe);
	assert_true(dal_slice_take_u16be(&rest, &small) && small == 0x0102);
	assert_true(dal_slice_take_u32be(&rest, &middle) && middle == 0x01020304);
	assert_true(dal_slice_take_u64be(&rest, &large));
	assert_true(large == UINT64_C(0x0102030405060708));
	assert_true(dal_slice_take_sized(&rest, &text) && dal_slice_is(text, "text"));
	assert_int_equal(rest.size, 0);
	assert_false(dal_slice_take_u8(&rest, &byte));
	assert_true(dal_slice_take(&rest, 0, &text));
	dal_buffer_deinit(&buffer);
}

static void varints_of_all_lengths(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		uint64_t values[] = {UINT64_C(1) << bit, (UINT64_C(1) << bit) - 1,
				     UINT64_MAX >> bit};

		for (size_t i = 0; i < 3; i++) {
			struct dal_buffer buffer = {0};
			struct dal_slice rest;
			uint64_t value;

			dal_buffer_varint(&buffer, values[i]);
			rest = dal_buffer_slice(&buffer);
			assert_true(dal_slice_take_varint(&rest, &value));
			assert_true(value == values[i]);
			assert_int_equal(rest.size, 0);
			for (size_t cut = 0; cut < buffer.size; cut++) {
				rest = dal_slice(buffer.data, cut);
				assert_false(dal_slice_take_varint(&rest, &value));
				assert_int_equal(rest.size, cut);
			}
			dal_buffer_deinit(&buffer);
		}
	}
}

static void refuses_broken_lengths(void **state)
{
	struct dal_slice over = dal_slice("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10);
	struct dal_slice without_end = dal_slice("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00",
						 11);
	struct dal_slice too_short = dal_slice("\x05text", 5);
	struct dal_slice text;
	uint64_t value;

	(void)state;
	assert_false(dal_slice_take_varint(&over, &value));
	assert_false(dal_slice_take_varint(&without_end, &value));
	assert_false(dal_slice_take_sized(&too_short, &text));
	assert_int_equal(too_short.size, 5); /* nothing was taken */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares_by_bytes),
		cmocka_unit_test(compares_without_case),
		cmocka_unit_test(trims_and_cuts),
		cmocka_unit_test(reads_unsigned_numbers),
		cmocka_unit_test(reads_signed_numbers),
		cmocka_unit_test(grows_a_buffer),
		cmocka_unit_test(fixed_width_sorts_as_numbers),
		cmocka_unit_test(reads_back_what_it_wrote),
		cmocka_unit_test(varints_of_all_lengths),
		cmocka_unit_test(refuses_broken_lengths),
	};

	return cmocka_run_group_tests_name("base/slice", tests, NULL, NULL);
}
