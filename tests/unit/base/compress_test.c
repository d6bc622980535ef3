/* clang-format off: cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "engine/base/compress.h"

#include <errno.h>
#include <stdlib.h>

static struct dal_compressor *compressor;

static int set_up(void **state)
{
	(void)state;
	compressor = dal_compressor_new(1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dal_compressor_free(compressor);
	return 0;
}

static void assert_round_trip(struct dal_slice data)
{
	struct dal_buffer frame = {0}, out = {0};

	dal_buffer_text(&out, "before");
	dal_compress(compressor, data, &frame);
	assert_int_equal(dal_decompress(compressor, dal_buffer_slice(&frame), data.size, &out), 0);
	assert_int_equal(out.size, data.size + 6);
	assert_true(dal_slice_equal(dal_slice(out.data + 6, data.size), data));
	dal_buffer_deinit(&frame);
	dal_buffer_deinit(&out);
}

static void gives_back_what_it_got(void **state)
{
	size_t size = 300000;
	char *data = malloc(size);

	(void)state;
	assert_non_null(data);
	for (size_t i = 0; i < size; i++) {
		data[i] = (char)(i * i >> 7);
	}
	assert_round_trip(dal_slice(data, size));
	assert_round_trip(dal_slice_text("x"));
	assert_round_trip(dal_slice(NULL, 0));
	free(data);
}

static void refuses_more_than_allowed(void **state)
{
	struct dal_buffer frame = {0}, out = {0};
	char data[1000] = {0};

	(void)state;
	dal_compress(compressor, dal_slice(data, sizeof(data)), &frame);
	assert_int_equal(dal_decompress(compressor, dal_buffer_slice(&frame), 999, &out), -EBADMSG);
	assert_int_equal(out.size, 0);
	assert_int_equal(dal_decompress(compressor, dal_buffer_slice(&frame), 1000, &out), 0);
	dal_buffer_deinit(&frame);
	dal_buffer_deinit(&out);
}

static void refuses_what_is_no_frame(void **state)
{
	struct dal_buffer frame = {0}, out = {0};
	struct dal_slice whole;

	(void)state;
	dal_compress(compressor, dal_slice_text("some text, some text, some text"), &frame);
	whole = dal_buffer_slice(&frame);
	for (size_t cut = 0; cut < whole.size; cut++) {
		assert_int_equal(dal_decompress(compressor, dal_slice(whole.data, cut), 100, &out),
				 -EBADMSG);
	}
	dal_buffer_byte(&frame, 'x'); /* something behind it */
	assert_int_equal(dal_decompress(compressor, dal_buffer_slice(&frame), 100, &out), -EBADMSG);
	assert_int_equal(dal_decompress(compressor, dal_slice_text("plain text"), 100, &out),
			 -EBADMSG);
	assert_int_equal(out.size, 0);
	dal_buffer_deinit(&frame);
	dal_buffer_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_back_what_it_got),
		cmocka_unit_test(refuses_more_than_allowed),
		cmocka_unit_test(refuses_what_is_no_frame),
	};

	dal_compressor_free(NULL);
	return cmocka_run_group_tests_name("base/compress", tests, set_up, tear_down);
}
