#include "engine/base/clock.h"

#include <stdio.h>
#include <time.h>

#define SECOND_US INT64_C(1000000)
#define DAY_SECONDS INT64_C(86400)
#define CENTURY_US (INT64_C(36525) * DAY_SECONDS * SECOND_US)

static int64_t clock_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * SECOND_US + now.tv_nsec / 1000;
}

int64_t dal_clock_now_us(void)
{
	return clock_us(CLOCK_REALTIME);
}

int64_t dal_clock_monotonic_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

int64_t dal_clock_thread_cpu_us(void)
{
	return clock_us(CLOCK_THREAD_CPUTIME_ID);
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/*
 * The proleptic Gregorian calendar in years that begin on 1 March, so that the leap day is the last
 * day of its year and month lengths follow one formula; 400 years have 146097 days.
 */
static int64_t days_from_date(int64_t year, int month, int day)
{
	int64_t from_march = month > 2 ? month - 3 : month + 9;
	int64_t march_year = month > 2 ? year : year - 1;
	int64_t era = floor_div(march_year, 400);
	int64_t year_of_era = march_year - era * 400;
	int64_t day_of_year = (153 * from_march + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468; /* days from 0000-03-01 to 1970-01-01 */
}

static void date_from_days(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t shifted = days + 719468;
	int64_t era = floor_div(shifted, 146097);
	int64_t day_of_era = shifted - era * 146097;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era -
			      (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t from_march = (5 * day_of_year + 2) / 153;

	*day = (int)(day_of_year - (153 * from_march + 2) / 5 + 1);
	*month = (int)(from_march < 10 ? from_march + 3 : from_march - 9);
	*year = era * 400 + year_of_era + (*month <= 2);
}

void dal_clock_format(int64_t time_us, char out[DAL_CLOCK_TEXT_BYTES])
{
	int64_t seconds = floor_div(time_us, SECOND_US);
	int fraction = (int)((time_us % SECOND_US + SECOND_US) % SECOND_US);
	int64_t days = floor_div(seconds, DAY_SECONDS);
	int second = (int)(seconds - days * DAY_SECONDS);
	int64_t year;
	int month, day, length;

	date_from_days(days, &year, &month, &day);
	length = snprintf(out, DAL_CLOCK_TEXT_BYTES, "%04lld-%02d-%02dT%02d:%02d:%02d",
			  (long long)year, month, day, second / 3600, second / 60 % 60,
			  second % 60);
	snprintf(out + length, (size_t)(DAL_CLOCK_TEXT_BYTES - length), fraction ? ".%06dZ" : "Z",
		 fraction);
}

/* Takes `count` digits and, if `then` is not NUL, that character. */
static bool take_digits(struct dal_slice *from, size_t count, char then, int *out)
{
	size_t size = count + (then != '\0');

	if (from->size < size || (then && from->data[count] != then)) {
		return false;
	}
	*out = 0;
	for (size_t i = 0; i < count; i++) {
		char digit = from->data[i];
		if (digit < '0' || digit > '9') {
			return false;
		}
		*out = *out * 10 + (digit - '0');
	}
	*from = dal_slice(from->data + size, from->size - size);
	return true;
}

static int month_days(int year, int month)
{
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	bool is_short = month == 4 || month == 6 || month == 9 || month == 11;

	return month == 2 ? 28 + leap : 31 - is_short;
}

static bool take_date(struct dal_slice *from, int64_t *days)
{
	struct dal_slice mark;
	int year, month, day;

	if (!take_digits(from, 4, '-', &year) || !take_digits(from, 2, '-', &month) ||
	    !take_digits(from, 2, '\0', &day) || month < 1 || month > 12 || day < 1 ||
	    day > month_days(year, month)) {
		return false;
	}
	*days = days_from_date(year, month, day);
	return dal_slice_take(from, 1, &mark) && (mark.data[0] == 'T' || mark.data[0] == 't');
}

/* An optional "." and digits, of which the first six count. */
static bool take_fraction(struct dal_slice *from, int64_t *fraction_us)
{
	int64_t unit = SECOND_US / 10;
	size_t count = 0;

	*fraction_us = 0;
	if (from->size == 0 || from->data[0] != '.') {
		return true;
	}
	*from = dal_slice(from->data + 1, from->size - 1);
	while (count < from->size && from->data[count] >= '0' && from->data[count] <= '9') {
		*fraction_us += unit * (from->data[count++] - '0');
		unit /= 10;
	}
	*from = dal_slice(from->data + count, from->size - count);
	return count > 0;
}

/* "Z" or "+hh:mm", and nothing behind it. */
static bool take_offset(struct dal_slice *from, int64_t *offset_seconds)
{
	struct dal_slice sign;
	int hours, minutes;

	if (!dal_slice_take(from, 1, &sign)) {
		return false;
	}
	*offset_seconds = 0;
	if (sign.data[0] == 'Z' || sign.data[0] == 'z') {
		return from->size == 0;
	}
	if ((sign.data[0] != '+' && sign.data[0] != '-') || !take_digits(from, 2, ':', &hours) ||
	    !take_digits(from, 2, '\0', &minutes) || hours > 23 || minutes > 59) {
		return false;
	}
	*offset_seconds = (sign.data[0] == '+' ? 60 : -60) * (hours * 60 + minutes);
	return from->size == 0;
}

bool dal_clock_parse(struct dal_slice text, int64_t *time_us)
{
	int64_t days, fraction_us, offset, seconds;
	int hour, minute, second;

	if (!take_date(&text, &days) || !take_digits(&text, 2, ':', &hour) ||
	    !take_digits(&text, 2, ':', &minute) || !take_digits(&text, 2, '\0', &second) ||
	    hour > 23 || minute > 59 || second > 60 || !take_fraction(&text, &fraction_us) ||
	    !take_offset(&text, &offset)) {
		return false;
	}
	seconds = days * DAY_SECONDS + hour * 3600 + minute * 60 + second - offset;
	if (second == 60) {
		if (seconds % DAY_SECONDS != 0) { /* leap seconds end a day of UTC */
			return false;
		}
		fraction_us = 0;
	}
	*time_us = seconds * SECOND_US + fraction_us;
	return true;
}

bool dal_clock_parse_duration(struct dal_slice text, int64_t *duration_us)
{
	static const struct {
		const char *name;
		int64_t us;
	} units[] = {
		{"ms", 1000},
		{"s", SECOND_US},
		{"m", 60 * SECOND_US},
		{"h", 3600 * SECOND_US},
		{"d", DAY_SECONDS * SECOND_US},
	};
	size_t digits = 0;
	struct dal_slice unit;
	int64_t number;

	while (digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9') {
		digits++;
	}
	if (!dal_slice_to_i64(dal_slice(text.data, digits), &number)) {
		return false;
	}
	if (dal_slice_is(text, "0")) {
		*duration_us = 0;
		return true;
	}
	unit = dal_slice(text.data + digits, text.size - digits);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (dal_slice_is(unit, units[i].name)) {
			*duration_us = number;
			return number <= CENTURY_US / units[i].us &&
			       !__builtin_mul_overflow(number, units[i].us, duration_us);
		}
	}
	return false;
}
