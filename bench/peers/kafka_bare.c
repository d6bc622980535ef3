/*
 * The peer of the stream from Kafka: librdkafka's consumer, alone, which reads all partitions of a
 * topic from their start to their end, parses each value into simdjson's DOM and counts. It folds
 * nothing and stores nothing: the limit of whoever reads through librdkafka.
 *
 *	bench_kafka_bare BROKERS TOPIC [PARTITIONS]
 *
 * Its settings are those that dalamb reads with: bounded by size, never by number; checksums are
 * looked at. Writes: records, bytes, seconds from the first record to the last.
 */
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/peers/parse.h"
#include "engine/base/clock.h"

enum { AT_ONCE = 1000 };

struct count {
	uint64_t records, bytes, broken;
	int64_t first_us, last_us;
	int ends;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

static rd_kafka_t *consumer_new(const char *brokers)
{
	static const char *const settings[][2] = {
		{"group.id", "bench"},
		{"enable.auto.commit", "false"},
		{"enable.partition.eof", "true"},
		{"auto.offset.reset", "error"},
		{"check.crcs", "true"},
		{"isolation.level", "read_committed"},
		{"queued.min.messages", "5000000"},
		{"queued.max.messages.kbytes", "65536"},
		{"fetch.max.bytes", "16777216"},
		{"fetch.wait.max.ms", "100"},
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
	handle = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
	if (!handle) {
		die("consumer", why);
	}
	rd_kafka_poll_set_consumer(handle);
	return handle;
}

static void assign(rd_kafka_t *handle, const char *topic, int partitions)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);

	for (int k = 0; k < partitions; k++) {
		rd_kafka_topic_partition_list_add(list, topic, k)->offset =
			RD_KAFKA_OFFSET_BEGINNING;
	}
	if (rd_kafka_assign(handle, list)) {
		die(topic, "can't be assigned");
	}
	rd_kafka_topic_partition_list_destroy(list);
}

static void take(struct count *count, const rd_kafka_message_t *message)
{
	if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		count->ends++;
	} else if (message->err) {
		die("consumer", rd_kafka_message_errstr(message));
	} else {
		if (count->records++ == 0) {
			count->first_us = dal_clock_monotonic_us();
		}
		count->bytes += message->len;
		count->broken += !peer_parse(message->payload, message->len);
	}
}

static void run(rd_kafka_t *handle, int partitions, struct count *count)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(handle);
	rd_kafka_message_t *messages[AT_ONCE];

	while (count->ends < partitions) {
		ssize_t got = rd_kafka_consume_batch_queue(queue, 100, messages, AT_ONCE);
		for (ssize_t i = 0; i < got; i++) {
			take(count, messages[i]);
			rd_kafka_message_destroy(messages[i]);
		}
	}
	count->last_us = dal_clock_monotonic_us();
	rd_kafka_queue_destroy(queue);
}

int main(int argc, char **argv)
{
	int partitions = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 12;
	struct count count = {0};
	rd_kafka_t *handle;

	if (argc < 3) {
		die("bench_kafka_bare", "BROKERS TOPIC [PARTITIONS]");
	}
	handle = consumer_new(argv[1]);
	assign(handle, argv[2], partitions);
	run(handle, partitions, &count);
	if (count.broken) {
		die(argv[2], "values that are no JSON");
	}
	printf("%llu %llu %.6f\n", (unsigned long long)count.records,
	       (unsigned long long)count.bytes, (double)(count.last_us - count.first_us) / 1e6);
	fflush(stdout); /* who measures stops its clock here */
	rd_kafka_consumer_close(handle);
	rd_kafka_destroy(handle);
	return 0;
}
