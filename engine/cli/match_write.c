/* The end of dalamb match: what workers made, printed in the input's order. Main thread. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/limits.h"
#include "engine/cli/match.h"
#include "engine/cli/progress.h"

enum { LOOK_US = 250000 };

/* All bytes of all files; 0 if one of them doesn't tell. */
static uint64_t total_bytes(const char *const *files)
{
	uint64_t total = 0;
	struct stat status;

	for (; *files; files++) {
		int r = strcmp(*files, "-") == 0 ? fstat(STDIN_FILENO, &status)
						 : stat(*files, &status);
		if (r == 0 && !S_ISREG(status.st_mode)) {
			return 0;
		}
		total += r == 0 ? (uint64_t)status.st_size : 0;
	}
	return total;
}

static void print_out(const struct dal_match *match, struct dal_slice out)
{
	while (out.size > 0) {
		ssize_t wrote = write(STDOUT_FILENO, out.data, out.size);
		if (wrote < 0 && errno == EINTR) {
			continue;
		}
		/* Whoever reads has seen enough: where SIGPIPE doesn't end us, this does. */
		if (wrote < 0 && errno == EPIPE) {
			_exit(DAL_EXIT_DONE);
		}
		if (wrote < 0) {
			_exit(dal_fail(match->command, DAL_EXIT_USAGE,
				       "the output can't be written: %s", strerror(errno)));
		}
		out = dal_slice(out.data + wrote, out.size - (size_t)wrote);
	}
}

static void print_messages(struct dal_progress *progress, struct dal_slice messages)
{
	if (messages.size > 0) {
		dal_progress_end(progress);
		fwrite(messages.data, 1, messages.size, stderr);
	}
}

static void give_back(struct dal_buffer *buffer)
{
	if (buffer->capacity > 2 * DAL_MIB) {
		dal_buffer_deinit(buffer);
	}
	dal_buffer_clear(buffer);
}

static void print(const struct dal_match *match, struct dal_match_chunk *chunk,
		  struct dal_progress *progress)
{
	print_out(match, dal_buffer_slice(&chunk->out));
	print_messages(progress, dal_buffer_slice(&chunk->messages));
	give_back(&chunk->out);
	give_back(&chunk->messages);
}

/* The next thing that a worker made. */
static struct dal_match_chunk *await(struct dal_match *match, struct dal_match_lane *lane,
				     struct dal_progress *progress)
{
	void *item;

	while (dal_queue_pop(lane->done, progress->shown ? LOOK_US : -1, &item) != 0) {
		dal_progress_show(progress, match->bytes_read);
	}
	dal_progress_show(progress, match->bytes_read);
	return item;
}

void dal_match_write(struct dal_match *match)
{
	struct dal_progress progress;
	bool last = false;

	dal_progress_begin(&progress, NULL, total_bytes(match->files),
			   match->print != DAL_MATCH_COUNTS);
	for (size_t number = 0; !last; number++) {
		struct dal_match_lane *lane = &match->lanes[number % match->jobs];
		struct dal_match_chunk *chunk;
		while (!(chunk = await(match, lane, &progress))->done) {
			print(match, chunk, &progress);
			DAL_ASSERT(dal_queue_push(lane->back, chunk) == 0);
		}
		print(match, chunk, &progress);
		print_messages(&progress, dal_buffer_slice(&chunk->note));
		give_back(&chunk->text);
		last = chunk->last;
		DAL_ASSERT(dal_queue_push(match->pool, chunk) == 0);
	}
	dal_progress_end(&progress);
}
