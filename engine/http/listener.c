/* Listening sockets: made from text, taken from the caller, closed with or without their
 * connections. */
#include "engine/http/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/base/memory.h"

#define BACKLOG 1024

int listener_add(struct dal_http_server *server, int fd, void *tag, void (*release)(void *tag),
		 uint64_t *id)
{
	struct listener *listener = dal_calloc(1, sizeof(*listener));
	struct sockaddr_storage address = {0};
	socklen_t size = sizeof(address);
	struct epoll_event event = {.events = EPOLLIN};

	getsockname(fd, (struct sockaddr *)&address, &size);
	listener->fd = fd;
	listener->tag = tag;
	listener->release = release;
	listener->local = address.ss_family == AF_UNIX;
	pthread_mutex_lock(&server->lock);
	listener->id = ++server->next_id;
	listener->next = server->listeners;
	server->listeners = listener;
	event.data.u64 = *id = listener->id;
	pthread_mutex_unlock(&server->lock);
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0 ||
	    epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
		int code = -errno;
		listener_close(server, *id, true);
		return code;
	}
	return 0;
}

/* server->lock is held. */
static struct listener *find(struct dal_http_server *server, uint64_t id)
{
	struct listener *listener = server->listeners;

	while (listener != NULL && listener->id != id) {
		listener = listener->next;
	}
	return listener;
}

struct listener *listener_use(struct dal_http_server *server, uint64_t id)
{
	struct listener *listener;

	pthread_mutex_lock(&server->lock);
	listener = find(server, id);
	if (listener != NULL && listener->closed) {
		listener = NULL;
	}
	if (listener != NULL) {
		listener->accepting = true;
	}
	pthread_mutex_unlock(&server->lock);
	return listener;
}

void listener_done(struct dal_http_server *server, struct listener *listener)
{
	pthread_mutex_lock(&server->lock);
	listener->accepting = false;
	if (listener->closed) {
		close(listener->fd);
	}
	pthread_mutex_unlock(&server->lock);
	listener_forget(server, listener);
}

void listener_forget(struct dal_http_server *server, struct listener *listener)
{
	struct listener **at = &server->listeners;

	pthread_mutex_lock(&server->lock);
	while (*at != NULL && *at != listener) {
		at = &(*at)->next;
	}
	if (*at == NULL || !listener->closed || listener->accepting || listener->connections > 0) {
		pthread_mutex_unlock(&server->lock);
		return;
	}
	*at = listener->next;
	pthread_mutex_unlock(&server->lock);
	if (listener->release != NULL) {
		listener->release(listener->tag);
	}
	free(listener->path);
	free(listener);
}

static void cut_connections(struct dal_http_server *server, const struct listener *listener)
{
	for (struct connection *c = server->connections; c != NULL; c = c->next) {
		if (c->listener == listener) {
			connection_cut(c);
		}
	}
}

/* server->lock is held. */
static void close_one(struct dal_http_server *server, struct listener *listener)
{
	if (listener->closed) {
		return;
	}
	listener->closed = true;
	epoll_ctl(server->epoll, EPOLL_CTL_DEL, listener->fd, NULL);
	shutdown(listener->fd, SHUT_RDWR);
	if (listener->path != NULL) {
		unlink(listener->path);
	}
	if (!listener->accepting) {
		close(listener->fd);
	}
}

void listener_close(struct dal_http_server *server, uint64_t id, bool cut)
{
	struct listener *listener;

	pthread_mutex_lock(&server->lock);
	listener = find(server, id);
	if (listener != NULL) {
		close_one(server, listener);
		if (cut) {
			cut_connections(server, listener);
		}
	}
	pthread_mutex_unlock(&server->lock);
	if (listener != NULL) {
		listener_forget(server, listener);
	}
}

static int bind_unix(const char *path, struct dal_error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path)) {
		dal_error_set(error, "could not listen on unix:%s: %s", path,
			      fd < 0 ? strerror(errno) : "the path is longer than 107 bytes");
		goto fail;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	/* A socket that nobody answers on is left over from a killed process. */
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 &&
	    errno == ECONNREFUSED) {
		unlink(path);
	}
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || chmod(path, 0600) != 0 ||
	    listen(fd, BACKLOG) != 0) {
		dal_error_set(
			error,
			"could not listen on unix:%s: %s: choose another path for http.listen",
			path, strerror(errno == EINVAL ? EADDRINUSE : errno));
		goto fail;
	}
	return fd;
fail:
	if (fd >= 0) {
		close(fd);
	}
	return -EADDRINUSE;
}

/* "[::1]:80" to "::1" and "80"; `host` gets what a Host header would say. */
static bool split(const char *text, char **name, char **port, char **host)
{
	const char *colon = strrchr(text, ':');
	struct dal_slice shown;

	if (colon == NULL || colon[1] == 0) {
		return false;
	}
	shown = dal_slice(text, (size_t)(colon - text));
	*host = dal_slice_dup(shown);
	if (shown.size > 2 && shown.data[0] == '[' && shown.data[shown.size - 1] == ']') {
		shown = dal_slice(shown.data + 1, shown.size - 2);
	}
	*name = dal_slice_dup(shown);
	*port = dal_strdup(colon + 1);
	return true;
}

/* getaddrinfo takes "0x50" for 80, and 99999 for 34463. */
static bool is_port(const char *text)
{
	uint64_t port;

	return strlen(text) <= 5 && dal_slice_to_u64(dal_slice_text(text), &port) && port <= 65535;
}

static bool is_loopback(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
	}
	return address->sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

static int bind_found(struct dal_http_server *server, const struct addrinfo *found,
		      struct dal_error *error)
{
	int yes = 1, fd;

	if (!is_loopback(found->ai_addr) && server->options.authorize == NULL &&
	    !server->options.trusted) {
		dal_error_set(error,
			      "listening on %s without tokens would let anybody in: make one "
			      "(dalamb token NAME --scope admin), or listen on 127.0.0.1",
			      server->listen);
		return -EACCES;
	}
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
	    bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
		int code = -errno;
		dal_error_set(
			error, "could not listen on %s: %s%s", server->listen, strerror(-code),
			code == -EADDRINUSE
				? ": is another engine running? choose another port for http.listen"
				: "");
		if (fd >= 0) {
			close(fd);
		}
		return code;
	}
	return fd;
}

static int bind_address(struct dal_http_server *server, struct dal_error *error)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
				 .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char *name = NULL, *port = NULL;
	int fd = -EINVAL, code;

	if (!split(server->listen, &name, &port, &server->host)) {
		dal_error_set(error,
			      "can't listen on \"%s\": expected an address such as 127.0.0.1:8080, "
			      "[::1]:8080 or unix:/path",
			      server->listen);
		return -EINVAL;
	}
	if (!is_port(port)) {
		dal_error_set(error, "can't listen on \"%s\": the port is a number from 0 to 65535",
			      server->listen);
		goto out;
	}
	code = getaddrinfo(name[0] == 0 ? NULL : name, port, &hints, &found);
	if (code != 0) {
		dal_error_set(error, "can't listen on \"%s\": %s", server->listen,
			      gai_strerror(code));
	} else {
		fd = bind_found(server, found, error);
		freeaddrinfo(found);
	}
out:
	free(name);
	free(port);
	return fd;
}

static int port_of(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t size = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
		return 0;
	}
	if (address.ss_family == AF_INET) {
		return ntohs(((struct sockaddr_in *)&address)->sin_port);
	}
	return address.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&address)->sin6_port)
					     : 0;
}

int listener_open(struct dal_http_server *server, struct dal_error *error)
{
	int fd = server->options.descriptor, code;
	uint64_t id;

	if (server->listen != NULL) {
		bool local = strncmp(server->listen, "unix:", 5) == 0;
		fd = local ? bind_unix(server->listen + 5, error) : bind_address(server, error);
	} else if (fd < 0) {
		return 0;
	}
	if (fd < 0) {
		return fd;
	}
	server->port = port_of(fd);
	code = listener_add(server, fd, NULL, NULL, &id);
	if (code != 0) {
		dal_error_set(error, "could not watch the listening socket: %s", strerror(-code));
	} else if (server->listen != NULL && strncmp(server->listen, "unix:", 5) == 0) {
		server->listeners->path = dal_strdup(server->listen + 5);
	}
	return code;
}
