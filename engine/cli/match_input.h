/*
 * The bytes of a file or of stdin ("-"), expanded if its name ends with .gz or .zst, piece by
 * piece. One thread at a time.
 */
#ifndef DAL_CLI_MATCH_INPUT_H
#define DAL_CLI_MATCH_INPUT_H

#include <sys/types.h>

#include "engine/base/expand.h"
#include "engine/base/slice.h"

struct dal_match_input {
	const char *name; /* as shown to people */
	int fd;
	const char *format;            /* "gzip", "zstd", or NULL: as it is */
	struct dal_expander *expander; /* or NULL */
	char *raw;                     /* read and not expanded yet: `left` is in it */
	struct dal_slice left;
	uint64_t position; /* bytes read from the file */
	bool ended;
};

/* 0, or a negated errno. */
int dal_match_input_open(struct dal_match_input *input, const char *path);
void dal_match_input_close(struct dal_match_input *input);
/* How many bytes, up to `capacity`; 0 at the end; -1: `why` has the reason appended. */
ssize_t dal_match_input_read(struct dal_match_input *input, char *to, size_t capacity,
			     struct dal_buffer *why);
/* Is there something to read at once? (Of a pipe that is empty there isn't.) */
bool dal_match_input_ready(const struct dal_match_input *input);

#endif
