/* Repeats through the log: events, requests, windows, and a reopened log. */
#include "tests/unit/log/fixture.h"

#include <stdlib.h>
#include <unistd.h>

#include "engine/base/memory.h"

#define BODY_A "sixteen bytes: a"
#define BODY_B "sixteen bytes: b"

static void test_a_repeat_has_the_first_place(void **own)
{
	struct fixture *f = *own;
	bool repeated = true;
	fixture_open(f);
	append_event(f, "{}");
	assert_int_equal(append_to(f, "events", "{\"a\":1}", "source a", &repeated), 2);
	assert_false(repeated);
	assert_int_equal(append_to(f, "events", "{\"b\":1}", "source b", &repeated), 3);
	assert_false(repeated);
	for (int pass = 0; pass < 3; pass++) {
		assert_int_equal(append_to(f, "events", "{\"a\":2}", "source a", &repeated), 2);
		assert_true(repeated);
		assert_int_equal(log_end(f), 4);
		fixture_reopen(f);
	}
	char *event = event_at(f, 2);
	assert_string_equal(event, "{\"a\":1}");
	free(event);
}

static void test_an_empty_key_never_repeats(void **own)
{
	struct fixture *f = *own;
	fixture_open(f);
	assert_int_equal(append_to(f, "events", "{}", "", NULL), 1);
	assert_int_equal(append_to(f, "events", "{}", "", NULL), 2);
}

static void items_of(struct dal_log_item *items, const char *const *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		items[i] = (struct dal_log_item){
			.topic = DAL_SLICE_LITERAL("events"),
			.event = DAL_SLICE_LITERAL("{\"batch\":true}"),
			.dedup = dal_slice_text(keys[i]),
		};
	}
}

static void test_repeats_within_a_batch(void **own)
{
	struct fixture *f = *own;
	const char *const keys[] = {"x", "y", "x", NULL, "old", "y", "z"};
	const uint64_t offsets[] = {2, 3, 2, 4, 1, 3, 5};
	const bool repeated[] = {false, false, true, false, true, true, false};
	struct dal_log_item items[7];
	struct dal_log_append append = {.items = items, .count = 7};
	items_of(items, keys, 7);
	fixture_open(f);
	append_to(f, "events", "{}", "old", NULL);
	assert_int_equal(dal_log_append_wait(f->log, &append), 0);
	for (size_t i = 0; i < 7; i++) {
		assert_int_equal(items[i].place.offset, offsets[i]);
		assert_int_equal(items[i].repeated, repeated[i]);
	}
	assert_int_equal(read_all(f, 1, NULL, 100), 5);
}

static int request(struct fixture *f, const char *key, const char *body, struct dal_log_item *items,
		   size_t count)
{
	struct dal_log_append append = {
		.items = items,
		.count = count,
		.request_key = dal_slice_text(key),
		.request_body = dal_slice_text(body),
	};
	return dal_log_append_wait(f->log, &append);
}

static void test_a_repeated_request(void **own)
{
	struct fixture *f = *own;
	const char *const keys[] = {"p", NULL, "seen"};
	struct dal_log_item items[3];
	fixture_open(f);
	append_to(f, "events", "{}", "seen", NULL);
	items_of(items, keys, 3);
	assert_int_equal(request(f, "key 1", BODY_A, items, 3), 0);
	assert_int_equal(items[1].place.offset, 3);
	assert_false(items[1].repeated);
	for (int pass = 0; pass < 3; pass++) {
		items_of(items, keys, 3);
		assert_int_equal(request(f, "key 1", BODY_A, items, 3), 0);
		assert_int_equal(items[0].place.offset, 2);
		assert_int_equal(items[1].place.offset, 3);
		assert_int_equal(items[2].place.offset, 1);
		assert_true(items[0].repeated && items[1].repeated && items[2].repeated);
		assert_true(dal_slice_is(items[1].place.topic, "events"));
		assert_int_equal(log_end(f), 4);
		fixture_reopen(f);
	}
}

/* Nothing of a conflicting request gets in, and it leaves no trace for later ones. */
static void test_a_conflicting_request(void **own)
{
	struct fixture *f = *own;
	const char *const none[] = {NULL};
	const char *const fresh[] = {"fresh"};
	struct dal_log_item items[1];
	bool repeated = true;
	fixture_open(f);
	items_of(items, none, 1);
	assert_int_equal(request(f, "key", BODY_A, items, 1), 0);
	for (int pass = 0; pass < 2; pass++) {
		items_of(items, fresh, 1);
		assert_int_equal(request(f, "key", BODY_B, items, 1), DAL_LOG_CONFLICT);
		assert_int_equal(request(f, "key", BODY_A, items, 0), DAL_LOG_CONFLICT);
		assert_int_equal(log_end(f), 2);
		fixture_reopen(f);
	}
	assert_int_equal(request(f, "another key", BODY_B, items, 1), 0);
	assert_int_equal(append_to(f, "events", "{}", "fresh", &repeated), 2);
	assert_true(repeated);
}

/* A request whose events were all known is remembered as well, without a block of its own. */
static void test_a_request_of_repeats_only(void **own)
{
	struct fixture *f = *own;
	const char *const keys[] = {"known"};
	struct dal_log_item items[1];
	fixture_open(f);
	append_to(f, "events", "{}", "known", NULL);
	items_of(items, keys, 1);
	assert_int_equal(request(f, "key", BODY_A, items, 1), 0);
	assert_true(items[0].repeated);
	assert_int_equal(log_end(f), 2);
	fixture_reopen(f);
	assert_int_equal(request(f, "key", BODY_B, items, 1), DAL_LOG_CONFLICT);
	assert_int_equal(request(f, "key", BODY_A, items, 1), 0);
	assert_int_equal(items[0].place.offset, 1);
	assert_int_equal(append_event(f, "{}"), 2);
}

static void test_expiry(void **own)
{
	struct fixture *f = *own;
	bool repeated = true;
	f->options.dedup_window_ms = 400;
	fixture_open(f);
	assert_int_equal(append_to(f, "events", "{}", "k", NULL), 1);
	assert_int_equal(append_to(f, "events", "{}", "k", &repeated), 1);
	assert_true(repeated);
	usleep(700000);
	assert_int_equal(append_to(f, "events", "{}", "k", &repeated), 2);
	assert_false(repeated);
	assert_int_equal(append_to(f, "events", "{}", "k", &repeated), 2);
	assert_true(repeated);
	usleep(700000);
	fixture_reopen(f);
	assert_int_equal(append_to(f, "events", "{}", "k", &repeated), 3);
	assert_false(repeated);
}

static size_t records_count(struct fixture *f)
{
	struct dal_store *store = store_open(f);
	struct dal_store_iterator *records = dal_store_iterator_new(
		store, NULL, dal_slice_text("D"), dal_slice_text("E"));
	struct dal_slice key;
	struct dal_slice value;
	size_t count = 0;
	while (dal_store_iterator_next(records, &key, &value) == 0) {
		count++;
	}
	dal_store_iterator_free(records);
	dal_store_close(store);
	return count;
}

/* What is past its window doesn't stay on disk either. */
static void test_old_records_are_deleted(void **own)
{
	struct fixture *f = *own;
	f->options.dedup_window_ms = 400;
	fixture_open(f);
	append_to(f, "events", "{}", "a", NULL);
	append_to(f, "events", "{}", "b", NULL);
	fixture_close(f);
	assert_int_equal(records_count(f), 2);
	fixture_open(f);
	append_to(f, "events", "{}", "c", NULL);
	usleep(700000);
	append_to(f, "events", "{}", "d", NULL);
	fixture_close(f);
	assert_int_equal(records_count(f), 1);
	fixture_open(f);
	assert_int_equal(read_all(f, 1, NULL, 10), 4);
}

/* More than one dedup record for a group, and what is written is what is found again. */
static void test_many_keys_survive(void **own)
{
	enum { COUNT = 1000 };
	struct fixture *f = *own;
	struct dal_log_item *items = dal_calloc(COUNT, sizeof(*items));
	char keys[COUNT][4];
	for (size_t i = 0; i < COUNT; i++) {
		memcpy(keys[i], (char[]){(char)i, (char)(i >> 8), 'k', 'e'}, 4);
		items[i] = (struct dal_log_item){
			.topic = DAL_SLICE_LITERAL("events"),
			.event = DAL_SLICE_LITERAL("{}"),
			.dedup = {keys[i], 4},
		};
	}
	struct dal_log_append append = {.items = items, .count = COUNT};
	fixture_open(f);
	assert_int_equal(dal_log_append_wait(f->log, &append), 0);
	fixture_reopen(f);
	assert_int_equal(dal_log_append_wait(f->log, &append), 0);
	for (size_t i = 0; i < COUNT; i++) {
		assert_true(items[i].repeated);
		assert_int_equal(items[i].place.offset, i + 1);
	}
	assert_int_equal(log_end(f), COUNT + 1);
	free(items);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_repeat_has_the_first_place),
		TEST(test_an_empty_key_never_repeats),
		TEST(test_repeats_within_a_batch),
		TEST(test_a_repeated_request),
		TEST(test_a_conflicting_request),
		TEST(test_a_request_of_repeats_only),
		TEST(test_expiry),
		TEST(test_old_records_are_deleted),
		TEST(test_many_keys_survive),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
