/*
 * What the container driver and a container engine say to each other in JSON: the request that
 * makes a container, and what is read of answers. Docker's Engine API, version 1.41, as Docker and
 * Podman speak it. Pure: no input or output. Any thread.
 *
 * The readers return 0, or -EBADMSG for an answer that is not what the API promises.
 */
#ifndef DAL_FUNCTIONS_CONTAINER_JSON_H
#define DAL_FUNCTIONS_CONTAINER_JSON_H

#include "functions/function.h"

#define DAL_CONTAINER_LABEL "dalamb.data"

struct dal_container_spec {
	const struct dal_function *function;
	char *const *environment;       /* NULL-terminated, all that is added to the image's own */
	const char *data_id;            /* the value of DAL_CONTAINER_LABEL */
	const char *namespace_path;     /* of its network */
	const char *filter_path;        /* seccomp.h */
	const char *host_name;          /* inside */
	uint64_t files, user_processes; /* RLIMIT_NOFILE, RLIMIT_NPROC */
};

struct dal_container_engine {
	bool podman;
	char text[64]; /* "Podman Engine 4.3.1" */
};

struct dal_container_state {
	bool running;
	int pid;       /* of its first process, as this machine counts; 0: none */
	int exit_code; /* if it has run */
};

/* The whole template: every wall of a container is put up here. Appends. */
void dal_container_write_spec(const struct dal_container_spec *spec, struct dal_buffer *out);

int dal_container_read_engine(struct dal_slice body, struct dal_container_engine *engine);
/* `name` is what was asked for. */
int dal_container_read_image(struct dal_slice body, const char *name, struct dal_image *image);
/* Of one container, just made. `warning` is the first thing that the engine left out of what was
 * asked for, in its own words, at most `size` bytes; "": nothing. */
int dal_container_read_created(struct dal_slice body, char id[65], char *warning, size_t size);
/* Of a list of containers: NULL-terminated; free each and the list. */
int dal_container_read_ids(struct dal_slice body, char ***ids);
int dal_container_read_state(struct dal_slice body, struct dal_container_state *state);
/* What the engine says when it refuses: one line, at most `size` bytes. */
void dal_container_read_message(struct dal_slice body, char *text, size_t size);

#endif
