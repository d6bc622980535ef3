/* clang-format off: cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "engine/base/expand.h"

#include <errno.h>
#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>

#include "engine/base/compress.h"

static void gzip_append(struct dal_buffer *out, struct dal_slice data)
{
	z_stream z = {0};
	size_t bound;

	assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	bound = deflateBound(&z, data.size);
	z.next_in = (const Bytef *)data.data;
	z.avail_in = (unsigned)data.size;
	z.next_out = (Bytef *)dal_buffer_reserve(out, bound);
	z.avail_out = (unsigned)bound;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->size += z.total_out;
	deflateEnd(&z);
}

static void zstd_append(struct dal_buffer *out, struct dal_slice data)
{
	struct dal_compressor *compressor = dal_compressor_new(1);

	dal_compress(compressor, data, out);
	dal_compressor_free(compressor);
}

/* Expands `input`, given in pieces of `piece` bytes into room for `room` at once. */
static int expand(enum dal_expand_format format, struct dal_slice input, size_t piece, size_t room,
		  struct dal_buffer *out, bool *whole)
{
	struct dal_expander *expander = dal_expander_new(format);
	struct dal_slice left = {0};
	size_t size;
	int r = 0;

	do {
		if (left.size == 0) {
			size_t next = piece < input.size ? piece : input.size;
			assert_true(dal_slice_take(&input, next, &left));
		}
		r = dal_expander_run(expander, &left, dal_buffer_reserve(out, room), room, &size);
		out->size += size;
	} while (r == 0 && (size == room || left.size > 0 || input.size > 0));
	*whole = dal_expander_whole(expander);
	assert_true(r == 0 || dal_expander_reason(expander)[0] != '\0');
	dal_expander_free(expander);
	return r;
}

static struct dal_slice sample(struct dal_buffer *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		dal_buffer_byte(data, (char)(i * i >> 9));
	}
	return dal_buffer_slice(data);
}

typedef void append(struct dal_buffer *out, struct dal_slice data);
static append *const appends[] = {
	[DAL_EXPAND_GZIP] = gzip_append,
	[DAL_EXPAND_ZSTD] = zstd_append,
};

static void gives_all_members_in_any_pieces(void **state)
{
	static const size_t pieces[][2] = {{1, 1 << 20}, {1 << 20, 7}, {4096, 4096}, {3, 1}};

	(void)state;
	for (int format = 0; format < 2; format++) {
		for (size_t i = 0; i < 4; i++) {
			struct dal_buffer data = {0}, input = {0}, out = {0};
			struct dal_slice text = sample(&data, 30000);
			bool whole;
			appends[format](&input, dal_slice(text.data, 20000));
			appends[format](&input, dal_slice(NULL, 0));
			appends[format](&input, dal_slice(text.data + 20000, 10000));
			assert_int_equal(expand(format, dal_buffer_slice(&input), pieces[i][0],
						pieces[i][1], &out, &whole),
					 0);
			assert_true(whole);
			assert_true(dal_slice_equal(dal_buffer_slice(&out), text));
			dal_buffer_deinit(&data);
			dal_buffer_deinit(&input);
			dal_buffer_deinit(&out);
		}
	}
}

/* At every length but the whole: what came out is a beginning, and the end is missed. */
static void tells_what_was_cut_off(void **state)
{
	(void)state;
	for (int format = 0; format < 2; format++) {
		struct dal_buffer data = {0}, input = {0};
		struct dal_slice text = sample(&data, 3000);
		appends[format](&input, text);
		for (size_t size = 0; size < input.size; size++) {
			struct dal_buffer out = {0};
			bool whole;
			assert_int_equal(expand(format, dal_slice(input.data, size), 512, 512, &out,
						&whole),
					 0);
			assert_false(whole);
			assert_true(out.size <= text.size);
			assert_int_equal(out.size ? memcmp(out.data, text.data, out.size) : 0, 0);
			dal_buffer_deinit(&out);
		}
		dal_buffer_deinit(&data);
		dal_buffer_deinit(&input);
	}
}

static void refuses_what_is_no_stream(void **state)
{
	(void)state;
	for (int format = 0; format < 2; format++) {
		struct dal_buffer input = {0}, out = {0};
		bool whole;
		dal_buffer_text(&input, "{\"type\": \"a\"}\n{\"type\": \"b\"}\n");
		assert_int_equal(expand(format, dal_buffer_slice(&input), 64, 64, &out, &whole),
				 -EBADMSG);
		dal_buffer_clear(&input);
		appends[format](&input, dal_slice_text("good"));
		dal_buffer_text(&input, "and then something else");
		assert_int_equal(expand(format, dal_buffer_slice(&input), 64, 64, &out, &whole),
				 -EBADMSG);
		assert_true(dal_slice_is(dal_buffer_slice(&out), "good"));
		dal_buffer_deinit(&input);
		dal_buffer_deinit(&out);
	}
}

static void refuses_a_wrong_checksum(void **state)
{
	struct dal_buffer input = {0}, out = {0};
	bool whole;

	(void)state;
	gzip_append(&input, dal_slice_text("four"));
	input.data[input.size - 5] ^= 1;
	assert_int_equal(expand(DAL_EXPAND_GZIP, dal_buffer_slice(&input), 512, 512, &out, &whole),
			 -EBADMSG);
	dal_buffer_deinit(&input);
	dal_buffer_deinit(&out);
}

static void passes_over_zeros_behind_gzip(void **state)
{
	struct dal_buffer input = {0}, out = {0};
	bool whole;

	(void)state;
	gzip_append(&input, dal_slice_text("a"));
	dal_buffer_append(&input, "\0\0\0\0\0\0\0", 7);
	gzip_append(&input, dal_slice_text("b"));
	assert_int_equal(expand(DAL_EXPAND_GZIP, dal_buffer_slice(&input), 5, 9, &out, &whole), 0);
	assert_true(whole);
	assert_true(dal_slice_is(dal_buffer_slice(&out), "ab"));
	dal_buffer_deinit(&input);
	dal_buffer_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_all_members_in_any_pieces),
		cmocka_unit_test(tells_what_was_cut_off),
		cmocka_unit_test(refuses_what_is_no_stream),
		cmocka_unit_test(refuses_a_wrong_checksum),
		cmocka_unit_test(passes_over_zeros_behind_gzip),
	};

	return cmocka_run_group_tests_name("expand", tests, NULL, NULL);
}
