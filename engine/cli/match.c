/* dalamb match: grep for JSON events; no engine, no app. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/memory.h"
#include "engine/cli/match.h"
#include "engine/event/json_write.h"

/* --- threads --- */

static size_t cores(void)
{
	cpu_set_t set;
	int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return count < DAL_MATCH_JOBS_MAX ? (size_t)count : DAL_MATCH_JOBS_MAX;
}

static void start(const struct dal_match *match, pthread_t *thread, void *(*work)(void *),
		  void *data)
{
	int r = pthread_create(thread, NULL, work, data);

	if (r != 0) {
		exit(dal_fail(match->command, DAL_EXIT_UNREACHABLE,
			      "no thread can be started: %s; try --jobs 1", strerror(r)));
	}
}

static void lane_start(struct dal_match *match, struct dal_match_lane *lane, size_t chunks)
{
	lane->match = match;
	lane->work = dal_queue_new(chunks);
	lane->done = dal_queue_new(chunks);
	lane->back = dal_queue_new(chunks);
	lane->json = dal_json_new();
	lane->scratch = dal_matcher_scratch_new(match->rules.matcher);
	lane->hits = dal_calloc(match->rules.count, sizeof(*lane->hits));
	start(match, &lane->thread, dal_match_work, lane);
}

/* All but its figures. */
static void lane_end(struct dal_match_lane *lane)
{
	DAL_ASSERT(dal_queue_push(lane->work, NULL) == 0);
	pthread_join(lane->thread, NULL);
	dal_queue_free(lane->work);
	dal_queue_free(lane->done);
	dal_queue_free(lane->back);
	dal_json_free(lane->json);
	dal_matcher_scratch_free(lane->scratch);
}

static void chunks_free(struct dal_match *match, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		dal_buffer_deinit(&match->chunks[i].text);
		dal_buffer_deinit(&match->chunks[i].out);
		dal_buffer_deinit(&match->chunks[i].messages);
		dal_buffer_deinit(&match->chunks[i].note);
	}
	free(match->chunks);
	dal_queue_free(match->pool);
}

static void match_all(struct dal_match *match)
{
	size_t count = match->jobs * DAL_MATCH_CHUNKS;
	pthread_t reader;

	match->chunks = dal_calloc(count, sizeof(*match->chunks));
	match->pool = dal_queue_new(count);
	match->lanes = dal_calloc(match->jobs, sizeof(*match->lanes));
	for (size_t i = 0; i < count; i++) {
		DAL_ASSERT(dal_queue_push(match->pool, &match->chunks[i]) == 0);
	}
	for (size_t i = 0; i < match->jobs; i++) {
		lane_start(match, &match->lanes[i], count);
	}
	start(match, &reader, dal_match_read, match);
	dal_match_write(match);
	pthread_join(reader, NULL);
	for (size_t i = 0; i < match->jobs; i++) {
		lane_end(&match->lanes[i]);
	}
	chunks_free(match, count);
}

/* --- figures --- */

static uint64_t hits(const struct dal_match *match, size_t pattern)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < match->jobs; i++) {
		sum += match->lanes[i].hits[pattern];
	}
	return sum;
}

static void put_count(struct dal_match *match, struct dal_json_writer *w, const char *name,
		      uint64_t count)
{
	if (match->as_json) {
		dal_json_key(w, name[0] ? name : match->invert ? "unmatched" : "matched");
		dal_json_put_integer(w, (int64_t)count);
	} else {
		printf("%llu%s%s\n", (unsigned long long)count, name[0] ? "\t" : "", name);
	}
}

/* A line a rule; of what no rule matches only the sum. */
static void print_counts(struct dal_match *match, uint64_t selected)
{
	struct dal_buffer out = {0};
	struct dal_json_writer w = {.out = &out};

	if (match->as_json) {
		dal_json_begin_object(&w);
	}
	if (match->invert) {
		put_count(match, &w, "", selected);
	}
	for (size_t i = 0; i < match->rules.count && !match->invert; i++) {
		put_count(match, &w, match->rules.names[i], hits(match, i));
	}
	if (match->as_json) {
		dal_json_end_object(&w);
		printf("%s\n", dal_buffer_cstr(&out));
	}
	dal_buffer_deinit(&out);
}

static int finish(struct dal_match *match)
{
	uint64_t lines = match->too_long, broken = match->too_long, selected = 0;

	for (size_t i = 0; i < match->jobs; i++) {
		lines += match->lanes[i].lines;
		broken += match->lanes[i].broken;
		selected += match->lanes[i].selected;
	}
	if (match->print == DAL_MATCH_COUNTS) {
		print_counts(match, selected);
	}
	if (broken > 0) {
		return dal_fail(match->command, DAL_EXIT_USAGE,
				"%llu of %llu lines are broken, and were passed over",
				(unsigned long long)broken, (unsigned long long)lines);
	}
	return match->unread ? DAL_EXIT_USAGE : selected > 0 ? DAL_EXIT_DONE : DAL_EXIT_NO;
}

/* --- options --- */

struct words {
	const char *named, *names, *count, *invert, *explain, *jobs, *format;
};

/* 0, or the exit status after a message. */
static int understand(struct dal_match *match, const struct words *words)
{
	uint64_t jobs = cores();

	if (dal_format_parse(match->command, words->format, &match->as_json) < 0 ||
	    (words->jobs && dal_number_parse(match->command, "jobs", words->jobs, &jobs) < 0)) {
		return DAL_EXIT_USAGE;
	}
	if (jobs > DAL_MATCH_JOBS_MAX) {
		return dal_usage(match->command, "--jobs is at most %d", DAL_MATCH_JOBS_MAX);
	}
	if (!!words->names + !!words->count + !!words->explain > 1) {
		return dal_usage(match->command, "choose one of --names, --count and --explain");
	}
	if (words->invert && words->names) {
		return dal_usage(match->command, "--invert prints what no rule matches: there are "
						 "no --names to it");
	}
	match->print = words->names     ? DAL_MATCH_NAMES
		       : words->count   ? DAL_MATCH_COUNTS
		       : words->explain ? DAL_MATCH_REASONS
					: DAL_MATCH_EVENTS;
	match->invert = words->invert != NULL;
	match->jobs = (size_t)jobs;
	return 0;
}

static void deinit(struct dal_match *match)
{
	for (size_t i = 0; match->lanes && i < match->jobs; i++) {
		free(match->lanes[i].hits);
	}
	free(match->lanes);
	dal_match_rules_deinit(&match->rules);
}

static int run(const struct dal_command *command, int argc, char **argv)
{
	static const char *const from_stdin[] = {"-", NULL};
	struct words words = {0};
	struct dal_option options[] = {
		{"named", NULL, "RULES is an object of name to pattern", &words.named},
		{"names", NULL, "prints which rules match, a tab, and the event", &words.names},
		{"count", NULL, "prints only how many events each rule matches", &words.count},
		{"invert", NULL, "prints the events that no rule matches", &words.invert},
		{"explain", NULL, "prints of these instead, for each rule, the field that failed",
		 &words.explain},
		{"jobs", "N", "threads that match; as many as there are cores", &words.jobs},
		{"format", "json", "of --names, --count and --explain", &words.format},
		{0},
	};
	struct dal_match match = {.command = command};
	int status;

	if (dal_options_parse(command, options, &argc, argv) < 0) {
		return DAL_EXIT_USAGE;
	}
	if (argc < 2) {
		return dal_usage(command, "give RULES: a .lua file, or a pattern as JSON");
	}
	argv[argc] = NULL; /* options were taken out */
	match.files = argc > 2 ? (const char *const *)argv + 2 : from_stdin;
	status = understand(&match, &words);
	if (status == DAL_EXIT_DONE) {
		status = dal_match_rules_load(&match.rules, command, argv[1], words.named != NULL);
	}
	if (status == DAL_EXIT_DONE) {
		match_all(&match);
		status = finish(&match);
	}
	deinit(&match);
	return status;
}

const struct dal_command dal_command_match = {
	.name = "match",
	.arguments = "RULES [FILE...]",
	.summary = "grep for JSON events (NDJSON files or stdin), by rules or one pattern",
	.example =
		"  dalamb match '{\"data\": {\"total\": [{\"numeric\": [\">=\", 1000]}]}}' "
		"events.ndjson\n"
		"  dalamb match rules/orders.lua --count < events.ndjson\n"
		"  dalamb match rules/orders.lua --explain monday.ndjson.gz tuesday.ndjson.zst\n\n"
		"RULES is a .lua file (its patterns are matched, no guard is asked), or a "
		"pattern as\nJSON, or a file of it. FILEs that end with .gz or .zst are expanded; "
		"\"-\" or none is stdin.\nExit status: 0 some matched (with --invert: some did "
		"not), 1 none, 2 RULES are invalid or\na line was broken; the rest is done "
		"first.\n",
	.run = run,
};
