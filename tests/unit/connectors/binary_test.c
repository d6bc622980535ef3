/* POST /v1/events in binary mode: the HTTP binding's section 3.1. */
#include "tests/unit/connectors/fixture.h"

#define EVENTS "/v1/events"
#define CE "ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /s\r\nce-type: t\r\n"
#define JSON "Content-Type: application/json\r\n"

static void keeps(struct house *house, const char *headers, const char *body, const char *event)
{
	size_t count = log_count(&house->log);

	expect(house, EVENTS, headers, body, 200, "{\"position\":\"events/0/");
	assert_int_equal(log_count(&house->log), count + 1);
	assert_string_equal(log_event(&house->log, count), event);
}

static void test_json(void **state)
{
	keeps(*state, CE JSON, " {\"a\": 1.50}\n",
	      "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\","
	      "\"datacontenttype\":\"application/json\",\"data\":{\"a\": 1.50}}");
}

/* Without a Content-Type the data is JSON; with none at all there is no data. */
static void test_no_content_type(void **state)
{
	struct house *house = *state;

	keeps(house, CE, "\"text\"",
	      "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\","
	      "\"data\":\"text\"}");
	keeps(house, "ce-specversion: 1.0\r\nce-id: 2\r\nce-source: /s\r\nce-type: t\r\n", "",
	      "{\"specversion\":\"1.0\",\"id\":\"2\",\"source\":\"/s\",\"type\":\"t\"}");
	expect(house, EVENTS, CE, "text", 400, "send its Content-Type");
}

static void test_json_suffix(void **state)
{
	keeps(*state, CE "Content-Type: application/vnd.x+JSON; charset=UTF-8\r\n", "null",
	      "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\","
	      "\"datacontenttype\":\"application/vnd.x+JSON; charset=UTF-8\",\"data\":null}");
}

static void test_other_data(void **state)
{
	struct house *house = *state;

	keeps(house, CE "Content-Type: text/plain; charset=latin1\r\n", " h\xe9! ",
	      "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\","
	      "\"datacontenttype\":\"text/plain; charset=latin1\",\"data_base64\":\"IGjpISA=\"}");
}

static void test_extensions(void **state)
{
	keeps(*state, CE "CE-ComExample1: Value\r\nce-number: 5\r\nce-empty:\r\n", "",
	      "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\","
	      "\"comexample1\":\"Value\",\"number\":\"5\",\"empty\":\"\"}");
}

/* The binding's own example, lower case, needless encoding, quoted strings, and raw UTF-8. */
static void test_values_are_decoded(void **state)
{
	keeps(*state,
	      CE "ce-a: Euro%20%E2%82%AC%20%F0%9F%98%80\r\nce-b: %e2%82%ac%41\r\n"
		 "ce-c: \"a \\\"b\\\\ %20\"\r\nce-d: \xe2\x82\xac\r\nce-e: %2525\r\nce-f: \"\"\r\n",
	      "",
	      "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\","
	      "\"a\":\"Euro \xe2\x82\xac \xf0\x9f\x98\x80\",\"b\":\"\xe2\x82\xac"
	      "A\","
	      "\"c\":\"a \\\"b\\\\  \",\"d\":\"\xe2\x82\xac\",\"e\":\"%25\",\"f\":\"\"}");
}

static void test_values_refused(void **state)
{
	struct house *house = *state;

	expect(house, EVENTS, CE "ce-a: %C0%A0\r\n", "", 400, "ce-a: not UTF-8");
	expect(house, EVENTS, CE "ce-a: %ED%A0%80\r\n", "", 400, "not UTF-8");
	expect(house, EVENTS, CE "ce-a: %E2%82\r\n", "", 400, "not UTF-8");
	expect(house, EVENTS, CE "ce-a: \xff\r\n", "", 400, "not UTF-8");
	expect(house, EVENTS, CE "ce-a: 100%\r\n", "", 400, "two hexadecimal digits");
	expect(house, EVENTS, CE "ce-a: %4\r\n", "", 400, "two hexadecimal digits");
	expect(house, EVENTS, CE "ce-a: %zz\r\n", "", 400, "two hexadecimal digits");
	expect(house, EVENTS, CE "ce-a: a%00b\r\n", "", 400, "control characters");
	expect(house, EVENTS, CE "ce-a: a%0Ab\r\n", "", 400, "control characters");
	expect(house, EVENTS, CE "ce-a: %C2%80\r\n", "", 400, "control characters");
	assert_int_equal(log_count(&house->log), 0);
}

static void test_headers_refused(void **state)
{
	struct house *house = *state;

	expect(house, EVENTS, CE "ce-data: x\r\n", "", 400, "the data is the body");
	expect(house, EVENTS, CE "ce-data_base64: x\r\n", "", 400, "the data is the body");
	expect(house, EVENTS, CE "ce-datacontenttype: text/plain\r\n", "", 400, "Content-Type");
	expect(house, EVENTS, CE "Ce-Id: 2\r\n", "", 400, "ce-id: given twice");
	expect(house, EVENTS, CE "ce-specversion: 1.0\r\n", "", 400, "given twice");
	expect(house, EVENTS, CE "ce-a-b: 1\r\n", "", 400, "lower-case letters and digits");
	expect(house, EVENTS, CE "ce-a_b: 1\r\n", "", 400, "lower-case letters and digits");
	expect(house, EVENTS, CE "ce-: 1\r\n", "", 400, NULL);
	expect(house, EVENTS, CE "ce-dalambhops: 1\r\n", "", 400, "belong to dalamb");
	expect(house, EVENTS, CE "ce-time: yesterday\r\n", "", 400, "RFC 3339");
	expect(house, EVENTS, CE "ce-subject:\r\n", "", 400, "not empty");
	expect(house, EVENTS, "ce-specversion: 0.3\r\nce-id: 1\r\nce-source: /s\r\nce-type: t\r\n",
	       "", 400, "expected \\\"1.0\\\"");
	expect(house, EVENTS, "ce-specversion: 1.0\r\nce-source: /s\r\nce-type: t\r\n", "", 400,
	       "\\\"id\\\" is missing");
	expect(house, EVENTS, CE JSON, "{\"a\":1,}", 400,
	       "\"position\":7,\"line\":1,\"column\":8}");
	expect(house, EVENTS, CE JSON, "\n {\"a\":1,\"a\":2}", 400, "\"line\":2");
	expect(house, EVENTS, CE "Content-Type: application/json; charset=utf-16\r\n", "{}", 415,
	       "UTF-8");
	assert_int_equal(log_count(&house->log), 0);
}

static void test_many_headers(void **state)
{
	struct house *house = *state;
	struct dal_buffer headers = {0};

	dal_buffer_text(&headers, CE);
	for (int i = 3; i < 100; i++) {
		dal_buffer_printf(&headers, "ce-x%d: 1\r\n", i);
	}
	expect(house, EVENTS, dal_buffer_cstr(&headers), "", 200, NULL);
	dal_buffer_text(&headers, "ce-one: 1\r\n");
	expect(house, EVENTS, dal_buffer_cstr(&headers), "", 400, "more than 100");
	dal_buffer_deinit(&headers);
}

/* The same event in either mode is a repeat; with a key the attributes are part of the request. */
static void test_repeats(void **state)
{
	struct house *house = *state;

	expect(house, EVENTS, CE, "1", 200, "{\"position\":\"events/0/1\"}");
	expect(house, EVENTS, STRUCTURED, EVENT("1"), 200, "\"repeated\":true");
	expect(house, EVENTS, CE "Idempotency-Key: k\r\n", "1", 200, "events/0/2\"}");
	expect(house, EVENTS, CE "Idempotency-Key: k\r\n", "1", 200, "\"repeated\":true");
	expect(house, EVENTS, CE "ce-a: b\r\nIdempotency-Key: k\r\n", "1", 422, "another body");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_json),           CASE(test_no_content_type),
		CASE(test_json_suffix),    CASE(test_other_data),
		CASE(test_extensions),     CASE(test_values_are_decoded),
		CASE(test_values_refused), CASE(test_headers_refused),
		CASE(test_many_headers),   CASE(test_repeats),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
