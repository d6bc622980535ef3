/*
 * The stream: embedded log -> match (50 rules, 2 of them match and ask a guard) -> Lua fold ->
 * RocksDB.
 *
 *	bench_stream [KEYS [EVENTS [FOLDER]]]
 *
 * Appends EVENTS events of 320 bytes over KEYS keys (not timed), then folds them on one thread as a
 * worker does, with everything it writes. A second pass folds a raised version from the log's
 * start: that is a rebuild. Then the state is opened once more.
 */
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "bench/event.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/log/log.h"
#include "engine/stream/lane.h"

enum { BATCH = 1000, RULES = 50 };

static void fill(struct dal_log *log, uint64_t events, uint64_t keys)
{
	struct dal_log_item *items = dal_calloc(BATCH, sizeof(*items));
	struct bench_event *made = dal_calloc(BATCH, sizeof(*made));

	for (uint64_t n = 0; n < events;) {
		size_t count = 0;
		for (; count < BATCH && n < events; count++, n++) {
			bench_event_make(&made[count], n, keys);
			items[count] = (struct dal_log_item){.topic = dal_slice_text("events"),
							     .event = dal_slice(made[count].text,
										made[count].size)};
		}
		if (dal_log_append_wait(log,
					&(struct dal_log_append){.items = items, .count = count})) {
			fprintf(stderr, "the log refused an append\n");
			exit(1);
		}
	}
	free(items);
	free(made);
}

static struct dal_rules *rules_make(int version)
{
	struct dal_buffer text = {0};
	struct dal_errors errors = {0};
	struct dal_rules *rules;

	for (int i = 0; i < RULES; i++) {
		dal_buffer_printf(&text,
				  "rule 'r%d' { on = { type = 'order.placed', data = { %s } },"
				  " when = function(event) return event.data.total > 5000 end,"
				  " emit = function(event) return nil end }\n",
				  i,
				  i < 2   ? "country = { 'FR', 'DE' }"
				  : i % 2 ? "country = 'US', total = numeric('>', 10)"
					  : "sku = prefix 'B-'");
	}
	dal_buffer_printf(&text,
			  "projection 'totals' { version = %d, on = { type = 'order.placed' },"
			  " key = 'data.customer', init = { orders = 0, total = 0, average = 0 },"
			  " fold = function(state, event) state.orders = state.orders + 1"
			  " state.total = state.total + event.data.total"
			  " state.average = state.total / state.orders return state end }\n",
			  version);
	struct dal_rules_source source = {"rules/bench.lua", dal_buffer_slice(&text),
					  DAL_RULES_RULES};
	if (dal_rules_load(&(struct dal_rules_options){.sources = &source, .count = 1}, &rules,
			   &errors, NULL)) {
		fprintf(stderr, "%s\n", errors.items[0].text);
		exit(1);
	}
	dal_buffer_deinit(&text);
	return rules;
}

static double cpu_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void show(const char *what, uint64_t events, int64_t start_us, double start_cpu)
{
	double wall = (double)(dal_clock_monotonic_us() - start_us) / 1e6,
	       cpu = cpu_s() - start_cpu;
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	printf("%-8s %9.0f events/s  %6.2f CPU s per million  peak %ld MB\n", what,
	       (double)events / wall, cpu / (double)events * 1e6, usage.ru_maxrss / 1024);
	fflush(stdout);
}

static void fold(struct dal_log *log, struct dal_state *state, uint64_t events, int version)
{
	struct dal_rules *rules = rules_make(version);
	struct dal_errors errors = {0};
	struct dal_log_batch batch = {0};
	struct dal_log_reader *reader;
	struct dal_lane *lane;
	int64_t start = dal_clock_monotonic_us();
	double cpu = cpu_s();
	int r = dal_lane_new(&(struct dal_lane_options){.state = state,
							.log = log,
							.rules = rules,
							.app = "bench",
							.cache_entries = DAL_LIMIT_CACHE_ENTRIES,
							.outbox = true},
			     &lane, &errors);

	r = r == 0 ? dal_lane_build(lane, NULL, NULL) : r;
	dal_log_reader_new(log, 0, dal_lane_position(lane), NULL, &reader);
	while (r == 0 && (r = dal_log_read(reader, DAL_LIMIT_WORKER_BATCH_EVENTS,
					   DAL_LIMIT_WORKER_BATCH_BYTES, &batch)) == 0) {
		r = dal_lane_process(lane, &batch);
	}
	if (r != DAL_LOG_END || dal_lane_next(lane) != events + 1) {
		fprintf(stderr, "the fold ended with %d at %" PRIu64 "\n", r, dal_lane_next(lane));
		exit(1);
	}
	show(version == 1 ? "stream" : "rebuild", events, start, cpu);
	dal_log_batch_release(&batch);
	dal_log_reader_free(reader);
	dal_lane_free(lane);
	dal_rules_unref(rules);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
	(void)st;
	(void)kind;
	(void)walk;
	return remove(path);
}

/* How long a state takes to open that was closed in order. */
static void reopen(const char *path, struct dal_log *log, uint64_t keys)
{
	int64_t start = dal_clock_monotonic_us();
	struct dal_error error = {0};
	struct dal_state *state;

	if (dal_state_open(path, dal_log_id(log), false, &state, &error)) {
		fprintf(stderr, "%s\n", error.text);
		exit(1);
	}
	printf("open     %9.1f ms for a state of up to %" PRIu64 " keys, %.0f MB on disk\n",
	       (double)(dal_clock_monotonic_us() - start) / 1000, keys,
	       (double)dal_store_bytes(dal_state_store(state)) / 1e6);
	dal_state_close(state);
}

int main(int argc, char **argv)
{
	uint64_t keys = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000;
	uint64_t events = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
	char *folder = dal_asprintf("%s/dal-bench-XXXXXX", argc > 3 ? argv[3] : "/tmp");
	char *log_path, *state_path;
	struct dal_error error = {0};
	struct dal_state *state;
	struct dal_log *log;

	if (!mkdtemp(folder)) {
		perror(folder);
		return 1;
	}
	log_path = dal_asprintf("%s/log", folder);
	state_path = dal_asprintf("%s/state", folder);
	if (dal_log_open(&(struct dal_log_options){.path = log_path, .disk_free_bytes = 1}, &log,
			 &error) ||
	    dal_state_open(state_path, dal_log_id(log), false, &state, &error)) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	fill(log, events, keys);
	fold(log, state, events, 1);
	fold(log, state, events, 2);
	dal_state_close(state);
	reopen(state_path, log, keys);
	dal_log_close(log);
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(log_path);
	free(state_path);
	free(folder);
	return 0;
}
