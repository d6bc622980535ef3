#include "tests/unit/event/check.h"

#include "engine/event/event.h"

static void positions_come_back(void **state)
{
	(void)state;
	struct dal_place place;
	struct dal_buffer out = {0};
	assert_true(dal_place_parse(dal_slice_text("events/0/17"), NULL, &place));
	assert_slice(place.topic, "events");
	assert_int_equal(place.partition, 0);
	assert_int_equal(place.offset, 17);
	place = (struct dal_place){dal_slice_text("a.b-c"), INT32_MAX, UINT64_MAX};
	dal_place_format(&place, &out);
	assert_slice(dal_buffer_slice(&out), "a.b-c/2147483647/18446744073709551615");
	assert_true(dal_place_parse(dal_buffer_slice(&out), NULL, &place));
	assert_true(place.partition == INT32_MAX && place.offset == UINT64_MAX);
	dal_buffer_deinit(&out);
}

static void a_bare_offset_needs_a_topic(void **state)
{
	(void)state;
	struct dal_place place;
	assert_false(dal_place_parse(dal_slice_text("17"), NULL, &place));
	assert_true(dal_place_parse(dal_slice_text("17"), DAL_TOPIC_EVENTS, &place));
	assert_slice(place.topic, "events");
	assert_int_equal(place.offset, 17);
	assert_true(dal_place_parse(dal_slice_text("system/0/3"), DAL_TOPIC_EVENTS, &place));
	assert_slice(place.topic, "system");
}

static void other_positions_are_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"",
		"/",
		"//",
		"events",
		"events/0",
		"events/0/",
		"/0/17",
		"events//17",
		"events/0/x",
		"events/x/1",
		"events/-1/1",
		"events/0/-1",
		"events/0/17/",
		"events/0/17/1",
		"events/00/1",
		"events/0/017",
		"events/2147483648/1",
		"events/0/18446744073709551616",
		"events/0/1 ",
		"events/+0/1",
		"-5",
		"1.5",
		"0x1",
	};
	struct dal_place place;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		if (dal_place_parse(dal_slice_text(texts[i]), DAL_TOPIC_EVENTS, &place)) {
			fail_msg("\"%s\" was taken", texts[i]);
		}
	}
}

static void row_ids_come_back(void **state)
{
	(void)state;
	const char *text = "5f0c/events/0/17/big-orders/thumbnail/4294967295";
	struct dal_row_id id;
	struct dal_buffer out = {0};
	assert_true(dal_row_id_parse(dal_slice_text(text), &id));
	assert_slice(id.log, "5f0c");
	assert_slice(id.cause.topic, "events");
	assert_int_equal(id.cause.offset, 17);
	assert_slice(id.declaration, "big-orders");
	assert_slice(id.target, "thumbnail");
	assert_true(id.index == UINT32_MAX);
	dal_row_id_format(&id, &out);
	assert_slice(dal_buffer_slice(&out), text);
	dal_buffer_deinit(&out);
}

static void other_row_ids_are_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"",
		"l/t/0/1/d/f",
		"l/t/0/1/d/f/",
		"l/t/0/1/d/f/0/",
		"l/t/0/1/d/f/0/0",
		"l/t/0/1/d//0",
		"/t/0/1/d/f/0",
		"l/t/0/1/d/f/4294967296",
		"l/t/0/1/d/f/00",
		"l/t/x/1/d/f/0",
		"l/t/0/1/d/f/0.done",
	};
	struct dal_row_id id;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		if (dal_row_id_parse(dal_slice_text(texts[i]), &id)) {
			fail_msg("\"%s\" was taken", texts[i]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(positions_come_back),
		cmocka_unit_test(a_bare_offset_needs_a_topic),
		cmocka_unit_test(other_positions_are_refused),
		cmocka_unit_test(row_ids_come_back),
		cmocka_unit_test(other_row_ids_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
