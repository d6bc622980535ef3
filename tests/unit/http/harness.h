/* A server on a free port and raw sockets to it. */
#ifndef DAL_TESTS_UNIT_HTTP_HARNESS_H
#define DAL_TESTS_UNIT_HTTP_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/slice.h"
#include "engine/http/http.h"

#define HEAD "Host: localhost\r\n"

/* Starts with these routes; `options` may be NULL. Fails the test if it can't. */
struct dal_http_server *harness_start(const struct dal_http_options *options,
				      const struct dal_http_route *routes, size_t count,
				      void *data);
void harness_stop(struct dal_http_server *server);
int harness_dial(struct dal_http_server *server);
void harness_say(int fd, const void *text, size_t size);
void harness_tell(int fd, const char *text);
/* One answer with Content-Length, or all until the end; its status, or 0 if the connection ended.
 * `out` may be NULL. */
int harness_hear(int fd, struct dal_buffer *out);
/* Reads until `text` has come (appended to out); false at the end or after 5 s. */
bool harness_hear_text(int fd, const char *text, struct dal_buffer *out);
/* Has the other side closed, within the time? */
bool harness_closed(int fd, int wait_ms);
/* dial, say, hear, close. */
int harness_ask(struct dal_http_server *server, const char *text, struct dal_buffer *out);
bool harness_contains(const struct dal_buffer *buffer, const char *text);

#endif
