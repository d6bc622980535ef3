/*
 * A driver: where programs run. The pool knows instances by number; a driver makes one real (a
 * child process, a container), gives its Runtime API socket and output, and says when
 * it has ended. Starting and stopping never block: what comes of them is told by events.
 *
 * Thread: all calls and all events come under the pool's lock. Events come from `start` and
 * `dispatch`.
 */
#ifndef DAL_FUNCTIONS_DRIVER_H
#define DAL_FUNCTIONS_DRIVER_H

#include "functions/functions.h"

struct dal_driver_end {
	const char *text;          /* "ended with status 3", "was killed by SIGKILL" */
	bool unavailable;          /* it never ran: this machine refused something */
	bool out_of_memory;        /* the kernel killed it for using more than its `memory` */
	int64_t cpu_us, memory_mb; /* of its whole life; -1: not measured */
};

struct dal_driver_usage {
	int64_t cpu_us;    /* since it started; -1: not measured */
	int64_t memory_mb; /* the peak so far; -1: not measured */
};

struct dal_driver_events {
	/* The instance's Runtime API socket: listening, yours now. */
	void (*listening)(void *own, uint64_t id, int descriptor);
	/* The program begins now, if it took a while to get there: its init counts from here. */
	void (*running)(void *own, uint64_t id);
	/* The last word of this instance. */
	void (*ended)(void *own, uint64_t id, const struct dal_driver_end *end);
	/* An image that was not known at load has been found (copied by whoever wants to keep it).
	 */
	void (*found)(void *own, const struct dal_image *image);
	/* `ready` may give another answer than before. */
	void (*changed)(void *own);
};

enum { DAL_DRIVER_OBSTACLE = 1, DAL_DRIVER_TRYING = 2 };

struct dal_driver {
	const struct dal_driver_operations *operations;
	const struct dal_driver_events *events;
	void *own; /* of the events */
};

struct dal_driver_operations {
	/* Can this machine run the function? 0, _OBSTACLE (with `why`), or _TRYING: `changed`
	 * follows. */
	int (*ready)(struct dal_driver *driver, const struct dal_function *function,
		     struct dal_error *why);
	/* How long `start` may take until `running`; 0: at once, and there is no such event. */
	int64_t start_ms;
	/* `*output` reads what the program writes; the caller closes it. 0, or a negated errno:
	 * this machine refused something, and no event follows. */
	int (*start)(struct dal_driver *driver, uint64_t id, const struct dal_function *function,
		     int *output);
	/* Asks it to end, or makes it end. */
	void (*stop)(struct dal_driver *driver, uint64_t id, bool kill);
	/* CPU time costs a system call, memory some more: only if asked for. */
	void (*stats)(struct dal_driver *driver, uint64_t id, bool memory,
		      struct dal_driver_usage *usage);
	/* To watch for reading; then `dispatch`. -1 when nothing will come any more. */
	int (*descriptor)(const struct dal_driver *driver);
	void (*dispatch)(struct dal_driver *driver);
	void (*free)(struct dal_driver *driver);
};

struct dal_driver *dal_process_driver_new(struct dal_spawner *spawner,
					  const struct dal_driver_events *events, void *own);
/*
 * The spawner kills containers whose engine (ours) is gone; `host` is the container engine's
 * address, `data_folder` gives the id that labels containers (NULL: a passing one). Never fails:
 * what is lacking is what `ready` says.
 */
struct dal_driver *dal_container_driver_new(struct dal_spawner *spawner, const char *host,
					    const char *data_folder,
					    const struct dal_driver_events *events, void *own);

#endif
