/*
 * Reads FOLDER/NAME/input.json, compares what comes of it with FOLDER/NAME/expected; prints TAP.
 *
 *	cases_json json FOLDER     the tape written again, or "POSITION REASON" of the refusal
 *	cases_json event FOLDER    what the envelope says, or the refusal's text
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/file.h"
#include "engine/event/event.h"
#include "tests/cases/tape.h"

#define LARGEST (1 << 20)

typedef void respond(struct dal_slice input, struct dal_buffer *out);

static void respond_json(struct dal_slice input, struct dal_buffer *out)
{
	struct dal_json *json = dal_json_new();
	struct dal_json_error error;
	if (dal_json_parse(json, input, 0, &error) == 0) {
		dal_tape_write(json, DAL_JSON_ROOT, out);
	} else {
		dal_buffer_printf(out, "%zu %s", error.position, error.reason);
	}
	dal_json_free(json);
}

static void show_text(struct dal_buffer *out, const char *name, struct dal_slice value)
{
	if (value.size) {
		dal_buffer_printf(out, "%s=%.*s\n", name, (int)value.size, value.data);
	}
}

static void show_event(const struct dal_event *event, struct dal_buffer *out)
{
	show_text(out, "id", event->id);
	show_text(out, "source", event->source);
	show_text(out, "type", event->type);
	show_text(out, "subject", event->subject);
	show_text(out, "time", event->time);
	show_text(out, "partitionkey", event->partitionkey);
	show_text(out, "datacontenttype", event->datacontenttype);
	show_text(out, "cause", event->cause);
	if (event->hops) {
		dal_buffer_printf(out, "hops=%lld\n", (long long)event->hops);
	}
	if (event->reserved) {
		dal_buffer_text(out, "reserved\n");
	}
	if (event->data != DAL_JSON_NONE) {
		show_text(out, "data", dal_json_raw(event->json, event->data));
	}
	if (event->data_base64 != DAL_JSON_NONE) {
		show_text(out, "data_base64", dal_json_string(event->json, event->data_base64));
	}
	out->size -= out->size > 0; /* the last newline */
}

static void respond_event(struct dal_slice input, struct dal_buffer *out)
{
	struct dal_json *json = dal_json_new();
	struct dal_event event;
	struct dal_error error = {0};
	if (dal_json_parse(json, input, 0, NULL) != 0) {
		dal_buffer_text(out, "no JSON");
	} else if (dal_event_read(&event, json, &error) != 0) {
		dal_buffer_text(out, error.text);
	} else {
		show_event(&event, out);
	}
	dal_json_free(json);
}

static int read_part(const char *folder, const char *name, const char *file, struct dal_buffer *out)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s/%s", folder, name, file);
	return dal_file_read(path, LARGEST, out);
}

static bool run_case(respond *answer, const char *folder, const char *name, int number)
{
	struct dal_buffer input = {0}, expected = {0}, got = {0};
	bool there = read_part(folder, name, "input.json", &input) == 0 &&
		     read_part(folder, name, "expected", &expected) == 0;
	answer(dal_buffer_slice(&input), &got);
	dal_buffer_byte(&got, '\n');
	bool good = there && dal_slice_equal(dal_buffer_slice(&got), dal_buffer_slice(&expected));
	printf("%sok %d - %s\n", good ? "" : "not ", number, name);
	if (!good) {
		printf("# expected %s# got      %s", dal_buffer_cstr(&expected),
		       dal_buffer_cstr(&got));
	}
	dal_buffer_deinit(&input);
	dal_buffer_deinit(&expected);
	dal_buffer_deinit(&got);
	return good;
}

int main(int argc, char **argv)
{
	char **names;
	size_t count;
	int failed = 0;
	if (argc != 3 || dal_folder_list(argv[2], "", &names, &count) != 0 || count == 0) {
		fprintf(stderr, "usage: cases_json json|event FOLDER\n");
		return 2;
	}
	respond *answer = strcmp(argv[1], "event") == 0 ? respond_event : respond_json;
	printf("1..%zu\n", count);
	for (size_t i = 0; i < count; i++) {
		failed += !run_case(answer, argv[2], names[i], (int)i + 1);
		free(names[i]);
	}
	free(names);
	return failed > 0;
}
