/*
 * What the files of this folder share: the server, its connections and their requests.
 *
 * Who owns what. The acceptor makes a connection and hands its socket to libmicrohttpd, which gives
 * it to one thread of the pool for life; the connection is freed when libmicrohttpd says that it
 * has closed. `server->lock` guards the list of connections and the table by descriptor; a socket
 * in that table with `started` set is open, which is what lets the acceptor shut it down by itself.
 * One request at a time lives inside its connection and is used again for the next one.
 */
#ifndef DAL_HTTP_INTERNAL_H
#define DAL_HTTP_INTERNAL_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "engine/base/limits.h"
#include "engine/http/guard.h"
#include "engine/http/http.h"
#include "engine/http/router.h"
#include "engine/http/target.h"

#define DAL_HTTP_LINGER_US                                                                         \
	(2 * 1000 * 1000) /* an early answer's client gets this long to read it */
#define DAL_HTTP_SWALLOW_BYTES                                                                     \
	(64 * DAL_KIB)                     /* a refused body that is read, to keep the connection */
#define DAL_HTTP_STOP_IDLE_US (200 * 1000) /* at a stop: requests under way get a last answer */
#define DAL_HTTP_NEVER INT64_MAX

/*
 * Where a suspended connection meets whoever wakes it. The pool's thread sleeps on it, any other
 * wakes it; a wake-up before the sleep is not lost, one too many does no harm. REPLIED comes with
 * the wake-up in one step, since the request may be gone right after.
 */
enum { GATE_ASLEEP = 1, GATE_WOKEN = 2, GATE_REPLIED = 4, GATE_RESUMED = 8 };

struct gate {
	atomic_uint state;
};

/* How far the request is read; decides what the acceptor does when its deadline has passed. */
enum phase {
	PHASE_IDLE,      /* no request line yet: closed */
	PHASE_READING,   /* 408, then closed */
	PHASE_ANSWERING, /* never cut */
	PHASE_LINGER,    /* answered early: closed when the time is over */
};

struct reply {
	int status;
	struct dal_buffer type;    /* NUL-terminated if not empty */
	struct dal_buffer headers; /* name NUL value NUL ... */
	struct dal_buffer body;
};

struct dal_http_request {
	struct connection *connection;
	struct MHD_Connection *mhd;
	struct gate gate;
	struct dal_http_target target; /* parsed; its bytes are in `raw` */
	struct dal_buffer raw;
	const char *uri; /* where libmicrohttpd has it, to look at the bytes around it */
	struct dal_http_pair *headers;
	size_t header_count, header_capacity;
	struct dal_slice method;
	struct dal_http_match match;
	struct dal_buffer decoded; /* path parameters */
	struct dal_slice parameters[DAL_HTTP_PARAMETERS];
	struct dal_buffer body;
	uint64_t received, expected;
	int64_t begun_us;
	bool begun, handled, paused, held, discard, close, has_expect, has_body;
	struct reply reply;
	struct dal_http_stream *stream;
	void *own;
	void (*release)(void *own);
};

struct connection {
	struct dal_http_server *server;
	struct connection *previous, *next;
	struct listener *listener;
	int fd;
	bool started;
	struct sockaddr_storage address;
	char peer[64];
	atomic_bool cut; /* its socket is shut down: what sleeps must end */
	atomic_int phase;
	_Atomic int64_t deadline_us;
	_Atomic int64_t beat_us; /* when a sleeping stream wants its heartbeat */
	struct dal_http_request request;
};

struct listener {
	struct listener *next;
	uint64_t id;
	int fd;
	bool closed;    /* no more connections; it is forgotten with its last one */
	bool accepting; /* the acceptor uses `fd` right now: then it is the one who closes it */
	bool local;     /* a Unix socket */
	size_t connections;
	void *tag;
	void (*release)(void *tag);
	char *path; /* of a Unix socket that we made, to be removed */
};

struct dal_http_server {
	struct dal_http_options options;
	char *listen;
	char *host; /* of the listening address, for the Host check */
	struct dal_http_router *router;
	struct MHD_Daemon *daemon;
	int port;
	int epoll, event;
	pthread_t acceptor;
	bool running;
	atomic_bool stopping, quit;
	_Atomic int64_t cut_idle_us; /* when connections without a request are cut */
	int64_t read_timeout_us, idle_timeout_us;
	size_t max_connections;
	pthread_mutex_t lock;
	pthread_cond_t closed; /* a connection has gone */
	struct listener *listeners;
	uint64_t next_id;
	struct connection *connections, **by_fd;
	size_t by_fd_size, count;
};

/* gate.c */
void gate_sleep(struct gate *gate, struct MHD_Connection *mhd);
unsigned gate_enter(struct gate *gate);
void gate_wake(struct gate *gate, unsigned bits, struct MHD_Connection *mhd);

/* connection.c: the table of connections. */
/* From now: the time to read `bytes`, pro rata beyond 1 MiB. */
int64_t deadline_after(const struct dal_http_server *server, uint64_t bytes);
bool connection_allowed(struct dal_http_server *server, const struct sockaddr_storage *address);
/* NULL if the listener is closed by now. */
struct connection *connection_new(struct dal_http_server *server, struct listener *listener, int fd,
				  const struct sockaddr_storage *address);
void connection_free(struct connection *connection); /* server->lock is held */
void connection_notify(void *server, struct MHD_Connection *mhd, void **context,
		       enum MHD_ConnectionNotificationCode code);
/* Sends an answer past libmicrohttpd, which can't answer before the body is read; then nothing more
 * is sent. */
void connection_send_last(struct connection *connection, int status, struct dal_slice head,
			  struct dal_slice body);
/* server->lock is held. */
void connection_cut(struct connection *connection);
/* Does what is due at `now`, gives the time of the next look. server->lock is held. */
int64_t connections_sweep(struct dal_http_server *server, int64_t now_us);

/* listener.c */
int listener_open(struct dal_http_server *server, struct dal_error *error);
int listener_add(struct dal_http_server *server, int fd, void *tag, void (*release)(void *tag),
		 uint64_t *id);
/* Takes a listener to accept from; NULL if it is closed. Then _done gives it back. */
struct listener *listener_use(struct dal_http_server *server, uint64_t id);
void listener_done(struct dal_http_server *server, struct listener *listener);
/* With `cut`, its connections too. 0 closes all listeners. */
void listener_close(struct dal_http_server *server, uint64_t id, bool cut);
/* Frees it if it is closed and nobody uses it. */
void listener_forget(struct dal_http_server *server, struct listener *listener);

/* acceptor.c */
int acceptor_start(struct dal_http_server *server);
void acceptor_wake(struct dal_http_server *server);
void acceptor_stop(struct dal_http_server *server);

/* request.c */
void *request_begin(void *server, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result request_handle(void *server, struct MHD_Connection *mhd, const char *url,
			       const char *method, const char *version, const char *data,
			       size_t *size, void **context);
void request_end(void *server, struct MHD_Connection *mhd, void **context,
		 enum MHD_RequestTerminationCode code);
/* From here on the acceptor keeps off. False: it was faster, the request is cut. */
bool request_stop_reading(struct dal_http_request *request);
void request_deinit(struct dal_http_request *request);

/* admit.c: may this request go on to its handler? False: it has been replied to. */
bool request_admit(struct dal_http_request *request, const char *method, const char *version);

/* reply.c */
enum MHD_Result reply_queue(struct dal_http_request *request);
void reply_send_early(struct dal_http_request *request);
void reply_keep_head(struct dal_http_request *request, int status, const char *type,
		     const struct dal_http_header_line *headers);
void reply_reset(struct reply *reply);
void reply_deinit(struct reply *reply);
void reply_problem_text(int status, const char *detail, const char *more, struct dal_buffer *out);

/* stream.c */
struct MHD_Response *stream_response(struct dal_http_stream *stream);
void stream_end(struct dal_http_stream *stream);
void stream_beat(struct dal_http_stream *stream);

#endif
