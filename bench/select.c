/*
 * How fast the fields that patterns name are found in JSON, on one thread.
 *
 *	select RULES EVENTS REPEAT
 *
 * RULES is a JSON object of name -> pattern, as of bench/match.c; EVENTS is NDJSON, all of it read
 * REPEAT times. Beside the selected tape the full one is made in the same run, of trusted text and
 * as from outside. One line of JSON comes out; "nodes" are those of a mean tape.
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/memory.h"
#include "engine/event/json_select.h"

#define LARGEST (1ull << 30)

struct events {
	struct dal_slice *list;
	size_t count, capacity, bytes;
};

static void read_file(const char *path, struct dal_buffer *out)
{
	if (dal_file_read(path, LARGEST, out) != 0) {
		fprintf(stderr, "can't read %s\n", path);
		exit(2);
	}
	dal_buffer_reserve(out, DAL_JSON_PADDING);
	memset(out->data + out->size, 0, DAL_JSON_PADDING);
}

static void split(struct events *events, struct dal_slice text)
{
	struct dal_slice line;
	while (text.size) {
		if (!dal_slice_cut(text, '\n', &line, &text)) {
			line = text;
			text.size = 0;
		}
		DAL_GROW(events->list, events->count, events->capacity);
		events->list[events->count++] = line;
		events->bytes += line.size;
	}
}

/* The fields of a pattern: objects lead down, `$or` is a list of patterns, other lists are leaves.
 */
static void add_fields(struct dal_json_names *names, uint32_t parent, const struct dal_json *json,
		       uint32_t object)
{
	uint32_t end = dal_json_next(json, object);
	for (uint32_t key = object + 1; key < end; key = dal_json_next(json, key + 1)) {
		struct dal_slice name = dal_json_string(json, key);
		bool down = dal_json_kind(json, key + 1) == DAL_JSON_OBJECT;
		if (!dal_slice_is(name, "$or")) {
			uint32_t id = dal_json_names_add(names, parent, name, !down);
			if (down) {
				add_fields(names, id, json, key + 1);
			}
			continue;
		}
		uint32_t node = key + 2;
		for (uint32_t i = dal_json_count(json, key + 1); i > 0; i--) {
			add_fields(names, parent, json, node);
			node = dal_json_next(json, node);
		}
	}
}

static struct dal_json_names *read_names(struct dal_slice text)
{
	struct dal_json *json = dal_json_new();
	struct dal_json_names *names = dal_json_names_new();
	if (dal_json_parse(json, text, 0, NULL) != 0 ||
	    dal_json_kind(json, DAL_JSON_ROOT) != DAL_JSON_OBJECT) {
		fprintf(stderr, "RULES is not a JSON object\n");
		exit(2);
	}
	uint32_t end = dal_json_next(json, DAL_JSON_ROOT);
	for (uint32_t key = DAL_JSON_ROOT + 1; key < end; key = dal_json_next(json, key + 1)) {
		add_fields(names, DAL_JSON_NAMES_ROOT, json, key + 1);
	}
	dal_json_free(json);
	return names;
}

/* `names` NULL: the full tape, with `flags`. */
static void measure(const char *name, const struct events *events,
		    const struct dal_json_names *names, int flags, int repeat)
{
	struct dal_json *json = dal_json_new();
	size_t nodes = 0;
	int64_t start = dal_clock_thread_cpu_us();
	for (int i = 0; i < repeat; i++) {
		for (size_t j = 0; j < events->count; j++) {
			int r = names ? dal_json_select(json, events->list[j], names)
				      : dal_json_parse(json, events->list[j],
						       flags | DAL_JSON_PADDED, NULL);
			if (r != 0) {
				fprintf(stderr, "event %zu is not JSON\n", j);
				exit(2);
			}
			nodes += json->count;
		}
	}
	double ns = (double)(dal_clock_thread_cpu_us() - start) * 1e3 / repeat;
	printf("\"%s\": {\"ns\": %.1f, \"gb_per_s\": %.2f, \"nodes\": %.1f}", name,
	       ns / (double)events->count, (double)events->bytes / ns,
	       (double)nodes / repeat / (double)events->count);
	dal_json_free(json);
}

int main(int argc, char **argv)
{
	struct dal_buffer rules = {0}, text = {0};
	struct events events = {0};
	int repeat = argc == 4 ? (int)strtol(argv[3], NULL, 10) : 0;
	if (repeat < 1) {
		fprintf(stderr, "usage: %s RULES EVENTS REPEAT\n", argv[0]);
		return 2;
	}
	read_file(argv[1], &rules);
	read_file(argv[2], &text);
	split(&events, dal_buffer_slice(&text));
	if (events.count == 0) {
		fprintf(stderr, "EVENTS is empty\n");
		return 2;
	}
	struct dal_json_names *names = read_names(dal_buffer_slice(&rules));
	printf("{\"fields\": %u, \"events\": %zu, \"bytes\": %.1f, ",
	       dal_json_names_count(names) - 1, events.count,
	       (double)events.bytes / (double)events.count);
	measure("select", &events, names, 0, repeat);
	printf(", ");
	measure("trusted", &events, NULL, DAL_JSON_TRUSTED, repeat);
	printf(", ");
	measure("untrusted", &events, NULL, 0, repeat);
	printf("}\n");
	dal_json_names_free(names);
	free(events.list);
	dal_buffer_deinit(&rules);
	dal_buffer_deinit(&text);
	return 0;
}
