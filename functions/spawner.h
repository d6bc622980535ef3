/*
 * The spawner: a process of its own that makes namespaces and children for the engine.
 *
 * It is forked before the first thread, because fork beside RocksDB's threads is slow, and
 * namespaces and parent-death signals belong to threads. Engine and spawner speak over a Unix
 * SEQPACKET socket, one message a packet (spawn_message.c). When the engine's end closes, however
 * the engine ended, the spawner kills all its children and ends; when the spawner is killed, its
 * children get SIGKILL from the kernel (PR_SET_PDEATHSIG, and a pid namespace for sandboxed ones).
 * It knows nothing of functions or HTTP: what it starts is a command with an environment, walls and
 * limits.
 *
 * Life: see functions.h. Threads: send from any; receive from one, the pool's.
 */
#ifndef DAL_FUNCTIONS_SPAWNER_H
#define DAL_FUNCTIONS_SPAWNER_H

#include <stdbool.h>
#include <stdint.h>

#include "functions/functions.h"

/* Where a sandboxed program finds its Runtime API: inside a network namespace of its own. */
#define DAL_SPAWN_PORT 9001

/* A program to start. Whoever made it owns what it points to; lists end with NULL. */
struct dal_spawn {
	uint64_t id; /* chosen by the engine, never used twice */
	bool sandbox;
	uint64_t memory_bytes; /* 0: no limit */
	uint64_t tmp_bytes;
	const char *name;   /* becomes the host name inside */
	const char *folder; /* working directory, absolute */
	char **paths;       /* shown too, read-only */
	char **command;
	char **environment; /* all of it: nothing is inherited */
};

enum dal_spawn_notice_kind {
	DAL_SPAWN_LISTENING, /* `descriptor`: the socket inside the sandbox, yours now */
	DAL_SPAWN_RUNNING,   /* `pid`: of the program, or of the init process of its namespace */
	DAL_SPAWN_FAILED,    /* `text`: what could not be set up; ENDED follows */
	DAL_SPAWN_ENDED,     /* the last notice of this id */
	DAL_SPAWN_LOST,      /* the spawner itself has ended: all ids have */
};

struct dal_spawn_notice {
	enum dal_spawn_notice_kind kind;
	uint64_t id;
	int descriptor; /* -1 if none */
	int pid;
	int code, signal;          /* of ENDED: exit code, or the signal that killed it (else 0) */
	int64_t cpu_us, memory_mb; /* of ENDED: by rusage */
	char text[256];
};

enum { DAL_SPAWN_NONE = 1 };

/* Exit codes of a child that FAILED: the machine refused something, or the program isn't there. */
enum { DAL_SPAWN_EXIT_MACHINE = 126, DAL_SPAWN_EXIT_PROGRAM = 127 };

/* `output` gets the program's stdout and stderr; it is copied, the caller closes its own. */
int dal_spawner_start_program(struct dal_spawner *spawner, const struct dal_spawn *spawn,
			      int output);
/* SIGTERM to the program's process group; SIGKILL to all of it. An id that has ended is ignored. */
int dal_spawner_signal(struct dal_spawner *spawner, uint64_t id, int signal);
/*
 * A process that somebody else has started for us, as a pidfd, which is copied: it is killed when
 * the engine's end closes, like our own, and forgotten when it ends.
 */
int dal_spawner_guard(struct dal_spawner *spawner, int process);
/* The next notice: 0, or DAL_SPAWN_NONE when there is none now. */
int dal_spawner_receive(struct dal_spawner *spawner, struct dal_spawn_notice *notice);
/* Readable when there is a notice. */
int dal_spawner_descriptor(const struct dal_spawner *spawner);
/* The spawner's process id: for tests and status. */
int dal_spawner_pid(const struct dal_spawner *spawner);

#endif
