/* Pieces made into lines and server-sent events, wherever they are cut. */
#include "engine/cli/stream.h"
#include "tests/unit/cli/check.h"

static int on_text(void *own, struct dal_slice text)
{
	dal_buffer_printf(own, "[%.*s]", (int)text.size, text.data ? text.data : "");
	return 0;
}

static int on_first(void *own, struct dal_slice text)
{
	on_text(own, text);
	return 7;
}

static void lines_are_whole_however_they_come(void **state)
{
	static const char text[] = "one\r\n\ntwo words\nthree";

	(void)state;
	for (size_t step = 1; step < sizeof(text); step++) {
		struct dal_splitter splitter = {0};
		struct dal_buffer out = {0};
		for (size_t i = 0; i < sizeof(text) - 1; i += step) {
			size_t left = sizeof(text) - 1 - i;
			dal_splitter_feed(&splitter, dal_slice(text + i, step < left ? step : left),
					  on_text, &out);
		}
		assert_string_equal(dal_buffer_cstr(&out), "[one][][two words]");
		DAL_ASSERT_SLICE(dal_buffer_slice(&splitter.rest), "three");
		dal_splitter_deinit(&splitter);
		dal_buffer_deinit(&out);
	}
}

static void a_line_that_ends_it_is_the_last(void **state)
{
	struct dal_splitter splitter = {0};
	struct dal_buffer out = {0};

	(void)state;
	assert_int_equal(dal_splitter_feed(&splitter, dal_slice_text("a\nb\nc\n"), on_first, &out),
			 7);
	assert_string_equal(dal_buffer_cstr(&out), "[a]");
	dal_splitter_deinit(&splitter);
	dal_buffer_deinit(&out);
}

static void events_and_their_ids(void **state)
{
	static const char text[] = "retry: 1000\n\n: heartbeat\n\nid: 5\ndata: {\"a\":1}\n\n"
				   "id:6\ndata:x\ndata: y\n\nevent: z\n\nid: 7\ndata: cut";

	(void)state;
	for (size_t step = 1; step < sizeof(text); step++) {
		struct dal_buffer out = {0};
		struct dal_sse sse = {.each = on_text, .own = &out};
		for (size_t i = 0; i < sizeof(text) - 1; i += step) {
			size_t left = sizeof(text) - 1 - i;
			assert_int_equal(
				dal_sse_feed(&sse, dal_slice(text + i, step < left ? step : left)),
				0);
		}
		assert_string_equal(dal_buffer_cstr(&out), "[{\"a\":1}][x\ny]");
		dal_sse_deinit(&sse);
		dal_buffer_deinit(&out);
	}
}

static int on_named(void *own, struct dal_slice data)
{
	struct dal_sse *sse = own;

	assert_string_equal(dal_buffer_cstr(&sse->event), data.size == 1 ? "entry" : "");
	return 0;
}

static void events_have_names(void **state)
{
	struct dal_sse sse = {.each = on_named};

	(void)state;
	sse.own = &sse;
	dal_sse_feed(&sse, dal_slice_text("event: entry\ndata: 1\n\ndata: 22\n\nevent: lost\n"));
	dal_sse_restart(&sse);
	dal_sse_feed(&sse, dal_slice_text("data: 33\n\n"));
	dal_sse_deinit(&sse);
}

static void a_new_connection_goes_on_behind_the_last_event(void **state)
{
	struct dal_buffer out = {0};
	struct dal_sse sse = {.each = on_text, .own = &out};

	(void)state;
	dal_sse_feed(&sse, dal_slice_text("id: 5\ndata: a\n\nid: 6\ndata: b"));
	DAL_ASSERT_SLICE(dal_buffer_slice(&sse.id), "5");
	dal_sse_restart(&sse);
	DAL_ASSERT_SLICE(dal_buffer_slice(&sse.id), "5");
	dal_sse_feed(&sse, dal_slice_text("id: 6\ndata: b\n\n"));
	assert_string_equal(dal_buffer_cstr(&out), "[a][b]");
	DAL_ASSERT_SLICE(dal_buffer_slice(&sse.id), "6");
	dal_sse_deinit(&sse);
	dal_buffer_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_whole_however_they_come),
		cmocka_unit_test(a_line_that_ends_it_is_the_last),
		cmocka_unit_test(events_and_their_ids),
		cmocka_unit_test(events_have_names),
		cmocka_unit_test(a_new_connection_goes_on_behind_the_last_event),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
