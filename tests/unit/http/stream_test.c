/* Answers without end. */
#include "tests/unit/http/harness.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"

/* --- streams --- */

struct feed {
	pthread_mutex_t lock;
	int waiting, given, fills;
	bool end;
	atomic_int released;
	_Atomic(struct dal_http_stream *) stream;
	uint64_t heartbeat_ms;
};

static int feed_fill(struct dal_buffer *out, void *own)
{
	struct feed *feed = own;
	int result = DAL_HTTP_STREAM_WAIT;

	pthread_mutex_lock(&feed->lock);
	feed->fills++;
	if (feed->waiting > 0) {
		dal_buffer_printf(out, "data: %d\n\n", feed->given++);
		feed->waiting--;
		result = 0;
	} else if (feed->end) {
		dal_buffer_text(out, "data: end\n\n");
		result = DAL_HTTP_STREAM_END;
	}
	pthread_mutex_unlock(&feed->lock);
	return result;
}

static void feed_release(void *own)
{
	atomic_fetch_add(&((struct feed *)own)->released, 1);
}

static void follow(struct dal_http_request *request, void *data)
{
	struct feed *feed = data;
	const struct dal_http_header_line lines[] = {{"Cache-Control", "no-store"}, {NULL, NULL}};
	struct dal_http_stream_options options = {
		.status = 200,
		.type = "text/event-stream",
		.headers = lines,
		.fill = feed_fill,
		.release = feed_release,
		.own = feed,
		.heartbeat_ms = feed->heartbeat_ms,
		.heartbeat = ": \n\n",
	};

	atomic_store(&feed->stream, dal_http_stream_start(request, &options));
}

static void feed_add(struct feed *feed, int count)
{
	pthread_mutex_lock(&feed->lock);
	feed->waiting += count;
	pthread_mutex_unlock(&feed->lock);
	dal_http_stream_wake(atomic_load(&feed->stream));
}

static void wait_for(atomic_int *number, int wanted)
{
	for (int i = 0; i < 5000 && atomic_load(number) != wanted; i++) {
		usleep(1000);
	}
	assert_int_equal(atomic_load(number), wanted);
}

static const struct dal_http_route following = {"GET", "/feed", DAL_HTTP_QUERY, 0, follow, NULL};

static void test_stream(void **state)
{
	struct feed feed = {.lock = PTHREAD_MUTEX_INITIALIZER, .waiting = 2};
	struct dal_http_server *server = harness_start(NULL, &following, 1, &feed);
	struct dal_buffer got = {0};
	int fd = harness_dial(server);

	(void)state;
	harness_tell(fd, "GET /feed HTTP/1.1\r\n" HEAD "\r\n");
	assert_true(harness_hear_text(fd, "data: 1\n\n", &got));
	assert_true(harness_contains(&got, "Content-Type: text/event-stream\r\n"));
	assert_true(harness_contains(&got, "Cache-Control: no-store\r\n"));
	for (int i = 0; i < 100; i++) {
		char wanted[32];
		feed_add(&feed, 3);
		snprintf(wanted, sizeof(wanted), "data: %d\n\n", i * 3 + 4);
		assert_true(harness_hear_text(fd, wanted, &got));
	}
	pthread_mutex_lock(&feed.lock);
	int fills = feed.fills;
	pthread_mutex_unlock(&feed.lock);
	usleep(100000);
	pthread_mutex_lock(&feed.lock);
	assert_int_equal(feed.fills, fills); /* nothing to send: nothing runs */
	feed.end = true;
	pthread_mutex_unlock(&feed.lock);
	dal_http_stream_wake(atomic_load(&feed.stream));
	assert_true(harness_hear_text(fd, "data: end\n\n\r\n0\r\n\r\n", &got));
	wait_for(&feed.released, 1);
	/* The connection goes on. */
	harness_tell(fd, "HEAD /feed HTTP/1.1\r\n" HEAD "\r\n");
	wait_for(&feed.released, 2);
	close(fd);
	dal_buffer_deinit(&got);
	harness_stop(server);
}

static void test_heartbeats(void **state)
{
	struct feed feed = {.lock = PTHREAD_MUTEX_INITIALIZER, .heartbeat_ms = 50};
	struct dal_http_server *server = harness_start(NULL, &following, 1, &feed);
	struct dal_buffer got = {0};
	int fd = harness_dial(server);

	(void)state;
	harness_tell(fd, "GET /feed HTTP/1.1\r\n" HEAD "\r\n");
	assert_true(harness_hear_text(fd, ": \n\n\r\n4\r\n: \n\n\r\n4\r\n: \n\n", &got));
	feed_add(&feed, 1);
	assert_true(harness_hear_text(fd, "data: 0\n\n", &got));
	close(fd);
	/* A client that has gone is found out by its heartbeat. */
	wait_for(&feed.released, 1);
	dal_buffer_deinit(&got);
	harness_stop(server);
}

/* A hundred sleeping streams cost no time, and end when the server stops. */
static void test_many_streams(void **state)
{
	struct feed feed = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct dal_http_server *server = harness_start(NULL, &following, 1, &feed);
	int fds[100];
	struct timespec before, after;

	(void)state;
	for (int i = 0; i < 100; i++) {
		struct dal_buffer got = {0};
		fds[i] = harness_dial(server);
		harness_tell(fds[i], "GET /feed HTTP/1.1\r\n" HEAD "\r\n");
		assert_true(harness_hear_text(fds[i], "\r\n\r\n", &got));
		dal_buffer_deinit(&got);
	}
	usleep(50000);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	usleep(500000);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	int64_t spent_us = (after.tv_sec - before.tv_sec) * 1000000 +
			   (after.tv_nsec - before.tv_nsec) / 1000;
	assert_true(spent_us < 250000);
	dal_http_server_stop(server, 5000);
	assert_int_equal(atomic_load(&feed.released), 100);
	for (int i = 0; i < 100; i++) {
		assert_true(harness_closed(fds[i], 1000));
		close(fds[i]);
	}
	dal_http_server_free(server);
}

/* Watchers as a query's: each has its stream, found in a list by whoever has news. */
struct watcher {
	struct watch_list *list;
	struct watcher *next;
	struct dal_http_stream *stream; /* set under the list's lock, unless it is over before */
	bool over;
	int news;
};

struct watch_list {
	pthread_mutex_t lock;
	struct watcher *first;
	int made, released;
	atomic_bool quit;
};

static int watcher_fill(struct dal_buffer *out, void *own)
{
	struct watcher *watcher = own;
	int news;

	pthread_mutex_lock(&watcher->list->lock);
	news = watcher->news;
	watcher->news = 0;
	pthread_mutex_unlock(&watcher->list->lock);
	if (news == 0) {
		return DAL_HTTP_STREAM_WAIT;
	}
	dal_buffer_printf(out, "data: %d\n\n", news);
	return 0;
}

static void watcher_release(void *own)
{
	struct watcher *watcher = own, **at;
	bool listed = false;

	pthread_mutex_lock(&watcher->list->lock);
	for (at = &watcher->list->first; *at != NULL && !listed;) {
		listed = *at == watcher;
		if (listed) {
			*at = watcher->next;
		} else {
			at = &(*at)->next;
		}
	}
	watcher->list->released++;
	watcher->over = true;
	pthread_mutex_unlock(&watcher->list->lock);
	if (listed) {
		free(watcher);
	}
}

static void watch(struct dal_http_request *request, void *data)
{
	struct watcher *watcher = dal_calloc(1, sizeof(*watcher));
	struct dal_http_stream_options options = {.status = 200,
						  .type = "text/event-stream",
						  .fill = watcher_fill,
						  .release = watcher_release,
						  .own = watcher,
						  .heartbeat_ms = 5,
						  .heartbeat = ":\n\n"};

	watcher->list = data;
	watcher->news = 1;
	/* From the handler itself it can't be over before this returns. */
	watcher->stream = dal_http_stream_start(request, &options);
	pthread_mutex_lock(&watcher->list->lock);
	assert_false(watcher->over);
	watcher->next = watcher->list->first;
	watcher->list->first = watcher;
	watcher->list->made++;
	pthread_mutex_unlock(&watcher->list->lock);
}

static void *bring_news(void *data)
{
	struct watch_list *list = data;

	while (!atomic_load(&list->quit)) {
		pthread_mutex_lock(&list->lock);
		for (struct watcher *watcher = list->first; watcher != NULL;
		     watcher = watcher->next) {
			watcher->news++;
			dal_http_stream_wake(watcher->stream);
		}
		pthread_mutex_unlock(&list->lock);
		usleep(100);
	}
	return NULL;
}

/* Wakes, heartbeats, hang-ups and a stop, all at the same time. */
static void test_stream_races(void **state)
{
	static const struct dal_http_route route = {"GET", "/w", DAL_HTTP_QUERY, 0, watch, NULL};
	struct watch_list list = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct dal_http_server *server = harness_start(NULL, &route, 1, &list);
	pthread_t reporter;
	int fds[16];

	(void)state;
	assert_int_equal(pthread_create(&reporter, NULL, bring_news, &list), 0);
	for (int i = 0; i < 16; i++) {
		fds[i] = -1;
	}
	for (int i = 0; i < 400; i++) {
		struct dal_buffer got = {0};
		int *fd = &fds[(i * 7) % 16];

		if (*fd >= 0) {
			assert_true(harness_hear_text(*fd, "data: ", &got));
			close(*fd);
		}
		*fd = harness_dial(server);
		harness_tell(*fd, "GET /w HTTP/1.1\r\n" HEAD "\r\n");
		dal_buffer_deinit(&got);
	}
	for (int i = 0; i < 16; i++) {
		struct dal_buffer got = {0};
		assert_true(harness_hear_text(fds[i], "data: ", &got));
		dal_buffer_deinit(&got);
	}
	dal_http_server_stop(server, 5000);
	dal_http_server_free(server);
	atomic_store(&list.quit, true);
	pthread_join(reporter, NULL);
	assert_null(list.first);
	assert_int_equal(list.made, 400);
	assert_int_equal(list.released, 400);
	for (int i = 0; i < 16; i++) {
		close(fds[i]);
	}
}

/* --- half-way --- */

enum { GIVE = 0, GIVE_AND_SLEEP = 100 };

static int fill_half(struct dal_buffer *out, void *own)
{
	atomic_int *calls = own;

	switch (atomic_fetch_add(calls, 1)) {
	case GIVE:
	case GIVE_AND_SLEEP:
		dal_buffer_text(out, "half");
		return 0;
	case GIVE + 1:
		return -EIO;
	default:
		return DAL_HTTP_STREAM_WAIT;
	}
}

static void start_half(struct dal_http_request *request, void *data)
{
	dal_http_stream_start(request, &(struct dal_http_stream_options){.status = 200,
									 .type = "text/plain",
									 .fill = fill_half,
									 .own = data});
}

static void expect_cut(int fd, struct dal_buffer *got)
{
	assert_false(harness_hear_text(fd, "0\r\n\r\n", got));
	assert_true(harness_contains(got, "half"));
	assert_true(harness_closed(fd, 5000));
	dal_buffer_deinit(got);
	close(fd);
}

/* An answer that fails half-way, or is stopped there, has no last chunk. */
static void test_half_way(void **state)
{
	static const struct dal_http_route route = {"GET", "/half",    DAL_HTTP_QUERY,
						    0,     start_half, NULL};
	atomic_int calls = GIVE;
	struct dal_http_server *server = harness_start(NULL, &route, 1, &calls);
	struct dal_buffer got = {0}, asleep = {0};
	int fd = harness_dial(server);

	(void)state;
	harness_tell(fd, "GET /half HTTP/1.1\r\n" HEAD "\r\n");
	expect_cut(fd, &got);
	fd = harness_dial(server);
	atomic_store(&calls, GIVE_AND_SLEEP);
	harness_tell(fd, "GET /half HTTP/1.1\r\n" HEAD "\r\n");
	assert_true(harness_hear_text(fd, "half", &asleep));
	dal_http_server_stop(server, 5000);
	expect_cut(fd, &asleep);
	harness_stop(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stream),       cmocka_unit_test(test_heartbeats),
		cmocka_unit_test(test_many_streams), cmocka_unit_test(test_stream_races),
		cmocka_unit_test(test_half_way),
	};

	return cmocka_run_group_tests_name("http streams", tests, NULL, NULL);
}
