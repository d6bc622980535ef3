/* Recorded events: what is filled in, what is kept, what is refused. */
#include "engine/cli/recorded.h"
#include "tests/unit/cli/check.h"

static void add(struct dal_recorded *recorded, const char *json)
{
	struct dal_error error;

	if (dal_recorded_add(recorded, dal_slice_text(json), "shop", &error) != 0) {
		fail_msg("%s: %s", json, error.text);
	}
}

static void what_lacks_is_filled_in(void **state)
{
	struct dal_recorded recorded = {0};

	(void)state;
	add(&recorded, "{\"type\":\"a\",\"data\":{\"x\": 1}}");
	add(&recorded, "{\"id\":\"own\",\"source\":\"/o\",\"type\":\"a\",\"specversion\":\"1.0\","
		       "\"time\":\"2020-01-01T00:00:00Z\"}");
	add(&recorded, "{\"type\":\"dalamb.function.succeeded\"}");
	DAL_ASSERT_SLICE(recorded.records[0].event,
			 "{\"specversion\":\"1.0\",\"id\":\"test-1\",\"source\":\"/test\",\"time\":"
			 "\"2026-01-01T00:00:01Z\",\"type\":\"a\",\"data\":{\"x\": 1}}");
	DAL_ASSERT_SLICE(recorded.records[0].place.topic, "events");
	assert_int_equal(recorded.records[0].place.offset, 1);
	assert_int_equal(recorded.records[0].appended_us, 1767225601000000);
	DAL_ASSERT_SLICE(recorded.records[1].event,
			 "{\"id\":\"own\",\"source\":\"/o\",\"type\":\"a\",\"specversion\":\"1.0\","
			 "\"time\":\"2020-01-01T00:00:00Z\"}");
	assert_int_equal(recorded.records[1].appended_us, 1577836800000000);
	DAL_ASSERT_SLICE(recorded.records[2].place.topic, "system");
	assert_non_null(strstr(recorded.records[2].event.data, "\"source\":\"/dalamb/shop\""));
	dal_recorded_deinit(&recorded);
}

static void a_line_of_a_tail_keeps_its_place(void **state)
{
	struct dal_recorded recorded = {0};
	struct dal_log_batch batch;

	(void)state;
	for (int i = 0; i < 20; i++) { /* what was given stays where it is as the list grows */
		add(&recorded,
		    "{\"position\":\"orders/0/17\",\"appended\":\"2026-02-01T00:00:00Z\","
		    "\"event\":{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\","
		    "\"type\":\"a\",\"time\":\"2020-01-01T00:00:00Z\"}}");
	}
	batch = dal_recorded_batch(&recorded);
	assert_int_equal(batch.count, 20);
	for (size_t i = 0; i < batch.count; i++) {
		DAL_ASSERT_SLICE(batch.records[i].place.topic, "orders");
		assert_int_equal(batch.records[i].place.offset, 17);
		assert_int_equal(batch.records[i].appended_us, 1769904000000000);
		assert_memory_equal(batch.records[i].event.data, "{\"specversion\"", 14);
	}
	dal_recorded_deinit(&recorded);
}

static void refused(const char *json, const char *why)
{
	struct dal_recorded recorded = {0};
	struct dal_error error = {0};

	assert_int_not_equal(dal_recorded_add(&recorded, dal_slice_text(json), "shop", &error), 0);
	if (!strstr(error.text, why)) {
		fail_msg("%s: \"%s\", expected \"%s\"", json, error.text, why);
	}
	assert_int_equal(recorded.count, 0);
	dal_recorded_deinit(&recorded);
}

static void what_is_refused(void **state)
{
	(void)state;
	refused("{", "not JSON");
	refused("[]", "JSON object");
	refused("{}", "type");
	refused("{\"type\":\"\"}", "type");
	refused("{\"type\":\"a\",\"time\":\"noon\"}", "time");
	refused("{\"position\":\"events/0/1\",\"event\":{}}", "type");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_lacks_is_filled_in),
		cmocka_unit_test(a_line_of_a_tail_keeps_its_place),
		cmocka_unit_test(what_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
