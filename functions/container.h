/*
 * What the files of the container driver share: containers, each with a thread that lives as long
 * as it does, and the driver that holds them all.
 *
 * A container's thread makes its network, has the engine make and start it, passes on what it
 * writes, sees its end and removes it: one function from top to bottom (container.c). Beside the
 * engine's own supervisor, a process for each container, a sleeping thread costs nothing. The
 * *keeper*, one more thread, finds the engine, removes what an earlier dalamb left behind, and
 * looks up images that could not be at load (keeper.c). Both tell the pool by events, which
 * `dispatch` hands on: the pool's lock is never taken here, and `lock` is held for moments only.
 */
#ifndef DAL_FUNCTIONS_CONTAINER_H
#define DAL_FUNCTIONS_CONTAINER_H

#include <pthread.h>
#include <sys/types.h>

#include "engine/base/metrics.h"
#include "functions/cgroup.h"
#include "functions/container_api.h"
#include "functions/data_id.h"
#include "functions/driver.h"
#include "functions/frames.h"

/* Where network namespaces are held: DAL_CONTAINERS_FOLDER/<data id>/<instance>. */
#define DAL_CONTAINERS_FOLDER "/run/dalamb"

enum dal_container_event_kind {
	DAL_CONTAINER_LISTENING, /* `descriptor` */
	DAL_CONTAINER_RUNNING,
	DAL_CONTAINER_ENDED,   /* `end`, whose text is `text` */
	DAL_CONTAINER_FOUND,   /* `image` */
	DAL_CONTAINER_CHANGED, /* another state of the engine, or an image that can't run */
};

struct dal_container_event {
	struct dal_container_event *next;
	enum dal_container_event_kind kind;
	uint64_t id;
	int descriptor; /* -1: none */
	struct dal_driver_end end;
	char text[512];
	struct dal_image image;
};

struct dal_container {
	struct dal_container_driver *driver;
	struct dal_container *next; /* guarded by `lock`, like these: */
	int process;                /* a pidfd of its first process; -1: not running */
	pid_t pid;
	int asked; /* the signal by which it was asked to end; 0: not yet */
	struct dal_cgroup cgroup;

	/* of its thread alone */
	uint64_t id;
	const struct dal_function *function; /* the pool's, until ENDED */
	char engine_id[65];                  /* "": not made yet */
	char *namespace_path;
	int output; /* to the pool */
	int stream; /* from the engine; -1: none */
	struct dal_frames frames;
};

/* An image that is to be looked up. */
struct dal_container_lookup {
	struct dal_container_lookup *next;
	char *name;
	int64_t asked_us;  /* by `ready` */
	char problem[768]; /* "": not known yet */
};

enum dal_container_phase {
	DAL_PHASE_NETWORK, /* its namespace */
	DAL_PHASE_CREATE,  /* the engine makes it */
	DAL_PHASE_ATTACH,  /* and its process, with Podman, up to the program's exec */
	DAL_PHASE_FIND,    /* the process is looked up */
	DAL_PHASE_START,   /* and goes on into the program */
	DAL_PHASE_COUNT,
};

struct dal_container_driver {
	struct dal_driver driver;
	struct dal_container_api *api;    /* NULL: `obstacle` says why */
	struct dal_container_api *lookup; /* of the keeper, less patient: others wait for it */
	struct dal_spawner *spawner;
	char *host, *folder, *filter; /* the last one a file in the folder, hidden; see seccomp.h */
	char id[DAL_DATA_ID_BYTES];
	struct dal_metric *phases[DAL_PHASE_COUNT];
	int event; /* readable while there are events */

	pthread_mutex_t lock;
	pthread_cond_t changed; /* work for the keeper; a thread has ended; `quit` */
	pthread_t keeper;
	bool keeping, quit;
	bool connected;      /* the engine answers, and is one that we can use */
	char obstacle[1024]; /* why it isn't; "": not tried yet */
	struct dal_container *containers;
	size_t threads;
	struct dal_container_lookup *lookups;
	struct dal_container_event *first, **last;
};

/* container_driver.c. `tell` takes the event, without `lock`. */
struct dal_container_event *dal_container_event_new(enum dal_container_event_kind kind,
						    uint64_t id);
void dal_container_tell_take(struct dal_container_driver *driver,
			     struct dal_container_event *event);

/* container.c: the life of one; its thread's function. */
void *dal_container_run(void *container);
/* Passes on what it was asked, if it runs. With `lock` held. */
void dal_container_signal(struct dal_container *container);
/* keeper.c */
void *dal_container_keep(void *driver);
/* The engine did not answer a container: look for it again. */
void dal_container_lose(struct dal_container_driver *driver, const struct dal_error *error);

#endif
