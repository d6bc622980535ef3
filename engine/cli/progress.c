#include "engine/cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "engine/base/clock.h"

#define EVERY_US 250000

void dal_progress_begin(struct dal_progress *progress, const char *unit, uint64_t end, bool crowded)
{
	int64_t now = dal_clock_monotonic_us();

	*progress = (struct dal_progress){
		.shown = isatty(STDERR_FILENO) && !(crowded && isatty(STDOUT_FILENO)),
		.unit = unit,
		.end = end > 0 ? end : 1,
		.since_us = now,
		.last_us = now,
	};
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
	fprintf(stderr, "\r\033[K%3.0f %%  %.0f %s/s  %.0f s left",
		100.0 * (double)(progress->end - left) / (double)progress->end, rate,
		progress->unit, rate > 0 ? (double)left / rate : 0);
	fflush(stderr);
}

void dal_progress_end(struct dal_progress *progress)
{
	if (progress->shown) {
		fprintf(stderr, "\r\033[K");
		fflush(stderr);
	}
}
