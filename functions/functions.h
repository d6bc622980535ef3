/*
 * Functions: programs that take one event and give one JSON result, or fail.
 *
 * Runs one invocation at a time per instance: versions, instances, the pool, the Runtime API
 * (AWS Lambda, 2018-06-01), drivers. It knows nothing of the log, the outbox or retries: it is told
 * to invoke and says what came of it, by callback. A failed try is an outcome, not an error.
 *
 * Life: `dal_spawner_start` before the first thread; new, configure, invoke ..., stop, free.
 * Threads: `invoke` and `configure` from any thread; `done` and `on_line` are called on the pool's
 * own thread: be short there.
 */
#ifndef DAL_FUNCTIONS_FUNCTIONS_H
#define DAL_FUNCTIONS_FUNCTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/field.h"
#include "engine/base/slice.h"

struct dal_functions;
struct dal_spawner;

/* `func`: what an operator may declare of a function; `containers`: of the container engine. */
extern const struct dal_declarable dal_function_declarable, dal_containers_declarable;

/* Forks the process that makes namespaces and children, while there is one thread yet. It ends with
 * its parent, and takes its children with it. */
int dal_spawner_start(struct dal_spawner **spawner, struct dal_error *error);
void dal_spawner_stop(struct dal_spawner *spawner);

enum dal_function_contract { DAL_CONTRACT_LAMBDA };
enum dal_function_driver { DAL_DRIVER_PROCESS, DAL_DRIVER_CONTAINER, DAL_DRIVER_COUNT };

/* A container image: what was declared, and what it was found to mean. */
struct dal_image {
	char *name; /* by tag or digest; NULL: the function has no image */
	char *id;   /* "sha256:...", which is what is started; NULL: not known yet */
	char *architecture, *system;      /* "amd64", "linux" */
	char *user;                       /* "65534:65534": what it runs as, never root */
	char **volumes;                   /* NULL-terminated: closed, like all of its root */
	char *task_root, *runtime_folder; /* LAMBDA_TASK_ROOT, LAMBDA_RUNTIME_DIR */
};

/* A function as declared and checked. Owned by whoever made it until `configure` copies it. */
struct dal_function {
	char *name;
	char version[17]; /* of its declaration and program: 16 hex digits */
	char *file;
	int line;
	enum dal_function_contract contract;
	enum dal_function_driver driver;
	struct dal_image image;
	char *folder;       /* functions/NAME, absolute: the working directory, read-only; of an
			       image NULL */
	char **command;     /* NULL-terminated; of an image: instead of its own, may be empty */
	char **paths;       /* NULL-terminated: shown too, read-only */
	char **environment; /* NULL-terminated NAME=value, secrets resolved */
	char *handler;      /* or NULL */
	bool sandbox;
	int64_t timeout_us, idle_us, age_us, backoff_us;
	uint64_t memory_bytes, tmp_bytes;
	double cpu, rate; /* 0: no limit */
	uint32_t min, max, per_instance, attempts;
	char **final; /* NULL-terminated error types */
	char *order;  /* a path, or NULL: no order */
	enum { DAL_INPUT_EVENT, DAL_INPUT_DATA, DAL_INPUT_LUA } input;
	int64_t input_function; /* for LUA: the rule set's number */
	uint64_t secrets; /* private: of the secrets' values, so that a new one starts new instances
			   */
};

/*
 * Checks a `func` declaration beyond its field table: the command's program is there and is seen
 * inside the sandbox, paths exist, fields that need a later driver or contract (url, batch,
 * "http-v2", "eventbridge", "sqs" ...) are refused with what to do. NULL if there were
 * errors. `app_folder` NULL: it will not be run (rule tests, replay): nothing is looked for on
 * disk.
 */
struct dal_function *dal_function_new(const struct dal_declaration *declaration,
				      const char *app_folder, struct dal_errors *errors);
void dal_function_free(struct dal_function *function);

/*
 * The container engine's address: what `containers` (may be NULL) or DALAMB_CONTAINERS_HOST says,
 * else DOCKER_HOST or CONTAINER_HOST, else the usual socket that is there. Owned by the caller.
 */
char *dal_containers_host(const struct dal_declaration *containers, char *const *environment,
			  struct dal_errors *errors);
/*
 * Looks up each image at the engine and pins its function to what the name means now: the version
 * changes with the image. An image that isn't there or is for other machines is an error. While
 * the engine is away nothing is pinned and nothing is wrong: the pool does it when it comes.
 * Blocks for some milliseconds an image.
 */
void dal_functions_pin(struct dal_function *const *functions, size_t count, const char *host,
		       struct dal_errors *errors);

struct dal_functions_options {
	struct dal_spawner *spawner;
	const char *data_folder;     /* its id (made if there is none) labels what is started; NULL:
					a passing one */
	const char *containers_host; /* of dal_containers_host; NULL: the usual */
	uint32_t instances;          /* limits.instances */
	uint64_t memory_bytes;       /* limits.memory; 0: none */
	int64_t grace_us;            /* limits.grace */
	/* A line that a function wrote (stdout, stderr); at most DAL_LIMIT_LOG_LINE_BYTES. May be
	 * NULL. */
	void (*on_line)(void *own, const char *function, const char *request,
			struct dal_slice line);
	void *own;
};

int dal_functions_new(const struct dal_functions_options *options, struct dal_functions **functions,
		      struct dal_error *error);
/* The functions that there are from now on (copied). New versions start; old ones finish what runs
 * and end. */
int dal_functions_configure(struct dal_functions *functions, const struct dal_function *const *list,
			    size_t count);
/* No new work; what runs may finish until the grace ends; then everything is killed. Unfinished
 * invocations get DAL_INVOKE_CANCELLED. */
void dal_functions_stop(struct dal_functions *functions);
void dal_functions_free(struct dal_functions *functions);

enum dal_invoke_outcome {
	DAL_INVOKE_SUCCEEDED,
	DAL_INVOKE_FAILED, /* the program answered with an error: error_type, error_message, trace
			    */
	DAL_INVOKE_TIMEOUT,
	DAL_INVOKE_CRASHED, /* ended without an answer; error_message has status or signal, and its
			       last line */
	DAL_INVOKE_INIT,    /* did not come up: crashed, timed out or said so in init */
	DAL_INVOKE_TOO_LARGE,   /* its result is over DAL_LIMIT_RESULT_BYTES */
	DAL_INVOKE_GONE,        /* no such function any more */
	DAL_INVOKE_UNAVAILABLE, /* this machine can't run it (reason in error_message): not the
				   function's fault, no try */
	DAL_INVOKE_CANCELLED,   /* the engine stops */
};

/* One invocation. The caller keeps it, and all it points to, until `done`. */
struct dal_invocation {
	struct dal_slice function;
	const char *request;             /* UUID text: Lambda-Runtime-Aws-Request-Id */
	struct dal_slice payload;        /* JSON */
	struct dal_slice client_context; /* JSON: {"custom":{"idempotency_key":...}}, or empty */
	struct dal_slice trace;          /* traceparent, or empty */
	void (*done)(struct dal_invocation *invocation);
	void *own;
	/* results, valid in `done`; slices are freed after it returns */
	enum dal_invoke_outcome outcome;
	struct dal_slice result;                                 /* bytes as they were answered */
	struct dal_slice error_type, error_message, error_trace; /* trace: JSON array or empty */
	char version[17];
	bool cold;
	int64_t started_us; /* when the program got it; 0 if never */
	int64_t duration_us, init_us;
	int64_t memory_mb, cpu_us;   /* -1: not measured */
	struct dal_invocation *next; /* private */
};

/* Queues it; `done` is called once, whatever happens. It waits in order for an instance: how many
 * to send at once is the caller's choice (see capacity). */
void dal_functions_invoke(struct dal_functions *functions, struct dal_invocation *invocation);
/* How many invocations of this function can run at once (max * per_instance); 0: unknown function.
 */
uint32_t dal_functions_capacity(struct dal_functions *functions, struct dal_slice function);
/* Why a function can't run on this machine, unless it does ("bubblewrap can't make namespaces here:
 * ..., set sandbox = false ..."), or false. */
bool dal_functions_obstacle(struct dal_functions *functions, struct dal_slice function,
			    struct dal_error *why);

struct dal_function_status {
	const char *name;
	const char *version;
	const char *obstacle; /* why it can't run now; "": it can */
	uint32_t instances, busy, waiting;
	uint64_t invocations, failures, cold_starts;
};

void dal_functions_status(struct dal_functions *functions,
			  void (*each)(const struct dal_function_status *status, void *own),
			  void *own);

#endif
