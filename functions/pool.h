/*
 * What the files of the pool share: services (a name and what waits for it), revisions (a version
 * of it), instances (one running program), and the pool that holds them all.
 *
 * Everything here is guarded by `pool.lock`; functions named dal_pool_, dal_service_,
 * dal_revision_, dal_instance_ are called with it held, unless they say otherwise. Three kinds of
 * threads come in: callers (invoke, configure), the Runtime API's (next, response), and the pool's
 * own, which alone talks to the driver's events and calls `done` and `on_line`, without the lock.
 */
#ifndef DAL_FUNCTIONS_POOL_H
#define DAL_FUNCTIONS_POOL_H

#include <pthread.h>

#include "engine/base/map.h"
#include "engine/base/metrics.h"
#include "engine/http/http.h"
#include "functions/driver.h"
#include "functions/limits.h"
#include "functions/lines.h"

#define DAL_POOL_NEVER INT64_MAX

/* What came of an invocation. Buffers are handed over with it. */
struct dal_answer {
	enum dal_invoke_outcome outcome;
	struct dal_buffer result;
	struct dal_buffer type, message, trace; /* of an error; trace is a JSON array or empty */
};

struct dal_completion {
	struct dal_completion *next;
	struct dal_invocation *invocation;
	struct dal_answer answer;
};

enum dal_instance_state {
	DAL_INSTANCE_STARTING, /* until it asks for work the first time */
	DAL_INSTANCE_IDLE,     /* its `next` waits */
	DAL_INSTANCE_BUSY,     /* has an invocation */
	DAL_INSTANCE_SETTLING, /* has answered, and not asked again yet */
	DAL_INSTANCE_STOPPING, /* asked to end, or killed */
};

struct dal_instance {
	struct dal_instance *next; /* of all */
	uint64_t id;
	struct dal_revision *revision;
	enum dal_instance_state state;
	int64_t deadline_us; /* of its state, monotonic */
	bool begun;          /* the program itself, which has its init from here on */
	bool killed;
	bool unwanted;                   /* stopped for no fault of its own */
	uint64_t listener;               /* of the HTTP server; 0: not yet */
	struct dal_http_request *asking; /* its `next`, owed an answer */
	struct dal_invocation *invocation;
	enum dal_invoke_outcome fate; /* of `invocation` when it ends without an answer */
	char request[DAL_UUID_TEXT_BYTES],
		nonce[DAL_UUID_TEXT_BYTES]; /* of it, or of the last one */
	int64_t born_us, given_us, idle_us; /* monotonic */
	int64_t init_us;                    /* how long its init took; -1: not passed yet */
	int64_t cpu_us;                     /* of the program when it got the invocation */
	uint64_t served;
	struct dal_answer refusal; /* what it said to init/error */
	struct dal_lines lines;
};

struct dal_revision {
	struct dal_function *function;
	struct dal_service *service;
	uint32_t instances, starting; /* those that have not ended; those of them in their init */
};

struct dal_service {
	char *name;
	struct dal_revision *current;  /* NULL: not declared any more */
	struct dal_revision *incoming; /* a new version whose first instance is in its init */
	struct dal_invocation *first, **last; /* waiting, in order */
	uint32_t waiting;
	uint32_t init_failures; /* in a row */
	int64_t start_after_us; /* none before: init failed */
	int64_t give_after_us;  /* none before: `rate` */
	int64_t since_us;       /* when the first of those that wait came */
	uint64_t invocations, failures, cold_starts;
	char obstacle[1024]; /* why it can't run now, as it was last said; "": it can */
	struct dal_metric *invoked, *failed, *duration, *alive;
};

struct dal_functions {
	struct dal_functions_options options;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* an obstacle is known; the last instance has ended */
	pthread_t thread;
	bool running, stopping, quit;
	int epoll, event;
	int watched[DAL_DRIVER_COUNT]; /* the drivers' descriptors; -1: nothing comes any more */
	int64_t wake_us;               /* when the pool's thread looks at deadlines next */
	struct dal_http_server *server;
	struct dal_driver *drivers[DAL_DRIVER_COUNT];
	struct dal_map *by_name;
	struct dal_service **services;
	size_t service_count, service_capacity;
	struct dal_instance *instances;
	size_t instance_count;
	uint64_t memory_bytes; /* of all instances, as declared */
	uint64_t last_id;
	struct dal_completion *done, **done_last; /* for the pool's thread to deliver */
	struct dal_line *written, **written_last;
};

/* pool.c */
void dal_pool_signal(struct dal_functions *pool); /* the pool's thread has something to deliver */
void dal_pool_arm(struct dal_functions *pool, int64_t when_us);
struct dal_driver *dal_pool_driver(struct dal_functions *pool, const struct dal_function *function);
/* Hands an outcome to the pool's thread; takes the answer's buffers. */
void dal_pool_finish_take(struct dal_functions *pool, struct dal_invocation *invocation,
			  struct dal_answer *answer);
void dal_answer_deinit(struct dal_answer *answer);

/* service.c */
struct dal_service *dal_service_get(struct dal_functions *pool, struct dal_slice name);
struct dal_service *dal_service_make(struct dal_functions *pool, const char *name);
void dal_service_push(struct dal_functions *pool, struct dal_service *service,
		      struct dal_invocation *invocation);
/* Ends all that wait with one outcome. */
void dal_service_fail_waiting(struct dal_functions *pool, struct dal_service *service,
			      enum dal_invoke_outcome outcome, const char *message);
/* Gives waiting invocations to idle instances, and starts more where there is room. */
void dal_service_schedule(struct dal_functions *pool, struct dal_service *service);
void dal_service_schedule_all(struct dal_functions *pool);
bool dal_service_yields(struct dal_functions *pool, const struct dal_service *service);
/* Takes a copy of `function` as the version to be. */
void dal_service_configure(struct dal_functions *pool, struct dal_service *service,
			   const struct dal_function *function);
/* An image is known now: what was declared with its name starts it, and has a version that says so.
 */
void dal_service_pin(struct dal_service *service, const struct dal_image *image);
void dal_service_retire(struct dal_functions *pool, struct dal_service *service);
/* An instance of this revision has passed, or has failed, its init. */
void dal_service_passed(struct dal_functions *pool, struct dal_revision *revision);
/* It can't run now, or (NULL) it can: said in a line, once, and kept for the status. */
void dal_service_obstruct(struct dal_functions *pool, struct dal_service *service, const char *why);
/* The driver may give another answer than before. */
void dal_service_review(struct dal_functions *pool, struct dal_service *service);
void dal_service_failed(struct dal_functions *pool, struct dal_revision *revision,
			struct dal_answer *answer);
void dal_revision_unuse(struct dal_revision *revision); /* frees it if it is nobody's */
void dal_service_free(struct dal_service *service);

/* instance.c */
struct dal_instance *dal_instance_find(struct dal_functions *pool, uint64_t id);
int dal_instance_start(struct dal_functions *pool, struct dal_revision *revision);
void dal_instance_give(struct dal_functions *pool, struct dal_instance *instance,
		       struct dal_invocation *invocation);
/* Is it idle, and still there? (One that has just died is not known to have ended yet.) */
bool dal_instance_takes_work(struct dal_instance *instance);
/* Its `next` has come. */
void dal_instance_idle(struct dal_functions *pool, struct dal_instance *instance);
/* Its invocation is over. Takes the answer's buffers. */
void dal_instance_answer_take(struct dal_functions *pool, struct dal_instance *instance,
			      struct dal_answer *answer);
/* For a fault of its own; _retire: it isn't wanted any more. */
void dal_instance_stop(struct dal_functions *pool, struct dal_instance *instance, bool kill);
void dal_instance_retire(struct dal_functions *pool, struct dal_instance *instance, bool kill);
void dal_instance_expire(struct dal_functions *pool, struct dal_instance *instance);
void dal_instance_read_lines(struct dal_functions *pool, struct dal_instance *instance);
extern const struct dal_driver_events dal_instance_events;

/* runtime_api.c */
int dal_runtime_api_start(struct dal_functions *pool, struct dal_error *error);
/* Answers an instance's `next` with its invocation. */
void dal_runtime_api_give(struct dal_instance *instance, const struct dal_invocation *invocation);
/* Answers a `next` that gets no invocation any more. */
void dal_runtime_api_dismiss(struct dal_http_request *asking);

#endif
