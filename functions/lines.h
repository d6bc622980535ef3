/*
 * Lines that a program writes, cut out of its output and marked with the request that ran. A line
 * is at most DAL_LIMIT_LOG_LINE_BYTES long; a longer one goes on as the next. NUL and other control
 * bytes stay: whoever shows a line escapes it.
 */
#ifndef DAL_FUNCTIONS_LINES_H
#define DAL_FUNCTIONS_LINES_H

#include "engine/base/digest.h"
#include "engine/base/slice.h"

struct dal_line {
	struct dal_line *next;
	const char *function;              /* the pool's */
	char request[DAL_UUID_TEXT_BYTES]; /* "" if none ran */
	size_t size;
	char text[];
};

struct dal_lines {
	int output; /* non-blocking; -1: none */
	struct dal_buffer partial;
	char last[256]; /* of the last line that was not empty: what a crash says */
};

/* Appends whole lines to the list whose end is `**end`. Reads what is there, up to a bound: false
 * when nothing was. */
bool dal_lines_read(struct dal_lines *lines, const char *function, const char *request,
		    struct dal_line ***end);
/* All that is there, and what is left without a newline. */
void dal_lines_finish(struct dal_lines *lines, const char *function, const char *request,
		      struct dal_line ***end);
/* A line of the pool's own. */
void dal_lines_say(struct dal_slice text, const char *function, struct dal_line ***end);
void dal_lines_deinit(struct dal_lines *lines);

#endif
