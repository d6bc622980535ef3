/* POST /v1/events with a body that is gathered: structured, batch, and everything refused. */
#include "tests/unit/connectors/fixture.h"

#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/memory.h"
#include "engine/base/metrics.h"

#define EVENTS "/v1/events"

static void test_structured_keeps_the_bytes(void **state)
{
	struct house *house = *state;
	const char *event =
		"{ \"type\":\"t\", \"id\" : \"1\",\"source\":\"/s\",\"specversion\":\"1.0\","
		"\"data\":{\"b\":1.50,\"a\":[ ]} }";
	struct dal_buffer body = {0};

	dal_buffer_printf(&body, " \r\n\t%s\n\n", event);
	expect(house, EVENTS, STRUCTURED, dal_buffer_cstr(&body), 200,
	       "\r\n\r\n{\"position\":\"events/0/1\"}\n");
	assert_string_equal(log_event(&house->log, 0), event);
	dal_buffer_deinit(&body);
}

static void test_media_types(void **state)
{
	struct house *house = *state;

	expect(house, EVENTS, "Content-Type: Application/CloudEvents+JSON; Charset=\"UTF-8\"\r\n",
	       EVENT("1"), 200, "events/0/1");
	expect(house, EVENTS,
	       "Content-Type: application/cloudevents-batch+json ; x=\"a;charset=b\"\r\n",
	       "[" EVENT("2") "]", 200, "{\"positions\":[\"events/0/2\"]}");
	expect(house, EVENTS, "content-type: application/json\r\n", EVENT("3"), 200, "events/0/3");
	expect(house, EVENTS, "content-type: application/json\r\n", " [" EVENT("4") "]", 200,
	       "{\"positions\":[\"events/0/4\"]}");
	/* Headers beside a structured event don't count. */
	expect(house, EVENTS, STRUCTURED "ce-specversion: 1.0\r\nce-id: other\r\n", EVENT("5"), 200,
	       "events/0/5");
	assert_string_equal(log_event(&house->log, 4), EVENT("5"));
}

static void test_media_types_refused(void **state)
{
	struct house *house = *state;

	expect(house, EVENTS, "", EVENT("1"), 415, "no Content-Type and no ce-specversion");
	expect(house, EVENTS, "Content-Type: text/plain\r\n", "x", 415, "ce- headers");
	expect(house, EVENTS, "Content-Type: application/cloudevents+avro\r\n", "x", 415,
	       "application/cloudevents+json");
	expect(house, EVENTS,
	       "Content-Type: application/cloudevents+avro\r\nce-specversion: 1.0\r\n", "x", 415,
	       "not understood");
	expect(house, EVENTS, "Content-Type: application/cloudevents+json; charset=latin1\r\n",
	       EVENT("1"), 415, "charset");
	expect(house, EVENTS, STRUCTURED "Content-Encoding: gzip\r\n", EVENT("1"), 415,
	       "send the body uncompressed");
	expect(house, EVENTS, "Content-Type: application/json\r\n", "{\"a\":1}", 400,
	       "without specversion");
	expect(house, EVENTS, "Content-Type: application/json\r\n", "7", 400, "specversion");
	assert_int_equal(log_count(&house->log), 0);
}

static void test_mistakes_have_a_place(void **state)
{
	struct house *house = *state;

	expect(house, EVENTS, STRUCTURED, "\n{\"specversion\":\"1.0\",\n  \"id\":}", 400,
	       "\"position\":30,\"line\":3,\"column\":8}");
	expect(house, EVENTS, STRUCTURED, "", 400, "\"position\":0");
	expect(house, EVENTS, STRUCTURED, "   ", 400, "\"position\":");
	expect(house, EVENTS, STRUCTURED, EVENT("1") EVENT("2"), 400, "\"position\":");
	expect(house, EVENTS, STRUCTURED, "{\"specversion\":\"1.0\",\"id\":\"1\",\"type\":\"t\"}",
	       400, "attribute \\\"source\\\" is missing");
	expect(house, EVENTS, STRUCTURED,
	       "{\"specversion\":\"0.3\",\"id\":\"1\",\"type\":\"t\",\"source\":\"/s\"}", 400,
	       "specversion");
	expect(house, EVENTS, STRUCTURED, "\"text\"", 400, "expected a JSON object");
	assert_int_equal(log_count(&house->log), 0);
}

static void test_too_deep(void **state)
{
	struct house *house = *state;
	struct dal_buffer body = {0};

	dal_buffer_text(&body, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\","
			       "\"type\":\"t\",\"data\":");
	for (int i = 0; i < 64; i++) {
		dal_buffer_byte(&body, '[');
	}
	for (int i = 0; i < 64; i++) {
		dal_buffer_byte(&body, ']');
	}
	dal_buffer_byte(&body, '}');
	expect(house, EVENTS, STRUCTURED, dal_buffer_cstr(&body), 400, "deep");
	dal_buffer_deinit(&body);
}

static void test_reserved(void **state)
{
	struct house *house = *state;

	expect(house, EVENTS, STRUCTURED,
	       "{\"specversion\":\"1.0\",\"id\":\"1\",\"type\":\"dalamb.x\",\"source\":\"/s\"}",
	       400, "belong to dalamb");
	expect(house, EVENTS, STRUCTURED,
	       "{\"specversion\":\"1.0\",\"id\":\"1\",\"type\":\"t\",\"source\":\"/s\","
	       "\"dalambhops\":1}",
	       400, "belong to dalamb");
	assert_int_equal(log_count(&house->log), 0);
}

static void test_repeats(void **state)
{
	struct house *house = *state;

	expect(house, EVENTS, STRUCTURED, EVENT("1"), 200, "{\"position\":\"events/0/1\"}");
	expect(house, EVENTS, STRUCTURED, EVENT("1"), 200,
	       "{\"position\":\"events/0/1\",\"repeated\":true}");
	/* Source and id don't run into each other; an escape is what it means. */
	expect(house, EVENTS, STRUCTURED,
	       "{\"specversion\":\"1.0\",\"id\":\"b\",\"type\":\"t\",\"source\":\"a\"}", 200,
	       "events/0/2");
	expect(house, EVENTS, STRUCTURED,
	       "{\"specversion\":\"1.0\",\"id\":\"ab\",\"type\":\"t\",\"source\":\"a\"}", 200,
	       "events/0/3");
	expect(house, EVENTS, STRUCTURED,
	       "{\"specversion\":\"1.0\",\"id\":\"\\u0061b\",\"type\":\"t\",\"source\":\"a\"}", 200,
	       "\"repeated\":true");
	expect(house, EVENTS, BATCH, "[" EVENT("1") "," EVENT("9") "]", 200,
	       "{\"positions\":[\"events/0/1\",\"events/0/4\"]}");
}

static void test_idempotency_key(void **state)
{
	struct house *house = *state;

	expect(house, EVENTS, STRUCTURED "Idempotency-Key: k1\r\n", EVENT("1"), 200,
	       "events/0/1\"}");
	expect(house, EVENTS, STRUCTURED "Idempotency-Key: k1\r\n", EVENT("1"), 200,
	       "events/0/1\",\"repeated\":true");
	expect(house, EVENTS, STRUCTURED "Idempotency-Key: k1\r\n", EVENT("2"), 422,
	       "another body");
	/* The key rules: the same source and id under another one is another event. */
	expect(house, EVENTS, STRUCTURED "Idempotency-Key: k2\r\n", EVENT("1"), 200,
	       "events/0/2\"}");
	expect(house, EVENTS "?topic=orders", STRUCTURED "Idempotency-Key: k2\r\n", EVENT("1"), 422,
	       NULL);
	expect(house, EVENTS, BATCH "Idempotency-Key: k3\r\n", "[" EVENT("1") "," EVENT("1") "]",
	       200, "[\"events/0/3\",\"events/0/4\"]");
	expect(house, EVENTS, BATCH "Idempotency-Key: k3\r\n", "[" EVENT("1") "," EVENT("1") "]",
	       200, "[\"events/0/3\",\"events/0/4\"]");
	expect(house, EVENTS, STRUCTURED "Idempotency-Key: \r\n", EVENT("1"), 400, "1 to 255");
	assert_int_equal(log_count(&house->log), 4);
}

static void test_topics(void **state)
{
	struct house *house = *state;

	expect(house, EVENTS "?topic=orders", STRUCTURED, EVENT("1"), 200, "orders/0/1");
	assert_string_equal(house->log.topics[0], "orders");
	expect(house, EVENTS "?topic=system", STRUCTURED, EVENT("2"), 400, "belongs to dalamb");
	expect(house, EVENTS "?topic=none", STRUCTURED, EVENT("2"), 400, "not declared");
	expect(house, EVENTS "?topic=", STRUCTURED, EVENT("2"), 400, "not declared");
}

static void test_batches(void **state)
{
	struct house *house = *state;

	expect(house, EVENTS, BATCH, "[]", 200, "{\"positions\":[]}");
	expect(house, EVENTS, BATCH, " [ " EVENT("1") " ,\n " EVENT("2") " ] \n", 200,
	       "{\"positions\":[\"events/0/1\",\"events/0/2\"]}");
	assert_string_equal(log_event(&house->log, 1), EVENT("2"));
	/* All or none. */
	expect(house, EVENTS, BATCH, "[" EVENT("3") ",\n{\"specversion\":\"1.0\"}]", 400,
	       "\"index\":1,\"position\":58,\"line\":2,\"column\":1}");
	expect(house, EVENTS, BATCH, "[" EVENT("3") "," EVENT("4"), 400, "\"position\":");
	expect(house, EVENTS, BATCH, "[" EVENT("3") ",7]", 400, "\"index\":1");
	expect(house, EVENTS, BATCH, EVENT("3"), 400, "a batch is a JSON array");
	expect(house, EVENTS, BATCH,
	       "[{\"specversion\":\"1.0\",\"id\":\"1\",\"type\":\"t\",\"source\":\"/s\","
	       "\"id\":\"2\"}]",
	       400, "duplicate key");
	assert_int_equal(log_count(&house->log), 2);
}

static void test_batch_of_too_many(void **state)
{
	struct house *house = *state;
	struct dal_buffer body = {0};

	dal_buffer_byte(&body, '[');
	for (int i = 0; i < 10001; i++) {
		dal_buffer_printf(&body, "%s" EVENT("%d"), i ? "," : "", i);
	}
	dal_buffer_byte(&body, ']');
	expect(house, EVENTS, BATCH, dal_buffer_cstr(&body), 413, "application/x-ndjson");
	assert_int_equal(log_count(&house->log), 0);
	dal_buffer_deinit(&body);
}

static struct house *small_house(void)
{
	struct house *house = house_new();

	house->options.event_bytes = 200;
	house->options.body_bytes = 1000;
	house_open(house);
	return house;
}

static void big_event(struct dal_buffer *out, size_t bytes)
{
	dal_buffer_text(out,
			"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\","
			"\"data\":\"");
	size_t start = out->size;
	while (out->size - start + 70 < bytes) {
		dal_buffer_byte(out, 'x');
	}
	dal_buffer_text(out, "\"}");
}

static void test_sizes(void **state)
{
	struct house *house = small_house();
	struct dal_buffer body = {0};

	(void)state;
	big_event(&body, 190);
	assert_true(body.size <= 200);
	expect(house, EVENTS, STRUCTURED, dal_buffer_cstr(&body), 200, NULL);
	dal_buffer_clear(&body);
	big_event(&body, 300);
	expect(house, EVENTS, STRUCTURED, dal_buffer_cstr(&body), 413, "limits.event");
	dal_buffer_clear(&body);
	dal_buffer_text(&body, "[" EVENT("2") ",");
	big_event(&body, 300);
	dal_buffer_text(&body, "]");
	expect(house, EVENTS, BATCH, dal_buffer_cstr(&body), 413, "\"index\":1");
	dal_buffer_clear(&body);
	big_event(&body, 1200);
	expect(house, EVENTS, STRUCTURED, dal_buffer_cstr(&body), 413, "limits.body");
	assert_int_equal(log_count(&house->log), 1);
	dal_buffer_deinit(&body);
	house_free(house);
}

/* Without a length it is refused on the way. */
static void test_size_of_chunks(void **state)
{
	struct house *house = small_house();
	struct dal_buffer out = {0};
	char chunk[600];
	int fd = dial(house);

	(void)state;
	memset(chunk, ' ', sizeof(chunk));
	tell(fd, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\n" STRUCTURED
		 "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 2; i++) {
		tell(fd, "258\r\n");
		say(fd, chunk, sizeof(chunk));
		tell(fd, "\r\n");
	}
	assert_int_equal(hear(fd, &out), 413);
	assert_true(holds(&out, "limits.body"));
	close(fd);
	dal_buffer_deinit(&out);
	house_free(house);
}

/* All bodies together have a bound: the one that passes it waits its turn. */
static void test_too_many_bodies(void **state)
{
	struct house *house = house_new();
	struct dal_buffer body = {0}, out = {0};
	int fd[4];

	(void)state;
	house->options.held_bytes = 3500;
	house_open(house);
	for (int i = 0; i < 900; i++) {
		dal_buffer_byte(&body, ' ');
	}
	for (int i = 0; i < 4; i++) {
		fd[i] = dial(house);
		tell(fd[i], "POST /v1/events HTTP/1.1\r\nHost: localhost\r\n" STRUCTURED
			    "Content-Length: 955\r\n\r\n");
		say(fd[i], body.data, body.size);
		usleep(50 * 1000);
	}
	tell(fd[3], EVENT("4"));
	assert_int_equal(hear(fd[3], &out), 503);
	assert_true(holds(&out, "Retry-After"));
	for (int i = 0; i < 3; i++) {
		tell(fd[i], EVENT("1"));
		assert_int_equal(hear(fd[i], NULL), 200);
		close(fd[i]);
	}
	close(fd[3]);
	expect(house, EVENTS, STRUCTURED, EVENT("4"), 200, "events/0/2");
	dal_buffer_deinit(&body);
	dal_buffer_deinit(&out);
	house_free(house);
}

static void test_sink_says_no(void **state)
{
	struct house *house = *state;

	log_refuse(&house->log, DAL_SINK_FULL, 1);
	expect(house, EVENTS, STRUCTURED, EVENT("1"), 503, "Retry-After: 1");
	log_refuse(&house->log, DAL_SINK_DISK, 1);
	expect(house, EVENTS, STRUCTURED, EVENT("1"), 503, "limits.disk_free");
	log_refuse(&house->log, -5, 1);
	expect(house, EVENTS, BATCH, "[" EVENT("1") "]", 503, "could not be written");
	log_refuse_done(&house->log, DAL_SINK_FULL, 1);
	expect(house, EVENTS, STRUCTURED, EVENT("1"), 503, "Retry-After: 1");
	log_refuse_done(&house->log, -5, 1);
	expect(house, EVENTS, STRUCTURED, EVENT("1"), 503, "could not be written");
	log_refuse(&house->log, DAL_SINK_TOO_LARGE, 1);
	expect(house, EVENTS, STRUCTURED, EVENT("1"), 413, "than its topic takes");
	log_refuse_done(&house->log, DAL_SINK_REFUSED, 1);
	expect(house, EVENTS, STRUCTURED, EVENT("1"), 502, "(as the log says)");
	assert_int_equal(log_count(&house->log), 0);
	expect(house, EVENTS, STRUCTURED, EVENT("1"), 200, "{\"position\":\"events/0/1\"}");
}

/* 2xx not before the log has it. */
static void test_answer_waits(void **state)
{
	struct house *house = *state;
	struct dal_buffer out = {0};
	int fd = dial(house);
	char byte;

	log_hold(&house->log, true);
	tell(fd, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\n" STRUCTURED
		 "Content-Length: 55\r\n\r\n" EVENT("1"));
	usleep(100 * 1000);
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK), -1);
	log_hold(&house->log, false);
	assert_int_equal(hear(fd, &out), 200);
	close(fd);
	dal_buffer_deinit(&out);
}

/* What was sent is kept, whoever waits for the answer or not. */
static void test_client_leaves(void **state)
{
	struct house *house = *state;

	log_hold(&house->log, true);
	for (int i = 0; i < 3; i++) {
		int fd = dial(house);
		tell(fd, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\n" BATCH
			 "Content-Length: 113\r\n\r\n[" EVENT("1") "," EVENT("2") "]");
		usleep(30 * 1000);
		close(fd);
	}
	int fd = dial(house);
	tell(fd, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\n" STRUCTURED
		 "Content-Length: 100\r\n\r\n{\"specversion\":");
	close(fd);
	log_hold(&house->log, false);
	log_wait(&house->log, 2);
	expect(house, EVENTS, STRUCTURED, EVENT("3"), 200, "{\"position\":\"events/0/3\"}");
}

static void test_keep_alive(void **state)
{
	struct house *house = *state;
	struct dal_buffer out = {0};
	int fd = dial(house);

	for (int i = 0; i < 3; i++) {
		tell(fd, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\n" STRUCTURED
			 "Content-Length: 55\r\n\r\n" EVENT("1"));
		assert_int_equal(hear(fd, &out), 200);
		tell(fd, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\n" STRUCTURED
			 "Content-Length: 1\r\n\r\n{");
		assert_int_equal(hear(fd, &out), 400);
	}
	close(fd);
	dal_buffer_deinit(&out);
}

static void test_handshake(void **state)
{
	struct house *house = *state;
	struct dal_buffer out = {0};
	int fd = dial(house);

	tell(fd, "OPTIONS /v1/events HTTP/1.1\r\nHost: localhost\r\n"
		 "WebHook-Request-Origin: eventemitter.example.com\r\n"
		 "WebHook-Request-Callback: http://127.0.0.1:1/confirm\r\n"
		 "WebHook-Request-Rate: 120\r\n\r\n");
	assert_int_equal(hear(fd, &out), 200);
	assert_true(holds(&out, "Allow: POST, OPTIONS\r\n"));
	assert_true(holds(&out, "WebHook-Allowed-Origin: eventemitter.example.com\r\n"));
	assert_true(holds(&out, "WebHook-Allowed-Rate: *\r\n"));
	dal_buffer_clear(&out);
	tell(fd, "OPTIONS /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_int_equal(hear(fd, &out), 200);
	assert_true(holds(&out, "Allow: POST, OPTIONS\r\n"));
	assert_false(holds(&out, "WebHook-Allowed"));
	close(fd);
	dal_buffer_deinit(&out);
}

static void test_counts(void **state)
{
	struct house *house = *state;
	struct dal_metric *of[3];
	const char *const labels[3] = {"connector=\"http\",result=\"accepted\"",
				       "connector=\"http\",result=\"repeated\"",
				       "connector=\"http\",result=\"refused\""};
	int64_t before[3];

	for (int i = 0; i < 3; i++) {
		of[i] = dal_metric_counter("dalamb_connector_events_total", "", labels[i]);
		before[i] = dal_metric_get(of[i]);
	}
	expect(house, EVENTS, BATCH, "[" EVENT("1") "," EVENT("2") "," EVENT("1") "]", 200, NULL);
	expect(house, EVENTS, STRUCTURED, "{", 400, NULL);
	assert_int_equal(dal_metric_get(of[0]) - before[0], 2);
	assert_int_equal(dal_metric_get(of[1]) - before[1], 1);
	assert_int_equal(dal_metric_get(of[2]) - before[2], 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_structured_keeps_the_bytes),
		CASE(test_media_types),
		CASE(test_media_types_refused),
		CASE(test_mistakes_have_a_place),
		CASE(test_too_deep),
		CASE(test_reserved),
		CASE(test_repeats),
		CASE(test_idempotency_key),
		CASE(test_topics),
		CASE(test_batches),
		CASE(test_batch_of_too_many),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_size_of_chunks),
		cmocka_unit_test(test_too_many_bodies),
		CASE(test_sink_says_no),
		CASE(test_answer_waits),
		CASE(test_client_leaves),
		CASE(test_keep_alive),
		CASE(test_handshake),
		CASE(test_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
