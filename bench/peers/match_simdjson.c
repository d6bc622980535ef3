/*
 * The mark beside those who match: simdjson's DOM of each event, of which nothing is asked.
 *
 *	match_simdjson RULES EVENTS REPEAT
 *
 * RULES is not read. The line of JSON is that of bench/match, with no matches in it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench/peers/parse.h"
#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/memory.h"

enum { PADDING = 64 };
#define LARGEST (1ull << 30)

static size_t pass(struct dal_slice events)
{
	size_t count = 0;
	while (events.size > 0) {
		const char *end = memchr(events.data, '\n', events.size);
		size_t size = end ? (size_t)(end - events.data) : events.size;
		size_t skip = size < events.size ? size + 1 : size;
		if (!peer_parse_padded(events.data, size)) {
			fprintf(stderr, "event %zu is not JSON\n", count);
			exit(2);
		}
		events = (struct dal_slice){events.data + skip, events.size - skip};
		count++;
	}
	return count;
}

int main(int argc, char **argv)
{
	struct dal_buffer events = {0};
	struct rusage usage;
	int repeat = argc == 4 ? (int)strtol(argv[3], NULL, 10) : 0;

	if (repeat < 1) {
		fprintf(stderr, "usage: %s RULES EVENTS REPEAT\n", argv[0]);
		return 2;
	}
	if (dal_file_read(argv[2], LARGEST, &events) != 0) {
		fprintf(stderr, "can't read %s\n", argv[2]);
		return 2;
	}
	dal_buffer_reserve(&events, PADDING);
	memset(events.data + events.size, 0, PADDING);

	int64_t start = dal_clock_monotonic_us();
	size_t count = 0;
	for (int i = 0; i < repeat; i++) {
		count += pass(dal_buffer_slice(&events));
	}
	double seconds = (double)(dal_clock_monotonic_us() - start) / 1e6;
	getrusage(RUSAGE_SELF, &usage);
	printf("{\"engine\": \"simdjson\", \"build_s\": 0, \"events\": %zu, \"seconds\": %.4f, "
	       "\"events_per_s\": %.0f, \"matches\": null, \"peak_rss_mb\": %.1f}\n",
	       count, seconds, (double)count / seconds, (double)usage.ru_maxrss / 1024);
	dal_buffer_deinit(&events);
	return 0;
}
