#include "engine/http/internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/base/metrics.h"

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family) {
		return false;
	}
	if (a->ss_family == AF_INET) {
		return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)b)->sin_addr.s_addr;
	}
	return a->ss_family == AF_INET6 &&
	       memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
		      &((const struct sockaddr_in6 *)b)->sin6_addr, sizeof(struct in6_addr)) == 0;
}

bool connection_allowed(struct dal_http_server *server, const struct sockaddr_storage *address)
{
	size_t same = 0;

	pthread_mutex_lock(&server->lock);
	for (struct connection *c = server->connections; c != NULL; c = c->next) {
		same += same_address(&c->address, address);
	}
	bool allowed = server->count < server->max_connections &&
		       (server->options.trusted || same < DAL_LIMIT_HTTP_PER_ADDRESS);
	pthread_mutex_unlock(&server->lock);
	return allowed;
}

static void name_peer(struct connection *connection)
{
	const struct sockaddr_storage *address = &connection->address;
	const void *raw = address->ss_family == AF_INET6
				  ? (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr
				  : (const void *)&((const struct sockaddr_in *)address)->sin_addr;

	if ((address->ss_family != AF_INET && address->ss_family != AF_INET6) ||
	    inet_ntop(address->ss_family, raw, connection->peer, sizeof(connection->peer)) ==
		    NULL) {
		snprintf(connection->peer, sizeof(connection->peer), "unix");
	}
}

static struct dal_metric *open_connections;
static pthread_once_t metric_once = PTHREAD_ONCE_INIT;

static void metric_register(void)
{
	open_connections = dal_metric_gauge("dalamb_http_connections", "Open HTTP connections.",
					    NULL);
}

static void count_metric(int64_t change)
{
	pthread_once(&metric_once, metric_register);
	dal_metric_add(open_connections, change);
}

int64_t deadline_after(const struct dal_http_server *server, uint64_t bytes)
{
	uint64_t parts = 1 + bytes / DAL_MIB;

	if (server->read_timeout_us == DAL_HTTP_NEVER ||
	    parts > (uint64_t)(DAL_HTTP_NEVER / 4 / (server->read_timeout_us + 1))) {
		return DAL_HTTP_NEVER;
	}
	return dal_clock_monotonic_us() + server->read_timeout_us * (int64_t)parts;
}

static void table_grow(struct dal_http_server *server, size_t needed)
{
	size_t size = server->by_fd_size ? server->by_fd_size : 64;

	while (size <= needed) {
		size *= 2;
	}
	server->by_fd = dal_reallocarray(server->by_fd, size, sizeof(*server->by_fd));
	memset(server->by_fd + server->by_fd_size, 0,
	       (size - server->by_fd_size) * sizeof(*server->by_fd));
	server->by_fd_size = size;
}

static void table_add(struct dal_http_server *server, struct connection *connection)
{
	if ((size_t)connection->fd >= server->by_fd_size) {
		table_grow(server, (size_t)connection->fd);
	}
	/* One that libmicrohttpd dropped for want of memory, without a word: its descriptor is in
	 * use again. */
	if (server->by_fd[connection->fd] != NULL) {
		connection_free(server->by_fd[connection->fd]);
	}
	server->by_fd[connection->fd] = connection;
	connection->next = server->connections;
	if (connection->next != NULL) {
		connection->next->previous = connection;
	}
	server->connections = connection;
	server->count++;
	connection->listener->connections++;
	count_metric(1);
}

struct connection *connection_new(struct dal_http_server *server, struct listener *listener, int fd,
				  const struct sockaddr_storage *address)
{
	struct connection *connection = dal_calloc(1, sizeof(*connection));

	connection->server = server;
	connection->listener = listener;
	connection->fd = fd;
	connection->address = *address;
	connection->request.connection = connection;
	name_peer(connection);
	atomic_init(&connection->phase, PHASE_IDLE);
	atomic_init(&connection->beat_us, DAL_HTTP_NEVER);
	atomic_init(&connection->deadline_us, deadline_after(server, 1));

	pthread_mutex_lock(&server->lock);
	if (listener->closed) {
		free(connection);
		connection = NULL;
	} else {
		table_add(server, connection);
	}
	pthread_mutex_unlock(&server->lock);
	return connection;
}

void connection_free(struct connection *connection)
{
	struct dal_http_server *server = connection->server;

	server->by_fd[connection->fd] = NULL;
	if (connection->previous != NULL) {
		connection->previous->next = connection->next;
	} else {
		server->connections = connection->next;
	}
	if (connection->next != NULL) {
		connection->next->previous = connection->previous;
	}
	server->count--;
	connection->listener->connections--;
	request_deinit(&connection->request);
	free(connection);
	pthread_cond_broadcast(&server->closed);
	count_metric(-1);
}

void connection_notify(void *data, struct MHD_Connection *mhd, void **context,
		       enum MHD_ConnectionNotificationCode code)
{
	struct dal_http_server *server = data;
	struct listener *listener = NULL;
	struct connection *connection;

	pthread_mutex_lock(&server->lock);
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		int fd =
			MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		connection = server->by_fd[fd];
		connection->started = true;
		*context = connection;
		if (atomic_load(&connection->cut)) {
			shutdown(fd, SHUT_RDWR);
		}
	} else {
		connection = *context;
		listener = connection->listener;
		connection_free(connection);
	}
	pthread_mutex_unlock(&server->lock);
	if (listener != NULL) {
		listener_forget(server, listener);
	}
}

void connection_send_last(struct connection *connection, int status, struct dal_slice head,
			  struct dal_slice body)
{
	struct dal_buffer out = {0};

	dal_buffer_printf(&out, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: %zu\r\n",
			  status, MHD_get_reason_phrase_for((unsigned)status), body.size);
	dal_buffer_slice_append(&out, head);
	dal_buffer_text(&out, "\r\n");
	dal_buffer_slice_append(&out, body);
	/* It fits into the empty socket buffer; a client that is gone does not matter. */
	(void)!send(connection->fd, out.data, out.size, MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(connection->fd, SHUT_WR);
	dal_buffer_deinit(&out);
}

static void send_timeout(struct connection *connection)
{
	struct dal_buffer body = {0};

	reply_problem_text(408, "the request was not read whole in time: send it faster", NULL,
			   &body);
	connection_send_last(connection, 408,
			     dal_slice_text("Content-Type: application/problem+json\r\n"),
			     dal_buffer_slice(&body));
	dal_buffer_deinit(&body);
}

/* A deadline has passed. Only by swapping the phase may one thread send in the other's place. */
static void expire(struct connection *connection, int64_t now_us)
{
	int reading = PHASE_READING;

	if (atomic_compare_exchange_strong(&connection->phase, &reading, PHASE_LINGER)) {
		atomic_store(&connection->deadline_us, now_us + DAL_HTTP_LINGER_US);
		send_timeout(connection);
	} else if (reading != PHASE_ANSWERING) {
		atomic_store(&connection->deadline_us, DAL_HTTP_NEVER);
		shutdown(connection->fd, SHUT_RDWR);
	}
}

void connection_cut(struct connection *connection)
{
	atomic_store(&connection->cut, true);
	if (!connection->started) {
		return;
	}
	shutdown(connection->fd, SHUT_RDWR);
	if (atomic_load(&connection->beat_us) != DAL_HTTP_NEVER &&
	    connection->request.stream != NULL) {
		stream_beat(connection->request.stream);
	}
}

int64_t connections_sweep(struct dal_http_server *server, int64_t now_us)
{
	int64_t cut_idle = atomic_load(&server->cut_idle_us);
	int64_t next = cut_idle;
	bool stopping = atomic_load(&server->stopping);

	for (struct connection *c = server->connections; c != NULL; c = c->next) {
		int64_t deadline = atomic_load(&c->deadline_us), beat = atomic_load(&c->beat_us);

		if (!c->started) {
			continue;
		}
		if (beat != DAL_HTTP_NEVER && (beat <= now_us || stopping)) {
			atomic_store(&c->beat_us, DAL_HTTP_NEVER);
			if (c->request.stream != NULL) {
				stream_beat(c->request.stream);
			}
		}
		if (deadline <= now_us ||
		    (cut_idle <= now_us && atomic_load(&c->phase) == PHASE_IDLE)) {
			expire(c, now_us);
		}
		next = deadline < next ? deadline : next;
		next = beat < next ? beat : next;
	}
	return next;
}
