/*
 * Dispatch: rows of a lane's outbox to functions and to the log, at their own pace.
 *
 * Delivery is at least once, with the row's id as idempotency key on every try. Rows with the same
 * order key go one after another; a failing key holds up only itself; a slow function only itself.
 * Retries back off; past `attempts` or `age` a row's completion is dalamb.function.failed, and the
 * worker that reads it makes it a dead letter. Every row has one completion, appended to `system`.
 * Dispatch never writes state: it tells the worker what became of a row (struct
 * dal_dispatch_options), which writes it with its next batch.
 *
 * It keeps a window of at most DAL_DISPATCH_WINDOW rows a function in memory, and up to
 * DAL_DISPATCH_BLOCKED that wait behind another of their order key; the rest waits on disk. So
 * memory is bounded whatever waits, and a function of which a whole window is waiting for a retry
 * takes no further rows until one of these is done.
 *
 * Threads: one of its own; wake and status from any thread; the callbacks run on its thread.
 */
#ifndef DAL_DISPATCH_DISPATCH_H
#define DAL_DISPATCH_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"
#include "engine/log/log.h"
#include "functions/functions.h"
#include "state/state.h"

#define DAL_DISPATCH_WINDOW 4096
#define DAL_DISPATCH_BLOCKED 65536 /* some 100 bytes each: references, not rows */

struct dal_dispatch;

struct dal_dispatch_options {
	struct dal_state *state;
	struct dal_log *log;
	uint16_t lane;
	const char *app;
	struct dal_functions *functions;
	const struct dal_function *const *list; /* as configured; until others are */
	size_t count;
	/* What became of a row. */
	void (*delivered)(void *own, struct dal_slice row_id);
	void (*retry)(void *own, struct dal_slice row_id, uint32_t attempts, int64_t due_us,
		      struct dal_slice tries);
	void (*appended)(void *own, uint64_t sequence);
	/* Once: the outbox can't be read, nothing more is sent; may be NULL. */
	void (*broken)(void *own, int error);
	/* Each invocation as it ends, for --dev; may be NULL. */
	void (*watch)(void *own, const struct dal_invocation *invocation, struct dal_slice row_id);
	void *own;
};

struct dal_dispatch *dal_dispatch_new(const struct dal_dispatch_options *options);
/* Delivery begins; before that nothing leaves. */
int dal_dispatch_start(struct dal_dispatch *dispatch);
/*
 * The functions that there are from now on; the former list is not looked at once this returns.
 * Rows of a function that is gone get their verdict, those under way end as they would have. Any
 * thread but its own, one at a time.
 */
void dal_dispatch_configure(struct dal_dispatch *dispatch, const struct dal_function *const *list,
			    size_t count);
/*
 * Before rows for functions come about that are configured only later: rows of one that is not
 * there yet, or not there again, wait for the next `configure` instead of their verdict. The list
 * is looked at until then, or until another is expected (NULL, 0: none). Any thread.
 */
void dal_dispatch_expect(struct dal_dispatch *dispatch, const struct dal_function *const *list,
			 size_t count);
/* Rows may have been committed. */
void dal_dispatch_wake(struct dal_dispatch *dispatch);
/* Starts nothing more. What runs may end: the owner then stops the functions, then frees. */
void dal_dispatch_drain(struct dal_dispatch *dispatch);
/* Ends the thread once all that was started has ended. */
void dal_dispatch_stop(struct dal_dispatch *dispatch);
void dal_dispatch_free(struct dal_dispatch *dispatch); /* NULL is fine */

struct dal_dispatch_status {
	const char *function;
	uint64_t waiting; /* in the window, not running; `more` wait on disk */
	uint64_t running, retrying;
	bool more;
	int64_t oldest_us;  /* append time of the oldest cause that waits; 0: none */
	char obstacle[256]; /* why nothing is sent, or "" */
};

void dal_dispatch_status(struct dal_dispatch *dispatch,
			 void (*each)(const struct dal_dispatch_status *status, void *own),
			 void *own);

#endif
