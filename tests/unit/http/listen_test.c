/* Listening sockets, their tags, limits on connections. */
#include "tests/unit/http/harness.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/base/limits.h"

static void show_tag(struct dal_http_request *request, void *data)
{
	const char *tag = dal_http_tag(request);

	(void)data;
	dal_http_reply(request, 200, "text/plain", NULL, dal_slice_text(tag ? tag : "none"));
}

static _Atomic(struct dal_http_request *) held;

static void hold(struct dal_http_request *request, void *data)
{
	(void)data;
	atomic_store(&held, request);
}

static const struct dal_http_route routes[] = {
	{"GET", "/tag", DAL_HTTP_INVOKE, 0, show_tag, NULL},
	{"GET", "/hold", DAL_HTTP_INVOKE, 0, hold, NULL},
};

static int make_listener(struct sockaddr_in *address)
{
	socklen_t size = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_in){.sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(bind(fd, (struct sockaddr *)address, size), 0);
	assert_int_equal(listen(fd, 1024), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)address, &size), 0);
	return fd;
}

static int dial(const struct sockaddr_in *address)
{
	struct timeval patience = {5, 0};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0) {
		close(fd);
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static void ask_tag(int fd, const char *expected)
{
	struct dal_buffer answer = {0};

	harness_tell(fd, "GET /tag HTTP/1.1\r\nHost: 169.254.100.1:9001\r\n\r\n");
	assert_int_equal(harness_hear(fd, &answer), 200);
	assert_true(harness_contains(&answer, expected));
	dal_buffer_deinit(&answer);
}

static atomic_int released;

static void release_tag(void *tag)
{
	(void)tag;
	atomic_fetch_add(&released, 1);
}

static void wait_released(int wanted)
{
	for (int i = 0; i < 5000 && atomic_load(&released) != wanted; i++) {
		usleep(1000);
	}
	assert_int_equal(atomic_load(&released), wanted);
}

static void test_tags(void **state)
{
	struct dal_http_options options = {.trusted = true};
	struct dal_http_server *server = harness_start(&options, routes, 2, NULL);
	struct sockaddr_in a_address, b_address;
	uint64_t a_id, b_id;
	static char a_tag[] = "instance a", b_tag[] = "instance b";

	(void)state;
	atomic_store(&released, 0);
	assert_int_equal(dal_http_server_listen_release(server, make_listener(&a_address), a_tag,
							release_tag, &a_id),
			 0);
	assert_int_equal(dal_http_server_listen(server, make_listener(&b_address), b_tag, &b_id),
			 0);
	assert_int_not_equal(a_id, b_id);
	int a = dial(&a_address), b = dial(&b_address), own = harness_dial(server);
	for (int i = 0; i < 3; i++) {
		ask_tag(a, "instance a");
		ask_tag(b, "instance b");
		ask_tag(own, "none");
	}
	dal_http_server_unlisten(server, a_id);
	assert_true(harness_closed(a, 3000));
	wait_released(1);
	assert_int_equal(dial(&a_address), -1);
	assert_int_equal(errno, ECONNREFUSED);
	ask_tag(b, "instance b");
	ask_tag(own, "none");
	dal_http_server_unlisten(server, a_id); /* once more does no harm */
	close(a);
	close(b);
	close(own);
	harness_stop(server);
	assert_int_equal(atomic_load(&released), 1);
}

/* The tag lives on while a request of it is owed its answer. */
static void test_unlisten_pending(void **state)
{
	struct dal_http_options options = {.trusted = true};
	struct dal_http_server *server = harness_start(&options, routes, 2, NULL);
	struct dal_http_request *request;
	struct sockaddr_in address;
	static char tag[] = "tag";
	uint64_t id;

	(void)state;
	atomic_store(&released, 0);
	assert_int_equal(dal_http_server_listen_release(server, make_listener(&address), tag,
							release_tag, &id),
			 0);
	int fd = dial(&address);
	harness_tell(fd, "GET /hold HTTP/1.1\r\n" HEAD "\r\n");
	while ((request = atomic_exchange(&held, NULL)) == NULL) {
		usleep(1000);
	}
	dal_http_server_unlisten(server, id);
	assert_true(harness_closed(fd, 3000));
	usleep(20000);
	assert_int_equal(atomic_load(&released), 0);
	assert_ptr_equal(dal_http_tag(request), tag);
	dal_http_reply(request, 200, NULL, NULL, dal_slice(NULL, 0));
	wait_released(1);
	close(fd);
	harness_stop(server);
}

static void *dial_often(void *data)
{
	for (int i = 0; i < 200; i++) {
		int fd = dial(data);
		if (fd >= 0) {
			harness_tell(fd, "GET /tag HTTP/1.1\r\n" HEAD "\r\n");
			close(fd);
		}
	}
	return NULL;
}

/* Listeners come and go while clients connect. */
static void test_churn(void **state)
{
	struct dal_http_options options = {.trusted = true};
	struct dal_http_server *server = harness_start(&options, routes, 2, NULL);

	(void)state;
	atomic_store(&released, 0);
	for (int i = 0; i < 20; i++) {
		struct sockaddr_in address;
		pthread_t dialler;
		uint64_t id;
		assert_int_equal(dal_http_server_listen_release(server, make_listener(&address),
								NULL, release_tag, &id),
				 0);
		assert_int_equal(pthread_create(&dialler, NULL, dial_often, &address), 0);
		usleep(3000);
		dal_http_server_unlisten(server, id);
		pthread_join(dialler, NULL);
		wait_released(i + 1);
	}
	int own = harness_dial(server);
	ask_tag(own, "none");
	close(own);
	harness_stop(server);
}

static void test_unix(void **state)
{
	char folder[] = "/tmp/dal-http-XXXXXX", listen[64];
	struct dal_http_options options = {.listen = listen};

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(listen, sizeof(listen), "unix:%s/socket", folder);
	for (int round = 0; round < 2; round++) {
		struct sockaddr_un address = {.sun_family = AF_UNIX};
		struct dal_http_server *server, *second = NULL;
		struct dal_error error;

		snprintf(address.sun_path, sizeof(address.sun_path), "%s", listen + 5);
		if (round == 1) { /* left over from a killed process */
			int left = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
			assert_int_equal(bind(left, (struct sockaddr *)&address, sizeof(address)),
					 0);
			close(left);
		}
		server = harness_start(&options, routes, 2, NULL);
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
		ask_tag(fd, "none");
		/* In use: refused, and not taken away. */
		options.descriptor = -1;
		assert_int_equal(dal_http_server_new(&options, &second, &error), 0);
		assert_true(dal_http_server_start(second, &error) < 0);
		dal_http_server_free(second);
		ask_tag(fd, "none");
		close(fd);
		harness_stop(server);
		assert_int_equal(access(listen + 5, F_OK), -1);
	}
	rmdir(folder);
}

static void test_connection_limit(void **state)
{
	struct dal_http_options options = {.trusted = true, .max_connections = 4};
	struct dal_http_server *server = harness_start(&options, routes, 2, NULL);
	struct dal_buffer answer = {0};
	int fds[4], more;

	(void)state;
	for (int i = 0; i < 4; i++) {
		fds[i] = harness_dial(server);
		ask_tag(fds[i], "none");
	}
	more = harness_dial(server);
	assert_int_equal(harness_hear(more, &answer), 503);
	assert_true(harness_contains(&answer, "Retry-After: 1"));
	assert_true(harness_closed(more, 1000));
	close(more);
	close(fds[0]);
	for (int i = 0, status = 0; i < 1000 && status != 200; i++) {
		more = harness_dial(server);
		harness_tell(more, "GET /tag HTTP/1.1\r\n" HEAD "\r\n");
		status = harness_hear(more, NULL);
		close(more);
		assert_true(i < 999);
		usleep(1000);
	}
	for (int i = 1; i < 4; i++) {
		close(fds[i]);
	}
	dal_buffer_deinit(&answer);
	harness_stop(server);
}

static int dial_from(struct dal_http_server *server, uint32_t address)
{
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)dal_http_server_port(server)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static int ask_as_localhost(int fd)
{
	harness_tell(fd, "GET /tag HTTP/1.1\r\n" HEAD "\r\n");
	return harness_hear(fd, NULL);
}

/* One address can't take all connections, but where callers are trusted. */
static void with_address_limit(bool trusted)
{
	static int fds[DAL_LIMIT_HTTP_PER_ADDRESS];
	struct dal_http_options options = {.trusted = trusted};
	struct rlimit files;
	int more, other;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = files.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	if (files.rlim_max < 2 * DAL_LIMIT_HTTP_PER_ADDRESS + 64) {
		skip();
	}
	struct dal_http_server *server = harness_start(&options, routes, 2, NULL);
	for (int i = 0; i < DAL_LIMIT_HTTP_PER_ADDRESS; i++) {
		fds[i] = dial_from(server, 0x7f000003);
		assert_int_equal(ask_as_localhost(fds[i]), 200);
	}
	more = dial_from(server, 0x7f000003);
	assert_int_equal(trusted ? ask_as_localhost(more) : harness_hear(more, NULL),
			 trusted ? 200 : 503);
	other = dial_from(server, 0x7f000004);
	assert_int_equal(ask_as_localhost(other), 200);
	close(more);
	close(other);
	for (int i = 0; i < DAL_LIMIT_HTTP_PER_ADDRESS; i++) {
		close(fds[i]);
	}
	harness_stop(server);
}

static void test_address_limit(void **state)
{
	(void)state;
	with_address_limit(false);
}

static void test_no_address_limit(void **state)
{
	(void)state;
	with_address_limit(true);
}

static void test_port_in_use(void **state)
{
	struct dal_http_server *first = harness_start(NULL, routes, 2, NULL), *second = NULL;
	struct dal_error error;
	char listen[64];
	struct dal_http_options options = {.listen = listen, .descriptor = -1};

	(void)state;
	snprintf(listen, sizeof(listen), "127.0.0.1:%d", dal_http_server_port(first));
	assert_int_equal(dal_http_server_new(&options, &second, &error), 0);
	assert_int_equal(dal_http_server_start(second, &error), -EADDRINUSE);
	assert_non_null(strstr(error.text, "choose another port"));
	dal_http_server_free(second);
	harness_stop(first);
}

static void test_not_a_port(void **state)
{
	static const char *const listens[] = {"127.0.0.1:99999", "127.0.0.1:65536",
					      "127.0.0.1:0x50", "[::1]:http", "127.0.0.1:-1"};

	(void)state;
	for (size_t i = 0; i < sizeof(listens) / sizeof(listens[0]); i++) {
		struct dal_http_options options = {.listen = listens[i], .descriptor = -1};
		struct dal_http_server *server = NULL;
		struct dal_error error;

		assert_int_equal(dal_http_server_new(&options, &server, &error), 0);
		assert_int_equal(dal_http_server_start(server, &error), -EINVAL);
		assert_non_null(strstr(error.text, "a number from 0 to 65535"));
		dal_http_server_free(server);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_unlisten_pending),
		cmocka_unit_test(test_churn),
		cmocka_unit_test(test_unix),
		cmocka_unit_test(test_connection_limit),
		cmocka_unit_test(test_address_limit),
		cmocka_unit_test(test_no_address_limit),
		cmocka_unit_test(test_port_in_use),
		cmocka_unit_test(test_not_a_port),
	};

	return cmocka_run_group_tests_name("http listeners", tests, NULL, NULL);
}
