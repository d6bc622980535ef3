/*
 * What it costs to add one rule to many, and to take one out.
 *
 *	change RULES CHANGES
 *
 * RULES is a JSON object of name -> pattern. All but CHANGES of them are built into a matcher; then
 * those are added one by one, and taken out again. Microseconds of CPU of each come out, in one
 *line of JSON; the most is where a table doubles.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/match_rules.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "rules/matcher.h"

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

static void print(const char *name, int64_t *times_ns, size_t count)
{
	qsort(times_ns, count, sizeof(*times_ns), compare);
	printf(", \"%s_us\": {\"median\": %.1f, \"p99\": %.1f, \"most\": %.1f}", name,
	       (double)times_ns[count / 2] / 1e3, (double)times_ns[count * 99 / 100] / 1e3,
	       (double)times_ns[count - 1] / 1e3);
}

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int main(int argc, char **argv)
{
	struct bench_rules rules = {0};
	size_t changes = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

	if (changes < 1) {
		fprintf(stderr, "usage: %s RULES CHANGES\n", argv[0]);
		return 2;
	}
	bench_rules_read(&rules, argv[1]);
	changes = changes < rules.count ? changes : rules.count;
	size_t first = rules.count - changes;
	struct dal_matcher *matcher = dal_matcher_new(
		(const struct dal_pattern *const *)rules.patterns, first);
	int64_t *removed = dal_calloc(changes + 1, sizeof(*removed));
	int64_t *added = dal_calloc(changes + 1, sizeof(*added));
	for (size_t i = 0; i < changes; i++) {
		int64_t start = now_ns();
		dal_matcher_add(matcher, (uint32_t)(first + i), rules.patterns[first + i]);
		added[i] = now_ns() - start;
	}
	for (size_t i = 0; i < changes; i++) {
		int64_t start = now_ns();
		dal_matcher_remove(matcher, (uint32_t)(first + i));
		removed[i] = now_ns() - start;
	}
	printf("{\"rules\": %zu, \"changes\": %zu", rules.count, changes);
	print("remove", removed, changes);
	print("add", added, changes);
	puts("}");
	free(removed);
	free(added);
	dal_matcher_free(matcher);
	bench_rules_free(&rules);
	return 0;
}
