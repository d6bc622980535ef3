/*
 * What commands read: a whole file or stdin ("-"), and NDJSON line by line, of any length.
 */
#ifndef DAL_CLI_INPUT_H
#define DAL_CLI_INPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "engine/base/slice.h"

/* Appends the bytes of a file, or of stdin for "-". A negated errno. */
int dal_input_read(const char *path, struct dal_buffer *out);

struct dal_input {
	const char *name; /* as shown to people */
	FILE *file;
	size_t number; /* of the line just given, from 1 */
	char *line;
	size_t capacity;
};

/* 0, or a negated errno. "-" is stdin. */
int dal_input_open(struct dal_input *lines, const char *path);
/* The next line that is not empty, without its end; valid until the next. False at the end, or
 * after a read error (ferror tells). */
bool dal_input_next(struct dal_input *lines, struct dal_slice *line);
void dal_input_close(struct dal_input *lines);

#endif
