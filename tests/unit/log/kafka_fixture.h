/*
 * A log on the broker of DALAMB_TEST_BROKERS, with an app of its own name for each test, and what
 * others do with that broker. Without that variable the tests are skipped.
 */
#ifndef DAL_TESTS_LOG_KAFKA_FIXTURE_H
#define DAL_TESTS_LOG_KAFKA_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <stdatomic.h>

#include "engine/log/log.h"

#define TOPICS 4

struct kafka_fixture {
	const char *brokers;
	char *folder; /* the data folder */
	char app[32];
	struct dal_log_topic topics[TOPICS];
	struct dal_log_options options;
	struct dal_log *log;
	struct dal_log_reader *reader;
	struct dal_log_batch batch;
	rd_kafka_t *other; /* somebody else's producer, made when it is needed */
	_Atomic int advances;
};

/* For the start of a test: without a broker it is skipped. */
#define WITH_BROKER(f)                                                                             \
	struct kafka_fixture *f = *own;                                                            \
	if (!kafka_there(f)) {                                                                     \
		skip();                                                                            \
	}

int kafka_setup(void **own);
int kafka_teardown(void **own);
/* False: the test is to be skipped. */
bool kafka_there(const struct kafka_fixture *f);
void kafka_open(struct kafka_fixture *f);
void kafka_close(struct kafka_fixture *f);

/* A topic for others, named <app>.NAME; declared for the next open. Gives the whole name. */
const char *kafka_topic(struct kafka_fixture *f, const char *name, int partitions,
			const char *config, const char *value);
/* Deleted, and made again, empty. */
void kafka_make_again(struct kafka_fixture *f, const char *topic, int partitions);
/* Somebody else's record: NULL key or value is null. Headers are pairs, until a NULL. */
void kafka_put(struct kafka_fixture *f, const char *topic, int partition, const char *key,
	       const char *value, const char *const *headers);
void kafka_put_bytes(struct kafka_fixture *f, const char *topic, int partition,
		     struct dal_slice value, const char *const *headers);
void kafka_flush(struct kafka_fixture *f);
/* Those before this offset are gone. */
void kafka_delete_before(struct kafka_fixture *f, const char *topic, int partition, int64_t offset);

/* Appends one event to `events`, and gives where it lies. */
struct dal_place kafka_append(struct kafka_fixture *f, const char *event, const char *dedup);
/* The next record of the fixture's reader within ten seconds; NULL: there is none. It is valid
 * until the next one. */
const struct dal_log_record *kafka_next(struct kafka_fixture *f);
/* Its event's text, cut, until the next call. */
const char *kafka_text(const struct dal_log_record *record);
/* The next one, which must be there, parsed and accepted: the event's text. */
const char *kafka_next_event(struct kafka_fixture *f);
bool kafka_accepts(struct kafka_fixture *f, const struct dal_log_record *record,
		   struct dal_error *why);
/* Waits until all partitions are ours. */
void kafka_await_ours(struct kafka_fixture *f);

#endif
