/*
 * What a stopped engine's folder says, without an engine:
 *
 *	inspect position DATA		the next offset to fold of each partition: events/0/17
 *	inspect digest DATA		the digest of each lane's state
 *
 * Where the log is not in the folder (Kafka) its id and the number of lanes follow.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"
#include "engine/log/log.h"
#include "state/state.h"

struct folder {
	struct dal_state *state;
	uint16_t lanes;
};

/* The log's id, by the log itself. */
static int id_read(const char *data, char **id, struct dal_error *error)
{
	char *path = dal_asprintf("%s/log", data);
	struct dal_log *log;
	int r = dal_log_open(&(struct dal_log_options){.path = path, .read_only = true}, &log,
			     error);

	free(path);
	if (r == 0) {
		struct dal_slice text = dal_log_id(log);
		*id = dal_asprintf("%.*s", (int)text.size, text.data);
		dal_log_close(log);
	}
	return r;
}

static int folder_open(char **arguments, struct folder *folder, struct dal_error *error)
{
	char *id = NULL, *path = dal_asprintf("%s/state", arguments[0]);
	uint64_t lanes = 1;
	int r = 0;

	if (arguments[1]) {
		id = dal_strdup(arguments[1]);
		DAL_ASSERT(dal_slice_to_u64(dal_slice_text(arguments[2]), &lanes));
	} else {
		r = id_read(arguments[0], &id, error);
	}
	if (r == 0) {
		folder->lanes = (uint16_t)lanes;
		r = dal_state_open(path, dal_slice_text(id), true, &folder->state, error);
	}
	free(path);
	free(id);
	return r;
}

static int position_print(const struct folder *folder, uint16_t lane)
{
	struct dal_state_position position = {0};
	int r = dal_state_position_get(folder->state, lane, &position);

	for (size_t i = 0; r >= 0 && i < position.next.count; i++) {
		const struct dal_mark *mark = &position.next.marks[i];
		printf("%.*s/%d/%" PRIu64 "\n", (int)mark->topic.size, mark->topic.data,
		       mark->partition, mark->next);
	}
	dal_state_position_deinit(&position);
	return r < 0 ? r : 0;
}

static int digest_print(const struct folder *folder, uint16_t lane)
{
	char hex[65];
	int r = dal_state_digest(folder->state, lane, hex);

	if (r == 0) {
		printf("%s\n", hex);
	}
	return r;
}

int main(int argc, char **argv)
{
	struct folder folder = {0};
	struct dal_error error = {0};
	bool position = argc > 1 && strcmp(argv[1], "position") == 0;
	int r;

	if ((argc != 3 && argc != 5) || (!position && strcmp(argv[1], "digest") != 0)) {
		fprintf(stderr, "usage: inspect position|digest DATA [LOG-ID LANES]\n");
		return 2;
	}
	r = folder_open(argv + 2, &folder, &error);
	for (uint16_t lane = 0; r == 0 && lane < folder.lanes; lane++) {
		r = position ? position_print(&folder, lane) : digest_print(&folder, lane);
	}
	if (r != 0) {
		fprintf(stderr, "inspect: %s: %s (%d)\n", argv[2], error.text, r);
	}
	if (folder.state) {
		dal_state_close(folder.state);
	}
	return r == 0 ? 0 : 1;
}
