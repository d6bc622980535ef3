/* Places in history: what people write, and which records come before. */
#include "engine/base/clock.h"
#include "engine/cli/moment.h"
#include "tests/unit/cli/check.h"

static struct dal_moment taken(const char *text)
{
	struct dal_moment moment;

	if (!dal_moment_parse(text, &moment)) {
		fail_msg("%s is refused", text);
	}
	return moment;
}

static void what_is_taken(void **state)
{
	struct dal_buffer text = {0};
	struct dal_moment moment = taken("events/0/17");
	int64_t now = dal_clock_now_us();

	(void)state;
	assert_false(moment.is_time);
	assert_int_equal(moment.offset, 17);
	assert_int_equal(taken("17").offset, 17);
	moment = taken("2026-11-24T10:00:00+01:00");
	assert_true(moment.is_time);
	dal_moment_print(&moment, &text);
	assert_string_equal(dal_buffer_cstr(&text), "2026-11-24T09:00:00Z");
	moment = taken("-1h");
	assert_true(moment.is_time);
	assert_true(moment.time_us >= now - 3600000000);
	assert_true(moment.time_us < now - 3600000000 + 60000000);
	dal_buffer_deinit(&text);
}

static void what_is_refused(void **state)
{
	static const char *const texts[] = {"", "yesterday", "1h", "-", "-1", "2026-11-24", "-1y"};
	struct dal_moment moment;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		if (dal_moment_parse(texts[i], &moment)) {
			fail_msg("\"%s\" is taken", texts[i]);
		}
	}
}

/* On a log whose offsets begin at 0, too. */
static void the_start_is_before_everything(void **state)
{
	struct dal_log_record record = {.place = {.offset = 0}};
	struct dal_moment one = taken("1"), zero = taken("0"), first = taken("events/2/1");

	(void)state;
	assert_true(one.is_start && zero.is_start && !first.is_start);
	assert_false(taken("2").is_start || taken("-1h").is_start);
	assert_false(dal_moment_after(&one, &record));
	assert_false(dal_moment_after(&zero, &record));
	assert_true(dal_moment_after(&first, &record));
}

static void before_and_behind(void **state)
{
	struct dal_moment offset = taken("17"), time = taken("2026-11-24T10:00:00Z");
	struct dal_log_record record = {.place = {.offset = 16}, .appended_us = time.time_us - 1};

	(void)state;
	assert_true(dal_moment_after(&offset, &record));
	assert_true(dal_moment_after(&time, &record));
	record.place.offset++;
	record.appended_us++;
	assert_false(dal_moment_after(&offset, &record));
	assert_false(dal_moment_after(&time, &record));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_taken),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(the_start_is_before_everything),
		cmocka_unit_test(before_and_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
