/*
 * Makes a topic and fills it with the benchmarks' events, keyed by their customer as Java's clients
 * do (murmur2), uncompressed, structured or in binary mode.
 *
 *	bench_kafka_fill BROKERS TOPIC structured|binary [KEYS [EVENTS [PARTITIONS]]]
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/event.h"

static void die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

static rd_kafka_t *producer_new(const char *brokers)
{
	static const char *const settings[][2] = {
		{"partitioner", "murmur2"},
		{"linger.ms", "20"},
		{"acks", "all"},
		{"queue.buffering.max.messages", "200000"},
		{"queue.buffering.max.kbytes", "131072"},
	};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *handle;
	char why[512];

	rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof(why));
	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], why, sizeof(why))) {
			die(settings[i][0], why);
		}
	}
	handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (!handle) {
		die("producer", why);
	}
	return handle;
}

static void topic_make(rd_kafka_t *handle, const char *name, int partitions)
{
	char why[512];
	rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, partitions, 1, why, sizeof(why));
	rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
	const rd_kafka_topic_result_t **results;
	rd_kafka_event_t *event;
	size_t count;

	rd_kafka_CreateTopics(handle, &topic, 1, NULL, queue);
	event = rd_kafka_queue_poll(queue, 30000);
	if (!event || rd_kafka_event_error(event)) {
		die(name, event ? rd_kafka_event_error_string(event) : "no answer");
	}
	results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event),
						      &count);
	if (rd_kafka_topic_result_error(results[0])) {
		die(name, rd_kafka_topic_result_error_string(results[0]));
	}
	rd_kafka_event_destroy(event);
	rd_kafka_queue_destroy(queue);
	rd_kafka_NewTopic_destroy(topic);
}

static void header_add(rd_kafka_headers_t *headers, const char *name, struct dal_slice value)
{
	rd_kafka_header_add(headers, name, -1, value.data, (ssize_t)value.size);
}

static rd_kafka_headers_t *headers_of(const struct bench_event *event)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(6);

	header_add(headers, "ce_specversion", dal_slice_text("1.0"));
	header_add(headers, "ce_id", event->id);
	header_add(headers, "ce_source", dal_slice_text("/shop/web"));
	header_add(headers, "ce_type", dal_slice_text("order.placed"));
	header_add(headers, "ce_time", event->time);
	header_add(headers, "content-type", dal_slice_text("application/json"));
	return headers;
}

static void produce(rd_kafka_t *handle, const char *topic, const struct bench_event *event,
		    bool binary)
{
	struct dal_slice value = binary ? event->data : dal_slice(event->text, event->size);
	rd_kafka_resp_err_t code;

	do {
		rd_kafka_headers_t *headers = binary ? headers_of(event) : rd_kafka_headers_new(0);
		code = rd_kafka_producev(handle, RD_KAFKA_V_TOPIC(topic),
					 RD_KAFKA_V_KEY(event->customer.data, event->customer.size),
					 RD_KAFKA_V_VALUE((void *)value.data, value.size),
					 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
					 RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
		if (code) {
			rd_kafka_headers_destroy(headers);
			rd_kafka_poll(handle, 10);
		}
	} while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL);
	if (code) {
		die(topic, rd_kafka_err2str(code));
	}
}

int main(int argc, char **argv)
{
	uint64_t keys = argc > 4 ? strtoull(argv[4], NULL, 10) : 1000;
	uint64_t events = argc > 5 ? strtoull(argv[5], NULL, 10) : 1000000;
	int partitions = argc > 6 ? (int)strtol(argv[6], NULL, 10) : 12;
	struct bench_event event;
	rd_kafka_t *handle;
	bool binary;

	if (argc < 4) {
		die("bench_kafka_fill", "BROKERS TOPIC structured|binary [KEYS [EVENTS "
					"[PARTITIONS]]]");
	}
	binary = strcmp(argv[3], "binary") == 0;
	handle = producer_new(argv[1]);
	topic_make(handle, argv[2], partitions);
	for (uint64_t n = 0; n < events; n++) {
		bench_event_make(&event, n, keys);
		produce(handle, argv[2], &event, binary);
		if (n % 1000 == 0) {
			rd_kafka_poll(handle, 0);
		}
	}
	if (rd_kafka_flush(handle, 60000)) {
		die(argv[2], "the broker does not take it");
	}
	rd_kafka_destroy(handle);
	return 0;
}
