/*
 * The embedded log: events appended a second, in batches and by many at once, and scanned.
 *
 *	bench_log [FOLDER [EVENTS]]
 *
 * FOLDER (default: one under $TMPDIR, removed) should be on the disk that is to be measured: each
 * group is synced to it.
 */
#include <ftw.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/log/log.h"

enum { BATCH = 1000, EVENT_BYTES = 320, SINGLES = 64, SINGLE_EVENTS = 60000, IN_FLIGHT = 4 };

/* An order as a shop would post it, padded to a fixed size; numbers vary. */
static void event_make(char *out, uint64_t n)
{
	int size = snprintf(out, EVENT_BYTES + 1,
			    "{\"specversion\":\"1.0\",\"id\":\"order-%010" PRIu64 "\","
			    "\"source\":\"/shop/web\",\"type\":\"order.placed\","
			    "\"subject\":\"customer-%05" PRIu64 "\","
			    "\"time\":\"2026-11-24T10:%02u:%02u.%06uZ\",\"data\":{\"total\":%u,"
			    "\"currency\":\"EUR\",\"items\":[{\"sku\":\"A-%04u\",\"count\":%u}],"
			    "\"note\":\"",
			    n, n * 7919 % 100000, (unsigned)(n / 60 % 60), (unsigned)(n % 60),
			    (unsigned)(n * 104729 % 1000000), (unsigned)(n * 31 % 20000),
			    (unsigned)(n * 17 % 10000), (unsigned)(n % 9 + 1));
	for (uint64_t random = n; size < EVENT_BYTES - 3; size++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		out[size] = (char)('a' + (random >> 33) % 26);
	}
	memcpy(out + EVENT_BYTES - 3, "\"}}", 3);
}

static int64_t cpu_us(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000ll +
	       usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static void show(const char *what, uint64_t events, int64_t start_us, int64_t start_cpu_us)
{
	double wall = (double)(dal_clock_monotonic_us() - start_us) / 1e6;
	double cpu = (double)(cpu_us() - start_cpu_us);
	printf("%-34s %9.0f events/s  %5.2f us CPU an event\n", what, (double)events / wall,
	       cpu / (double)events);
}

/* --- batches --- */

struct batch {
	struct dal_log_append append;
	struct dal_log_item items[BATCH];
	char *text;
	char keys[BATCH][16];
	struct pool *pool;
	struct batch *next_free;
};

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct batch *free;
	int count;
};

static void batch_done(struct dal_log_append *append, int result)
{
	struct batch *batch = append->own;
	struct pool *pool = batch->pool;
	DAL_ASSERT(result == 0);
	pthread_mutex_lock(&pool->lock);
	batch->next_free = pool->free;
	pool->free = batch;
	pool->count++;
	pthread_cond_signal(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
}

static struct batch *batch_get(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	while (!pool->free) {
		pthread_cond_wait(&pool->wake, &pool->lock);
	}
	struct batch *batch = pool->free;
	pool->free = batch->next_free;
	pool->count--;
	pthread_mutex_unlock(&pool->lock);
	return batch;
}

static void batch_fill(struct batch *batch, uint64_t first)
{
	for (uint64_t i = 0; i < BATCH; i++) {
		char *text = batch->text + i * (EVENT_BYTES + 1);
		uint64_t n = first + i;
		event_make(text, n);
		memcpy(batch->keys[i], &n, sizeof(n));
		batch->items[i] = (struct dal_log_item){
			.topic = DAL_SLICE_LITERAL("events"),
			.event = {text, EVENT_BYTES},
			.dedup = {batch->keys[i], sizeof(batch->keys[i])},
		};
	}
	batch->append = (struct dal_log_append){
		.items = batch->items, .count = BATCH, .done = batch_done, .own = batch};
}

/* One producer with a few batches under way, as a connection that streams NDJSON has. */
static void append_batches(struct dal_log *log, uint64_t events)
{
	struct pool pool = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, 0};
	struct batch *batches = dal_calloc(IN_FLIGHT, sizeof(*batches));
	int64_t making_us = 0;
	for (int i = 0; i < IN_FLIGHT; i++) {
		batches[i].pool = &pool;
		batches[i].text = dal_malloc((size_t)BATCH * (EVENT_BYTES + 1));
		batches[i].append.own = &batches[i];
		batch_done(&batches[i].append, 0);
	}
	int64_t start_us = dal_clock_monotonic_us();
	int64_t start_cpu_us = cpu_us();
	for (uint64_t n = 0; n < events; n += BATCH) {
		struct batch *batch = batch_get(&pool);
		int64_t making_start_us = dal_clock_thread_cpu_us();
		batch_fill(batch, n);
		making_us += dal_clock_thread_cpu_us() - making_start_us;
		DAL_ASSERT(dal_log_append(log, &batch->append) == 0);
	}
	pthread_mutex_lock(&pool.lock);
	while (pool.count < IN_FLIGHT) {
		pthread_cond_wait(&pool.wake, &pool.lock);
	}
	pthread_mutex_unlock(&pool.lock);
	show("append, batches of 1000", events, start_us, start_cpu_us + making_us);
	for (int i = 0; i < IN_FLIGHT; i++) {
		free(batches[i].text);
	}
	free(batches);
}

/* --- singles --- */

struct single {
	struct dal_log *log;
	uint64_t first;
};

static void *append_singles(void *own)
{
	struct single *single = own;
	char text[EVENT_BYTES + 1];
	for (uint64_t n = single->first; n < single->first + SINGLE_EVENTS / SINGLES; n++) {
		event_make(text, n);
		struct dal_log_item item = {
			.topic = DAL_SLICE_LITERAL("events"),
			.event = {text, EVENT_BYTES},
			.dedup = {text + 20, 40},
		};
		struct dal_log_append append = {.items = &item, .count = 1};
		DAL_ASSERT(dal_log_append_wait(single->log, &append) == 0);
	}
	return NULL;
}

static void append_many(struct dal_log *log, uint64_t first)
{
	pthread_t threads[SINGLES];
	struct single singles[SINGLES];
	int64_t start_us = dal_clock_monotonic_us();
	int64_t start_cpu_us = cpu_us();
	for (int i = 0; i < SINGLES; i++) {
		singles[i] = (struct single){log, first + (uint64_t)i * 1000000};
		DAL_ASSERT(pthread_create(&threads[i], NULL, append_singles, &singles[i]) == 0);
	}
	for (int i = 0; i < SINGLES; i++) {
		pthread_join(threads[i], NULL);
	}
	show("append, 64 at once, one each", SINGLE_EVENTS / SINGLES * SINGLES, start_us,
	     start_cpu_us);
}

/* --- scan --- */

static void scan(struct dal_log *log, const char *what)
{
	struct dal_log_reader *reader = NULL;
	struct dal_log_batch batch = {0};
	uint64_t events = 0;
	uint64_t bytes = 0;
	int64_t start_us = dal_clock_monotonic_us();
	int64_t start_cpu_us = cpu_us();
	DAL_ASSERT(dal_log_reader_new(log, 0, NULL, NULL, &reader) == 0);
	while (dal_log_read(reader, 4096, 8 << 20, &batch) == 0) {
		events += batch.count;
		bytes += batch.bytes;
	}
	dal_log_batch_release(&batch);
	dal_log_reader_free(reader);
	show(what, events, start_us, start_cpu_us);
	DAL_ASSERT(bytes == events * EVENT_BYTES);
}

/* --- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
	(void)st;
	(void)kind;
	(void)walk;
	return remove(path);
}

static struct dal_log *open_log(const char *folder)
{
	struct dal_log_options options = {.path = folder, .disk_free_bytes = 1 << 20};
	struct dal_log *log = NULL;
	struct dal_error error = {0};
	int64_t start_us = dal_clock_monotonic_us();
	int64_t start_cpu_us = cpu_us();
	if (dal_log_open(&options, &log, &error) != 0) {
		fprintf(stderr, "bench_log: %s\n", error.text);
		exit(1);
	}
	printf("%-34s %9.1f ms         %5.1f ms CPU\n", "open",
	       (double)(dal_clock_monotonic_us() - start_us) / 1e3,
	       (double)(cpu_us() - start_cpu_us) / 1e3);
	return log;
}

int main(int argc, char **argv)
{
	const char *base = getenv("TMPDIR");
	char *made = dal_asprintf("%s/bench-log-XXXXXX", base ? base : "/var/tmp");
	const char *folder = argc > 1 ? argv[1] : mkdtemp(made);
	uint64_t events = argc > 2 ? strtoull(argv[2], NULL, 10) : 2000000;
	struct rusage usage;
	if (!folder) {
		perror(made);
		return 1;
	}
	struct dal_log *log = open_log(folder);
	append_batches(log, events);
	append_many(log, 1u << 31);
	scan(log, "scan, process that wrote");
	printf("%-34s %9.1f bytes an event on disk\n", "size",
	       (double)dal_log_bytes(log) / (double)events);
	dal_log_close(log);
	log = open_log(folder);
	scan(log, "scan, opened again");
	dal_log_close(log);
	getrusage(RUSAGE_SELF, &usage);
	printf("%-34s %9.1f MB\n", "peak resident", (double)usage.ru_maxrss / 1024);
	if (argc <= 1) {
		nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	}
	free(made);
	return 0;
}
