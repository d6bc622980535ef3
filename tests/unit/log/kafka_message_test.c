/* Events as records, and back: the same event. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/event/document.h"
#include "engine/log/kafka_message.h"

#define BASE "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\""

static struct dal_kafka_topic events = {.name = "events",
					.remote = "shop.events",
					.own = true,
					.partitions = 12,
					.type = "x",
					.source = "/x"};
static struct dal_json *json;
static struct dal_kafka_message message;

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
	dal_kafka_message_deinit(&message);
	return 0;
}

static const char *header(const char *name)
{
	static char value[256];

	for (size_t i = 0; i < message.header_count; i++) {
		if (dal_slice_is(message.headers[i].name, name)) {
			struct dal_slice v = message.headers[i].value;
			memcpy(value, v.data, v.size);
			value[v.size] = '\0';
			return value;
		}
	}
	return NULL;
}

static bool is_structured(void)
{
	const char *type = header("content-type");

	return type && strcmp(type, "application/cloudevents+json") == 0;
}

static void write(const char *event)
{
	assert_int_equal(dal_kafka_message_write(&events, dal_slice_text(event), json, &message),
			 0);
}

/* Through Kafka and back it is the same document; structured the very bytes. */
static void assert_round_trip(const char *event, bool structured)
{
	struct dal_kafka_arena *arena = dal_kafka_arena_new();
	struct dal_json *reader = dal_json_new();
	struct dal_log_record out;
	struct dal_event view;
	struct dal_error why;
	bool halt;

	write(event);
	assert_int_equal(is_structured(), structured);
	const struct dal_kafka_record record = {
		.topic = &events,
		.key = message.key,
		.keyed = message.keyed,
		.value = message.value,
		.valued = message.valued,
		.headers = message.headers,
		.header_count = message.header_count,
		.time_ms = 5,
	};
	dal_kafka_record_read(&record, reader, arena, &out);
	assert_int_equal(out.refused.size, 0);
	assert_true(dal_document_equal(out.event, dal_slice_text(event)));
	assert_true(!structured || dal_slice_is(out.event, event));
	assert_int_equal(
		dal_json_parse(reader, out.event, DAL_JSON_PADDED | DAL_JSON_LAST_WINS, NULL), 0);
	dal_event_view(&view, reader);
	assert_true(dal_kafka_record_accept(&events, &out, &view, &halt, &why));
	dal_json_free(reader);
	dal_hold_unref(&arena->hold);
}

static void test_binary(void **own)
{
	(void)own;
	assert_round_trip(BASE "}", false);
	assert_round_trip(BASE ",\"data\":null}", false);
	assert_round_trip(BASE ",\"data\":{\"a\":[1,2.50,\"\\u00e9\\n\"]}}", false);
	assert_round_trip(BASE ",\"data\":\"text\"}", false);
	assert_round_trip(BASE ",\"datacontenttype\":\"application/vnd.x+json\",\"data\":1}",
			  false);
	assert_round_trip(BASE ",\"datacontenttype\":\"image/png\",\"data_base64\":\"iVBORw==\"}",
			  false);
	assert_round_trip(BASE ",\"datacontenttype\":\"image/png\",\"data_base64\":\"\"}", false);
	assert_round_trip(BASE ",\"subject\":\"a \\\"b\\\" \\u00e9\",\"x\":\"\",\"data\":1}",
			  false);
	assert_round_trip(BASE ",\"dalambcause\":\"events/0/1\",\"dalambhops\":0,\"data\":1}",
			  false);
	assert_round_trip(BASE ",\"dalambhops\":16}", false);
}

static void test_structured(void **own)
{
	(void)own;
	assert_round_trip(BASE ",\"number\":1,\"data\":1}", true);
	assert_round_trip(BASE ",\"flag\":true}", true);
	assert_round_trip(BASE ",\"data_base64\":\"aGk=\"}", true);
	assert_round_trip(BASE ",\"datacontenttype\":\"text/xml\",\"data\":\"<a/>\"}", true);
	assert_round_trip(
		BASE ",\"datacontenttype\":\"application/json\",\"data_base64\":\"MQ==\"}", true);
	assert_round_trip(BASE ",\"dalambhops\":\"3\"}", true);
	assert_round_trip(BASE ", \"flag\" : false ,\"data\":{\"a\" : 1}}", true);
	assert_round_trip(BASE ",\"datacontenttype\":\"application/cloudevents+json\",\"data\":{}}",
			  true);
	assert_round_trip(BASE ",\"datacontenttype\":\"Application/CloudEvents-batch+json\","
			       "\"data\":[]}",
			  true);
}

/* As many attributes as a record has headers, and one more. */
static void test_many_attributes(void **own)
{
	struct dal_buffer text = {0};

	(void)own;
	for (int count = 0; count < 70; count++) {
		dal_buffer_clear(&text);
		dal_buffer_text(&text, BASE);
		for (int i = 0; i < count; i++) {
			dal_buffer_printf(&text, ",\"a%d\":\"%d\"", i, i);
		}
		dal_buffer_byte(&text, '}');
		assert_round_trip(dal_buffer_cstr(&text), count + 4 >= DAL_KAFKA_HEADERS_MAX);
	}
	dal_buffer_deinit(&text);
}

static void test_headers(void **own)
{
	(void)own;
	write(BASE ",\"datacontenttype\":\"application/json\",\"dalambhops\":2,\"data\":[1]}");
	assert_string_equal(header("ce_specversion"), "1.0");
	assert_string_equal(header("ce_id"), "1");
	assert_string_equal(header("content-type"), "application/json");
	assert_string_equal(header("ce_dalambhops"), "2");
	assert_null(header("ce_datacontenttype"));
	assert_true(dal_slice_is(message.value, "[1]"));
	write(BASE "}");
	assert_false(message.valued);
	assert_int_equal(dal_kafka_message_write(&events, dal_slice_text("{"), json, &message),
			 -EBADMSG);
}

static void assert_key(const char *event, const char *key)
{
	write(event);
	assert_int_equal(message.keyed, key != NULL);
	assert_true(!key || dal_slice_is(message.key, key));
}

static void test_keys(void **own)
{
	(void)own;
	assert_key(BASE "}", NULL);
	assert_key(BASE ",\"subject\":\"s\"}", "s");
	assert_key(BASE ",\"subject\":\"s\",\"partitionkey\":\"p\"}", "p");
	assert_int_equal(dal_path_parse(dal_slice_text("data.c"), &events.key, NULL), 0);
	assert_key(BASE ",\"partitionkey\":\"p\",\"data\":{\"c\":\"k\"}}", "k");
	assert_key(BASE ",\"partitionkey\":\"p\",\"data\":{\"c\":12}}", "12");
	assert_key(BASE ",\"partitionkey\":\"p\",\"data\":{\"c\":1e1}}", "10");
	assert_key(BASE ",\"partitionkey\":\"p\",\"data\":{\"c\":\"\"}}", "");
	assert_key(BASE ",\"partitionkey\":\"p\",\"data\":{\"c\":null}}", "p");
	assert_key(BASE ",\"partitionkey\":\"p\",\"data\":{\"c\":{}}}", "p");
	assert_key(BASE ",\"partitionkey\":\"p\",\"flag\":true,\"data\":{\"c\":\"k\"}}", "k");
	assert_key(BASE ",\"data\":1}", NULL);
	dal_path_free(events.key);
	events.key = NULL;
}

/* As Java's default partitioner and librdkafka's do: from Kafka's own tests of murmur2, and
 * from `kcat -p` with the default partitioner. */
static void test_partitions(void **own)
{
	struct dal_kafka_topic topic = {.partitions = 1000};

	(void)own;
	/* Utils.murmur2("21") is -973932308, "foobar" -790332482; positive by the lower 31 bits. */
	assert_int_equal(dal_kafka_partition(&topic, dal_slice_text("21")),
			 (-973932308 & 0x7fffffff) % 1000);
	assert_int_equal(dal_kafka_partition(&topic, dal_slice_text("foobar")),
			 (-790332482 & 0x7fffffff) % 1000);
	topic.crc32 = true;
	/* CRC-32 of "123456789" is 0xCBF43926. */
	assert_int_equal(dal_kafka_partition(&topic, dal_slice_text("123456789")),
			 0xCBF43926u % 1000);
}

static struct dal_kafka_digest digest(const char *log, const char *topic, const char *key)
{
	return dal_kafka_digest_of(&(struct dal_kafka_appended){dal_slice_text(log),
								dal_slice_text(topic)},
				   dal_slice_text(key));
}

static struct dal_kafka_digest digest_of_request(const char *log, const char *key, const char *body,
						 size_t index)
{
	return dal_kafka_digest_of_request(&(struct dal_kafka_appended){dal_slice_text(log),
									dal_slice_text("t")},
					   dal_slice_text(key), dal_slice_text(body), index);
}

static void test_digests(void **own)
{
	struct dal_kafka_digest again = digest("l", "t", "a");
	struct dal_kafka_digest all[] = {
		digest("l", "t", "a"),
		digest("l", "t", "b"),
		digest("l", "u", "a"), /* another topic, another app, each half of both */
		digest("m", "t", "a"),
		digest("lt", "", "a"),
		digest_of_request("l", "a", "", 0),
		digest_of_request("l", "a", "", 1),
		digest_of_request("l", "a", "body", 0),
		digest_of_request("m", "a", "", 0),
	};

	(void)own;
	assert_memory_equal(&all[0], &again, sizeof(again));
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		for (size_t k = 0; k < i; k++) {
			assert_memory_not_equal(&all[i], &all[k], sizeof(all[i]));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_binary),          cmocka_unit_test(test_structured),
		cmocka_unit_test(test_headers),         cmocka_unit_test(test_keys),
		cmocka_unit_test(test_partitions),      cmocka_unit_test(test_digests),
		cmocka_unit_test(test_many_attributes),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
