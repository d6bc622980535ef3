#include "engine/cli/match_input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/memory.h"

enum { RAW_BYTES = 256 * 1024 };

static bool ends_with(const char *path, const char *end)
{
	size_t size = strlen(path), more = strlen(end);

	return size > more && strcmp(path + size - more, end) == 0;
}

static void expand_by_name(struct dal_match_input *input, const char *path)
{
	bool gzip = ends_with(path, ".gz");

	if (gzip || ends_with(path, ".zst")) {
		input->format = gzip ? "gzip" : "zstd";
		input->expander = dal_expander_new(gzip ? DAL_EXPAND_GZIP : DAL_EXPAND_ZSTD);
		input->raw = dal_malloc(RAW_BYTES);
	}
}

int dal_match_input_open(struct dal_match_input *input, const char *path)
{
	*input = (struct dal_match_input){.name = path, .fd = STDIN_FILENO};
	if (strcmp(path, "-") == 0) {
		input->name = "stdin";
		return 0;
	}
	input->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (input->fd < 0) {
		return -errno;
	}
	posix_fadvise(input->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	expand_by_name(input, path);
	return 0;
}

void dal_match_input_close(struct dal_match_input *input)
{
	if (input->fd > STDIN_FILENO) {
		close(input->fd);
	}
	dal_expander_free(input->expander);
	free(input->raw);
	*input = (struct dal_match_input){.fd = -1};
}

static ssize_t read_some(struct dal_match_input *input, char *to, size_t capacity,
			 struct dal_buffer *why)
{
	ssize_t got;

	do {
		got = read(input->fd, to, capacity);
	} while (got < 0 && errno == EINTR);
	if (got < 0) {
		dal_buffer_printf(why, "%s", strerror(errno));
		return -1;
	}
	input->ended = got == 0;
	input->position += (uint64_t)got;
	return got;
}

/* Each line of it would be a broken one, and no message would say why. */
static bool is_compressed(const char *data, size_t size, struct dal_buffer *why)
{
	bool gzip = size >= 2 && memcmp(data, "\x1f\x8b", 2) == 0;
	bool zstd = size >= 4 && memcmp(data, "\x28\xb5\x2f\xfd", 4) == 0;

	if (gzip || zstd) {
		dal_buffer_printf(why,
				  "this is %s data: give a file whose name ends with %s, or "
				  "pipe it through %s",
				  gzip ? "gzip" : "zstd", gzip ? ".gz" : ".zst",
				  gzip ? "zcat" : "zstdcat");
	}
	return gzip || zstd;
}

static ssize_t read_plain(struct dal_match_input *input, char *to, size_t capacity,
			  struct dal_buffer *why)
{
	bool first = input->position == 0;
	ssize_t got = read_some(input, to, capacity, why);

	return got > 0 && first && is_compressed(to, (size_t)got, why) ? -1 : got;
}

static ssize_t read_expanded(struct dal_match_input *input, char *to, size_t capacity,
			     struct dal_buffer *why)
{
	size_t size;

	for (;;) {
		if (input->left.size == 0 && !input->ended) {
			ssize_t got = read_some(input, input->raw, RAW_BYTES, why);
			if (got < 0) {
				return -1;
			}
			input->left = dal_slice(input->raw, (size_t)got);
		}
		if (dal_expander_run(input->expander, &input->left, to, capacity, &size) != 0) {
			dal_buffer_printf(why, "broken %s near byte %llu of the file: %s",
					  input->format,
					  (unsigned long long)(input->position - input->left.size),
					  dal_expander_reason(input->expander));
			return -1;
		}
		if (size > 0) {
			return (ssize_t)size;
		}
		if (input->ended && input->left.size == 0) {
			break;
		}
	}
	if (!dal_expander_whole(input->expander)) {
		dal_buffer_printf(why, "truncated %s: the file ends at byte %llu, too early",
				  input->format, (unsigned long long)input->position);
		return -1;
	}
	return 0;
}

ssize_t dal_match_input_read(struct dal_match_input *input, char *to, size_t capacity,
			     struct dal_buffer *why)
{
	return input->expander ? read_expanded(input, to, capacity, why)
			       : read_plain(input, to, capacity, why);
}

bool dal_match_input_ready(const struct dal_match_input *input)
{
	struct pollfd poll_in = {.fd = input->fd, .events = POLLIN};

	return input->ended || input->left.size > 0 || poll(&poll_in, 1, 0) > 0;
}
