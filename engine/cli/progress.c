#include "engine/cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "engine/base/clock.h"

#define EVERY_US 250000

/* 1234567 is 1.2 MB. */
static void print_bytes(double bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
	size_t unit = 0;

	for (; bytes >= 1000 && unit < 4; unit++) {
		bytes /= 1000;
	}
	fprintf(stderr, "%.*f %s", unit > 0 && bytes < 100, bytes, units[unit]);
}

void dal_progress_begin(struct dal_progress *progress, const char *unit, uint64_t end, bool crowded)
{
	int64_t now = dal_clock_monotonic_us();

	*progress = (struct dal_progress){
		.shown = isatty(STDERR_FILENO) && !(crowded && isatty(STDOUT_FILENO)),
		.unit = unit,
		.end = end,
		.since_us = now,
		.last_us = now,
	};
}

static void print_rate(const struct dal_progress *progress, uint64_t done, double rate)
{
	if (progress->unit) {
		fprintf(stderr, "%.0f %s/s", rate, progress->unit);
		return;
	}
	print_bytes((double)done);
	fprintf(stderr, "  ");
	print_bytes(rate);
	fprintf(stderr, "/s");
}

void dal_progress_show(struct dal_progress *progress, uint64_t done)
{
	int64_t now = dal_clock_monotonic_us();
	double seconds = (double)(now - progress->since_us) / 1e6, rate;
	uint64_t left = done < progress->end ? progress->end - done : 0;

	if (!progress->shown || now - progress->last_us < EVERY_US || seconds <= 0) {
		return;
	}
	progress->last_us = now;
	rate = (double)done / seconds;
	fprintf(stderr, "\r\033[K");
	if (progress->end > 0) {
		fprintf(stderr, "%3.0f %%  ",
			100.0 * (double)(progress->end - left) / (double)progress->end);
	}
	print_rate(progress, done, rate);
	if (progress->end > 0) {
		fprintf(stderr, "  %.0f s left", rate > 0 ? (double)left / rate : 0);
	}
	fflush(stderr);
}

void dal_progress_end(struct dal_progress *progress)
{
	if (progress->shown) {
		fprintf(stderr, "\r\033[K");
		fflush(stderr);
	}
}
