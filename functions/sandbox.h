/*
 * The walls around a program: namespaces and limits, made by the child on its way to exec.
 *
 * `enter` makes the network namespace, in which nothing but the Runtime API's listener can be
 * reached, and the user namespace that owns it; bubblewrap makes all others (mounts, processes,
 * IPC, host name) and the read-only view of the system. It is not a jail for root: uid 0 is
 * dropped before anything else, for inside a user namespace the host's root would own what it sees.
 * Thread: the forked child, which is alone.
 */
#ifndef DAL_FUNCTIONS_SANDBOX_H
#define DAL_FUNCTIONS_SANDBOX_H

#include "functions/spawner.h"

struct dal_sandbox {
	bool staged;  /* folder and paths are bound to DAL_SANDBOX_STAGE/0, /1, ... */
	int listener; /* on 127.0.0.1:DAL_SPAWN_PORT inside */
};

#define DAL_SANDBOX_STAGE "/tmp"

/* A negated errno, and `*step` says what was refused. */
int dal_sandbox_enter(const struct dal_spawn *spawn, struct dal_sandbox *sandbox,
		      const char **step);
/* RLIMIT_*, of sandboxed and of trusted programs. */
int dal_sandbox_limit(const struct dal_spawn *spawn);
/* The words of the bubblewrap command, NULL-terminated; it writes the pid of its child to `info`.
 */
char **dal_sandbox_arguments(const struct dal_spawn *spawn, const struct dal_sandbox *sandbox,
			     int info);

#endif
