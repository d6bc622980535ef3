/* What the files of dispatch share; nobody else includes it. */
#ifndef DAL_DISPATCH_DISPATCH_PRIVATE_H
#define DAL_DISPATCH_DISPATCH_PRIVATE_H

#include <pthread.h>

#include "engine/dispatch/completion.h"
#include "engine/dispatch/dispatch.h"
#include "engine/dispatch/queue.h"
#include "state/outbox.h"

struct dal_delivery;
struct dal_emission;

/* One function and its rows. */
struct dal_lane_function {
	const struct dal_function *function;
	const char *name; /* also of one that is gone: rows of it wait for a verdict */
	struct dal_dispatch_queue queue;
	int64_t blocked_until_us; /* this machine can't run it now; monotonic */
	char obstacle[256];
};

struct dal_dispatch {
	struct dal_dispatch_options options;
	pthread_t thread;
	bool running;

	pthread_mutex_t lock; /* all below */
	pthread_cond_t wake, taken;
	bool woken, draining, stopping;
	struct dal_delivery *finished; /* invocations and appends that ended, newest first */
	struct dal_emission *emitted;
	struct dal_lane_function **functions; /* one that is there stays: deliveries hold it */
	size_t count;
	/* other functions that there are, until the thread has taken them */
	const struct dal_function *const *listed;
	size_t listed_count;
	bool configured, alive, ended;
	/* those that are about to be configured */
	const struct dal_function *const *expected;
	size_t expected_count;

	/* the thread's own */
	size_t flying;             /* deliveries that are not done with */
	struct dal_delivery *held; /* completions that the log refused, to be appended again */
	int64_t held_until_us;     /* monotonic */
	int error;                 /* the outbox can't be read */
	uint64_t emit_cursor;
	bool emit_more;
	uint64_t origin;       /* causes up to here are on the log, since before the start */
	size_t emitting;       /* causes whose append is under way */
	bool emit_failed;      /* one of these wasn't appended; the others are waited for */
	int64_t emit_pause_us; /* after a refusal; monotonic */
	bool emit_warned;      /* that the log does not take them */
};

/* delivery.c: a row on its way to a function */
void dal_delivery_start(struct dal_dispatch *dispatch, struct dal_lane_function *function,
			struct dal_queue_entry *entry);
/* An invocation, or the append of its completion, has ended. */
void dal_delivery_step(struct dal_dispatch *dispatch, struct dal_delivery *delivery);
/* Appends refused completions again, once their pause is over; forsakes them if it stops. */
void dal_delivery_release(struct dal_dispatch *dispatch, bool stopping);
/* Takes the list of those that ended, oldest first. */
struct dal_delivery *dal_delivery_finished(struct dal_dispatch *dispatch);
struct dal_delivery *dal_delivery_next(struct dal_delivery *delivery);

/* emission.c: rows to the log */
int dal_emission_start(struct dal_dispatch *dispatch);
void dal_emission_finish(struct dal_dispatch *dispatch);

#endif
