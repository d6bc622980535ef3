/*
 * A whole way of a row without the engine: a real log and state, a worker, dispatch, and a pool
 * that runs a program of the test's own (it fails as often as its event says, and writes down each
 * try). The log can be made to refuse or to break.
 */
#ifndef DAL_TESTS_UNIT_DISPATCH_RIG_H
#define DAL_TESTS_UNIT_DISPATCH_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/dispatch/dispatch.h"
#include "engine/stream/worker.h"
#include "tests/unit/functions/harness.h"
#include "tests/unit/stream/fixture.h"

struct rig {
	struct app *app; /* its pool */
	struct fixture *f;
	char *trace; /* path: a line "REQUEST NAME" a try */
	struct dal_function *function;
	struct dal_worker *worker;
	struct dal_dispatch *dispatch;
	const char *rules;
	atomic_int broken;
};

/* `check` with these fields; order by data.key. */
void rig_setup(struct rig *rig, void **state, const char *rules, const struct field *fields);
void rig_teardown(struct rig *rig);
/* The function is declared (false: it is gone, its rows are owed a verdict). */
void rig_start(struct rig *rig, bool declared);
/* As the engine stops. */
void rig_stop(struct rig *rig);

/* Appends an event of type "call" with this data; returns its offset. */
uint64_t rig_call(struct rig *rig, const char *data);
uint64_t rig_append(struct rig *rig, const char *type, const char *data);
/* Waits (up to 20 s) until so many events whose text has `what` are on the log. */
void rig_wait(struct rig *rig, const char *what, size_t count);
size_t rig_count(struct rig *rig, const char *what);
/* The text of the n-th such event (from 0); free it. */
char *rig_event(struct rig *rig, const char *what, size_t n);
/* Waits until all that is on the log is folded in, and nothing is open. */
void rig_settle(struct rig *rig);
/* All tries so far, one a line; free it. */
char *rig_trace(struct rig *rig);
size_t rig_tries(struct rig *rig, const char *name);

/* From now on the log has no room, not for completions either; or has again. */
void rig_full(bool full);
/* From now on the log refuses events whose text has this, as too large; NULL: none. */
void rig_refuse(const char *what);
/* From now on appends of emits stay under way, as far as the test is concerned: the log does not
 * hear of them until the test ends them; or they go on as ever. */
void rig_hold(bool held);
size_t rig_held(void);
/* The n-th that was held (from 0) ends so. */
void rig_end(size_t n, int result);
/* A broken log leaves its store as it is, until the process ends: no leak that is worth a word.
 * Around what opens it. */
void rig_leaks(bool on_purpose);
/* From now on what the log writes fails. */
void rig_break(bool broken);

#endif
