#include "engine/cli/edits.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "engine/base/memory.h"

enum { CALM_MS = 50, EVENT_BYTES = 16384 };

#define CHANGES (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ONLYDIR)

static const char *const names[] = {"", "rules", "lib", "tests", "functions"};

enum { NAMES = sizeof(names) / sizeof(names[0]), APP = 0, TESTS = 3 };

/* Those that are there; asked again, it adds what was made since. */
static void watch_all(struct dal_edits *edits)
{
	for (size_t i = 0; i < NAMES; i++) {
		char *path = dal_asprintf("%s/%s", edits->app, names[i]);

		edits->folders[i] = inotify_add_watch(edits->fd, path, CHANGES);
		free(path);
	}
}

int dal_edits_open(struct dal_edits *edits, const char *app)
{
	*edits = (struct dal_edits){.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK),
				    .app = dal_strdup(app)};
	if (edits->fd < 0) {
		return -errno;
	}
	watch_all(edits);
	return edits->folders[APP] < 0 ? -errno : 0;
}

void dal_edits_close(struct dal_edits *edits)
{
	if (edits->fd >= 0) {
		close(edits->fd);
	}
	free(edits->app);
}

static bool ends(const char *text, const char *with)
{
	size_t size = strlen(text), tail = strlen(with);

	return size >= tail && strcmp(text + size - tail, with) == 0;
}

/* Does it change what the tests say? In tests, files of events do; elsewhere Lua only. */
static bool is_ours(size_t folder, const struct inotify_event *event)
{
	const char *name = event->len > 0 ? event->name : "";

	if (folder == APP && (event->mask & IN_ISDIR)) {
		for (size_t i = 1; i < NAMES; i++) {
			if (strcmp(names[i], name) == 0) {
				return true;
			}
		}
		return false;
	}
	if (event->mask & (IN_CREATE | IN_ISDIR)) {
		return false; /* it is written next */
	}
	if (folder == TESTS) {
		return name[0] != '.' && name[0] != '\0' && !ends(name, "~");
	}
	return name[0] != '.' && ends(name, ".lua");
}

/* Takes what has come; names the first that matters. */
static void take(struct dal_edits *edits, struct dal_buffer *name)
{
	_Alignas(struct inotify_event) char events[EVENT_BYTES];
	ssize_t size = read(edits->fd, events, sizeof(events));

	for (ssize_t at = 0; at < size;) {
		const struct inotify_event *event = (const void *)(events + at);

		for (size_t i = 0; i < NAMES; i++) {
			if (event->wd == edits->folders[i] && name->size == 0 &&
			    is_ours(i, event)) {
				dal_buffer_printf(name, "%s%s%s", names[i], names[i][0] ? "/" : "",
						  event->name);
			}
		}
		at += (ssize_t)(sizeof(*event) + event->len);
	}
}

int dal_edits_wait(struct dal_edits *edits, struct dal_buffer *name)
{
	struct pollfd poller = {.fd = edits->fd, .events = POLLIN};

	dal_buffer_clear(name);
	for (;;) {
		int ready = poll(&poller, 1, name->size > 0 ? CALM_MS : -1);

		if (ready < 0 && errno != EINTR) {
			return -errno;
		}
		if (ready == 0) {
			watch_all(edits);
			return 0;
		}
		if (ready > 0) {
			take(edits, name);
		}
	}
}
