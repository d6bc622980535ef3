/*
 * Network namespaces with nothing in them but a Runtime API: `lo`, and a socket that listens on
 * 127.0.0.1:DAL_SPAWN_PORT. Whoever is put into one reaches that and nothing else, and the socket
 * says who speaks.
 *
 * A namespace that outlives its maker is held by a file that it is mounted on (as `ip netns` has
 * it): a container engine takes it by that path. Needs CAP_SYS_ADMIN.
 */
#ifndef DAL_FUNCTIONS_NETWORK_H
#define DAL_FUNCTIONS_NETWORK_H

#include <stddef.h>

/* In the network namespace of the calling thread: brings up `lo` and listens. Negated errno. */
int dal_network_listen(int *listener);
/*
 * Makes one, held by the file `path`, which is made too. Any thread: it is done on a passing one,
 * whose namespaces are its own. Negated errno, and `*step` says what was refused.
 */
int dal_network_new(const char *path, int *listener, const char **step);
void dal_network_remove(const char *path);
/* All that a killed engine left in a folder. How many, or a negated errno (-ENOENT: no folder). */
int dal_network_clear(const char *folder);

#endif
