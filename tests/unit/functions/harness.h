/*
 * An app of one folder with a program that speaks the Runtime API over plain HTTP (client.py, given
 * by -DCLIENT), a pool around it, and invocations that wait for their end.
 */
#ifndef DAL_TESTS_FUNCTIONS_HARNESS_H
#define DAL_TESTS_FUNCTIONS_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/slice.h"
#include "functions/functions.h"

struct app {
	char *folder;
	struct dal_spawner *spawner;
	struct dal_functions *functions;
	const char *containers;  /* a container engine's address; NULL: the usual */
	bool walls;              /* this machine can make sandboxes */
	struct dal_buffer lines; /* "request text\n" of all that was written; see app_lines */
};

/* One field as a person writes it; "env" is NAME=value. A list ends with a NULL name. */
struct field {
	const char *name, *text;
};

#define FIELDS(...) ((struct field[]){__VA_ARGS__, {0}})
#define TRUSTED ((struct field){"sandbox", "false"})
/* With walls where this machine has them. */
#define USUAL(app) ((struct field){"sandbox", (app)->walls ? "true" : "false"})

/* Cmocka group fixtures: `*state` is a struct app. */
int app_set_up(void **state);
int app_tear_down(void **state);
/* The pool is stopped and made again, empty; `instances` is limits.instances. */
void app_renew(struct app *app, uint32_t instances, uint64_t memory_bytes, int64_t grace_us);
/* The same with usual limits, of a test's `state`. */
struct app *app_fresh(void **state);
/* A copy of what was written so far; free it. */
char *app_lines(struct app *app);

/* Writes functions/NAME/FILE with the mode. */
void app_write(struct app *app, const char *name, const char *file, const char *text,
	       unsigned mode);
/* Declares a function with client.py in its folder; command, sandbox and others by `fields`. */
struct dal_function *app_function(struct app *app, const char *name, const struct field *fields);
/* The same, of a folder that is there already; NULL and `text` when it is refused. */
struct dal_function *app_declare(struct app *app, const char *name, const struct field *fields,
				 char text[1024]);
/* Makes it the only function of the pool, and frees it. */
void app_configure(struct app *app, struct dal_function *function);

/* An invocation that is under way; results are copies. */
struct call {
	struct dal_invocation invocation;
	char request[40];
	char name[64];
	char *payload;
	bool done;
	enum dal_invoke_outcome outcome;
	char *result, *type, *message, *trace;
	int64_t ended_us;
	int order; /* which call ended first */
};

struct call *call_start(struct app *app, const char *name, const char *payload);
void call_wait(struct call *call);
bool call_ended(struct call *call);
void call_free(struct call *call);
/* Start, wait, and check the outcome. */
struct call *call_expect(struct app *app, const char *name, const char *payload,
			 enum dal_invoke_outcome outcome);

/* The same, of one that succeeds with this result. */
void call_returns(struct app *app, const char *name, const char *payload, const char *result);

struct dal_function_status app_status(struct app *app, const char *name);
/* Until the function has this number of instances; fails after ten seconds. */
void app_wait_instances(struct app *app, const char *name, uint32_t count);
/* Until this number of them is busy. */
void app_wait_busy(struct app *app, const char *name, uint32_t count);
void assert_contains(const char *text, const char *part);
/* How many descriptors does this process have? */
int count_descriptors(void);

#endif
