/*
 * What a stopped engine's folder says, without an engine:
 *
 *	inspect position DATA	the log's end, the next offset to fold, the next row's sequence
 *	inspect digest DATA	the digest of the state
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"
#include "engine/log/log.h"
#include "state/state.h"

struct folder {
	struct dal_log *log;
	struct dal_state *state;
};

static int folder_open(const char *data, struct folder *folder, struct dal_error *error)
{
	char *path = dal_asprintf("%s/log", data);
	int r = dal_log_open(&(struct dal_log_options){.path = path, .read_only = true},
			     &folder->log, error);

	free(path);
	if (r == 0) {
		path = dal_asprintf("%s/state", data);
		r = dal_state_open(path, dal_log_id(folder->log), true, &folder->state, error);
		free(path);
	}
	return r;
}

static void folder_close(struct folder *folder)
{
	if (folder->state) {
		dal_state_close(folder->state);
	}
	if (folder->log) {
		dal_log_close(folder->log);
	}
}

static int position_print(const struct folder *folder)
{
	struct dal_state_position position = {0};
	struct dal_position end = {0};
	int r = dal_state_position_get(folder->state, 0, &position);

	if (r >= 0) {
		dal_log_end(folder->log, 0, &end);
		printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", end.marks[0].next,
		       position.next.count > 0 ? position.next.marks[0].next : 1,
		       position.sequence);
	}
	dal_position_deinit(&end);
	dal_state_position_deinit(&position);
	return r < 0 ? r : 0;
}

static int digest_print(const struct folder *folder)
{
	char hex[65];
	int r = dal_state_digest(folder->state, 0, hex);

	if (r == 0) {
		printf("%s\n", hex);
	}
	return r;
}

int main(int argc, char **argv)
{
	struct folder folder = {0};
	struct dal_error error = {0};
	int r;

	if (argc != 3 || (strcmp(argv[1], "position") != 0 && strcmp(argv[1], "digest") != 0)) {
		fprintf(stderr, "usage: inspect position|digest DATA\n");
		return 2;
	}
	r = folder_open(argv[2], &folder, &error);
	if (r == 0) {
		r = strcmp(argv[1], "digest") == 0 ? digest_print(&folder)
						   : position_print(&folder);
	}
	if (r != 0) {
		fprintf(stderr, "inspect: %s: %s (%d)\n", argv[2], error.text, r);
	}
	folder_close(&folder);
	return r == 0 ? 0 : 1;
}
