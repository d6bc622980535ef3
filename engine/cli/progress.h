/*
 * The progress of long work, on a terminal only: share done, rate, time left, in one line of
 * stderr.
 */
#ifndef DAL_CLI_PROGRESS_H
#define DAL_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct dal_progress {
	bool shown;
	const char *unit; /* NULL: bytes */
	uint64_t end;
	int64_t since_us, last_us;
};

/* `unit`: of what is done ("events"); NULL: bytes, which are shown too. `end` 0: not known.
 * `crowded`: the work's own output goes to stdout, so there must be no terminal either. */
void dal_progress_begin(struct dal_progress *progress, const char *unit, uint64_t end,
			bool crowded);
void dal_progress_show(struct dal_progress *progress, uint64_t done);
/* Clears the line, at the end or before something else is printed. */
void dal_progress_end(struct dal_progress *progress);

#endif
