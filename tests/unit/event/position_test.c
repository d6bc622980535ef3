#include "tests/unit/event/check.h"

#include "engine/event/position.h"

static const struct dal_slice events = DAL_SLICE_LITERAL("events");
static const struct dal_slice reports = DAL_SLICE_LITERAL("system");
static const struct dal_slice all = DAL_SLICE_LITERAL(DAL_POSITION_ALL_TOPICS);

/* Where lane 3 stands in both its topics. */
static struct dal_position lane_at(uint64_t next_event, uint64_t next_report)
{
	struct dal_position position = {0};

	dal_position_set(&position, events, 3, next_event);
	dal_position_set(&position, reports, 3, next_report);
	return position;
}

static void assert_mark(const struct dal_position *position, size_t index, const char *topic,
			int32_t partition, uint64_t next)
{
	assert_true(index < position->count);
	assert_slice(position->marks[index].topic, topic);
	assert_int_equal(position->marks[index].partition, partition);
	assert_true(position->marks[index].next == next);
}

static void a_zeroed_one_is_before_everything(void **state)
{
	struct dal_position none = {0}, lane = lane_at(1, 0);

	(void)state;
	assert_null(dal_position_find(&none, events, 0));
	assert_int_equal(dal_position_next(&none, events, 0), 0);
	assert_false(dal_position_has(&none, &(struct dal_place){events, 0, 0}));
	assert_true(dal_position_reached(&none, &none));
	assert_true(dal_position_reached(&lane, &none));
	assert_false(dal_position_reached(&none, &lane));
	assert_false(dal_position_reached(&none, DAL_POSITION_AT(1)));
	assert_int_equal(dal_position_distance(&none, &none), 0);
	assert_int_equal(dal_position_distance(&none, &lane), 1);
	dal_position_deinit(&none);
	dal_position_deinit(&lane);
}

static void marks_are_set_and_added(void **state)
{
	struct dal_position position = lane_at(5, UINT64_MAX);

	(void)state;
	assert_int_equal(position.count, 2);
	dal_position_set(&position, events, 3, 4); /* back, too */
	dal_position_set(&position, events, 4, 7);
	assert_int_equal(position.count, 3);
	assert_mark(&position, 0, "events", 3, 4);
	assert_mark(&position, 1, "system", 3, UINT64_MAX);
	assert_mark(&position, 2, "events", 4, 7);
	dal_position_deinit(&position);
	assert_null(position.marks);
	assert_int_equal(position.count, 0);
	dal_position_deinit(&position); /* again */
}

static void many_marks_grow(void **state)
{
	struct dal_position position = {0};

	(void)state;
	for (int32_t i = 0; i < 100; i++) {
		dal_position_set(&position, events, i, (uint64_t)i * 10);
	}
	assert_int_equal(position.count, 100);
	for (int32_t i = 0; i < 100; i++) {
		assert_int_equal(dal_position_next(&position, events, i), i * 10);
	}
	assert_null(dal_position_find(&position, events, 100));
	dal_position_deinit(&position);
}

/* Topic and partition must both be the mark's; no name is taken for another that begins with it. */
static void marks_are_found(void **state)
{
	struct dal_position position = lane_at(5, 9);
	struct dal_mark *mark = dal_position_find(&position, reports, 3);

	(void)state;
	assert_ptr_equal(mark, &position.marks[1]);
	assert_null(dal_position_find(&position, reports, 0));
	assert_null(dal_position_find(&position, dal_slice_text("event"), 3));
	assert_null(dal_position_find(&position, dal_slice_text("events2"), 3));
	assert_null(dal_position_find(&position, dal_slice_text(""), 3));
	assert_null(dal_position_find(&position, all, 3)); /* no topic's mark stands for all */
	assert_int_equal(dal_position_next(&position, events, 3), 5);
	assert_int_equal(dal_position_next(&position, events, 0), 0);
	dal_position_deinit(&position);
}

static void topics_are_its_own(void **state)
{
	struct dal_position position = {0};
	char name[] = "events";

	(void)state;
	dal_position_set(&position, dal_slice(name, 6), 0, 5);
	name[0] = 'x';
	assert_mark(&position, 0, "events", 0, 5);
	dal_position_deinit(&position);
}

static void a_copy_stands_for_itself(void **state)
{
	struct dal_position from = lane_at(5, 9), to = {0};

	(void)state;
	dal_position_set(&to, dal_slice_text("other"), 0, 1); /* is replaced */
	dal_position_copy(&to, &from);
	dal_position_set(&from, events, 3, 6);
	assert_int_equal(to.count, 2);
	assert_mark(&to, 0, "events", 3, 5);
	assert_mark(&to, 1, "system", 3, 9);
	dal_position_deinit(&from);
	assert_mark(&to, 1, "system", 3, 9);
	dal_position_copy(&to, &to);
	assert_mark(&to, 1, "system", 3, 9);
	dal_position_copy(&to, DAL_POSITION_AT(7));
	assert_int_equal(to.count, 1);
	assert_mark(&to, 0, "*", 0, 7);
	dal_position_copy(&to, &from);
	assert_int_equal(to.count, 0);
	dal_position_deinit(&to);
}

static void events_are_passed(void **state)
{
	struct dal_position position = lane_at(5, 0);
	const struct dal_place place = {events, 3, 5}, other = {events, 4, 0};

	(void)state;
	assert_true(dal_position_has(&position, &(struct dal_place){events, 3, 4}));
	assert_false(dal_position_has(&position, &place));
	assert_false(dal_position_has(&position, &(struct dal_place){reports, 3, 0}));
	dal_position_pass(&position, &place);
	assert_true(dal_position_has(&position, &place));
	assert_false(dal_position_has(&position, &(struct dal_place){events, 3, 6}));
	assert_false(dal_position_has(&position, &(struct dal_place){reports, 3, 0}));
	assert_false(dal_position_has(&position, &other));
	dal_position_pass(&position, &other);
	assert_true(dal_position_has(&position, &other));
	assert_int_equal(position.count, 3);
	dal_position_deinit(&position);
}

/* The form of the embedded log: one mark for all topics and partitions. */
static void one_mark_stands_for_all_topics(void **state)
{
	struct dal_position position = {0};
	const struct dal_place place = {reports, 0, 7};

	(void)state;
	dal_position_set(&position, all, 0, 7);
	assert_ptr_equal(dal_position_find(&position, events, 0), position.marks);
	assert_ptr_equal(dal_position_find(&position, all, 0), position.marks);
	assert_int_equal(dal_position_next(&position, events, 2), 7);
	assert_false(dal_position_has(&position, &place));
	dal_position_pass(&position, &place);
	assert_true(dal_position_has(&position, &place));
	assert_true(dal_position_has(&position, &(struct dal_place){events, 0, 7}));
	assert_false(dal_position_has(&position, &(struct dal_place){events, 0, 8}));
	dal_position_set(&position, events, 0, 20);
	assert_int_equal(position.count, 1);
	assert_mark(&position, 0, "*", 0, 20);
	assert_true(dal_position_equal(&position, DAL_POSITION_AT(20)));
	dal_position_deinit(&position);
}

static void a_topic_may_begin_with_a_star(void **state)
{
	struct dal_position position = {0};

	(void)state;
	dal_position_set(&position, dal_slice_text("*x"), 0, 7);
	assert_null(dal_position_find(&position, events, 0));
	dal_position_deinit(&position);
}

static void one_reaches_the_other(void **state)
{
	struct dal_position a = lane_at(5, 9), b = lane_at(5, 9);

	(void)state;
	assert_true(dal_position_reached(&a, &b));
	assert_true(dal_position_equal(&a, &b));
	dal_position_set(&a, events, 3, 6);
	assert_true(dal_position_reached(&a, &b));
	assert_false(dal_position_reached(&b, &a));
	assert_false(dal_position_equal(&a, &b));
	dal_position_set(&b, reports, 3, 10); /* each is before the other somewhere */
	assert_false(dal_position_reached(&a, &b));
	assert_false(dal_position_reached(&b, &a));
	dal_position_deinit(&b);
	b = lane_at(6, 9);
	assert_true(dal_position_equal(&a, &b));
	dal_position_set(&b, events, 4, 1); /* a partition that the first has no mark of */
	assert_false(dal_position_reached(&a, &b));
	assert_true(dal_position_reached(&b, &a));
	dal_position_deinit(&a);
	dal_position_deinit(&b);
	assert_true(dal_position_reached(DAL_POSITION_AT(7), DAL_POSITION_AT(7)));
	assert_false(dal_position_reached(DAL_POSITION_AT(7), DAL_POSITION_AT(8)));
}

static void the_order_of_marks_is_none(void **state)
{
	struct dal_position a = lane_at(5, 9), b = {0};

	(void)state;
	dal_position_set(&b, reports, 3, 9);
	dal_position_set(&b, events, 3, 5);
	assert_true(dal_position_equal(&a, &b));
	dal_position_set(&b, events, 9, 0); /* before everything, as if it had no mark */
	assert_true(dal_position_equal(&a, &b));
	dal_position_deinit(&a);
	dal_position_deinit(&b);
}

static void it_advances_and_never_goes_back(void **state)
{
	struct dal_position position = lane_at(5, 9), other = lane_at(7, 8);

	(void)state;
	dal_position_set(&other, events, 4, 2);
	dal_position_advance(&position, &other);
	assert_int_equal(position.count, 3);
	assert_mark(&position, 0, "events", 3, 7);
	assert_mark(&position, 1, "system", 3, 9);
	assert_mark(&position, 2, "events", 4, 2);
	assert_true(dal_position_reached(&position, &other));
	dal_position_advance(&position, &(struct dal_position){0});
	assert_int_equal(position.count, 3);
	dal_position_deinit(&position);
	dal_position_deinit(&other);
	dal_position_advance(&position, DAL_POSITION_AT(7));
	dal_position_advance(&position, DAL_POSITION_AT(6));
	assert_int_equal(position.count, 1);
	assert_mark(&position, 0, "*", 0, 7);
	dal_position_deinit(&position);
}

static void distances_add_up(void **state)
{
	struct dal_position position = lane_at(5, 9), end = lane_at(7, 12);

	(void)state;
	assert_int_equal(dal_position_distance(&position, &end), 5);
	assert_int_equal(dal_position_distance(&end, &position), 0);
	dal_position_set(&position, events, 3, 8); /* beyond: takes nothing off the others */
	assert_int_equal(dal_position_distance(&position, &end), 3);
	dal_position_set(&end, events, 4, 10); /* nothing of it has been read */
	assert_int_equal(dal_position_distance(&position, &end), 13);
	dal_position_deinit(&position);
	dal_position_deinit(&end);
	assert_int_equal(dal_position_distance(DAL_POSITION_AT(7), DAL_POSITION_AT(10)), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_zeroed_one_is_before_everything),
		cmocka_unit_test(marks_are_set_and_added),
		cmocka_unit_test(many_marks_grow),
		cmocka_unit_test(marks_are_found),
		cmocka_unit_test(topics_are_its_own),
		cmocka_unit_test(a_copy_stands_for_itself),
		cmocka_unit_test(events_are_passed),
		cmocka_unit_test(one_mark_stands_for_all_topics),
		cmocka_unit_test(a_topic_may_begin_with_a_star),
		cmocka_unit_test(one_reaches_the_other),
		cmocka_unit_test(the_order_of_marks_is_none),
		cmocka_unit_test(it_advances_and_never_goes_back),
		cmocka_unit_test(distances_add_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
