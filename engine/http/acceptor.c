/*
 * The acceptor: one thread that takes connections from all listening sockets, gives them to
 * libmicrohttpd, and looks after deadlines and heartbeats. It sleeps for ever while there is no
 * connection.
 */
#include "engine/http/internal.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/clock.h"

#define SWEEP_MIN_MS 10
#define SWEEP_MAX_MS 250
#define ACCEPT_AT_ONCE 64

static void refuse(int fd)
{
	static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
				     "Retry-After: 1\r\nContent-Length: 0\r\n\r\n";

	(void)!send(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	close(fd);
}

/* False when there is nothing more to accept. */
static bool accept_one(struct dal_http_server *server, struct listener *listener)
{
	struct sockaddr_storage address = {0};
	socklen_t size = sizeof(address);
	int fd = accept4(listener->fd, (struct sockaddr *)&address, &size,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		/* Out of descriptors the socket stays readable: wait for some to be closed. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			nanosleep(&(struct timespec){0, 50 * 1000 * 1000}, NULL);
		}
		return errno == EINTR || errno == ECONNABORTED;
	}
	if (!connection_allowed(server, &address)) {
		refuse(fd);
		return true;
	}
	if (connection_new(server, listener, fd, &address) == NULL) {
		close(fd);
		return false;
	}
	if (MHD_add_connection(server->daemon, fd, (struct sockaddr *)&address, size) != MHD_YES) {
		pthread_mutex_lock(&server->lock);
		connection_free(server->by_fd[fd]);
		pthread_mutex_unlock(&server->lock);
	}
	return true;
}

static void accept_from(struct dal_http_server *server, uint64_t id)
{
	struct listener *listener = listener_use(server, id);

	if (listener == NULL) {
		return;
	}
	for (int i = 0; i < ACCEPT_AT_ONCE && accept_one(server, listener); i++) {
	}
	listener_done(server, listener);
}

static int until_next_sweep_ms(struct dal_http_server *server)
{
	int64_t now_us = dal_clock_monotonic_us(), next, wait_ms;
	size_t count;

	pthread_mutex_lock(&server->lock);
	next = connections_sweep(server, now_us);
	count = server->count;
	pthread_mutex_unlock(&server->lock);
	if (count == 0) {
		return -1;
	}
	wait_ms = (next - now_us) / 1000;
	wait_ms = wait_ms > SWEEP_MAX_MS ? SWEEP_MAX_MS : wait_ms;
	return wait_ms < SWEEP_MIN_MS ? SWEEP_MIN_MS : (int)wait_ms;
}

static void *run(void *data)
{
	struct dal_http_server *server = data;
	struct epoll_event events[16];

	while (!atomic_load(&server->quit)) {
		int count = epoll_wait(server->epoll, events, 16, until_next_sweep_ms(server));
		for (int i = 0; i < count; i++) {
			if (events[i].data.u64 != 0) {
				accept_from(server, events[i].data.u64);
			} else {
				eventfd_t value;
				eventfd_read(server->event, &value);
			}
		}
	}
	return NULL;
}

int acceptor_start(struct dal_http_server *server)
{
	return -pthread_create(&server->acceptor, NULL, run, server);
}

void acceptor_wake(struct dal_http_server *server)
{
	eventfd_write(server->event, 1);
}

void acceptor_stop(struct dal_http_server *server)
{
	atomic_store(&server->quit, true);
	acceptor_wake(server);
	pthread_join(server->acceptor, NULL);
}
