/* The API against an engine that isn't one: it answers what a test wants, as slowly as it wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "functions/container_api.h"

#define TIMEOUT_MS 300
#define ID "b01dface00112233445566778899aabbb01dface00112233445566778899aabb"

/* One connection gets the pieces, with a pause before each; the last one again and again. */
struct fake {
	char folder[32], *path;
	const char *const *pieces;
	useconds_t pause_us;
	bool for_ever;
	int listener;
	pthread_t thread;
	struct dal_container_api *api;
};

static void *serve(void *argument)
{
	struct fake *fake = argument;
	char request[4096];
	int stream = accept(fake->listener, NULL, NULL);
	const char *const *piece = fake->pieces;
	ssize_t sent = recv(stream, request, sizeof(request), 0);
	while (sent > 0 && *piece) {
		(void)usleep(fake->pause_us);
		sent = send(stream, *piece, strlen(*piece), MSG_NOSIGNAL);
		piece += piece[1] || !fake->for_ever;
	}
	if (sent > 0) {
		(void)recv(stream, request, sizeof(request), 0); /* until it has enough */
	}
	(void)close(stream);
	return NULL;
}

static void fake_start(struct fake *fake)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct dal_error error;
	(void)snprintf(fake->folder, sizeof(fake->folder), "/tmp/dalamb-fake-XXXXXX");
	assert_non_null(mkdtemp(fake->folder));
	fake->path = dal_asprintf("%s/socket", fake->folder);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", fake->path);
	fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fake->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fake->listener, 1), 0);
	assert_int_equal(pthread_create(&fake->thread, NULL, serve, fake), 0);
	assert_int_equal(dal_container_api_new(fake->path, TIMEOUT_MS, &fake->api, &error), 0);
}

static void fake_stop(struct fake *fake)
{
	dal_container_api_free(fake->api);
	(void)pthread_join(fake->thread, NULL);
	(void)close(fake->listener);
	(void)unlink(fake->path);
	(void)rmdir(fake->folder);
	free(fake->path);
}

static void a_head_that_drips_has_an_end(void **state)
{
	static const char *const pieces[] = {"HTTP/1.1 101 UPGRADED\r\nX: ", "x", NULL};
	struct fake fake = {.pieces = pieces, .pause_us = 50000, .for_ever = true};
	struct dal_error error;
	int stream;
	(void)state;
	fake_start(&fake);
	int64_t begun_us = dal_clock_monotonic_us();
	assert_int_equal(dal_container_api_attach(fake.api, ID, &stream, &error),
			 DAL_CONTAINER_AWAY);
	assert_true(dal_clock_monotonic_us() - begun_us < 10 * TIMEOUT_MS * 1000);
	fake_stop(&fake);
}

static void what_follows_the_head_stays(void **state)
{
	static const char *const pieces[] = {"HTTP/1.1 101 UPGRADED\r", "\n\r\nout", NULL};
	struct fake fake = {.pieces = pieces, .pause_us = 1000};
	struct dal_error error;
	char text[8] = "";
	int stream;
	(void)state;
	fake_start(&fake);
	assert_int_equal(dal_container_api_attach(fake.api, ID, &stream, &error), 0);
	assert_int_equal(recv(stream, text, sizeof(text), 0), 3);
	assert_string_equal(text, "out");
	(void)close(stream);
	fake_stop(&fake);
}

static void a_refusal_comes_in_pieces(void **state)
{
	static const char *const pieces[] = {"HTTP/1.1 409 Conflict\r\n\r\n",
					     "2a\r\n{\"message\":", "\"it is dead\"}\r\n", NULL};
	struct fake fake = {.pieces = pieces, .pause_us = 20000};
	struct dal_error error;
	int stream;
	(void)state;
	fake_start(&fake);
	assert_int_equal(dal_container_api_attach(fake.api, ID, &stream, &error),
			 DAL_CONTAINER_REFUSED);
	assert_string_equal(error.text, "the container engine refuses (status 409): it is dead");
	fake_stop(&fake);
}

static void a_container_with_warnings_is_refused(void **state)
{
	static const char *const pieces[] = {"HTTP/1.1 201 Created\r\nContent-Length: 110\r\n\r\n",
					     "{\"Id\":\"" ID
					     "\",\"Warnings\":[\"Limitation discarded.\"]}",
					     NULL};
	struct fake fake = {.pieces = pieces};
	struct dal_error error;
	char id[65] = "";
	(void)state;
	assert_int_equal(strlen(pieces[1]), 110);
	fake_start(&fake);
	assert_int_equal(dal_container_api_create(fake.api, "x", dal_slice_text("{}"), id, &error),
			 DAL_CONTAINER_REFUSED);
	assert_string_equal(id, ID);
	assert_non_null(strstr(error.text, "Limitation discarded."));
	fake_stop(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_that_drips_has_an_end),
		cmocka_unit_test(what_follows_the_head_stays),
		cmocka_unit_test(a_refusal_comes_in_pieces),
		cmocka_unit_test(a_container_with_warnings_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
