/* A server with the connectors on a free port, and a log in memory that can be made to misbehave.
 */
#ifndef DAL_TESTS_UNIT_CONNECTORS_FIXTURE_H
#define DAL_TESTS_UNIT_CONNECTORS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "connectors/connectors.h"
#include "engine/base/map.h"

/* Answers from a thread of its own, as the log's writer does. */
struct fake_log {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t writer;
	struct dal_sink_batch *queue[64];
	size_t queued, most_queued;
	bool quit;
	bool held;         /* the writer waits */
	int refuse_append; /* given by `append` ... */
	size_t refusals;   /* ... so often; SIZE_MAX: for good */
	int refuse_done;   /* given to `done`, as often as ... */
	size_t refuse_done_times;
	size_t appends;
	/* what was kept */
	struct dal_buffer *events;
	char **topics;
	size_t count, capacity;
	bool forget;         /* counts only */
	struct dal_map *ids; /* dedup key: offset + 1 as a pointer */
	struct dal_map *requests;
};

struct house {
	struct fake_log log;
	struct dal_ingress *ingress;
	struct dal_github *github;
	struct dal_http_server *server;
	struct dal_ingress_options options; /* change them before house_open */
	struct dal_declaration declared;
};

int house_setup(void **state); /* of cmocka: a house that is open, with github */
int house_teardown(void **state);
struct house *house_new(void);
void house_open(struct house *house);
void house_free(struct house *house);

/* Waits until so many events are kept; fails after 10 s. */
void log_wait(struct fake_log *log, size_t count);
void log_hold(struct fake_log *log, bool held);
void log_refuse(struct fake_log *log, int result, size_t times);
void log_refuse_done(struct fake_log *log, int result, size_t times);
size_t log_count(struct fake_log *log);
const char *log_event(struct fake_log *log, size_t index);

int dial(struct house *house);
void say(int fd, const void *text, size_t size);
void tell(int fd, const char *text);
/* One answer: its status (0: the connection ended), head and body appended to `out`. */
int hear(int fd, struct dal_buffer *out);

/* POST `path` with these header lines ("A: b\r\n") and body; Content-Length is added. */
int post_bytes(struct house *house, const char *path, const char *headers, const void *body,
	       size_t size, struct dal_buffer *out);
int post(struct house *house, const char *path, const char *headers, const char *body,
	 struct dal_buffer *out);
/* The same, and the answer has this status and holds this text (or NULL). */
void expect(struct house *house, const char *path, const char *headers, const char *body,
	    int status, const char *text);
bool holds(const struct dal_buffer *buffer, const char *text);

#define STRUCTURED "Content-Type: application/cloudevents+json\r\n"
#define BATCH "Content-Type: application/cloudevents-batch+json\r\n"
#define NDJSON "Content-Type: application/x-ndjson\r\n"
#define SECRET "It's a Secret to Everybody"
#define EVENT(id) "{\"specversion\":\"1.0\",\"id\":\"" id "\",\"source\":\"/s\",\"type\":\"t\"}"

#endif
