/* The reader of dalamb match: files into chunks of whole lines. */
#include <string.h>

#include "engine/base/limits.h"
#include "engine/cli/match.h"
#include "engine/cli/match_input.h"

enum { PIECE_BYTES = 64 * 1024 };

struct reader {
	struct dal_match *match;
	struct dal_match_input input;
	struct dal_buffer rest; /* the beginning of a line that is not read to its end yet */
	size_t line;            /* the number of the next chunk's first line */
	size_t chunks;          /* handed over so far */
	bool ended;             /* the file */
};

static struct dal_match_chunk *chunk_take(struct reader *reader, const char *file)
{
	struct dal_match_chunk *chunk;
	void *item;

	while (dal_queue_pop(reader->match->pool, -1, &item) != 0) {
	}
	chunk = item;
	chunk->file = file;
	chunk->first_line = reader->line;
	chunk->last = false;
	dal_buffer_clear(&chunk->note);
	dal_buffer_clear(&chunk->text);
	return chunk;
}

static void hand_over(struct reader *reader, struct dal_match_chunk *chunk)
{
	struct dal_match *match = reader->match;
	struct dal_match_lane *lane = &match->lanes[reader->chunks++ % match->jobs];

	memset(dal_buffer_reserve(&chunk->text, DAL_JSON_PADDING), 0, DAL_JSON_PADDING);
	DAL_ASSERT(dal_queue_push(lane->work, chunk) == 0);
}

static size_t count_lines(struct dal_slice text)
{
	const char *at = text.data, *end = text.data + text.size;
	size_t count = 0;

	while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		count++;
		at++;
	}
	return count;
}

static void note(struct reader *reader, struct dal_match_chunk *chunk, const char *why)
{
	dal_buffer_text(&chunk->note, reader->input.name);
	if (reader->input.position > 0) {
		dal_buffer_printf(&chunk->note, ":%zu", reader->line);
	}
	dal_buffer_printf(&chunk->note, ": %s\n", why);
	reader->match->unread = true;
}

/* Up to `capacity` bytes more; 0 at the end, and then `ended`. `why` has text if it is a bad one.
 */
static size_t read_more(struct reader *reader, char *to, size_t capacity, struct dal_buffer *why)
{
	uint64_t before = reader->input.position;
	ssize_t got = dal_match_input_read(&reader->input, to, capacity, why);

	reader->match->bytes_read += reader->input.position - before;
	reader->ended = got <= 0;
	return got > 0 ? (size_t)got : 0;
}

/* Passes over the rest of a line that is too long, in no more memory; the chunk is nothing but the
 * message. */
static void pass_over(struct reader *reader, struct dal_match_chunk *chunk, struct dal_buffer *why)
{
	struct dal_buffer *text = &chunk->text;
	const char *newline = NULL;

	while (!newline && !reader->ended) {
		text->size = read_more(reader, text->data, PIECE_BYTES, why);
		newline = text->size > 0 ? memchr(text->data, '\n', text->size) : NULL;
	}
	if (newline) {
		size_t start = (size_t)(newline + 1 - text->data);
		dal_buffer_append(&reader->rest, newline + 1, text->size - start);
	}
	dal_buffer_clear(text);
	dal_buffer_printf(&chunk->note, "%s:%zu: longer than %llu MiB: passed over\n",
			  reader->input.name, reader->line,
			  (unsigned long long)(DAL_LIMIT_MATCH_LINE_BYTES / DAL_MIB));
	reader->match->too_long++;
	reader->line++;
}

/* Where the last whole line of the text ends. */
static size_t whole_lines(const struct dal_buffer *text, size_t from)
{
	const char *newline = text->size > from
				      ? memrchr(text->data + from, '\n', text->size - from)
				      : NULL;

	return newline ? (size_t)(newline + 1 - text->data) : 0;
}

/* Reads until there are whole lines enough, or none come at once. How many bytes they are; 0: the
 * first one is too long, or there is no more. */
static size_t read_lines(struct reader *reader, struct dal_buffer *text, struct dal_buffer *why)
{
	size_t whole = whole_lines(text, 0);

	while (!reader->ended && (whole > 0 || text->size <= DAL_LIMIT_MATCH_LINE_BYTES) &&
	       (whole == 0 ||
		(text->size < DAL_MATCH_CHUNK_BYTES && dal_match_input_ready(&reader->input)))) {
		size_t size = text->size;
		size_t room = size < DAL_MATCH_CHUNK_BYTES ? DAL_MATCH_CHUNK_BYTES - size
							   : PIECE_BYTES;
		char *to = dal_buffer_reserve(text, room + DAL_JSON_PADDING);
		text->size += read_more(reader, to, room, why);
		size = whole_lines(text, size);
		whole = size > 0 ? size : whole;
	}
	/* The last line may have no end; one that is cut off is none. */
	return reader->ended && why->size == 0 ? text->size : whole;
}

static void fill(struct reader *reader, struct dal_match_chunk *chunk)
{
	struct dal_buffer *text = &chunk->text, why = {0};
	size_t whole;

	dal_buffer_slice_append(text, dal_buffer_slice(&reader->rest));
	dal_buffer_clear(&reader->rest);
	whole = read_lines(reader, text, &why);
	if (whole == 0 && text->size > DAL_LIMIT_MATCH_LINE_BYTES) {
		pass_over(reader, chunk, &why);
	} else {
		if (!reader->ended) {
			dal_buffer_append(&reader->rest, text->data + whole, text->size - whole);
		}
		text->size = whole;
		reader->line += count_lines(dal_buffer_slice(text));
	}
	if (why.size > 0) {
		note(reader, chunk, dal_buffer_cstr(&why));
	}
	dal_buffer_deinit(&why);
}

static void unopened(struct reader *reader, const char *path, int error)
{
	struct dal_match_chunk *chunk = chunk_take(reader, path);

	dal_buffer_printf(&chunk->note, "%s: %s\n", path, strerror(error));
	reader->match->unread = true;
	hand_over(reader, chunk);
}

static void read_file(struct reader *reader, const char *path)
{
	int r = dal_match_input_open(&reader->input, path);

	if (r < 0) {
		unopened(reader, path, -r);
		return;
	}
	reader->line = 1;
	reader->ended = false;
	while (!reader->ended || reader->rest.size > 0) {
		struct dal_match_chunk *chunk = chunk_take(reader, reader->input.name);
		fill(reader, chunk);
		hand_over(reader, chunk);
	}
	dal_match_input_close(&reader->input);
}

void *dal_match_read(void *data)
{
	struct reader reader = {.match = data};
	struct dal_match_chunk *chunk;

	for (const char *const *file = reader.match->files; *file; file++) {
		read_file(&reader, *file);
	}
	chunk = chunk_take(&reader, NULL);
	chunk->last = true;
	hand_over(&reader, chunk);
	dal_buffer_deinit(&reader.rest);
	return NULL;
}
