/*
 * The system calls that a container may make: the engine's own filter, without what this house has
 * no use for. Podman's allows user namespaces and mounts in them (for containers in containers),
 * key rings, which all containers of one user share, and sockets of any family, such as vsock,
 * which no network namespace holds. 32-bit programs that open sockets by socketcall get none.
 *
 * A filter is a file of OCI's form, as Docker's and Podman's `seccomp.json` are: what it allows by
 * default, and a list of rules. Pure. Any thread.
 */
#ifndef DAL_FUNCTIONS_SECCOMP_H
#define DAL_FUNCTIONS_SECCOMP_H

#include "engine/base/slice.h"

/* Where Podman's filter is, the administrator's first; ends with NULL. */
extern const char *const dal_seccomp_paths[];

/* Appends the narrower filter. 0, or -EBADMSG: that is no filter, or one that allows by default. */
int dal_seccomp_narrow(struct dal_slice filter, struct dal_buffer *out);

#endif
