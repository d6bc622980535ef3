#include "engine/cli/input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/file.h"
#include "engine/base/limits.h"

enum { PIECE = 65536 };

static int stdin_read(struct dal_buffer *out)
{
	size_t got;

	do {
		got = fread(dal_buffer_reserve(out, PIECE), 1, PIECE, stdin);
		out->size += got;
		if (out->size > DAL_LIMIT_JSON_BYTES) {
			return -EFBIG;
		}
	} while (got > 0);
	return ferror(stdin) ? -EIO : 0;
}

int dal_input_read(const char *path, struct dal_buffer *out)
{
	return strcmp(path, "-") == 0 ? stdin_read(out)
				      : dal_file_read(path, DAL_LIMIT_JSON_BYTES, out);
}

int dal_input_open(struct dal_input *lines, const char *path)
{
	*lines = (struct dal_input){.name = path};
	if (strcmp(path, "-") == 0) {
		lines->name = "stdin";
		lines->file = stdin;
		return 0;
	}
	lines->file = fopen(path, "re");
	return lines->file ? 0 : -errno;
}

bool dal_input_next(struct dal_input *lines, struct dal_slice *line)
{
	ssize_t size;

	while ((size = getline(&lines->line, &lines->capacity, lines->file)) > 0) {
		lines->number++;
		while (size > 0 && strchr("\r\n \t", lines->line[size - 1])) {
			size--;
		}
		if (size > 0) {
			*line = dal_slice(lines->line, (size_t)size);
			return true;
		}
	}
	return false;
}

void dal_input_close(struct dal_input *lines)
{
	if (lines->file && lines->file != stdin) {
		fclose(lines->file);
	}
	free(lines->line);
	*lines = (struct dal_input){0};
}
