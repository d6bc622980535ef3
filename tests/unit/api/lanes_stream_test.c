/* Tails and watches on a log with several lanes: nothing is missed, nothing comes twice. */
#include "tests/unit/api/harness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/memory.h"
#include "tests/unit/api/lanes.h"
#include "tests/unit/api/tail.h"

static const char rules[] = "projection \"counts\" {\n"
			    "  version = 1, on = { type = \"seen\" }, key = \"subject\",\n"
			    "  init = { n = 0 },\n"
			    "  fold = function(state, event)\n"
			    "    if event.data == 0 then return nil end\n"
			    "    state.n = state.n + 1\n"
			    "    return state\n"
			    "  end,\n"
			    "}\n";

static int setup(void **state)
{
	(void)state;
	harness_start(NULL, rules);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	harness_stop();
	return 0;
}

/* --- tails --- */

static atomic_bool posting;
static struct dal_buffer posted;

static void *post_many(void *own)
{
	(void)own;
	for (int i = 0; i < 5; i++) {
		lanes_post_keys(30, &posted);
	}
	atomic_store(&posting, false);
	return NULL;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The words of a text in order; the text is cut up. Free the array. */
static char **sorted(struct dal_buffer *text, const char *between, size_t *count)
{
	char **words = NULL, *save = NULL;

	*count = 0;
	dal_buffer_cstr(text);
	for (char *word = strtok_r(text->data, between, &save); word;
	     word = strtok_r(NULL, between, &save)) {
		words = dal_reallocarray(words, *count + 1, sizeof(*words));
		words[(*count)++] = word;
	}
	if (words) {
		qsort(words, *count, sizeof(*words), compare);
	}
	return words;
}

/* Those of a partition come in order; a client that comes back with the id it got last misses
 * nothing and gets nothing twice, while events come. */
static void a_tail_goes_on_without_gap_or_repeat(void **state)
{
	struct dal_buffer got = {0};
	char *id = NULL, *next, **found, **expected;
	unsigned connections = 0;
	size_t found_count, expected_count;
	pthread_t poster;

	(void)state;
	atomic_store(&posting, true);
	assert_int_equal(pthread_create(&poster, NULL, post_many, NULL), 0);
	do {
		next = tail_end(tail_start("/v1/events?topic=events", id, 4 + connections % 5, 500),
				&got);
		if (next) {
			free(id);
			id = next;
		}
		connections++;
	} while (atomic_load(&posting) || next);
	pthread_join(poster, NULL);
	found = sorted(&got, " ", &found_count);
	expected = sorted(&posted, "\n", &expected_count);
	assert_int_equal(found_count, expected_count);
	for (size_t i = 0; i < found_count; i++) {
		assert_string_equal(found[i], expected[i]);
	}
	free(id);
	free(found);
	free(expected);
	dal_buffer_deinit(&got);
	dal_buffer_deinit(&posted);
}

static void a_tail_of_one_partition(void **state)
{
	struct tail *tail = tail_start("/v1/events?from=events/1/0", NULL, 4, PATIENCE_MS);
	struct dal_buffer got = {0};
	char *id, **words;
	size_t count;

	(void)state;
	tail_wait(tail, 1);
	lanes_post_keys(30, NULL);
	id = tail_end(tail, &got);
	assert_non_null(id);
	/* It goes on in that one, though nothing but the id says so. */
	free(tail_end(tail_start("/v1/events", id, 4, PATIENCE_MS), &got));
	words = sorted(&got, " ", &count);
	assert_true(count >= 6);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(lanes_of(words[i]), 1);
		assert_true(i == 0 || strcmp(words[i], words[i - 1]) != 0);
	}
	free(words);
	free(id);
	dal_buffer_deinit(&got);
}

/* --- watches --- */

static void a_watch_covers_all_lanes(void **state)
{
	struct tail *range, *key;

	(void)state;
	lanes_post_keys(12, NULL);
	harness_settle();
	/* reset, twelve entries, live, a change, a gone; of the key reset, entry, live, gone */
	range = tail_start("/v1/projections/counts?watch", NULL, 1 + 12 + 1 + 12 + 1, PATIENCE_MS);
	key = tail_start("/v1/projections/counts/k03?watch", NULL, 1 + 1 + 1 + 1, PATIENCE_MS);
	tail_wait(range, 14);
	tail_wait(key, 3);
	lanes_post_keys(3, NULL); /* k00 to k02: each lane has something new */
	free(lanes_post("events", "seen", "k03", 0));
	for (unsigned i = 4; i < 20; i++) {
		char *name = dal_asprintf("k%02u", i);
		free(lanes_post("events", "seen", name, 1));
		free(name);
	}
	tail_join(range);
	tail_join(key);
	assert_int_equal(tail_count(key, "event: entry\n"), 1);
	assert_int_equal(tail_count(key, "event: gone\ndata: {\"key\":\"k03\",\"at\":{\"events/"),
			 1);
	assert_int_equal(tail_count(range, "event: live\n"), 1);
	assert_true(tail_count(range, "event: entry\n") >= 12 + 3);
	tail_free(range);
	tail_free(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_tail_goes_on_without_gap_or_repeat),
		TEST(a_tail_of_one_partition),
		TEST(a_watch_covers_all_lanes),
	};

	return cmocka_run_group_tests_name("api lanes stream", tests, harness_begin, harness_end);
}
