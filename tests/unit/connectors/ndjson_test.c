/* POST /v1/events with NDJSON: any length, slow and full logs, clients that hang up. */
#include "tests/unit/connectors/fixture.h"

#include <malloc.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/memory.h"

#define EVENTS "/v1/events"
#define HEAD "POST /v1/events HTTP/1.1\r\nHost: localhost\r\n" NDJSON

static void put_event(struct dal_buffer *out, int id, size_t padding)
{
	dal_buffer_printf(out,
			  "{\"specversion\":\"1.0\",\"id\":\"%d\",\"source\":\"/s\",\"type\":\"t\","
			  "\"data\":\"",
			  id);
	for (size_t i = 0; i < padding; i++) {
		dal_buffer_byte(out, 'x');
	}
	dal_buffer_text(out, "\"}\n");
}

static void test_summary(void **state)
{
	struct house *house = *state;

	expect(house, EVENTS, NDJSON, EVENT("1") "\n" EVENT("2") "\n", 200,
	       "\r\n\r\n{\"accepted\":2,\"repeated\":0,\"refused\":0,\"first\":\"events/0/1\","
	       "\"last\":\"events/0/2\",\"errors\":[]}\n");
	/* Empty lines, CR LF, spaces, and a last line without an end. */
	expect(house, EVENTS, "Content-Type: Application/NDJSON; charset=utf-8\r\n",
	       "\n\r\n  " EVENT("3") " \r\n\n" EVENT("1") "\r\n \t\n" EVENT("4"), 200,
	       "{\"accepted\":2,\"repeated\":1,\"refused\":0,\"first\":\"events/0/3\","
	       "\"last\":\"events/0/4\",\"errors\":[]}");
	assert_string_equal(log_event(&house->log, 2), EVENT("3"));
	/* Only repeats: their places. */
	expect(house, EVENTS, NDJSON, EVENT("2") "\n" EVENT("3"), 200,
	       "{\"accepted\":0,\"repeated\":2,\"refused\":0,\"first\":\"events/0/2\","
	       "\"last\":\"events/0/3\",\"errors\":[]}");
	expect(house, EVENTS, NDJSON, "", 200,
	       "{\"accepted\":0,\"repeated\":0,\"refused\":0,\"errors\":[]}");
	expect(house, EVENTS, NDJSON, "\n\n", 200, "\"accepted\":0");
	assert_int_equal(log_count(&house->log), 4);
}

static void test_broken_lines(void **state)
{
	struct house *house = *state;

	expect(house, EVENTS, NDJSON,
	       EVENT("1") "\n{\"specversion\":}\n\n{}\n" EVENT("2") "\n  nonsense", 400,
	       "\"accepted\":2,\"repeated\":0,\"refused\":3,\"first\":\"events/0/1\","
	       "\"last\":\"events/0/2\",\"errors\":["
	       "{\"line\":2,\"detail\":\"column 16: expected a value\"},{\"line\":4,\"detail\":\"");
	expect(house, EVENTS, NDJSON,
	       "{\"specversion\":\"1.0\",\"id\":\"9\",\"type\":\"dalamb.x\",\"source\":\"/s\"}",
	       400, "{\"line\":1,\"detail\":\"types that begin");
	assert_int_equal(log_count(&house->log), 2);
}

/* The first 100 mistakes are told, all are counted. */
static void test_many_errors(void **state)
{
	struct house *house = *state;
	struct dal_buffer body = {0}, out = {0};

	for (int i = 0; i < 150; i++) {
		dal_buffer_text(&body, "x\n");
	}
	assert_int_equal(post(house, EVENTS, NDJSON, dal_buffer_cstr(&body), &out), 400);
	assert_true(holds(&out, "\"refused\":150,"));
	assert_true(holds(&out, "{\"line\":100,"));
	assert_false(holds(&out, "{\"line\":101,"));
	dal_buffer_deinit(&body);
	dal_buffer_deinit(&out);
}

static void test_topic_and_key(void **state)
{
	struct house *house = *state;

	expect(house, EVENTS "?topic=orders", NDJSON, EVENT("1"), 200, "\"first\":\"orders/0/1\"");
	assert_string_equal(house->log.topics[0], "orders");
	expect(house, EVENTS, NDJSON "Idempotency-Key: k\r\n", EVENT("1") "\n" EVENT("1"), 200,
	       "\"accepted\":2,");
	expect(house, EVENTS, NDJSON "Idempotency-Key: k\r\n", EVENT("1") "\n" EVENT("1"), 200,
	       "\"accepted\":0,\"repeated\":2,");
	expect(house, EVENTS, NDJSON "Idempotency-Key: k\r\n", EVENT("1") "\n" EVENT("2"), 200,
	       "\"accepted\":1,\"repeated\":1,");
	expect(house, EVENTS "?topic=system", NDJSON, EVENT("1"), 400, "belongs to dalamb");
	expect(house, EVENTS, NDJSON "Content-Encoding: gzip\r\n", EVENT("1"), 415, NULL);
}

/* A hundred thousand lines, every tenth broken, in constant memory: the body alone has 40 MB. */
static void test_long(void **state)
{
	struct house *house = house_new();
	struct dal_buffer part = {0}, out = {0};
	size_t most = 0;

	(void)state;
	house->log.forget = true;
	house_open(house);
	int fd = dial(house);
	tell(fd, HEAD "Transfer-Encoding: chunked\r\n\r\n");
	size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
	for (int i = 0; i < 100000;) {
		dal_buffer_clear(&part);
		for (int k = 0; k < 100; k++, i++) {
			if (i % 10 == 9) {
				dal_buffer_text(&part, "{\"broken\":\n");
			} else {
				put_event(&part, i, 350);
			}
		}
		char size[16];
		snprintf(size, sizeof(size), "%zx\r\n", part.size);
		tell(fd, size);
		say(fd, part.data, part.size);
		tell(fd, "\r\n");
		size_t now = mallinfo2().uordblks + mallinfo2().hblkhd;
		most = now > most ? now : most;
	}
	tell(fd, "0\r\n\r\n");
	assert_int_equal(hear(fd, &out), 400);
	assert_true(holds(&out, "\"accepted\":90000,\"repeated\":0,\"refused\":10000,"
				"\"first\":\"events/0/1\",\"last\":\"events/0/90000\""));
	assert_true(holds(&out, "{\"line\":10,"));
	assert_int_equal(log_count(&house->log), 90000);
	assert_true(most < before + 16 * 1024 * 1024);
	close(fd);
	dal_buffer_deinit(&part);
	dal_buffer_deinit(&out);
	house_free(house);
}

/* A line over the limit, however long, is one refused line, and the next one counts. */
static void test_long_line(void **state)
{
	struct house *house = house_new();
	struct dal_buffer body = {0};

	(void)state;
	house->options.event_bytes = 1000;
	house_open(house);
	put_event(&body, 1, 10);
	put_event(&body, 2, 1200);
	put_event(&body, 3, 10);
	put_event(&body, 4, 500000);
	put_event(&body, 5, 10);
	dal_buffer_text(&body, "x\n");
	expect(house, EVENTS, NDJSON, dal_buffer_cstr(&body), 400,
	       "\"accepted\":3,\"repeated\":0,\"refused\":3,\"first\":\"events/0/1\","
	       "\"last\":\"events/0/3\",\"errors\":[{\"line\":2,");
	expect(house, EVENTS, NDJSON, dal_buffer_cstr(&body), 400, "{\"line\":4,\"detail\":\"the");
	expect(house, EVENTS, NDJSON, dal_buffer_cstr(&body), 400, "{\"line\":6,");
	assert_int_equal(log_count(&house->log), 3);
	dal_buffer_clear(&body);
	put_event(&body, 9, 500000);
	body.size--;
	expect(house, EVENTS, NDJSON, dal_buffer_cstr(&body), 400, "\"refused\":1,");
	dal_buffer_deinit(&body);
	house_free(house);
}

/* Pieces that end anywhere. */
static void test_byte_by_byte(void **state)
{
	struct house *house = *state;
	struct dal_buffer body = {0}, out = {0};
	int fd = dial(house);

	for (int i = 0; i < 5; i++) {
		put_event(&body, i, 3);
	}
	tell(fd, HEAD "Transfer-Encoding: chunked\r\n\r\n");
	for (size_t i = 0; i < body.size; i++) {
		char chunk[] = "1\r\nx\r\n";
		chunk[3] = body.data[i];
		say(fd, chunk, 6);
	}
	tell(fd, "0\r\n\r\n");
	assert_int_equal(hear(fd, &out), 200);
	assert_true(holds(&out, "\"accepted\":5,"));
	assert_true(strncmp(log_event(&house->log, 4), body.data + 4 * body.size / 5,
			    body.size / 5 - 1) == 0);
	close(fd);
	dal_buffer_deinit(&body);
	dal_buffer_deinit(&out);
}

/* The order in the log is the order of the lines. */
static void expect_in_order(struct house *house, size_t count)
{
	assert_int_equal(log_count(&house->log), count);
	for (size_t i = 0; i < count; i++) {
		char id[32];
		snprintf(id, sizeof(id), "\"id\":\"%zu\"", i);
		assert_non_null(strstr(log_event(&house->log, i), id));
	}
}

static unsigned dice(unsigned *seed, unsigned sides)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 16) % sides;
}

/* Good, broken, empty and too long lines; what must come of them. */
static void put_random_lines(struct dal_buffer *out, unsigned *seed, size_t *good, size_t *bad)
{
	for (int i = 0; i < 300; i++) {
		switch (dice(seed, 6)) {
		case 0:
			dal_buffer_text(out, dice(seed, 2) ? "{\"id\":\n" : "{}\r\n");
			(*bad)++;
			break;
		case 1:
			dal_buffer_text(out, dice(seed, 2) ? "\n" : " \t\r\n");
			break;
		case 2:
			put_event(out, 0, 1000 + dice(seed, 20000));
			(*bad)++;
			break;
		default:
			put_event(out, (int)(*good)++, dice(seed, 800));
		}
	}
}

/* However the body is cut, the same comes of it. */
static void test_random_pieces(void **state)
{
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < 20; round++) {
		struct house *house = house_new();
		struct dal_buffer body = {0}, out = {0};
		size_t good = 0, bad = 0;
		char text[80];
		house->options.event_bytes = 1000;
		house_open(house);
		put_random_lines(&body, &seed, &good, &bad);
		int fd = dial(house);
		tell(fd, HEAD "Transfer-Encoding: chunked\r\n\r\n");
		for (size_t at = 0; at < body.size;) {
			size_t size = 1 + dice(&seed, dice(&seed, 2) ? 20 : 9000);
			size = size < body.size - at ? size : body.size - at;
			snprintf(text, sizeof(text), "%zx\r\n", size);
			tell(fd, text);
			say(fd, body.data + at, size);
			tell(fd, "\r\n");
			at += size;
		}
		tell(fd, "0\r\n\r\n");
		assert_int_equal(hear(fd, &out), 400);
		snprintf(text, sizeof(text), "\"accepted\":%zu,\"repeated\":0,\"refused\":%zu,",
			 good, bad);
		assert_true(holds(&out, text));
		expect_in_order(house, good);
		close(fd);
		dal_buffer_deinit(&body);
		dal_buffer_deinit(&out);
		house_free(house);
	}
}

/* A producer that sends a line now and then: each is kept without waiting for more. */
static void test_slow_producer(void **state)
{
	struct house *house = *state;
	struct dal_buffer line = {0}, out = {0};
	int fd = dial(house);

	tell(fd, HEAD "Content-Length: 10000\r\n\r\n");
	for (int i = 0; i < 5; i++) {
		dal_buffer_clear(&line);
		put_event(&line, i, 0);
		say(fd, line.data, line.size);
		log_wait(&house->log, (size_t)i + 1);
	}
	close(fd);
	dal_buffer_deinit(&line);
	dal_buffer_deinit(&out);
}

/* Sends so many events on its own thread, as the server may read slowly. */
struct producer {
	pthread_t thread;
	int fd, count;
	_Atomic size_t sent;
};

static void *producer_run(void *data)
{
	struct producer *producer = data;
	struct dal_buffer part = {0};

	for (int i = 0; i < producer->count; i++) {
		dal_buffer_clear(&part);
		put_event(&part, i, 350);
		char size[16];
		snprintf(size, sizeof(size), "%zx\r\n", part.size);
		tell(producer->fd, size);
		dal_buffer_text(&part, "\r\n");
		say(producer->fd, part.data, part.size);
		producer->sent += part.size;
	}
	tell(producer->fd, "0\r\n\r\n");
	dal_buffer_deinit(&part);
	return NULL;
}

static void producer_start(struct producer *producer, struct house *house, int count)
{
	producer->fd = dial(house);
	producer->count = count;
	producer->sent = 0;
	tell(producer->fd, HEAD "Transfer-Encoding: chunked\r\n\r\n");
	assert_int_equal(pthread_create(&producer->thread, NULL, producer_run, producer), 0);
}

static void producer_expect(struct producer *producer, int status, const char *text)
{
	struct dal_buffer out = {0};

	pthread_join(producer->thread, NULL);
	int got = hear(producer->fd, &out);
	if (got != status || !holds(&out, text)) {
		fail_msg("expected %d with %s, got %s", status, text, dal_buffer_cstr(&out));
	}
	close(producer->fd);
	dal_buffer_deinit(&out);
}

/* A log that stands still: the client is held up, and two groups wait at most. */
static void test_backpressure(void **state)
{
	struct house *house = *state;
	struct producer producer;
	size_t before = 0;

	log_hold(&house->log, true);
	producer_start(&producer, house, 60000);
	for (int still = 0; still < 5;) {
		usleep(50 * 1000);
		still = producer.sent == before && before > 0 ? still + 1 : 0;
		before = producer.sent;
	}
	assert_true(before < 16 * 1024 * 1024); /* of 24 MB; the sockets hold some */
	pthread_mutex_lock(&house->log.lock);
	assert_in_range(house->log.most_queued, 1, 2);
	pthread_mutex_unlock(&house->log.lock);
	log_hold(&house->log, false);
	producer_expect(&producer, 200, "\"accepted\":60000,");
	expect_in_order(house, 60000);
}

/* Full, whether it says so at once (then the order stays) or later: asked again until there is
 * room.
 */
static void test_full(void **state)
{
	struct house *house = *state;
	struct producer producer;

	log_refuse(&house->log, DAL_SINK_FULL, 5);
	producer_start(&producer, house, 20000);
	producer_expect(&producer, 200, "\"accepted\":20000,");
	expect_in_order(house, 20000);
	log_refuse_done(&house->log, DAL_SINK_FULL, 1);
	expect(house, EVENTS, NDJSON, EVENT("a") "\n" EVENT("b"), 200, "\"accepted\":2,");
	assert_int_equal(log_count(&house->log), 20002);
}

static void test_fails(void **state)
{
	struct house *house = *state;
	struct producer producer;

	log_refuse(&house->log, DAL_SINK_DISK, 1);
	expect(house, EVENTS, NDJSON, EVENT("1") "\n", 503, "limits.disk_free");
	log_refuse_done(&house->log, -5, 1);
	expect(house, EVENTS, NDJSON, EVENT("1") "\n", 503, "\"accepted\":0,");
	assert_int_equal(log_count(&house->log), 0);
	/* In the middle: what stands before is kept, and the client learns of it without sending
	 * all. */
	struct dal_buffer line = {0}, out = {0};
	int fd = dial(house);
	tell(fd, HEAD "Content-Length: 100000000\r\n\r\n" EVENT("1") "\n");
	log_wait(&house->log, 1);
	log_refuse(&house->log, -5, SIZE_MAX);
	tell(fd, EVENT("2") "\n" EVENT("3") "\n");
	usleep(50 * 1000);
	tell(fd, EVENT("4") "\n");
	assert_int_equal(hear(fd, &out), 503);
	assert_true(holds(&out, "before line 2 is kept"));
	assert_true(holds(&out, "\"accepted\":1,"));
	close(fd);
	dal_buffer_deinit(&line);
	dal_buffer_deinit(&out);
	/* A whole stream into a log that is broken. */
	producer_start(&producer, house, 20000);
	producer_expect(&producer, 503, "\"accepted\":0,");
}

/* What came in whole lines is kept, also what still waits when the client has gone. */
static void test_hang_up(void **state)
{
	struct house *house = *state;
	struct dal_buffer body = {0};

	for (int i = 0; i < 50; i++) {
		put_event(&body, i, 10);
	}
	log_hold(&house->log, true);
	int fd = dial(house);
	tell(fd, HEAD "Content-Length: 100000\r\n\r\n");
	say(fd, body.data, body.size);
	tell(fd, "{\"specversion\":");
	usleep(50 * 1000);
	close(fd);
	usleep(50 * 1000);
	log_hold(&house->log, false);
	log_wait(&house->log, 50);
	assert_int_equal(log_count(&house->log), 50);
	dal_buffer_deinit(&body);
}

/* A client that goes while the log is full, and an engine that stops then: nobody waits for ever.
 */
static void test_stop_while_full(void **state)
{
	struct house *house = house_new();

	(void)state;
	house_open(house);
	log_refuse(&house->log, DAL_SINK_FULL, SIZE_MAX);
	int fd = dial(house);
	tell(fd, HEAD "Content-Length: 100000\r\n\r\n" EVENT("1") "\n");
	usleep(50 * 1000);
	close(fd);
	usleep(50 * 1000);
	house_free(house);
}

struct crowd {
	pthread_t thread;
	struct house *house;
	int number, status;
};

static void *crowd_run(void *data)
{
	struct crowd *one = data;
	struct dal_buffer body = {0};

	for (int i = 0; i < 500; i++) {
		put_event(&body, one->number * 1000 + i, 100);
	}
	one->status = post_bytes(one->house, EVENTS, NDJSON, body.data, body.size, NULL);
	dal_buffer_deinit(&body);
	return NULL;
}

static void test_many_at_once(void **state)
{
	struct house *house = *state;
	struct crowd crowd[16];

	log_refuse(&house->log, DAL_SINK_FULL, 10);
	for (int i = 0; i < 16; i++) {
		crowd[i] = (struct crowd){.house = house, .number = i};
		assert_int_equal(pthread_create(&crowd[i].thread, NULL, crowd_run, &crowd[i]), 0);
	}
	for (int i = 0; i < 16; i++) {
		pthread_join(crowd[i].thread, NULL);
		assert_int_equal(crowd[i].status, 200);
	}
	assert_int_equal(log_count(&house->log), 16 * 500);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_summary),
		CASE(test_broken_lines),
		CASE(test_many_errors),
		CASE(test_topic_and_key),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_long_line),
		CASE(test_byte_by_byte),
		cmocka_unit_test(test_random_pieces),
		CASE(test_slow_producer),
		CASE(test_backpressure),
		CASE(test_full),
		CASE(test_fails),
		CASE(test_hang_up),
		cmocka_unit_test(test_stop_while_full),
		CASE(test_many_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
