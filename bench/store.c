/*
 * What the store does alone: puts and gets a second of 200-byte values, in batches of 1,000, for
 * 100,000 and a million keys, and how long it takes to open it again.
 *
 *	store [FOLDER]        a new folder in it is used and removed; default /tmp
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "state/store.h"

enum { BATCH = 1000, VALUE_BYTES = 200, GETS = 100000 };

static struct dal_store *open_store(const char *path)
{
	struct dal_store_options options = {.path = path, .shape = DAL_STORE_STATE};
	struct dal_store *store;
	struct dal_error error;

	if (dal_store_open(&options, &store, &error) != 0) {
		fprintf(stderr, "%s\n", error.text);
		exit(1);
	}
	return store;
}

/* Keys spread over the whole range, as hashes would: the i-th of `count` is the same in each pass.
 */
static void key_of(uint64_t i, struct dal_buffer *key)
{
	dal_buffer_clear(key);
	dal_buffer_u64be(key, i * 0x9e3779b97f4a7c15u);
}

static void check(int r)
{
	if (r != 0) {
		fprintf(stderr, "the store failed: %d\n", r);
		exit(1);
	}
}

static void put_all(struct dal_store *store, uint64_t count)
{
	struct dal_store_batch *batch = dal_store_batch_new();
	struct dal_buffer key = {0};
	char value[VALUE_BYTES];

	for (uint64_t i = 0; i < count; i++) {
		for (size_t at = 0; at < sizeof(value); at++) {
			value[at] = (char)('a' + (i * (at + 7)) % 23);
		}
		key_of(i, &key);
		dal_store_batch_put(batch, dal_buffer_slice(&key), dal_slice(value, sizeof(value)));
		if (dal_store_batch_count(batch) == BATCH) {
			check(dal_store_write(store, batch, false));
		}
	}
	check(dal_store_write(store, batch, false));
	dal_buffer_deinit(&key);
	dal_store_batch_free(batch);
}

static void get_all(struct dal_store *store, uint64_t count)
{
	struct dal_buffer key = {0}, value = {0};

	for (uint64_t i = 0; i < count; i++) {
		key_of(i, &key);
		dal_buffer_clear(&value);
		check(dal_store_get(store, NULL, dal_buffer_slice(&key), &value));
	}
	dal_buffer_deinit(&key);
	dal_buffer_deinit(&value);
}

static void get_all_many(struct dal_store *store, uint64_t count)
{
	static struct dal_buffer keys[BATCH], values[BATCH];
	struct dal_slice slices[BATCH];
	bool found[BATCH];

	for (uint64_t from = 0; from < count; from += BATCH) {
		for (uint64_t i = 0; i < BATCH; i++) {
			key_of(from + i, &keys[i]);
			slices[i] = dal_buffer_slice(&keys[i]);
			dal_buffer_clear(&values[i]);
		}
		check(dal_store_get_many(store, slices, BATCH, values, found));
	}
}

static int64_t report(const char *what, uint64_t count, int64_t since_us)
{
	int64_t now_us = dal_clock_monotonic_us();
	double seconds = (double)(now_us - since_us) / 1e6;

	printf("%-10s %8llu keys %10.0f/s\n", what, (unsigned long long)count,
	       (double)count / seconds);
	return now_us;
}

static void measure(const char *path, uint64_t count)
{
	struct dal_store *store = open_store(path);
	uint64_t gets = count < GETS ? count : GETS;
	int64_t at_us = dal_clock_monotonic_us();

	put_all(store, count);
	at_us = report("put", count, at_us);
	get_all(store, gets);
	at_us = report("get", gets, at_us);
	get_all_many(store, gets);
	report("get_many", gets, at_us);
	printf("%-10s %8.1f MB\n", "on disk", (double)dal_store_bytes(store) / 1e6);
	dal_store_close(store);
	at_us = dal_clock_monotonic_us();
	store = open_store(path);
	printf("%-10s %8.1f ms\n", "open", (double)(dal_clock_monotonic_us() - at_us) / 1e3);
	dal_store_close(store);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
	(void)st;
	(void)kind;
	(void)walk;
	return remove(path);
}

int main(int argc, char **argv)
{
	static const uint64_t counts[] = {BATCH, 100 * BATCH, 1000 * BATCH};

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		char *path = dal_asprintf("%s/dal-store-XXXXXX", argc > 1 ? argv[1] : "/tmp");

		if (!mkdtemp(path)) {
			perror(path);
			return 1;
		}
		measure(path, counts[i]);
		nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
		free(path);
	}
	return 0;
}
