#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state/outbox.h"
#include "tests/unit/state/fixture.h"

enum { LANE = 3 };

static struct dal_slice text(const char *t)
{
	return dal_slice_text(t);
}

/* A row with something in every field; of `function`, or for the log if that is empty. */
static struct dal_row row_of(const char *function, uint64_t sequence)
{
	return (struct dal_row){
		.sequence = sequence,
		.id =
			{
				.log = text("testlog"),
				.cause = {.topic = text("events"),
					  .partition = 2,
					  .offset = sequence},
				.declaration = text("big-order"),
				.target = text(*function ? function : DAL_ROW_EMIT),
				.index = 1,
			},
		.function = text(function),
		.topic = text(*function ? "" : "events"),
		.order = text("c1"),
		.subject = text("order-7"),
		.generation = text("ab"),
		.hops = 1,
		.caused_us = 1700000000000000,
		.payload = text("{\"total\":1}"),
		.attempts = 2,
		.due_us = 1700000000500000,
		.tries = text("[{}]"),
		.revived = 1,
	};
}

struct fixture {
	struct dal_state *state;
	struct dal_store_batch *batch;
	void *path;
};

static int setup(void **own)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f || fixture_setup(&f->path) != 0) {
		return -1;
	}
	f->state = fixture_state(f->path);
	f->batch = dal_store_batch_new_indexed();
	*own = f;
	return 0;
}

static int teardown(void **own)
{
	struct fixture *f = *own;
	int r;

	dal_store_batch_free(f->batch);
	dal_state_close(f->state);
	r = fixture_teardown(&f->path);
	free(f);
	return r;
}

static enum dal_row_status status_of(struct fixture *f, const struct dal_row *row)
{
	enum dal_row_status status = DAL_ROW_UNKNOWN, in_batch = DAL_ROW_UNKNOWN;
	struct dal_slice function;
	struct dal_buffer id = {0}, memory = {0};
	uint64_t sequence;

	dal_row_id_format(&row->id, &id);
	assert_int_equal(dal_outbox_status_in(f->state, f->batch, LANE, dal_buffer_slice(&id),
					      &in_batch, &function, &sequence, &memory),
			 0);
	fixture_write(f->state, f->batch);
	assert_int_equal(dal_outbox_status(f->state, LANE, dal_buffer_slice(&id), &status,
					   &function, &sequence, &memory),
			 0);
	assert_int_equal(status, in_batch); /* the batch told before what is so now */
	if (status == DAL_ROW_OPEN || status == DAL_ROW_DELIVERED || status == DAL_ROW_DEAD) {
		assert_true(dal_slice_equal(function, row->function));
		assert_int_equal(sequence, row->sequence);
	}
	dal_buffer_deinit(&id);
	dal_buffer_deinit(&memory);
	return status;
}

/* How many rows there are: open, delivered, dead. */
static void expect_counts(struct fixture *f, uint64_t open, uint64_t delivered, uint64_t dead)
{
	uint64_t got[3];

	assert_int_equal(dal_outbox_count(f->state, LANE, &got[0], &got[1], &got[2]), 0);
	assert_int_equal(got[0], open);
	assert_int_equal(got[1], delivered);
	assert_int_equal(got[2], dead);
}

static void expect_same(const struct dal_row *a, const struct dal_row *b)
{
	struct dal_buffer left = {0}, right = {0};

	dal_row_encode(a, &left);
	dal_row_encode(b, &right);
	assert_true(dal_slice_equal(dal_buffer_slice(&left), dal_buffer_slice(&right)));
	dal_buffer_deinit(&left);
	dal_buffer_deinit(&right);
}

static void expect_row(struct fixture *f, enum dal_row_status status, const struct dal_row *row)
{
	struct dal_buffer memory = {0};
	struct dal_row got;

	assert_int_equal(dal_outbox_get(f->state, LANE, status, row->function, row->sequence, &got,
					&memory),
			 0);
	expect_same(&got, row);
	dal_buffer_deinit(&memory);
}

static void test_row_reads_back(void **own)
{
	struct dal_row row = row_of("fraud-check", 9), got;
	struct dal_buffer value = {0};

	(void)own;
	row.completion = text("{\"reason\":\"attempts\"}");
	row.completed = (struct dal_place){text("system"), 1, UINT64_MAX};
	row.died_us = -1;
	dal_row_encode(&row, &value);
	assert_true(dal_row_decode(dal_buffer_slice(&value), &got));
	assert_int_equal(got.sequence, 9);
	assert_true(dal_slice_is(got.id.log, "testlog"));
	assert_true(dal_slice_is(got.id.cause.topic, "events"));
	assert_int_equal(got.id.cause.partition, 2);
	assert_int_equal(got.id.cause.offset, 9);
	assert_true(dal_slice_is(got.id.declaration, "big-order"));
	assert_true(dal_slice_is(got.id.target, "fraud-check"));
	assert_int_equal(got.id.index, 1);
	assert_true(dal_slice_is(got.function, "fraud-check"));
	assert_true(dal_slice_is(got.topic, ""));
	assert_true(dal_slice_is(got.order, "c1"));
	assert_true(dal_slice_is(got.subject, "order-7"));
	assert_true(dal_slice_is(got.generation, "ab"));
	assert_int_equal(got.hops, 1);
	assert_int_equal(got.caused_us, 1700000000000000);
	assert_true(dal_slice_is(got.payload, "{\"total\":1}"));
	assert_int_equal(got.attempts, 2);
	assert_int_equal(got.due_us, 1700000000500000);
	assert_true(dal_slice_is(got.tries, "[{}]"));
	assert_int_equal(got.revived, 1);
	assert_true(dal_slice_is(got.completion, "{\"reason\":\"attempts\"}"));
	assert_true(dal_slice_is(got.completed.topic, "system"));
	assert_int_equal(got.completed.partition, 1);
	assert_true(got.completed.offset == UINT64_MAX);
	assert_int_equal(got.died_us, -1);
	dal_buffer_deinit(&value);
}

static void test_broken_row_is_refused(void **own)
{
	struct dal_row row = row_of("f", 1), got;
	struct dal_buffer value = {0};

	(void)own;
	dal_row_encode(&row, &value);
	for (size_t size = 0; size < value.size; size++) {
		assert_false(dal_row_decode(dal_slice(value.data, size), &got));
	}
	value.data[0] = 2; /* a version to come */
	assert_false(dal_row_decode(dal_buffer_slice(&value), &got));
	value.data[0] = 1;
	dal_buffer_byte(&value, 0);
	assert_false(dal_row_decode(dal_buffer_slice(&value), &got));
	dal_buffer_deinit(&value);
}

static void test_layout(void **own)
{
	struct fixture *f = *own;
	struct dal_row row = {
		.sequence = 5,
		.id = {.log = text("l"),
		       .cause = {.topic = text("t"), .offset = 9},
		       .declaration = text("d"),
		       .target = text("f")},
		.function = text("f"),
		.payload = text("1"),
	};
	char *dump;

	dal_outbox_open(f->batch, LANE, &row);
	fixture_write(f->state, f->batch);
	dump = fixture_dump(f->state);
	assert_string_equal(dump,
			    /* 'I' SHA-256("l/t/0/9/d/f/0"): open, 5, "f" */
			    "000349b8ed8a7259e050bb44aa5eec36a7e3ef=01050166\n"
			    /* 'O' "f" 0 5: the row */
			    "00034f66000000000000000005=0105016c0901740001640166000166000000000000"
			    "0131000000000000000000\n"
			    "46=02746573746c6f67\n");
	free(dump);
}

static void test_open_deliver_settle(void **own)
{
	struct fixture *f = *own;
	struct dal_row row = row_of("f", 1);

	assert_int_equal(status_of(f, &row), DAL_ROW_UNKNOWN);
	dal_outbox_open(f->batch, LANE, &row);
	assert_int_equal(status_of(f, &row), DAL_ROW_OPEN);
	expect_counts(f, 1, 0, 0);
	expect_row(f, DAL_ROW_OPEN, &row);

	row.attempts++;
	row.due_us = 77;
	row.tries = text("[{},{}]");
	dal_outbox_update(f->batch, LANE, &row);
	assert_int_equal(status_of(f, &row), DAL_ROW_OPEN);
	expect_counts(f, 1, 0, 0);
	expect_row(f, DAL_ROW_OPEN, &row);

	dal_outbox_deliver(f->batch, LANE, &row);
	assert_int_equal(status_of(f, &row), DAL_ROW_DELIVERED);
	expect_counts(f, 0, 1, 0);
	expect_row(f, DAL_ROW_DELIVERED, &row);

	dal_outbox_settle(f->batch, LANE, &row, 1000);
	assert_int_equal(status_of(f, &row), DAL_ROW_SETTLED);
	expect_counts(f, 0, 0, 0);
}

static void test_settle_without_deliver(void **own)
{
	struct fixture *f = *own;
	struct dal_row row = row_of("f", 1);

	dal_outbox_open(f->batch, LANE, &row);
	fixture_write(f->state, f->batch);
	dal_outbox_settle(f->batch, LANE, &row, 1000);
	assert_int_equal(status_of(f, &row), DAL_ROW_SETTLED);
	expect_counts(f, 0, 0, 0);
}

static void test_completion_before_its_row(void **own)
{
	struct fixture *f = *own;
	struct dal_row other = row_of("f", 1), row = row_of("f", 2);
	struct dal_row known = {.id = row.id};

	dal_outbox_open(f->batch, LANE, &other);
	dal_outbox_settle(f->batch, LANE, &known, 1000);
	assert_int_equal(status_of(f, &row), DAL_ROW_SETTLED);
	assert_int_equal(status_of(f, &other), DAL_ROW_OPEN);
	expect_counts(f, 1, 0, 0);
}

static void test_row_and_completion_in_one_batch(void **own)
{
	struct fixture *f = *own;
	struct dal_row row = row_of("f", 1), got;
	struct dal_buffer memory = {0};

	dal_outbox_open(f->batch, LANE, &row);
	assert_int_equal(dal_outbox_get(f->state, LANE, DAL_ROW_OPEN, row.function, 1, &got,
					&memory),
			 DAL_STATE_ABSENT);
	assert_int_equal(dal_outbox_get_in(f->state, f->batch, LANE, DAL_ROW_OPEN, row.function, 1,
					   &got, &memory),
			 0);
	expect_same(&got, &row);
	got.completion = text("{}");
	dal_outbox_bury(f->batch, LANE, &got);
	assert_int_equal(dal_outbox_get_in(f->state, f->batch, LANE, DAL_ROW_OPEN, row.function, 1,
					   &got, &memory),
			 DAL_STATE_ABSENT);
	assert_int_equal(status_of(f, &row), DAL_ROW_DEAD);
	expect_counts(f, 0, 0, 1);
	dal_buffer_deinit(&memory);
}

static void test_bury_revive_drop(void **own)
{
	struct fixture *f = *own;
	struct dal_row row = row_of("f", 1), again;

	dal_outbox_open(f->batch, LANE, &row);
	dal_outbox_deliver(f->batch, LANE, &row);
	row.completion = text("{\"reason\":\"attempts\"}");
	row.completed = (struct dal_place){text("system"), 0, 44};
	row.died_us = 55;
	dal_outbox_bury(f->batch, LANE, &row);
	assert_int_equal(status_of(f, &row), DAL_ROW_DEAD);
	expect_counts(f, 0, 0, 1);
	expect_row(f, DAL_ROW_DEAD, &row);

	dal_outbox_revive(f->batch, LANE, &row, 8);
	again = row_of("f", 8);
	again.id.cause.offset = 1;
	again.attempts = 0;
	again.due_us = 0;
	again.tries = text("");
	again.revived = 2;
	assert_int_equal(status_of(f, &again), DAL_ROW_OPEN);
	expect_counts(f, 1, 0, 0);
	expect_row(f, DAL_ROW_OPEN, &again);

	dal_outbox_bury(f->batch, LANE, &again);
	dal_outbox_drop(f->batch, LANE, &again, 1000);
	assert_int_equal(status_of(f, &again), DAL_ROW_SETTLED);
	expect_counts(f, 0, 0, 0);
}

static void test_rows_for_the_log_leave_nothing(void **own)
{
	struct fixture *f = *own;
	struct dal_row row = row_of("", 1);
	char *before = fixture_dump(f->state), *after;

	dal_outbox_open(f->batch, LANE, &row);
	assert_int_equal(status_of(f, &row), DAL_ROW_UNKNOWN);
	expect_counts(f, 1, 0, 0);
	expect_row(f, DAL_ROW_OPEN, &row);
	dal_outbox_remove(f->batch, LANE, &row);
	fixture_write(f->state, f->batch);
	after = fixture_dump(f->state);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static int expire(struct fixture *f, int64_t now_us, size_t limit)
{
	int r = dal_outbox_expire(f->state, f->batch, LANE, now_us, limit);

	fixture_write(f->state, f->batch);
	return r;
}

static void test_expire(void **own)
{
	struct fixture *f = *own;
	struct dal_row rows[] = {row_of("f", 1), row_of("f", 2), row_of("f", 3)};
	char *before = fixture_dump(f->state), *after;

	for (int i = 0; i < 3; i++) {
		dal_outbox_settle(f->batch, LANE, &rows[i], 100 * (i + 1));
	}
	dal_outbox_settle(f->batch, LANE + 1, &rows[0], 1);
	dal_outbox_settle(f->batch, LANE + 1, &rows[0], 1);
	fixture_write(f->state, f->batch);
	assert_int_equal(expire(f, 100, 10), 0); /* at 100, not before it */
	assert_int_equal(status_of(f, &rows[0]), DAL_ROW_SETTLED);
	assert_int_equal(expire(f, 250, 1), 1);
	assert_int_equal(status_of(f, &rows[0]), DAL_ROW_UNKNOWN);
	assert_int_equal(status_of(f, &rows[1]), DAL_ROW_SETTLED);
	assert_int_equal(expire(f, 250, 10), 1);
	assert_int_equal(status_of(f, &rows[1]), DAL_ROW_UNKNOWN);
	assert_int_equal(status_of(f, &rows[2]), DAL_ROW_SETTLED);
	assert_int_equal(expire(f, INT64_MAX, 10), 1);
	assert_int_equal(dal_outbox_expire(f->state, f->batch, LANE + 1, 10, 10), 1);
	fixture_write(f->state, f->batch);
	after = fixture_dump(f->state);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

/* An id settled anew is kept until its later time, also when that lies in the same batch. */
static void test_expire_spares_what_was_settled_anew(void **own)
{
	struct fixture *f = *own;
	struct dal_row row = row_of("f", 1);

	dal_outbox_settle(f->batch, LANE, &row, 100);
	fixture_write(f->state, f->batch);
	dal_outbox_settle(f->batch, LANE, &row, 500);
	assert_int_equal(expire(f, 200, 10), 1);
	assert_int_equal(status_of(f, &row), DAL_ROW_SETTLED);
	assert_int_equal(expire(f, 501, 10), 1);
	assert_int_equal(status_of(f, &row), DAL_ROW_UNKNOWN);
}

struct seen {
	struct dal_buffer text;
	int left; /* stops after so many */
};

static bool gather(const struct dal_row *row, void *own)
{
	struct seen *seen = own;

	dal_buffer_printf(&seen->text, "%.*s%llu ", (int)row->function.size, row->function.data,
			  (unsigned long long)row->sequence);
	return --seen->left != 0;
}

static void expect_scan(struct fixture *f, enum dal_row_status status, const char *function,
			uint64_t sequence, int most, const char *expected)
{
	struct dal_slice name = text(function);
	struct seen seen = {.left = most};

	assert_int_equal(dal_outbox_scan(f->state, LANE, status, function ? &name : NULL, sequence,
					 gather, &seen),
			 0);
	assert_string_equal(dal_buffer_cstr(&seen.text), expected);
	dal_buffer_deinit(&seen.text);
}

static void test_scan(void **own)
{
	struct fixture *f = *own;
	static const char *const functions[] = {"b", "a", "", "b", "bb", "a"};

	for (uint64_t i = 0; i < 6; i++) {
		struct dal_row row = row_of(functions[i], i * 100 + 100);
		dal_outbox_open(f->batch, LANE, &row);
		dal_outbox_open(f->batch, LANE + 1, &row);
	}
	fixture_write(f->state, f->batch);
	expect_scan(f, DAL_ROW_OPEN, NULL, 0, 0, "300 a200 a600 b100 b400 bb500 ");
	expect_scan(f, DAL_ROW_OPEN, NULL, 400, 0, "a600 b400 bb500 ");
	expect_scan(f, DAL_ROW_OPEN, "b", 0, 0, "b100 b400 ");
	expect_scan(f, DAL_ROW_OPEN, "b", 101, 0, "b400 ");
	expect_scan(f, DAL_ROW_OPEN, "b", 400, 0, "b400 ");
	expect_scan(f, DAL_ROW_OPEN, "b", 401, 0, "");
	expect_scan(f, DAL_ROW_OPEN, "", 0, 0, "300 ");
	expect_scan(f, DAL_ROW_OPEN, NULL, 0, 2, "300 a200 ");
	expect_scan(f, DAL_ROW_DELIVERED, NULL, 0, 0, "");
	expect_scan(f, DAL_ROW_DEAD, "b", 0, 0, "");
}

static void test_broken_values_are_refused(void **own)
{
	struct fixture *f = *own;
	struct dal_row row = row_of("f", 1), got;
	struct seen seen = {0};
	struct dal_buffer id = {0}, memory = {0};
	enum dal_row_status status;
	struct dal_slice function, key, value;
	uint64_t sequence;
	struct dal_store_iterator *walk;

	dal_outbox_open(f->batch, LANE, &row);
	fixture_write(f->state, f->batch);
	walk = dal_store_iterator_new(dal_state_store(f->state), NULL, dal_slice("\0\3", 2),
				      dal_slice("\0\4", 2));
	while (dal_store_iterator_next(walk, &key, &value) == 0) {
		fixture_put(f->state, key, dal_slice(value.data, value.size - 1));
	}
	dal_store_iterator_free(walk);

	dal_row_id_format(&row.id, &id);
	assert_int_equal(dal_outbox_status(f->state, LANE, dal_buffer_slice(&id), &status,
					   &function, &sequence, &memory),
			 -EBADMSG);
	assert_int_equal(dal_outbox_get(f->state, LANE, DAL_ROW_OPEN, row.function, 1, &got,
					&memory),
			 -EBADMSG);
	assert_int_equal(dal_outbox_scan(f->state, LANE, DAL_ROW_OPEN, NULL, 0, gather, &seen),
			 -EBADMSG);
	dal_buffer_deinit(&id);
	dal_buffer_deinit(&memory);
}

static void digest(struct fixture *f, char hex[65])
{
	fixture_write(f->state, f->batch);
	assert_int_equal(dal_state_digest(f->state, LANE, hex), 0);
	assert_int_equal(strlen(hex), 64);
}

/* What depends on when dispatch came to a row doesn't count; what the log says does. */
static void test_digest_sees_what_the_log_says(void **own)
{
	struct fixture *f = *own;
	struct dal_row call = row_of("f", 1), emit = row_of("", 2);
	char empty[65], open[65], now[65];

	digest(f, empty);
	dal_outbox_open(f->batch, LANE, &emit);
	digest(f, now);
	assert_string_equal(now, empty);
	dal_outbox_open(f->batch, LANE, &call);
	digest(f, open);
	assert_string_not_equal(open, empty);
	call.attempts++;
	dal_outbox_update(f->batch, LANE, &call);
	dal_outbox_deliver(f->batch, LANE, &call);
	dal_outbox_remove(f->batch, LANE, &emit);
	digest(f, now);
	assert_string_equal(now, open);
	dal_outbox_bury(f->batch, LANE, &call);
	digest(f, now);
	assert_string_not_equal(now, open);
	dal_outbox_drop(f->batch, LANE, &call, 1000);
	digest(f, now);
	assert_string_equal(now, empty);
}

static bool ignored(struct fixture *f, uint16_t lane, const char *topic, uint64_t offset)
{
	struct dal_place place = {text(topic), lane, offset};
	bool yes;

	assert_int_equal(dal_outbox_ignored(f->state, lane, &place, &yes), 0);
	return yes;
}

/* Places of a lane: offsets of different topics are different events. */
static void test_ignored_places(void **own)
{
	struct fixture *f = *own;
	char *dump;

	assert_false(ignored(f, LANE, "system", 7));
	dal_outbox_ignore(f->batch, LANE, &(struct dal_place){text("system"), LANE, 7});
	fixture_write(f->state, f->batch);
	dump = fixture_dump(f->state);
	assert_string_equal(dump, /* lane 'G' "system" 0 7 */
			    "00034773797374656d000000000000000007=\n46=02746573746c6f67\n");
	free(dump);
	assert_true(ignored(f, LANE, "system", 7));
	assert_false(ignored(f, LANE, "system", 8));
	assert_false(ignored(f, LANE, "events", 7));
	assert_false(ignored(f, LANE, "syste", 7));
	assert_false(ignored(f, LANE + 1, "system", 7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		cmocka_unit_test(test_row_reads_back),
		cmocka_unit_test(test_broken_row_is_refused),
		CASE(test_layout),
		CASE(test_open_deliver_settle),
		CASE(test_settle_without_deliver),
		CASE(test_completion_before_its_row),
		CASE(test_row_and_completion_in_one_batch),
		CASE(test_bury_revive_drop),
		CASE(test_rows_for_the_log_leave_nothing),
		CASE(test_expire),
		CASE(test_expire_spares_what_was_settled_anew),
		CASE(test_scan),
		CASE(test_broken_values_are_refused),
		CASE(test_ignored_places),
		CASE(test_digest_sees_what_the_log_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
