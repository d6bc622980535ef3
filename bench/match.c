/*
 * How fast events are matched, from JSON bytes to rule names, on one thread.
 *
 *	match RULES EVENTS REPEAT [scan|parse]
 *
 * RULES is a JSON object of name -> pattern, EVENTS is NDJSON, all of it read REPEAT times. `scan`,
 *as for events that were checked when they came in, reads only what some rule names; `parse` checks
 *all of each event first, as `dalamb match` does. One line of JSON comes out, the same that the
 *harnesses of the peers write; "matches" are those of one pass: by rule, or their sum where there
 *are more than 1,000 rules.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "bench/match_rules.h"
#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/memory.h"
#include "engine/event/json_write.h"
#include "rules/matcher.h"

#define LARGEST (1ull << 30)
#define LISTED 1000

static void read_file(const char *path, struct dal_buffer *out)
{
	if (dal_file_read(path, LARGEST, out) != 0) {
		fprintf(stderr, "can't read %s\n", path);
		exit(2);
	}
}

static void fail(size_t event)
{
	fprintf(stderr, "event %zu is not JSON\n", event);
	exit(2);
}

/* One pass over all events; how many there are. */
static size_t pass(const struct dal_matcher *matcher, struct dal_matcher_scratch *scratch,
		   struct dal_json *json, struct dal_slice events, bool parse, uint64_t *matches)
{
	size_t count = 0;
	while (events.size > 0) {
		const uint32_t *ids;
		const char *end = memchr(events.data, '\n', events.size);
		size_t size = end ? (size_t)(end - events.data) : events.size;
		struct dal_slice line = {events.data, size};
		size_t skip = size < events.size ? size + 1 : size;
		events = (struct dal_slice){events.data + skip, events.size - skip};
		size_t found;
		if (parse) {
			if (dal_json_parse(json, line, DAL_JSON_PADDED, NULL) != 0) {
				fail(count);
			}
			found = dal_matcher_match(matcher, scratch, json, DAL_JSON_ROOT, &ids);
		} else if (dal_matcher_scan(matcher, scratch, json, line, &ids, &found) != 0) {
			fail(count);
		}
		for (size_t i = 0; i < found; i++) {
			matches[ids[i]]++;
		}
		count++;
	}
	return count;
}

static void print_matches(const struct bench_rules *rules, const uint64_t *matches, uint64_t passes)
{
	struct dal_buffer out = {0};
	struct dal_json_writer writer = {.out = &out};
	uint64_t sum = 0;
	if (rules->count <= LISTED) {
		dal_json_begin_object(&writer);
	}
	for (size_t i = 0; i < rules->count; i++) {
		sum += matches[i] / passes;
		if (rules->count <= LISTED) {
			dal_json_key_slice(&writer, dal_slice_text(rules->names[i]));
			dal_json_put_integer(&writer, (int64_t)(matches[i] / passes));
		}
	}
	if (rules->count <= LISTED) {
		dal_json_end_object(&writer);
	} else {
		dal_json_put_integer(&writer, (int64_t)sum);
	}
	printf("\"matches\": %s, ", dal_buffer_cstr(&out));
	dal_buffer_deinit(&out);
}

int main(int argc, char **argv)
{
	struct bench_rules rules = {0};
	struct dal_buffer events = {0};
	struct rusage usage;
	int repeat = argc == 4 || argc == 5 ? (int)strtol(argv[3], NULL, 10) : 0;
	bool parse = argc == 5 && strcmp(argv[4], "parse") == 0;

	if (repeat < 1) {
		fprintf(stderr, "usage: %s RULES EVENTS REPEAT [scan|parse]\n", argv[0]);
		return 2;
	}
	read_file(argv[2], &events);
	dal_buffer_reserve(&events, DAL_JSON_PADDING);
	memset(events.data + events.size, 0, DAL_JSON_PADDING);

	int64_t start = dal_clock_monotonic_us();
	bench_rules_read(&rules, argv[1]);
	struct dal_matcher *matcher = dal_matcher_new(
		(const struct dal_pattern *const *)rules.patterns, rules.count);
	int64_t built = dal_clock_monotonic_us();
	struct dal_matcher_scratch *scratch = dal_matcher_scratch_new(matcher);
	struct dal_json *json = dal_json_new();
	uint64_t *matches = dal_calloc(rules.count + 1, sizeof(*matches));
	size_t count = 0;
	for (int i = 0; i < repeat; i++) {
		count += pass(matcher, scratch, json, dal_buffer_slice(&events), parse, matches);
	}
	double seconds = (double)(dal_clock_monotonic_us() - built) / 1e6;
	getrusage(RUSAGE_SELF, &usage);
	printf("{\"engine\": \"dalamb\", \"build_s\": %.4f, \"events\": %zu, \"seconds\": %.4f, "
	       "\"events_per_s\": %.0f, ",
	       (double)(built - start) / 1e6, count, seconds, (double)count / seconds);
	print_matches(&rules, matches, (uint64_t)repeat);
	printf("\"peak_rss_mb\": %.1f}\n", (double)usage.ru_maxrss / 1024);

	free(matches);
	dal_json_free(json);
	dal_matcher_scratch_free(scratch);
	dal_matcher_free(matcher);
	bench_rules_free(&rules);
	dal_buffer_deinit(&events);
	return 0;
}
