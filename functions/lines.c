#include "functions/lines.h"

#include <stdio.h>
#include <unistd.h>

#include "engine/base/limits.h"
#include "engine/base/memory.h"

#define LAST_READS 256
#define READ_BYTES (64 * 1024) /* what a pipe holds */

struct place {
	const char *function, *request;
	struct dal_line ***end;
};

static struct dal_line *append(struct dal_slice text, const struct place *place)
{
	struct dal_line *line = dal_malloc(sizeof(*line) + text.size + 1);
	line->next = NULL;
	line->function = place->function;
	(void)snprintf(line->request, sizeof(line->request), "%s", place->request);
	line->size = text.size;
	memcpy(line->text, text.data, text.size);
	line->text[text.size] = '\0';
	**place->end = line;
	*place->end = &line->next;
	return line;
}

static void add(struct dal_lines *lines, struct dal_slice text, const struct place *place)
{
	const struct dal_line *line = append(text, place);
	if (text.size != 0) {
		(void)snprintf(lines->last, sizeof(lines->last), "%s", line->text);
	}
}

/* The size of the first line with its newline, or of a piece of an overlong one; 0: not there yet.
 */
static size_t first_line(struct dal_slice text)
{
	size_t most = text.size < DAL_LIMIT_LOG_LINE_BYTES ? text.size : DAL_LIMIT_LOG_LINE_BYTES;
	const char *newline = most == 0 ? NULL : memchr(text.data, '\n', most);
	if (newline) {
		return (size_t)(newline - text.data) + 1;
	}
	return most == DAL_LIMIT_LOG_LINE_BYTES ? most : 0;
}

static void split(struct dal_lines *lines, const struct place *place)
{
	struct dal_slice rest = dal_buffer_slice(&lines->partial), line;
	size_t size;
	while ((size = first_line(rest)) != 0 && dal_slice_take(&rest, size, &line)) {
		line.size -= line.data[line.size - 1] == '\n';
		add(lines, line, place);
	}
	if (rest.size != 0) {
		memmove(lines->partial.data, rest.data, rest.size);
	}
	lines->partial.size = rest.size;
}

bool dal_lines_read(struct dal_lines *lines, const char *function, const char *request,
		    struct dal_line ***end)
{
	struct place place = {function, request, end};
	if (lines->output < 0) {
		return false;
	}
	ssize_t size = read(lines->output, dal_buffer_reserve(&lines->partial, READ_BYTES),
			    READ_BYTES);
	if (size > 0) {
		lines->partial.size += (size_t)size;
		split(lines, &place);
	} else if (size == 0) {
		(void)close(
			lines->output); /* all writers are gone, it would be readable for ever */
		lines->output = -1;
	}
	return size > 0;
}

void dal_lines_finish(struct dal_lines *lines, const char *function, const char *request,
		      struct dal_line ***end)
{
	struct place place = {function, request, end};
	/* Bounded: what it left running may go on writing. */
	for (int i = 0; i < LAST_READS && dal_lines_read(lines, function, request, end); i++) {
	}
	if (lines->partial.size != 0) {
		add(lines, dal_buffer_slice(&lines->partial), &place);
	}
	dal_buffer_clear(&lines->partial);
}

void dal_lines_say(struct dal_slice text, const char *function, struct dal_line ***end)
{
	(void)append(text, &(struct place){function, "", end});
}

void dal_lines_deinit(struct dal_lines *lines)
{
	if (lines->output >= 0) {
		(void)close(lines->output);
	}
	lines->output = -1;
	dal_buffer_deinit(&lines->partial);
}
