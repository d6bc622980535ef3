#include "engine/http/internal.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"

/*
 * A connection's memory in libmicrohttpd: headers of 32 KiB with what it keeps of them. It is
 * zeroed for each request, so more costs time (64 KiB: an eighth of all time under load).
 */
#define POOL_BYTES (40 * DAL_KIB)
#define CUT_WAIT_US (1000 * 1000)       /* for cut connections to be gone */
#define FREE_WAIT_US (10 * 1000 * 1000) /* for answers that are still owed */

static int64_t timeout_us(uint64_t chosen_ms, uint64_t fallback_ms)
{
	uint64_t ms = chosen_ms ? chosen_ms : fallback_ms;

	return ms > INT64_MAX / 1000 ? DAL_HTTP_NEVER : (int64_t)ms * 1000;
}

int dal_http_server_new(const struct dal_http_options *options, struct dal_http_server **out,
			struct dal_error *error)
{
	struct dal_http_server *server = dal_calloc(1, sizeof(*server));
	struct epoll_event event = {.events = EPOLLIN};
	pthread_condattr_t monotonic;

	server->options = *options;
	server->listen = dal_strdup(options->listen);
	server->router = dal_http_router_new();
	server->max_connections = options->max_connections ? options->max_connections
							   : DAL_LIMIT_HTTP_CONNECTIONS;
	server->read_timeout_us = timeout_us(options->read_timeout_ms, DAL_LIMIT_HTTP_READ_MS);
	server->idle_timeout_us = timeout_us(options->idle_timeout_ms, DAL_LIMIT_HTTP_IDLE_MS);
	atomic_init(&server->cut_idle_us, DAL_HTTP_NEVER);
	pthread_mutex_init(&server->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&server->closed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	server->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (server->epoll < 0 || server->event < 0 ||
	    epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->event, &event) != 0) {
		int code = -errno;
		dal_error_set(error, "could not make an HTTP server: %s", strerror(-code));
		dal_http_server_free(server);
		return code;
	}
	*out = server;
	return 0;
}

int dal_http_server_add(struct dal_http_server *server, const struct dal_http_route *routes,
			size_t count, void *data, struct dal_error *error)
{
	DAL_ASSERT(!server->running);
	for (size_t i = 0; i < count; i++) {
		int code = dal_http_router_add(server->router, &routes[i], data, error);
		if (code != 0) {
			return code;
		}
	}
	return 0;
}

/* Paths stay raw: we decode segment by segment. */
static size_t keep_encoded(void *data, struct MHD_Connection *connection, char *text)
{
	(void)data;
	(void)connection;
	return strlen(text);
}

static struct MHD_Daemon *start_daemon(struct dal_http_server *server)
{
	unsigned threads = server->options.threads ? server->options.threads : 2;
	/* 0 is none there; ours ends idle connections to the millisecond. */
	intptr_t idle_s = server->idle_timeout_us == DAL_HTTP_NEVER
				  ? 0
				  : (intptr_t)(1 + server->idle_timeout_us / 1000000);
	struct MHD_OptionItem items[] = {
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)connection_notify, server},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)request_end, server},
		{MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)request_begin, server},
		{MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_encoded, NULL},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, POOL_BYTES, NULL},
		/* Ours is exact; its own is divided among the threads. */
		{MHD_OPTION_CONNECTION_LIMIT, (intptr_t)((server->max_connections + 16) * threads),
		 NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT, idle_s, NULL},
#if MHD_VERSION >= 0x01000000
		{MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1, NULL},
#endif
		{threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, threads, NULL},
		{MHD_OPTION_END, 0, NULL},
	};

	return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET |
					MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_TURBO,
				0, NULL, NULL, request_handle, server, MHD_OPTION_ARRAY, items,
				MHD_OPTION_END);
}

int dal_http_server_start(struct dal_http_server *server, struct dal_error *error)
{
	int code;

	server->daemon = start_daemon(server);
	if (server->daemon == NULL) {
		dal_error_set(error, "could not start the threads of the HTTP server: %s",
			      strerror(errno));
		return -EAGAIN;
	}
	code = listener_open(server, error);
	if (code == 0) {
		code = acceptor_start(server);
		if (code != 0) {
			dal_error_set(error, "could not start the HTTP acceptor: %s",
				      strerror(-code));
		}
	}
	server->running = code == 0;
	return code;
}

int dal_http_server_port(const struct dal_http_server *server)
{
	return server->port;
}

int dal_http_server_listen_release(struct dal_http_server *server, int descriptor, void *tag,
				   void (*release)(void *tag), uint64_t *id)
{
	return listener_add(server, descriptor, tag, release, id);
}

int dal_http_server_listen(struct dal_http_server *server, int descriptor, void *tag, uint64_t *id)
{
	return listener_add(server, descriptor, tag, NULL, id);
}

void dal_http_server_unlisten(struct dal_http_server *server, uint64_t id)
{
	listener_close(server, id, true);
}

static void close_listeners(struct dal_http_server *server)
{
	uint64_t last;

	pthread_mutex_lock(&server->lock);
	last = server->next_id;
	pthread_mutex_unlock(&server->lock);
	for (uint64_t id = 1; id <= last; id++) {
		listener_close(server, id, false);
	}
}

/* server->lock is held. Waits until all connections are gone. */
static bool wait_closed(struct dal_http_server *server, int64_t wait_us)
{
	int64_t until = dal_clock_monotonic_us() + wait_us;
	struct timespec time = {until / 1000000, until % 1000000 * 1000};
	int code = 0;

	while (server->count > 0 && code == 0) {
		code = pthread_cond_timedwait(&server->closed, &server->lock, &time);
	}
	return server->count == 0;
}

void dal_http_server_stop(struct dal_http_server *server, uint64_t grace_ms)
{
	if (!server->running) {
		return;
	}
	atomic_store(&server->cut_idle_us, dal_clock_monotonic_us() + DAL_HTTP_STOP_IDLE_US);
	atomic_store(&server->stopping, true);
	close_listeners(server);
	acceptor_wake(server);
	pthread_mutex_lock(&server->lock);
	if (!wait_closed(server, (int64_t)grace_ms * 1000)) {
		for (struct connection *c = server->connections; c != NULL; c = c->next) {
			connection_cut(c);
		}
		wait_closed(server, CUT_WAIT_US);
	}
	pthread_mutex_unlock(&server->lock);
}

/* A request that has no answer yet belongs to whoever owes it: it can't be freed under him. */
static bool all_answered(struct dal_http_server *server)
{
	bool done;

	pthread_mutex_lock(&server->lock);
	done = wait_closed(server, FREE_WAIT_US);
	pthread_mutex_unlock(&server->lock);
	return done;
}

void dal_http_server_free(struct dal_http_server *server)
{
	if (server == NULL) {
		return;
	}
	dal_http_server_stop(server, 0);
	if (server->running && !all_answered(server)) {
		return;
	}
	if (server->running) {
		acceptor_stop(server);
	}
	if (server->daemon != NULL) {
		MHD_stop_daemon(server->daemon);
	}
	close_listeners(server);
	dal_http_router_free(server->router);
	if (server->epoll >= 0) {
		close(server->epoll);
	}
	if (server->event >= 0) {
		close(server->event);
	}
	pthread_cond_destroy(&server->closed);
	pthread_mutex_destroy(&server->lock);
	free(server->by_fd);
	free(server->listen);
	free(server->host);
	free(server);
}
