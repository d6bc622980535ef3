/* clang-format off: cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "engine/base/clock.h"

#include <time.h>

#define SECOND INT64_C(1000000)

static int64_t parse(const char *text)
{
	int64_t time_us = -1;

	if (!dal_clock_parse(dal_slice_text(text), &time_us)) {
		fail_msg("refused: %s", text);
	}
	return time_us;
}

static void refuse(const char *text)
{
	int64_t time_us;

	if (dal_clock_parse(dal_slice_text(text), &time_us)) {
		fail_msg("accepted: %s", text);
	}
}

static void assert_formatted(int64_t time_us, const char *expected)
{
	char text[DAL_CLOCK_TEXT_BYTES];

	dal_clock_format(time_us, text);
	assert_string_equal(text, expected);
}

static void clocks_go_on(void **state)
{
	int64_t before = dal_clock_monotonic_us();
	int64_t cpu_before = dal_clock_thread_cpu_us();

	(void)state;
	while (dal_clock_monotonic_us() < before + 2000) {
	}
	assert_true(dal_clock_thread_cpu_us() > cpu_before);
	assert_true(dal_clock_now_us() / SECOND >= time(NULL) - 1);
	assert_true(dal_clock_now_us() / SECOND <= time(NULL) + 1);
}

static void formats(void **state)
{
	(void)state;
	assert_formatted(0, "1970-01-01T00:00:00Z");
	assert_formatted(1, "1970-01-01T00:00:00.000001Z");
	assert_formatted(-1, "1969-12-31T23:59:59.999999Z");
	assert_formatted(INT64_C(951782400) * SECOND, "2000-02-29T00:00:00Z");
	assert_formatted(INT64_C(4107542400) * SECOND, "2100-03-01T00:00:00Z");
	assert_formatted(INT64_C(253402300799) * SECOND + 999999, "9999-12-31T23:59:59.999999Z");
	assert_formatted(INT64_C(-62167219200) * SECOND, "0000-01-01T00:00:00Z");
	assert_formatted(INT64_MAX, "294247-01-10T04:00:54.775807Z");
	assert_formatted(INT64_MIN, "-290308-12-21T19:59:05.224192Z");
}

static void agrees_with_the_system(void **state)
{
	(void)state;
	for (int64_t seconds = -5000000000; seconds < 5000000000; seconds += 86399 * 7 + 13) {
		time_t time = (time_t)seconds;
		char expected[DAL_CLOCK_TEXT_BYTES];
		struct tm parts;

		gmtime_r(&time, &parts);
		strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%SZ", &parts);
		assert_formatted(seconds * SECOND, expected);
		assert_true(parse(expected) == seconds * SECOND);
	}
}

static void parses_what_rfc_3339_has(void **state)
{
	(void)state;
	assert_true(parse("1985-04-12T23:20:50.52Z") == 482196050 * SECOND + 520000);
	assert_true(parse("1996-12-19T16:39:57-08:00") == 851042397 * SECOND);
	assert_true(parse("1937-01-01T12:00:27.87+00:20") == -1041337173 * SECOND + 870000);
	assert_true(parse("1970-01-01t00:00:00z") == 0);
	assert_true(parse("1970-01-01T00:00:00-00:00") == 0);
	assert_true(parse("1970-01-02T00:00:00+23:59") == 60 * SECOND);
	assert_true(parse("1970-01-01T00:00:00.1234567899Z") == 123456);
	assert_true(parse("1969-12-31T23:59:59.999999Z") == -1);
	assert_true(parse("2000-02-29T00:00:00Z") == 951782400 * SECOND);
}

static void parses_leap_seconds(void **state)
{
	(void)state;
	assert_true(parse("1990-12-31T23:59:60Z") == parse("1991-01-01T00:00:00Z"));
	assert_true(parse("1990-12-31T15:59:60-08:00") == parse("1991-01-01T00:00:00Z"));
	assert_true(parse("1990-12-31T23:59:60.75Z") == parse("1991-01-01T00:00:00Z"));
	refuse("1990-12-31T12:00:60Z");
	refuse("1990-12-31T23:59:61Z");
}

static void refuses_other_text(void **state)
{
	static const char *const wrong[] = {
		"",
		"2026-11-24",
		"2026-11-24T10:13:26",
		"2026-11-24 10:13:26Z",
		"2026-11-24T10:13:26.Z",
		"2026-11-24T10:13:26,5Z",
		"2026-11-24T10:13Z",
		"2026-11-24T10:13:26Z ",
		" 2026-11-24T10:13:26Z",
		"2026-11-24T10:13:26ZZ",
		"2026-1-24T10:13:26Z",
		"26-11-24T10:13:26Z",
		"+026-11-24T10:13:26Z",
		"2026-13-24T10:13:26Z",
		"2026-00-24T10:13:26Z",
		"2026-11-00T10:13:26Z",
		"2026-11-31T10:13:26Z",
		"2026-02-29T10:13:26Z",
		"1900-02-29T10:13:26Z",
		"2026-11-24T24:00:00Z",
		"2026-11-24T10:60:26Z",
		"2026-11-24T10:13:26+24:00",
		"2026-11-24T10:13:26+01:60",
		"2026-11-24T10:13:26+0100",
		"2026-11-24T10:13:26+01",
		"2026-11-24T10:13:26 01:00",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		refuse(wrong[i]);
	}
}

static void parses_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t us;
	} good[] = {
		{"0", 0},
		{"0s", 0},
		{"250ms", 250000},
		{"10s", 10 * SECOND},
		{"5m", 300 * SECOND},
		{"24h", 86400 * SECOND},
		{"7d", 7 * 86400 * SECOND},
		{"36525d", INT64_C(36525) * 86400 * SECOND},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int64_t us = -1;

		assert_true(dal_clock_parse_duration(dal_slice_text(good[i].text), &us));
		assert_true(us == good[i].us);
	}
}

static void refuses_other_durations(void **state)
{
	static const char *const wrong[] = {
		"",
		"10",
		"s",
		"-1s",
		"1.5s",
		"10 s",
		"10S",
		"1w",
		"1y",
		"10us",
		"10ss",
		"36526d",
		"9999999999999999999d",
		"1h30m",
		"+1s",
		"9223372036854775807ms",
	};
	int64_t us;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (dal_clock_parse_duration(dal_slice_text(wrong[i]), &us)) {
			fail_msg("accepted: %s", wrong[i]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_go_on),
		cmocka_unit_test(formats),
		cmocka_unit_test(agrees_with_the_system),
		cmocka_unit_test(parses_what_rfc_3339_has),
		cmocka_unit_test(parses_leap_seconds),
		cmocka_unit_test(refuses_other_text),
		cmocka_unit_test(parses_durations),
		cmocka_unit_test(refuses_other_durations),
	};

	return cmocka_run_group_tests_name("base/clock", tests, NULL, NULL);
}
