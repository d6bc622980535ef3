#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "state/outbox.h"
#include "state/view.h"
#include "tests/unit/state/fixture.h"

static struct dal_slice text(const char *t)
{
	return dal_slice_text(t);
}

static void put_position(struct dal_state *state, uint16_t lane, uint64_t next)
{
	struct dal_mark marks[] = {{text("events"), lane, next}, {text("system"), lane, 2}};
	struct dal_state_position position = {
		.next = {.marks = marks, .count = 2},
		.appended_us = 1000,
		.sequence = 5,
		.generation = text("ab"),
	};
	struct dal_store_batch *batch = dal_store_batch_new();

	dal_state_position_put(batch, lane, &position);
	fixture_write(state, batch);
	dal_store_batch_free(batch);
}

static void put_entry(struct dal_state *state, const char *projection, uint32_t version,
		      const char *key, const char *json)
{
	struct dal_view_name name = {.projection = text(projection), .version = version};
	struct dal_view_entry entry = {
		.json = text(json),
		.position = {.topic = text("events"), .offset = 17},
	};
	struct dal_buffer whole = {0}, value = {0};

	dal_view_key(&name, text(key), &whole);
	dal_view_encode(&entry, &value);
	fixture_put(state, dal_buffer_slice(&whole), dal_buffer_slice(&value));
	dal_buffer_deinit(&whole);
	dal_buffer_deinit(&value);
}

static void put_projection(struct dal_state *state, const char *name, uint32_t version)
{
	struct dal_state_projection projection = {
		.name = text(name),
		.version = version,
		.digest = text("d1"),
		.built = version == 1,
		.next = *DAL_POSITION_AT(300),
	};
	struct dal_store_batch *batch = dal_store_batch_new();

	dal_state_projection_put(batch, 0, &projection);
	fixture_write(state, batch);
	dal_store_batch_free(batch);
}

static void test_layout(void **own)
{
	struct dal_state *state = fixture_state(*own);
	char *dump;

	put_position(state, 0x0102, 300);
	put_projection(state, "totals", 1);
	put_entry(state, "totals", 1, "k", "{}");
	dump = fixture_dump(state);
	assert_string_equal(dump,
			    /* 'J' "totals" 0 1: sized "d1", built, 1 mark: "*" 300 */
			    "00004a746f74616c730000000001=0264310101012aac02\n"
			    /* 'V' "totals" 0 1 "k": no flags, 17, "events", 0, JSON */
			    "000056746f74616c7300000000016b=0011066576656e7473007b7d\n"
			    /* lane 0x0102 'P': 2 marks, 1000 us, sequence 5, "ab", no goal */
			    "010250=02066576656e7473ac020673797374656d02e8070502616200\n"
			    /* 'F': version 2, "testlog" */
			    "46=02746573746c6f67\n");
	free(dump);
	dal_state_close(state);
}

static void expect_mark(const struct dal_position *position, size_t index, const char *topic,
			int32_t partition, uint64_t next)
{
	assert_true(index < position->count);
	assert_true(dal_slice_is(position->marks[index].topic, topic));
	assert_int_equal(position->marks[index].partition, partition);
	assert_true(position->marks[index].next == next);
}

static void test_position(void **own)
{
	struct dal_state *state = fixture_state(*own);
	struct dal_state_position position;

	assert_int_equal(dal_state_position_get(state, 7, &position), DAL_STATE_ABSENT);
	assert_int_equal(position.next.count, 0);
	assert_int_equal(position.sequence, 1);
	dal_state_position_deinit(&position);

	put_position(state, 7, UINT64_MAX);
	put_position(state, 8, 1);
	dal_state_close(state);
	state = fixture_state(*own);
	assert_int_equal(dal_state_position_get(state, 7, &position), 0);
	expect_mark(&position.next, 0, "events", 7, UINT64_MAX);
	expect_mark(&position.next, 1, "system", 7, 2);
	assert_int_equal(position.next.count, 2);
	assert_int_equal(position.appended_us, 1000);
	assert_int_equal(position.sequence, 5);
	assert_true(dal_slice_is(position.generation, "ab"));
	dal_state_position_deinit(&position);
	dal_state_close(state);
}

/* Every cut of a good value, a byte too many, and a count that would ask for all memory. */
static void test_broken_position_is_refused(void **own)
{
	static const struct dal_slice key = DAL_SLICE_LITERAL("\x00\x07P");
	static const struct dal_slice huge = DAL_SLICE_LITERAL("\xff\xff\xff\xff\xff\xff\xff\x7f");
	struct dal_state *state = fixture_state(*own);
	struct dal_state_position position;
	struct dal_buffer value = {0};

	put_position(state, 7, 300);
	assert_int_equal(dal_store_get(dal_state_store(state), NULL, key, &value), 0);
	for (size_t size = 0; size < value.size; size++) {
		fixture_put(state, key, dal_slice(value.data, size));
		assert_int_equal(dal_state_position_get(state, 7, &position), -EBADMSG);
		assert_null(position.next.marks);
	}
	dal_buffer_byte(&value, 0);
	fixture_put(state, key, dal_buffer_slice(&value));
	assert_int_equal(dal_state_position_get(state, 7, &position), -EBADMSG);
	fixture_put(state, key, huge);
	assert_int_equal(dal_state_position_get(state, 7, &position), -EBADMSG);
	dal_buffer_deinit(&value);
	dal_state_close(state);
}

static void gather(const struct dal_state_projection *projection, void *own)
{
	dal_buffer_printf(own, "%.*s/%u %.*s %d %llu;", (int)projection->name.size,
			  projection->name.data, projection->version, (int)projection->digest.size,
			  projection->digest.data, projection->built,
			  (unsigned long long)projection->next.marks[0].next);
}

static void expect_projections(struct dal_state *state, const char *expected)
{
	struct dal_buffer got = {0};

	assert_int_equal(dal_state_projections(state, 0, gather, &got), 0);
	assert_string_equal(dal_buffer_cstr(&got), expected);
	dal_buffer_deinit(&got);
}

static void test_projections(void **own)
{
	struct dal_state *state = fixture_state(*own);

	expect_projections(state, "");
	put_projection(state, "totals", 2);
	put_projection(state, "totals", 1);
	put_projection(state, "totals-by-day", 1);
	put_projection(state, "a", 1);
	expect_projections(state, "a/1 d1 1 300;totals/1 d1 1 300;totals/2 d1 0 300;"
				  "totals-by-day/1 d1 1 300;");
	fixture_put(state, dal_slice("\0\0Jx\0\0\0\0\1", 9),
		    text("\x02"
			 "d"));
	{
		struct dal_buffer got = {0};
		assert_int_equal(dal_state_projections(state, 0, gather, &got), -EBADMSG);
		dal_buffer_deinit(&got);
	}
	dal_state_close(state);
}

static bool has(struct dal_state *state, const char *projection, uint32_t version, const char *key)
{
	struct dal_view_name name = {.projection = text(projection), .version = version};
	struct dal_view_entry entry;
	struct dal_buffer memory = {0};
	int r = dal_view_get(state, NULL, &name, text(key), &entry, &memory);

	dal_buffer_deinit(&memory);
	assert_true(r == 0 || r == DAL_STATE_ABSENT);
	return r == 0;
}

static void test_drop_takes_one_version_only(void **own)
{
	struct dal_state *state = fixture_state(*own);
	struct dal_store_batch *batch = dal_store_batch_new();

	put_projection(state, "totals", 1);
	put_projection(state, "totals", 2);
	put_entry(state, "totals", 1, "", "1");
	put_entry(state, "totals", 1, "\xff\xff", "1");
	put_entry(state, "totals", 2, "k", "2");
	put_entry(state, "totals-by-day", 1, "k", "3");
	put_entry(state, "total", 1, "k", "4");
	put_entry(state, "edge", UINT32_MAX, "k", "5");
	dal_state_projection_drop(batch, 0, text("totals"), 1);
	dal_state_projection_drop(batch, 0, text("edge"), UINT32_MAX);
	fixture_write(state, batch);
	dal_store_batch_free(batch);

	expect_projections(state, "totals/2 d1 0 300;");
	assert_false(has(state, "totals", 1, ""));
	assert_false(has(state, "totals", 1, "\xff\xff"));
	assert_false(has(state, "edge", UINT32_MAX, "k"));
	assert_true(has(state, "totals", 2, "k"));
	assert_true(has(state, "totals-by-day", 1, "k"));
	assert_true(has(state, "total", 1, "k"));
	dal_state_close(state);
}

static void test_foreign_log_is_refused(void **own)
{
	struct dal_state *state = fixture_state(*own);
	struct dal_error error = {0};

	dal_state_close(state);
	state = NULL;
	assert_int_equal(dal_state_open(fixture_path(*own), text("otherlog"), false, &state,
					&error),
			 DAL_STATE_FOREIGN);
	assert_null(state);
	assert_non_null(strstr(error.text, "belongs to the log testlog"));
	assert_non_null(strstr(error.text, "this log is otherlog"));
	assert_non_null(strstr(error.text, "delete the state"));
	state = fixture_state(*own); /* it was left alone */
	dal_state_close(state);
}

static void test_unknown_version_is_refused(void **own)
{
	struct dal_state *state = fixture_state(*own);
	struct dal_error error = {0};

	fixture_put(state, text("F"), text("\x03testlog"));
	dal_state_close(state);
	assert_int_equal(dal_state_open(fixture_path(*own), text("testlog"), false, &state, &error),
			 -ENOTSUP);
	assert_non_null(strstr(error.text, "format version 3, this dalamb knows 2"));
}

static void test_other_store_is_refused(void **own)
{
	struct dal_store *store = fixture_store(*own, DAL_STORE_LOG);
	struct dal_store_batch *batch = dal_store_batch_new();
	struct dal_state *state;
	struct dal_error error = {0};

	dal_store_batch_put(batch, text("some"), text("thing"));
	assert_int_equal(dal_store_write(store, batch, false), 0);
	dal_store_batch_free(batch);
	dal_store_close(store);
	assert_int_equal(dal_state_open(fixture_path(*own), text("testlog"), false, &state, &error),
			 -ENOTSUP);
	assert_non_null(strstr(error.text, "no state"));
}

static void test_widths(void **own)
{
	struct dal_state *state = fixture_state(*own);
	struct dal_state_width widths[] = {{text("events"), 12}, {text("orders"), 3}};
	struct dal_error error = {0};

	assert_int_equal(dal_state_widths(state, widths, 1, &error), 0);
	assert_int_equal(dal_state_widths(state, widths, 2, &error), 0);
	dal_state_close(state);
	state = fixture_state(*own);
	assert_int_equal(dal_state_widths(state, widths + 1, 1, &error), 0);
	assert_int_equal(dal_state_widths(state, widths, 2, &error), 0);
	widths[1].partitions = 4;
	assert_int_equal(dal_state_widths(state, widths, 2, &error), DAL_STATE_FOREIGN);
	assert_non_null(strstr(error.text, "orders had 3 partitions"));
	assert_int_equal(dal_state_widths(state, widths, 1, &error), 0);
	fixture_put(state, text("W"),
		    text("\x06"
			 "event"));
	assert_int_equal(dal_state_widths(state, widths, 1, &error), -EBADMSG);
	dal_state_close(state);
}

static void test_read_only(void **own)
{
	struct dal_state *state;
	struct dal_state_position position;
	struct dal_error error = {0};

	assert_int_equal(dal_state_open(fixture_path(*own), text("testlog"), true, &state, &error),
			 -ENOENT);
	state = fixture_state(*own);
	put_position(state, 0, 300);
	dal_state_close(state);
	assert_int_equal(dal_state_open(fixture_path(*own), text("testlog"), true, &state, &error),
			 0);
	assert_int_equal(dal_state_position_get(state, 0, &position), 0);
	assert_int_equal(position.next.marks[0].next, 300);
	dal_state_position_deinit(&position);
	dal_state_close(state);
}

/* What a process wrote without sync is there after it died without a close. */
static void test_killed_process_loses_nothing(void **own)
{
	enum { BATCHES = 200 };
	struct dal_state_position position;
	struct dal_state *state;
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		state = fixture_state(*own);
		for (uint64_t i = 1; i <= BATCHES; i++) {
			put_entry(state, "totals", 1, (char[]){(char)i, 0}, "{}");
			put_position(state, 0, i);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	state = fixture_state(*own);
	assert_int_equal(dal_state_position_get(state, 0, &position), 0);
	assert_int_equal(position.next.marks[0].next, BATCHES);
	for (uint64_t i = 1; i <= BATCHES; i++) {
		assert_true(has(state, "totals", 1, (char[]){(char)i, 0}));
	}
	dal_state_position_deinit(&position);
	dal_state_close(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		CASE(test_layout),
		CASE(test_position),
		CASE(test_broken_position_is_refused),
		CASE(test_projections),
		CASE(test_drop_takes_one_version_only),
		CASE(test_foreign_log_is_refused),
		CASE(test_unknown_version_is_refused),
		CASE(test_other_store_is_refused),
		CASE(test_widths),
		CASE(test_read_only),
		CASE(test_killed_process_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
