/*
 * Functions: what an invocation costs on top of the program, warm and cold.
 *
 *	bench_invoke [INVOCATIONS]
 *
 * The program is this one again, as a client of the Runtime API that answers at once over one raw
 * socket: nearly all of the time is ours. `wire` is the floor: the same two requests on a loopback
 * socket between two processes with nothing behind them.
 */
#include <arpa/inet.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/base/memory.h"
#include "functions/functions.h"

/* --- the program: a client that answers at once --- */

static int connect_to(const char *address)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	to.sin_port = htons((uint16_t)strtol(strchr(address, ':') + 1, NULL, 10));
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		exit(1);
	}
	return fd;
}

/* Reads one answer whole; small ones come in one piece, head and body. */
static size_t receive(int fd, char *text, size_t size)
{
	ssize_t got = recv(fd, text, size - 1, 0);
	if (got <= 0) {
		exit(0);
	}
	text[got] = '\0';
	return (size_t)got;
}

static void send_text(int fd, const char *text, size_t size)
{
	if (send(fd, text, size, MSG_NOSIGNAL) != (ssize_t)size) {
		exit(1);
	}
}

static const char next[] = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n";

static void serve(const char *address, bool once)
{
	static const char mark[] = "Lambda-Runtime-Aws-Request-Id: ";
	char text[8192], answer[512];
	int fd = connect_to(address);
	do {
		send_text(fd, next, sizeof(next) - 1);
		receive(fd, text, sizeof(text));
		const char *id = strstr(text, mark);
		if (!id) {
			exit(0);
		}
		int size = snprintf(
			answer, sizeof(answer),
			"POST /2018-06-01/runtime/invocation/%.36s/response HTTP/1.1\r\n"
			"Host: x\r\nContent-Length: 2\r\n\r\n{}",
			id + sizeof(mark) - 1);
		send_text(fd, answer, (size_t)size);
		receive(fd, text, sizeof(text));
	} while (!once);
}

/* --- figures --- */

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static void show(const char *what, int64_t *times_us, size_t count, int64_t wall_us)
{
	qsort(times_us, count, sizeof(*times_us), compare);
	printf("%-26s %9.0f /s   p50 %6lld us   p99 %6lld us\n", what,
	       (double)count * 1e6 / (double)wall_us, (long long)times_us[count / 2],
	       (long long)times_us[count * 99 / 100]);
}

/* --- the floor --- */

static void measure_wire(size_t count)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(at);
	char text[8192], address[32];
	int64_t *times_us = dal_calloc(count, sizeof(*times_us));
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	DAL_ASSERT(bind(listener, (struct sockaddr *)&at, size) == 0 && listen(listener, 1) == 0 &&
		   getsockname(listener, (struct sockaddr *)&at, &size) == 0);
	(void)snprintf(address, sizeof(address), "x:%d", ntohs(at.sin_port));
	pid_t child = fork();
	if (child == 0) {
		serve(address, false);
	}
	int fd = accept(listener, NULL, NULL);
	static const char work[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
				   "Lambda-Runtime-Aws-Request-Id: 11111111-1111-4111-8111-"
				   "111111111111\r\n\r\n{}";
	static const char taken[] = "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}";
	receive(fd, text, sizeof(text));
	int64_t begin_us = dal_clock_monotonic_us();
	for (size_t i = 0; i < count; i++) {
		int64_t sent_us = dal_clock_monotonic_us();
		send_text(fd, work, sizeof(work) - 1);
		receive(fd, text, sizeof(text));
		times_us[i] = dal_clock_monotonic_us() - sent_us;
		send_text(fd, taken, sizeof(taken) - 1);
		receive(fd, text, sizeof(text));
	}
	show("wire", times_us, count, dal_clock_monotonic_us() - begin_us);
	(void)close(fd);
	(void)close(listener);
	(void)waitpid(child, NULL, 0);
	free(times_us);
}

/* --- the pool --- */

struct load {
	struct dal_functions *functions;
	pthread_mutex_t lock;
	pthread_cond_t all_done;
	size_t begun, done, count;
	int64_t *times_us;
};

struct call {
	struct dal_invocation invocation;
	struct load *load;
	char request[DAL_UUID_TEXT_BYTES];
	int64_t begun_us;
};

static void begin(struct call *call)
{
	call->begun_us = dal_clock_monotonic_us();
	dal_functions_invoke(call->load->functions, &call->invocation);
}

/* The next one begins where one ends: as many are under way as were begun at first. */
static void done(struct dal_invocation *invocation)
{
	struct call *call = invocation->own;
	struct load *load = call->load;
	int64_t took_us = dal_clock_monotonic_us() - call->begun_us;
	DAL_ASSERT(invocation->outcome == DAL_INVOKE_SUCCEEDED);
	(void)pthread_mutex_lock(&load->lock);
	load->times_us[load->done++] = took_us;
	bool more = load->begun < load->count;
	load->begun += more;
	if (load->done == load->count) {
		(void)pthread_cond_signal(&load->all_done);
	}
	(void)pthread_mutex_unlock(&load->lock);
	if (more) {
		begin(call);
	}
}

static void run(struct dal_functions *functions, const char *what, const char *name, size_t at_once,
		size_t count)
{
	struct load load = {.functions = functions, .count = count, .begun = at_once};
	struct call *calls = dal_calloc(at_once, sizeof(*calls));
	load.times_us = dal_calloc(count, sizeof(*load.times_us));
	(void)pthread_mutex_init(&load.lock, NULL);
	(void)pthread_cond_init(&load.all_done, NULL);
	int64_t begin_us = dal_clock_monotonic_us();
	for (size_t i = 0; i < at_once; i++) {
		calls[i].load = &load;
		dal_uuid_random(calls[i].request);
		calls[i].invocation = (struct dal_invocation){
			.function = dal_slice_text(name),
			.request = calls[i].request,
			.payload = dal_slice_text("{\"specversion\":\"1.0\",\"id\":\"1\"}"),
			.done = done,
			.own = &calls[i],
		};
		begin(&calls[i]);
	}
	(void)pthread_mutex_lock(&load.lock);
	while (load.done < count) {
		(void)pthread_cond_wait(&load.all_done, &load.lock);
	}
	(void)pthread_mutex_unlock(&load.lock);
	if (what) {
		show(what, load.times_us, count, dal_clock_monotonic_us() - begin_us);
	}
	free(load.times_us);
	free(calls);
}

static void configure(struct dal_functions *functions, bool sandbox, const char *mode, char *self)
{
	char name[] = "bench", root[] = "/usr";
	char *command[] = {self, (char *)mode, NULL}, *nothing[] = {NULL};
	char *folder = dal_strdup(self), *paths[] = {folder, NULL};
	*strrchr(folder, '/') = '\0';
	struct dal_function function = {
		.name = name,
		.file = name,
		.folder = root,
		.command = command,
		.paths = paths,
		.environment = nothing,
		.final = nothing,
		.sandbox = sandbox,
		.timeout_us = 10000000,
		.idle_us = 60000000,
		.memory_bytes = 64000000,
		.tmp_bytes = 1000000,
		.max = 8,
		.per_instance = 1,
		.attempts = 1,
	};
	(void)snprintf(function.version, sizeof(function.version), "%s-%d", mode, sandbox);
	const struct dal_function *list[] = {&function};
	(void)dal_functions_configure(functions, NULL, 0); /* no trial of a new version */
	(void)dal_functions_configure(functions, list, 1);
	free(folder);
}

int main(int count, char **arguments)
{
	const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
	if (api) {
		serve(api, strcmp(arguments[1], "once") == 0);
		return 0;
	}
	size_t calls = count > 1 ? strtoul(arguments[1], NULL, 10) : 20000;
	char self[PATH_MAX] = {0};
	struct dal_spawner *spawner;
	struct dal_functions *functions;
	struct dal_error error;
	struct dal_functions_options options = {.grace_us = 1000000};
	DAL_ASSERT(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	DAL_ASSERT(dal_spawner_start(&spawner, &error) == 0);
	measure_wire(calls);
	options.spawner = spawner;
	DAL_ASSERT(dal_functions_new(&options, &functions, &error) == 0);
	for (int sandbox = 0; sandbox < 2; sandbox++) {
		configure(functions, sandbox, "warm", self);
		if (dal_functions_obstacle(functions, dal_slice_text("bench"), &error)) {
			printf("no sandbox: %s\n", error.text);
			break;
		}
		run(functions, NULL, "bench", 1, 100);
		run(functions, sandbox ? "warm, sandbox, 1" : "warm, trusted, 1", "bench", 1,
		    calls);
		run(functions, sandbox ? "warm, sandbox, 8" : "warm, trusted, 8", "bench", 8,
		    calls);
		configure(functions, sandbox, "once", self);
		run(functions, sandbox ? "cold, sandbox, 1" : "cold, trusted, 1", "bench", 1, 200);
	}
	dal_functions_free(functions);
	dal_spawner_stop(spawner);
	return 0;
}
