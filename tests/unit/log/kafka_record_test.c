/* Records as events: each form, what is refused, and what counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/memory.h"
#include "engine/log/kafka_record.h"

#define EVENT "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"}"
#define PLACE "\"id\":\"orders/3/17\",\"source\":\"/kafka/orders\""
#define ENVELOPE "{\"specversion\":\"1.0\"," PLACE ",\"type\":\"order\""
#define BINARY                                                                                     \
	{"ce_specversion", "1.0"}, {"ce_id", "1"}, {"ce_source", "/s"},                            \
	{                                                                                          \
		"ce_type", "t"                                                                     \
	}

struct given {
	const char *key, *value; /* NULL: null */
	size_t value_size;       /* 0: as long as its text */
	const char *headers[8][2];
	int64_t time_ms;
	int32_t partition; /* 0: 3 */
};

static struct dal_kafka_topic orders = {.name = "orders",
					.remote = "orders",
					.type = "order",
					.source = "/kafka/orders",
					.partitions = 1000};
static struct dal_kafka_topic events = {.name = "events", .own = true, .type = "x", .source = "/x"};
static struct dal_kafka_topic system_topic = {
	.name = "system", .own = true, .system = true, .type = "x", .source = "/x"};

static struct dal_json *json;
static struct dal_kafka_arena *arena;
static struct dal_log_record record;
static char text[8192];

static int group_setup(void **own)
{
	(void)own;
	json = dal_json_new();
	return 0;
}

static int group_teardown(void **own)
{
	(void)own;
	dal_json_free(json);
	return 0;
}

static int setup(void **own)
{
	(void)own;
	arena = dal_kafka_arena_new();
	return 0;
}

static int teardown(void **own)
{
	(void)own;
	dal_hold_unref(&arena->hold);
	return 0;
}

/* The event's text, or the reason with an '!' before it. */
static const char *read_as(const struct dal_kafka_topic *topic, struct given given)
{
	struct dal_kafka_header headers[8];
	struct dal_kafka_record in = {
		.topic = topic,
		.partition = given.partition ? given.partition : 3,
		.offset = 17,
		.time_ms = given.time_ms ? given.time_ms : -1,
		.key = dal_slice_text(given.key),
		.keyed = given.key != NULL,
		.value = given.value_size ? dal_slice(given.value, given.value_size)
					  : dal_slice_text(given.value),
		.valued = given.value != NULL,
		.headers = headers,
	};
	struct dal_slice shown;

	for (; in.header_count < 8 && given.headers[in.header_count][0]; in.header_count++) {
		const char *value = given.headers[in.header_count][1];
		headers[in.header_count] = (struct dal_kafka_header){
			.name = dal_slice_text(given.headers[in.header_count][0]),
			.value = dal_slice_text(value),
			.null = value == NULL,
		};
	}
	dal_kafka_record_read(&in, json, arena, &record);
	assert_int_equal(record.place.partition, in.partition);
	assert_int_equal(record.place.offset, 17);
	assert_true(record.untrusted);
	shown = record.refused.size ? record.refused : record.event;
	snprintf(text, sizeof(text), "%s%.*s", record.refused.size ? "!" : "", (int)shown.size,
		 shown.data);
	return text;
}

/* What it then counts as: "" it counts, else why not. */
static const char *accepted_as(const struct dal_kafka_topic *topic, bool *halt)
{
	static struct dal_error why;
	struct dal_event event;
	struct dal_json_error error;

	why.text[0] = '\0';
	*halt = false;
	assert_int_equal(record.refused.size, 0);
	if (dal_json_parse(json, record.event, DAL_JSON_PADDED | DAL_JSON_LAST_WINS, &error)) {
		return error.reason;
	}
	dal_event_view(&event, json);
	return dal_kafka_record_accept(topic, &record, &event, halt, &why) ? "" : why.text;
}

#define assert_counts(topic) assert_string_equal(accepted_as((topic), &(bool){false}), "")
#define assert_says(topic, part) assert_non_null(strstr(accepted_as((topic), &(bool){false}), part))

static void test_binary(void **own)
{
	(void)own;
	assert_string_equal(
		read_as(&orders, (struct given){.value = "{\"a\":1}", .headers = {BINARY}}),
		"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"data\":{"
		"\"a\":1}}");
	assert_counts(&orders);
	assert_string_equal(
		read_as(&orders, (struct given){.value = " [1] ",
						.headers = {BINARY,
							    {"Content-Type", "Application/JSON; "
									     "charset=utf-8"}}}),
		"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\","
		"\"datacontenttype\":\"Application/JSON; charset=utf-8\",\"data\": [1] }");
	assert_counts(&orders);
	assert_string_equal(
		read_as(&orders, (struct given){.value = "<a/>",
						.headers = {BINARY, {"content-type", "text/xml"}}}),
		"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\","
		"\"datacontenttype\":\"text/xml\",\"data_base64\":\"PGEvPg==\"}");
	assert_counts(&orders);
	assert_string_equal(
		read_as(&orders, (struct given){.headers = {BINARY}}),
		"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"}");
	assert_counts(&orders);
}

static void test_binary_attributes(void **own)
{
	(void)own;
	assert_non_null(strstr(
		read_as(&orders, (struct given){.value = "1",
						.headers = {BINARY,
							    {"ce_dalambhops", "3"},
							    {"ce_name", "a\"\\b\xC3\xA9"},
							    {"ce_empty", ""},
							    {"ce_null", NULL}}}),
		",\"dalambhops\":3,\"name\":\"a\\\"\\\\b\xC3\xA9\",\"empty\":\"\",\"data\":1}"));
	assert_counts(&orders);
	assert_non_null(strstr(
		read_as(&orders,
			(struct given){.value = "1", .headers = {BINARY, {"ce_dalambhops", "03"}}}),
		"\"dalambhops\":\"03\""));
	assert_non_null(strstr(
		read_as(&orders,
			(struct given){.headers = {BINARY, {"ce_datacontenttype", "text/plain"}},
				       .value = "x"}),
		"\"datacontenttype\":\"text/plain\",\"data_base64\":\"eA==\"}"));
	assert_string_equal(read_as(&orders, (struct given){.headers = {BINARY, {"ce_a", "\xFF"}}}),
			    "!a ce_ header whose text is not UTF-8");
	assert_non_null(
		strstr(read_as(&orders, (struct given){.headers = {BINARY, {"ce_data", "1"}}}),
		       "!a header ce_data"));
}

/* What lacks or is wrong is found when it is asked whether it counts. */
static void test_binary_broken(void **own)
{
	const char *values[] = {"1,\"type\":\"x\"", "1}", "{\"a\":", "1,\"data\":2", "nul", "1 2"};

	(void)own;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		read_as(&orders, (struct given){.value = values[i], .headers = {BINARY}});
		assert_string_not_equal(accepted_as(&orders, &(bool){false}), "");
	}
	read_as(&orders, (struct given){.value = "1", .headers = {{"ce_id", "1"}}});
	assert_says(&orders, "specversion");
	read_as(&orders, (struct given){.value = "1", .headers = {BINARY, {"ce_time", "noon"}}});
	assert_says(&orders, "time");
	read_as(&orders, (struct given){.value = "1", .headers = {BINARY, {"ce_Upper", "1"}}});
	assert_says(&orders, "Upper");
}

static void test_structured(void **own)
{
	(void)own;
	assert_string_equal(
		read_as(&orders,
			(struct given){.value = " " EVENT " ",
				       .headers = {{"content-type", "application/cloudevents+json; "
								    "charset=UTF-8"}}}),
		" " EVENT " ");
	assert_counts(&orders);
	assert_string_equal(read_as(&orders, (struct given){.value = EVENT}), EVENT);
	assert_string_equal(read_as(&orders, (struct given){.value = " " EVENT}), " " EVENT);
	assert_string_equal(read_as(&orders, (struct given){.value = "{\"specversion\":\"0.3\"}"}),
			    "{\"specversion\":\"0.3\"}");
	assert_says(&orders, "specversion");
	assert_non_null(strstr(
		read_as(&orders,
			(struct given){.value = "[]",
				       .headers = {{"content-type", "application/"
								    "cloudevents-batch+json"}}}),
		"!a batch"));
	assert_non_null(strstr(
		read_as(&orders, (struct given){.headers = {{"content-type", "application/"
									     "cloudevents+json"}}}),
		"no value"));
	assert_non_null(strstr(
		read_as(&orders, (struct given){.value = "x",
						.headers = {{"content-type", "application/"
									     "cloudevents+avro"}}}),
		"!a structured CloudEvent that is not JSON"));
}

static void test_wrapped(void **own)
{
	(void)own;
	assert_string_equal(read_as(&orders, (struct given){.value = "{\"a\":1}"}),
			    ENVELOPE ",\"data\":{\"a\":1}}");
	assert_counts(&orders);
	assert_string_equal(
		read_as(&orders, (struct given){.value = "7", .key = "c1", .time_ms = 1000}),
		ENVELOPE ",\"subject\":\"c1\",\"time\":\"1970-01-01T00:00:01Z\",\"data\":7}");
	assert_counts(&orders);
	assert_int_equal(record.appended_us, 1000000);
	assert_string_equal(read_as(&orders, (struct given){.value = "{\"a\":1,\"a\":2}"}),
			    ENVELOPE ",\"data\":{\"a\":1,\"a\":2}}");
	assert_counts(&orders);
	assert_string_equal(read_as(&orders, (struct given){.value = "hello"}),
			    ENVELOPE ",\"data_base64\":\"aGVsbG8=\"}");
	assert_counts(&orders);
	assert_string_equal(read_as(&orders, (struct given){.key = "c1"}),
			    ENVELOPE ",\"subject\":\"c1\"}");
	assert_counts(&orders);
	assert_string_equal(read_as(&orders, (struct given){.value = ""}),
			    ENVELOPE ",\"data_base64\":\"\"}");
	assert_counts(&orders);
	/* A key that no attribute may hold is none of them. */
	assert_string_equal(read_as(&orders, (struct given){.key = "a\nb"}), ENVELOPE "}");
	assert_string_equal(read_as(&orders, (struct given){.key = "\xFF"}), ENVELOPE "}");
	assert_string_equal(read_as(&orders, (struct given){.key = ""}), ENVELOPE "}");
	assert_true(record.keyed);
}

static void test_own_and_dedup(void **own)
{
	(void)own;
	read_as(&events,
		(struct given){.value = "1",
			       .headers = {BINARY,
					   {"dalamb_dedup", "000102030405060708090a0b0c0d0e0f"}}});
	assert_false(record.foreign);
	assert_int_equal(record.dedup.size, 16);
	assert_int_equal(record.dedup.data[15], 15);
	read_as(&events, (struct given){.value = "1", .headers = {BINARY, {"dalamb_dedup", "00"}}});
	assert_int_equal(record.dedup.size, 0);
	read_as(&orders,
		(struct given){.value = "1",
			       .headers = {BINARY,
					   {"dalamb_dedup", "000102030405060708090a0b0c0d0e0f"}}});
	assert_true(record.foreign); /* an emit may go to any topic */
	assert_int_equal(record.dedup.size, 16);
}

static void test_dalambs_types(void **own)
{
	const struct given said = {
		.value = "1",
		.headers = {{"ce_specversion", "1.0"},
			    {"ce_id", "1"},
			    {"ce_source", "/s"},
			    {"ce_type", "dalamb.app.loaded"}},
	};

	(void)own;
	read_as(&system_topic, said);
	assert_counts(&system_topic);
	read_as(&events, said);
	assert_says(&events, "dalamb's");
	read_as(&orders, said);
	assert_says(&orders, "dalamb's");
}

/* Of 1,000 none of the keys of the tests goes to 0. */
static int32_t partition_of(const char *key)
{
	return key ? dal_kafka_partition(&orders, dal_slice_text(key)) : 3;
}

static void test_partitions(void **own)
{
	const char *why;
	bool halt;

	(void)own;
	assert_int_equal(dal_path_parse(dal_slice_text("data"), &orders.key, NULL), 0);
	read_as(&orders, (struct given){.key = "k", .value = "\"k\"", .partition = 5});
	why = accepted_as(&orders, &halt);
	assert_non_null(strstr(why, "belongs in partition"));
	assert_non_null(strstr(why, "partitioner = \"crc32\""));
	orders.crc32 = true;
	read_as(&orders,
		(struct given){.key = "k", .value = "\"k\"", .partition = partition_of("k")});
	assert_counts(&orders);
	orders.crc32 = false;
	dal_path_free(orders.key);
	orders.key = NULL;
}

static void test_keys(void **own)
{
	const struct {
		const char *key, *value;
		bool right;
	} cases[] = {
		{"c1", "{\"customer\":\"c1\"}", true},  {"c2", "{\"customer\":\"c1\"}", false},
		{NULL, "{\"customer\":\"c1\"}", false}, {"7", "{\"customer\":7}", true},
		{"7", "{\"customer\":7.0}", true},      {"true", "{\"customer\":true}", true},
		{"x", "{\"customer\":null}", true},     {"x", "{}", true},
		{"x", "{\"customer\":[1]}", true},      {NULL, "5", true},
	};
	bool halt;

	(void)own;
	assert_int_equal(dal_path_parse(dal_slice_text("data.customer"), &orders.key, NULL), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		read_as(&orders, (struct given){.key = cases[i].key,
						.value = cases[i].value,
						.partition = partition_of(cases[i].key)});
		assert_int_equal(*accepted_as(&orders, &halt) == '\0', cases[i].right);
		assert_false(halt);
	}
	orders.halt_on_wrong_key = true;
	read_as(&orders, (struct given){.key = "c2", .value = "{\"customer\":\"c1\"}"});
	assert_non_null(
		strstr(accepted_as(&orders, &halt), "\"c2\", but its data.customer is \"c1\""));
	assert_true(halt);
	dal_path_free(orders.key);
	orders.key = NULL;
	orders.halt_on_wrong_key = false;
}

static void test_too_large(void **own)
{
	char *large = dal_calloc(1, DAL_KAFKA_VALUE_BYTES + 1);

	(void)own;
	assert_non_null(
		strstr(read_as(&orders, (struct given){.value = large,
						       .value_size = DAL_KAFKA_VALUE_BYTES + 1}),
		       "!larger than 34381908 bytes"));
	assert_int_equal(record.size_bytes, DAL_KAFKA_VALUE_BYTES + 1);
	free(large);
}

/* Any bytes as key, value and headers: nothing is written beyond what was reserved. */
static void test_any_bytes(void **own)
{
	char bytes[257];

	(void)own;
	for (int seed = 0; seed < 2000; seed++) {
		size_t size = (size_t)seed % 256;
		for (size_t i = 0; i < size; i++) {
			bytes[i] = (char)((seed * 7919 + (int)i * 104729) % 255 + 1);
		}
		bytes[size] = '\0';
		read_as(&orders, (struct given){.key = bytes, .value = bytes});
		read_as(&orders, (struct given){.key = bytes,
						.value = bytes,
						.headers = {BINARY, {"ce_x", bytes}}});
		read_as(&orders, (struct given){.value = bytes,
						.headers = {BINARY, {"content-type", bytes}}});
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_binary),        TEST(test_binary_attributes),
		TEST(test_binary_broken), TEST(test_structured),
		TEST(test_wrapped),       TEST(test_own_and_dedup),
		TEST(test_dalambs_types), TEST(test_keys),
		TEST(test_partitions),    TEST(test_too_large),
		TEST(test_any_bytes),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
